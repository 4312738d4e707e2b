package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const shadowing = providers + `models:
  fast:
    balance: weighted
    sticky: {by: user}
    targets: [{model: up/echo, weight: 3}, {model: ant/echo}]
    shadow: {model: candidate, share: 1}
  candidate: {targets: [{model: up/echo_delay-100}]}
  broken: {targets: [{model: up/echo}], shadow: {model: up/fail-500, share: 1}}
  hangs: {targets: [{model: up/echo}], shadow: {model: up/echo_delay-60000, share: 1}}
  kept: {targets: [{model: up/echo}], cache: {ttl: 10m, price: 25%}}
`

// A split keeps each user at its arm, a shadow is asked beside it, and the arms
// are told apart: in the admin API, by the command, and in no figure of the caller.
func TestSplitAndShadow(t *testing.T) {
	g := start(t, shadowing+team)
	const users = 20
	at := map[string]string{}
	for i := range 2 * users {
		user := fmt.Sprint("u", i%users)
		a := g.chat(chatBody("fast", "hello there", fmt.Sprintf(`,"user":%q`, user)))
		target := a.header.Get("x-sluice-model")
		if a.status != 200 || at[user] != "" && at[user] != target || target == "" {
			t.Fatalf("%s at %s, then %d at %s: %s", user, at[user], a.status, target, a.body)
		}
		at[user] = target
	}
	if a := g.chat(chatBody("broken", "hi", "")); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	const calls = 2*users + 1
	g.waitCalls(2 * calls)
	arms := g.api("GET", "arms?model=fast", "")
	var split int64
	for _, target := range []string{"up/echo", "ant/echo"} {
		arm := arms.get(`arms.#(target=="` + target + `")`)
		if split += arm.Get("calls").Int(); arm.Get("calls").Int() == 0 || arm.Get("shadow").Bool() {
			t.Errorf("%s", arm.Raw)
		}
	}
	arm := arms.get(`arms.#(shadow==true)`)
	if arm.Get("target").Str != "up/echo_delay-100" || arm.Get("calls").Int() != 2*users || split != 2*users || arm.Get("errors").Int() != 0 ||
		arm.Get("latency_p50_ms").Int() < 100 || arm.Get("usd_per_call").Str == "" || arm.Get("output_tokens_p50").Int() == 0 || len(arms.get("arms").Array()) != 3 {
		t.Errorf("%s", arms.body)
	}
	if a := g.api("GET", "arms?model=broken", ""); a.get(`arms.#(shadow==true).errors`).Int() != 1 || a.get(`arms.#(shadow==false).errors`).Int() != 0 {
		t.Errorf("%s", a.body)
	}
	if out, errs, code := g.sluice("models", "arms", "fast"); code != 0 || !strings.Contains(out, "up/echo_delay-100  true") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	own := g.data("GET", "/v1/usage", "")
	teams := g.api("GET", "usage?group_by=team", "")
	if own.get("team.usage.total.calls").Int() != calls || teams.get(`rows.#(team=="shadow").calls`).Int() != calls ||
		own.get("team.usage.total.usd").Str != teams.get(`rows.#(team=="t").usd`).Str {
		t.Errorf("own %s\nteams %s", own.body, teams.body)
	}
	if a := g.api("GET", "usage/verify", ""); !a.get("ok").Bool() {
		t.Errorf("%s", a.body)
	}
	if a := g.api("GET", "models", ""); a.get(`data.#(id=="fast").shadow.model`).Str != "candidate" {
		t.Errorf("%s", a.body)
	}
}

// What a shadow is at when server.drain is over is cut, and in the ledger.
func TestShadowIsCutAtTheEnd(t *testing.T) {
	g := newGateway(t, shadowing+team)
	g.configure(strings.Replace(head, "drain: 10s", "drain: 1s", 1) + shadowing + team)
	g.start()
	if a := g.chat(chatBody("hangs", "hi", "")); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if !eventually(5*time.Second, func() bool { return g.fake.Stats().Open == 1 }) {
		t.Fatal("the shadow is not asked")
	}
	if code := g.stop(); code != 0 {
		t.Errorf("exit code %d: %s", code, g.stderr)
	}
	g.start()
	g.waitCalls(2)
	if list := g.requests("&team=shadow"); len(list) != 1 || list[0].Status < 400 || list[0].Model != "hangs (shadow)" {
		t.Errorf("%+v", list)
	}
}

// A hit costs its share, in the answer, the ledger and the budget.
func TestPricedHit(t *testing.T) {
	g := start(t, shadowing+`teams:
  t: {budget: {usd: 1, per: total}, keys: [{name: k, value: "`+teamKey+`"}]}
`)
	body := chatBody("kept", strings.Repeat("some words ", 20), "")
	made := g.chat(body, "x-request-id", "made")
	hit := g.chat(body, "x-request-id", "hit")
	if hit.status != 200 || hit.header.Get("x-sluice-cache") != "hit" || hit.body != made.body {
		t.Fatalf("%d %v %s", hit.status, hit.header, hit.body)
	}
	g.waitCalls(2)
	nanos := func(a answer, path string) int64 { return int64(a.get(path).Float()*1e9 + 0.5) }
	first, second := g.api("GET", "requests/made", ""), g.api("GET", "requests/hit", "")
	cost, price := nanos(first, "usd"), nanos(second, "usd")
	if cost == 0 || price != (cost+2)/4 || nanos(second, "saved_usd") != cost-price || nanos(second, "provider_usd") != 0 ||
		hit.header.Get("x-sluice-cost") != second.get("usd").Str {
		t.Errorf("made %s\nhit %s %v", first.body, second.body, hit.header)
	}
	if a := g.data("GET", "/v1/usage", ""); nanos(a, "budgets.0.spent") != cost+price || nanos(a, "team.usage.total.saved_usd") != cost-price {
		t.Errorf("%s", a.body)
	}
}
