package otlp

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// one gives a record to a wrap.
func one(record []byte) func(func([]byte) error) error {
	return func(yield func([]byte) error) error { return yield(record) }
}

var who = NewWrap(Resource{Service: "sluice", Version: "v1", Instance: "i"})

func TestSpan(t *testing.T) {
	long := strings.Repeat("long ", 10_000)
	s := Span{Trace: NewTraceID(), ID: NewSpanID(), Parent: NewSpanID(), State: "a=b", Kind: Client, Start: time.Unix(1, 2), End: time.Unix(3, 4), Failed: true, Why: "why"}
	b := s.Append(nil, "chat", "gpt")
	b = OfSpan.String(b, "text", long)
	b = OfSpan.String(b, "none", "")
	b = OfSpan.Int(b, "int", -5)
	b = OfSpan.Count(b, "zero", 0)
	b = OfSpan.Double(b, "double", 1.5)
	b = OfSpan.True(b, "yes", true)
	b = OfSpan.True(b, "no", false)
	var got tracepb.TracesData
	if err := proto.Unmarshal(who.Append([]byte{}, one(b)), &got); err != nil {
		t.Fatal(err)
	}
	want := &tracepb.Span{TraceId: s.Trace[:], SpanId: s.ID[:], ParentSpanId: s.Parent[:], TraceState: "a=b", Name: "chat gpt", Kind: tracepb.Span_SPAN_KIND_CLIENT,
		StartTimeUnixNano: 1e9 + 2, EndTimeUnixNano: 3e9 + 4, Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "why"},
		Attributes: []*commonpb.KeyValue{
			{Key: "text", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: long}}},
			{Key: "int", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: -5}}},
			{Key: "double", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: 1.5}}},
			{Key: "yes", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}}}}
	r := got.ResourceSpans[0]
	if !proto.Equal(r.ScopeSpans[0].Spans[0], want) {
		t.Errorf("%v\nwant %v", r.ScopeSpans[0].Spans[0], want)
	}
	if len(r.Resource.Attributes) != 3 || r.ScopeSpans[0].Scope.Name != "sluice" {
		t.Errorf("%v %v", r.Resource, r.ScopeSpans[0].Scope)
	}
}

func TestLog(t *testing.T) {
	l := Log{Time: time.Unix(1, 2), Severity: Warn, Body: []byte(`{"a":1}`), Trace: NewTraceID(), Span: NewSpanID()}
	var got logspb.LogsData
	if err := proto.Unmarshal(who.Append(nil, one(l.Append(nil))), &got); err != nil {
		t.Fatal(err)
	}
	want := &logspb.LogRecord{TimeUnixNano: 1e9 + 2, ObservedTimeUnixNano: 1e9 + 2, SeverityNumber: logspb.SeverityNumber_SEVERITY_NUMBER_WARN, SeverityText: "WARN",
		Body: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: `{"a":1}`}}, Flags: 1, TraceId: l.Trace[:], SpanId: l.Span[:], EventName: "sluice.call"}
	if r := got.ResourceLogs[0].ScopeLogs[0].LogRecords[0]; !proto.Equal(r, want) {
		t.Errorf("%v\nwant %v", r, want)
	}
}

func TestMeasures(t *testing.T) {
	m := NewMeasures(time.Unix(100, 0))
	of := Of{Operation: "chat", Provider: "openai", Model: "m"}
	m.Add(of, Measured{Duration: 3 * time.Second, FirstChunk: time.Second, Stream: true, Input: 10, Output: 5})
	m.Add(of, Measured{Duration: 10 * time.Millisecond, Input: 1})
	of.Error = "upstream_error"
	m.Add(of, Measured{Duration: time.Hour})
	got := map[string]*metricspb.Metric{}
	body := who.Append(nil, func(yield func([]byte) error) error { return m.Append(time.Unix(200, 0), yield) })
	var data metricspb.MetricsData
	if err := proto.Unmarshal(body, &data); err != nil {
		t.Fatal(err)
	}
	for _, one := range data.ResourceMetrics[0].ScopeMetrics[0].Metrics {
		got[one.Name] = one
	}
	if len(got) != 5 {
		t.Errorf("%d metrics", len(got))
	}
	points := got[OperationDuration].GetHistogram().DataPoints
	if len(points) != 2 {
		t.Fatalf("%v", points)
	}
	for _, p := range points {
		if p.Count == 1 { // of the error, beyond all bounds
			if p.GetSum() != 3600 || p.BucketCounts[len(secondBounds)] != 1 {
				t.Errorf("%v", p)
			}
			continue
		}
		// 10 ms is on a bound, and belongs below it; 3 s is below 5.12.
		if p.Count != 2 || p.BucketCounts[0] != 1 || p.BucketCounts[9] != 1 || p.StartTimeUnixNano != 100e9 || p.TimeUnixNano != 200e9 || len(p.ExplicitBounds) != 14 {
			t.Errorf("%v", p)
		}
	}
	if p := got[PerOutputToken].GetHistogram().DataPoints[0]; p.GetSum() != 0.5 {
		t.Errorf("2 s for the 4 tokens after the first: %v", p)
	}
}

