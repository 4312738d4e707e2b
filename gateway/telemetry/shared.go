package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice/billing/lease"
	"sluice/gateway/shared"
)

var (
	sharedUpDesc     = prometheus.NewDesc("sluice_cache_shared_up", "1 while the Redis or memcached that replicas share answers in is in use.", nil, nil)
	sharedAskedDesc  = prometheus.NewDesc("sluice_cache_shared_lookups_total", "Answers that were looked for there, by result: hit, miss or error.", []string{"result"}, nil)
	sharedWritesDesc = prometheus.NewDesc("sluice_cache_shared_writes_total", "Answers that were for it, by result: stored or lost.", []string{"result"}, nil)
	sharedPurgesDesc = prometheus.NewDesc("sluice_cache_shared_purges_total", "Purges that this replica heard of, by result: done, or refused as not understood.", []string{"result"}, nil)
	leaseAskedDesc   = prometheus.NewDesc("sluice_limits_shared_exchanges_total", "Commands to Redis that took or gave back permits of limits, by result: done or failed.", []string{"result"}, nil)
	leaseAloneDesc   = prometheus.NewDesc("sluice_limits_shared_alone_total", "Permits that calls went on without, by this replica's own limits, because Redis could not be asked in time.", nil, nil)
	newsUpDesc       = prometheus.NewDesc("sluice_health_shared_up", "1 while replicas tell each other which keys and targets are out.", nil, nil)
	newsDesc         = prometheus.NewDesc("sluice_health_shared_news_total", "What keys and targets are out, or are back: told to other replicas, heard of them, or lost because Redis was away or slow.", []string{"result"}, nil)
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

// Leases collects how the limits fare that replicas share.
func Leases(b *lease.Broker) prometheus.Collector { return leases{b} }

// leases collects that when it is scraped.
type leases struct{ of *lease.Broker }

// Describe is part of prometheus.Collector.
func (l leases) Describe(ch chan<- *prometheus.Desc) {
	ch <- leaseAskedDesc
	ch <- leaseAloneDesc
}

// Collect is part of prometheus.Collector.
func (l leases) Collect(ch chan<- prometheus.Metric) {
	f := l.of.Figures()
	count := func(d *prometheus.Desc, n int64, result ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), result...)
	}
	count(leaseAskedDesc, f.Answered, "done")
	count(leaseAskedDesc, f.Failed, "failed")
	count(leaseAloneDesc, f.Alone)
}

// News collects how replicas tell each other what is out.
func News(n *shared.News) prometheus.Collector { return news{n} }

// news collects that when it is scraped.
type news struct{ of *shared.News }

// Describe is part of prometheus.Collector.
func (n news) Describe(ch chan<- *prometheus.Desc) {
	ch <- newsUpDesc
	ch <- newsDesc
}

// Collect is part of prometheus.Collector.
func (n news) Collect(ch chan<- prometheus.Metric) {
	f := n.of.Figures()
	up := 0.0
	if f.Up {
		up = 1
	}
	ch <- prometheus.MustNewConstMetric(newsUpDesc, prometheus.GaugeValue, up)
	for result, count := range map[string]int64{"told": f.Told, "heard": f.Heard, "lost": f.Lost} {
		ch <- prometheus.MustNewConstMetric(newsDesc, prometheus.CounterValue, float64(count), result)
	}
}
