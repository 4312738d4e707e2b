package router

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/providers/schema"
)

// feed reports calls to a breaker, a step apart: s succeeded, f failed, n
// neutral; what is not let through is not reported.
func feed(b *breaker, c *fakeClock, calls string, step time.Duration, lone bool) {
	for _, r := range calls {
		if p, ok := b.admit(c.Now(), lone); ok {
			b.report(p, map[rune]outcome{'s': success, 'f': failure, 'n': neutral}[r], c.Now())
		}
		c.advance(step)
	}
}

func TestBreakerOpens(t *testing.T) {
	for name, c := range map[string]struct {
		policy Breaker
		calls  string
		step   time.Duration
		lone   bool
		want   State
	}{
		"five in a row":            {calls: "sfffff", want: Open},
		"four in a row":            {calls: "ffff"},
		"a success between":        {calls: "ffffsffff"},
		"429 and cancelled beside": {calls: "ffnnffnnf", want: Open},
		"only 429":                 {calls: "nnnnnnnnnn"},
		"too slowly":               {calls: "fffff", step: 10 * time.Second},
		"slowly enough":            {calls: "fffff", step: 5 * time.Second, want: Open},
		"half of twenty":           {calls: "sfsfsfsfsfsfsfsfsfsf", want: Open},
		"half of nineteen":         {calls: "sfsfsfsfsfsfsfsfsfs"},
		"a third":                  {calls: "ssfssfssfssfssfssfssfssfssf"},
		"own failures":             {policy: Breaker{Failures: 2}, calls: "ff", want: Open},
		"own ratio":                {policy: Breaker{Ratio: 0.3, MinCalls: 4}, calls: "ssff", want: Open},
		"lone, by default":         {calls: "ffffffffff", lone: true},
		"lone, set":                {policy: Breaker{Explicit: true}, calls: "fffff", lone: true, want: Open},
	} {
		clock := newClock()
		b := &breaker{policy: c.policy.withDefaults()}
		feed(b, clock, c.calls, c.step, c.lone)
		if b.state != c.want {
			t.Errorf("%s: %s, want %s", name, b.state, c.want)
		}
		if ok, _ := b.ready(clock.Now(), c.lone); ok != (c.want == Closed) {
			t.Errorf("%s: ready %v", name, ok)
		}
	}
}

func TestBreakerProbes(t *testing.T) {
	for name, c := range map[string]struct {
		probes int
		calls  string
		want   State
	}{
		"success closes":        {1, "s", Closed},
		"failure opens":         {1, "f", Open},
		"neutral tells nothing": {1, "n", HalfOpen},
		"then success":          {1, "ns", Closed},
		"two of three":          {3, "ss", HalfOpen},
		"three of three":        {3, "sss", Closed},
		"the third fails":       {3, "ssf", Open},
	} {
		clock := newClock()
		b := &breaker{policy: Breaker{Probes: c.probes}.withDefaults()}
		b.become(Open, clock.Now(), Found)
		clock.advance(15*time.Second - 1)
		if _, ok := b.admit(clock.Now(), false); ok {
			t.Fatalf("%s: let through too early", name)
		}
		if ok, wait := b.ready(clock.Now(), false); ok || wait != 1 {
			t.Errorf("%s: ready %v, wait %v", name, ok, wait)
		}
		clock.advance(1)
		if state, _, _ := b.look(clock.Now()); state != HalfOpen {
			t.Errorf("%s: shown as %s", name, state)
		}
		feed(b, clock, c.calls, 0, false)
		if b.state != c.want {
			t.Errorf("%s: %s, want %s", name, b.state, c.want)
		}
	}
}

// 500 calls at once on a half-open breaker: exactly N reach the target.
func TestHalfOpenLetsExactlyNThrough(t *testing.T) {
	for _, probes := range []int{1, 3, 10} {
		clock := newClock()
		r := &Route{Name: "r", Candidates: []Candidate{
			{Target: NewTarget("a", Breaker{Probes: probes, Explicit: true})}}}
		prepared(t, r)
		r.Candidates[0].Target.breaker.become(Open, clock.Now(), Found)
		clock.advance(time.Minute)
		var through, refused atomic.Int64
		decided := make(chan struct{})
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() {
				err := (&Plan{Route: r, Clock: clock.clock()}).Do(context.Background(), func(*Attempt) error {
					through.Add(1)
					<-decided
					return nil
				})
				if err != nil && refused.Add(1) == 500-int64(probes) {
					close(decided)
				}
			})
		}
		wg.Wait()
		if through.Load() != int64(probes) {
			t.Errorf("%d of 500 calls got through, want %d", through.Load(), probes)
		}
		if s := r.Candidates[0].Target.Status(clock.Now()); s.State != "closed" {
			t.Errorf("after good probes the breaker is %s", s.State)
		}
	}
}

