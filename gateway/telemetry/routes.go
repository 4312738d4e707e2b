package telemetry

import (
	"cmp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// sizeBuckets are bytes, from 256 B to 256 MiB.
var sizeBuckets = prometheus.ExponentialBuckets(256, 4, 11)

// routeSeries are the metrics of classic routes.
type routeSeries struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	versions *prometheus.CounterVec
	browned  *prometheus.CounterVec
	suspects *prometheus.CounterVec
	refused  prometheus.Counter // connections
	mirrored *prometheus.CounterVec
	faults   *prometheus.CounterVec
	fallback *prometheus.CounterVec
	arms     *prometheus.CounterVec
	armTimes *prometheus.HistogramVec
	bounds   *prometheus.GaugeVec
	shed     *prometheus.CounterVec
	contract *prometheus.CounterVec
	upstream *prometheus.HistogramVec
	received *prometheus.HistogramVec
	sent     *prometheus.HistogramVec
}

func (s routeSeries) all() []prometheus.Collector {
	return []prometheus.Collector{s.requests, s.duration, s.versions, s.browned, s.suspects, s.refused, s.mirrored, s.faults, s.fallback, s.arms, s.armTimes, s.bounds, s.shed, s.contract, s.upstream, s.received, s.sent}
}

func newRouteSeries() routeSeries {
	return routeSeries{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_route_requests_total",
			Help: "Requests to routes that ended, by the status of the answer and the error code; code is empty where the backend answered."}, []string{"route", "status", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_route_duration_seconds",
			Help: "From a request's arrival to the end of its answer.", Buckets: durationBuckets}, []string{"route"}),
		versions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_route_version_requests_total",
			Help: "Requests to routes with versions, by the version that they are for, and by the caller's team; unknown is one that there is not."}, []string{"route", "version", "team"}),
		browned: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_route_brownouts_total",
			Help: "Requests that were refused because their version is to go and was switched off for a while, by the team of the key that they carried."}, []string{"route", "version", "team"}),
		suspects: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_waf_requests_total",
			Help: "Requests in which the rules of a route's firewall found an attack, by what became of them: block or detect."}, []string{"route", "mode"}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_connections_refused_total",
			Help: "Connections that were one more than their address may have open."}),
		mirrored: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_route_mirrored_total",
			Help: "Requests to be copied to a route's mirror, by its URL and by what became of the copy: answered, failed, dropped (too many at once) or too_large."}, []string{"route", "mirror", "result"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_route_faults_total",
			Help: "Faults that a route made on purpose, by their kind: delay or status."}, []string{"route", "kind"}),
		fallback: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_route_fallbacks_total",
			Help: "Requests that were answered in the place of a route's targets, by whom: static, targets, route:NAME or stale."}, []string{"route", "by"}),
		arms: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_route_arm_requests_total",
			Help: "Requests to routes with a canary, by the arm that they were of (stable or canary) and the status of the answer."}, []string{"route", "arm", "status"}),
		armTimes: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_route_arm_duration_seconds",
			Help: "From a request's arrival to the end of its answer, by the arm that it was of.", Buckets: durationBuckets}, []string{"route", "arm"}),
		bounds: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sluice_route_concurrency_limit",
			Help: "How many requests at once a route's adaptive limit lets through."}, []string{"route"}),
		shed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_route_shed_total",
			Help: "Requests that a route's adaptive limit refused."}, []string{"route"}),
		contract: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_route_contract_total",
			Help: "Requests and responses that validate.report of a route has looked at, by part, and by whether the contract was kept, broken or they could not be looked into (unchecked)."}, []string{"route", "part", "result"}),
		upstream: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_route_upstream_seconds",
			Help: "From a request to a target until its answer began, or it failed: each attempt. The rest of a route's duration is the gateway's, and the body's.", Buckets: durationBuckets}, []string{"route"}),
		received: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_route_request_bytes",
			Help: "What was read of the bodies of requests.", Buckets: sizeBuckets}, []string{"route"}),
		sent: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_route_response_bytes",
			Help: "What went out of the bodies of answers, before they are packed.", Buckets: sizeBuckets}, []string{"route"}),
	}
}

