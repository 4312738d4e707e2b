// Package collector is a collector of OpenTelemetry for tests, as far as it
// receives: traces, metrics and log records, as protobuf over HTTP. It knows the
// protocol by the messages that its makers publish, and nothing of who sends.
package collector

import (
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// T is the part of testing.TB that a Collector needs.
type T interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Collector keeps what it was sent. It may be used by any number of goroutines;
// the messages that it gives must not be changed.
type Collector struct {
	t      T
	server *httptest.Server
	header map[string]string

	mu      sync.Mutex
	spans   []*tracepb.Span
	logs    []*logspb.LogRecord
	metrics map[string]*metricspb.Metric // as they were last told
	who     map[string]any               // the resource that was told last
}

// Start runs one until the test ends. A request that is not as the protocol
// says, or lacks one of these headers, is an error of the test.
func Start(t T, header map[string]string) *Collector {
	c := &Collector{t: t, header: header, metrics: map[string]*metricspb.Metric{}}
	c.server = httptest.NewServer(http.HandlerFunc(c.take))
	t.Cleanup(c.server.Close)
	return c
}

// URL is the address, without a path.
func (c *Collector) URL() string { return c.server.URL }

// take takes a request, which for each signal has the shape of its data.
func (c *Collector) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != "POST" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		c.t.Errorf("%s %s %v: %v", r.Method, r.URL, r.Header, err)
	}
	for name, want := range c.header {
		if r.Header.Get(name) != want {
			c.t.Errorf("%s: %s is %q, want %q", r.URL, name, r.Header.Get(name), want)
		}
	}
	switch r.URL.Path {
	case "/v1/traces":
		d := &tracepb.TracesData{}
		c.read(body, d)
		for _, of := range d.ResourceSpans {
			for _, s := range of.ScopeSpans {
				c.keep(of.Resource, func() { c.spans = append(c.spans, s.Spans...) })
			}
		}
	case "/v1/metrics":
		d := &metricspb.MetricsData{}
		c.read(body, d)
		for _, of := range d.ResourceMetrics {
			for _, s := range of.ScopeMetrics {
				c.keep(of.Resource, func() {
					for _, m := range s.Metrics {
						c.metrics[m.Name] = m
					}
				})
			}
		}
	case "/v1/logs":
		d := &logspb.LogsData{}
		c.read(body, d)
		for _, of := range d.ResourceLogs {
			for _, s := range of.ScopeLogs {
				c.keep(of.Resource, func() { c.logs = append(c.logs, s.LogRecords...) })
			}
		}
	default:
		c.t.Errorf("a request for %s", r.URL.Path)
		http.NotFound(w, r)
	}
}

func (c *Collector) read(body []byte, data proto.Message) {
	if err := proto.Unmarshal(body, data); err != nil {
		c.t.Errorf("%T: %v", data, err)
	}
	if len(data.ProtoReflect().GetUnknown()) > 0 {
		c.t.Errorf("%T: unknown fields", data)
	}
}

func (c *Collector) keep(of *resourcepb.Resource, records func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.who = Attributes(of.GetAttributes())
	records()
}

// Spans are all that came.
func (c *Collector) Spans() []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Logs are all that came.
func (c *Collector) Logs() []*logspb.LogRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.logs)
}

// Metrics are those that came, by name, each as it was told last.
func (c *Collector) Metrics() map[string]*metricspb.Metric {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.metrics)
}

// Resource is who has sent last.
func (c *Collector) Resource() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.who
}

// Trace are the spans of a trace: the call's own, then what it has below it. It
// ends the test where there is none.
func (c *Collector) Trace(id string) (root *tracepb.Span, below []*tracepb.Span) {
	c.t.Helper()
	for _, s := range c.Spans() {
		switch {
		case hex.EncodeToString(s.TraceId) != id:
		case s.Kind == tracepb.Span_SPAN_KIND_SERVER:
			root = s
		default:
			below = append(below, s)
		}
	}
	if root == nil {
		c.t.Fatalf("no span of trace %s", id)
	}
	return root, below
}

// Histogram is the series of one that has just these attributes. It ends the
// test where there is none.
func (c *Collector) Histogram(name string, attributes map[string]any) *metricspb.HistogramDataPoint {
	c.t.Helper()
	m := c.Metrics()[name]
	for _, p := range m.GetHistogram().GetDataPoints() {
		if maps.Equal(Attributes(p.Attributes), attributes) {
			return p
		}
	}
	c.t.Fatalf("%s has no series %v: %v", name, attributes, m)
	return nil
}

// Attributes are a list of them as a map: string, int64, float64 or bool.
func Attributes(list []*commonpb.KeyValue) map[string]any {
	m := map[string]any{}
	for _, a := range list {
		switch v := a.Value.Value.(type) {
		case *commonpb.AnyValue_StringValue:
			m[a.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			m[a.Key] = v.IntValue
		case *commonpb.AnyValue_DoubleValue:
			m[a.Key] = v.DoubleValue
		case *commonpb.AnyValue_BoolValue:
			m[a.Key] = v.BoolValue
		}
	}
	return m
}
