// Package telemetry is what the gateway tells of itself: Prometheus metrics.
//
// Labels are bounded: models are those of targets (provider and the provider's
// own name), never a name that a caller made up, and no key or user is ever a
// label. Handles are looked up once a target and kept.
package telemetry

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"sluice/billing"
	"sluice/gateway/guard"
	"sluice/router"
	"sluice/router/discovery"
)

// Metrics counts calls. Its methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	calls       *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	ttft        *prometheus.HistogramVec
	waited      *prometheus.HistogramVec
	own         *prometheus.HistogramVec
	tokens      *prometheus.CounterVec
	attempts    *prometheus.CounterVec
	hedges      *prometheus.CounterVec
	cost        prometheus.Counter
	spoolFailed prometheus.Counter
	cache       *prometheus.CounterVec
	saved       prometheus.Counter
	routes      routeSeries
	shadows     *prometheus.CounterVec
	splits      splitSeries

	input, cached, written, output, reasoning prometheus.Counter

	targets sync.Map // target name → *targetHandles
	known   atomic.Int64
}

// maxTargets bounds the series: callers may name models that no catalogue
// knows. What comes after is counted under the model "other".
const maxTargets = 1000

// targetHandles are the series of one target that every good call touches.
type targetHandles struct {
	model    string
	ok       prometheus.Counter
	attempt  prometheus.Counter
	duration prometheus.Observer
	ttft     prometheus.Observer
	waited   prometheus.Observer
	own      prometheus.Observer
}

// Gauges are read when metrics are scraped.
type Gauges struct {
	SpoolRecords  func() int64
	SpoolMemory   func() int64 // of these, in memory
	SpoolStrained func() bool
	SpoolRefuses  func() bool
	SpoolDamaged  func() int64 // segments
	StoreDown     func() bool
	OpenHolds     func() (n int64, usd billing.Nano)
	LogDropped    func(yield func(sink string, n int64))
	CacheSize     func() (entries, bytes int64)
	Connections   func() int64 // of callers
	// Upstream calls yield for each provider with how many connections to it are open.
	Upstream func(yield func(provider string, open float64))
	// Breakers calls yield for each target with 0 closed, 1 half open, 2 open.
	Breakers func(yield func(target string, state float64))
	// Health calls yield for each provider that is checked, with whether it is
	// healthy; nil: none is.
	Health func(yield func(provider string, healthy bool))
	// TargetHealth is the like of the targets of routes.
	TargetHealth func(yield func(target string, healthy bool))
	// Discovery calls yield for each route whose targets a registry names.
	Discovery func(yield func(route string, s discovery.Status))
	// Guards calls yield with what each guard did; nil: there are none.
	Guards func(yield func(name string, f *guard.Figures))
	// KeyBreakers likewise calls yield for each key at each target that has
	// several, KeysCooling for each provider's key with 1 where it rests, else 0.
	KeyBreakers func(yield func(target, key string, state float64))
	KeysCooling func(yield func(provider, key string, cooling float64))
	// Queues calls yield for each model whose calls may wait for room.
	Queues func(yield func(model string, s *router.QueueStatus))
}

var (
	durationBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}
	ownBuckets      = append([]float64{.00005, .0001, .00025, .0005}, durationBuckets...)
	labels          = []string{"model", "provider"}
)

