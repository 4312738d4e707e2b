package router

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/providers/schema"
)

// keyed is a route whose targets share a pool of secrets.
func keyed(t testing.TB, pool *Pool, targets ...string) *Route {
	t.Helper()
	r := routeOf(t, "r", targets...)
	for i := range r.Candidates {
		r.Candidates[i].Pool = pool
	}
	return r
}

// seen is the order of targets and secrets that calls took.
func (s *script) took(r *Route, clock *fakeClock, calls int) string {
	s.seen = nil
	for range calls {
		_ = (&Plan{Route: r, Clock: clock.clock()}).Do(context.Background(), s.try)
	}
	return strings.Join(s.seen, " ")
}

// What a provider says has nothing left is passed over until its reset: a
// secret where there are others, else the target; never the only one of both.
func TestSpent(t *testing.T) {
	for name, c := range map[string]struct {
		keys, targets []string
		spend         string // the attempt that tells it
		want          string // of two calls after it
		back          string // of two calls after the reset
		cooling       string // what the target's status shows
	}{
		"one of two keys":        {keys: []string{"1", "2"}, targets: []string{"a"}, spend: "a/1", want: "a/2 a/2", back: "a/2 a/1", cooling: "1"},
		"one key of two targets": {keys: []string{"1"}, targets: []string{"a", "b"}, spend: "a/1", want: "b/1 b/1", back: "a/1 a/1", cooling: "target"},
		"no key, two targets":    {targets: []string{"a", "b"}, spend: "a", want: "b b", back: "a a", cooling: "target"},
		"the only one of both":   {keys: []string{"1"}, targets: []string{"a"}, spend: "a/1", want: "a/1 a/1", back: "a/1 a/1", cooling: "target"},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			var pool *Pool
			if c.keys != nil {
				pool = poolOf(c.keys...)
			}
			r := keyed(t, pool, c.targets...)
			err := (&Plan{Route: r, Clock: clock.clock()}).Do(context.Background(), func(a *Attempt) error {
				a.Spent(0)
				a.Spent(20 * time.Second)
				a.Spent(10 * time.Second)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			st := r.Candidates[0].Target.Status(clock.Now())
			shown := ""
			if !st.Cooling.IsZero() {
				shown = "target"
			}
			for _, k := range st.Keys {
				if !k.Cooling.IsZero() {
					shown += k.Label
				}
			}
			if shown != c.cooling {
				t.Errorf("cooling: %q, want %q", shown, c.cooling)
			}
			s := &script{}
			if got := s.took(r, clock, 2); got != c.want {
				t.Errorf("went %s, want %s", got, c.want)
			}
			clock.advance(20 * time.Second)
			if got := s.took(r, clock, 2); got != c.back && got != "a/1 a/2" {
				t.Errorf("after the reset went %s, want %s", got, c.back)
			}
			if st := r.Candidates[0].Target.Status(clock.Now()); !st.Cooling.IsZero() {
				t.Errorf("still shown as cooling: %+v", st)
			}
		})
	}
}

// All that there is has nothing left: 503 until the first is back.
func TestAllSpent(t *testing.T) {
	clock := newClock()
	r := keyed(t, poolOf("1", "2"), "a")
	for i, d := range []time.Duration{30 * time.Second, 3 * time.Hour} {
		if err := (&Plan{Route: r, Clock: clock.clock()}).Do(context.Background(), func(a *Attempt) error { a.Spent(d); return nil }); err != nil {
			t.Fatal(i, err)
		}
	}
	err := (&Plan{Route: r, Clock: clock.clock()}).Do(context.Background(), (&script{}).try)
	if e := schema.AsError(err); e.Code != schema.CodeNoTarget || e.RetryAfter != 30*time.Second {
		t.Errorf("%+v", e)
	}
	clock.advance(time.Hour) // what a provider says is believed no longer
	if got := (&script{}).took(r, clock, 2); !strings.Contains(got, "a/1") || !strings.Contains(got, "a/2") {
		t.Errorf("went %s", got)
	}
}

