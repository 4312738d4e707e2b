package limit

import (
	"fmt"
	"testing"
	"time"
)

// 50 requests a second, a burst of 100, a queue of 100.
func TestThrottleSpacing(t *testing.T) {
	l := New(Limit{Requests: 50, Per: time.Second, Throttle: &Throttle{Delay: 20 * time.Millisecond, Queue: 100}})
	var waiting []*Subject
	for i := range 101 {
		v := l.Take(nil, epoch)
		if want := time.Duration(i) * 20 * time.Millisecond; !v.OK || v.Delay != want {
			t.Fatalf("request %d: %+v, want to wait %v", i, v, want)
		}
		if v.Subject != nil {
			waiting = append(waiting, v.Subject)
		}
	}
	if v := l.Take(nil, epoch); v.OK || v.Wait != 2020*time.Millisecond {
		t.Errorf("one more than the queue: %+v", v)
	}
	waiting[0].Waited()
	if v := l.Take(nil, epoch.Add(20*time.Millisecond)); !v.OK || v.Delay != 2*time.Second {
		t.Errorf("when one has passed: %+v", v)
	}
	if v := l.Take([]byte("other"), epoch); !v.OK || v.Delay != 0 {
		t.Errorf("another: %+v", v)
	}
}

// The example of the documentation: 80 of a minute's 100 at once, 20 slower, the
// others refused.
func TestThrottleAfter(t *testing.T) {
	l := New(Limit{Requests: 100, Per: time.Minute, Throttle: &Throttle{After: 80, Delay: 200 * time.Millisecond, Queue: 100}})
	now := epoch
	for i := range 100 {
		v := l.Take(nil, now)
		if want := i >= 80; !v.OK || (v.Delay > 0) != want || v.Delay > 200*time.Millisecond {
			t.Fatalf("request %d: %+v", i, v)
		}
		if now = now.Add(v.Delay); v.Delay > 0 {
			v.Subject.Waited()
		}
	}
	v := l.Take(nil, now)
	if v.OK || v.Wait < 55*time.Second || v.Wait > 62*time.Second {
		t.Errorf("the one after them: %+v", v)
	}
	if v := l.Take(nil, now.Add(v.Wait)); !v.OK {
		t.Errorf("after the wait that was told: %+v", v)
	}
}

// Whatever waits, no stretch of time has more than the limit.
func TestThrottleKeepsTheLimit(t *testing.T) {
	for _, throttle := range []Throttle{{0, 20 * time.Millisecond, 500}, {30, 5 * time.Millisecond, 500}, {50, 50 * time.Millisecond, 500}, {10, time.Millisecond, 3000}} {
		t.Run(fmt.Sprint(throttle), func(t *testing.T) {
			l := New(Limit{Requests: 50, Per: time.Second, Throttle: &throttle})
			var came []time.Time
			for i := range 400 {
				now := epoch.Add(time.Duration(i) * 3 * time.Millisecond)
				if v := l.Take(nil, now); v.OK {
					came = append(came, now.Add(v.Delay))
				}
			}
			if len(came) < 100 {
				t.Errorf("only %d came", len(came))
			}
			for i := 50; i < len(came); i++ {
				if came[i].Before(came[i-1]) || came[i].Sub(came[i-50]) < time.Second {
					t.Fatalf("request %d comes %v after the one 50 before", i, came[i].Sub(came[i-50]))
				}
			}
		})
	}
}

// What was saved comes beyond the limit, but not beyond the pace.
func TestThrottleBurst(t *testing.T) {
	l := New(Limit{Requests: 10, Per: time.Minute, Burst: 5, Throttle: &Throttle{After: 10, Delay: time.Second, Queue: 20}})
	passed := 0
	for range 40 {
		if v := l.Take(nil, epoch); v.OK {
			passed++
		}
	}
	if passed != 15 {
		t.Errorf("%d passed, want 15", passed)
	}
}