// New makes the metrics, registered together with the process's and the Go
// runtime's own.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.calls = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_calls_total",
		Help: "Calls that ended, by target and error code; code is empty for success."}, append(labels, "code"))
	m.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_call_duration_seconds",
		Help: "From a call's arrival to the end of its answer.", Buckets: durationBuckets}, labels)
	m.ttft = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_ttft_seconds",
		Help: "From a call's arrival to the first byte of its answer.", Buckets: durationBuckets}, labels)
	m.waited = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_call_upstream_seconds",
		Help: "What of a call's duration its provider took, or those that were tried: of a stream to its end.", Buckets: durationBuckets}, labels)
	m.own = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_call_gateway_seconds",
		Help: "What of a call's duration is not its providers': the gateway's own work, and what it had the call wait for.", Buckets: ownBuckets}, labels)
	m.tokens = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_tokens_total",
		Help: "Tokens, by kind; cached_input and cache_write are part of input, reasoning is part of output."}, []string{"kind"})
	m.attempts = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_upstream_attempts_total",
		Help: "Attempts at targets, by error code; code is empty for success."}, append(labels, "code"))
	m.hedges = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_hedges_total",
		Help: "Attempts made beside one that was slow, by model and by what became of them: won, lost or failed."}, []string{"model", "outcome"})
	m.cost = prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_cost_usd_total",
		Help: "What calls cost, in dollars. The ledger is exact; this is a float."})
	m.spoolFailed = prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_spool_failures_total",
		Help: "Usage records that could not be written to the spool."})
	m.cache = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_cache_calls_total",
		Help: "Calls that a cache applies to, by what it had: hit, semantic or miss."}, []string{"result"})
	m.saved = prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_cache_saved_usd_total",
		Help: "What answers from the cache did not cost, in dollars. The ledger is exact; this is a float."})
	m.shadows = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_shadow_calls_total",
		Help: "Calls that were to have a shadow, by what became of that: sent, or dropped for want of room."}, []string{"result"})
	m.routes, m.splits = newRouteSeries(), newSplitSeries()
	m.input, m.cached = m.tokens.WithLabelValues("input"), m.tokens.WithLabelValues("cached_input")
	m.written = m.tokens.WithLabelValues("cache_write")
	m.output, m.reasoning = m.tokens.WithLabelValues("output"), m.tokens.WithLabelValues("reasoning")
	m.registry.MustRegister(m.calls, m.duration, m.ttft, m.waited, m.own, m.tokens, m.attempts, m.hedges, m.cost, m.spoolFailed, m.cache, m.saved, m.shadows,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(append(m.routes.all(), m.splits.judged, m.splits.stopped)...)
	return m
}

// AddGauges registers what is read at scrape time.
func (m *Metrics) AddGauges(g Gauges) {
	gauge := func(name, help string, read func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(read()) })
	}
	flag := func(name, help string, read func() bool) prometheus.Collector {
		return gauge(name, help, func() int64 {
			if read() {
				return 1
			}
			return 0
		})
	}
	m.registry.MustRegister(
		gauge("sluice_spool_records", "Usage records that wait for the store.", g.SpoolRecords),
		gauge("sluice_spool_memory_records", "Usage records that wait in memory, where a crash would take them.", g.SpoolMemory),
		flag("sluice_spool_strained", "1 while the disk takes no usage records, or soon will not.", g.SpoolStrained),
		flag("sluice_spool_refusing", "1 while calls are refused because their usage could not be kept.", g.SpoolRefuses),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "sluice_spool_damaged_segments_total",
			Help: "Segments of the usage spool that were found damaged, and kept aside."}, func() float64 { return float64(g.SpoolDamaged()) }),
		flag("sluice_spool_store_down", "1 while the store takes no usage: it waits in the spool.", g.StoreDown),
		gauge("sluice_holds_open", "Calls that hold something of a budget.", func() int64 { n, _ := g.OpenHolds(); return n }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sluice_holds_usd", Help: "Money that is held for them, in dollars."}, func() float64 {
			_, usd := g.OpenHolds()
			return float64(usd) / float64(billing.Dollar)
		}),
		gauge("sluice_cache_entries", "Answers that are kept.", func() int64 { n, _ := g.CacheSize(); return n }),
		gauge("sluice_cache_bytes", "Their size in memory.", func() int64 { _, b := g.CacheSize(); return b }),
		gauge("sluice_connections", "Connections of callers that are open.", g.Connections),
		breakers{g.Breakers}, providers{g.Upstream}, places{healthDesc, g.Health}, places{targetHealthDesc, g.TargetHealth}, registries{g.Discovery}, keys{keyBreakerDesc, g.KeyBreakers}, keys{keyCoolingDesc, g.KeysCooling}, guards{g.Guards},
		queues(g.Queues), losses(g.LogDropped))
}

// Add registers metrics that another part has.
func (m *Metrics) Add(c prometheus.Collector) { m.registry.MustRegister(c) }

// Gather reads all metrics, as a scrape does.
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) { return m.registry.Gather() }

// Handler serves the metrics in Prometheus's format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Call counts a call that has ended; upstream is what of its duration its
// providers took.
func (m *Metrics) Call(e *billing.Entry, upstream time.Duration) {
	if e.Cache != "" {
		m.cache.WithLabelValues(e.Cache).Inc()
		m.saved.Add(float64(e.Saved) / float64(billing.Dollar))
	}
	if e.Target == "" {
		m.calls.WithLabelValues("", "", e.Code).Inc()
		return
	}
	h := m.handles(e.Target, e.Provider)
	if e.Code == "" {
		h.ok.Inc()
	} else {
		m.calls.WithLabelValues(h.model, e.Provider, e.Code).Inc()
	}
	if e.Cache == "hit" || e.Cache == "semantic" {
		m.Charged(e)
		return // its time says nothing of the target
	}
	h.duration.Observe(e.Latency.Seconds())
	h.waited.Observe(upstream.Seconds())
	h.own.Observe((e.Latency - upstream).Seconds())
	if e.TTFT > 0 {
		h.ttft.Observe(e.TTFT.Seconds())
	}
	m.Charged(e)
}

