package e2e

import (
	"fmt"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// Five hundred calls at once against a hard budget of ten calls' worth: the
// ledger never passes it, streams included, and some calls succeed.
func TestHardBudget(t *testing.T) {
	const budget = "0.02005" // ten times 5 tokens in and 1000 out at 1 and 2 dollars a million
	for _, kind := range []string{"key", "team"} {
		t.Run(kind, func(t *testing.T) {
			limit := `budget: {usd: ` + budget + `, per: total, hard: true}`
			teams := `teams: {t: {keys: [{name: k, value: "` + teamKey + `", ` + limit + `}]}}`
			if kind == "team" {
				teams = `teams: {t: {` + limit + `, keys: [{name: k, value: "` + teamKey + `"}]}}`
			}
			g := start(t, providers+teams+"\n")
			var right, refused atomic.Int64
			var wg sync.WaitGroup
			for i := range 500 {
				wg.Go(func() {
					if err := g.spend(i%2 == 1); err == nil {
						right.Add(1)
					} else if strings.Contains(err.Error(), "insufficient_quota") {
						refused.Add(1)
					} else {
						t.Errorf("call %d: %v", i, err)
					}
				})
			}
			wg.Wait()
			g.waitCalls(right.Load())
			sum := new(big.Rat)
			for _, e := range g.requests("") {
				usd, ok := new(big.Rat).SetString(e.USD.String())
				if e.USD != "" && !ok {
					t.Fatalf("entry %s costs %q", e.ID, e.USD)
				}
				if ok {
					sum.Add(sum, usd)
				}
			}
			most, _ := new(big.Rat).SetString(budget)
			if sum.Cmp(most) > 0 || right.Load() == 0 {
				t.Errorf("%d calls cost %s of %s", right.Load(), sum.FloatString(9), budget)
			}
			total, _ := new(big.Rat).SetString(g.api("GET", "usage", "").get("total.usd").String())
			if total == nil || total.Cmp(sum) != 0 {
				t.Errorf("usage says %v, the requests %s", total, sum.FloatString(9))
			}
			t.Logf("%d right, %d refused, %s of %s spent", right.Load(), refused.Load(), sum.FloatString(6), budget)
		})
	}
}

// spend makes a call that costs up to a tenth of the budget.
func (g *gateway) spend(stream bool) error {
	const model = "up/out-1000_in-5_delay-30"
	if !stream {
		if a := g.chat(chatBody(model, "hi", `,"max_tokens":1000`)); a.status != 200 {
			return fmt.Errorf("status %d: %s", a.status, a.body)
		}
		return nil
	}
	s, err := g.stream(chatBody(model+"_chunks-20", "hi", `,"max_tokens":1000,"stream":true`))
	if err != nil {
		return err
	}
	defer s.close()
	_, done, err := s.rest()
	if err == nil && !done {
		err = fmt.Errorf("the stream has no end")
	}
	return err
}

// The last money buys a shorter answer; then nothing more.
func TestClampedByBudget(t *testing.T) {
	g := start(t, providers+`teams: {t: {keys: [{name: k, value: "`+teamKey+`", budget: {usd: 0.003, per: total, hard: true}}]}}
`)
	first := g.chat(chatBody("up/out-1000_in-5", "hi", `,"max_tokens":1000`))
	if first.status != 200 || first.get("usage.completion_tokens").Int() != 1000 {
		t.Fatalf("%d %s", first.status, first.body)
	}
	second := g.chat(chatBody("up/out-1000_in-5", "hi", `,"max_tokens":1000`))
	if second.status != 200 || second.get("usage.completion_tokens").Int() >= 1000 || second.header.Get("x-sluice-clamped") == "" {
		t.Errorf("the second call is not clamped: %d %v %s", second.status, second.header, second.body)
	}
	eventually(2*time.Second, func() bool { return g.chat(chatBody("up/out-1000_in-5", "hi", `,"max_tokens":1000`)).status == 429 })
	last := g.chat(chatBody("up/out-1000_in-5", "hi", `,"max_tokens":1000`))
	if last.status != 429 || last.header.Get("x-should-retry") != "false" {
		t.Errorf("the budget is not spent: %d %v %s", last.status, last.header, last.body)
	}
	usage := g.data("GET", "/v1/usage", "")
	if usage.status != 200 || !usage.get("budgets").Exists() {
		t.Errorf("GET /v1/usage: %d %s", usage.status, usage.body)
	}
}

// A budget says when it runs out, wherever it is shown.
func TestForecast(t *testing.T) {
	g := start(t, providers+`teams: {t: {budget: {usd: 0.000001, per: total, hard: false}, keys: [{name: k, value: "`+teamKey+`"}]}}`+"\n")
	if before := g.api("GET", "budgets", "").get("data.0"); before.Get("runs_out").Type != gjson.Null || before.Get("forecast").Raw != "null" {
		t.Errorf("before the first call: %s", before.Raw)
	}
	g.chat(chatBody("up/in-10_out-100", "hi", ""))
	g.waitCalls(1)
	for where, budget := range map[string]gjson.Result{"admin": g.api("GET", "budgets", "").get("data.0"), "team": g.api("GET", "teams/t", "").get("budgets.0"),
		"caller": g.data("GET", "/v1/usage", "").get("budgets.0")} {
		if at, err := time.Parse(time.RFC3339, budget.Get("runs_out").String()); err != nil || at.After(time.Now()) || budget.Get("forecast").Raw != "null" {
			t.Errorf("%s: %s", where, budget.Raw)
		}
	}
	if out, _, code := g.sluice("budget", "list"); code != 0 || !strings.Contains(out, "RUNS OUT") || strings.Count(out, time.Now().UTC().Format("2006-01-")) != 1 {
		t.Errorf("%d %s", code, out)
	}
}
