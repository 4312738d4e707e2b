package e2e

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// Money is given back by new entries: budgets, reports and the proof know of
// them, also after a restart, and no call gives back more than it cost.
func TestCorrections(t *testing.T) {
	g := start(t, providers+`teams: {t: {budget: {usd: 1, per: month, hard: true}, keys: [{name: k, value: "`+teamKey+`", budget: {usd: 1, per: 30d}}]}}`+"\n")
	var calls []string
	for range 2 {
		a := g.chat(chatBody("up/in-1000_out-1000", "hi", `,"max_tokens":1000`)) // 0.003 each
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		calls = append(calls, a.header.Get("X-Request-Id"))
	}
	g.waitCalls(2)
	run := func(args ...string) gjson.Result {
		t.Helper()
		out, stderr, code := g.sluice(append(args, "--json")...)
		if code != 0 {
			t.Fatalf("%v: exit code %d: %s%s", args, code, out, stderr)
		}
		return gjson.Parse(out)
	}
	run("ledger", "refund", calls[0], "--reason", "it answered nonsense")
	if out := run("ledger", "refund", calls[0], "--reason", "it answered nonsense"); out.Get("usd").String() != "-0.003" || out.Get("net_usd").String() != "0" {
		t.Errorf("the same again: %s", out.Raw)
	}
	if _, stderr, code := g.sluice("ledger", "refund", calls[0], "--reason", "once more"); code != 1 || !strings.Contains(stderr, "nothing is left") {
		t.Errorf("a second refund: %d %s", code, stderr)
	}
	run("ledger", "correct", calls[1], "--usd", "-0.001", "--reason", "a discount")
	if _, stderr, code := g.sluice("ledger", "correct", calls[1], "--usd", "-0.0021", "--reason", "too much"); code != 1 || !strings.Contains(stderr, "cannot give back") {
		t.Errorf("beyond its cost: %d %s", code, stderr)
	}
	check := func() {
		t.Helper()
		for _, b := range g.api("GET", "budgets", "").get("data").Array() {
			if b.Get("spent").String() != "0.002" {
				t.Errorf("budget %s", b.Raw)
			}
		}
		if out := run("report"); out.Get("total.usd").String() != "0.002" || out.Get("total.calls").Int() != 2 {
			t.Errorf("report %s", out.Raw)
		}
		if out := run("ledger", "show", calls[1]); out.Get("usd").String() != "0.003" || out.Get("net_usd").String() != "0.002" || out.Get("corrections.0.reason").String() != "a discount" {
			t.Errorf("show: %s", out.Raw)
		}
		if out := g.api("GET", "corrections?team=t", ""); len(out.get("data").Array()) != 2 {
			t.Errorf("corrections: %s", out.body)
		}
		run("report", "--verify")
	}
	check()
	g.stop()
	g.start()
	check()
}
