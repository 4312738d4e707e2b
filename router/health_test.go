package router

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/providers/schema"
)

var usual = Check{Every: 10 * time.Second, Timeout: 2 * time.Second, Fails: 3, Passes: 2}

var errDown = errors.New("connection refused")

// shown are the checks that turn a place: x failed, o went well.
func TestHealthTurns(t *testing.T) {
	for checks, want := range map[string]string{
		"":           "healthy",
		"xx":         "healthy",
		"xxoxx":      "healthy",
		"xxx":        "unhealthy",
		"xxxo":       "unhealthy",
		"xxxoxo":     "unhealthy",
		"xxxoo":      "healthy",
		"xxxooxx":    "healthy",
		"xxxooxxx":   "unhealthy",
		"ooooooxxxx": "unhealthy",
	} {
		var told []Change
		h := &Health{Name: "p", policy: usual, tell: func(c Change) { told = append(told, c) }}
		turns, last := 0, "healthy"
		for i, c := range checks {
			var err error
			if c == 'x' {
				err = errDown
			}
			at := time.Unix(int64(i), 0)
			h.note(err, at, at.Add(7*time.Millisecond))
			if s := h.Status(); s.State != last {
				turns, last = turns+1, s.State
				if s.Since != at.Add(7*time.Millisecond) {
					t.Errorf("%s: since %v", checks, s.Since)
				}
			}
		}
		s := h.Status()
		if s.State != want || h.Down() != (want == "unhealthy") || len(told) != turns || s.Checks != int64(len(checks)) {
			t.Errorf("%s: %+v, told %v, want %s", checks, s, told, want)
		}
		if strings.HasSuffix(checks, "x") && (s.Error != errDown.Error() || s.TookMS != 7) {
			t.Errorf("%s: %+v", checks, s)
		}
		if turns > 0 && (told[0] != Change{Provider: "p", From: "healthy", To: "unhealthy", Error: errDown.Error(), Failing: 2007 * time.Millisecond, Left: 32 * time.Second}) {
			t.Errorf("%s: told %+v", checks, told)
		}
	}
	var none *Health
	if none.Down() || none.Status() != nil {
		t.Error("a place that nobody checks has a state")
	}
}

// Checks begin soon, keep their pace give or take a tenth, are bounded in
// time, and end with the registry that holds them.
func TestChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks Checks
		var asked, other atomic.Int64
		var down atomic.Bool
		ask := func(n *atomic.Int64) Ask {
			return func(ctx context.Context) error {
				n.Add(1)
				if down.Load() {
					<-ctx.Done() // it is silent
					return ctx.Err()
				}
				return nil
			}
		}
		first := NewRegistry(nil)
		h := first.Health("p", usual, ask(&asked))
		checks.Follow(first)
		time.Sleep(usual.Every/10 + 1)
		synctest.Wait()
		if n := asked.Load(); n != 1 {
			t.Fatalf("%d checks in the beginning", n)
		}
		time.Sleep(10 * usual.Every)
		synctest.Wait()
		if n := asked.Load(); n < 10 || n > 13 {
			t.Errorf("%d checks after ten times", n)
		}
		down.Store(true)
		time.Sleep(5 * usual.Every)
		if s := h.Status(); s.State != "unhealthy" || s.TookMS != usual.Timeout.Milliseconds() {
			t.Errorf("silent: %+v", s)
		}

		// A reload keeps the state and asks in the new way; one that changes the
		// check begins anew.
		second := NewRegistry(first)
		if second.Health("p", usual, ask(&other)) != h {
			t.Error("a reload forgot the state")
		}
		checks.Follow(second)
		was := asked.Load()
		down.Store(false)
		time.Sleep(5 * usual.Every)
		synctest.Wait()
		if s := h.Status(); s.State != "healthy" || asked.Load() > was+1 || other.Load() < 3 {
			t.Errorf("after a reload: %+v, asked %d times more, and %d in the new way", s, asked.Load()-was, other.Load())
		}
		third := NewRegistry(second)
		often := usual
		often.Every = time.Second
		if third.Health("p", often, ask(&asked)) == h {
			t.Error("another check has the old one's state")
		}
		checks.Follow(third)
		was, now := asked.Load(), other.Load()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if other.Load() > now || asked.Load() < was+15 {
			t.Errorf("%d checks of the old kind, %d of the new", other.Load()-now, asked.Load()-was)
		}
		checks.Follow(NewRegistry(third)) // nothing is checked any more
		was = asked.Load()
		time.Sleep(time.Minute)
		if asked.Load() != was {
			t.Error("what is gone is still checked")
		}
		down.Store(true)
		checks.Follow(first)
		time.Sleep(usual.Every / 5) // one is under way
		checks.Close()
		checks.Follow(second) // too late
	})
}

