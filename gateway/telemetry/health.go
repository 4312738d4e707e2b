package telemetry

import "github.com/prometheus/client_golang/prometheus"

// places collects whether places, providers or targets of routes, pass their
// health checks.
type places struct {
	desc *prometheus.Desc
	each func(yield func(name string, healthy bool))
}

var (
	healthDesc       = prometheus.NewDesc("sluice_provider_healthy", "Whether a provider passes its health checks: 0 or 1.", []string{"provider"}, nil)
	targetHealthDesc = prometheus.NewDesc("sluice_target_healthy", "Whether a target of a route passes its health checks: 0 or 1.", []string{"target"}, nil)
)

// Describe implements prometheus.Collector.
func (p places) Describe(ch chan<- *prometheus.Desc) { ch <- p.desc }

// Collect implements prometheus.Collector.
func (p places) Collect(ch chan<- prometheus.Metric) {
	if p.each == nil {
		return
	}
	p.each(func(name string, healthy bool) {
		value := 0.0
		if healthy {
			value = 1
		}
		ch <- prometheus.MustNewConstMetric(p.desc, prometheus.GaugeValue, value, name)
	})
}
