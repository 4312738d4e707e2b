package router

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/providers/schema"
)

type errs = []*schema.Error

func TestDo(t *testing.T) {
	down := errs{failed(schema.ClassServerError)}
	for name, c := range map[string]struct {
		targets  []string
		keys     []string // of every target's own pool
		retry    Retry
		errors   map[string]errs
		fallback []schema.Class // nil: none; else On of one fallback route with the target "f"
		off      bool           // NoFallback
		deadline time.Duration
		want     string // what was attempted
		class    schema.Class
		slept    []time.Duration // at least half of each, at most each
	}{
		"first try": {targets: []string{"a", "b"}, want: "a"},
		"second try": {targets: []string{"a", "b"}, errors: map[string]errs{"a": {failed(schema.ClassOverloaded), nil}},
			want: "a a", slept: []time.Duration{100 * time.Millisecond}},
		"next target": {targets: []string{"a", "b"}, errors: map[string]errs{"a": down}, want: "a a b",
			slept: []time.Duration{100 * time.Millisecond}},
		"one attempt": {targets: []string{"a", "b"}, retry: Retry{Attempts: 1}, errors: map[string]errs{"a": down}, want: "a b"},
		"backoff doubles": {targets: []string{"a"}, retry: Retry{Attempts: 4, Backoff: time.Second}, errors: map[string]errs{"a": down},
			want: "a a a a", class: schema.ClassServerError, slept: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}},
		"each retried class": {targets: []string{"a"}, retry: Retry{Attempts: 4}, errors: map[string]errs{
			"a": {failed(schema.ClassTimeout), failed(schema.ClassConnection), failed(schema.ClassOverloaded), nil}}, want: "a a a a"},
		"retry-after is waited for": {targets: []string{"a"}, errors: map[string]errs{"a": {later(schema.ClassOverloaded, 1500*time.Millisecond), nil}},
			want: "a a", slept: []time.Duration{1500 * time.Millisecond}},
		"a long retry-after moves on": {targets: []string{"a", "b"}, errors: map[string]errs{"a": {later(schema.ClassOverloaded, time.Minute)}},
			want: "a b"},
		"a long retry-after with nowhere to go": {targets: []string{"a"}, errors: map[string]errs{"a": {later(schema.ClassRateLimited, time.Minute)}},
			want: "a", class: schema.ClassRateLimited},
		"no time left to wait": {targets: []string{"a", "b"}, errors: map[string]errs{"a": {later(schema.ClassOverloaded, time.Second)}},
			deadline: 500 * time.Millisecond, want: "a b"},
		"the last error is returned": {targets: []string{"a", "b"}, retry: Retry{Attempts: 1},
			errors: map[string]errs{"a": down, "b": {failed(schema.ClassTimeout)}}, want: "a b", class: schema.ClassTimeout},
		"a class not in on ends the call": {targets: []string{"a", "b"}, errors: map[string]errs{"a": {failed(schema.ClassInvalidRequest)}},
			want: "a", class: schema.ClassInvalidRequest},
		"own on": {targets: []string{"a", "b"}, retry: Retry{On: []schema.Class{schema.ClassNotFound}},
			errors: map[string]errs{"a": {failed(schema.ClassNotFound)}}, want: "a a b"},
		"own on leaves out the rest": {targets: []string{"a", "b"}, retry: Retry{On: []schema.Class{schema.ClassNotFound}},
			errors: map[string]errs{"a": down}, want: "a", class: schema.ClassServerError},
		"a lone target's 429 is tried again": {targets: []string{"a"}, errors: map[string]errs{"a": {failed(schema.ClassRateLimited), nil}}, want: "a a"},
		"429 moves on at once":               {targets: []string{"a", "b"}, errors: map[string]errs{"a": {failed(schema.ClassRateLimited)}}, want: "a b"},
		"429 moves on, not in on": {targets: []string{"a", "b"}, retry: Retry{On: []schema.Class{}},
			errors: map[string]errs{"a": {failed(schema.ClassRateLimited)}}, want: "a b"},
		"401 moves on": {targets: []string{"a", "b"}, errors: map[string]errs{"a": {failed(schema.ClassAuth)}}, want: "a b"},
		"401 alone is not tried again": {targets: []string{"a"}, errors: map[string]errs{"a": {failed(schema.ClassAuth)}},
			want: "a", class: schema.ClassAuth},
		"next key, then next target": {targets: []string{"a", "b"}, keys: []string{"1", "2"},
			errors: map[string]errs{"a": {failed(schema.ClassQuota)}}, want: "a/1 a/2 b/1"},
		"a good key": {targets: []string{"a"}, keys: []string{"1", "2", "3"},
			errors: map[string]errs{"a/1": {failed(schema.ClassAuth)}, "a/2": {failed(schema.ClassRateLimited)}}, want: "a/1 a/2 a/3"},
		"a key, then a stumble": {targets: []string{"a"}, keys: []string{"1", "2"},
			errors: map[string]errs{"a/1": {failed(schema.ClassAuth)}, "a/2": {failed(schema.ClassServerError), nil}}, want: "a/1 a/2 a/2"},
		"all keys refused": {targets: []string{"a"}, keys: []string{"1", "2"},
			errors: map[string]errs{"a": {failed(schema.ClassRateLimited)}}, want: "a/1 a/2", class: schema.ClassRateLimited},
		"the only key tries again": {targets: []string{"a"}, keys: []string{"1"},
			errors: map[string]errs{"a": {failed(schema.ClassRateLimited), nil}}, want: "a/1 a/1"},
		"cancelled": {targets: []string{"a", "b"}, errors: map[string]errs{"a": {failed(schema.ClassCancelled)}},
			fallback: []schema.Class{schema.ClassCancelled}, want: "a", class: schema.ClassCancelled},
		"fallback": {targets: []string{"a"}, errors: map[string]errs{"a": down}, fallback: []schema.Class{}, want: "a a f"},
		"fallback off": {targets: []string{"a"}, errors: map[string]errs{"a": down}, fallback: []schema.Class{}, off: true,
			want: "a a", class: schema.ClassServerError},
		"fallback also for a class not in on": {targets: []string{"a"}, errors: map[string]errs{"a": {failed(schema.ClassNotFound)}},
			fallback: []schema.Class{}, want: "a f"},
		"no default fallback for context_length": {targets: []string{"a"}, errors: map[string]errs{"a": {failed(schema.ClassContextLength)}},
			fallback: []schema.Class{}, want: "a", class: schema.ClassContextLength},
		"fallback for context_length": {targets: []string{"a"}, errors: map[string]errs{"a": {failed(schema.ClassContextLength)}},
			fallback: []schema.Class{schema.ClassContextLength}, want: "a f"},
		"not that fallback": {targets: []string{"a"}, errors: map[string]errs{"a": down},
			fallback: []schema.Class{schema.ClassContextLength}, want: "a a", class: schema.ClassServerError},
		"the fallback's error": {targets: []string{"a"}, retry: Retry{Attempts: 1},
			errors: map[string]errs{"a": down, "f": {failed(schema.ClassContentFilter)}}, fallback: []schema.Class{},
			want: "a f", class: schema.ClassContentFilter},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			r := routeOf(t, "r", c.targets...)
			r.Retry = c.retry
			prepared(t, r)
			for i := range r.Candidates {
				if c.keys != nil {
					r.Candidates[i].Pool = poolOf(c.keys...)
				}
			}
			if c.fallback != nil {
				f := Fallback{Route: routeOf(t, "fallback", "f")}
				if len(c.fallback) > 0 {
					f.On = c.fallback
				}
				r.Fallback = []Fallback{f}
			}
			ctx := context.Background()
			if c.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithDeadline(ctx, clock.Now().Add(c.deadline))
				// The real clock is past that: only the deadline's value counts here.
				ctx = struct{ context.Context }{deadlineOf{context.WithoutCancel(ctx), clock.Now().Add(c.deadline)}}
				defer cancel()
			}
			s := &script{errors: c.errors}
			p := &Plan{Route: r, Clock: clock.clock(), NoFallback: c.off}
			err := p.Do(ctx, s.try)
			if got := strings.Join(s.seen, " "); got != c.want {
				t.Errorf("attempted %s, want %s", got, c.want)
			}
			if (err == nil) != (c.class == "") || err != nil && schema.AsError(err).Class != c.class {
				t.Errorf("Do = %v, want class %q", err, c.class)
			}
			if len(p.Results) != len(s.seen) {
				t.Errorf("%d results of %d attempts", len(p.Results), len(s.seen))
			}
			if c.slept != nil {
				checkSlept(t, clock.slept, c.slept)
			}
		})
	}
}

