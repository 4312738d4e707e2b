package e2e

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"

	"sluice/bench/collector"
)

// After a known load, a scrape and a collector are told just what it was, and
// just what the documentation lists.
func TestObserved(t *testing.T) {
	c := collector.Start(t, map[string]string{"X-Tenant": "a"})
	o := observe(newGateway(t, ""), c.URL())
	o.calls()
	o.prompt()
	o.waiting()
	o.routed()
	if !eventually(30*time.Second, func() bool {
		return o.metric("sluice_spool_records") == "0" && o.metric(`sluice_alert_deliveries_total{receiver="ops",result="delivered"}`) == "1" &&
			o.metric(`sluice_route_mirrored_total{mirror="`+o.back.URL+`/copy",result="answered",route="copied"}`) == "1"
	}) {
		t.Fatal("what is done beside calls has not ended")
	}
	a, err := o.send("GET", "http://"+o.admin+"/metrics", "")
	if err != nil || a.status != 200 {
		t.Fatalf("metrics: %d %v", a.status, err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(a.body))
	if err != nil {
		t.Fatalf("what Prometheus is shown is not in its format: %v", err)
	}
	if code := o.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	scraped, told := shownToPrometheus(families), toldTo(t, c)
	want := wanted(t)
	told.are(t, "the collector", want)
	maps.DeleteFunc(want, func(name string, _ string) bool { return strings.HasPrefix(name, "gen_ai.") })
	scraped.are(t, "the scrape", want)
	for name := range families {
		if c.Metrics()[name] == nil {
			t.Errorf("the collector is not told of %s", name)
		}
	}
	if lines := strings.Count(o.stdout.String(), "\n"); told[`sluice_log_dropped_total{sink="full"}`].value != float64(lines) {
		t.Errorf("a sink without room has lost %v of %d lines", told[`sluice_log_dropped_total{sink="full"}`].value, lines)
	}
	documentedMetrics(t, families)
	for _, planted := range []string{"planted", "ann@", teamKey, "sk-up", "sk-two", "t/k"} {
		if strings.Contains(a.body+fmt.Sprint(c.Metrics()), planted) {
			t.Errorf("metrics tell %q", planted)
		}
	}
	o.spansAre(c)
}

// point is what a series says; of a histogram count and sum.
type point struct {
	kind       string
	value, sum float64
	count      uint64
}

// points are series by name and labels, as Prometheus writes them: those that
// are empty are left out.
type points map[string]point

func (p points) put(name string, labels map[string]string, is point) {
	var list []string
	for _, l := range slices.Sorted(maps.Keys(labels)) {
		if labels[l] != "" {
			list = append(list, fmt.Sprintf("%s=%q", l, labels[l]))
		}
	}
	if len(list) > 0 {
		name += "{" + strings.Join(list, ",") + "}"
	}
	p[addresses.ReplaceAllString(name, "ADDRESS")] = is
}

// addresses are another in each run.
var addresses = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

func shownToPrometheus(families map[string]*dto.MetricFamily) points {
	p := points{}
	for name, f := range families {
		for _, m := range f.Metric {
			labels := map[string]string{}
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
			}
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				p.put(name, labels, point{kind: "counter", value: m.Counter.GetValue()})
			case dto.MetricType_GAUGE:
				p.put(name, labels, point{kind: "gauge", value: m.Gauge.GetValue()})
			case dto.MetricType_HISTOGRAM:
				p.put(name, labels, point{kind: "histogram", sum: m.Histogram.GetSampleSum(), count: m.Histogram.GetSampleCount()})
			}
		}
	}
	return p
}

// toldTo are the series that the collector was told of last.
func toldTo(t *testing.T, c *collector.Collector) points {
	t.Helper()
	p := points{}
	const total = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
	for name, m := range c.Metrics() {
		for _, d := range m.GetGauge().GetDataPoints() {
			p.put(name, words(collector.Attributes(d.Attributes)), point{kind: "gauge", value: d.GetAsDouble()})
		}
		for _, d := range m.GetSum().GetDataPoints() {
			p.put(name, words(collector.Attributes(d.Attributes)), point{kind: "counter", value: d.GetAsDouble()})
		}
		for _, d := range m.GetHistogram().GetDataPoints() {
			p.put(name, words(collector.Attributes(d.Attributes)), point{kind: "histogram", sum: d.GetSum(), count: d.Count})
			in := uint64(0)
			for _, n := range d.BucketCounts {
				in += n
			}
			if in != d.Count || len(d.BucketCounts) != len(d.ExplicitBounds)+1 || d.StartTimeUnixNano == 0 || d.TimeUnixNano < d.StartTimeUnixNano {
				t.Errorf("%s: %v", name, d)
			}
		}
		if s := m.GetSum(); s != nil && (!s.IsMonotonic || s.AggregationTemporality != total) {
			t.Errorf("%s is no counter since the start", name)
		}
		if h := m.GetHistogram(); h != nil && h.AggregationTemporality != total {
			t.Errorf("%s does not count since the start", name)
		}
	}
	return p
}

func words(attributes map[string]any) map[string]string {
	out := map[string]string{}
	for name, value := range attributes {
		out[name] = fmt.Sprint(value)
	}
	return out
}

// wanted reads what the load comes to: series, and what each must be.
func wanted(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/observed-metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		want[line[:at]] = line[at+1:]
	}
	return want
}

// are tells what is not as it is wanted, of the gateway's own series: a value,
// >0, any, or of a histogram the count, with what was counted behind a colon.
func (p points) are(t *testing.T, where string, want map[string]string) {
	t.Helper()
	for name, is := range p {
		if _, ok := want[name]; !ok && (strings.HasPrefix(name, "sluice_") || strings.HasPrefix(name, "gen_ai.")) {
			t.Errorf("%s has %s, which nobody wants: %+v", where, name, is)
		}
	}
	for name, text := range want {
		is, ok := p[name]
		family, _, _ := strings.Cut(name, "{")
		kind := "gauge"
		switch {
		case strings.HasSuffix(family, "_total"):
			kind = "counter"
		case strings.HasSuffix(family, "_seconds") || family == "sluice_route_request_bytes" || family == "sluice_route_response_bytes" || strings.HasPrefix(family, "gen_ai."):
			kind = "histogram"
		}
		if !ok || is.kind != kind || !is.says(text) {
			t.Errorf("%s has %s as %+v, want a %s %s", where, name, is, kind, text)
		}
	}
}

// says compares a series with what is wanted of it. Money is a float there: it
// is compared to the billionth.
func (p point) says(text string) bool {
	switch text {
	case "any":
		return true
	case ">0":
		return p.value > 0
	}
	number, sum, exact := strings.Cut(text, ":")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return false
	}
	if p.kind != "histogram" {
		return fmt.Sprintf("%.9f", p.value) == fmt.Sprintf("%.9f", n)
	}
	if exact {
		return float64(p.count) == n && fmt.Sprint(p.sum) == sum
	}
	return float64(p.count) == n && (p.sum > 0) == (n > 0)
}
