package gateway_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"sluice/bench/collector"
	"sluice/gateway"
	"sluice/gateway/guard"
	"sluice/gateway/telemetry/otlp"
	"sluice/gateway/telemetry/sink"
	"sluice/providers/openai"
)

// tenant is what collectors of tests must be told.
var tenant = map[string]string{"X-Tenant": "a"}

// exports is a rig that tells a collector of calls.
func exports(c *collector.Collector) func(s *setup) {
	return func(s *setup) {
		s.exporter = otlp.New(otlp.Options{URL: c.URL() + "/", Header: tenant, Every: time.Hour, Log: slog.New(slog.DiscardHandler),
			Resource: otlp.Resource{Service: "sluice", Version: "v1", Instance: "i"}})
	}
}

// parentOf makes a client's traceparent.
func parentOf(n int, flags string) (header, trace string) {
	trace = fmt.Sprintf("%032x", 0xabc000+n)
	return "00-" + trace + "-00f067aa0ba902b7-" + flags, trace
}

// A collector is told of calls as the documentation says.
func TestTraces(t *testing.T) {
	c := collector.Start(t, tenant)
	r := newRig(t, exports(c), func(s *setup) { s.model("pair", "up/fail-503", "up/lorem-7") })
	head := make([]string, 6)
	ids := make([]string, 6)
	for i := range head {
		head[i], ids[i] = parentOf(i, "01")
	}
	r.call("POST", "/v1/chat/completions", chat("up/lorem-5", "hi", `,"max_tokens":50`), "Traceparent", head[0], "Tracestate", "v=1")
	r.call("POST", "/v1/chat/completions", chat("pair", "hi", ""), "Traceparent", head[1])
	r.call("POST", "/v1/chat/completions", chat("up/lorem-9", "hi", `,"stream":true`), "Traceparent", head[2])
	r.call("POST", "/v1/chat/completions", chat("nobody/nothing", "hi", ""), "Traceparent", head[3])
	r.call("POST", "/v1/messages", chat("ant/lorem-4", "hi", `,"max_tokens":50`), "Traceparent", head[4])
	unsampled, quiet := parentOf(7, "00")
	r.call("POST", "/v1/chat/completions", chat("up/lorem-5", "hi", ""), "Traceparent", unsampled)
	r.call("POST", "/v1/chat/completions", chat("up/lorem-5", "hi", ""), "X-Request-Id", "own-trace")
	r.bare("GET", "/healthz", "")
	entries := r.entries()
	r.stop()

	root, below := c.Trace(ids[0])
	a := collector.Attributes(root.Attributes)
	if root.Name != "chat up/lorem-5" || fmt.Sprintf("%x", root.ParentSpanId) != "00f067aa0ba902b7" || root.TraceState != "v=1" || root.Status.GetCode() != tracepb.Status_STATUS_CODE_UNSET ||
		a["gen_ai.operation.name"] != "chat" || a["gen_ai.request.model"] != "up/lorem-5" || a["http.response.status_code"] != int64(200) ||
		a["sluice.team"] != "t" || a["sluice.key"] != "t/k" || a["sluice.target"] != "up/lorem-5" || a["sluice.cost.usd"].(float64) <= 0 {
		t.Errorf("the call's span %v %v", root, a)
	}
	if len(below) != 1 {
		t.Fatalf("%d attempts", len(below))
	}
	b := collector.Attributes(below[0].Attributes)
	if below[0].Name != "chat lorem-5" || below[0].Kind != tracepb.Span_SPAN_KIND_CLIENT || string(below[0].ParentSpanId) != string(root.SpanId) ||
		b["gen_ai.provider.name"] != "openai" || b["gen_ai.request.model"] != "lorem-5" || b["gen_ai.request.max_tokens"] != int64(50) ||
		b["gen_ai.usage.output_tokens"].(int64) <= 0 || b["gen_ai.usage.input_tokens"].(int64) <= 0 || b["server.address"] != "127.0.0.1" || b["server.port"].(int64) <= 0 {
		t.Errorf("its attempt %v %v", below[0], b)
	}
	if below[0].StartTimeUnixNano < root.StartTimeUnixNano || below[0].EndTimeUnixNano > root.EndTimeUnixNano || below[0].StartTimeUnixNano > below[0].EndTimeUnixNano {
		t.Error("the attempt is not within the call")
	}
	for _, secret := range []string{"sk-provider-secret", testKey, "hi"} {
		if strings.Contains(fmt.Sprint(a, b), ":"+secret+" ") {
			t.Errorf("%q is told: %v %v", secret, a, b)
		}
	}

	_, below = c.Trace(ids[1])
	if len(below) != 2 {
		t.Fatalf("%d attempts of a call that fell back", len(below))
	}
	first, second := collector.Attributes(below[0].Attributes), collector.Attributes(below[1].Attributes)
	if below[0].Status.GetCode() != tracepb.Status_STATUS_CODE_ERROR || first["error.type"] == nil || first["http.response.status_code"] != int64(503) || first["gen_ai.usage.input_tokens"] != nil {
		t.Errorf("the attempt that failed %v %v", below[0], first)
	}
	if second["error.type"] != nil || second["http.request.resend_count"] != int64(1) || second["gen_ai.usage.output_tokens"].(int64) <= 0 {
		t.Errorf("the one that did not %v", second)
	}

	_, below = c.Trace(ids[2])
	if a := collector.Attributes(below[0].Attributes); a["gen_ai.request.stream"] != true || a["gen_ai.response.time_to_first_chunk"].(float64) <= 0 {
		t.Errorf("a stream %v", a)
	}
	root, below = c.Trace(ids[3])
	if a := collector.Attributes(root.Attributes); len(below) != 0 || a["error.type"] != "model_not_found" || a["http.response.status_code"] != int64(404) || root.Status.GetCode() != tracepb.Status_STATUS_CODE_UNSET {
		t.Errorf("a model that is none: %v %v", root, a)
	}
	if _, below = c.Trace(ids[4]); collector.Attributes(below[0].Attributes)["gen_ai.provider.name"] != "anthropic" {
		t.Errorf("Anthropic's: %v", below)
	}
	for _, s := range c.Spans() {
		if fmt.Sprintf("%x", s.TraceId) == quiet {
			t.Errorf("a span of a trace that is not sampled: %v", s)
		}
	}
	if c.Resource()["service.name"] != "sluice" || c.Resource()["service.instance.id"] != "i" {
		t.Errorf("resource %v", c.Resource())
	}
	traced := map[string]bool{}
	for _, e := range entries {
		traced[e.Trace] = true
		if e.RequestID == "own-trace" && len(e.Trace) != 32 {
			t.Errorf("a call without a traceparent has the trace %q", e.Trace)
		}
	}
	if !traced[ids[0]] || !traced[ids[2]] || !traced[quiet] {
		t.Errorf("the ledger has the traces %v", traced)
	}
	if !strings.Contains(r.access.String(), `"trace_id":"`+ids[0]+`"`) {
		t.Error("the access log has no trace_id")
	}
}