// ill makes a place unhealthy.
func ill(name string) *Health {
	h := &Health{Name: name, policy: Check{Fails: 1, Passes: 1}}
	h.note(errDown, time.Unix(0, 0), time.Unix(0, 0))
	return h
}

// What is unhealthy gets no call, whatever the balance, and is back when it is
// well; where nothing healthy is left it is tried.
func TestUnhealthyIsPassedOver(t *testing.T) {
	for _, b := range Balances {
		r := balanced(t, b, 1, 1, 1)
		h := ill("p")
		r.Candidates[1].Health, r.Candidates[2].Health = h, &Health{Name: "q"}
		seen := func() map[string]int {
			got := map[string]int{}
			for i := range 100 {
				got[first(t, &Plan{Route: r, Clock: newClock().clock(), Subject: &fakeCall{key: mix(uint64(i)) | 1, costs: map[string]int64{"t1": 1, "t0": 2, "t2": 2}}})]++
			}
			return got
		}
		if got := seen(); got["t1"] > 0 {
			t.Errorf("%s: %v of an unhealthy t1", b, got)
		}
		p := &Plan{Route: r, Clock: newClock().clock(), Explain: true, Subject: &fakeCall{key: 1}}
		first(t, p)
		if w := p.Explanation().Candidates[1]; w.State != "unhealthy" || w.Score != 0 || w.Why != "its health checks fail since 1970-01-01T00:00:00Z" {
			t.Errorf("%s: %+v", b, w)
		}
		r.Candidates[0].Target.SetBreaker(ForceOpen, time.Now())
		r.Candidates[2].Target.SetBreaker(ForceOpen, time.Now())
		if got := seen(); got["t1"] != 100 {
			t.Errorf("%s: %v, but nothing else is left", b, got)
		}
		e := (&Plan{Route: r, Clock: newClock().clock(), Subject: &fakeCall{key: 1}}).Preview()
		if w := e.Candidates[1]; e.Chosen != "t1" || w.State != "unhealthy" || w.Score == 0 || !strings.HasSuffix(w.Why, "00Z, but nothing healthy is left") {
			t.Errorf("%s: %+v", b, e)
		}
		r.Candidates[0].Target.SetBreaker(Auto, time.Now())
		r.Candidates[2].Target.SetBreaker(Auto, time.Now())
		h.note(nil, time.Unix(1, 0), time.Unix(1, 0))
		if got := seen(); got["t1"] == 0 && b != Ordered {
			t.Errorf("%s: %v, though t1 is well again", b, got)
		}
	}
}

// All unhealthy is as good as all healthy.
func TestAllUnhealthyAreTried(t *testing.T) {
	r := balanced(t, RoundRobin, 1, 1)
	r.Candidates[0].Health, r.Candidates[1].Health = ill("p"), ill("q")
	got := map[string]int{}
	for range 10 {
		got[first(t, &Plan{Route: r})]++
	}
	if got["t0"] != 5 || got["t1"] != 5 {
		t.Errorf("%v", got)
	}
	err := (&Plan{Route: r}).Do(context.Background(), func(*Attempt) error { return failed(schema.ClassInvalidRequest) })
	if e := schema.AsError(err); e.Code == schema.CodeNoTarget {
		t.Errorf("%v", err)
	}
}

// A target whose own checks pass again is tried at once, though its breaker is
// open; where the place is of many, that says nothing of one.
func TestHealthEndsAnOpenBreaker(t *testing.T) {
	for _, lone := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			reg := NewRegistry(nil)
			target := reg.Target("a", Breaker{Failures: 1, OpenFor: time.Hour})
			other := reg.Target("b", Breaker{Failures: 1, OpenFor: time.Hour})
			var down atomic.Bool
			policy := usual
			policy.Lone = lone
			h := reg.Health("a", policy, func(context.Context) error {
				if down.Load() {
					return errDown
				}
				return nil
			})
			var checks Checks
			checks.Follow(reg)
			defer checks.Close()
			down.Store(true)
			time.Sleep(time.Minute)
			for _, x := range []*Target{target, other} {
				p, _ := x.breaker.admit(time.Now(), false)
				x.breaker.report(p, failure, time.Now())
				if ok, _ := x.breaker.ready(time.Now(), false); ok || !h.Down() {
					t.Fatalf("%s is in: %+v", x.ID, h.Status())
				}
			}
			down.Store(false)
			reg = NewRegistry(reg) // a reload between
			reg.Target("a", Breaker{Failures: 1, OpenFor: time.Hour})
			reg.Health("a", policy, func(context.Context) error { return nil })
			checks.Follow(reg)
			time.Sleep(time.Minute)
			if ok, _ := target.breaker.ready(time.Now(), false); ok != lone || h.Down() {
				t.Errorf("lone %v: the target is tried: %v; %+v", lone, ok, h.Status())
			}
			if ok, _ := other.breaker.ready(time.Now(), false); ok {
				t.Error("another target is tried, too")
			}
		})
	}
}
