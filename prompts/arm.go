package prompts

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"

	"sluice/prompts/ordered"
)

// Splitting says how the calls of a prompt are shared among versions. That of
// the version that production points to counts.
type Splitting struct {
	User   bool   // a user's calls stay together; else those of a key
	Header string // or those with the same value of this header
	// Stop ends the split, production serves all then, once a version other
	// than production has been called Calls times and does worse.
	Stop struct {
		Calls  int64
		Errors float64 // its share of failed calls is above that of production by so much; 0: whatever it is
		Cost   float64 // a call of it costs so many times what one of production does; 0: likewise
		Judge  *Judge  // nil: no judge is asked
	}
}

// leastCalls is how often a version is called before it is judged, if a file
// does not say.
const leastCalls = 100

var splitHeader = regexp.MustCompile(`^header:[A-Za-z0-9-]+$`)

// split reads {by: key|user|header:NAME, stop: {errors: 0.05, cost: 2, calls: 100}}.
func (m *metadata) split(key string, v any) {
	o, ok := v.(ordered.Object)
	if !ok {
		m.fault(key, "must be a mapping such as {by: user, stop: {errors: 0.05}}, not %s", kindOf(v))
		return
	}
	s := &m.t.Sluice.Split
	for _, f := range o {
		switch f.Key {
		case "by":
			word, _ := f.Value.(string)
			switch {
			case word == "user":
				s.User = true
			case splitHeader.MatchString(word):
				s.Header = strings.TrimPrefix(word, "header:")
			case word != "key":
				m.fault(key, "by must be key, user or header:NAME, not %v", f.Value)
			}
		case "stop":
			m.splitStop(key, f.Value)
		default:
			m.fault(key, "unknown key %q%s", f.Key, meant(f.Key, []string{"by", "stop"}))
		}
	}
}

func (m *metadata) splitStop(key string, v any) {
	o, ok := v.(ordered.Object)
	if !ok {
		m.fault(key, "stop must be a mapping such as {errors: 0.05, cost: 2}, not %s", kindOf(v))
		return
	}
	s := &m.t.Sluice.Split.Stop
	s.Calls = leastCalls
	for _, f := range o {
		number, _ := f.Value.(json.Number)
		n, err := number.Float64()
		switch f.Key {
		case "errors":
			if s.Errors = n; err != nil || n <= 0 || n >= 1 {
				m.fault(key, "stop.errors must be a share above 0 and below 1")
			}
		case "cost":
			if s.Cost = n; err != nil || n <= 1 {
				m.fault(key, "stop.cost must be a number above 1: how many times the cost of production")
			}
		case "judge":
			s.Judge = m.judge(key, f.Value)
		case "calls":
			if s.Calls, ok = whole(f.Value); !ok || s.Calls < 1 {
				m.fault(key, "stop.calls must be a whole number from 1 on")
			}
		default:
			m.fault(key, "unknown key %q%s", "stop."+f.Key, meant(f.Key, []string{"errors", "cost", "calls", "judge"}))
		}
	}
}

// Arm is one version of a split: it serves the places from the arm before it up
// to below upTo. Its figures are those since the split began: at start they are
// what the ledger has of it.
type Arm struct {
	Live *Live
	upTo uint64
	of   *sharing

	calls, errors, nanos, judged, good atomic.Int64
}

// Since is when the split began, in Unix nanoseconds.
func (a *Arm) Since() int64 { return a.of.since }

// begin has the arm go on from figures.
func (a *Arm) begin(f ArmFigures) {
	a.calls.Store(f.Calls)
	a.errors.Store(f.Errors)
	a.nanos.Store(f.Nanos)
	a.judged.Store(f.Judged)
	a.good.Store(f.Good)
}

func (a *Arm) figures() ArmFigures {
	return ArmFigures{Version: a.Live.Version, Calls: a.calls.Load(), Errors: a.errors.Load(), Nanos: a.nanos.Load(),
		Judged: a.judged.Load(), Good: a.good.Load()}
}

