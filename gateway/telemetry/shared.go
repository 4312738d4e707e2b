package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice/gateway/shared"
)

var (
	sharedUpDesc     = prometheus.NewDesc("sluice_cache_shared_up", "1 while the Redis that replicas share answers in is in use.", nil, nil)
	sharedAskedDesc  = prometheus.NewDesc("sluice_cache_shared_lookups_total", "Answers that were looked for in Redis, by result: hit, miss or error.", []string{"result"}, nil)
	sharedWritesDesc = prometheus.NewDesc("sluice_cache_shared_writes_total", "Answers that were for Redis, by result: stored or lost.", []string{"result"}, nil)
	sharedPurgesDesc = prometheus.NewDesc("sluice_cache_shared_purges_total", "Purges that this replica heard of, by result: done, or refused as not understood.", []string{"result"}, nil)
)

// Shared collects how a level stands that replicas share.
func Shared(l *shared.Level) prometheus.Collector { return level{l} }

// level collects how the level stands that replicas share, when it is scraped.
type level struct{ of *shared.Level }

// Describe is part of prometheus.Collector.
func (l level) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sharedUpDesc, sharedAskedDesc, sharedWritesDesc, sharedPurgesDesc} {
		ch <- d
	}
}

// Collect is part of prometheus.Collector.
func (l level) Collect(ch chan<- prometheus.Metric) {
	f := l.of.Figures()
	count := func(d *prometheus.Desc, n int64, result string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), result)
	}
	up := 0.0
	if f.Up {
		up = 1
	}
	ch <- prometheus.MustNewConstMetric(sharedUpDesc, prometheus.GaugeValue, up)
	count(sharedAskedDesc, f.Hits, "hit")
	count(sharedAskedDesc, f.Misses, "miss")
	count(sharedAskedDesc, f.Errors, "error")
	count(sharedWritesDesc, f.Stored, "stored")
	count(sharedWritesDesc, f.Lost, "lost")
	count(sharedPurgesDesc, f.Purges, "done")
	count(sharedPurgesDesc, f.Refused, "refused")
}
