package router

import (
	"time"
)

// A candidate that was not tried for so long, and for so many calls of its
// route, may have become quicker since: it is tried again, by one call.
const (
	staleAfter = 10 * time.Second
	staleCalls = 20
)

// busyUnknown is the score of a candidate of which nothing is known yet and
// which is being tried by another call.
const busyUnknown = 1e-9

// rankBySpeed scores candidates by the time in which they may answer: the
// peak-sensitive mean of what was seen, times the attempts that are in flight
// with this one.
func (p *Plan) rankBySpeed(r *Route, now time.Time) {
	size := r.size()
	calls := r.calls.Load()
	r.mu.Lock()
	for i := range r.Candidates {
		stale := 0.0
		if calls-r.Candidates[i].pulls.at >= staleCalls {
			stale = 1
		}
		p.scores = append(p.scores, stale)
	}
	r.mu.Unlock()
	for i := range r.Candidates {
		t := r.Candidates[i].Target
		busy := float64(t.InFlight())
		seconds, known := t.learnt.time(p.Late, size, (*gauge).top)
		stale := p.scores[i] == 1 && now.UnixNano()-t.learnt.last() >= int64(staleAfter)
		switch {
		case busy == 0 && (!known || stale):
			p.scores[i] = 1
		case !known:
			p.scores[i] = busyUnknown / busy
		default:
			p.scores[i] = 1 / (1 + seconds*(busy+1))
		}
	}
}

// better is the candidate with the higher score of two that the seed draws.
// That the best of all is not always taken keeps calls that come at once from
// rushing to it.
func better(out []bool, scores []float64, seed uint64) int {
	n := 0
	for _, o := range out {
		if !o {
			n++
		}
	}
	if n == 0 {
		return -1
	}
	a := nth(out, int(seed%uint64(n)))
	if n == 1 {
		return a
	}
	skip := 1 + int(seed/uint64(n)%uint64(n-1))
	b := nth(out, (int(seed%uint64(n))+skip)%n)
	if scores[b] > scores[a] {
		return b
	}
	return a
}

// nth is the place of the k-th that is not out.
func nth(out []bool, k int) int {
	for i, o := range out {
		if o {
			continue
		}
		if k == 0 {
			return i
		}
		k--
	}
	return -1
}

// size is what an answer of the route is expected to hold.
func (r *Route) size() float64 {
	sum, n := 0.0, 0.0
	for i := range r.Candidates {
		if s := r.Candidates[i].Target.Size(); s > 0 {
			sum, n = sum+s, n+1
		}
	}
	if n == 0 {
		return 0
	}
	return sum / n
}
