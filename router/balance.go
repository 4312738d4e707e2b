package router

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Balance is how a route orders its candidates. The tries of one call never
// come back to a candidate, whatever the balance.
type Balance string

// The balances.
const (
	Ordered    Balance = "ordered"     // always in the order given (the default)
	Weighted   Balance = "weighted"    // by weight, smoothly interleaved
	RoundRobin Balance = "round-robin" // each in turn, whatever its weight
	LeastBusy  Balance = "least-busy"  // the fewest attempts in flight for its weight
	Fastest    Balance = "fastest"     // the quicker of two that are drawn
	Cheapest   Balance = "cheapest"    // the least that the call is expected to cost
	Sticky     Balance = "sticky"      // calls with the same key stay together
	Adaptive   Balance = "adaptive"    // by what is learnt of success, time and cost
)

// Balances are the values that Route.Balance may have.
var Balances = []Balance{Ordered, Weighted, RoundRobin, LeastBusy, Fastest, Cheapest, Sticky, Adaptive}

// Subject is a call that a Plan is made for, as far as a balance must know it.
type Subject interface {
	// Cost is what the call is expected to cost at a candidate, in billionths
	// of the currency. Negative: it is not known.
	Cost(*Candidate) int64
	// Key is a hash that calls have in common which are to stay together by
	// what is said in Route.Sticky. 0: the call has nothing of the kind.
	Key(by string) uint64
}

// rank tells by which balance the route's candidates are tried, and scores
// them where that balance needs it. It changes nothing but the plan.
func (p *Plan) rank(r *Route, now time.Time) {
	p.scores, p.by = p.scores[:0], r.Balance
	if len(r.Candidates) == 1 {
		p.by = Ordered
		return
	}
	if r.Sticky != "" && p.Subject != nil {
		if key := p.Subject.Key(r.Sticky); key != 0 {
			p.by = Sticky
			p.rankByKey(r, key)
			return
		}
	}
	switch p.by {
	case Sticky:
		p.by = Weighted
	case LeastBusy:
		for i := range r.Candidates {
			c := &r.Candidates[i]
			p.scores = append(p.scores, 1/(1+float64(c.Target.InFlight())/float64(c.weight())))
		}
	case Cheapest:
		p.rankByCost(r)
	case Fastest:
		p.draw()
		p.rankBySpeed(r, now)
	case Adaptive:
		p.draw()
		p.rankByReward(r, now)
	}
}

// draw draws the seed, of no more bits than a number in JSON keeps.
func (p *Plan) draw() {
	for p.Seed == 0 {
		p.Seed = rand.Uint64() >> 11
	}
}

// choose picks the candidate to try next among those that are not out, or -1.
func (p *Plan) choose(r *Route) int {
	switch p.by {
	case Ordered:
		return slices.Index(p.out, false)
	case Weighted, RoundRobin, LeastBusy:
		return r.turn(p.out, p.scores, p.by)
	case Fastest:
		i := better(p.out, p.scores, p.Seed)
		r.noteChosen(i)
		return i
	case Adaptive:
		i := best(p.out, p.scores, p.Seed)
		r.noteChosen(i)
		return i
	}
	return best(p.out, p.scores, 0)
}

// turn gives the turn to one of the candidates with the highest score: smooth
// weighted round robin. No scores: all are equal.
func (r *Route) turn(out []bool, scores []float64, by Balance) int {
	top := 0.0
	for i, s := range scores {
		if !out[i] {
			top = max(top, s)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next, total := -1, 0
	for i := range r.Candidates {
		if out[i] || len(scores) > 0 && scores[i] < top {
			continue
		}
		c, weight := &r.Candidates[i], 1
		if by != RoundRobin {
			weight = c.weight()
		}
		c.current += weight
		total += weight
		if next < 0 || c.current > r.Candidates[next].current {
			next = i
		}
	}
	if next >= 0 {
		r.Candidates[next].current -= total
	}
	return next
}

// best is the candidate with the highest score; of equal ones the first from
// where the seed says on.
func best(out []bool, scores []float64, seed uint64) int {
	at, n := -1, len(scores)
	from := int(seed % uint64(n))
	for k := range n {
		i := (from + k) % n
		if !out[i] && (at < 0 || scores[i] > scores[at]) {
			at = i
		}
	}
	return at
}

// unknownCost is the score of a candidate of which nobody knows what it costs:
// it comes last.
const unknownCost = 1e-30

func (p *Plan) rankByCost(r *Route) {
	for i := range r.Candidates {
		score := unknownCost
		if cost := p.cost(&r.Candidates[i]); cost >= 0 {
			score = 1 / (1 + float64(cost))
		}
		p.scores = append(p.scores, score)
	}
}

// cost is what the call is expected to cost at a candidate; negative: unknown.
func (p *Plan) cost(c *Candidate) int64 {
	if p.Subject == nil {
		return -1
	}
	return p.Subject.Cost(c)
}
