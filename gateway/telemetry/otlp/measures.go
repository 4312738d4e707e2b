package otlp

import (
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// The bounds of buckets that the conventions ask for.
var (
	secondBounds = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	tokenBounds  = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
	firstBounds  = []float64{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	eachBounds   = []float64{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5}
)

// Of is what a call is counted under.
type Of struct {
	Operation string // in the words of the conventions
	Provider  string // likewise
	Model     string // the provider's own name for it
	Error     string // empty: it went well
	tokens    string // input or output; empty: not of tokens
}

// Measured is what is known of a call that has ended.
type Measured struct {
	Duration   time.Duration
	FirstChunk time.Duration // 0: none came
	Stream     bool
	Input      int64
	Output     int64
}

// histogram is one series of a metric.
type histogram struct {
	count   uint64
	sum     float64
	buckets []uint64
}

func (h *histogram) add(bounds []float64, v float64) {
	i, _ := slices.BinarySearch(bounds, v)
	h.buckets[i]++
	h.count++
	h.sum += v
}

// instrument is one metric.
type instrument struct {
	name, unit, about string
	bounds            []float64
	series            map[Of]*histogram
}

func (i *instrument) add(of Of, v float64) {
	h := i.series[of]
	if h == nil {
		if len(i.series) >= mostSeries {
			of.Model = "other"
			h = i.series[of]
		}
		if h == nil {
			h = &histogram{buckets: make([]uint64, len(i.bounds)+1)}
			i.series[of] = h
		}
	}
	h.add(i.bounds, v)
}

// mostSeries bounds the series of a metric: callers may name models that nobody
// knows. What comes after is counted under the model "other".
const mostSeries = 2000

// Measures counts calls. It may be used by any number of goroutines.
type Measures struct {
	mu                                     sync.Mutex
	began                                  time.Time
	duration, tokens, chunk, first, spread instrument
}

// NewMeasures begins to count.
func NewMeasures(now time.Time) *Measures {
	of := func(name, unit, about string, bounds []float64) instrument {
		return instrument{name, unit, about, bounds, map[Of]*histogram{}}
	}
	return &Measures{
		began:    now,
		duration: of(OperationDuration, "s", "GenAI operation duration.", secondBounds),
		tokens:   of(TokenUsage, "{token}", "Number of input and output tokens used.", tokenBounds),
		chunk:    of(FirstChunk, "s", "Time to receive the first chunk of a stream.", firstBounds),
		first:    of(FirstToken, "s", "Time to the first token of an answer that went well.", firstBounds),
		spread:   of(PerOutputToken, "s", "Time per output token after the first, of a stream that went well.", eachBounds),
	}
}

// Add counts a call.
func (m *Measures) Add(of Of, c Measured) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.duration.add(of, c.Duration.Seconds())
	if c.Stream && c.FirstChunk > 0 {
		m.chunk.add(of, c.FirstChunk.Seconds())
		if of.Error == "" {
			m.first.add(of, c.FirstChunk.Seconds())
			if c.Output > 1 && c.Duration > c.FirstChunk {
				m.spread.add(of, (c.Duration-c.FirstChunk).Seconds()/float64(c.Output-1))
			}
		}
	}
	of.Error = ""
	if c.Input > 0 {
		of.tokens = "input"
		m.tokens.add(of, float64(c.Input))
	}
	if c.Output > 0 {
		of.tokens = "output"
		m.tokens.add(of, float64(c.Output))
	}
}

// Append gives each metric that has something to tell as it is now.
func (m *Measures) Append(now time.Time, yield func(metric []byte) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, i := range []*instrument{&m.duration, &m.tokens, &m.chunk, &m.first, &m.spread} {
		if len(i.series) == 0 {
			continue
		}
		if err := yield(i.append(nil, m.began, now)); err != nil {
			return err
		}
	}
	return nil
}

// cumulative: each time all since the beginning is told.
const cumulative = 2

func (i *instrument) append(b []byte, began, now time.Time) []byte {
	b = appendString(appendString(appendString(b, 1, i.name), 2, i.about), 3, i.unit)
	b, whole := begin(b, 9)
	for of, h := range i.series {
		var at int
		b, at = begin(b, 1)
		b = appendTime(appendTime(b, 2, began), 3, now)
		b = appendHistogram(b, i.bounds, h)
		b = ofBuckets.String(b, GenAIOperation, of.Operation)
		b = ofBuckets.String(b, GenAIProvider, of.Provider)
		b = ofBuckets.String(b, GenAIRequestModel, of.Model)
		b = ofBuckets.String(b, ErrorType, of.Error)
		b = ofBuckets.String(b, GenAITokenType, of.tokens)
		b = end(b, at)
	}
	return end(appendEnum(b, 2, cumulative), whole)
}

// appendHistogram tells what a point of a histogram has counted.
func appendHistogram(b []byte, bounds []float64, h *histogram) []byte {
	b = appendDouble(appendFixed64(b, 4, h.count), 5, h.sum)
	b, at := begin(b, 6)
	for _, n := range h.buckets {
		b = protowire.AppendFixed64(b, n)
	}
	b, at = begin(end(b, at), 7)
	for _, v := range bounds {
		b = appendPacked(b, v)
	}
	return end(b, at)
}
