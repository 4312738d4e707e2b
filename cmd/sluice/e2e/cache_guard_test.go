package e2e

import (
	"strings"
	"testing"
	"time"
)

// A cache and guards on one model: what was masked for one caller never comes
// to another, whose masked request looks the same; and what was kept before
// guards changed is not given after.
func TestCacheAndGuards(t *testing.T) {
	text := func(guards string) string {
		return providers + `guards:
  pii: {on: [request, response], mask: [email], reversible: true}
  words: {on: [response], deny: {pattern: "orchid"}}
models: {m: {targets: [{model: up/echo}], cache: {ttl: 10m, scope: team}, guard: [` + guards + `]}}
` + team
	}
	g := start(t, text("pii"))
	ask := func(said string) answer { return g.chat(chatBody("m", said, "")) }
	content := func(a answer) string { return a.get("choices.0.message.content").Str }
	for _, who := range []string{"ann@example.com", "bob@example.com", "ann@example.com"} {
		if a := ask("write to " + who); a.status != 200 || !strings.Contains(content(a), who) || strings.Contains(a.header.Get("x-sluice-cache"), "hit") {
			t.Errorf("%s: %d %v %s", who, a.status, a.header, a.body)
		}
	}
	for i, want := range []string{"miss", "hit"} {
		if a := ask("an orchid"); a.status != 200 || a.header.Get("x-sluice-cache") != want {
			t.Errorf("call %d without anything to mask: %d %v %s", i, a.status, a.header, a.body)
		}
	}
	g.configure(head + text("pii, words"))
	if !eventually(5*time.Second, func() bool { return ask("an orchid").status == 400 }) {
		t.Errorf("an answer from before the guards changed is given: %s", ask("an orchid").body)
	}
}
