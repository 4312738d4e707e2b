package telemetry

import "github.com/prometheus/client_golang/prometheus"

var lossDesc = prometheus.NewDesc("sluice_log_dropped_total",
	"What was told of calls and lost to a sink that does not take it, or not fast enough: lines, records, spans, bodies.", []string{"sink"}, nil)

// losses collects what sinks have lost when it is scraped; nil: there are none.
type losses func(yield func(sink string, n int64))

// Describe is part of prometheus.Collector.
func (l losses) Describe(ch chan<- *prometheus.Desc) { ch <- lossDesc }

// Collect is part of prometheus.Collector.
func (l losses) Collect(ch chan<- prometheus.Metric) {
	if l == nil {
		return
	}
	l(func(sink string, n int64) {
		ch <- prometheus.MustNewConstMetric(lossDesc, prometheus.CounterValue, float64(n), sink)
	})
}
