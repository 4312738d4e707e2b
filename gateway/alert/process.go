package alert

import (
	"math"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// sampler keeps this process's metrics of the last hour, as they were at each
// look, so that counters can be counted over a time.
type sampler struct {
	samples []sample // oldest first
}

// sample is the metrics at a time, by family.
type sample struct {
	at       time.Time
	families map[string][]series
}

// series is one series: its labels by the words of Each, and others.
type series struct {
	labels  map[string]string
	value   float64
	buckets []bucket // of a histogram, cumulative
}

type bucket struct{ upper, count float64 }

// take adds the metrics as they are, those of families alone.
func (s *sampler) take(gathered []*dto.MetricFamily, families map[string]bool, now time.Time) {
	one := sample{at: now, families: map[string][]series{}}
	for _, f := range gathered {
		if !families[f.GetName()] {
			continue
		}
		for _, m := range f.GetMetric() {
			one.families[f.GetName()] = append(one.families[f.GetName()], seriesOf(f.GetName(), m))
		}
	}
	s.samples = append(s.samples, one)
	for len(s.samples) > 2 && !s.samples[1].at.After(now.Add(-Longest)) {
		s.samples = slices.Delete(s.samples, 0, 1)
	}
}

func seriesOf(family string, m *dto.Metric) series {
	out := series{labels: map[string]string{}}
	for _, l := range m.GetLabel() {
		out.labels[l.GetName()] = l.GetValue()
	}
	if family == "sluice_ttft_seconds" { // its model is the target's own name
		out.labels["target"] = out.labels["provider"] + "/" + out.labels["model"]
		delete(out.labels, "model")
	}
	switch {
	case m.Histogram != nil:
		out.value = float64(m.Histogram.GetSampleCount())
		for _, b := range m.Histogram.GetBucket() {
			out.buckets = append(out.buckets, bucket{b.GetUpperBound(), float64(b.GetCumulativeCount())})
		}
	case m.Counter != nil:
		out.value = m.Counter.GetValue()
	case m.Gauge != nil:
		out.value = m.Gauge.GetValue()
	}
	return out
}

// last is the newest sample; before the first, an empty one.
func (s *sampler) last() sample {
	if len(s.samples) == 0 {
		return sample{}
	}
	return s.samples[len(s.samples)-1]
}

// at is the sample of a time, or the oldest one after it.
func (s *sampler) at(t time.Time) sample {
	if len(s.samples) == 0 {
		return sample{}
	}
	i := len(s.samples) - 1
	for i > 0 && s.samples[i].at.After(t) {
		i--
	}
	return s.samples[i]
}

// since is what a family grew by from one sample to another.
func since(then, now sample, family string) []series {
	was := map[string]series{}
	for _, s := range then.families[family] {
		was[labelText(s.labels)] = s
	}
	var out []series
	for _, s := range now.families[family] {
		old := was[labelText(s.labels)]
		grown := series{labels: s.labels, value: s.value - old.value}
		for i, b := range s.buckets {
			if i < len(old.buckets) {
				b.count -= old.buckets[i].count
			}
			grown.buckets = append(grown.buckets, b)
		}
		out = append(out, grown)
	}
	return out
}

// measure adds series up to a figure.
func (f *Figure) measure(name string, list []series) measure {
	var m measure
	var buckets []bucket
	for _, s := range list {
		if f.want != 0 {
			if s.value == f.want {
				m.value++
			}
			continue
		}
		m.of += s.value
		if s.labels["status"] >= f.least {
			m.value += s.value
		}
		buckets = merge(buckets, s.buckets)
	}
	switch {
	case f.Unit == Share && m.of > 0:
		m.value /= m.of
	case strings.HasSuffix(name, "_p95"):
		m.value = quantile(0.95, buckets, m.of)
	case strings.HasSuffix(name, "_p50"):
		m.value = quantile(0.5, buckets, m.of)
	}
	return m
}

func merge(into, b []bucket) []bucket {
	if into == nil {
		return slices.Clone(b)
	}
	for i := range b {
		if i < len(into) {
			into[i].count += b[i].count
		}
	}
	return into
}

// quantile is within its bucket as if that were filled evenly; what is over the
// last bound counts as that.
func quantile(q float64, buckets []bucket, of float64) float64 {
	if of <= 0 || len(buckets) == 0 {
		return 0
	}
	rank, lower, below := q*of, 0.0, 0.0
	for _, b := range buckets {
		if b.count >= rank && !math.IsInf(b.upper, 1) {
			if b.count == below {
				return b.upper
			}
			return lower + (b.upper-lower)*(rank-below)/(b.count-below)
		}
		if !math.IsInf(b.upper, 1) {
			lower, below = b.upper, b.count
		}
	}
	return lower
}