func TestOldOutcomesAreVoid(t *testing.T) {
	clock := newClock()
	b := &breaker{policy: Breaker{}.withDefaults()}
	slow, _ := b.admit(clock.Now(), false)
	feed(b, clock, "fffff", 0, false)
	clock.advance(time.Minute)
	probe, _ := b.admit(clock.Now(), false)
	b.report(slow, failure, clock.Now()) // from before it opened
	if b.state != HalfOpen {
		t.Errorf("an old failure made it %s", b.state)
	}
	b.report(probe, success, clock.Now())
	if b.state != Closed {
		t.Errorf("a good probe left it %s", b.state)
	}
}

func TestStreamAsProbeClosesAtItsFirstByte(t *testing.T) {
	clock := newClock()
	r := routeOf(t, "r", "a", "b")
	target := r.Candidates[0].Target
	target.breaker.become(Open, clock.Now(), Found)
	clock.advance(time.Minute)
	var stream *Attempt
	_ = (&Plan{Route: r, Clock: clock.clock()}).Do(context.Background(), func(a *Attempt) error { a.Late(); stream = a; return nil })
	if s := target.Status(clock.Now()); s.State != "closed" || s.InFlight != 1 {
		t.Errorf("while its probe streams: %+v", s)
	}
	for range 4 {
		_ = (&Plan{Route: r, Clock: clock.clock()}).Do(context.Background(), func(*Attempt) error { return failed(schema.ClassTimeout) })
	}
	stream.Done(failed(schema.ClassConnection))
	if s := target.Status(clock.Now()); s.State != "open" {
		t.Errorf("failures since, the stream's own among them, left it %s", s.State)
	}
}

func TestOperatorMode(t *testing.T) {
	clock := newClock()
	reg := NewRegistry(nil)
	target := reg.Target("p/m", Breaker{})
	b := &target.breaker
	if err := reg.SetBreaker("p/m", ForceOpen, clock.Now()); err != nil {
		t.Fatal(err)
	}
	if ok, _ := b.ready(clock.Now().Add(time.Hour), true); ok {
		t.Error("forced open, yet ready, even if alone")
	}
	if _, ok := b.admit(clock.Now().Add(time.Hour), true); ok {
		t.Error("forced open, yet let through")
	}
	if s := target.Status(clock.Now()); s.State != "open" || s.Mode != "forced" {
		t.Errorf("status %+v", s)
	}
	target.SetBreaker(ForceClosed, clock.Now())
	feed(b, clock, "ffffffffffffffffffffffff", 0, false)
	if ok, _ := b.ready(clock.Now(), false); !ok {
		t.Error("forced closed, yet opened")
	}
	target.SetBreaker(Auto, clock.Now())
	feed(b, clock, "fffff", 0, false)
	if s := target.Status(clock.Now()); s.State != "open" || s.Mode != "auto" {
		t.Errorf("status %+v", s)
	}
	if err := reg.SetBreaker("none", Auto, clock.Now()); err == nil {
		t.Error("an unknown target was taken")
	}
}

func TestParseMode(t *testing.T) {
	for s, want := range map[string]Mode{"open": ForceOpen, "closed": ForceClosed, "auto": Auto} {
		if got, err := ParseMode(s); err != nil || got != want {
			t.Errorf("ParseMode(%q) = %v, %v", s, got, err)
		}
	}
	if _, err := ParseMode("half"); err == nil {
		t.Error(`ParseMode("half") is no error`)
	}
}

func TestJudge(t *testing.T) {
	for c, want := range map[schema.Class]outcome{
		schema.ClassConnection: failure, schema.ClassTimeout: failure, schema.ClassOverloaded: failure, schema.ClassServerError: failure,
		schema.ClassRateLimited: neutral, schema.ClassAuth: neutral, schema.ClassQuota: neutral, schema.ClassCancelled: neutral, "": neutral,
		schema.ClassInvalidRequest: success, schema.ClassContextLength: success, schema.ClassContentFilter: success,
		schema.ClassNotFound: success, schema.ClassInvalidOutput: failure,
	} {
		if got := judge(failed(c)); got != want {
			t.Errorf("%s is judged %d, want %d", c, got, want)
		}
	}
	mended := failed(schema.ClassInvalidOutput)
	if mended.Code = schema.CodeInvalidOutput; judge(mended) != success {
		t.Error("output that misses a prompt's schema counts against the target")
	}
	if judge(nil) != success {
		t.Error("no error is no success")
	}
}
