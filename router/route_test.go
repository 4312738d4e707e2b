package router

import (
	"context"
	"encoding/json"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/providers/schema"
)

func weightedRoute(t testing.TB, weights ...int) *Route {
	t.Helper()
	r := routeOf(t, "r", "a", "b", "c", "d", "e")
	r.Balance = Weighted
	r.Candidates = r.Candidates[:len(weights)]
	for i, w := range weights {
		r.Candidates[i].Weight = w
	}
	prepared(t, r)
	return r
}

// Over one round of the weights each target gets exactly its share.
func TestWeightsAreExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 20), 1, 5).Draw(rt, "weights")
		r := weightedRoute(t, weights...)
		total := 0
		for _, w := range weights {
			total += w
		}
		got := map[string]int{}
		for range total * 3 {
			_ = (&Plan{Route: r}).Do(context.Background(), func(a *Attempt) error { got[a.Candidate.Target.ID]++; return nil })
		}
		for i, w := range weights {
			if got[r.Candidates[i].Target.ID] != 3*w {
				rt.Fatalf("weights %v gave %v", weights, got)
			}
		}
	})
}

func TestWeightsAreSmooth(t *testing.T) {
	r := weightedRoute(t, 5, 1, 1)
	seen := ""
	for range 7 {
		seen += string(rune('a' + r.turn(make([]bool, 3), nil, Weighted)))
	}
	if seen != "aabacaa" {
		t.Errorf("order %s, want aabacaa", seen)
	}
}

// What is out gives its share to the others in proportion.
func TestWeightsWithoutOne(t *testing.T) {
	clock := newClock()
	r := weightedRoute(t, 5, 2, 1)
	r.Candidates[0].Target.SetBreaker(ForceOpen, clock.Now())
	got := map[string]int{}
	for range 3000 {
		_ = (&Plan{Route: r, Clock: clock.clock()}).Do(context.Background(), func(a *Attempt) error { got[a.Candidate.Target.ID]++; return nil })
	}
	if got["b"] != 2000 || got["c"] != 1000 {
		t.Errorf("shares %v", got)
	}
}

func TestWeightsUnderConcurrency(t *testing.T) {
	r := weightedRoute(t, 3, 1)
	var mu sync.Mutex
	got := map[string]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				_ = (&Plan{Route: r}).Do(context.Background(), func(a *Attempt) error {
					mu.Lock()
					defer mu.Unlock()
					got[a.Candidate.Target.ID]++
					return nil
				})
			}
		})
	}
	wg.Wait()
	if got["a"] != 3000 || got["b"] != 1000 {
		t.Errorf("shares %v", got)
	}
}

// However many targets fail, and however, upstream sees at most 1.2 times the
// calls, and three a second beyond.
func TestNoRetryStorm(t *testing.T) {
	for name, c := range map[string]struct {
		targets []string
		class   schema.Class
		wait    time.Duration // between calls
	}{
		"one target":             {[]string{"a"}, schema.ClassServerError, time.Millisecond},
		"one target, 429":        {[]string{"a"}, schema.ClassRateLimited, time.Millisecond},
		"three targets, 429":     {[]string{"a", "b", "c"}, schema.ClassRateLimited, time.Millisecond},
		"three targets, 401":     {[]string{"a", "b", "c"}, schema.ClassAuth, time.Millisecond},
		"three targets, timeout": {[]string{"a", "b", "c"}, schema.ClassTimeout, time.Millisecond},
	} {
		clock := newClock()
		quick := clock.clock()
		quick.Sleep = func(context.Context, time.Duration) error { return nil }
		r := routeOf(t, "r", c.targets...)
		r.Retry.Attempts = 5
		attempts := 0
		const calls = 10_000
		for range calls {
			_ = (&Plan{Route: r, Clock: quick}).Do(context.Background(), func(*Attempt) error { attempts++; return failed(c.class) })
			clock.advance(c.wait)
		}
		if most := calls*1.2 + 10; float64(attempts) > most {
			t.Errorf("%s: %d attempts for %d calls", name, attempts, calls)
		}
		if len(c.targets) == 1 && attempts < calls*1.19 {
			t.Errorf("%s: only %d attempts for %d calls: the budget was not used", name, attempts, calls)
		}
	}
}

// All targets fail at once, under a hundred calls at once, none of which can
// know of the others: later calls pay for what those tried.
func TestNoRetryStormAtOnce(t *testing.T) {
	clock := newClock()
	quick := clock.clock()
	quick.Sleep = func(context.Context, time.Duration) error { return nil }
	r := routeOf(t, "r", "a", "b", "c")
	for i := range r.Candidates {
		r.Candidates[i].Target = NewTarget(r.Candidates[i].Target.ID, Breaker{Failures: 1e6, Ratio: 1, MinCalls: 1e6})
	}
	r.Retry.Attempts = 5
	const calls, atOnce = 2000, 100
	var attempts atomic.Int64
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for range calls / atOnce {
				_ = (&Plan{Route: r, Clock: quick}).Do(context.Background(), func(*Attempt) error {
					attempts.Add(1)
					runtime.Gosched()
					return failed(schema.ClassServerError)
				})
			}
		})
	}
	wg.Wait()
	if n := attempts.Load(); n > calls*12/10+alwaysASec {
		t.Errorf("%d attempts for %d calls", n, calls)
	}
}