// Charged counts what was used and charged: of a call, which Call does too, or
// of an attempt that was charged by itself.
func (m *Metrics) Charged(e *billing.Entry) {
	u := &e.Usage
	add(m.input, u.Input)
	add(m.cached, u.CachedInput)
	add(m.written, u.CacheWrite)
	add(m.output, u.Output)
	add(m.reasoning, u.Reasoning)
	if e.Cost > 0 {
		m.cost.Add(float64(e.Cost) / float64(billing.Dollar))
	}
}

// Shadow counts a shadow call that was sent, or dropped.
func (m *Metrics) Shadow(sent bool) {
	result := "dropped"
	if sent {
		result = "sent"
	}
	m.shadows.WithLabelValues(result).Inc()
}

// Attempt counts an attempt; code is empty for success.
func (m *Metrics) Attempt(target, provider, code string) {
	if code == "" {
		m.handles(target, provider).attempt.Inc()
		return
	}
	m.attempts.WithLabelValues(m.handles(target, provider).model, provider, code).Inc()
}

// Hedge counts an attempt that was made beside another of a call of a model
// that the configuration names.
func (m *Metrics) Hedge(model, outcome string) { m.hedges.WithLabelValues(model, outcome).Inc() }

// SpoolFailed counts a usage record that could not be written.
func (m *Metrics) SpoolFailed() { m.spoolFailed.Inc() }

func (m *Metrics) handles(target, provider string) *targetHandles {
	if h, ok := m.targets.Load(target); ok {
		return h.(*targetHandles)
	}
	if m.known.Add(1) > maxTargets {
		other := provider + "/other"
		if h, ok := m.targets.Load(other); ok {
			return h.(*targetHandles)
		}
		return m.series(other, provider, "other")
	}
	return m.series(target, provider, model(target, provider))
}

// Declare gives a target of the configuration its own series, whatever bound
// there is on those that callers name.
func (m *Metrics) Declare(target, provider string) {
	if _, ok := m.targets.Load(target); !ok {
		m.series(target, provider, model(target, provider))
	}
}

func (m *Metrics) series(target, provider, name string) *targetHandles {
	h, _ := m.targets.LoadOrStore(target, &targetHandles{
		model:    name,
		ok:       m.calls.WithLabelValues(name, provider, ""),
		attempt:  m.attempts.WithLabelValues(name, provider, ""),
		duration: m.duration.WithLabelValues(name, provider),
		ttft:     m.ttft.WithLabelValues(name, provider),
		waited:   m.waited.WithLabelValues(name, provider),
		own:      m.own.WithLabelValues(name, provider),
	})
	return h.(*targetHandles)
}

// model is the target's name without its provider. What is no text would be no
// label: it panics.
func model(target, provider string) string {
	if len(target) > len(provider) {
		target = target[len(provider)+1:]
	}
	return strings.ToValidUTF8(target, "\uFFFD")
}

func add(c prometheus.Counter, n int64) {
	if n > 0 {
		c.Add(float64(n))
	}
}

// providers collects the open connections to providers.
type providers struct {
	read func(yield func(provider string, open float64))
}

var upstreamDesc = prometheus.NewDesc("sluice_upstream_connections", "Connections to a provider that are open, idle ones too.", []string{"provider"}, nil)

// Describe implements prometheus.Collector.
func (p providers) Describe(ch chan<- *prometheus.Desc) { ch <- upstreamDesc }

// Collect implements prometheus.Collector.
func (p providers) Collect(ch chan<- prometheus.Metric) {
	p.read(func(provider string, open float64) {
		ch <- prometheus.MustNewConstMetric(upstreamDesc, prometheus.GaugeValue, open, provider)
	})
}

// breakers collects the state of every target's breaker.
type breakers struct {
	read func(yield func(target string, state float64))
}

var breakerDesc = prometheus.NewDesc("sluice_breaker_state", "A target's breaker: 0 closed, 1 half open, 2 open.", []string{"target"}, nil)

// Describe implements prometheus.Collector.
func (b breakers) Describe(ch chan<- *prometheus.Desc) { ch <- breakerDesc }

// Collect implements prometheus.Collector.
func (b breakers) Collect(ch chan<- prometheus.Metric) {
	b.read(func(target string, state float64) {
		ch <- prometheus.MustNewConstMetric(breakerDesc, prometheus.GaugeValue, state, target)
	})
}
