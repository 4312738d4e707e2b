package billing

import (
	"context"
	"maps"
	"slices"
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
	b.Share(leases, nil)
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

// Of a ledger that all replicas have, each tells what it has spent itself, and what
// of that is there; the rest is read when all else is known.
func TestToldOfOneLedger(t *testing.T) {
	p := &shelf{told: told{spent: map[string]int64{}}}
	leases := lease.New(lease.Options{Exchange: p.exchange, Up: func() bool { return true }, Term: time.Hour, Replica: "r"})
	l := &memory{entries: []Entry{{Team: "a", Time: time.Now(), Model: "m", Cost: 40}}}
	b := NewBook(nil, nil)
	b.Share(leases, l)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { leases.Run(ctx) })
	running.Go(func() { b.Follow(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })

	v, err := b.Rebuild([]Team{{Name: "a", Budgets: Budgets{{USD: 1000, Per: PeriodMonth, Hard: true, CarryOver: true}}, Users: People{Everyone: {Budgets: Budgets{{USD: 500, Per: "30d", Hard: true}}}}}}, nil)
	if err == nil {
		err = b.Restore(t.Context(), l)
	}
	if err != nil {
		t.Fatal(err)
	}
	a := v.Team("a")
	if s := a.Budgets(time.Now())[0]; s.Spent != 40 {
		t.Errorf("before anybody has told: %+v", s)
	}
	p.soon(t, "what nobody claims", [3]int64{0, 0, 40})
	at := time.Now()
	h, no := a.For("u", nil).Hold(Need{USD: 5, MinUSD: 5, Requests: 1})
	if no != nil {
		t.Fatal(no)
	}
	h.Settle(Charge{USD: 3}, at)
	p.soon(t, "what was spent", [3]int64{3, 0, 40}, [3]int64{3, 0, 0})
	if s := a.Budgets(time.Now())[0]; s.Spent != 43 {
		t.Errorf("%+v", s)
	}
	e := Entry{Call: "c", Team: "a", User: "u", Time: at, Model: "m", Cost: 3}
	l.entries = append(l.entries, e)
	b.appended([]Entry{e})
	p.soon(t, "what the ledger has of it", [3]int64{3, 3, 40}, [3]int64{3, 3, 0})
	e = Entry{Call: "d", Attempt: Correction, Team: "a", User: "u", Time: time.Now(), Model: "m", Cost: -2}
	l.entries = append(l.entries, e)
	b.appended([]Entry{e})
	b.Correct(&e)
	p.soon(t, "a correction", [3]int64{3, 3, 38}, [3]int64{3, 3, -2})
	if s := a.Budgets(time.Now())[0]; s.Spent != 41 {
		t.Errorf("after a correction: %+v", s)
	}
}

// shelf is told with a base: what is spent, claimed, and read, by budget.
type shelf struct {
	told
	base    map[string]int64
	version int64
	all     map[string][3]int64
}

func (p *shelf) exchange(ctx context.Context, asks []lease.Ask) ([]lease.Answer, error) {
	answers, err := p.told.exchange(ctx, asks)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.base == nil {
		p.base, p.all = map[string]int64{}, map[string][3]int64{}
	}
	for i := range asks {
		name, b, base := asks[i].Name, asks[i].Slice, &answers[i].Slice.Base
		if r := b.Common.Reading; r != nil {
			p.base[name], base.Taken = r.Base, true
		}
		rest, known := p.base[name]
		if known {
			p.version++
			base.Version, base.Exact, base.Turn = p.version, true, b.Common.Turn
		}
		answers[i].Slice.Others = rest
		p.all[name] = [3]int64{b.Spent, b.Common.Claim, rest}
	}
	return answers, err
}

// soon waits until budgets are told of, and no others, that stand so.
func (p *shelf) soon(t *testing.T, what string, want ...[3]int64) {
	t.Helper()
	var got []([3]int64)
	for range 1000 {
		p.mu.Lock()
		got = slices.Collect(maps.Values(p.all))
		p.mu.Unlock()
		ok := len(got) == len(want)
		for _, w := range want {
			ok = ok && slices.Contains(got, w)
		}
		if ok {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("after 10 s still not: %s: %v, want %v", what, got, want)
}
