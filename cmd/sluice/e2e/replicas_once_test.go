package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

const tellOnce = `shared: redis://REDIS/3
providers:
  dead: {kind: mock, fail: {status: 503, share: 1}}
models: {one: dead/a, two: dead/b, three: dead/c, four: dead/d, fast: mock/echo}
billing: {webhook: {url: "HOOK/budget"}}
teams:
  t: {budget: {requests: 1000, per: month, hard: true, warn_at: [0.04]}, keys: [{name: k, value: "` + teamKey + `"}]}
alerts:
  every: 1s
  receivers: {ops: {webhook: {url: "HOOK/alert"}}}
  rules:
    failing: {threshold: {figure: failures, above: 0, over: 1h}, each: model, repeat: 0s}
`

// looking is which replica looks at the alerts: the one that knows of some.
func looking(all []*gateway, than *gateway) *gateway {
	for _, g := range all {
		if g == nil || g == than {
			continue
		}
		if gjson.Get(g.api("GET", "alerts", "").body, "data.0.alerts.#").Int() > 0 {
			return g
		}
	}
	return nil
}

// Three replicas on one database tell what there is to tell once, though the one
// that looks is killed, and the next one too: nothing is told twice, or by nobody.
func TestReplicasTellOnce(t *testing.T) {
	var got outbox
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		what := gjson.GetBytes(b, "alert.labels.model").Str + gjson.GetBytes(b, "budget.owner.team").Str
		got.add(fmt.Sprintf("%s %s.", gjson.GetBytes(b, "event").Str, what))
	}))
	t.Cleanup(hook.Close)
	r := startRedis(t)
	rest := strings.NewReplacer("REDIS", r.addr, "HOOK", hook.URL).Replace(tellOnce)
	all := startDatabase(t).replicas(3, rest)
	sharing(t, all...)
	for _, g := range all { // the budget is known
		if !eventually(30*time.Second, func() bool { return g.chat(chatBody("fast", "hi", "")).status == 200 }) {
			t.Fatal("a replica answers no calls")
		}
	}
	fail := func(g *gateway, model string) {
		if a := g.chat(chatBody(model, "hi", "")); a.status != 503 {
			t.Fatalf("%s: %d %s", model, a.status, a.body)
		}
	}
	fail(all[0], "one")
	got.wait(t, "alert.firing one.")
	var first, second *gateway
	if !eventually(20*time.Second, func() bool { first = looking(all, nil); return first != nil }) {
		t.Fatal("nobody looks at the alerts")
	}
	rest2 := slices.DeleteFunc(slices.Clone(all), func(g *gateway) bool { return g == first })

	// What is there when the one that looks is killed is told, by that or by the next.
	fail(rest2[0], "two")
	first.kill()
	began := time.Now()
	fail(rest2[1], "three")
	if !eventually(30*time.Second, func() bool { second = looking(rest2, nil); return second != nil }) {
		t.Fatal("nobody looks at the alerts after the one that did was killed")
	}
	t.Logf("another replica looks after %v", time.Since(began))
	got.wait(t, "alert.firing two.", "alert.firing three.")

	second.kill()
	third := rest2[0]
	if third == second {
		third = rest2[1]
	}
	first.start()
	fail(third, "four")
	got.wait(t, "alert.firing four.")

	// All that run notice that a budget has reached a level, and one says so.
	for range 25 {
		for _, g := range []*gateway{first, third} {
			if a := g.chat(chatBody("fast", "hi", "")); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
	}
	for _, g := range []*gateway{first, third} {
		if !eventually(20*time.Second, func() bool { return g.logs("a budget has reached a level to warn at") }) {
			t.Error("a replica does not notice the budget's level")
		}
	}
	got.wait(t, "budget.warning t.")
	// Whoever looks has looked at all since, and has nothing more to tell.
	looked := first
	if looking([]*gateway{first, third}, nil) == third {
		looked = third
	}
	failures := func() int64 {
		return gjson.Get(looked.api("GET", "alerts", "").body, "data.0.alerts.#(state==\"firing\")#|#").Int()
	}
	if !eventually(20*time.Second, func() bool { return failures() == 4 }) {
		t.Errorf("%d alerts fire, want 4", failures())
	}
	time.Sleep(3 * time.Second) // three looks more, in which something might be told again
	for _, line := range []string{"alert.firing one.", "alert.firing two.", "alert.firing three.", "alert.firing four.", "budget.warning t."} {
		if n := got.count(line); n != 1 {
			t.Errorf("%q was told %d times", line, n)
		}
	}
}
