package e2e

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"sluice/bench/collector"
)

// asCode are the words of a text that stand as code.
var asCode = regexp.MustCompile("`([a-z_.]+)`")

// processMetrics are those of the process and of the Go runtime that are named.
var processMetrics = regexp.MustCompile("`(?:go|process)_[a-z_]+`")

func namesIn(text string) (names []string) {
	for _, m := range asCode.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

func documentation(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// documentedMetrics holds the gateway's own metrics, and their labels, to the
// documentation's table: none is missing on either side.
func documentedMetrics(t *testing.T, families map[string]*dto.MetricFamily) {
	t.Helper()
	documented := map[string]string{}
	for line := range strings.Lines(documentation(t)) {
		if !strings.HasPrefix(line, "| `sluice_") {
			continue
		}
		cells := strings.Split(line, "|")
		labels := slices.Sorted(slices.Values(namesIn(cells[2])))
		for _, name := range namesIn(cells[1]) {
			documented[name] = strings.Join(labels, " ")
		}
	}
	for name, f := range families {
		if !strings.HasPrefix(name, "sluice_") {
			continue
		}
		labels := map[string]bool{}
		for _, m := range f.Metric {
			for _, l := range m.Label {
				labels[l.GetName()] = true
			}
		}
		want, ok := documented[name]
		if has := strings.Join(slices.Sorted(maps.Keys(labels)), " "); !ok || has != want {
			t.Errorf("%s has the labels %q; documented: %v, with %q", name, has, ok, want)
		}
		if f.GetHelp() == "" {
			t.Errorf("%s does not say what it is", name)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("%s is documented, and not there", name)
	}
	for _, name := range processMetrics.FindAllString(documentation(t), -1) {
		f := families[strings.Trim(name, "`")]
		if f == nil || len(f.Metric) == 0 || f.Metric[0].GetGauge().GetValue()+f.Metric[0].GetCounter().GetValue() == 0 && f.Metric[0].GetSummary().GetSampleCount() == 0 {
			t.Errorf("%s is documented, and says nothing", name)
		}
	}
}

// spansAre holds what the collector was told of calls to what was asked, and
// the names in it to the documentation.
func (o *observed) spansAre(c *collector.Collector) {
	t := o.t
	t.Helper()
	told := map[string]bool{}
	for _, s := range c.Spans() {
		for name := range collector.Attributes(s.Attributes) {
			told[name] = true
		}
	}
	for name, m := range c.Metrics() {
		if !strings.HasPrefix(name, "gen_ai.") {
			continue
		}
		told[name] = true
		for _, d := range m.GetHistogram().GetDataPoints() {
			for label := range collector.Attributes(d.Attributes) {
				told[label] = true
			}
		}
	}
	_, text, _ := strings.Cut(documentation(t), "\n**Traces.**")
	text, _, _ = strings.Cut(text, "\n**Bodies**")
	for _, name := range namesIn(text) {
		if strings.Contains(name, ".") && !strings.HasPrefix(name, "telemetry.") && !told[name] {
			t.Errorf("%s is documented, and was not told", name)
		}
	}
	for name := range told {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("%s was told, and is not documented", name)
		}
	}
	want, err := os.ReadFile("testdata/observed-spans.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(want), "\n\n")
	if got := tracesOf(c.Spans()); got != list {
		t.Errorf("the collector was told of calls:\n%s\nwant:\n%s", got, list)
	}
}

// tracesOf writes the traces that the load named, each with its number, its
// spans below their parents in the order in which they began.
func tracesOf(spans []*tracepb.Span) string {
	slices.SortStableFunc(spans, func(a, b *tracepb.Span) int { return cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano) })
	var b strings.Builder
	for n := range 50 {
		below := map[string][]*tracepb.Span{}
		for _, s := range spans {
			if hex.EncodeToString(s.TraceId) == traceID(n) {
				below[hex.EncodeToString(s.ParentSpanId)] = append(below[hex.EncodeToString(s.ParentSpanId)], s)
			}
		}
		if len(below) > 0 {
			fmt.Fprintf(&b, "%d\n", n)
			writeSpans(&b, below, "00f067aa0ba902b7", "  ")
		}
	}
	return b.String()
}

// measured are attributes whose values are others in each run, but where the load
// gave them.
var measured = []string{"sluice.call.id", "sluice.request.id", "gen_ai.response.time_to_first_chunk", "server.port"}

func writeSpans(b *strings.Builder, below map[string][]*tracepb.Span, parent, indent string) {
	for _, s := range below[parent] {
		kind := strings.ToLower(strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_"))
		fmt.Fprintf(b, "%s%s: %s", indent, kind, s.Name)
		if s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
			b.WriteString(", failed")
		}
		b.WriteByte('\n')
		attributes := collector.Attributes(s.Attributes)
		for _, name := range slices.Sorted(maps.Keys(attributes)) {
			value := fmt.Sprint(attributes[name])
			if slices.Contains(measured, name) && value != "planted-id" {
				value = "…"
			}
			fmt.Fprintf(b, "%s  %s=%s\n", indent, name, addresses.ReplaceAllString(value, "ADDRESS"))
		}
		writeSpans(b, below, hex.EncodeToString(s.SpanId), indent+"  ")
	}
}
