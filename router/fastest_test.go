package router

import (
	"context"
	"math"
	"testing"
	"time"

	"sluice/providers/schema"
)

// shares is what part of the calls each target had.
func shares(at []int, n int) []float64 {
	out := make([]float64, n)
	for _, i := range at {
		out[i] += 1 / float64(len(at))
	}
	return out
}

func TestFastestPrefersTheQuick(t *testing.T) {
	for seed := range uint64(5) {
		w := newWorld(t, Fastest, seed+1, 2000, 0.3, []nature{{0.2, 0, 1}, {1, 0, 1}, {1, 0, 1}})
		got := shares(w.run(), 3)
		// Two of the three pairs that may be drawn hold the quick one.
		if got[0] < 0.6 || got[1] == 0 || got[2] == 0 {
			t.Errorf("seed %d: shares %v", seed, got)
		}
		w = newWorld(t, Fastest, seed+1, 2000, 0.3, []nature{{1, 0, 1}, {0.2, 0, 1}})
		if got := shares(w.run(), 2); got[1] < 0.93 {
			t.Errorf("seed %d: shares %v", seed, got)
		}
	}
}

// When the quick one becomes slow, or fails, calls go to the others at once;
// when it is well again, they come back.
func TestFastestFollows(t *testing.T) {
	well, slow, bad := nature{0.2, 0, 1}, nature{2, 0, 1}, nature{0.001, 0, 0}
	for name, worse := range map[string]nature{"slow": slow, "failing": bad} {
		w := newWorld(t, Fastest, 1, 3000, 0.2, []nature{well, {0.5, 0, 1}}, []nature{worse, {0.5, 0, 1}}, []nature{well, {0.5, 0, 1}})
		at := w.run()
		before, during, after := shares(at[:1000], 2), shares(at[1000:2000], 2), shares(at[2500:], 2)
		if before[0] < 0.85 || during[0] > 0.1 || after[0] < 0.85 {
			t.Errorf("%s: %v, then %v, then %v", name, before, during, after)
		}
	}
}

// Of what is in flight each target has a share by its speed, and one that is
// new is tried by one call until more is known of it.
func TestFastestMindsWhatIsInFlight(t *testing.T) {
	clock := newClock()
	r := balanced(t, Fastest, 1, 1)
	for i, d := range []time.Duration{time.Second, 3 * time.Second} {
		r.Candidates[i].Target.learnt.whole.add(d.Seconds(), clock.Now(), 0)
	}
	plans := make([]Plan, 41)
	for i := range 40 {
		plans[i] = Plan{Route: r, Clock: clock.clock()}
		_ = plans[i].Do(context.Background(), func(a *Attempt) error { a.Late(); return nil })
		r.Candidates[0].Target.learnt.first, r.Candidates[1].Target.learnt.first = gauge{}, gauge{}
	}
	if a, b := r.Candidates[0].Target.InFlight(), r.Candidates[1].Target.InFlight(); a != 30 || b != 10 {
		t.Errorf("%d and %d in flight, want 30 and 10", a, b)
	}
	r.Candidates = append(r.Candidates[:1], Candidate{Target: NewTarget("new", Breaker{})})
	prepared(t, r)
	for i := range 2 {
		p := &Plan{Route: r, Clock: clock.clock(), Late: true}
		got := ""
		_ = p.Do(context.Background(), func(a *Attempt) error {
			got = a.Candidate.Target.ID
			r.Candidates[1].Target.inFlight.Add(1) // and stays there
			return nil
		})
		if want := [2]string{"new", "t0"}[i]; got != want {
			t.Errorf("call %d went to %s, want %s", i, got, want)
		}
		r.Candidates[1].Target.learnt.whole = gauge{}
	}
	for i := range plans {
		plans[i].Reset()
	}
}

