package alert

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Rule is one thing to look for. It is not changed once it is in force.
type Rule struct {
	Name      string
	Kind      string // threshold, burn_rate, budget or anomaly
	Severity  string // critical or warning
	Summary   string // what it means and what to do, for who is told; may be empty
	Scope     Scope
	Each      string // a word of Each: an alert of its own for each; empty: one for all
	For       time.Duration
	Repeat    time.Duration // until it is told again while it fires; 0: never
	Deliver   []string      // receivers
	MuteUntil time.Time
	Condition Condition
}

// Scope narrows what a rule looks at; an empty field is everything.
type Scope struct {
	Team, Key, Model, Provider, Target, Prompt, Route string
}

// Each are the words that a rule may be split by.
var Each = []string{"team", "key", "model", "provider", "target", "prompt", "route"}

// labels are what the scope narrows to, by the words of Each.
func (s *Scope) labels() map[string]string {
	out := map[string]string{}
	for name, value := range map[string]string{"team": s.Team, "key": s.Key, "model": s.Model, "provider": s.Provider,
		"target": s.Target, "prompt": s.Prompt, "route": s.Route} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

// Reading is what a condition found for one set of labels.
type Reading struct {
	Labels map[string]string
	Value  float64
	Text   string // the value and its bound, for people
	Holds  bool
}

// Condition is what a rule looks for: *Threshold, *Burn, *Budget or *Anomaly.
type Condition interface {
	String() string // in a few words
	read(ctx context.Context, r *reader, rule *Rule) ([]Reading, error)
}

// labelText is labels in the order of their names: model=fast, team=a.
func labelText(labels map[string]string) string {
	parts := make([]string, 0, len(labels))
	for name, value := range labels {
		parts = append(parts, name+"="+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// ofRoute tells whether the rule looks at routes of the classic gateway.
func (r *Rule) ofRoute() bool { return r.Scope.Route != "" || r.Each == "route" }