// deadlineOf is a context with a deadline that never fires.
type deadlineOf struct {
	context.Context
	at time.Time
}

func (d deadlineOf) Deadline() (time.Time, bool) { return d.at, true }

func checkSlept(t *testing.T, got, want []time.Duration) {
	t.Helper()
	ok := len(got) == len(want)
	for i := range got {
		ok = ok && got[i] >= want[i]/2 && got[i] <= want[i]
	}
	if !ok {
		t.Errorf("slept %v, want about %v", got, want)
	}
}

func TestFallbacksDoNotLoop(t *testing.T) {
	a, b, c := routeOf(t, "a", "a"), routeOf(t, "b", "b"), routeOf(t, "c", "c")
	a.Fallback = []Fallback{{Route: a}, {Route: b}, {Route: c}}
	b.Fallback = []Fallback{{Route: a}, {Route: c}}
	c.Fallback = []Fallback{{Route: b}, {Route: a}}
	for _, r := range []*Route{a, b, c} {
		r.Retry.Attempts = 1
	}
	down := errs{failed(schema.ClassServerError)}
	s := &script{errors: map[string]errs{"a": down, "b": down, "c": down}}
	err := (&Plan{Route: a, Clock: newClock().clock()}).Do(context.Background(), s.try)
	if !slices.Equal(s.seen, []string{"a", "b", "c"}) || err == nil {
		t.Errorf("attempted %v, %v", s.seen, err)
	}
}

