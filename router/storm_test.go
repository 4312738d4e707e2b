package router

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/providers/schema"
)

// storm makes calls of a route, so many at once, and counts as it goes.
type storm struct {
	route *Route
	now   func(*Attempt) (time.Duration, error) // how an attempt goes

	mu                     sync.Mutex
	calls, attempts, wrong int
	begun                  time.Time
	excess                 float64 // the most tries beyond what is allowed by then
	took                   []time.Duration
}

func (s *storm) run(calls, atOnce int) {
	s.begun = time.Now()
	var wg sync.WaitGroup
	for n := range atOnce {
		wg.Go(func() {
			p := &Plan{}
			for range (calls + atOnce - 1 - n) / atOnce {
				s.call(p)
			}
		})
	}
	wg.Wait()
}

func (s *storm) call(p *Plan) {
	s.mu.Lock()
	s.calls++
	s.mu.Unlock()
	p.Reset()
	p.Route, p.Subject = s.route, &fakeCall{}
	begin := time.Now()
	err := p.Do(context.Background(), func(a *Attempt) error {
		s.mu.Lock()
		s.attempts++
		allowed := 0.2*float64(s.calls) + 3*float64(1+time.Since(s.begun)/time.Second)
		s.excess = max(s.excess, float64(s.attempts-s.calls)-allowed)
		s.mu.Unlock()
		d, err := s.now(a)
		time.Sleep(d)
		return err
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.wrong++
	}
	s.took = append(s.took, time.Since(begin))
}

// stormRoute is a route of n targets whose breakers never open, with a pool of
// two secrets at each if keys is set.
func stormRoute(t *testing.T, n int, keys bool) *Route {
	r := &Route{Name: "r", Balance: RoundRobin, Retry: Retry{Attempts: 3, Backoff: 5 * time.Millisecond}}
	for i := range n {
		c := Candidate{Target: NewTarget(fmt.Sprintf("t%d", i), Breaker{Failures: 1e9, MinCalls: 1e9})}
		if keys {
			c.Pool = poolOf("1", "2")
		}
		r.Candidates = append(r.Candidates, c)
	}
	prepared(t, r)
	return r
}

// However many calls come at once, and whatever went well before: when all
// targets fail, the extra tries are never more than the share of the calls
// that came so far, and three a second.
func TestNoRetryStormInBursts(t *testing.T) {
	for _, c := range []struct{ calls, atOnce, targets, before int }{
		{1000, 500, 3, 0}, {1000, 500, 3, 300}, {5000, 1000, 3, 0}, {5000, 1000, 3, 2000}, {5000, 1000, 10, 0}, {1000, 1000, 2, 0}, {1000, 500, 1, 0},
	} {
		for _, class := range []schema.Class{schema.ClassServerError, schema.ClassRateLimited} {
			for _, keys := range []bool{false, true} {
				if keys && class == schema.ClassRateLimited { // a call always goes on to the next key
					continue
				}
				synctest.Test(t, func(t *testing.T) {
					well := true
					s := &storm{route: stormRoute(t, c.targets, keys)}
					s.now = func(*Attempt) (time.Duration, error) {
						d := time.Duration(rand.IntN(50)) * time.Millisecond
						if well {
							return d, nil
						}
						return d, failed(class)
					}
					s.run(c.before, 20)
					well = false
					s.run(c.calls, c.atOnce)
					if s.excess > 0 {
						t.Errorf("%+v, %s, keys %v: %.0f tries too many, %d for %d calls in the end", c, class, keys, s.excess, s.attempts, s.calls)
					}
				})
			}
		}
	}
}

// A burst at a route one of whose targets is dead: calls wait for a look at
// the others rather than fail for want of budget, and no longer than an answer
// or two take.
func TestBurstAtADeadTarget(t *testing.T) {
	for _, keys := range []bool{false, true} {
		for _, before := range []int{0, 1000} {
			synctest.Test(t, func(t *testing.T) {
				dead := false
				s := &storm{route: stormRoute(t, 3, keys)}
				s.now = func(a *Attempt) (time.Duration, error) {
					if dead && a.Candidate == &s.route.Candidates[0] {
						return time.Millisecond, failed(schema.ClassConnection)
					}
					return 100 * time.Millisecond, nil
				}
				s.run(before, 20)
				dead, s.took = true, nil
				s.run(500, 500)
				longest := time.Duration(0)
				for _, d := range s.took {
					longest = max(longest, d)
				}
				if s.wrong > 0 || longest > 350*time.Millisecond {
					t.Errorf("keys %v, after %d: %d of 500 failed, the longest took %v", keys, before, s.wrong, longest)
				}
			})
		}
	}
}
