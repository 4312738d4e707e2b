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

// Of the scores of fastest, which else are answers a second.
const (
	// toLook is that of a candidate which one call should try.
	toLook = 1e6
	// busyUnknown is that of one of which nothing is known yet and which is
	// being tried by another call.
	busyUnknown = 1e-9
	// What takes so many times as long as the best is not drawn at all: else a
	// call that draws two bad ones goes to one of them.
	tooSlow = 4
)

// rankBySpeed scores candidates by the time in which they may answer, by the
// peak-sensitive mean of what was seen.
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
		seconds, known := t.expected(p.Late, size, (*gauge).top)
		stale := p.scores[i] == 1 && now.UnixNano()-t.learnt.last() >= int64(staleAfter)
		switch {
		case busy == 0 && (!known || stale):
			p.scores[i] = toLook
		case !known:
			p.scores[i] = busyUnknown / busy
		default:
			p.scores[i] = 1 / (0.001 + seconds)
		}
	}
}

// better is the candidate with the higher score of two that the seed draws
// among the good ones. That the best of all is not always taken keeps calls
// that come at once from rushing to it.
func better(out []bool, scores []float64, seed uint64) int {
	least := 0.0
	for i, o := range out {
		if !o {
			least = max(least, scores[i]/tooSlow)
		}
	}
	n := 0
	for i, o := range out {
		if !o && scores[i] >= least {
			n++
		}
	}
	if n == 0 {
		return -1
	}
	good := func(k int) int { // the place of the k-th
		for i, o := range out {
			if o || scores[i] < least {
				continue
			}
			if k == 0 {
				return i
			}
			k--
		}
		return -1
	}
	a := good(int(seed % uint64(n)))
	if n == 1 {
		return a
	}
	skip := 1 + int(seed/uint64(n)%uint64(n-1))
	b := good((int(seed%uint64(n)) + skip) % n)
	if scores[b] > scores[a] {
		return b
	}
	return a
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
