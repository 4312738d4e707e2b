package billing

import (
	"context"
	"sync"
	"testing"
	"time"

	"sluice/billing/lease"
)

// told is the place that replicas tell what they have spent: all that is asked
// for it grants.
type told struct {
	mu    sync.Mutex
	spent map[string]int64
}

func (p *told) exchange(_ context.Context, asks []lease.Ask) ([]lease.Answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	answers := make([]lease.Answer, len(asks))
	for i := range asks {
		b := asks[i].Slice
		p.spent[asks[i].Name] = b.Spent
		answers[i].Slice.Ceiling = b.Need
	}
	return answers, nil
}

// soon waits until budgets with such sums, and no others, are told of.
func (p *told) soon(t *testing.T, what string, sums ...int64) {
	t.Helper()
	var all map[int64]int
	for range 1000 {
		p.mu.Lock()
		all = map[int64]int{}
		for _, n := range p.spent {
			all[n]++
		}
		p.mu.Unlock()
		ok := len(all) == len(sums)
		for _, n := range sums {
			ok = ok && all[n] == 1
		}
		if ok {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("after 10 s still not: %s: told %v, want %v", what, all, sums)
}

// Other replicas are told what the ledger says as soon as that is known, and what
// was spent of a budget that came while the call was running.
func TestTold(t *testing.T) {
	p := &told{spent: map[string]int64{}}
	leases := lease.New(lease.Options{Exchange: p.exchange, Up: func() bool { return true }, Term: time.Hour})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { leases.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })

	b := NewBook(nil, nil)
	b.Share(leases, true)
	l := &memory{entries: []Entry{{Team: "a", Time: time.Now(), Model: "m", Cost: 40}}}
	view := func(budgets ...Budget) *Owner {
		t.Helper()
		v, err := b.Rebuild([]Team{{Name: "a", Budgets: budgets}}, nil)
		if err == nil {
			err = b.Restore(t.Context(), l)
		}
		if err != nil {
			t.Fatal(err)
		}
		return v.Team("a")
	}
	money, calls := Budget{USD: 1000, Per: PeriodTotal, Hard: true}, Budget{Requests: 10, Per: PeriodTotal, Hard: true}
	a := view(money)
	p.soon(t, "what the ledger says", 40)
	h, err := a.Hold(Need{USD: 5, MinUSD: 5, Requests: 1})
	if err != nil {
		t.Fatal(err)
	}
	view(money, calls)
	p.soon(t, "the new budget", 40, 1) // the ledger has one call
	h.Settle(Charge{USD: 3}, time.Now())
	p.soon(t, "what the call used of both", 43, 2)
}
