package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice/router/discovery"
)

// registries collects how the registries stand that name the targets of routes.
type registries struct {
	each func(yield func(route string, s discovery.Status))
}

var (
	endpointsDesc = prometheus.NewDesc("sluice_discovery_endpoints", "Targets that a route's registry names.", []string{"route", "registry"}, nil)
	currentDesc   = prometheus.NewDesc("sluice_discovery_current", "Whether a route's registry answers: 0 where its targets are those that were known last, or none.", []string{"route", "registry"}, nil)
	changesDesc   = prometheus.NewDesc("sluice_discovery_changes_total", "Changes of the targets that a route's registry names.", []string{"route", "registry"}, nil)
)

// Describe implements prometheus.Collector.
func (r registries) Describe(ch chan<- *prometheus.Desc) {
	ch <- endpointsDesc
	ch <- currentDesc
	ch <- changesDesc
}

// Collect implements prometheus.Collector.
func (r registries) Collect(ch chan<- prometheus.Metric) {
	if r.each == nil {
		return
	}
	r.each(func(route string, s discovery.Status) {
		current := 0.0
		if s.State == discovery.Current {
			current = 1
		}
		ch <- prometheus.MustNewConstMetric(endpointsDesc, prometheus.GaugeValue, float64(s.Endpoints), route, s.Registry)
		ch <- prometheus.MustNewConstMetric(currentDesc, prometheus.GaugeValue, current, route, s.Registry)
		ch <- prometheus.MustNewConstMetric(changesDesc, prometheus.CounterValue, float64(s.Changes), route, s.Registry)
	})
}
