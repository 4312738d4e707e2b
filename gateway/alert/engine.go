package alert

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// State is where an alert stands.
type State string

// The states.
const (
	Pending  State = "pending" // it holds, but not for the rule's time yet
	Firing   State = "firing"
	Resolved State = "resolved"
)

// Alert is a rule that holds for one set of labels, or held.
type Alert struct {
	Rule      string            `json:"rule"`
	Kind      string            `json:"kind"`
	Severity  string            `json:"severity"`
	Summary   string            `json:"summary,omitempty"`
	Condition string            `json:"condition"`
	Labels    map[string]string `json:"labels"`
	State     State             `json:"state"`
	Value     float64           `json:"value"`
	Text      string            `json:"text"` // the value and its bound, for people
	Since     time.Time         `json:"since"`
	Fired     time.Time         `json:"fired,omitzero"`
	Resolved  time.Time         `json:"resolved,omitzero"`
	// Deliveries are the last to each receiver. A map that was handed out is not
	// changed.
	Deliveries map[string]Delivery `json:"deliveries"`

	receivers []string
}

// Delivery is what a receiver was told last, or could not be.
type Delivery struct {
	Event State     `json:"event"` // firing or resolved
	At    time.Time `json:"at"`
	Error string    `json:"error,omitempty"` // why it was given up; it is begun anew later
}

func (a *Alert) id() string { return a.Rule + "{" + labelText(a.Labels) + "}" }

// Title is an alert in a line.
func (a *Alert) Title() string {
	text := a.Rule
	if len(a.Labels) > 0 {
		text += " (" + labelText(a.Labels) + ")"
	}
	return text
}

// keepResolved is how long alerts are still shown, and their end still owed to
// receivers, after it.
const keepResolved = 24 * time.Hour

// again is how long after a delivery was given up it is begun anew.
const again = 5 * time.Minute

// Engine looks at rules and keeps their alerts. Its methods are safe for
// concurrent use; Tick is for one goroutine.
type Engine struct {
	source Source
	shelf  Shelf
	log    *slog.Logger
	told   counts

	sampler sampler // Tick's

	keeping sync.Mutex // taken before mu
	shelved []byte     // what the shelf has
	lost    bool       // another replica has kept something since this one took over

	mu        sync.Mutex
	rules     []Rule
	receivers map[string]Receiver
	alerts    map[string]*Alert
	faults    map[string]string // why rules could not be looked at
	muted     map[string]time.Time
	flying    map[string]bool // deliveries under way, by alert and receiver
	changed   bool            // since alerts were kept
	term      string          // of what is kept for all replicas
}

// New reads the alerts that were kept, if no other replica may look at them now.
// What it cannot read it tells of, and begins without.
func New(source Source, shelf Shelf, log *slog.Logger) *Engine {
	e := &Engine{source: source, shelf: shelf, log: log, told: newCounts(), alerts: map[string]*Alert{}, faults: map[string]string{},
		muted: map[string]time.Time{}, flying: map[string]bool{}}
	if shelf.Shared {
		return e
	}
	if err := e.recall(context.Background()); err != nil {
		log.Error("alerts of the last run are not known", "error", err)
	}
	return e
}

// Set puts rules and receivers in force. Alerts of rules that are no more are
// resolved at the next Tick.
func (e *Engine) Set(rules []Rule, receivers map[string]Receiver) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rules, e.receivers = rules, receivers
}

// Tick looks at every rule, and gives what is to be delivered now.
func (e *Engine) Tick(ctx context.Context, now time.Time) []Notice {
	if e.shelf.Shared {
		e.keeping.Lock()
		e.catchUp(ctx) // what was muted at another replica
		e.keeping.Unlock()
	}
	e.mu.Lock()
	rules := e.rules
	e.mu.Unlock()
	if err := e.sample(rules, now); err != nil {
		e.log.Error("cannot read metrics for alerts", "error", err)
	}
	r := &reader{Source: &e.source, now: now, sampler: &e.sampler, asked: asked{}}
	for i := range rules {
		list, err := rules[i].Condition.read(ctx, r, &rules[i])
		if ctx.Err() != nil {
			return nil
		}
		e.judge(&rules[i], list, err, now)
	}
	notices := e.settle(now)
	e.keep(ctx)
	return notices
}

func (e *Engine) settle(now time.Time) []Notice {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sweep(now)
	return e.owed(now)
}

// sample reads the metrics that rules need; without such rules there is nothing
// to keep.
func (e *Engine) sample(rules []Rule, now time.Time) error {
	families := map[string]bool{}
	for i := range rules {
		if t, ok := rules[i].Condition.(*Threshold); ok && !OfLedger(t.Figure, rules[i].ofRoute()) {
			families[figureOf(&rules[i], t.Figure).family] = true
		}
	}
	if len(families) == 0 {
		e.sampler = sampler{}
		return nil
	}
	gathered, err := e.source.Gather()
	e.sampler.take(gathered, families, now)
	return err
}

// judge brings the alerts of a rule to what was read. A rule that could not be
// looked at leaves its alerts as they are.
func (e *Engine) judge(rule *Rule, list []Reading, err error, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		if e.faults[rule.Name] == "" {
			e.log.Error("an alert rule cannot be looked at", "rule", rule.Name, "error", err)
		}
		e.faults[rule.Name] = err.Error()
		return
	}
	delete(e.faults, rule.Name)
	holds := map[string]bool{}
	for i := range list {
		if list[i].Holds {
			id := (&Alert{Rule: rule.Name, Labels: list[i].Labels}).id()
			holds[id] = true
			e.hold(id, rule, &list[i], now)
		}
	}
	for id, a := range e.alerts {
		if a.Rule == rule.Name && !holds[id] {
			e.end(id, a, now)
		}
	}
}

