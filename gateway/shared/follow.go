package shared

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"
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
	told := false // that it is down
	for ctx.Err() == nil {
		up, err := l.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		slow := l.slow.Swap(0) >= mostSlow // which was told
		if (up || !told) && !slow {
			l.o.Log.Warn("the shared Redis cannot be used: replicas do not share what they keep until it can", "error", err)
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

// follow makes a connection and is up until it breaks. up tells whether it was.
func (l *Level) follow(ctx context.Context) (up bool, err error) {
	client, err := rueidis.NewClient(l.o.Redis)
	if err != nil {
		return false, err
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &session{client, cancel}
	heard := make(chan rueidis.PubSubMessage, mostHeard)
	ready := make(chan struct{}, 4) // a confirmation of each channel
	ended := make(chan error, 1)
	go func() {
		confirmed := rueidis.WithOnSubscriptionHook(ctx, func(rueidis.PubSubSubscription) {
			select {
			case ready <- struct{}{}:
			default:
			}
		})
		ended <- client.Receive(confirmed, client.B().Subscribe().Channel(l.eventChannel(), l.ownChannel()).Build(), func(m rueidis.PubSubMessage) {
			select {
			case heard <- m:
			default: // it must not keep the connection, which answers come by, waiting
				l.postpone(Purge{})
				cancel()
			}
		})
	}()
	defer l.session.CompareAndSwap(s, nil)
	for confirmed := 0; ; {
		select {
		case <-ready:
			if confirmed++; confirmed != 2 {
				continue
			}
			if err := l.begin(ctx, s); err != nil {
				return false, err
			}
			up = true
		case m := <-heard:
			l.hear(ctx, s, m)
		case err := <-ended:
			if err == nil {
				err = errors.New("the subscription has ended")
			}
			return up, err
		}
	}
}

// begin reads the log, tells Redis what it has not been told, and is up.
func (l *Level) begin(ctx context.Context, s *session) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	list, err := readLog(ctx, s.client)
	if err != nil {
		return fmt.Errorf("cannot read the log of purges: %w", err)
	}
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
	l.o.Log.Info("replicas share what they keep", "redis", l.o.Redis.InitAddress[0], "database", l.o.Redis.SelectDB)
	return nil
}

// tellPending tells Redis what it has not been told.
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

// readLog reads the log, which it begins where there is none.
func readLog(ctx context.Context, c rueidis.Client) ([]record, error) {
	for range 2 {
		entries, err := c.Do(ctx, c.B().Xrange().Key(logName).Start("-").End("+").Build()).AsXRange()
		if err != nil {
			return nil, err
		}
		var list []record
		for _, e := range entries {
			id, ok := ParseID(e.ID)
			if !ok {
				return nil, fmt.Errorf("%q is no id of a stream", e.ID)
			}
			text, purges := e.FieldValues["purge"]
			list = append(list, record{id: id, purge: parseOwn(text), beginning: !purges})
		}
		if len(list) > 0 {
			return list, nil
		}
		if err := c.Do(ctx, c.B().Xadd().Key(logName).Id("*").FieldValue().FieldValue("begins", "1").Build()).Error(); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("it is empty after it was begun")
}

// hear takes in what came over a channel.
func (l *Level) hear(ctx context.Context, s *session, m rueidis.PubSubMessage) {
	if m.Channel == l.eventChannel() {
		l.hearEvent(ctx, s, m.Message)
		return
	}
	from, rest, _ := strings.Cut(m.Message, " ")
	at, text, ok := strings.Cut(rest, " ")
	switch id, logged := ParseID(at); {
	case ok && logged:
		l.apply(record{id: id, purge: parseOwn(text)})
	case ok && at == "-" && from != l.id: // a change, which is in no log
		l.counts.purges.Add(1)
		l.o.Purge(parseOwn(text))
	}
}

// hearEvent takes in a purge by another system. It reaches every replica, and
// each has it logged: they do not know of one another.
func (l *Level) hearEvent(ctx context.Context, s *session, text string) {
	p, err := ParseEvent(text)
	if err != nil {
		l.counts.refused.Add(1)
		l.o.Log.Warn("an event that should purge kept answers cannot be understood", "channel", l.eventChannel(), "error", err)
		return
	}
	if n, told := l.heard(ctx, s, p); told {
		l.o.Log.Info("an event has purged kept answers", "purged", n, "event", p.text())
	}
}

// Hear takes in a purge by another system that every replica hears, other than
// over Redis.
func (l *Level) Hear(ctx context.Context, p Purge) (purged int64) {
	s := l.session.Load()
	if s == nil {
		defer l.postpone(p)
		return l.o.Purge(p)
	}
	purged, _ = l.heard(ctx, s, p)
	return purged
}

// heard purges memory, and has that logged; told is false where Redis is to be
// told later.
func (l *Level) heard(ctx context.Context, s *session, p Purge) (purged int64, told bool) {
	purged = l.o.Purge(p)
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	id, err := l.logPurge(ctx, s, p)
	if err != nil {
		l.postpone(p)
		l.o.Log.Warn("an event has purged this replica alone until Redis can be told", "error", err)
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
