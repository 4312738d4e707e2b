package examples

import (
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"sluice/bench/upstream"
)

const config = "sluice.yaml"

// shownIn runs the nth command of an example's configuration.
func (g *gateway) shownIn(example string, n int) *answer {
	g.t.Helper()
	commands := shown(g.t, filepath.Join(example, config))
	if n >= len(commands) {
		g.t.Fatalf("%s shows %d commands", example, len(commands))
	}
	return g.shell(commands[n])
}

// said is the text of a chat's answer.
func (a *answer) said() string { return a.get("choices.0.message.content").String() }

func TestMinimal(t *testing.T) {
	g := start(t, "minimal")
	if a := g.shownIn("minimal", 0); a.status != 200 || a.said() != "Hello" || a.header.Get("x-sluice-cost") == "" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}

func TestTeamsAndBudgets(t *testing.T) {
	const app, nightJob, trial = "sk-example-search-app", "sk-example-night-job", "sk-example-trial"
	g := start(t, "teams-and-budgets")
	for _, model := range []string{"small", "large"} {
		if a := g.chat(app, model); a.status != 200 || a.header.Get("x-ratelimit-limit-requests") != "600" {
			t.Errorf("%s: %d %v %s", model, a.status, a.header, a.body)
		}
	}
	a := g.shownIn("teams-and-budgets", 0)
	if a.status != 200 || a.get("key.usage.total.calls").Int() != 2 || a.get(`budgets.#(owner.team=="engineering").spent`).String() == "0" {
		t.Errorf("usage: %d %s", a.status, a.body)
	}
	if a := g.shownIn("teams-and-budgets", 1); a.status != 403 || a.get("error.code").String() != "model_not_allowed" {
		t.Errorf("a model that is not granted: %d %s", a.status, a.body)
	}
	for range 4 {
		a = g.chat(nightJob, "small")
	}
	if a.status != 429 || a.get("error.code").String() != "rate_limit_exceeded" || a.header.Get("retry-after") == "" {
		t.Errorf("more than 3 calls a minute: %d %v %s", a.status, a.header, a.body)
	}
	answered := 0
	for a = g.chat(trial, "large"); a.status == 200 && answered < 20; a = g.chat(trial, "large") {
		answered++
	}
	if answered < 2 || a.status != 429 || a.get("error.code").String() != "insufficient_quota" {
		t.Errorf("after %d calls the trial gets %d %s", answered, a.status, a.body)
	}
	g.books(t)
}

// books looks at the report and its proof, once all calls are in the ledger.
func (g *gateway) books(t *testing.T) {
	t.Helper()
	spent := g.do("GET", g.listen+"/v1/usage", "", "Authorization", "Bearer sk-example-trial").get(`budgets.#(owner.team=="trial").spent`).String()
	usd, ok := new(big.Rat).SetString(spent)
	if limit := big.NewRat(2, 100); !ok || usd.Cmp(limit) > 0 || usd.Sign() <= 0 {
		t.Errorf("the trial has spent %q of 0.02", spent)
	}
	var report string
	if !eventually(func() bool {
		said, code := g.sluice("report", "--by", "team,key,model")
		report = said
		return code == 0 && strings.Contains(said, spent)
	}) {
		t.Errorf("the report does not show the trial's %s:\n%s", spent, report)
	}
	for _, want := range []string{"search/app", "search/night-job", "trial/guest", "small", "large", "total"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %s:\n%s", want, report)
		}
	}
	if said, code := g.sluice("report", "--verify"); code != 0 || !strings.Contains(said, "every sum is right") {
		t.Errorf("verify: %d %s", code, said)
	}
}

