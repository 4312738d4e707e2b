package otlp

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"

	"sluice/gateway/telemetry/sink"
)

// Options are what an Exporter is made of.
type Options struct {
	URL      string // of the collector, without /v1/…
	Header   map[string]string
	Resource Resource
	Every    time.Duration // between two reports of metrics; 0: DefaultEvery
	// Gather reads what Prometheus is shown, which is told as well; nil: nothing is.
	Gather func() ([]*dto.MetricFamily, error)
	Log    *slog.Logger
}

// DefaultEvery is how often metrics are sent.
const DefaultEvery = 15 * time.Second

// Exporter sends spans and metrics to a collector.
type Exporter struct {
	Measures *Measures
	Spans    *sink.Queue

	wrap    *Wrap
	metrics *sink.HTTP
	gather  func() ([]*dto.MetricFamily, error)
	log     *slog.Logger
	trouble bool
	stop    chan struct{}
	done    sync.WaitGroup
}

// New makes an exporter and starts it.
func New(o Options) *Exporter {
	w := NewWrap(o.Resource)
	e := &Exporter{Measures: NewMeasures(time.Now()), wrap: w, metrics: Post(o.URL, "metrics", o.Header, nil),
		gather: o.Gather, log: o.Log, stop: make(chan struct{})}
	e.Spans = sink.NewQueue(sink.Options{Name: "traces", To: Post(o.URL, "traces", o.Header, w), Log: o.Log})
	every := o.Every
	if every == 0 {
		every = DefaultEvery
	}
	e.done.Go(func() { e.run(every) })
	return e
}

// Post posts batches to one of a collector's signals; without a wrap the batch
// is the body.
func Post(url, signal string, header map[string]string, w *Wrap) *sink.HTTP {
	s := &sink.HTTP{URL: strings.TrimRight(url, "/") + "/v1/" + signal, Type: "application/x-protobuf", Header: header,
		Read: func(body []byte) error {
			if n, why := Rejected(body); n > 0 {
				return &sink.Partial{Lost: n, Why: "the collector refused a part: " + why}
			}
			return nil
		}}
	if w != nil {
		s.Wrap = func(dst []byte, b sink.Batch) []byte { return w.Append(dst, b.Each) }
	}
	return s
}

func (e *Exporter) run(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			e.report(ctx)
			cancel()
		case <-e.stop:
			return
		}
	}
}

// report sends the metrics. What is not taken is in the next report: nothing is
// lost.
func (e *Exporter) report(ctx context.Context) {
	told, now := false, time.Now()
	var families []*dto.MetricFamily
	var odd error
	if e.gather != nil {
		families, odd = e.gather()
	}
	body := e.wrap.Append(nil, func(yield func([]byte) error) error {
		tell := func(metric []byte) error {
			told = true
			return yield(metric)
		}
		if err := e.Measures.Append(now, tell); err != nil {
			return err
		}
		for _, f := range families {
			if kinds[f.GetType()] == 0 {
				continue // of a kind that OpenTelemetry has not, and nobody here makes
			}
			if err := tell(appendFamily(nil, f, e.Measures.began, now)); err != nil {
				return err
			}
		}
		return nil
	})
	if !told {
		return
	}
	err := errors.Join(odd, e.metrics.Send(ctx, sink.Batch{Bytes: body}))
	if err != nil && !e.trouble {
		e.log.Warn("the collector was not told of all metrics; they are told again with the next", "error", err)
	}
	e.trouble = err != nil
}

// Close sends what is left, until ctx ends.
func (e *Exporter) Close(ctx context.Context) {
	close(e.stop)
	e.done.Wait()
	e.report(ctx)
	_ = e.metrics.Close()
	e.Spans.Close(ctx)
}
