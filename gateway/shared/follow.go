package shared

import (
	"context"
	"fmt"
	"time"
)

// againTime is how long it takes until a connection is tried again.
const againTime = time.Second

// startTime bounds what it takes to be up again, and what an operator waits for.
const startTime = 5 * time.Second

// mostHeard bounds what was heard and is not carried out yet. When it is more,
// it is given up: the next connection begins with a purge of all.
const mostHeard = 4096

// Run keeps the level up until ctx ends.
func (l *Level) Run(ctx context.Context) {
	go l.writing(ctx)
	follow := l.followRedis
	if l.o.Memcached != "" {
		follow = l.followMemcached
	}
	told := false // that it is down
	for ctx.Err() == nil {
		up, err := follow(ctx)
		if ctx.Err() != nil {
			return
		}
		slow := l.slow.Swap(0) >= mostSlow // which was told
		if (up || !told) && !slow {
			l.o.Log.Warn("the shared "+l.server()+" cannot be used: replicas do not share what they keep until it can", "error", err)
		}
		told = true
		rest := againTime
		if slow {
			rest = restTime
		}
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
	}
}

// begin takes in the log, tells the server what it has not been told, and is up.
func (l *Level) begin(ctx context.Context, s *session, list []record) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	l.applying.Lock()
	l.history.load(list)
	l.o.Purge(Purge{}) // changes are in no log: what memory has may have been missed by one
	l.applying.Unlock()
	if err := l.tellPending(ctx, s); err != nil {
		return err
	}
	l.slow.Store(0)
	l.session.Store(s)
	if err := l.tellPending(ctx, s); err != nil { // what was postponed just before
		return err
	}
	if l.o.Memcached != "" {
		l.o.Log.Info("replicas share what they keep", "memcached", l.o.Memcached)
	} else {
		l.o.Log.Info("replicas share what they keep", "redis", l.o.Redis.InitAddress[0], "database", l.o.Redis.SelectDB)
	}
	return nil
}

// tellPending tells the server what it has not been told.
func (l *Level) tellPending(ctx context.Context, s *session) error {
	for {
		p, ok := l.takePending()
		if !ok {
			return nil
		}
		if _, err := l.tell(ctx, s, p); err != nil {
			l.postpone(p)
			return fmt.Errorf("cannot tell of a purge: %w", err)
		}
	}
}

// Hear takes in a purge by another system that every replica hears, other than
// over the server.
func (l *Level) Hear(ctx context.Context, p Purge) (purged int64) {
	s := l.session.Load()
	if s == nil {
		defer l.postpone(p)
		return l.o.Purge(p)
	}
	purged, _ = l.heard(ctx, s, p)
	return purged
}

// heard purges memory, and has that logged; told is false where the
// server is to be told later.
func (l *Level) heard(ctx context.Context, s *session, p Purge) (purged int64, told bool) {
	purged = l.o.Purge(p)
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	id, err := s.record(ctx, p)
	if err != nil {
		l.postpone(p)
		l.o.Log.Warn("an event has purged this replica alone until the shared "+l.server()+" can be told", "error", err)
		return purged, false
	}
	l.apply(record{id: id, purge: p})
	return purged, true
}

// apply takes in a record, and purges by it what memory holds, if that is not
// done already.
func (l *Level) apply(r record) {
	l.applying.Lock()
	defer l.applying.Unlock()
	if l.history.add(r) {
		l.counts.purges.Add(1)
		l.o.Purge(r.purge)
	}
}
