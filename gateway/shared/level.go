package shared

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Options are what a Level is made of.
type Options struct {
	Redis rueidis.ClientOption // as ParseURL gives it
	// Purge takes out of memory what a purge fits and tells how much that was.
	Purge func(Purge) int64
	Log   *slog.Logger
}

// askTime bounds a question of a call: who waits longer is better off asking
// whoever makes the answer. After mostSlow in a row that took longer, Redis is
// let alone for restTime.
const (
	askTime  = 50 * time.Millisecond
	mostSlow = 3
	restTime = 10 * time.Second
)

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
	pending   []Purge // which Redis has not been told

	counts counts
}

// session is a connection that is up.
type session struct {
	client rueidis.Client
	end    context.CancelFunc
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
	o.Redis = bounded(o.Redis)
	return &Level{o: o, id: rand.Text(), writes: make(chan write, mostWrites)}
}

// bounded has a client of Redis neither keep anything nor wait long.
func bounded(o rueidis.ClientOption) rueidis.ClientOption {
	o.DisableCache, o.DisableRetry, o.ForceSingleClient = true, true, true
	o.Dialer.Timeout, o.Dialer.KeepAlive, o.ConnWriteTimeout = 2*time.Second, time.Second, 2*time.Second
	o.ReadBufferEachConn, o.WriteBufferEachConn = 64<<10, 64<<10
	o.ClientName = "sluice"
	return o
}

// Names in Redis. Channels are common to all databases, so that theirs have the
// number.
const logName = "sluice:purges"

func (l *Level) eventChannel() string { return "sluice:purge:" + strconv.Itoa(l.o.Redis.SelectDB) }
func (l *Level) ownChannel() string   { return "sluice:purged:" + strconv.Itoa(l.o.Redis.SelectDB) }

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

// Get gives the values of keys, nil where there is none; ok is false where Redis
// is not there, or does not answer in time.
func (l *Level) Get(keys ...string) (values [][]byte, ok bool) {
	s := l.session.Load()
	if s == nil {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	list, err := s.client.Do(ctx, s.client.B().Mget().Key(keys...).Build()).ToArray()
	if l.note(s, err); err != nil || len(list) != len(keys) {
		return nil, false
	}
	values = make([][]byte, len(list))
	for i := range list {
		values[i], _ = list[i].AsBytes() // it is not there
	}
	return values, true
}

// note counts how a question of a call went, and has Redis let alone where it is
// slow. One that does not answer at all shows by its connection.
func (l *Level) note(s *session, err error) {
	if err == nil {
		l.slow.Store(0)
		return
	}
	l.counts.errors.Add(1)
	if errors.Is(err, context.DeadlineExceeded) && l.slow.Add(1) >= mostSlow && l.session.CompareAndSwap(s, nil) {
		l.o.Log.Warn("the shared Redis is slow and is let alone for a while: replicas do not share what they keep", "for", restTime.String())
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
	var cmds rueidis.Commands
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
		cmds = append(cmds, s.client.B().Set().Key(w.key).Value(rueidis.BinaryString(value)).Px(w.ttl).Build())
	}
	if len(cmds) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, r := range s.client.DoMulti(ctx, cmds...) {
		if r.Error() == nil {
			l.counts.stored.Add(1)
		} else {
			l.counts.lost.Add(1)
		}
	}
}

var changeScript = rueidis.NewLuaScript(`redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('PUBLISH', ARGV[3], ARGV[4])`)

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
	err := changeScript.Exec(ctx, s.client, []string{turn},
		[]string{rand.Text(), strconv.FormatInt(longest.Milliseconds(), 10), l.ownChannel(), l.id + " - " + p.text()}).Error()
	if l.note(s, err); err != nil {
		l.postpone(p)
	}
}
