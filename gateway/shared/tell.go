package shared

import (
	"context"
)

// Told is what became of a purge.
type Told struct {
	Purged int64 // answers in the memory of this replica
	// Replicas is how many were told, this one included; 0: the server has not been
	// told, and will be when it can; negative: all were, and nobody knows how many.
	Replicas int64
}

// Purge has no replica give answers that a purge fits: neither from memory nor
// from the server.
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
		l.o.Log.Warn("a purge has reached this replica alone until the shared "+l.server()+" can be told", "error", err)
		l.postpone(p)
	}
	return Told{Purged: n, Replicas: replicas}
}

// tell has a purge logged and every replica told, and purges again what has come
// from the server meanwhile.
func (l *Level) tell(ctx context.Context, s *session, p Purge) (replicas int64, err error) {
	id, replicas, err := s.tell(ctx, p)
	if err != nil {
		return 0, err
	}
	l.apply(record{id: id, purge: p})
	return replicas, nil
}

// mostPending bounds what the server is told late: more of it is one purge of all.
const mostPending = 1000

// postpone keeps a purge until the server can be told: the next connection begins with
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

// takePending takes the oldest purge that the server has not been told.
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
