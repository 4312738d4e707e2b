package e2e

import (
	"fmt"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A thousand calls and streams at once, of four keys in two teams below a third,
// each with a hard budget. What an honest provider charges never passes any of
// them, not by a nano-dollar; every budget is the sum of its calls' entries. A
// provider that tells a fifth more than it was let use passes them by exactly
// what is shown as excess.
func TestNestedBudgets(t *testing.T) {
	for _, c := range []struct {
		name, model string
		honest      bool
	}{{"honest", "up/out-1000_in-5_delay-30", true}, {"a fifth more", "up/out-1000_in-5_delay-30_over-20", false}} {
		t.Run(c.name, func(t *testing.T) {
			g := start(t, providers+`teams:
  org: {budget: {usd: 0.0401, per: month}}
  lab: {parent: org, budget: {usd: 0.03, per: day}, keys: [{name: a, value: `+teamKey+`-a, budget: {usd: 0.016, per: total}}, {name: b, value: `+teamKey+`-b}]}
  shop: {parent: org, budget: {usd: 0.025, per: 7d}, keys: [{name: c, value: `+teamKey+`-c}, {name: d, value: `+teamKey+`-d, budget: {usd: 0.003, per: hour}}]}
`)
			var right atomic.Int64
			var wg sync.WaitGroup
			for i := range 1000 {
				wg.Go(func() {
					err := g.spendAs(c.model, teamKey+"-"+string("abcd"[i%4]), i%8 >= 4)
					switch {
					case err == nil:
						right.Add(1)
					case !strings.Contains(err.Error(), "insufficient_quota"):
						t.Errorf("call %d: %v", i, err)
					}
				})
			}
			wg.Wait()
			g.waitCalls(right.Load())
			g.budgetsAreSums(t, c.honest)
			t.Logf("%d calls were right", right.Load())
		})
	}
}

// spendAs makes one call or stream with a key.
func (g *gateway) spendAs(model, key string, stream bool) error {
	if !stream {
		a := g.chat(chatBody(model, "hi", `,"max_tokens":1000`), "Authorization", "Bearer "+key)
		if a.status != 200 {
			return fmt.Errorf("status %d: %s", a.status, a.body)
		}
		return nil
	}
	s, err := g.stream(chatBody(model+"_chunks-20", "hi", `,"max_tokens":1000,"stream":true`), "Authorization", "Bearer "+key)
	if err != nil {
		return err
	}
	defer s.close()
	_, _, err = s.rest()
	return err
}

// budgetsAreSums compares every budget with the entries of the calls below it.
func (g *gateway) budgetsAreSums(t *testing.T, honest bool) {
	t.Helper()
	above := map[string][]string{"lab/a": {"lab/a", "lab", "org"}, "lab/b": {"lab/b", "lab", "org"}, "shop/c": {"shop/c", "shop", "org"}, "shop/d": {"shop/d", "shop", "org"}}
	spent, excess := map[string]*big.Rat{}, map[string]*big.Rat{}
	list := g.api("GET", "requests?limit=1000", "")
	for next := list.get("next").Str; ; next = list.get("next").Str {
		for _, e := range list.get("data").Array() {
			detail := g.api("GET", "requests/"+e.Get("call").Str, "")
			for _, owner := range above[e.Get("key").Str] {
				for sums, field := range map[*map[string]*big.Rat]string{&spent: "usd", &excess: "excess_usd"} {
					n, ok := new(big.Rat).SetString(detail.get(field).String())
					if !ok {
						n = new(big.Rat)
					}
					if (*sums)[owner] == nil {
						(*sums)[owner] = new(big.Rat)
					}
					(*sums)[owner].Add((*sums)[owner], n)
				}
			}
		}
		if next == "" {
			break
		}
		list = g.api("GET", "requests?limit=1000&after="+next, "")
	}
	budgets := g.api("GET", "budgets", "")
	if n := budgets.get("data.#").Int(); n != 5 {
		t.Fatalf("%d budgets: %s", n, budgets.body)
	}
	beyond := new(big.Rat)
	for _, b := range budgets.get("data").Array() {
		owner := b.Get("owner.key").Str + b.Get("owner.team").Str
		limit, _ := new(big.Rat).SetString(b.Get("usd").Str)
		told, _ := new(big.Rat).SetString(b.Get("spent").Str)
		sum, over := spent[owner], excess[owner]
		if told == nil || sum == nil || told.Cmp(sum) != 0 || b.Get("held").Str != "0" {
			t.Errorf("%s: the entries cost %v: %s", owner, sum, b.Raw)
			continue
		}
		if most := new(big.Rat).Add(limit, over); told.Cmp(most) > 0 || honest && over.Sign() != 0 {
			t.Errorf("%s: %s of %s is spent, excess %s", owner, told.FloatString(9), limit.FloatString(9), over.FloatString(9))
		}
		beyond.Add(beyond, over)
		t.Logf("%s: %s of %s, excess %s", owner, told.FloatString(9), limit.FloatString(9), over.FloatString(9))
	}
	if !honest && beyond.Sign() == 0 {
		t.Error("what went beyond the holds is not shown")
	}
}
