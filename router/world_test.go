package router

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/providers/schema"
)

// nature is how a target is for a while.
type nature struct {
	seconds float64
	dollars float64 // a call
	fine    float64 // share of the attempts that go well
}

// world is a route whose targets are as their natures say, in simulated time:
// in phases of equal length, with noise that a seed decides.
type world struct {
	clock   *fakeClock
	route   *Route
	targets [][]nature // by phase, then by target
	calls   int        // of all phases together
	rand    *rand.Rand
	now     []nature
	noise   float64 // 0: every answer takes exactly its time
	pause   time.Duration
}

func newWorld(t testing.TB, b Balance, seed uint64, calls int, noise float64, phases ...[]nature) *world {
	w := &world{clock: newClock(), targets: phases, calls: calls, noise: noise, rand: rand.New(rand.NewPCG(seed, 1))}
	weights := make([]int, len(phases[0]))
	for i := range weights {
		weights[i] = 1
	}
	w.route = balanced(t, b, weights...)
	for i := range w.route.Candidates {
		// What is measured is the choice, not what a breaker takes from it.
		w.route.Candidates[i].Target.SetBreaker(ForceClosed, w.clock.Now())
		w.route.Candidates[i].Payload = i
	}
	return w
}

func (w *world) Cost(c *Candidate) int64 { return int64(w.now[c.Payload.(int)].dollars * 1e9) }

func (w *world) Key(string) uint64 { return 0 }

// run makes the calls, and gives for each which target was tried first.
func (w *world) run() []int {
	at := make([]int, w.calls)
	for k := range w.calls {
		w.now = w.targets[k*len(w.targets)/w.calls]
		p := &Plan{Route: w.route, Clock: w.clock.clock(), Subject: w, Seed: w.rand.Uint64() >> 11}
		at[k] = -1
		_ = p.Do(context.Background(), func(a *Attempt) error {
			i := a.Candidate.Payload.(int)
			if at[k] < 0 {
				at[k] = i
			}
			n := w.now[i]
			factor := 1 + w.noise*(w.rand.ExpFloat64()-1)
			w.clock.advance(time.Duration(n.seconds * factor * 1e9))
			if w.rand.Float64() >= n.fine {
				return failed(schema.ClassServerError)
			}
			return nil
		})
		w.clock.advance(w.pause)
	}
	return at
}

// worth is what a choice is worth in expectation, by the measure of Adaptive.
func worth(all []nature, i int) float64 {
	var times, costs average
	for _, n := range all {
		times.add(n.seconds)
		costs.add(n.dollars)
	}
	n := all[i]
	return math.Pow(n.fine, 3) * against(times.mean(), n.seconds) * against(costs.mean(), n.dollars)
}

// sums are what the choices were worth, what the best single target would have
// been, and what taking turns would.
func (w *world) sums(at []int) (got, fixed, turns float64) {
	n := len(w.targets[0])
	each := make([]float64, n)
	for k, i := range at {
		all := w.targets[k*len(w.targets)/w.calls]
		got += worth(all, i)
		for j := range n {
			each[j] += worth(all, j)
			turns += worth(all, j) / float64(n)
		}
	}
	for _, v := range each {
		fixed = max(fixed, v)
	}
	return got, fixed, turns
}

// After 2,000 calls, with prices and times that shift, Adaptive is within a
// tenth of the best target that one could have chosen beforehand, and never
// worse than taking turns.
func TestAdaptive(t *testing.T) {
	quick, slow, dear, bad := nature{0.2, 1, 1}, nature{1, 1, 1}, nature{0.2, 5, 1}, nature{0.1, 0.1, 0.2}
	for name, phases := range map[string][][]nature{
		"steady":               {{slow, quick, slow, slow}},
		"alike":                {{quick, quick, quick}},
		"a failing one":        {{bad, slow, dear}},
		"fails a little":       {{{0.5, 1, 0.9}, {0.5, 1, 1}}},
		"becomes slow":         {{quick, slow}, {slow, quick}},
		"becomes dear":         {{quick, dear, slow}, {dear, quick, slow}},
		"begins to fail":       {{quick, slow}, {bad, slow}},
		"gets well":            {{bad, slow, dear}, {quick, slow, dear}},
		"four shifts":          {{quick, slow, dear}, {slow, dear, quick}, {dear, quick, slow}, {quick, slow, dear}},
		"free but slow":        {{{2, 0, 1}, {1, 1, 1}}, {{8, 0, 1}, {1, 1, 1}}},
		"ten":                  {{slow, slow, dear, slow, bad, slow, quick, dear, slow, slow}},
		"ten, shifting":        {{slow, slow, dear, slow, bad, slow, quick, dear, slow, slow}, {slow, slow, quick, slow, bad, slow, slow, dear, slow, slow}},
		"slowly getting worse": {{{0.2, 1, 1}, {0.6, 1, 1}}, {{0.4, 1, 1}, {0.6, 1, 1}}, {{0.8, 1, 1}, {0.6, 1, 1}}, {{1.6, 1, 1}, {0.6, 1, 1}}},
	} {
		for _, noise := range []float64{0, 0.5, 1} {
			for _, pause := range []time.Duration{0, 10 * time.Second} {
				for seed := range uint64(5) {
					w := newWorld(t, Adaptive, seed+1, 2000, noise, phases...)
					w.pause = pause
					got, fixed, turns := w.sums(w.run())
					if testing.Verbose() && seed == 0 {
						fmt.Printf("%-22s noise %.1f pause %3v: %.3f of the best, %.3f of turns\n", name, noise, pause, got/fixed, got/turns)
					}
					if got < 0.9*fixed || got < turns*(1-1e-9) {
						t.Errorf("%s, noise %v, pause %v, seed %d: %.1f, the best is %.1f, turns are %.1f", name, noise, pause, seed, got, fixed, turns)
					}
				}
			}
		}
	}
}