func TestFallbackFollowsTheNewestError(t *testing.T) {
	a := routeOf(t, "a", "a")
	a.Retry.Attempts = 1
	a.Fallback = []Fallback{{Route: routeOf(t, "b", "b")}, {Route: routeOf(t, "long", "l"), On: []schema.Class{schema.ClassContextLength}}}
	s := &script{errors: map[string]errs{"a": {failed(schema.ClassServerError)}, "b": {failed(schema.ClassContextLength)}}}
	if err := (&Plan{Route: a, Clock: newClock().clock()}).Do(context.Background(), s.try); err != nil {
		t.Error(err)
	}
	if !slices.Equal(s.seen, []string{"a", "b", "l"}) {
		t.Errorf("attempted %v", s.seen)
	}
}

func TestDoHeedsContext(t *testing.T) {
	r := routeOf(t, "r", "a", "b")
	ctx, cancel := context.WithCancel(context.Background())
	p := &Plan{Route: r, Clock: newClock().clock()}
	err := p.Do(ctx, func(*Attempt) error {
		cancel()
		return ctx.Err()
	})
	if e := schema.AsError(err); e.Class != schema.ClassCancelled || e.Status != 499 || !errors.Is(err, context.Canceled) || len(p.Results) != 1 {
		t.Errorf("Do = %v after %d attempts", err, len(p.Results))
	}
	if s := r.Candidates[0].Target.Status(time.Now()); s.InFlight != 0 || s.Failures != 0 {
		t.Errorf("the target's status is %+v", s)
	}
}

func TestRealSleepHeedsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("sleep = %v", err)
	}
	if err := sleep(context.Background(), 1); err != nil {
		t.Errorf("sleep = %v", err)
	}
}

func TestLateOutcome(t *testing.T) {
	clock := newClock()
	r := routeOf(t, "r", "a")
	target := r.Candidates[0].Target
	p := &Plan{Route: r, Clock: clock.clock()}
	var stream *Attempt
	if err := p.Do(context.Background(), func(a *Attempt) error { a.Late(); stream = a; return nil }); err != nil {
		t.Fatal(err)
	}
	if target.InFlight() != 1 {
		t.Errorf("%d in flight while the stream runs", target.InFlight())
	}
	clock.advance(3 * time.Second)
	stream.Done(failed(schema.ClassConnection))
	stream.Done(nil)
	if s := target.Status(clock.Now()); s.InFlight != 0 || s.Failures != 1 || p.Results[0].Took != 3*time.Second || p.Results[0].Err == nil {
		t.Errorf("status %+v, results %+v", s, p.Results)
	}
}

func TestResetEndsWhatIsOpen(t *testing.T) {
	r := routeOf(t, "r", "a")
	p := &Plan{Route: r}
	_ = p.Do(context.Background(), func(a *Attempt) error { a.Late(); return nil })
	p.Reset()
	if s := r.Candidates[0].Target.Status(time.Now()); s.InFlight != 0 || s.Failures != 0 || len(p.Results) != 0 {
		t.Errorf("status %+v, results %+v", s, p.Results)
	}
}

func TestFailedTryIsNotLate(t *testing.T) {
	r := routeOf(t, "r", "a")
	p := &Plan{Route: r, Clock: newClock().clock()}
	_ = p.Do(context.Background(), func(a *Attempt) error { a.Late(); return failed(schema.ClassServerError) })
	if s := r.Candidates[0].Target.Status(time.Now()); s.InFlight != 0 || s.Failures != 2 {
		t.Errorf("status %+v", s)
	}
}

func TestPanicGivesTheAttemptBack(t *testing.T) {
	clock := newClock()
	r := routeOf(t, "r", "a", "b")
	target := r.Candidates[0].Target
	target.breaker.become(Open, clock.Now(), Found)
	clock.advance(time.Minute)
	func() {
		defer func() { _ = recover() }()
		_ = (&Plan{Route: r, Clock: clock.clock()}).Do(context.Background(), func(a *Attempt) error { a.Late(); panic("x") })
	}()
	if target.InFlight() != 0 {
		t.Error("a panic left an attempt in flight")
	}
	if ok, _ := target.breaker.ready(clock.Now(), false); !ok {
		t.Error("a panic kept the probe")
	}
}

