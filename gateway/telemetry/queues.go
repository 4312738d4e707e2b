package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice/router"
)

var (
	queueDesc = prometheus.NewDesc("sluice_queue_waiting", "Calls that wait for room at a target, by model.", []string{"model"}, nil)
	// Those that left the queue, and those that it did not take.
	queuedDesc = prometheus.NewDesc("sluice_queue_calls_total",
		"Calls that waited for room, by model and by what became of them: served, expired, left, or full where they were not let wait.",
		[]string{"model", "outcome"}, nil)
	queueWaitDesc = prometheus.NewDesc("sluice_queue_wait_seconds_total", "What calls that were served have waited together.", []string{"model"}, nil)
)

// queues collects the queues of models when they are scraped; nil: there are none.
type queues func(yield func(model string, s *router.QueueStatus))

// Describe is part of prometheus.Collector.
func (q queues) Describe(ch chan<- *prometheus.Desc) {
	ch <- queueDesc
	ch <- queuedDesc
	ch <- queueWaitDesc
}

// Collect is part of prometheus.Collector.
func (q queues) Collect(ch chan<- prometheus.Metric) {
	if q == nil {
		return
	}
	q(func(model string, s *router.QueueStatus) {
		ch <- prometheus.MustNewConstMetric(queueDesc, prometheus.GaugeValue, float64(s.Waiting), model)
		ch <- prometheus.MustNewConstMetric(queueWaitDesc, prometheus.CounterValue, s.Waited, model)
		for _, of := range [...]struct {
			outcome string
			n       int64
		}{{"served", s.Served}, {"full", s.Full}, {"expired", s.Expired}, {"left", s.Left}} {
			ch <- prometheus.MustNewConstMetric(queuedDesc, prometheus.CounterValue, float64(of.n), model, of.outcome)
		}
	})
}
