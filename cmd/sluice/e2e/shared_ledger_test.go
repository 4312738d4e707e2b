package e2e

import (
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Three replicas with one ledger never spend more than a hard budget, and in the
// end nearly all of it, though one is killed and starts again, and Redis loses what
// it had; limits are those of all beside it. What is given back may be spent again.
func TestReplicasShareBudget(t *testing.T) {
	const budget = "2.005" // 1000 calls of 5 tokens in and 1000 out at 1 and 2 dollars a million
	d, r := startDatabase(t), startRedis(t)
	all := d.replicas(3, "shared: redis://"+r.addr+"/2\n"+providers+`teams:
  t: {budget: {usd: `+budget+`, per: month, hard: true}, keys: [{name: k, value: "`+teamKey+`"}]}
  u: {keys: [{name: requests, value: sk-e2e-requests-0123456789, limits: {rpm: 100}}]}
`)
	sharing(t, all...)
	most, _ := new(big.Rat).SetString(budget)
	var calls sync.WaitGroup
	var right atomic.Int64
	var no, killed atomic.Bool
	all[0].spenders(&calls, &right, &no)
	all[1].spenders(&calls, &right, &no)
	all[2].spenders(&calls, &right, &killed)
	by, _ := storm(all[:2], 200, func(g *gateway) (answer, error) {
		return g.send("POST", "http://"+g.listen+"/v1/chat/completions", chatBody("up/small", "hi", ""), "Authorization", "Bearer sk-e2e-requests-0123456789", "Content-Type", "application/json")
	})
	pass{97, 100}.check(t, all, by, 400, "a key of 100 requests a minute")
	if !eventually(30*time.Second, func() bool { return right.Load() > 100 }) {
		t.Fatalf("only %d calls", right.Load())
	}
	killed.Store(true)
	all[2].kill()
	calls.Wait()
	before := right.Load()

	spent := func(what string, least int64) {
		t.Helper()
		sum := new(big.Rat)
		if !eventually(30*time.Second, func() bool {
			sum = all[0].costOf("t")
			return sum.Cmp(new(big.Rat).Mul(most, big.NewRat(least, 1000))) >= 0
		}) || sum.Cmp(most) > 0 {
			t.Errorf("%s: %s of %s are spent", what, sum.FloatString(6), budget)
		}
		t.Logf("%s: %d calls, %s of %s are spent", what, right.Load(), sum.FloatString(6), budget)
	}
	spent("with one killed", 0)
	all[2].start()
	sharing(t, all[2])
	again := func() {
		t.Helper()
		for _, g := range all {
			g.spenders(&calls, &right, &no)
		}
		calls.Wait()
	}
	again()
	spent("when it is there again", 0)
	again() // what was counted twice while it was on its way
	spent("in the end", 990)
	t.Logf("%d calls until one was killed, then %d more", before, right.Load()-before)
	for i, g := range all {
		left := 1.0
		if !eventually(30*time.Second, func() bool { left = g.api("GET", "budgets", "").get("data.0.remaining").Float(); return left < 0.01 }) {
			t.Errorf("replica %d believes that %v is left", i, left)
		}
	}

	if line := r.say("FLUSHALL"); line != "+OK" {
		t.Fatal(line)
	}
	again()
	spent("when Redis has lost all", 990)
	call := all[1].requests("&team=t&status=200")[0].ID
	if out, stderr, code := all[1].sluice("ledger", "refund", call, "--reason", "it answered nonsense"); code != 0 {
		t.Fatalf("%d %s%s", code, out, stderr)
	}
	had := right.Load()
	if !eventually(30*time.Second, func() bool { again(); return right.Load() > had }) {
		t.Error("what was given back cannot be spent")
	}
	spent("when some was given back", 990)
}

// costOf is what the ledger says that a team's calls have cost.
func (g *gateway) costOf(team string) *big.Rat {
	g.t.Helper()
	a := g.api("GET", "usage?team="+team, "")
	usd, ok := new(big.Rat).SetString(a.get("total.usd").String())
	if !ok {
		g.t.Fatalf("%d %s", a.status, a.body)
	}
	return usd
}
