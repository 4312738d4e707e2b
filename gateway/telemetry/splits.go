package telemetry

import "github.com/prometheus/client_golang/prometheus"

// splitSeries are those of prompts whose calls several versions share.
type splitSeries struct{ judged, stopped *prometheus.CounterVec }

func newSplitSeries() splitSeries {
	return splitSeries{
		judged: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_prompt_judged_total",
			Help: "Answers of a prompt's split that a judge was to see, by what it said: good, bad, failed (it gave no answer) or dropped (for want of room)."}, []string{"prompt", "verdict"}),
		stopped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_prompt_split_stops_total",
			Help: "Splits of a prompt that were stopped, by what for: errors, cost or judge."}, []string{"prompt", "by"}),
	}
}

// Judged counts an answer that a judge was to see.
func (m *Metrics) Judged(prompt, verdict string) {
	m.splits.judged.WithLabelValues(prompt, verdict).Inc()
}

// SplitStopped counts a split that was stopped.
func (m *Metrics) SplitStopped(prompt, by string) {
	m.splits.stopped.WithLabelValues(prompt, by).Inc()
}
