package e2e

import (
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// playing is a mock provider that writes long answers, word by word.
const playing = `  play: {kind: mock, prices: {"*": {input: 1, output: 1000}, "echo": {input: 0, output: 0}}}
`

// spentBy is what the team t has spent, from the ledger.
func (g *gateway) spentBy(t *testing.T) *big.Rat {
	t.Helper()
	usd, ok := new(big.Rat).SetString(g.api("GET", "usage", "").get("total.usd").String())
	if !ok {
		t.Fatal("usage tells no money")
	}
	return usd
}

// A team may have several budgets, of tokens, requests and of some models only.
func TestBudgetKinds(t *testing.T) {
	g := start(t, providers+`teams:
  t:
    budget: [{requests: 3, per: hour}, {tokens: 1000, per: day, time_zone: Europe/Berlin}, {usd: 0.00001, per: total, models: ["ant/*"]}]
    keys: [{name: k, value: "`+teamKey+`"}]
`)
	if a := g.chat(chatBody("ant/out-10_in-5", "hi", `,"max_tokens":10`)); a.status != 429 || !strings.Contains(a.body, "per total for ant/*") && !strings.Contains(a.body, "in total for ant/*") {
		t.Errorf("a model whose budget is spent: %d %s", a.status, a.body)
	}
	first := g.chat(chatBody("up/out-900_in-5", "hi", `,"max_tokens":900`))
	if first.status != 200 || first.get("usage.completion_tokens").Int() != 900 {
		t.Fatalf("%d %s", first.status, first.body)
	}
	second := g.chat(chatBody("up/out-900_in-5", "hi", `,"max_tokens":900`))
	if n := second.get("usage.completion_tokens").Int(); second.status != 200 || n >= 95 || n == 0 || second.header.Get("x-sluice-clamped") == "" {
		t.Errorf("not clamped to the tokens that are left: %d %s", second.status, second.body)
	}
	g.waitCalls(2)
	third := g.chat(chatBody("up/out-900_in-5", "hi", `,"max_tokens":900`))
	if third.status == 200 {
		third = g.chat(chatBody("up/out-1_in-1", "hi", `,"max_tokens":1`))
	}
	if third.status != 429 || third.get("error.code").Str != "insufficient_quota" {
		t.Errorf("tokens and requests are gone: %d %s", third.status, third.body)
	}
	list := g.api("GET", "budgets", "")
	if list.get("data.#").Int() != 3 || list.get(`data.#(requests==3).spent`).Int() < 2 || list.get(`data.#(tokens==1000).time_zone`).Str != "Europe/Berlin" {
		t.Errorf("budgets: %s", list.body)
	}
}

// Users and tags of a team have budgets and limits of their own, those of a key
// whatever the request says; after a restart they go on where they were.
func TestUsersAndTags(t *testing.T) {
	g := start(t, providers+`teams:
  t:
    users: {"*": {budget: {requests: 2, per: day}}, alice: {limits: {rpm: 3}}}
    tags: {nightly: {budget: {usd: 0.00025, per: total}}}
    keys: [{name: k, value: "`+teamKey+`"}, {name: own, value: "`+teamKey+`-own", user: carol}]
`)
	ask := func(user, tags string) answer {
		extra := `,"max_tokens":100`
		if user != "" {
			extra += `,"user":"` + user + `"`
		}
		return g.chat(chatBody("up/out-100_in-0", "hi", extra), "X-Sluice-Tags", tags)
	}
	for i, want := range []int{200, 200, 429} {
		if a := ask("bob", ""); a.status != want || want == 429 && !strings.HasPrefix(a.get("error.message").Str, `the budget of user "bob" of team "t"`) {
			t.Errorf("call %d of bob: %d %s", i, a.status, a.body)
		}
	}
	for i, want := range []int{200, 200, 200, 429} {
		if a := ask("alice", ""); a.status != want {
			t.Errorf("call %d of alice: %d %s", i, a.status, a.body)
		}
	}
	if a := ask("", "nightly"); a.status != 200 {
		t.Errorf("tagged: %d %s", a.status, a.body)
	}
	if a := ask("", "nightly"); a.status != 200 || a.header.Get("x-sluice-clamped") == "" {
		t.Errorf("tagged, with little left: %d %v %s", a.status, a.header, a.body)
	}
	g.key = teamKey + "-own"
	if a := ask("mallory", ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	g.waitCalls(8)
	g.kill()
	g.start()
	if a := ask("mallory", ""); a.status != 200 {
		t.Errorf("after a restart: %d %s", a.status, a.body)
	}
	if a := ask("mallory", ""); a.status != 429 || !strings.Contains(a.body, "carol") {
		t.Errorf("a third call of carol's key: %d %s", a.status, a.body)
	}
	list := g.api("GET", "budgets", "")
	if list.get(`data.#(owner.user=="bob").spent`).Int() != 2 || list.get(`data.#(owner.tag=="nightly").remaining`).Str != "0" && list.get(`data.#(owner.tag=="nightly").spent`).Str == "" {
		t.Errorf("budgets: %s", list.body)
	}
}

// With when_spent: cut a stream runs as long as there is money, and says why it
// ends.
func TestCutByBudget(t *testing.T) {
	const budget = "0.6" // 600 tokens
	g := start(t, providers+playing+`billing: {when_spent: cut}
teams: {t: {budget: {usd: `+budget+`, per: total}, keys: [{name: k, value: "`+teamKey+`"}]}}
`)
	a := g.chat(chatBody("play/lorem-3000", "hi", `,"max_tokens":3000,"stream":true`))
	if a.status != 200 || a.header.Get("x-sluice-clamped") != "" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	g.endsCut(t, a.body, `"finish_reason":"length"`)
	most, _ := new(big.Rat).SetString(budget)
	if spent := g.spentBy(t); spent.Cmp(most) > 0 || spent.Cmp(big.NewRat(5, 10)) < 0 {
		t.Errorf("%s of %s is spent", spent.FloatString(9), budget)
	}
	if held := g.api("GET", "budgets", "").get("data.0.held").Str; held != "0" {
		t.Errorf("held %s", held)
	}
	eventually(5*time.Second, func() bool {
		return g.chat(chatBody("play/lorem-3000", "hi", `,"max_tokens":3000,"stream":true`)).status == 429
	})
}

func TestCutByBudgetForAnthropicClients(t *testing.T) {
	g := start(t, providers+playing+`teams: {t: {when_spent: cut, budget: {tokens: 500, per: month}, keys: [{name: k, value: "`+teamKey+`"}]}}
`)
	a := g.data("POST", "/v1/messages", chatBody("play/lorem-3000", "hi", `,"max_tokens":3000,"stream":true`))
	g.endsCut(t, a.body, `"stop_reason":"max_tokens"`)
	if used := g.api("GET", "budgets", "").get("data.0.spent").Int(); used > 500 || used < 400 {
		t.Errorf("%d of 500 tokens are used", used)
	}
}

// endsCut looks at the end of a stream that had no more money.
func (g *gateway) endsCut(t *testing.T, body, reason string) {
	t.Helper()
	end, why := strings.Index(body, reason), strings.Index(body, "the answer was cut here: the budget of team")
	if end < 0 || why < end {
		t.Errorf("it ends with %s", body[max(0, len(body)-900):])
	}
}

// With when_spent: {model: …} a cheaper model answers when the money is gone.
func TestTurnToCheaper(t *testing.T) {
	g := start(t, providers+playing+`models: {thrifty: {targets: [{model: play/echo}]}}
teams: {t: {when_spent: {model: thrifty}, budget: {usd: 0.5, per: total}, keys: [{name: k, value: "`+teamKey+`"}]}}
`)
	body := chatBody("play/lorem-300", "hi", `,"max_tokens":300`)
	if a := g.chat(body); a.status != 200 || a.header.Get("x-sluice-model") != "play/lorem-300" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	a := g.chat(body)
	if a.status != 200 || a.header.Get("x-sluice-model") != "play/echo" || a.header.Get("x-sluice-cost") != "0" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	g.waitCalls(2)
	if got := g.api("GET", "usage?group_by=model", "").get(`rows.#(model=="thrifty").calls`).Int(); got != 1 {
		t.Errorf("the ledger has %d calls of the cheaper model", got)
	}
}

// A level to warn at is told of in the log, to a webhook and in a header; and a
// raise gives more for a time.
func TestBudgetWarningAndRaise(t *testing.T) {
	posts := make(chan string, 4)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		posts <- r.Header.Get("X-Sluice-Signature")[:7] + string(b)
	}))
	defer hook.Close()
	g := start(t, providers+`billing: {webhook: {url: "`+hook.URL+`", secret: s3cret}}
`)
	run := func(args ...string) string {
		t.Helper()
		out, stderr, code := g.sluice(append(args, "--admin", "http://"+g.admin, "--token", adminToken, "--json")...)
		if code != 0 {
			t.Fatalf("sluice %s: %d %s", strings.Join(args, " "), code, stderr)
		}
		return out
	}
	run("team", "create", "made", "--budget", "0.002", "--per", "day", "--warn-at", "0.4,0.9")
	g.key = gjson.Get(run("key", "create", "--team", "made", "--name", "k"), "key").Str
	body := chatBody("up/out-500_in-0", "hi", `,"max_tokens":500`)
	if a := g.chat(body); a.status != 200 || a.header.Get("x-sluice-budget-warning") != "team made 0.4 of 0.002 USD per day" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	select {
	case p := <-posts:
		if !strings.HasPrefix(p, "sha256=") || gjson.Get(p[7:], "budget.owner.team").Str != "made" || gjson.Get(p[7:], "budget.warned").Num != 0.4 {
			t.Errorf("posted %s", p)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing was posted")
	}
	if !g.logs("a budget has reached a level to warn at") {
		t.Error("the log does not tell")
	}
	if a := g.chat(body); a.status != 200 || a.header.Get("x-sluice-budget-warning") != "team made 0.9 of 0.002 USD per day" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	eventually(2*time.Second, func() bool { return g.chat(body).status == 429 })
	run("team", "update", "made", "--raise", "1", "--raise-until", time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	if a := g.chat(body); a.status != 200 {
		t.Errorf("after the raise: %d %s", a.status, a.body)
	}
	if out := run("budget", "list"); gjson.Get(out, "0.usd").Str != "1.002" && gjson.Get(out, "data.0.usd").Str != "1.002" {
		t.Errorf("budget list: %s", out)
	}
}
