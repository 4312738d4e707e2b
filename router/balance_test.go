package router

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/providers/schema"
)

// fakeCall is a call as a balance sees it.
type fakeCall struct {
	costs map[string]int64 // by target; one that is not named has no known cost
	key   uint64
}

func (f *fakeCall) Cost(c *Candidate) int64 {
	if cost, ok := f.costs[c.Target.ID]; ok {
		return cost
	}
	return -1
}

func (f *fakeCall) Key(string) uint64 { return f.key }

// balanced is a route of n targets named t0, t1, …
func balanced(t testing.TB, b Balance, weights ...int) *Route {
	t.Helper()
	r := &Route{Name: "r", Balance: b, Retry: Retry{Attempts: 1}}
	if b == Sticky {
		r.Sticky = "user"
	}
	for i, w := range weights {
		r.Candidates = append(r.Candidates, Candidate{Target: NewTarget(fmt.Sprintf("t%d", i), Breaker{}), Weight: w})
	}
	prepared(t, r)
	return r
}

// first makes a call and gives the target that was tried first.
func first(t testing.TB, p *Plan) string {
	t.Helper()
	name := ""
	if err := p.Do(context.Background(), func(a *Attempt) error {
		if name == "" {
			name = a.Candidate.Target.ID
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestSharesOverManyCalls(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 9), 2, 8).Draw(rt, "weights")
		b := rapid.SampledFrom([]Balance{RoundRobin, Weighted, LeastBusy}).Draw(rt, "balance")
		out := rapid.IntRange(-1, len(weights)-1).Draw(rt, "out")
		r := balanced(t, b, weights...)
		total := 0.0
		for i, w := range weights {
			if i == out {
				r.Candidates[i].Target.SetBreaker(ForceOpen, time.Now())
				continue
			}
			if b == RoundRobin {
				w = 1
			}
			total += float64(w)
		}
		got := map[string]int{}
		const calls = 5000
		for range calls {
			got[first(t, &Plan{Route: r})]++
		}
		for i, w := range weights {
			if b == RoundRobin {
				w = 1
			}
			if i == out {
				w = 0
			}
			share, want := float64(got[fmt.Sprintf("t%d", i)])/calls, float64(w)/total
			if most := map[Balance]float64{RoundRobin: 0.005, Weighted: 0.01, LeastBusy: 0.01}[b]; math.Abs(share-want) > most {
				rt.Fatalf("%s %v without %d: t%d has %v, want %v", b, weights, out, i, share, want)
			}
		}
	})
}

// Whatever is in flight, the next call goes where the fewest are for the weight.
func TestLeastBusy(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 5), 2, 6).Draw(rt, "weights")
		r := balanced(t, LeastBusy, weights...)
		least := math.Inf(1)
		for i := range r.Candidates {
			n := rapid.Int64Range(0, 20).Draw(rt, "in flight")
			r.Candidates[i].Target.inFlight.Store(n)
			least = min(least, float64(n)/float64(weights[i]))
		}
		_ = (&Plan{Route: r}).Do(context.Background(), func(a *Attempt) error {
			if got := float64(a.Candidate.Target.InFlight()-1) / float64(a.Candidate.Weight); got != least {
				rt.Fatalf("%v in flight for its weight, the least is %v", got, least)
			}
			return nil
		})
	})
}

func TestLeastBusyEvensOut(t *testing.T) {
	r := balanced(t, LeastBusy, 3, 1)
	plans := make([]Plan, 40)
	for i := range plans {
		plans[i].Route = r
		_ = plans[i].Do(context.Background(), func(a *Attempt) error { a.Late(); return nil })
	}
	if a, b := r.Candidates[0].Target.InFlight(), r.Candidates[1].Target.InFlight(); a != 30 || b != 10 {
		t.Errorf("%d and %d in flight, want 30 and 10", a, b)
	}
	for i := range plans {
		plans[i].Reset()
	}
}

