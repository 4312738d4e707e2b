package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice/gateway/guard"
)

// guards collects what every guard did. Their names are the configuration's.
type guards struct {
	read func(yield func(name string, f *guard.Figures))
}

var (
	guardChecked = guardDesc("checked", "Requests and answers that a guard looked at.")
	guardDenied  = guardDesc("denied", "Of them, those that it denied, or would have in a dry run.")
	guardMasked  = guardDesc("masked", "Places that it masked and texts that it replaced, or would have in a dry run.")
	guardFailed  = guardDesc("failed", "Requests and answers about which its webhook or model did not decide.")
)

func guardDesc(what, help string) *prometheus.Desc {
	return prometheus.NewDesc("sluice_guard_"+what+"_total", help, []string{"guard"}, nil)
}

// Describe implements prometheus.Collector.
func (g guards) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{guardChecked, guardDenied, guardMasked, guardFailed} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g guards) Collect(ch chan<- prometheus.Metric) {
	if g.read == nil {
		return
	}
	g.read(func(name string, f *guard.Figures) {
		for _, m := range []struct {
			desc *prometheus.Desc
			n    int64
		}{{guardChecked, f.Checked.Load()}, {guardDenied, f.Denied.Load()}, {guardMasked, f.Masked.Load()}, {guardFailed, f.Failed.Load()}} {
			ch <- prometheus.MustNewConstMetric(m.desc, prometheus.CounterValue, float64(m.n), name)
		}
	})
}
