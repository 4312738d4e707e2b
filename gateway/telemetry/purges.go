package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice/gateway/purge"
)

var (
	purgeUpDesc     = prometheus.NewDesc("sluice_cache_events_up", "1 while purges by other systems are heard of, by where: nats or amqp.", []string{"source"}, nil)
	purgeEventsDesc = prometheus.NewDesc("sluice_cache_events_total", "Purges by other systems that this replica heard of, by result: done, or refused as not understood.", []string{"source", "result"}, nil)
)

// Purges collects how the sources stand by which other systems purge.
func Purges(l *purge.Listener) prometheus.Collector { return purges{l} }

type purges struct{ by *purge.Listener }

// Describe is part of prometheus.Collector.
func (p purges) Describe(ch chan<- *prometheus.Desc) {
	ch <- purgeUpDesc
	ch <- purgeEventsDesc
}

// Collect is part of prometheus.Collector.
func (p purges) Collect(ch chan<- prometheus.Metric) {
	for _, f := range p.by.Figures() {
		up := 0.0
		if f.Up {
			up = 1
		}
		ch <- prometheus.MustNewConstMetric(purgeUpDesc, prometheus.GaugeValue, up, f.Source)
		ch <- prometheus.MustNewConstMetric(purgeEventsDesc, prometheus.CounterValue, float64(f.Purges), f.Source, "done")
		ch <- prometheus.MustNewConstMetric(purgeEventsDesc, prometheus.CounterValue, float64(f.Refused), f.Source, "refused")
	}
}