// Route is the series of one route.
type Route struct {
	name     string
	requests *prometheus.CounterVec
	ok       prometheus.Counter
	duration prometheus.Observer
	upstream prometheus.Observer
	received prometheus.Observer
	sent     prometheus.Observer
	suspects *prometheus.CounterVec
	of       *routeSeries
}

// Version counts a request for a version by somebody of a team; no version:
// there is none of that name.
func (r *Route) Version(version, team string) {
	r.of.versions.WithLabelValues(r.name, cmp.Or(version, "unknown"), team).Inc()
}

// BrownedOut counts a request that a brown-out of its version refused.
func (r *Route) BrownedOut(version, team string) {
	r.of.browned.WithLabelValues(r.name, version, team).Inc()
}

// Route makes the series of a route, or gives those that it has.
func (m *Metrics) Route(name string) *Route {
	return &Route{name: name, requests: m.routes.requests, ok: m.routes.requests.WithLabelValues(name, "200", ""),
		duration: m.routes.duration.WithLabelValues(name), upstream: m.routes.upstream.WithLabelValues(name),
		received: m.routes.received.WithLabelValues(name), sent: m.routes.sent.WithLabelValues(name), suspects: m.routes.suspects, of: &m.routes}
}

// Upstream tells how long a target took until its answer began, or it failed.
func (r *Route) Upstream(took time.Duration) { r.upstream.Observe(took.Seconds()) }

// Sizes tells how large the bodies of a request and of its answer were, in bytes.
func (r *Route) Sizes(received, sent int64) {
	r.received.Observe(float64(received))
	r.sent.Observe(float64(sent))
}

// Suspect counts a request in which the firewall found an attack; mode is what
// it does then. A nil Route counts nothing.
func (r *Route) Suspect(mode string) {
	if r != nil {
		r.suspects.WithLabelValues(r.name, mode).Inc()
	}
}

// Mirrored counts a request that was to be copied to a mirror.
func (r *Route) Mirrored(url, result string) {
	r.of.mirrored.WithLabelValues(r.name, url, result).Inc()
}

// Fault counts a fault that was made on purpose.
func (r *Route) Fault(kind string) { r.of.faults.WithLabelValues(r.name, kind).Inc() }

// FellBack counts a request that was answered in the place of the route's
// targets.
func (r *Route) FellBack(by string) { r.of.fallback.WithLabelValues(r.name, by).Inc() }

// Arm counts a request of a route with a canary.
func (r *Route) Arm(arm string, status int, took time.Duration) {
	r.of.arms.WithLabelValues(r.name, arm, statusText(status)).Inc()
	r.of.armTimes.WithLabelValues(r.name, arm).Observe(took.Seconds())
}

// Bound tells what the route's adaptive limit is now.
func (r *Route) Bound(n int64) { r.of.bounds.WithLabelValues(r.name).Set(float64(n)) }

// Unbound tells that it has none any more.
func (r *Route) Unbound() { r.of.bounds.DeleteLabelValues(r.name) }

// Shed counts a request that the adaptive limit refused.
func (r *Route) Shed() { r.of.shed.WithLabelValues(r.name).Inc() }

// Contract counts a request, or a response, that was held against the route's
// contract and passed whatever came of it. A nil Route counts nothing.
func (r *Route) Contract(part, result string) {
	if r != nil {
		r.of.contract.WithLabelValues(r.name, part, result).Inc()
	}
}

// ConnectionRefused counts a connection that was closed at once.
func (m *Metrics) ConnectionRefused() { m.routes.refused.Inc() }

// Ended counts a request; code is empty where the backend answered.
func (r *Route) Ended(status int, code string, took time.Duration) {
	if status == 200 && code == "" {
		r.ok.Inc()
	} else {
		r.requests.WithLabelValues(r.name, statusText(status), code).Inc()
	}
	r.duration.Observe(took.Seconds())
}

// statusText bounds the values of a label: backends may answer with any number.
func statusText(status int) string {
	if status < 100 || status > 599 {
		return "other"
	}
	return string([]byte{byte('0' + status/100), byte('0' + status/10%10), byte('0' + status%10)})
}
