package purge

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"sluice/gateway/shared"
)

// Options are what a Listener is made of.
type Options struct {
	NATS *NATS // nil: it is not listened to
	AMQP *AMQP // likewise
	// Purge takes out of the caches what a purge fits, and tells how many answers
	// that were. alone: no other replica has heard of it.
	Purge func(ctx context.Context, p shared.Purge, alone bool) int64
	Log   *slog.Logger
}

// Listener hears of purges. It is safe for concurrent use.
type Listener struct {
	o    Options
	ears []*ear
}

// ear is one source, and how it stands.
type ear struct {
	source string
	alone  bool // what it hears no other replica does
	listen func(context.Context, *ear)
	hear   func(ctx context.Context, text []byte) error
	log    *slog.Logger

	up            atomic.Bool
	told          atomic.Bool  // that it is away
	tries         atomic.Int64 // since it was there
	done, refused atomic.Int64
}

// New makes a listener; nil: there is nothing to listen to.
func New(o Options) *Listener {
	l := &Listener{o: o}
	if o.NATS != nil {
		l.add(&ear{source: "nats", listen: o.NATS.listen})
	}
	if o.AMQP != nil {
		l.add(&ear{source: "amqp", listen: o.AMQP.listen, alone: o.AMQP.Queue != ""})
	}
	if len(l.ears) == 0 {
		return nil
	}
	return l
}

func (l *Listener) add(e *ear) {
	e.log = l.o.Log.With("source", e.source)
	e.hear = func(ctx context.Context, text []byte) error { return l.hear(ctx, e, text) }
	l.ears = append(l.ears, e)
}

// Run listens until ctx ends.
func (l *Listener) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, e := range l.ears {
		all.Go(func() { e.listen(ctx, e) })
	}
	all.Wait()
}

// hear carries out what was heard. An error says that it cannot be understood.
func (l *Listener) hear(ctx context.Context, e *ear, text []byte) error {
	p, err := shared.ParseEvent(string(text))
	if err != nil {
		e.refused.Add(1)
		e.log.Warn("an event that should purge kept answers cannot be understood", "error", err)
		return err
	}
	n := l.o.Purge(ctx, p, e.alone)
	e.done.Add(1)
	e.log.Info("an event has purged kept answers", "purged", n, "event", string(text))
	return nil
}

// missed purges everything: events were lost, and nobody knows which.
func (e *ear) missed(ctx context.Context) { _ = e.hear(ctx, []byte(`{"prefix":""}`)) }

// is notes that the source is there, or, with an error, that it is not: once each
// time.
func (e *ear) is(up bool, err error) {
	was := e.up.Swap(up)
	switch {
	case up && !was:
		e.told.Store(false)
		e.tries.Store(0)
		e.log.Info("purges are heard of")
	case !up && !e.told.Swap(true):
		e.log.Warn("purges are not heard of until the source is there: kept answers stay until their time is over", "error", err)
	}
}

// keep listens again and again, until ctx ends.
func (e *ear) keep(ctx context.Context, listen func() error) {
	for {
		err := listen()
		if ctx.Err() != nil {
			return
		}
		e.is(false, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(waitAfter(int(e.tries.Add(1)))):
		}
	}
}

// Bounds of the time between two tries to connect.
const (
	firstWait = 250 * time.Millisecond
	mostWait  = 10 * time.Second
)

// waitAfter is how long to wait after so many tries: twice as long each time, and
// not the same for all replicas.
func waitAfter(tries int) time.Duration {
	d := min(firstWait<<min(max(tries-1, 0), 10), mostWait)
	return d/2 + rand.N(d/2+1)
}

// Figures tell how a source stands. The counts are since the start.
type Figures struct {
	Source  string `json:"source"` // nats or amqp
	Up      bool   `json:"up"`
	Purges  int64  `json:"purges"`  // that were heard of
	Refused int64  `json:"refused"` // events that could not be understood
}

// Figures are those of each source; none of a nil Listener.
func (l *Listener) Figures() (list []Figures) {
	if l == nil {
		return nil
	}
	for _, e := range l.ears {
		list = append(list, Figures{Source: e.source, Up: e.up.Load(), Purges: e.done.Load(), Refused: e.refused.Load()})
	}
	return list
}