// A target with one secret that says 429 is left alone where there is another,
// as long as it says, or with growing steps.
func TestLimitedTargetRests(t *testing.T) {
	clock := newClock()
	r := keyed(t, poolOf("1"), "a", "b")
	s := &script{errors: map[string]errs{"a": {later(schema.ClassRateLimited, 9*time.Second), failed(schema.ClassRateLimited)}}}
	var got []string
	for range 13 {
		got = append(got, s.took(r, clock, 1))
		clock.advance(time.Second)
	}
	want := []string{"a/1 b/1"}
	want = append(want, slices.Repeat([]string{"b/1"}, 8)...)
	want = append(want, "a/1 b/1", "b/1", "a/1 b/1", "b/1") // 2 s, then 4 s
	if !slices.Equal(got, want) {
		t.Errorf("went %q, want %q", got, want)
	}
	if e := (&Plan{Route: r, Clock: clock.clock()}).Preview(); e.Candidates[0].State != "cooling" || e.Chosen != "b" {
		t.Errorf("%+v", e)
	}
	r = keyed(t, nil, "d", "e")
	r.Retry.Attempts = 1
	s = &script{errors: map[string]errs{"d": {later(schema.ClassOverloaded, 9*time.Second)}}}
	if got := s.took(r, clock, 2); got != "d e e" {
		t.Errorf("an overloaded target went %s", got)
	}
	lone := keyed(t, poolOf("1"), "c")
	s = &script{errors: map[string]errs{"c": {later(schema.ClassRateLimited, time.Minute)}}}
	if got := s.took(lone, clock, 3); got != "c/1 c/1 c/1" {
		t.Errorf("the only target went %s", got)
	}
}

// A secret that only fails at a target is passed over there, and nowhere else,
// before it opens the target's breaker; its breaker probes it again.
func TestBreakerPerKey(t *testing.T) {
	clock := newClock()
	pool := poolOf("1", "2")
	r, other := keyed(t, pool, "a"), keyed(t, pool, "b")
	r.Retry.Attempts = 1
	bad := errs{failed(schema.ClassServerError)}
	s := &script{errors: map[string]errs{"a/1": bad}}
	for range 12 {
		s.took(r, clock, 1)
	}
	if got := s.took(r, clock, 20); strings.Contains(got, "a/1") {
		t.Errorf("the bad key is still used: %s", got)
	}
	st := r.Candidates[0].Target.Status(clock.Now())
	if st.State != "closed" || len(st.Keys) != 2 || st.Keys[0].State != "open" || st.Keys[1].State != "closed" {
		t.Errorf("%+v", st)
	}
	if got := s.took(other, clock, 2); !strings.Contains(got, "b/1") {
		t.Errorf("at the other target went %s", got)
	}
	clock.advance(15 * time.Second)
	if got := s.took(r, clock, 20); strings.Count(got, "a/1") != 1 {
		t.Errorf("half open went %s", got)
	}
	clock.advance(15 * time.Second)
	s.errors = nil
	if got := s.took(r, clock, 20); strings.Count(got, "a/1") != 10 {
		t.Errorf("mended went %s", got)
	}
	s.errors = map[string]errs{"a/1": bad}
	s.took(r, clock, 12)
	r.Candidates[0].Target.SetBreaker(Auto, clock.Now())
	if st := r.Candidates[0].Target.Status(clock.Now()); st.Keys[0].State != "closed" {
		t.Errorf("after an operator's word: %+v", st)
	}
}

// A retry takes another of the provider's secrets.
func TestRetryWithAnotherKey(t *testing.T) {
	r := keyed(t, poolOf("1", "2"), "a")
	s := &script{errors: map[string]errs{"a/1": {failed(schema.ClassServerError)}}}
	if got := s.took(r, newClock(), 1); got != "a/1 a/2" {
		t.Errorf("went %s", got)
	}
}

// Keys that all fail do not multiply an outage either.
func TestNoRetryStormOverKeys(t *testing.T) {
	for _, class := range []schema.Class{schema.ClassServerError, schema.ClassTimeout, schema.ClassAuth, schema.ClassRateLimited} {
		clock := newClock()
		quick := clock.clock()
		quick.Sleep = func(context.Context, time.Duration) error { return nil }
		r := &Route{Name: "r", Retry: Retry{Attempts: 5}}
		for _, id := range []string{"a", "b"} {
			r.Candidates = append(r.Candidates, Candidate{Model: id, Pool: poolOf("1", "2", "3"),
				Target: NewTarget(id, Breaker{Failures: 1e6, Ratio: 1, MinCalls: 1e6})})
		}
		prepared(t, r)
		attempts := 0
		const calls = 10_000
		for range calls {
			_ = (&Plan{Route: r, Clock: quick}).Do(context.Background(), func(*Attempt) error { attempts++; return failed(class) })
			clock.advance(time.Millisecond)
		}
		if attempts > calls*12/10+20 {
			t.Errorf("%s: %d attempts for %d calls", class, attempts, calls)
		}
	}
}