func TestFallback(t *testing.T) {
	const key = "sk-example-fallback"
	g := start(t, "fallback")
	if a := g.shownIn("fallback", 0); a.status != 200 || a.said() != "Hello" || !strings.Contains(a.header.Get("x-sluice-explain"), `"chosen"`) {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	again := 0
	for range 60 { // the chance that a provider failing three of ten calls never fails is below 1e-9
		a := g.chat(key, "chat")
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a.header.Get("x-sluice-attempts") != "1" {
			again++
		}
	}
	if again == 0 {
		t.Error("no call needed a second try")
	}
	seen := map[string]int{}
	for range 40 {
		a := g.chat(key, "rescued")
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		seen[a.header.Get("x-sluice-model")]++
	}
	if seen["calm/echo"] == 0 || seen["mock/echo"] == 0 || len(seen) != 2 {
		t.Errorf("the fallback went to %v", seen)
	}
	if a := g.do("GET", g.admin+"/admin/v1/providers", "", "Authorization", "Bearer "+adminToken); !strings.Contains(a.body, `"open"`) {
		t.Errorf("no breaker is open: %s", a.body)
	}
}

func TestSplitAndShadow(t *testing.T) {
	const example, key = "split-and-shadow", "sk-example-split"
	g := start(t, example)
	first := g.shownIn(example, 0)
	for range 40 {
		if a := g.shownIn(example, 0); a.status != 200 || a.header.Get("x-sluice-model") != first.header.Get("x-sluice-model") {
			t.Fatalf("%d %v %s, at first %v", a.status, a.header, a.body, first.header)
		}
	}
	made, hit := g.shownIn(example, 1), g.shownIn(example, 1)
	if made.header.Get("x-sluice-cache") != "miss" || hit.header.Get("x-sluice-cache") != "hit" || hit.header.Get("x-sluice-cost") == "0" {
		t.Errorf("%v, then %v", made.header, hit.header)
	}
	var said string
	if !eventually(func() bool { // the chance that none of 41 calls has a shadow that answers is below 1e-9
		var code int
		said, code = g.sluice("models", "arms", "chat")
		return code == 0 && strings.Contains(said, "trial/echo  true") && strings.Contains(said, "new/echo")
	}) {
		t.Errorf("%s", said)
	}
	if a := g.do("GET", g.listen+"/v1/usage", "", "Authorization", "Bearer "+key); a.get("team.usage.total.calls").Int() != 43 {
		t.Errorf("%s", a.body)
	}
}

func TestOpenAIAndAnthropic(t *testing.T) {
	const example = "openai-and-anthropic"
	bare := prepare(t, example)
	if said, code := bare.sluice("check", "-c", config); code != 2 || !strings.Contains(said, "the environment has no OPENAI_API_KEY") {
		t.Errorf("check without keys: %d %s", code, said)
	}
	fake := upstream.Start(t)
	g := prepare(t, example, "OPENAI_API_KEY=sk-openai", "ANTHROPIC_API_KEY=sk-anthropic", "SLUICE_KEY=sk-mine",
		"SLUICE_PROVIDERS__OPENAI__BASE_URL="+fake.URL()+"/v1", "SLUICE_PROVIDERS__ANTHROPIC__BASE_URL="+fake.URL())
	if said, code := g.sluice("check", "-c", config); code != 0 {
		t.Errorf("check: %d %s", code, said)
	}
	g.serve()
	if a := g.shownIn(example, 0); a.status != 200 || a.said() == "" || a.header.Get("x-sluice-model") != "anthropic/claude-sonnet-4-5" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if last := fake.Last(1); len(last) != 1 || last[0].Path != "/v1/messages" {
		t.Errorf("the provider got %+v", last)
	}
	seen := map[string]int{}
	for range 40 {
		seen[g.chat("sk-mine", "fast").header.Get("x-sluice-model")]++
	}
	if seen["openai/gpt-4o-mini"] == 0 || seen["anthropic/claude-haiku-4-5"] == 0 || len(seen) != 2 {
		t.Errorf("fast went to %v", seen)
	}
	if a := g.chat("sk-mine", "long"); a.status != 403 {
		t.Errorf("a model that is not granted: %d %s", a.status, a.body)
	}
}

func TestLocalModels(t *testing.T) {
	fake := upstream.Start(t)
	g := start(t, "local-models", "LOCAL_URL="+fake.URL()+"/v1", "SLUICE_KEY=sk-mine")
	if a := g.shownIn("local-models", 0); a.status != 200 || a.said() == "" || a.header.Get("x-sluice-model") != "lab/llama-3.3-70b" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if a := g.chat("sk-mine", "local"); a.status != 200 || a.header.Get("x-sluice-cost") == "" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}

func TestServices(t *testing.T) {
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "the shop has ", r.URL.Path)
	}))
	defer shop.Close()
	g := start(t, "services", "SHOP_URL="+shop.URL)
	if a := g.shownIn("services", 0); a.status != 200 || a.body != "Hello from the gateway\n" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := g.shownIn("services", 1); a.status != 200 || a.body != "the shop has /items" || a.header.Get("x-ratelimit-remaining-requests") != "99" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if a := g.shownIn("services", 2); a.status != 200 || a.body != "3 pieces\n" {
		t.Errorf("a clerk looks: %d %s", a.status, a.body)
	}
	if a := g.shownIn("services", 3); a.status != 403 || !strings.Contains(a.body, "permission_denied") {
		t.Errorf("a clerk deletes: %d %s", a.status, a.body)
	}
	if said, code := g.sluice("route", "explain", "/stock/7", "--roles", "clerk", "--method", "DELETE"); code != 0 || !strings.Contains(said, "none of clerk may DELETE /stock/7") {
		t.Errorf("explain: %d %s", code, said)
	}
	if a := g.shownIn("services", 4); a.status != 401 {
		t.Errorf("a path that is spelt oddly leads past the route: %d %s", a.status, a.body)
	}
	if said, code := g.sluice("route", "explain", "/shop/items"); code != 0 || !strings.Contains(said, "shop") {
		t.Errorf("explain: %d %s", code, said)
	}
	shop.Close()
	statuses := map[int]int{}
	for range 10 {
		statuses[g.shownIn("services", 1).status]++
	}
	if statuses[502] == 0 || statuses[503] == 0 || len(statuses) != 2 {
		t.Errorf("with the shop gone: %v", statuses)
	}
}
