package alert

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// RuleStatus is a rule and how it stands.
type RuleStatus struct {
	Rule       string     `json:"rule"`
	Kind       string     `json:"kind"`
	Condition  string     `json:"condition"`
	Severity   string     `json:"severity"`
	Summary    string     `json:"summary,omitempty"`
	Receivers  []string   `json:"receivers"`
	State      string     `json:"state"`                 // ok, pending, firing, or unknown: it could not be looked at
	Error      string     `json:"error,omitempty"`       // why it could not
	MutedUntil *time.Time `json:"muted_until,omitempty"` // nobody is told that it fires
	Alerts     []Alert    `json:"alerts"`                // those that hold, and those resolved within a day
}

// Status is how every rule stands, in the order of their names.
func (e *Engine) Status(now time.Time) []RuleStatus {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]RuleStatus, 0, len(e.rules))
	for i := range e.rules {
		r := &e.rules[i]
		s := RuleStatus{Rule: r.Name, Kind: r.Kind, Condition: r.Condition.String(), Severity: r.Severity, Summary: r.Summary,
			Receivers: append([]string{}, r.Deliver...), State: "ok", Error: e.faults[r.Name], Alerts: []Alert{}}
		if until := e.mutedUntil(r); now.Before(until) {
			s.MutedUntil = &until
		}
		for _, a := range e.alerts {
			if a.Rule == r.Name {
				s.Alerts = append(s.Alerts, *a)
			}
		}
		s.order()
		switch {
		case len(s.Alerts) > 0 && s.Alerts[0].State != Resolved:
			s.State = string(s.Alerts[0].State)
		case s.Error != "":
			s.State = "unknown"
		}
		out = append(out, s)
	}
	return out
}

// order puts what fires first, then what is pending, the newest first.
func (s *RuleStatus) order() {
	rank := map[State]int{Firing: 0, Pending: 1, Resolved: 2}
	slices.SortFunc(s.Alerts, func(a, b Alert) int {
		return cmp.Or(cmp.Compare(rank[a.State], rank[b.State]), b.Since.Compare(a.Since), cmp.Compare(labelText(a.Labels), labelText(b.Labels)))
	})
	for i := range s.Alerts {
		if s.Alerts[i].Deliveries == nil {
			s.Alerts[i].Deliveries = map[string]Delivery{}
		}
	}
}

var (
	firingDesc = prometheus.NewDesc("sluice_alerts_firing", "Alerts of a rule that fire.", []string{"rule"}, nil)
	faultDesc  = prometheus.NewDesc("sluice_alert_rule_unknown", "1 while a rule cannot be looked at, else 0.", []string{"rule"}, nil)
)

// Describe implements prometheus.Collector.
func (e *Engine) Describe(ch chan<- *prometheus.Desc) {
	ch <- firingDesc
	ch <- faultDesc
	e.told.Describe(ch)
}

// Collect implements prometheus.Collector.
func (e *Engine) Collect(ch chan<- prometheus.Metric) {
	e.mu.Lock()
	firing, fault := map[string]float64{}, map[string]float64{}
	for i := range e.rules {
		firing[e.rules[i].Name] = 0
		fault[e.rules[i].Name] = 0
	}
	for _, a := range e.alerts {
		if _, known := firing[a.Rule]; known && a.State == Firing {
			firing[a.Rule]++
		}
	}
	for name := range e.faults {
		fault[name] = 1
	}
	e.mu.Unlock()
	for name, n := range firing {
		ch <- prometheus.MustNewConstMetric(firingDesc, prometheus.GaugeValue, n, name)
		ch <- prometheus.MustNewConstMetric(faultDesc, prometheus.GaugeValue, fault[name], name)
	}
	e.told.Collect(ch)
}

// counts are what became of deliveries, by receiver.
type counts struct{ *prometheus.CounterVec }

func newCounts() counts {
	return counts{prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_alert_deliveries_total",
		Help: "Messages about alerts, by receiver and by what became of them: delivered, or failed where they were given up."}, []string{"receiver", "result"})}
}

func (c counts) add(receiver string, ok bool) {
	result := "failed"
	if ok {
		result = "delivered"
	}
	c.WithLabelValues(receiver, result).Inc()
}
