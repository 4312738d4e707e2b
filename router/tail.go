package router

import (
	"math"
	"time"
)

// How the times of answers are counted: in steps that grow by a ninth each,
// from a millisecond to some minutes.
const (
	tailSteps  = 112
	tailGrowth = 1.12
	tailLeast  = 40   // samples, before anything is told
	tailMost   = 1000 // samples, after which older ones count half
)

// tails are the times of a target's answers where a route asks for the time
// that few exceed: to the beginning of those that came bit by bit, and of the
// others to the end. They are under the lock of what is learnt.
type tails struct{ begun, whole tail }

// tail counts times.
type tail struct {
	n     int
	count [tailSteps]uint16
}

// tailStep is the step that a time belongs to.
func tailStep(d time.Duration) int {
	if d <= time.Millisecond {
		return 0
	}
	return min(int(math.Ceil(math.Log(float64(d)/float64(time.Millisecond))/math.Log(tailGrowth))), tailSteps-1)
}

func (t *tail) add(d time.Duration) {
	if t.n >= tailMost {
		t.n = 0
		for i := range t.count {
			t.count[i] /= 2
			t.n += int(t.count[i])
		}
	}
	t.count[tailStep(d)]++
	t.n++
}

// p95 is the time that 95 of 100 did not exceed; false: too few are known.
func (t *tail) p95() (time.Duration, bool) {
	if t.n < tailLeast {
		return 0, false
	}
	within := 0
	for i, n := range t.count {
		if within += int(n); within*100 >= t.n*95 {
			return time.Duration(math.Pow(tailGrowth, float64(i)) * float64(time.Millisecond)), true
		}
	}
	return 0, false
}

// keepTails has the tails be learnt from now on.
func (l *learnt) keepTails() { l.tails.CompareAndSwap(nil, &tails{}) }

// tailOf is the time within which 95 of 100 answers of a kind have begun.
func (l *learnt) tailOf(late bool) (time.Duration, bool) {
	t := l.tails.Load()
	if t == nil {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if late {
		return t.begun.p95()
	}
	return t.whole.p95()
}

// exceeds takes in an answer that was not waited for: it would have taken
// longer. Without those, a tail would be made of the quick ones alone.
func (l *learnt) exceeds(late bool, d time.Duration) {
	t := l.tails.Load()
	if t == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if late {
		t.begun.add(d)
	} else {
		t.whole.add(d)
	}
}