func TestNoTarget(t *testing.T) {
	clock := newClock()
	r := routeOf(t, "r", "a", "b")
	r.Candidates[0].Target.breaker.become(Open, clock.Now(), Found)
	clock.advance(5 * time.Second)
	r.Candidates[1].Target.breaker.become(Open, clock.Now(), Found)
	p := &Plan{Route: r, Clock: clock.clock()}
	err := p.Do(context.Background(), func(*Attempt) error { t.Error("an attempt was made"); return nil })
	e := schema.AsError(err)
	if e.Code != schema.CodeNoTarget || e.Status != 503 || e.RetryAfter != 10*time.Second || e.Origin != schema.OriginGateway {
		t.Errorf("Do = %+v", e)
	}
	// With a fallback the call is served.
	r.Fallback = []Fallback{{Route: routeOf(t, "f", "f")}}
	s := &script{}
	p.Reset()
	p.Route, p.Clock = r, clock.clock()
	if err := p.Do(context.Background(), s.try); err != nil || !slices.Equal(s.seen, []string{"f"}) {
		t.Errorf("Do = %v by %v", err, s.seen)
	}
}

func TestFallbackWithoutTargetKeepsTheRealError(t *testing.T) {
	clock := newClock()
	r, f := routeOf(t, "r", "a"), routeOf(t, "f", "f", "g")
	for i := range f.Candidates {
		f.Candidates[i].Target.breaker.become(Open, clock.Now(), Found)
	}
	r.Fallback = []Fallback{{Route: f}}
	s := &script{errors: map[string]errs{"a": {failed(schema.ClassTimeout)}}}
	err := (&Plan{Route: r, Clock: clock.clock()}).Do(context.Background(), s.try)
	if schema.AsError(err).Class != schema.ClassTimeout {
		t.Errorf("Do = %v", err)
	}
}

func TestUnknownErrorEndsTheCall(t *testing.T) {
	r := routeOf(t, "r", "a", "b")
	p := &Plan{Route: r, Clock: newClock().clock()}
	cause := errors.New("a bug")
	err := p.Do(context.Background(), func(*Attempt) error { return cause })
	if !errors.Is(err, cause) || schema.AsError(err).Code != schema.CodeInternal || len(p.Results) != 1 {
		t.Errorf("Do = %v after %d attempts", err, len(p.Results))
	}
}

func TestPrepareRefuses(t *testing.T) {
	target := NewTarget("a", Breaker{})
	for want, r := range map[string]*Route{
		"has no target": {Name: "r"},
		"is not known":  {Name: "r", Balance: "best", Candidates: []Candidate{{Target: target}}},
		"by what":       {Name: "r", Balance: Sticky, Candidates: []Candidate{{Target: target}}},
		"candidate 0":   {Name: "r", Candidates: []Candidate{{}}},
		`weight of "a"`: {Name: "r", Candidates: []Candidate{{Target: target, Weight: -1}}},
	} {
		if err := r.Prepare(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"r"`) {
			t.Errorf("Prepare = %v, want %q", err, want)
		}
	}
}

func TestImpatientCallersOpenNoBreaker(t *testing.T) {
	clock := newClock()
	r := routeOf(t, "r", "a")
	r.Candidates[0].Target = NewTarget("a", Breaker{Failures: 2, Explicit: true})
	prepared(t, r)
	late := deadlineOf{context.Background(), clock.Now()}
	for range 5 {
		p := &Plan{Route: r, Clock: clock.clock()}
		err := p.Do(late, func(*Attempt) error { return failed(schema.ClassTimeout) })
		if schema.AsError(err).Class != schema.ClassTimeout {
			t.Fatalf("Do = %v, want the attempt's own error", err)
		}
	}
	if s := r.Candidates[0].Target.Status(clock.Now()); s.State != "closed" || s.Failures != 0 || s.InFlight != 0 {
		t.Errorf("after callers who did not wait: %+v", s)
	}
}

func TestPlanIsRoutedAgain(t *testing.T) {
	clock := newClock()
	r := routeOf(t, "r", "a")
	r.Retry = Retry{Attempts: 1}
	prepared(t, r)
	r.Fallback = []Fallback{{Route: routeOf(t, "fallback", "f")}}
	s := &script{errors: map[string]errs{"a": {failed(schema.ClassServerError)}}}
	p := &Plan{Route: r, Clock: clock.clock()}
	for range 2 {
		if err := p.Do(context.Background(), s.try); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(s.seen, " "); got != "a f a f" {
		t.Errorf("attempted %s", got)
	}
}