// What Prometheus is shown is told as it is: names, labels, values, buckets.
func TestFamilies(t *testing.T) {
	registry := prometheus.NewRegistry()
	calls := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "calls_total", Help: "Calls."}, []string{"model", "code"})
	open := prometheus.NewGauge(prometheus.GaugeOpts{Name: "open"})
	took := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "took_seconds", Buckets: []float64{1, 5}})
	sizes := prometheus.NewSummary(prometheus.SummaryOpts{Name: "sizes", Objectives: map[float64]float64{0.5: 0.05}})
	registry.MustRegister(calls, open, took, sizes)
	calls.WithLabelValues("m", "").Add(3)
	open.Set(-2)
	for _, v := range []float64{1, 2, 3, 70} {
		took.Observe(v)
	}
	sizes.Observe(9)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	body := who.Append(nil, func(yield func([]byte) error) error {
		for _, f := range families {
			_ = yield(appendFamily(nil, f, time.Unix(100, 0), time.Unix(200, 0))) // it has no error
		}
		return nil
	})
	var data metricspb.MetricsData
	if err := proto.Unmarshal(body, &data); err != nil {
		t.Fatal(err)
	}
	sum := 76.0
	model := &commonpb.KeyValue{Key: "model", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "m"}}}
	const total = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
	want := []*metricspb.Metric{
		{Name: "calls_total", Description: "Calls.", Data: &metricspb.Metric_Sum{Sum: &metricspb.Sum{AggregationTemporality: total, IsMonotonic: true, DataPoints: []*metricspb.NumberDataPoint{{
			StartTimeUnixNano: 100e9, TimeUnixNano: 200e9, Value: &metricspb.NumberDataPoint_AsDouble{AsDouble: 3}, Attributes: []*commonpb.KeyValue{model}}}}}},
		{Name: "open", Data: &metricspb.Metric_Gauge{Gauge: &metricspb.Gauge{DataPoints: []*metricspb.NumberDataPoint{{
			TimeUnixNano: 200e9, Value: &metricspb.NumberDataPoint_AsDouble{AsDouble: -2}}}}}},
		{Name: "sizes", Data: &metricspb.Metric_Summary{Summary: &metricspb.Summary{DataPoints: []*metricspb.SummaryDataPoint{{
			StartTimeUnixNano: 100e9, TimeUnixNano: 200e9, Count: 1, Sum: 9, QuantileValues: []*metricspb.SummaryDataPoint_ValueAtQuantile{{Quantile: 0.5, Value: 9}}}}}}},
		{Name: "took_seconds", Data: &metricspb.Metric_Histogram{Histogram: &metricspb.Histogram{AggregationTemporality: total, DataPoints: []*metricspb.HistogramDataPoint{{
			StartTimeUnixNano: 100e9, TimeUnixNano: 200e9, Count: 4, Sum: &sum, ExplicitBounds: []float64{1, 5}, BucketCounts: []uint64{1, 2, 1}}}}}},
	}
	got := data.ResourceMetrics[0].ScopeMetrics[0].Metrics
	if len(got) != len(want) {
		t.Fatalf("%d metrics", len(got))
	}
	for i := range want {
		if !proto.Equal(got[i], want[i]) {
			t.Errorf("%v\nwant %v", got[i], want[i])
		}
	}
}

// Callers may make names up: the series stay bounded.
func TestSeriesAreBounded(t *testing.T) {
	m := NewMeasures(time.Now())
	for i := range mostSeries + 500 {
		m.Add(Of{Operation: "chat", Model: strings.Repeat("x", i)}, Measured{Duration: 1})
	}
	if n := len(m.duration.series); n != mostSeries+1 {
		t.Errorf("%d series", n)
	}
}

func TestRejected(t *testing.T) {
	partial := protowire.AppendString(protowire.AppendTag(protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 7), 2, protowire.BytesType), "too old")
	body := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
	if n, why := Rejected(body); n != 7 || why != "too old" {
		t.Errorf("%d %q", n, why)
	}
	if n, _ := Rejected(nil); n != 0 {
		t.Errorf("%d of nothing", n)
	}
}

func FuzzRejected(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{10, 2, 8, 7})
	f.Fuzz(func(t *testing.T, body []byte) {
		if n, _ := Rejected(bytes.Clone(body)); n < 0 {
			t.Error(n)
		}
	})
}

func TestSpansDoNotAllocate(t *testing.T) {
	b := make([]byte, 0, 4<<10)
	m := NewMeasures(time.Now())
	of := Of{Operation: "chat", Provider: "openai", Model: "m"}
	m.Add(of, Measured{Input: 1, Output: 1})
	s := Span{Trace: NewTraceID(), ID: NewSpanID(), Kind: Server, Start: time.Now(), End: time.Now()}
	if n := testing.AllocsPerRun(100, func() {
		b = s.Append(b[:0], "chat", "gpt")
		b = OfSpan.String(b, GenAIOperation, "chat")
		b = OfSpan.Int(b, GenAIInputTokens, 300)
		m.Add(of, Measured{Duration: time.Second, Input: 5, Output: 6})
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSpan(b *testing.B) {
	buf := make([]byte, 0, 4<<10)
	s := Span{Trace: NewTraceID(), ID: NewSpanID(), Kind: Client, Start: time.Now(), End: time.Now()}
	b.ReportAllocs()
	for b.Loop() {
		buf = s.Append(buf[:0], "chat", "gpt-4.1")
		buf = OfSpan.String(buf, GenAIOperation, "chat")
		buf = OfSpan.String(buf, GenAIProvider, "openai")
		buf = OfSpan.String(buf, GenAIRequestModel, "gpt-4.1")
		buf = OfSpan.Int(buf, GenAIInputTokens, 1200)
		buf = OfSpan.Int(buf, GenAIOutputTokens, 300)
		buf = OfSpan.String(buf, ServerAddress, "api.openai.com")
	}
}
