package telemetry

import "github.com/prometheus/client_golang/prometheus"

// places collects whether the providers pass their health checks.
type places struct {
	each func(yield func(provider string, healthy bool))
}

var healthDesc = prometheus.NewDesc("sluice_provider_healthy", "Whether a provider passes its health checks: 0 or 1.", []string{"provider"}, nil)

// Describe implements prometheus.Collector.
func (p places) Describe(ch chan<- *prometheus.Desc) { ch <- healthDesc }

// Collect implements prometheus.Collector.
func (p places) Collect(ch chan<- prometheus.Metric) {
	if p.each == nil {
		return
	}
	p.each(func(provider string, healthy bool) {
		value := 0.0
		if healthy {
			value = 1
		}
		ch <- prometheus.MustNewConstMetric(healthDesc, prometheus.GaugeValue, value, provider)
	})
}
