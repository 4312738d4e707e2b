package router

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// crowd lets so many callers call one after the other for a while, and gives
// how many calls each target answered. A target that serves many at once is
// slower by as much: its time is for each that is in flight beyond room.
func crowd(r *Route, callers int, during time.Duration, took []time.Duration, room int64) []int {
	var mu sync.Mutex
	served := make([]int, len(took))
	end := time.Now().Add(during)
	var wg sync.WaitGroup
	for n := range callers {
		wg.Go(func() {
			time.Sleep(time.Duration(n) * time.Microsecond)
			p := &Plan{}
			for time.Now().Before(end) {
				p.Reset()
				p.Route, p.Subject = r, &fakeCall{}
				_ = p.Do(context.Background(), func(a *Attempt) error {
					i := 0
					for j := range r.Candidates {
						if &r.Candidates[j] == a.Candidate {
							i = j
						}
					}
					time.Sleep(took[i] * time.Duration(max(1, a.Candidate.Target.InFlight()/room)))
					mu.Lock()
					defer mu.Unlock()
					served[i]++
					return nil
				})
			}
		})
	}
	wg.Wait()
	return served
}

// With many calls at once, the balances that look at the targets serve more of
// them than taking turns, and none runs after the quickest until it is slow.
func TestCrowd(t *testing.T) {
	took := []time.Duration{100 * time.Millisecond, 400 * time.Millisecond, 200 * time.Millisecond, 2 * time.Second}
	sum := map[Balance]int{}
	for _, b := range []Balance{RoundRobin, LeastBusy, Fastest, Adaptive} {
		synctest.Test(t, func(t *testing.T) {
			served := crowd(balanced(t, b, 1, 1, 1, 1), 40, time.Minute, took, 10)
			for _, n := range served {
				sum[b] += n
			}
			if testing.Verbose() {
				fmt.Println(b, served, sum[b])
			}
		})
	}
	for _, b := range []Balance{LeastBusy, Fastest, Adaptive} {
		if sum[b] < 2*sum[RoundRobin] {
			t.Errorf("%s served %d calls, taking turns %d", b, sum[b], sum[RoundRobin])
		}
	}
}
