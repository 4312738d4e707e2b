package sink

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Batch is records, one after the other: Ends are the offsets at which they end.
type Batch struct {
	Bytes []byte
	Ends  []int
}

// Each gives the records in order.
func (b *Batch) Each(use func(record []byte) error) error {
	at := 0
	for _, end := range b.Ends {
		if err := use(b.Bytes[at:end]); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// Sender takes batches to where they go. One goroutine uses it.
type Sender interface {
	// Send takes a batch, whole or not at all. An error that is Final is not
	// worth another try.
	Send(ctx context.Context, b Batch) error
	Close() error
}

// Final is an error that another try would bring again.
type Final struct{ Err error }

func (f *Final) Error() string { return f.Err.Error() }

// Unwrap gives the error itself.
func (f *Final) Unwrap() error { return f.Err }

// Later is an error with the time that the other side asks to be left alone for.
type Later struct {
	Err   error
	After time.Duration
}

func (l *Later) Error() string { return l.Err.Error() }

// Unwrap gives the error itself.
func (l *Later) Unwrap() error { return l.Err }

// Partial is what a batch lost that was otherwise taken.
type Partial struct {
	Lost int64
	Why  string
}

func (p *Partial) Error() string { return p.Why }

// Options are what a Queue is made of. What is zero is as DefaultX says.
type Options struct {
	Name   string
	To     Sender
	Most   int           // bytes that may wait
	Batch  int           // bytes that are sent at once
	Every  time.Duration // the longest that a record waits for others to go with
	Within time.Duration // for which a batch is tried again
	Log    *slog.Logger  // nil: nobody is told of what is lost
}

// The defaults of Options.
const (
	DefaultMost   = 8 << 20
	DefaultBatch  = 512 << 10
	DefaultEvery  = time.Second
	DefaultWithin = time.Minute
)

// sendTime bounds one try.
const sendTime = 10 * time.Second

// Queue is records on their way to a Sender.
type Queue struct {
	o       Options
	mu      sync.Mutex
	pending Batch
	spare   Batch
	closed  bool
	going   atomic.Int64 // bytes that were taken out and are not sent yet
	dropped atomic.Int64
	wake    chan struct{}
	stop    chan struct{}
	ctx     context.Context // of what is sent
	cancel  context.CancelFunc
	done    chan struct{}
	told    time.Time // when a loss was last told of
	unsaid  int64     // what was lost since
}

// NewQueue makes a queue and starts to empty it.
func NewQueue(o Options) *Queue {
	if o.Most == 0 {
		o.Most = DefaultMost
	}
	if o.Batch == 0 {
		o.Batch = DefaultBatch
	}
	if o.Every == 0 {
		o.Every = DefaultEvery
	}
	if o.Within == 0 {
		o.Within = DefaultWithin
	}
	q := &Queue{o: o, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	go q.run()
	return q
}

// Name is what the queue is called in metrics.
func (q *Queue) Name() string { return q.o.Name }

// Dropped counts the records that were lost.
func (q *Queue) Dropped() int64 { return q.dropped.Load() }

// Add takes a copy of a record, or drops it: it never waits.
func (q *Queue) Add(record []byte) {
	q.mu.Lock()
	if q.closed || len(q.pending.Bytes)+int(q.going.Load())+len(record) > q.o.Most {
		q.mu.Unlock()
		q.dropped.Add(1)
		return
	}
	q.pending.Bytes = append(q.pending.Bytes, record...)
	q.pending.Ends = append(q.pending.Ends, len(q.pending.Bytes))
	full := len(q.pending.Bytes) >= q.o.Batch
	q.mu.Unlock()
	if full {
		q.hurry()
	}
}

func (q *Queue) hurry() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Close sends what is left, until ctx ends; the rest is lost, and counted.
func (q *Queue) Close(ctx context.Context) {
	q.mu.Lock()
	was := q.closed
	q.closed = true
	q.mu.Unlock()
	if !was {
		close(q.stop)
	}
	select {
	case <-q.done:
	case <-ctx.Done():
	}
	q.cancel()
	select {
	case <-q.done:
	case <-time.After(time.Second): // a write that hears no context
	}
}

// run sends what has gathered, until the queue is closed and empty.
func (q *Queue) run() {
	defer close(q.done)
	defer func() { _ = q.o.To.Close() }()
	tick := time.NewTicker(q.o.Every)
	defer tick.Stop()
	for open := true; open; {
		select {
		case <-tick.C:
		case <-q.wake:
		case <-q.stop:
			open = false
		}
		q.flush()
	}
}

// flush takes out all that has gathered and sends it, batch by batch.
func (q *Queue) flush() {
	q.mu.Lock()
	all := q.pending
	q.pending = Batch{Bytes: q.spare.Bytes[:0], Ends: q.spare.Ends[:0]}
	q.going.Store(int64(len(all.Bytes)))
	q.mu.Unlock()
	for at, ends := 0, all.Ends; len(ends) > 0; {
		n := 1
		for n < len(ends) && ends[n]-at <= q.o.Batch {
			n++
		}
		b := Batch{Bytes: all.Bytes[at:ends[n-1]], Ends: ends[:n]}
		size := len(b.Bytes)
		for i := range b.Ends {
			b.Ends[i] -= at
		}
		q.send(b)
		q.going.Add(-int64(size))
		at, ends = at+size, ends[n:]
	}
	if cap(all.Bytes) > 2*q.o.Batch { // of a time when nothing was sent
		all = Batch{}
	}
	q.mu.Lock()
	q.spare = all
	q.mu.Unlock()
}

// The pauses between two tries, doubled from the first to the longest.
const (
	firstPause   = 200 * time.Millisecond
	longestPause = 10 * time.Second
)

// send tries until a batch is taken, or not worth another try.
func (q *Queue) send(b Batch) {
	until := time.Now().Add(q.o.Within)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		ctx, cancel := context.WithTimeout(q.ctx, sendTime)
		err := q.o.To.Send(ctx, b)
		cancel()
		var partial *Partial
		var final *Final
		switch {
		case err == nil:
			return
		case errors.As(err, &partial):
			q.lose(partial.Lost, err)
			return
		case errors.As(err, &final):
			q.lose(int64(len(b.Ends)), err)
			return
		}
		wait := pause/2 + rand.N(pause)
		if later := (*Later)(nil); errors.As(err, &later) {
			wait = max(wait, later.After)
		}
		if time.Now().Add(wait).After(until) || !q.sleep(wait) {
			q.lose(int64(len(b.Ends)), err)
			return
		}
	}
}

// sleep waits; false: the queue was given up meanwhile.
func (q *Queue) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-q.ctx.Done():
		return false
	}
}

// lose counts what was lost, and tells of it once a minute at most.
func (q *Queue) lose(n int64, err error) {
	q.dropped.Add(n)
	q.unsaid += n
	if q.o.Log == nil || n == 0 || time.Since(q.told) < time.Minute {
		return
	}
	q.o.Log.Warn("records were lost: their sink does not take them", "sink", q.o.Name, "records", q.unsaid, "error", err)
	q.told, q.unsaid = time.Now(), 0
}
