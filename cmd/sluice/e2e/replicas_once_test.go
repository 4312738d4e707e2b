package e2e

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
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

// keepsTold waits until the database has it that alerts of models were told: who is
// killed before may have told one that the next tells again.
func (d *database) keepsTold(models ...string) {
	d.t.Helper()
	conn, err := pgx.Connect(d.t.Context(), d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	id, kept := sha256.Sum256([]byte("alerts")), ""
	told := func(model string) bool {
		last := gjson.Get(kept, fmt.Sprintf("alerts.#(labels.model==%q).deliveries.ops", model))
		return last.Get("event").Str == "firing" && last.Get("error").Str == ""
	}
	if !eventually(60*time.Second, func() bool {
		err = conn.QueryRow(d.t.Context(), "SELECT convert_from(data, 'UTF8') FROM replays WHERE id = $1", id[:]).Scan(&kept)
		return err == nil && !slices.ContainsFunc(models, func(m string) bool { return !told(m) })
	}) {
		d.t.Fatalf("that %v were told is not kept: %v %s", models, err, kept)
	}
}

// Three replicas on one database tell what there is to tell once, though the one
// that looks is killed, and the next one too: nothing is told twice, or by nobody.
func TestReplicasTellOnce(t *testing.T) {
	t.Parallel() // it waits most of its time
	var got outbox
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		what := gjson.GetBytes(b, "alert.labels.model").Str + gjson.GetBytes(b, "budget.owner.team").Str
		got.add(fmt.Sprintf("%s %s.", gjson.GetBytes(b, "event").Str, what))
	}))
	t.Cleanup(hook.Close)
	r := startRedis(t)
	rest := strings.NewReplacer("REDIS", r.addr, "HOOK", hook.URL).Replace(tellOnce)
	d := startDatabase(t)
	all := d.replicas(3, rest)
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

	// What comes when the one that looks is killed is told by the next.
	fail(rest2[0], "two")
	d.keepsTold("one", "two")
	first.kill()
	began := time.Now()
	fail(rest2[1], "three")
	if !eventually(30*time.Second, func() bool { second = looking(rest2, nil); return second != nil }) {
		t.Fatal("nobody looks at the alerts after the one that did was killed")
	}
	t.Logf("another replica looks after %v", time.Since(began))
	d.keepsTold("one", "two", "three")
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
