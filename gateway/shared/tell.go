package shared

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"
)

// Told is what became of a purge.
type Told struct {
	Purged int64 // answers in the memory of this replica
	// Replicas is how many were told, this one included; 0: Redis has not been
	// told, and will be when it can.
	Replicas int64
}

// Purge has no replica give answers that a purge fits: neither from memory nor
// from Redis.
func (l *Level) Purge(ctx context.Context, p Purge) Told {
	n := l.o.Purge(p)
	s := l.session.Load()
	if s == nil {
		l.postpone(p)
		return Told{Purged: n}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTime)
	defer cancel()
	replicas, err := l.tell(ctx, s, p)
	if err != nil {
		l.o.Log.Warn("a purge has reached this replica alone until Redis can be told", "error", err)
		l.postpone(p)
	}
	return Told{Purged: n, Replicas: replicas}
}

// purgeScript puts a purge into the log and tells the replicas, both or neither.
var purgeScript = rueidis.NewLuaScript(`local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'purge', ARGV[2])
return {id, redis.call('PUBLISH', ARGV[3], ARGV[4] .. ' ' .. id .. ' ' .. ARGV[2])}`)

// tell has a purge logged and every replica told, and purges again what has come
// from Redis meanwhile.
func (l *Level) tell(ctx context.Context, s *session, p Purge) (replicas int64, err error) {
	reply, err := purgeScript.Exec(ctx, s.client, []string{logName},
		[]string{strconv.Itoa(mostRecords), p.text(), l.ownChannel(), l.id}).ToArray()
	if err != nil {
		return 0, err
	}
	if len(reply) != 2 {
		return 0, errors.New("the answer to a purge is none")
	}
	text, err := reply[0].ToString()
	if err != nil {
		return 0, err
	}
	id, ok := ParseID(text)
	if !ok {
		return 0, fmt.Errorf("%q is no id of a stream", text)
	}
	l.apply(record{id: id, purge: p})
	return reply[1].AsInt64()
}

// logPurge puts a purge into the log and tells nobody.
func (l *Level) logPurge(ctx context.Context, s *session, p Purge) (ID, error) {
	text, err := s.client.Do(ctx, s.client.B().Xadd().Key(logName).Maxlen().Almost().Threshold(strconv.Itoa(mostRecords)).Id("*").
		FieldValue().FieldValue("purge", p.text()).Build()).ToString()
	if err != nil {
		return ID{}, err
	}
	id, ok := ParseID(text)
	if !ok {
		return ID{}, fmt.Errorf("%q is no id of a stream", text)
	}
	return id, nil
}

// mostPending bounds what Redis is told late: more of it is one purge of all.
const mostPending = 1000

// postpone keeps a purge until Redis can be told: the next connection begins with
// it.
func (l *Level) postpone(p Purge) {
	l.pendingMu.Lock()
	if len(l.pending) >= mostPending {
		l.pending = l.pending[:0]
		p = Purge{}
	}
	l.pending = append(l.pending, p)
	l.pendingMu.Unlock()
	if s := l.session.Load(); s != nil {
		s.end()
	}
}

// takePending takes the oldest purge that Redis has not been told.
func (l *Level) takePending() (p Purge, ok bool) {
	l.pendingMu.Lock()
	defer l.pendingMu.Unlock()
	if len(l.pending) == 0 {
		return p, false
	}
	p = l.pending[0]
	l.pending = l.pending[1:]
	return p, true
}