// After a known load the metrics say what it was.
func TestGenAIMetrics(t *testing.T) {
	c := collector.Start(t, tenant)
	r := newRig(t, exports(c))
	for range 3 {
		r.call("POST", "/v1/chat/completions", chat("up/lorem-6", "hi", ""))
	}
	r.call("POST", "/v1/chat/completions", chat("up/lorem-6", "hi", `,"stream":true`))
	r.call("POST", "/v1/chat/completions", chat("up/fail-401", "hi", ""))
	var in, out, n float64
	for _, e := range r.entries() {
		if e.Code == "" {
			in, out, n = in+float64(e.Usage.Input), out+float64(e.Usage.Output), n+1
		}
	}
	r.stop()
	of := func(more ...string) map[string]any {
		m := map[string]any{"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "lorem-6"}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	if p := c.Histogram("gen_ai.client.operation.duration", of()); p.Count != 4 || p.GetSum() <= 0 || len(p.ExplicitBounds) != 14 || len(p.BucketCounts) != 15 || p.StartTimeUnixNano == 0 || p.TimeUnixNano < p.StartTimeUnixNano {
		t.Errorf("duration %v", p)
	}
	if p := c.Histogram("gen_ai.client.token.usage", of("gen_ai.token.type", "input")); p.GetSum() != in || float64(p.Count) != n {
		t.Errorf("input %v, want %v in %v", p, in, n)
	}
	if p := c.Histogram("gen_ai.client.token.usage", of("gen_ai.token.type", "output")); p.GetSum() != out {
		t.Errorf("output %v, want %v", p, out)
	}
	for _, name := range []string{"gen_ai.client.operation.time_to_first_chunk", "gen_ai.server.time_to_first_token", "gen_ai.server.time_per_output_token"} {
		if p := c.Histogram(name, of()); p.Count != 1 {
			t.Errorf("%s %v", name, p)
		}
	}
	failed := of("error.type", "upstream_auth")
	failed["gen_ai.request.model"] = "fail-401"
	if p := c.Histogram("gen_ai.client.operation.duration", failed); p.Count != 1 {
		t.Errorf("a failure %v", p)
	}
	if m := c.Metrics()["gen_ai.client.token.usage"]; m.Unit != "{token}" || m.GetHistogram().AggregationTemporality != 2 {
		t.Errorf("%v", m)
	}
}

// What is asked and answered is told where that is wanted, without what must
// not be kept, also where a stream gives it in pieces.
func TestBodiesAreTold(t *testing.T) {
	c := collector.Start(t, tenant)
	file := filepath.Join(t.TempDir(), "calls.jsonl")
	var capture gateway.Capture
	r := newRig(t, exports(c), func(s *setup) {
		s.settings.Capture = &capture
		capture = gateway.Capture{Bodies: "all", Spans: true, Redact: guard.NewRedactor(guard.Email | guard.Card | guard.Secret)}
		s.sinks = []gateway.LogSink{{Queue: sink.NewQueue(sink.Options{Name: "file", To: &sink.File{Path: file}})},
			{Queue: sink.NewQueue(sink.Options{Name: "otlp", To: otlp.Post(c.URL(), "logs", tenant, otlp.NewWrap(otlp.Resource{Service: "sluice"}))}), OTLP: true}}
	})
	planted := "mail ann.planted@example.com card 4111 1111 1111 1111 key sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD end"
	head, trace := parentOf(1, "01")
	if a := r.call("POST", "/v1/chat/completions", chat("up/echo", planted, ""), "Traceparent", head, "X-Request-Id", "whole"); a.status != 200 || !strings.Contains(a.body, "ann.planted@example.com") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	r.call("POST", "/v1/chat/completions", chat("up/echo", planted, `,"stream":true`), "X-Request-Id", "stream")
	r.call("POST", "/v1/messages", chat("ant/echo", planted, `,"stream":true,"max_tokens":100`), "X-Request-Id", "claude")
	r.stop()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"ann.planted@", "4111 1111", "abcdefghijklmnopqrstuvwxyz0123"} {
		if strings.Contains(string(b)+r.access.String()+fmt.Sprint(c.Spans(), c.Logs()), secret) {
			t.Errorf("%q is kept:\n%s", secret, b)
		}
	}
	lines := map[string]gjson.Result{}
	for line := range strings.Lines(string(b)) {
		lines[gjson.Get(line, "request_id").String()] = gjson.Parse(line)
	}
	for _, name := range []string{"whole", "stream", "claude"} {
		l := lines[name]
		if !strings.Contains(l.Get("request").String(), "mail [EMAIL] card [CARD]") || !strings.Contains(l.Get("response").String(), "[EMAIL]") || !strings.Contains(l.Get("response").String(), "end") {
			t.Errorf("%s: %s", name, l.Raw)
		}
	}
	_, below := c.Trace(trace)
	a := collector.Attributes(below[0].Attributes)
	asked, said := fmt.Sprint(a["gen_ai.input.messages"]), fmt.Sprint(a["gen_ai.output.messages"])
	if gjson.Get(asked, "0.role").Str != "user" || !strings.Contains(gjson.Get(asked, "0.parts.0.content").Str, "[EMAIL]") || !strings.Contains(gjson.Get(said, "0.parts.0.content").Str, "[CARD]") {
		t.Errorf("messages %s %s", asked, said)
	}
	if len(c.Logs()) != 3 || c.Logs()[0].EventName != "sluice.call" || !gjson.Valid(c.Logs()[0].Body.GetStringValue()) || len(c.Logs()[0].TraceId) != 16 {
		t.Errorf("log records %v", c.Logs())
	}
}

