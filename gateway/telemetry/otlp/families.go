package otlp

import (
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protowire"
)

// What a metric is: the field that holds its points.
const (
	asGauge     protowire.Number = 5
	asSum       protowire.Number = 7
	asHistogram protowire.Number = 9
	asSummary   protowire.Number = 11
)

var kinds = map[dto.MetricType]protowire.Number{
	dto.MetricType_GAUGE: asGauge, dto.MetricType_COUNTER: asSum, dto.MetricType_HISTOGRAM: asHistogram, dto.MetricType_SUMMARY: asSummary,
}

// appendFamily makes a metric of what Prometheus is shown, under the same name:
// what a collector hands on to a Prometheus is then the series that a scrape
// gives. Labels that are empty are left out, which is the same to Prometheus.
func appendFamily(b []byte, f *dto.MetricFamily, began, now time.Time) []byte {
	b = appendString(appendString(b, 1, f.GetName()), 2, f.GetHelp())
	kind := kinds[f.GetType()]
	b, whole := begin(b, kind)
	for _, m := range f.Metric {
		var at int
		b, at = begin(b, 1)
		if kind != asGauge {
			b = appendTime(b, 2, began)
		}
		b = appendTime(b, 3, now)
		of := ofNumber
		switch kind {
		case asGauge:
			b = appendDouble(b, 4, m.Gauge.GetValue())
		case asSum:
			b = appendDouble(b, 4, m.Counter.GetValue())
		case asHistogram:
			b, of = appendBuckets(b, m.Histogram), ofBuckets
		case asSummary:
			b = appendQuantiles(b, m.Summary)
		}
		for _, l := range m.Label {
			b = of.String(b, l.GetName(), l.GetValue())
		}
		b = end(b, at)
	}
	if kind == asSum || kind == asHistogram {
		b = appendEnum(b, 2, cumulative)
	}
	if kind == asSum {
		b = appendEnum(b, 3, 1) // it never falls
	}
	return end(b, whole)
}

// appendBuckets tells a histogram, whose buckets Prometheus counts each with
// those below it.
func appendBuckets(b []byte, h *dto.Histogram) []byte {
	bounds, counts := make([]float64, 0, len(h.Bucket)), make([]uint64, 0, len(h.Bucket)+1)
	below := uint64(0)
	for _, k := range h.Bucket {
		bounds, counts = append(bounds, k.GetUpperBound()), append(counts, k.GetCumulativeCount()-below)
		below = k.GetCumulativeCount()
	}
	return appendHistogram(b, bounds, &histogram{h.GetSampleCount(), h.GetSampleSum(), append(counts, h.GetSampleCount()-below)})
}

func appendQuantiles(b []byte, s *dto.Summary) []byte {
	b = appendDouble(appendFixed64(b, 4, s.GetSampleCount()), 5, s.GetSampleSum())
	for _, q := range s.Quantile {
		var at int
		b, at = begin(b, 6)
		b = end(appendDouble(appendDouble(b, 1, q.GetQuantile()), 2, q.GetValue()), at)
	}
	return b
}
