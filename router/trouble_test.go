package router

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/providers/schema"
)

// trouble is what is wrong with a target.
type trouble int

const (
	fine    trouble = iota
	dead            // no connection
	slow            // ten times as slow
	limited         // 429 half of the time
)

// answer is how an attempt goes. A healthy target takes 80 ms and, on the
// mean, 20 more.
func (k trouble) answer(r *rand.Rand) (time.Duration, error) {
	took := 80*time.Millisecond + time.Duration(r.ExpFloat64()*20e6)
	switch {
	case k == dead:
		return time.Millisecond, failed(schema.ClassConnection)
	case k == limited && r.Float64() < 0.5:
		return 5 * time.Millisecond, failed(schema.ClassRateLimited)
	case k == slow:
		return 10 * took, nil
	}
	return took, nil
}

// outcomes are how many calls went.
type outcomes struct {
	calls, wrong, tries int
	took                []time.Duration
}

func (o *outcomes) p99() time.Duration {
	slices.Sort(o.took)
	return o.took[len(o.took)*99/100]
}

func (o *outcomes) String() string {
	return fmt.Sprintf("%.2f %% went well, p99 %v, %.3f tries a call", 100*float64(o.calls-o.wrong)/float64(o.calls), o.p99().Round(time.Millisecond), float64(o.tries)/float64(o.calls))
}

// suffer makes so many calls, a hundred a second whatever becomes of them, at
// targets whose troubles follow each other in phases of equal length.
func suffer(t *testing.T, b Balance, calls int, seed uint64, phases ...[]trouble) *outcomes {
	r := balanced(t, b, slices.Repeat([]int{1}, len(phases[0]))...)
	r.Retry.Attempts = 2
	for i := range r.Candidates {
		r.Candidates[i].Payload = i
	}
	out := &outcomes{calls: calls}
	arrivals, chance := rand.New(rand.NewPCG(seed, 3)), rand.New(rand.NewPCG(seed, 7))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for n := range calls {
		now := phases[n*len(phases)/calls]
		time.Sleep(time.Duration(arrivals.ExpFloat64() * 10e6))
		wg.Go(func() {
			begin := time.Now()
			p := &Plan{Route: r, Subject: &fakeCall{key: mix(uint64(n)) | 1}}
			err := p.Do(context.Background(), func(a *Attempt) error {
				mu.Lock()
				out.tries++
				d, err := now[a.Candidate.Payload.(int)].answer(chance)
				mu.Unlock()
				time.Sleep(d)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				out.wrong++
			}
			out.took = append(out.took, time.Since(begin))
		})
	}
	wg.Wait()
	return out
}

// With targets of which one dies, one slows tenfold and one answers 429 half of
// the time, callers hardly notice: whatever the balance, all get their answers
// with few tries; and with a balance that looks at the time, as quickly as from
// a healthy target, while there is one.
//
// The other balances do not look at it: the slow target keeps its share. Where
// nothing healthy is left, the slow one answers: to get by with the limited one
// alone would take more tries than the budget allows.
func TestTrouble(t *testing.T) {
	const calls = 10_000
	var healthy time.Duration
	synctest.Test(t, func(t *testing.T) {
		healthy = suffer(t, Ordered, calls, 1, []trouble{fine}).p99()
	})
	for name, c := range map[string]struct {
		phases [][]trouble
		slow   bool // nothing healthy is left
	}{
		"one after the other": {[][]trouble{{fine, fine, fine}, {dead, fine, fine}, {fine, slow, fine}, {fine, fine, limited}}, false},
		"two at a time":       {[][]trouble{{dead, slow, fine}, {limited, slow, fine}, {limited, dead, fine}}, false},
		"beside a healthy":    {[][]trouble{{dead, slow, limited, fine}}, false},
		"all at once":         {[][]trouble{{dead, slow, limited}}, true},
	} {
		for _, b := range Balances {
			quick := b == Fastest || b == Adaptive
			seeds := uint64(1)
			if quick {
				seeds = 3
			}
			for seed := range seeds {
				synctest.Test(t, func(t *testing.T) {
					o := suffer(t, b, calls, seed, c.phases...)
					if testing.Verbose() && seed == 0 {
						fmt.Printf("%-20s %-12s %v, of a healthy target %v\n", name, b, o, healthy.Round(time.Millisecond))
					}
					if o.wrong > calls/1000 || float64(o.tries) > 1.2*calls {
						t.Errorf("%s, %s, seed %d: %v", name, b, seed, o)
					}
					if quick && !c.slow && o.p99() > 2*healthy {
						t.Errorf("%s, %s, seed %d: %v, of a healthy target %v", name, b, seed, o, healthy)
					}
				})
			}
		}
	}
}

// When all targets are down, calls soon hear so at once, and when to come again.
func TestAllDown(t *testing.T) {
	for _, b := range Balances {
		synctest.Test(t, func(t *testing.T) {
			r := balanced(t, b, 1, 1, 1)
			r.Retry.Attempts = 2
			for n := range 200 {
				begin := time.Now()
				err := (&Plan{Route: r, Subject: &fakeCall{key: 1}}).Do(context.Background(), func(*Attempt) error {
					time.Sleep(time.Millisecond)
					return failed(schema.ClassConnection)
				})
				e, took := schema.AsError(err), time.Since(begin)
				if n >= 100 && (e.Status != 503 || e.Code != schema.CodeNoTarget || e.RetryAfter <= 0 || took > 50*time.Millisecond) {
					t.Fatalf("%s, call %d: %v after %v, retry after %v", b, n, e, took, e.RetryAfter)
				}
			}
		})
	}
}