// Bodies of errors only, and none where none are wanted.
func TestBodiesOfErrors(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.settings.Capture = &gateway.Capture{Bodies: "errors", Redact: guard.NewRedactor(0)}
	})
	r.call("POST", "/v1/chat/completions", chat("up/echo", "good words", ""))
	r.call("POST", "/v1/chat/completions", chat("up/fail-500", "bad words", ""))
	r.stop()
	if s := r.access.String(); strings.Contains(s, "good words") || !strings.Contains(s, "bad words") {
		t.Errorf("%s", s)
	}
}

// A provider is told of the trace that it works for.
func TestTraceIsPassedOn(t *testing.T) {
	f := func(name string, exported bool) {
		t.Run(name, func(t *testing.T) {
			got := make(chan http.Header, 1)
			up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got <- r.Header
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, `{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
			}))
			defer up.Close()
			c := collector.Start(t, tenant)
			r := newRig(t, func(s *setup) {
				if exported {
					exports(c)(s)
				}
				s.providers = append(s.providers, remote(t, "seen", up.URL, &openai.Dialect, oneTwo))
			})
			head, trace := parentOf(3, "01")
			r.call("POST", "/v1/chat/completions", chat("seen/m", "hi", ""), "Traceparent", head, "Tracestate", "v=1")
			h := <-got
			r.stop()
			sent := h.Get("Traceparent")
			if h.Get("Tracestate") != "v=1" || !strings.HasPrefix(sent, "00-"+trace+"-") {
				t.Fatalf("sent %v", h)
			}
			if !exported {
				if sent != head {
					t.Errorf("without spans of our own it is %s", sent)
				}
				return
			}
			if _, below := c.Trace(trace); fmt.Sprintf("%x", below[0].SpanId) != sent[36:52] {
				t.Errorf("it was told of %s, and its span is %x", sent, below[0].SpanId)
			}
		})
	}
	f("exported", true)
	f("passed", false)
}

// A collector that is gone, and sinks that are stalled, full or gone: calls are
// answered, and what is lost is counted.
func TestDeadSinks(t *testing.T) {
	stall := stuck{make(chan struct{})}
	queue := func(name string, to sink.Sender, most int) gateway.LogSink {
		return gateway.LogSink{Queue: sink.NewQueue(sink.Options{Name: name, To: to, Most: most, Every: time.Millisecond, Within: time.Millisecond})}
	}
	r := newRig(t, func(s *setup) {
		s.exporter = otlp.New(otlp.Options{URL: "http://127.0.0.1:1", Every: time.Millisecond, Log: slog.New(slog.DiscardHandler)})
		s.sinks = []gateway.LogSink{queue("stalled", sink.Writer{To: stall}, 2000), queue("gone", &sink.HTTP{URL: "http://127.0.0.1:1"}, 1<<20), queue("tiny", sink.Writer{To: stall}, 1)}
	})
	for range 30 {
		if a := r.call("POST", "/v1/chat/completions", chat("mock/echo", "hi", "")); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := r.call("POST", "/v1/chat/completions", chat("mock/echo", "hi", `,"stream":true`)); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	r.settled()
	if r.lost("stalled") == 0 || r.lost("tiny") != 60 {
		t.Errorf("stalled lost %d, tiny %d of 60", r.lost("stalled"), r.lost("tiny"))
	}
	close(stall.let)
	r.stop()
	if r.lost("gone") != 60 || r.lost("traces") == 0 {
		t.Errorf("gone lost %d of 60, traces %d", r.lost("gone"), r.lost("traces"))
	}
}

// An exported call stays within a budget of allocations.
func TestAllocationsOfAnExportedCall(t *testing.T) {
	c := collector.Start(t, tenant)
	newRig(t, exports(c)).small(t, "k", "").allocates(t, mostAllocs+8)
}
