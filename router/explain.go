package router

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"sluice/providers/schema"
)

// Weighed is a candidate as it was looked at before a call's first attempt.
type Weighed struct {
	Target string  `json:"target"`
	Score  float64 `json:"score"` // 0: it is not weighed; else the highest is tried first, or what share of calls it has
	State  string  `json:"state"` // ready, half_open, open, cooling, unhealthy or limited
	Why    string  `json:"why"`
}

// Explanation tells which targets were weighed and what came of it: the shape
// of x-sluice-explain.
type Explanation struct {
	// Seed is what Route.Replay draws with; 0: nothing was drawn.
	Seed       uint64    `json:"seed,omitempty"`
	Candidates []Weighed `json:"candidates"`
	Chosen     string    `json:"chosen"` // empty: none
	Attempts   []Result  `json:"attempts"`
}

// Explanation is what the plan did so far. Candidates are kept only if
// Plan.Explain was set before Do.
func (p *Plan) Explanation() Explanation {
	e := Explanation{Seed: p.Seed, Candidates: p.weighed, Attempts: p.Results}
	if n := p.last().N; n > 0 && n <= len(p.Results) && p.Results[n-1].Err == nil {
		e.Chosen = p.Results[n-1].Target.ID
	}
	return e
}

// explainRefusal notes that Admit refused a candidate, where it was weighed
// last.
func (p *Plan) explainRefusal(c *Candidate, err *schema.Error) {
	for i := len(p.weighed) - 1; i >= 0; i-- {
		if w := &p.weighed[i]; w.Target == c.Target.ID {
			w.State, w.Score, w.Why = "limited", 0, err.Message
			return
		}
	}
}

// Replay tells which target a decision took first, by the seed and the
// candidates of its explanation alone; empty: none, or whose turn it was decided.
func (r *Route) Replay(seed uint64, weighed []Weighed) string {
	n := min(len(r.Candidates), len(weighed)) // the rest are of fallbacks
	out, scores := make([]bool, n), make([]float64, n)
	for i := range n {
		out[i], scores[i] = weighed[i].Score == 0, weighed[i].Score
	}
	at := -1
	switch {
	case n == 0:
	case r.Balance == Fastest && seed != 0:
		at = better(out, scores, seed)
	case r.Balance != Weighted && r.Balance != RoundRobin && r.Balance != LeastBusy:
		at = best(out, scores, seed)
	}
	if at < 0 {
		return ""
	}
	return r.Candidates[at].Target.ID
}

// Preview tells what the call would choose among now, without making it.
func (p *Plan) Preview() Explanation {
	if p.Clock == nil {
		p.Clock = &realClock
	}
	p.weighed, p.Explain = p.weighed[:0], true
	p.weigh(p.Route, p.Clock.Now())
	e := Explanation{Seed: p.Seed, Candidates: p.weighed}
	most := 0.0
	for _, w := range e.Candidates {
		if w.Score > most {
			most, e.Chosen = w.Score, w.Target
		}
	}
	return e
}

// explain appends a line for each of the route's candidates, which are ranked.
func (p *Plan) explain(to []Weighed, r *Route, now time.Time) []Weighed {
	total := 0
	for i := range r.Candidates {
		if !p.out[i] {
			total += r.Candidates[i].weight()
		}
	}
	taken := false // by the first that is ready, where the order decides
	for i := range r.Candidates {
		c := &r.Candidates[i]
		ok, wait, cooling := r.ready(i, now)
		w := Weighed{Target: c.Target.ID, State: "ready"}
		state, mode, _ := c.Target.breaker.look(now)
		switch {
		case cooling && c.Target.rested(now, len(r.Candidates) == 1) > 0:
			w.State, w.Why = "cooling", "its provider asked for a rest, which lasts "+wait.Round(time.Second).String()
		case cooling:
			w.State, w.Why = "cooling", "all its keys cool down, the first for "+wait.Round(time.Second).String()
		case !ok && mode == ForceOpen:
			w.State, w.Why = "open", "an operator took it out"
		case !ok:
			w.State, w.Why = state.String(), "its breaker is "+state.String()+" for "+wait.Round(time.Second).String()
			if c.Target.breaker.elsewhere() {
				w.Why += ", for what another replica has found"
			}
		case p.out[i] && c.Health.Down():
			w.State, w.Why = unhealthy, c.Health.why()
		case p.out[i]:
			w.State, w.Why = "tried", "it was asked before in this call"
		case p.by != Ordered:
			w.Score, w.Why = p.why(r, i, total)
		case !taken:
			w.Score, w.Why, taken = 1, "first in order that can take the call", true
		default:
			w.Why = "later in order"
		}
		switch {
		case ok && state == HalfOpen:
			w.State = state.String()
		case ok && !p.out[i] && c.Health.Down():
			w.State = unhealthy
			w.Why += "; " + c.Health.why() + ", but nothing healthy is left"
		}
		to = append(to, w)
	}
	return to
}

