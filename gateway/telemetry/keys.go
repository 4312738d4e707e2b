package telemetry

import "github.com/prometheus/client_golang/prometheus"

// keys collects a figure of each of the providers' keys, by two labels.
type keys struct {
	desc *prometheus.Desc
	each func(yield func(of, key string, value float64)) // nil: there are none
}

var (
	keyBreakerDesc = prometheus.NewDesc("sluice_key_breaker_state",
		"The breaker of a provider's key at a target: 0 closed, 1 half open, 2 open.", []string{"target", "key"}, nil)
	keyCoolingDesc = prometheus.NewDesc("sluice_key_cooling",
		"Whether a provider's key rests, at every target or at one: 0 or 1.", []string{"provider", "key"}, nil)
)

// Describe sends the one description.
func (k keys) Describe(ch chan<- *prometheus.Desc) { ch <- k.desc }

// Collect asks for the figures. Keys that are shown alike are one series, of
// the greatest.
func (k keys) Collect(ch chan<- prometheus.Metric) {
	if k.each == nil {
		return
	}
	series := map[[2]string]float64{}
	k.each(func(of, key string, value float64) {
		at := [2]string{of, key}
		series[at] = max(series[at], value)
	})
	for at, value := range series {
		ch <- prometheus.MustNewConstMetric(k.desc, prometheus.GaugeValue, value, at[0], at[1])
	}
}