func TestThreeExtraTriesASecondAlways(t *testing.T) {
	clock := newClock()
	r := routeOf(t, "r", "a")
	r.Retry.Budget = -1
	prepared(t, r)
	var per []int
	for range 3 {
		attempts := 0
		for range 6 {
			p := &Plan{Route: r, Clock: clock.clock()}
			p.Clock.Sleep = func(context.Context, time.Duration) error { return nil }
			_ = p.Do(context.Background(), func(*Attempt) error { attempts++; return failed(schema.ClassServerError) })
		}
		per = append(per, attempts-6)
		clock.advance(time.Second)
	}
	for _, extra := range per {
		if extra != 3 {
			t.Errorf("extra tries by second: %v", per)
		}
	}
}

// A dead target beside a healthy one costs no call its answer, whatever the budget.
func TestMovingToAHealthyTargetIsFree(t *testing.T) {
	clock := newClock()
	r := routeOf(t, "r", "dead", "well")
	for i := range 1000 {
		s := &script{errors: map[string]errs{"dead": {failed(schema.ClassRateLimited)}}}
		if err := (&Plan{Route: r, Clock: clock.clock()}).Do(context.Background(), s.try); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
}

func TestExplain(t *testing.T) {
	clock := newClock()
	r := routeOf(t, "r", "open", "cooling", "bad", "good", "late")
	r.Candidates[0].Target.breaker.become(Open, clock.Now(), Found)
	r.Candidates[1].Pool = poolOf("1", "2")
	for _, s := range r.Candidates[1].Pool.secrets {
		r.Candidates[1].Pool.note(s, failed(schema.ClassAuth), clock.Now())
	}
	s := &script{errors: map[string]errs{"bad": {failed(schema.ClassAuth)}}}
	p := &Plan{Route: r, Clock: clock.clock(), Explain: true}
	if err := p.Do(context.Background(), s.try); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(p.Explanation())
	want := `{"candidates":[{"target":"open","score":0,"state":"open","why":"its breaker is open for 15s"},` +
		`{"target":"cooling","score":0,"state":"cooling","why":"all its keys cool down, the first for 5m0s"},` +
		`{"target":"bad","score":1,"state":"ready","why":"first in order that can take the call"},` +
		`{"target":"good","score":0,"state":"ready","why":"later in order"},{"target":"late","score":0,"state":"ready","why":"later in order"}],` +
		`"chosen":"good","attempts":[{"target":"bad","status":500,"code":"upstream_error","latency_ms":0},{"target":"good","status":200,"latency_ms":0}]}`
	if err != nil || string(got) != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if e := (&Plan{Route: r, Clock: clock.clock()}).Preview(); e.Chosen != "bad" || len(e.Candidates) != 5 {
		t.Errorf("Preview = %+v", e)
	}
}

func TestExplainWeights(t *testing.T) {
	clock := newClock()
	r := weightedRoute(t, 3, 1, 4)
	r.Candidates[2].Target.SetBreaker(ForceOpen, clock.Now())
	e := (&Plan{Route: r, Clock: clock.clock()}).Preview()
	if e.Chosen != "a" || e.Candidates[0].Score != 0.75 || e.Candidates[1].Score != 0.25 || e.Candidates[2].Why != "an operator took it out" {
		t.Errorf("Preview = %+v", e)
	}
	clock.advance(time.Hour)
	r.Candidates[1].Target.breaker.become(Open, clock.Now().Add(-time.Minute), Found)
	if e = (&Plan{Route: r, Clock: clock.clock()}).Preview(); e.Candidates[1].State != "half_open" || e.Candidates[1].Score != 0.25 {
		t.Errorf("half open: %+v", e.Candidates[1])
	}
}

// The plain path takes no memory when its plan is used again.
func TestDoAllocatesNothing(t *testing.T) {
	r := weightedRoute(t, 2, 1)
	p := &Plan{Route: r}
	ctx := context.Background()
	try := func(*Attempt) error { return nil }
	if n := testing.AllocsPerRun(100, func() {
		p.Reset()
		p.Route = r
		_ = p.Do(ctx, try)
	}); n > 0 && !math.IsNaN(n) {
		t.Errorf("%v allocations a call", n)
	}
}

func BenchmarkDo(b *testing.B) {
	r := routeOf(b, "r", "a")
	r.Candidates[0].Pool = poolOf("1")
	p := &Plan{}
	ctx := context.Background()
	try := func(*Attempt) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		p.Reset()
		p.Route = r
		if err := p.Do(ctx, try); err != nil {
			b.Fatal(err)
		}
	}
}