// why is the score of a candidate that can take the call, and what it is made
// of. total is the weight of all that can.
func (p *Plan) why(r *Route, i, total int) (float64, string) {
	c := &r.Candidates[i]
	ready := 0
	for _, out := range p.out {
		if !out {
			ready++
		}
	}
	switch p.by {
	case Weighted:
		say := "by weight"
		if r.Balance == Sticky {
			say = "by weight: the call has no " + r.Sticky + " to stay by"
		}
		return float64(c.weight()) / float64(max(total, 1)), say
	case RoundRobin:
		return 1 / float64(max(ready, 1)), "each in turn"
	case LeastBusy:
		return p.scores[i], fmt.Sprintf("%d in flight for a weight of %d", c.Target.InFlight(), c.weight())
	case Cheapest:
		return p.scores[i], "the call " + p.costText(c)
	case Sticky:
		place := 1
		for j, s := range p.scores {
			if s > p.scores[i] || s == p.scores[i] && j < i {
				place++
			}
		}
		return p.scores[i], fmt.Sprintf("%d in the order of the call's %s", place, r.Sticky)
	}
	return p.scores[i], p.learntText(r, c)
}

func (p *Plan) costText(c *Candidate) string {
	cost := p.cost(c)
	if cost < 0 {
		return "has no known cost"
	}
	return "costs about " + strconv.FormatFloat(float64(cost)/1e9, 'f', -1, 64)
}

// learntText is what is known of a candidate's target.
func (p *Plan) learntText(r *Route, c *Candidate) string {
	l := &c.Target.learnt
	read := (*gauge).top
	if p.by == Adaptive {
		read = (*gauge).avg
	}
	say := "not tried yet"
	if seconds, known := l.time(p.Late, r.size(), read); known {
		say = fmt.Sprintf("answers in %.3fs", seconds)
		if begun := l.first.known(); begun && p.Late {
			say += fmt.Sprintf(", of which %.3fs to the first byte", read(&l.first))
		}
	}
	if p.by == Fastest {
		return say + fmt.Sprintf(", %d in flight", c.Target.InFlight())
	}
	if l.fine.known() {
		say += fmt.Sprintf(", %.1f%% go well", 100*l.fine.avg())
	}
	r.mu.Lock()
	n := c.pulls.now(r.calls.Load())
	r.mu.Unlock()
	return say + ", " + p.costText(c) + fmt.Sprintf(", chosen %.1f times of late", n)
}

// MarshalJSON writes an attempt as {target, key, status, code, latency_ms, hedge},
// for callers too.
func (r Result) MarshalJSON() ([]byte, error) {
	out := struct {
		Target    string      `json:"target"`
		Key       string      `json:"key,omitempty"`
		Status    int         `json:"status"`
		Code      schema.Code `json:"code,omitempty"`
		LatencyMS int64       `json:"latency_ms"`
		Hedge     bool        `json:"hedge,omitempty"`
	}{r.Target.ID, "", 200, "", r.Took.Milliseconds(), r.Hedge}
	if r.Secret != nil {
		out.Key = r.Secret.told()
	}
	if r.Err != nil {
		out.Code, out.Status = r.Err.Code, r.Err.UpstreamStatus
	}
	return json.Marshal(out)
}
