package router

import (
	"encoding/json"
	"time"

	"sluice/providers/schema"
)

// Weighed is a candidate as it was looked at before a call's first attempt.
type Weighed struct {
	Target string  `json:"target"`
	Score  float64 `json:"score"` // share of the calls that the balance gives it, 0 to 1
	State  string  `json:"state"` // ready, half_open, open, cooling or limited
	Why    string  `json:"why"`
}

// Explanation tells which targets were weighed and what came of it: the shape
// of x-sluice-explain.
type Explanation struct {
	Candidates []Weighed `json:"candidates"`
	Chosen     string    `json:"chosen"` // empty: none
	Attempts   []Result  `json:"attempts"`
}

// Explanation is what the plan did so far. Candidates are kept only if
// Plan.Explain was set before Do.
func (p *Plan) Explanation() Explanation {
	e := Explanation{Candidates: p.weighed, Attempts: p.Results}
	if n := len(p.Results); n > 0 && p.Results[n-1].Err == nil {
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

// Preview tells what a call at now would choose among, without making it.
func (r *Route) Preview(now time.Time) Explanation {
	e := Explanation{Candidates: r.explain(nil, now)}
	best := -1.0
	for _, w := range e.Candidates {
		if (w.State == "ready" || w.State == "half_open") && w.Score > best {
			best, e.Chosen = w.Score, w.Target
		}
	}
	return e
}

// explain appends a line for each of the route's candidates.
func (r *Route) explain(to []Weighed, now time.Time) []Weighed {
	total := 0
	taken := false // by the first that is ready, where the order decides
	for i := range r.Candidates {
		if ok, _, _ := r.ready(i, now); ok {
			total += r.Candidates[i].weight()
		}
	}
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
		case r.Balance == Weighted:
			w.Score, w.Why = float64(c.weight())/float64(total), "by weight"
		case !taken:
			w.Score, w.Why, taken = 1, "first in order that can take the call", true
		default:
			w.Why = "later in order"
		}
		if ok && state == HalfOpen {
			w.State = state.String()
		}
		to = append(to, w)
	}
	return to
}

// MarshalJSON writes an attempt as {target, key, status, code, latency_ms}.
func (r Result) MarshalJSON() ([]byte, error) {
	out := struct {
		Target    string      `json:"target"`
		Key       string      `json:"key,omitempty"`
		Status    int         `json:"status"`
		Code      schema.Code `json:"code,omitempty"`
		LatencyMS int64       `json:"latency_ms"`
	}{r.Target.ID, r.Key, 200, "", r.Took.Milliseconds()}
	if r.Err != nil {
		out.Code, out.Status = r.Err.Code, r.Err.UpstreamStatus
	}
	return json.Marshal(out)
}