func TestDrawsEachPairAlike(t *testing.T) {
	scores := []float64{1, 2, 3, 4}
	got := map[int]int{}
	for seed := range uint64(120_000) {
		got[better(make([]bool, 4), scores, mix(seed)>>11)]++
	}
	// The best of two out of four: 0, 1, 2 and 3 of the six pairs.
	for i, want := range []float64{0, 1.0 / 6, 2.0 / 6, 3.0 / 6} {
		if share := float64(got[i]) / 120_000; math.Abs(share-want) > 0.01 {
			t.Errorf("%d was chosen %v of the time, want %v", i, share, want)
		}
	}
	if i := better([]bool{true, false, true, true}, scores, 9); i != 1 {
		t.Errorf("of one: %d", i)
	}
	if i := better([]bool{true, true, true, true}, scores, 9); i != -1 {
		t.Errorf("of none: %d", i)
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestGauge(t *testing.T) {
	var g gauge
	now := newClock().Now()
	if g.known() {
		t.Error("a new gauge knows something")
	}
	g.add(1, now, 0)
	g.add(5, now, 0)
	if !near(g.avg(), 1+4.0/32) || g.top() != 5 {
		t.Errorf("mean %v, peak %v: a peak goes up at once", g.avg(), g.top())
	}
	g.add(1, now.Add(10*time.Second), 0)
	if want := 1 + 4*math.Exp(-1); !near(g.top(), want) {
		t.Errorf("peak %v after ten seconds, want %v", g.top(), want)
	}
	g.add(9, now.Add(time.Hour), 0)
	if math.Abs(g.avg()-9) > 0.001 {
		t.Errorf("mean %v after an hour, want the newest", g.avg())
	}
	g.add(3, now.Add(time.Hour), 0.5)
	if math.Abs(g.avg()-6) > 0.001 {
		t.Errorf("mean %v, want the newest to be half of it", g.avg())
	}
	g.add(6, now, 0) // a clock that went back
	if g.at.Load() != now.Add(time.Hour).UnixNano() {
		t.Error("an older sample made the gauge old")
	}
}

// A stream teaches when its answer begins and how fast it goes on, a whole
// answer its time to the end; each stands in for the other.
func TestLearns(t *testing.T) {
	clock := newClock()
	r := routeOf(t, "r", "a")
	l := &r.Candidates[0].Target.learnt
	p := &Plan{Route: r, Clock: clock.clock(), Late: true}
	var stream *Attempt
	_ = p.Do(context.Background(), func(a *Attempt) error {
		clock.advance(300 * time.Millisecond)
		a.Late()
		stream = a
		return nil
	})
	clock.advance(2 * time.Second)
	p.Came(100)
	stream.Done(nil)
	p.Came(0) // says nothing
	late, _ := l.time(true, 50, (*gauge).avg)
	whole, known := l.time(false, 50, (*gauge).avg)
	if !near(late, 1.3) || !near(whole, 1.3) || !known || r.Candidates[0].Target.Size() != 100 || l.fine.avg() != 1 {
		t.Errorf("late %v, whole %v, size %v, fine %v", late, whole, r.Candidates[0].Target.Size(), l.fine.avg())
	}
	p = &Plan{Route: r, Clock: clock.clock()}
	_ = p.Do(context.Background(), func(*Attempt) error { clock.advance(4 * time.Second); return nil })
	if whole, _ := l.time(false, 50, (*gauge).avg); !near(whole, 4) {
		t.Errorf("a whole answer takes %v, want 4s", whole)
	}
	if late, _ := l.time(true, 50, (*gauge).avg); !near(late, 1.3) {
		t.Errorf("a whole answer changed the time of streams to %v", late)
	}
}

// What a target is not to blame for teaches nothing; failures do, and make a
// quick answer no good.
func TestLearnsFromErrors(t *testing.T) {
	for class, want := range map[schema.Class]struct {
		known bool
		fine  float64
	}{
		schema.ClassServerError:    {true, 0},
		schema.ClassTimeout:        {true, 0},
		schema.ClassRateLimited:    {true, 0},
		schema.ClassInvalidRequest: {false, 0},
		schema.ClassCancelled:      {false, 0},
	} {
		clock := newClock()
		r := routeOf(t, "r", "a")
		r.Retry.Attempts = 1
		p := &Plan{Route: r, Clock: clock.clock()}
		_ = p.Do(context.Background(), func(*Attempt) error { clock.advance(time.Millisecond); return failed(class) })
		l := &r.Candidates[0].Target.learnt
		if seconds, known := l.time(false, 0, (*gauge).top); known != want.known || known && seconds < 1 {
			t.Errorf("%s: %v seconds, known: %v", class, seconds, known)
		}
		if l.fine.known() != want.known || l.fine.avg() != want.fine {
			t.Errorf("%s: fine %v", class, l.fine.avg())
		}
	}
}

// What was learnt outlives a reload.
func TestLearntLivesOn(t *testing.T) {
	old := NewRegistry(nil)
	old.Target("a", Breaker{}).learnt.whole.add(3, newClock().Now(), 0)
	if !NewRegistry(old).Target("a", Breaker{}).learnt.whole.known() {
		t.Error("a reload forgot it")
	}
}