// Count notes a call that the arm has served, and what it has cost in 1e-9
// dollars. It may stop the split.
func (a *Arm) Count(failed bool, nanos int64) {
	a.nanos.Add(nanos)
	if failed {
		a.errors.Add(1)
	}
	when := &a.of.served.Template.Sluice.Split.Stop
	if n := a.calls.Add(1); when.Calls == 0 || n < when.Calls || a.Live == a.of.served || a.of.stopped.Load() != nil {
		return
	}
	if s := a.worse(a.of.arm(a.of.served.Version)); s != nil {
		a.of.stopped.CompareAndSwap(nil, s)
	}
}

// worse says what is worse about the arm than about production's; nil: nothing
// that counts. Without an arm of production, it has no failed calls.
func (a *Arm) worse(base *Arm) *stop {
	when := &a.of.served.Template.Sluice.Split.Stop
	calls, share := a.calls.Load(), 0.0
	if base != nil && base.calls.Load() > 0 {
		share = float64(base.errors.Load()) / float64(base.calls.Load())
	}
	if own := float64(a.errors.Load()) / float64(calls); when.Errors > 0 && own > share+when.Errors {
		return &stop{StoppedByErrors, fmt.Sprintf("%s failed in %.1f %% of %d calls, production in %.1f %%", a.Live.ID(), own*100, calls, share*100)}
	}
	if base == nil || base.calls.Load() == 0 || base.nanos.Load() == 0 || when.Cost == 0 {
		return nil
	}
	times := float64(a.nanos.Load()) / float64(calls) / (float64(base.nanos.Load()) / float64(base.calls.Load()))
	if times > when.Cost {
		return &stop{StoppedByCost, fmt.Sprintf("a call of %s costs %.2f times one of production, over %d calls", a.Live.ID(), times, calls)}
	}
	return nil
}

// What a split is stopped by.
const (
	StoppedByErrors = "errors"
	StoppedByCost   = "cost"
	StoppedByJudge  = "judge"
)

// SplitReport is how a split goes, or how it ended.
type SplitReport struct {
	Shares  map[int]int  `json:"shares"`
	Arms    []ArmFigures `json:"arms"`
	Stopped string       `json:"stopped,omitempty"` // why it was stopped; empty: it goes on
	By      string       `json:"by,omitempty"`      // what stopped it: one of StoppedBy
}

// ArmFigures are what an arm did since the split began.
type ArmFigures struct {
	Version int   `json:"version"`
	Calls   int64 `json:"calls"`
	Errors  int64 `json:"errors"`
	Judged  int64 `json:"judged"` // answers that a judge has seen
	Good    int64 `json:"good"`   // of these
	Nanos   int64 `json:"-"`      // what the calls have cost, in 1e-9 dollars
}

func (sp *sharing) report() *SplitReport {
	r := &SplitReport{Shares: sp.shares}
	if s := sp.stopped.Load(); s != nil {
		r.Stopped, r.By = s.why, s.by
	}
	for _, a := range sp.arms {
		r.Arms = append(r.Arms, a.figures())
	}
	return r
}

// SplitReport is how the split of a prompt goes, or how the one ended that was
// stopped last; nil: there is none to tell of.
func (r *Registry) SplitReport(name string) *SplitReport {
	if sp := r.Snapshot().splits[name]; sp != nil {
		return sp.report()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended[name]
}

// EndStopped ends in the store the splits that have stopped, and gives how they
// went, by name. Their calls go to production already; Refresh forgets them.
func (r *Registry) EndStopped(ctx context.Context) (map[string]*SplitReport, error) {
	var ended map[string]*SplitReport
	for name, sp := range r.Snapshot().splits {
		if sp.stopped.Load() == nil {
			continue
		}
		report := sp.report()
		if err := r.Splits.StopSplit(ctx, name, report); err != nil {
			return ended, fmt.Errorf("cannot end the split of prompt %q: %w", name, err)
		}
		if ended == nil {
			ended = map[string]*SplitReport{}
		}
		ended[name] = report
		r.mu.Lock()
		r.ended[name] = report
		r.mu.Unlock()
	}
	return ended, nil
}