// hold keeps an alert, or begins it.
func (e *Engine) hold(id string, rule *Rule, reading *Reading, now time.Time) {
	a := e.alerts[id]
	if a == nil || a.State == Resolved {
		a = &Alert{Rule: rule.Name, Labels: reading.Labels, State: Pending, Since: now}
		e.alerts[id] = a
		e.changed = true
	}
	a.Kind, a.Severity, a.Summary, a.Condition, a.receivers = rule.Kind, rule.Severity, rule.Summary, rule.Condition.String(), rule.Deliver
	a.Value, a.Text = reading.Value, reading.Text
	if a.State == Pending && now.Sub(a.Since) >= rule.For {
		a.State, a.Fired, e.changed = Firing, now, true
		e.log.Warn("an alert fires", "rule", a.Rule, "labels", labelText(a.Labels), "text", a.Text)
	}
}

// end resolves an alert; one that never fired is forgotten.
func (e *Engine) end(id string, a *Alert, now time.Time) {
	switch a.State {
	case Pending:
		delete(e.alerts, id)
	case Firing:
		a.State, a.Resolved = Resolved, now
		e.log.Info("an alert is resolved", "rule", a.Rule, "labels", labelText(a.Labels))
	case Resolved:
		return
	}
	e.changed = true
}

// sweep ends the alerts of rules that are no more, and forgets what is long over.
func (e *Engine) sweep(now time.Time) {
	for id, a := range e.alerts {
		if !slices.ContainsFunc(e.rules, func(r Rule) bool { return r.Name == a.Rule }) {
			e.end(id, a, now)
		}
		if a.State == Resolved && now.Sub(a.Resolved) >= keepResolved {
			delete(e.alerts, id)
			e.changed = true
		}
	}
	for rule, until := range e.muted {
		if !now.Before(until) {
			delete(e.muted, rule)
			e.changed = true
		}
	}
	maps.DeleteFunc(e.faults, func(name, _ string) bool {
		return !slices.ContainsFunc(e.rules, func(r Rule) bool { return r.Name == name })
	})
}

// owed is what receivers have not been told yet, or must be told again.
func (e *Engine) owed(now time.Time) []Notice {
	rules := map[string]*Rule{}
	for i := range e.rules {
		rules[e.rules[i].Name] = &e.rules[i]
	}
	var out []Notice
	for _, id := range slices.Sorted(maps.Keys(e.alerts)) {
		a := e.alerts[id]
		for _, name := range slices.Sorted(maps.Keys(a.concerned())) {
			receiver, known := e.receivers[name]
			if !known || e.flying[id+" "+name] || !a.due(name, rules[a.Rule], e.mutedUntil(rules[a.Rule]), now) {
				continue
			}
			e.flying[id+" "+name] = true
			shown := *a
			out = append(out, Notice{Event: a.State, Receiver: name, Alert: shown, Time: now, to: receiver, of: a})
		}
	}
	return out
}

// concerned are the receivers of an alert, and those who were told of it before
// the rule changed.
func (a *Alert) concerned() map[string]bool {
	out := map[string]bool{}
	for _, name := range a.receivers {
		out[name] = true
	}
	for name := range a.Deliveries {
		out[name] = true
	}
	return out
}

// due tells whether a receiver must be told how the alert stands.
func (a *Alert) due(receiver string, rule *Rule, muted, now time.Time) bool {
	last, told := a.Deliveries[receiver]
	failed := told && last.Error != ""
	switch {
	case a.State == Firing && (rule == nil || now.Before(muted) || !slices.Contains(rule.Deliver, receiver)):
		return false
	case a.State == Firing && failed:
		return now.Sub(last.At) >= again
	case a.State == Firing:
		return !told || rule.Repeat > 0 && now.Sub(last.At) >= rule.Repeat
	case a.State == Resolved && failed:
		return last.Event == Resolved && now.Sub(last.At) >= again
	case a.State == Resolved:
		return told && last.Event == Firing
	}
	return false
}

func (e *Engine) mutedUntil(rule *Rule) time.Time {
	if rule == nil {
		return time.Time{}
	}
	if until := e.muted[rule.Name]; until.After(rule.MuteUntil) {
		return until
	}
	return rule.MuteUntil
}

// Done says what became of a notice of Tick.
func (e *Engine) Done(n *Notice, now time.Time, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.flying, n.of.id()+" "+n.Receiver)
	d := Delivery{Event: n.Event, At: now}
	if err != nil {
		d.Error = err.Error()
		e.log.Error("an alert could not be delivered", "rule", n.Alert.Rule, "labels", labelText(n.Alert.Labels), "receiver", n.Receiver,
			"event", string(n.Event), "error", err)
	}
	e.told.add(n.Receiver, err == nil)
	next := maps.Clone(n.of.Deliveries)
	if next == nil {
		next = map[string]Delivery{}
	}
	// A repeated message that was given up does not undo the first: its end is
	// still owed.
	if last, told := next[n.Receiver]; err != nil && n.Event == Firing && told && last.Error == "" {
		d = Delivery{Event: Firing, At: now}
	}
	next[n.Receiver] = d
	n.of.Deliveries, e.changed = next, true
}