func TestCheapest(t *testing.T) {
	for name, c := range map[string]struct {
		costs map[string]int64
		out   int // -1: none
		want  string
	}{
		"the least":             {map[string]int64{"t0": 3, "t1": 2, "t2": 4}, -1, "t1"},
		"by one billionth":      {map[string]int64{"t0": 1e9 + 1, "t1": 1e9, "t2": 1e9 + 2}, -1, "t1"},
		"nothing":               {map[string]int64{"t0": 1, "t1": 0, "t2": 1}, -1, "t1"},
		"the first of equals":   {map[string]int64{"t0": 5, "t1": 2, "t2": 2}, -1, "t1"},
		"unknown comes last":    {map[string]int64{"t2": 1e15}, -1, "t2"},
		"none known":            {nil, -1, "t0"},
		"the next if it is out": {map[string]int64{"t0": 3, "t1": 2, "t2": 4}, 1, "t0"},
	} {
		r := balanced(t, Cheapest, 1, 1, 1)
		if c.out >= 0 {
			r.Candidates[c.out].Target.SetBreaker(ForceOpen, time.Now())
		}
		if got := first(t, &Plan{Route: r, Subject: &fakeCall{costs: c.costs}}); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Retries, other targets and fallbacks go on with every balance: each target
// is tried once, then the fallback answers.
func TestEveryBalanceGoesOn(t *testing.T) {
	for _, b := range Balances {
		for range 20 {
			clock := newClock()
			r := balanced(t, b, 1, 2, 3)
			r.Fallback = []Fallback{{Route: routeOf(t, "f", "f")}}
			seen := map[string]int{}
			p := &Plan{Route: r, Clock: clock.clock(), Explain: true, Subject: &fakeCall{costs: map[string]int64{"t0": 1, "t1": 2}, key: 7}}
			err := p.Do(context.Background(), func(a *Attempt) error {
				seen[a.Candidate.Target.ID]++
				if a.Candidate.Target.ID == "f" {
					return nil
				}
				return failed(schema.ClassServerError)
			})
			if err != nil || len(seen) != 4 || len(p.Results) != 4 {
				t.Fatalf("%s: %v, attempts %v", b, err, seen)
			}
			if e := p.Explanation(); len(e.Candidates) != 4 || e.Chosen != "f" {
				t.Fatalf("%s: %+v", b, e)
			}
		}
	}
}

// A target that an open breaker takes out gets nothing, whatever the balance.
func TestEveryBalanceHeedsBreakers(t *testing.T) {
	for _, b := range Balances {
		clock := newClock()
		r := balanced(t, b, 1, 1, 1)
		r.Candidates[1].Target.SetBreaker(ForceOpen, clock.Now())
		for i := range 300 {
			p := &Plan{Route: r, Clock: clock.clock(), Explain: true, Subject: &fakeCall{costs: map[string]int64{"t1": 0, "t2": 2}, key: uint64(i)}}
			if got := first(t, p); got == "t1" {
				t.Fatalf("%s took what is out", b)
			}
			if w := p.Explanation().Candidates[1]; w.State != "open" || w.Score != 0 {
				t.Fatalf("%s: %+v", b, w)
			}
			clock.advance(time.Second)
		}
	}
}

// A decision comes out again from what the log tells.
func TestReplay(t *testing.T) {
	for _, b := range []Balance{Ordered, Cheapest, Fastest, Sticky, Adaptive} {
		rapid.Check(t, func(rt *rapid.T) {
			clock := newClock()
			r := balanced(t, b, 1, 2, 1, 1)
			if out := rapid.IntRange(0, 4).Draw(rt, "out"); out < 4 {
				r.Candidates[out].Target.SetBreaker(ForceOpen, clock.Now())
			}
			for i := range 30 {
				s := &fakeCall{key: uint64(i + 1), costs: map[string]int64{"t0": int64(i), "t1": 5, "t2": rapid.Int64Range(0, 40).Draw(rt, "cost")}}
				p := &Plan{Route: r, Clock: clock.clock(), Explain: true, Subject: s}
				took := time.Duration(rapid.Int64Range(1, 900).Draw(rt, "ms")) * time.Millisecond
				_ = p.Do(context.Background(), func(*Attempt) error { clock.advance(took); return nil })
				line, _ := json.Marshal(p.Explanation())
				var log struct {
					Seed       uint64
					Candidates []Weighed
				}
				if err := json.Unmarshal(line, &log); err != nil {
					rt.Fatal(err)
				}
				if got := r.Replay(log.Seed, log.Candidates); got != p.Results[0].Target.ID {
					rt.Fatalf("%s: %s was first, the replay says %s: %s", b, p.Results[0].Target.ID, got, line)
				}
			}
		})
	}
}

func BenchmarkChoose(b *testing.B) {
	for _, balance := range Balances {
		b.Run(string(balance), func(b *testing.B) {
			r := balanced(b, balance, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
			now := time.Now()
			for i := range r.Candidates {
				l := &r.Candidates[i].Target.learnt
				l.whole.add(float64(i), now, 0)
				l.fine.add(1, now, 0)
			}
			out := make([]bool, len(r.Candidates))
			p := &Plan{ranking: ranking{out: out}, Subject: &fakeCall{key: 7}, Clock: &realClock}
			b.ReportAllocs()
			for b.Loop() {
				p.Seed = 0
				p.rank(r, now)
				if p.choose(r) < 0 {
					b.Fatal("none")
				}
			}
		})
	}
}

func TestChoosingAllocatesNothing(t *testing.T) {
	for _, b := range Balances {
		r := balanced(t, b, 1, 2, 3)
		p, s := &Plan{}, &fakeCall{key: 7, costs: map[string]int64{"t0": 1}}
		ctx := context.Background()
		try := func(*Attempt) error { return nil }
		if n := testing.AllocsPerRun(100, func() {
			p.Reset()
			p.Route, p.Subject = r, s
			_ = p.Do(ctx, try)
			p.Came(7)
		}); n > 0 {
			t.Errorf("%s: %v allocations a call", b, n)
		}
	}
}

// Calls of every balance at once leave nothing in flight.
func TestBalancesAtOnce(t *testing.T) {
	for _, b := range Balances {
		r := balanced(t, b, 1, 2, 3)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				p := &Plan{}
				for i := range 300 {
					p.Reset()
					p.Route, p.Late, p.Explain = r, i%2 == 0, i%5 == 0
					p.Subject = &fakeCall{key: uint64(g*i + 1), costs: map[string]int64{"t0": int64(i), "t1": 100}}
					var late *Attempt
					_ = p.Do(context.Background(), func(a *Attempt) error {
						if i%7 == 0 && a.N == 1 {
							return failed(schema.ClassInvalidRequest)
						}
						if p.Late {
							a.Late()
							late = a
						}
						return nil
					})
					p.Came(int64(i))
					if late != nil {
						late.Done(nil)
					}
				}
			})
		}
		wg.Wait()
		for i := range r.Candidates {
			if n := r.Candidates[i].Target.InFlight(); n != 0 {
				t.Errorf("%s: %d in flight at the end", b, n)
			}
		}
	}
}
