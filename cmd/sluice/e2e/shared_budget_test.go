package e2e

import (
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// cost is what a gateway's ledger says its calls have cost.
func (g *gateway) cost() *big.Rat {
	g.t.Helper()
	sum := new(big.Rat)
	for _, e := range g.requests("") {
		if usd, ok := new(big.Rat).SetString(e.USD.String()); ok {
			sum.Add(sum, usd)
		}
	}
	return sum
}

// spenders make calls at a gateway until the budget has nothing for them; the
// gateway may be killed meanwhile.
func (g *gateway) spenders(all *sync.WaitGroup, right *atomic.Int64, killed *atomic.Bool) {
	for i := range 12 {
		all.Go(func() {
			for refused := 0; refused < 5 && !killed.Load(); {
				a, err := g.send("POST", "http://"+g.listen+"/v1/chat/completions", chatBody("up/out-1000_in-5_delay-30", "hi", `,"max_tokens":1000`),
					"Authorization", "Bearer "+teamKey, "Content-Type", "application/json")
				switch {
				case err != nil && killed.Load():
				case err != nil:
					g.t.Errorf("call of %d: %v", i, err)
					return
				case a.status == 200:
					right.Add(1)
				case strings.Contains(a.body, "insufficient_quota"):
					refused++
					time.Sleep(20 * time.Millisecond)
				default: // it cannot be told just now
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
}

// Three replicas never spend more than a hard budget, though one of them is
// killed; when that is there again, all of the budget may be spent.
func TestSharedBudget(t *testing.T) {
	const budget = "0.802" // 400 calls of 5 tokens in and 1000 out at 1 and 2 dollars a million
	r := startRedis(t)
	rest := "shared: redis://" + r.addr + "/2\n" + providers + `teams: {t: {budget: {usd: ` + budget + `, per: total, hard: true}, keys: [{name: k, value: "` + teamKey + `"}]}}` + "\n"
	all := []*gateway{start(t, rest), start(t, rest), start(t, rest)}
	sharing(t, all...)
	most, _ := new(big.Rat).SetString(budget)
	spent := func(of ...*gateway) *big.Rat {
		sum := new(big.Rat)
		for _, g := range of {
			sum.Add(sum, g.cost())
		}
		return sum
	}

	var calls sync.WaitGroup
	var right atomic.Int64
	var no, killed atomic.Bool
	all[0].spenders(&calls, &right, &no)
	all[1].spenders(&calls, &right, &no)
	all[2].spenders(&calls, &right, &killed)
	if !eventually(20*time.Second, func() bool { return right.Load() > 100 }) {
		t.Fatalf("only %d calls", right.Load())
	}
	killed.Store(true)
	all[2].kill()
	calls.Wait()
	before := right.Load()

	all[2].start()
	sharing(t, all[2])
	if now := spent(all...); now.Cmp(most) > 0 {
		t.Errorf("%s of %s are spent", now.FloatString(6), budget)
	}
	for _, g := range all {
		g.spenders(&calls, &right, &no)
	}
	calls.Wait()
	time.Sleep(100 * time.Millisecond)
	now := spent(all...)
	t.Logf("%d calls, then %d more: %s of %s are spent", before, right.Load()-before, now.FloatString(6), budget)
	if now.Cmp(most) > 0 || now.Cmp(new(big.Rat).Mul(most, big.NewRat(97, 100))) < 0 {
		t.Errorf("%s of %s are spent", now.FloatString(6), budget)
	}
	for i, g := range all {
		if n := g.api("GET", "budgets", "").get("data.0.remaining").Float(); n > 0.1 {
			t.Errorf("replica %d believes that %v is left", i, n)
		}
	}

	r.kill()
	eventually(10*time.Second, func() bool { return all[0].count("sluice_cache_shared_up") == 0 })
	if a := all[0].chat(chatBody("up/out-1000_in-5", "hi", `,"max_tokens":1000`)); a.status != 503 && a.status != 429 {
		t.Errorf("without Redis: %d %s", a.status, a.body)
	}
}

// A replica that has nothing of the budget, and cannot ask, makes no call with it.
func TestSharedBudgetWithoutRedis(t *testing.T) {
	g := start(t, "shared: redis://"+freeAddr(t)+"/2\n"+providers+`teams: {t: {budget: {usd: 1, per: total, hard: true}, keys: [{name: k, value: "`+teamKey+`"}]}, u: {keys: [{name: k, value: sk-e2e-other-0123456789}]}}`+"\n")
	if a := g.chat(chatBody("up/small", "hi", "")); a.status != 503 || a.get("error.code").Str != "unavailable" || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := g.chat(chatBody("up/small", "hi", ""), "Authorization", "Bearer sk-e2e-other-0123456789"); a.status != 200 {
		t.Errorf("a team without a budget: %d %s", a.status, a.body)
	}
}
