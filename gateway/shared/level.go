package shared

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Options are what a Level is made of.
type Options struct {
	Redis     rueidis.ClientOption // as ParseURL gives it
	Memcached string               // in its place, as ParseMemcached gives it
	// Purge takes out of memory what a purge fits and tells how much that was.
	Purge func(Purge) int64
	Log   *slog.Logger
}

// askTime bounds a question of a call: who waits longer is better off asking
// whoever makes the answer. After mostSlow in a row that took longer, the server
// is let alone for restTime.
const (
	askTime  = 50 * time.Millisecond
	mostSlow = 3
	restTime = 10 * time.Second
)

// writeTime bounds what is written in the background.
const writeTime = 2 * time.Second

// Bounds of what waits to be written.
const (
	mostWrites     = 1024
	mostWriteBytes = 32 << 20
)

// Level is the second level. It is safe for concurrent use, and down until Run
// has made a connection.
type Level struct {
	o  Options
	id string // of this replica, to know its own words

	history  history
	applying sync.Mutex // over a record and what it purges
	session  atomic.Pointer[session]
	slow     atomic.Int64 // questions in a row that took too long
	writes   chan write
	waiting  atomic.Int64 // bytes in writes

	pendingMu sync.Mutex
	pending   []Purge // which the server has not been told

	counts counts
}

// session is a connection that is up.
type session struct {
	link
	end context.CancelFunc
}

// link is what a Redis, or a memcached, does for replicas.
type link interface {
	get(ctx context.Context, keys []string) (values [][]byte, err error)
	// put keeps values, and tells how many it has kept.
	put(ctx context.Context, list []item) (kept int)
	// tell has a purge logged and every replica told, and gives how many those are;
	// negative: nobody knows.
	tell(ctx context.Context, p Purge) (id ID, replicas int64, err error)
	// record has one logged that every replica hears of elsewhere.
	record(ctx context.Context, p Purge) (ID, error)
	// change makes the value of turn another one, and has every replica told.
	change(ctx context.Context, turn string, p Purge) error
}

// item is a value as it is kept.
type item struct {
	key   string
	value []byte
	ttl   time.Duration
}

// write is a value that is to be kept.
type write struct {
	session *session // that the value's mark is of
	key     string
	ttl     time.Duration
	size    int64
	value   func() ([]byte, error) // made when it is sent
}

// New makes a level.
func New(o Options) *Level {
	return &Level{o: o, id: rand.Text(), writes: make(chan write, mostWrites)}
}

// server is what it is called where somebody is told of it.
func (l *Level) server() string {
	if l.o.Memcached != "" {
		return "memcached"
	}
	return "Redis"
}

// Mark says how much of the log was known when an answer was asked for. The zero
// value says that the answer cannot be shared.
type Mark struct {
	ID      ID
	session *session
}

// Mark is that of an answer which is asked for from now on.
func (l *Level) Mark() Mark {
	s := l.session.Load()
	if s == nil {
		return Mark{}
	}
	return Mark{l.history.known(), s}
}

// Purged tells whether an answer which was asked for at a place in the log may
// have been purged since. fits says whether a purge is of it.
func (l *Level) Purged(at ID, fits func(Purge) bool) bool { return l.history.purged(at, fits) }

// Get gives the values of keys, nil where there is none; ok is false where the
// server is not there, or does not answer in time.
func (l *Level) Get(keys ...string) (values [][]byte, ok bool) {
	s := l.session.Load()
	if s == nil {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	values, err := s.get(ctx, keys)
	l.note(s, err)
	return values, err == nil && len(values) == len(keys)
}

// note counts how a question of a call went, and has the server let alone where
// it is slow. One that does not answer at all shows by its connection.
func (l *Level) note(s *session, err error) {
	if err == nil {
		l.slow.Store(0)
		return
	}
	l.counts.errors.Add(1)
	if errors.Is(err, context.DeadlineExceeded) && l.slow.Add(1) >= mostSlow && l.session.CompareAndSwap(s, nil) {
		l.o.Log.Warn("the shared "+l.server()+" is slow and is let alone for a while: replicas do not share what they keep", "for", restTime.String())
		s.end()
	}
}

// Put keeps a value of about size bytes, in the background, if there is room for
// it. mark is that of when what it holds was asked for.
func (l *Level) Put(mark Mark, key string, ttl time.Duration, size int64, value func() ([]byte, error)) {
	if mark.session == nil || ttl < time.Millisecond || size > MaxValue {
		return
	}
	if l.waiting.Add(size) > mostWriteBytes {
		l.waiting.Add(-size)
		l.counts.lost.Add(1)
		return
	}
	select {
	case l.writes <- write{mark.session, key, min(ttl, longest), size, value}:
	default:
		l.waiting.Add(-size)
		l.counts.lost.Add(1)
	}
}

// longest is how long a value is kept at most.
const longest = 24 * time.Hour

// together is how many values are sent at once at most.
const together = 32

// writing sends what is to be kept, until ctx ends.
func (l *Level) writing(ctx context.Context) {
	for {
		var batch []write
		select {
		case <-ctx.Done():
			return
		case w := <-l.writes:
			batch = append(batch, w)
		}
	more:
		for len(batch) < together {
			select {
			case w := <-l.writes:
				batch = append(batch, w)
			default:
				break more
			}
		}
		l.send(ctx, batch)
	}
}

func (l *Level) send(ctx context.Context, batch []write) {
	s := l.session.Load()
	var list []item
	for _, w := range batch {
		l.waiting.Add(-w.size)
		if s == nil || w.session != s {
			l.counts.lost.Add(1)
			continue
		}
		value, err := w.value()
		if err != nil || len(value) > MaxValue {
			l.counts.lost.Add(1)
			continue
		}
		list = append(list, item{w.key, value, w.ttl})
	}
	if len(list) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	kept := s.put(ctx, list)
	l.counts.stored.Add(int64(kept))
	l.counts.lost.Add(int64(len(list) - kept))
}

// Change says that a route's resource has changed, and makes the value of turn,
// a key, another one: who finds that an answer has the former does not give it.
func (l *Level) Change(turn, host, uri string) {
	p := Purge{Host: host, Key: uri}
	s := l.session.Load()
	if s == nil {
		l.postpone(p)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	err := s.change(ctx, turn, p)
	if l.note(s, err); err != nil {
		l.postpone(p)
	}
}
