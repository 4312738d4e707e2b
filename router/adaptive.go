package router

import (
	"math"
	"time"
)

// Of adaptive: over how many of the route's calls a choice is remembered, and
// how much is given for not knowing a candidate, in which more is tried out
// what may have changed.
const (
	memory  = 300.0
	curious = 0.1
	// One in so many calls goes to a candidate that was not chosen for long,
	// at most: what was bad gets well some time.
	probeEach = 128
)

// rankByReward scores candidates by what they may be expected to be worth, and
// what may be learnt by trying them: discounted UCB (Garivier and Moulines,
// "On upper-confidence bound policies for switching bandit problems", 2011).
//
// The worth is the share of attempts that went well, cubed, for an answer that
// fails is worse than one that is slow or dear; times what its time, and its
// cost for this very call, are against the mean of the candidates'. So neither
// has a unit, and a candidate that is twice as dear and takes half the time is
// worth as much. The best one's worth counts as 1.
func (p *Plan) rankByReward(r *Route, now time.Time) {
	size := r.size()
	var times, costs average
	for i := range r.Candidates {
		c := &r.Candidates[i]
		p.scores = append(p.scores, float64(p.cost(c))) // until it is weighed
		if p.out[i] {
			continue
		}
		if s, known := c.Target.expected(p.Late, size, (*gauge).avg); known {
			times.add(s)
		}
		if p.scores[i] >= 0 {
			costs.add(p.scores[i])
		}
	}
	top, sure := 0.0, average{}
	for i := range r.Candidates {
		t := r.Candidates[i].Target
		l := &t.learnt
		seconds, known := t.expected(p.Late, size, (*gauge).avg)
		if !known {
			seconds = times.mean()
		}
		if p.scores[i] < 0 {
			p.scores[i] = costs.mean()
		}
		fine := 1.0
		if l.fine.known() {
			fine = l.fine.avg()
		}
		p.scores[i] = fine * fine * fine * against(times.mean(), seconds) * against(costs.mean(), p.scores[i])
		if !p.out[i] {
			top = max(top, p.scores[i])
			if l.fine.known() {
				sure.add(p.scores[i])
			}
		}
	}
	for i := range p.scores {
		if t := r.Candidates[i].Target; !t.learnt.fine.known() && sure.n > 0 {
			p.scores[i] = sure.mean() // neither better nor worse, until it is known
			if t.InFlight() > 0 {
				p.scores[i] = 0 // one call is enough to know it
			}
		}
		if top > 0 {
			p.scores[i] /= top
		}
	}
	r.addCuriosity(p.scores)
}

// against is 1 for nothing, 1/2 for the mean, and less for more.
func against(mean, x float64) float64 {
	if mean+x <= 0 {
		return 0.5
	}
	return mean / (mean + x)
}

// average is the mean of what was added.
type average struct{ sum, n float64 }

func (a *average) add(v float64) { a.sum, a.n = a.sum+v, a.n+1 }

func (a *average) mean() float64 { return a.sum / max(a.n, 1) }

// addCuriosity adds to the scores what there is to be learnt.
func (r *Route) addCuriosity(scores []float64) {
	calls := r.calls.Load()
	r.mu.Lock()
	defer r.mu.Unlock()
	bonus := curious * math.Sqrt(math.Log1p(r.pulls.now(calls)))
	longAgo := calls - probeEach*int64(len(scores)-1)
	for i := range r.Candidates {
		t := &r.Candidates[i].pulls
		scores[i] += min(1, bonus/math.Sqrt(max(t.now(calls), 1e-6)))
		if t.at <= longAgo { // however bad it was
			scores[i] += 2
		}
	}
}

// tally is how often something was, of which older times count less; at is
// the number of the call when it was last.
type tally struct {
	n  float64
	at int64
}

func (t *tally) now(at int64) float64 {
	if t.n == 0 || at <= t.at {
		return t.n
	}
	return t.n * math.Exp(-float64(at-t.at)/memory)
}

func (t *tally) add(at int64) { t.n, t.at = t.now(at)+1, max(at, t.at) }

// noteChosen notes that a candidate was chosen; -1: none was.
func (r *Route) noteChosen(i int) {
	if i < 0 {
		return
	}
	calls := r.calls.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pulls.add(calls)
	r.Candidates[i].pulls.add(calls)
}

// newness is what a sample from this attempt should count for: all, if what is
// remembered of its candidate is as good as nothing.
func (a *Attempt) newness() float64 {
	if a.Route.Balance != Adaptive {
		return 0
	}
	calls := a.Route.calls.Load()
	a.Route.mu.Lock()
	defer a.Route.mu.Unlock()
	return 1 / max(a.Candidate.pulls.now(calls), 1)
}