// Of 500 calls at once, a key's half-open breaker lets exactly so many through
// as it has probes; the others go on with the other key.
func TestHalfOpenKeyUnderLoad(t *testing.T) {
	for _, probes := range []int{1, 3} {
		clock := newClock()
		pool := poolOf("1", "2")
		r := &Route{Name: "r", Candidates: []Candidate{{Target: NewTarget("a", Breaker{Probes: probes}), Pool: pool, Model: "a"}}}
		prepared(t, r)
		l := r.Candidates[0].Target.lane(pool.secrets[0])
		l.breaker.become(Open, clock.Now(), Found)
		clock.advance(15 * time.Second)
		var mu sync.Mutex
		got := map[string]int{}
		hold := make(chan struct{})
		var wg, at sync.WaitGroup
		at.Add(500)
		for range 500 {
			wg.Go(func() {
				err := (&Plan{Route: r, Clock: clock.clock()}).Do(context.Background(), func(a *Attempt) error {
					mu.Lock()
					got[a.Secret.Label]++
					mu.Unlock()
					at.Done()
					<-hold
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		at.Wait()
		close(hold)
		wg.Wait()
		if got["1"] != probes || got["2"] != 500-probes {
			t.Errorf("%d probes: %v", probes, got)
		}
	}
}

// AdmitKey passes a secret over for the next; where it refuses all, its refusal
// is the answer, and nothing of what was asked for stays taken.
func TestAdmitKey(t *testing.T) {
	for name, c := range map[string]struct {
		refuse  map[string]time.Duration
		noAdmit bool // Admit refuses
		want    string
		key     string
	}{
		"none":           {want: "a/1"},
		"the first":      {refuse: map[string]time.Duration{"1": 1e9}, want: "a/2"},
		"all":            {refuse: map[string]time.Duration{"1": 2e9, "2": 1e9}, key: "2"},
		"then by target": {refuse: map[string]time.Duration{"1": 9e9}, noAdmit: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := keyed(t, poolOf("1", "2"), "a")
			s := &script{}
			p := &Plan{Route: r, Clock: newClock().clock(), AdmitKey: func(_ *Candidate, s *Secret) *schema.Error {
				if d := c.refuse[s.Label]; d > 0 {
					return full(d)
				}
				return nil
			}, Admit: func(*Candidate) *schema.Error {
				if c.noAdmit {
					return full(3e9)
				}
				return nil
			}}
			err := p.Do(context.Background(), s.try)
			if got := strings.Join(s.seen, " "); got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("went %q: %v", got, err)
			}
			if got := labelOf(p.RefusedKey); got != c.key || (p.Refused == nil) != (c.want != "") {
				t.Errorf("refused is the key %q, want %q", got, c.key)
			}
			if st := r.Candidates[0].Target.Status(time.Time{}); st.InFlight != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// What changes is told: breakers of targets and keys, and keys that cool.
func TestChangesAreTold(t *testing.T) {
	clock := newClock()
	var told []string
	g := NewWatchedRegistry(nil, func(c Change) {
		told = append(told, fmt.Sprintf("%s%s %s %s→%s", c.Provider, c.Target, c.Key, c.From, c.To))
	})
	target := g.Target("p/a", Breaker{})
	pool := g.Pool("p", NewSecret("one", "1", 1, nil), NewSecret("two", "2", 1, nil))
	r := &Route{Name: "r", Retry: Retry{Attempts: 1}, Candidates: []Candidate{{Target: target, Pool: pool}}}
	prepared(t, r)
	s := &script{errors: map[string]errs{"p/a/1": {failed(schema.ClassServerError)}}}
	s.took(r, clock, 12)
	clock.advance(15 * time.Second)
	s.errors = nil
	s.took(r, clock, 2)
	s.errors = map[string]errs{"p/a/2": {failed(schema.ClassAuth), nil}}
	s.took(r, clock, 2)
	target.SetBreaker(ForceOpen, clock.Now())
	want := []string{"p/a 1 closed→open", "p/a 1 open→half_open", "p/a 1 half_open→closed", "p 2 ready→cooling"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
