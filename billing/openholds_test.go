package billing

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestOpenHolds: whatever calls do with their holds, and while budgets and keys
// come and go, nothing is held at the end, neither too much nor too little.
func TestOpenHolds(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	teams := []Team{{Name: "org", Budgets: hard(5000, "month")}, {Name: "t", Parent: "org", Budgets: Budgets{{USD: 4000, Per: "day", Hard: true}, {Tokens: 9000, Per: "day", Hard: true}, {Requests: 3000, Per: "hour", Hard: true}}}}
	keys := []Key{{ID: "a", Team: "t", Name: "a", Budgets: hard(3000, "30d")}, {ID: "b", Team: "t", Name: "b", Budgets: Budgets{{USD: 10, Per: "day"}}}}
	b, v := book(t, c, teams, keys)
	var mu sync.Mutex // of v
	view := func() *Owners {
		mu.Lock()
		defer mu.Unlock()
		return v
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(g)))
			for range 500 {
				o := view().Key([]string{"a", "b"}[rng.IntN(2)])
				if o == nil {
					continue
				}
				h, err := o.Hold(Need{USD: Nano(rng.IntN(900)), MinUSD: Nano(rng.IntN(200)), Tokens: int64(rng.IntN(50)), Requests: 1})
				if err != nil {
					continue
				}
				if rng.IntN(2) == 0 {
					_ = h.Grow(Need{USD: Nano(rng.IntN(400)), Tokens: int64(rng.IntN(50))}) // a part of it is fine, too
				}
				if rng.IntN(4) == 0 {
					h.Release(c.at)
				}
				h.Settle(Charge{USD: Nano(rng.IntN(3) * rng.IntN(400)), Tokens: int64(rng.IntN(99))}, c.at.Add(-time.Duration(rng.IntN(60))*time.Hour))
				if rng.IntN(3) == 0 {
					h.Settle(Charge{USD: 7}, c.at) // only the first counts
				}
			}
		})
	}
	for i := range 50 {
		some := keys
		if i%3 == 0 {
			some = keys[1:]
		}
		teams[0].Budgets = hard(Nano(4000+i*100), []Period{"month", "day"}[i%2])
		next, err := b.Rebuild(teams, some)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		v = next
		mu.Unlock()
	}
	wg.Wait()
	if n, usd := b.OpenHolds(); n != 0 || usd != 0 {
		t.Errorf("%d holds of %v are open", n, usd)
	}
	for o := range v.All() {
		for _, s := range o.OwnBudgets(c.at) {
			if s.Held != 0 {
				t.Errorf("%s: %v is held", o.Name, s.Held)
			}
		}
	}
	c.at = c.at.AddDate(0, 3, 0) // the budgets are new
	h, _, err := holdUSD(v.Key("b"), 5, 5)
	if n, usd := b.OpenHolds(); err != nil || n != 1 || usd != 5 {
		t.Errorf("%v: %d holds of %v are open", err, n, usd)
	}
	h.Settle(Charge{USD: 2}, c.at)
	if n, usd := b.OpenHolds(); n != 0 || usd != 0 {
		t.Errorf("%d holds of %v are open", n, usd)
	}
}
