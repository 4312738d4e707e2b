package gateway_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is one of OpenTelemetry, as far as it receives.
type collector struct {
	t       testing.TB
	server  *httptest.Server
	mu      sync.Mutex
	spans   []*tracepb.Span
	logs    []*logspb.LogRecord
	metrics map[string]*metricspb.Metric // as they were last told
	who     map[string]any               // the resource that was told last
}

func newCollector(t testing.TB) *collector {
	c := &collector{t: t, metrics: map[string]*metricspb.Metric{}}
	c.server = httptest.NewServer(c)
	t.Cleanup(c.server.Close)
	return c
}

// ServeHTTP takes what a gateway sends. A request for a signal has the shape of
// its data.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || r.Method != "POST" || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("X-Tenant") != "a" {
		c.t.Errorf("%s %s %v: %v", r.Method, r.URL, r.Header, err)
	}
	var data proto.Message
	switch r.URL.Path {
	case "/v1/traces":
		d := &tracepb.TracesData{}
		data = d
		defer func() {
			for _, of := range d.ResourceSpans {
				c.who = attributes(of.Resource.Attributes)
				for _, s := range of.ScopeSpans {
					c.spans = append(c.spans, s.Spans...)
				}
			}
		}()
	case "/v1/metrics":
		d := &metricspb.MetricsData{}
		data = d
		defer func() {
			for _, of := range d.ResourceMetrics {
				for _, s := range of.ScopeMetrics {
					for _, m := range s.Metrics {
						c.metrics[m.Name] = m
					}
				}
			}
		}()
	case "/v1/logs":
		d := &logspb.LogsData{}
		data = d
		defer func() {
			for _, of := range d.ResourceLogs {
				for _, s := range of.ScopeLogs {
					c.logs = append(c.logs, s.LogRecords...)
				}
			}
		}()
	default:
		c.t.Errorf("a request for %s", r.URL.Path)
		return
	}
	if err := proto.Unmarshal(body, data); err != nil {
		c.t.Errorf("%s: %v", r.URL.Path, err)
	}
	if len(data.ProtoReflect().GetUnknown()) > 0 {
		c.t.Errorf("%s: unknown fields", r.URL.Path)
	}
}

func attributes(list []*commonpb.KeyValue) map[string]any {
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

// of are the spans of a trace, the call's own first, then what it has below it.
func (c *collector) of(trace string) (root *tracepb.Span, below []*tracepb.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		switch {
		case hex.EncodeToString(s.TraceId) != trace:
		case s.Kind == tracepb.Span_SPAN_KIND_SERVER:
			root = s
		default:
			below = append(below, s)
		}
	}
	if root == nil {
		c.t.Fatalf("no span of trace %s", trace)
	}
	return root, below
}

// point is a histogram's series with these attributes.
func (c *collector) point(name string, want map[string]any) *metricspb.HistogramDataPoint {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.metrics[name]
	if m == nil {
		c.t.Fatalf("no metric %s", name)
	}
next:
	for _, p := range m.GetHistogram().GetDataPoints() {
		has := attributes(p.Attributes)
		if len(has) != len(want) {
			continue
		}
		for k, v := range want {
			if has[k] != v {
				continue next
			}
		}
		return p
	}
	c.t.Fatalf("%s has no series %v: %v", name, want, m)
	return nil
}
