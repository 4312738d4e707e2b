package lease

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// patience is how long a call waits for a permit at most. Exchanges that fail
	// have it go on sooner. It is long, for who does not wait counts in nothing.
	patience = time.Second
	// sweepTime is how often what lies unused is looked for, and idleTime how long
	// it may lie.
	sweepTime = 200 * time.Millisecond
	idleTime  = 200 * time.Millisecond
	// soonTime is how long it may take until it is told what was spent, while there
	// is much left.
	soonTime = 25 * time.Millisecond
	// together is how many members one exchange is for at most, but for a quarter
	// of those that are queued, and mostTogether whatever is queued: longer, the
	// place would have no time for others.
	together     = 64
	mostTogether = 512
)

// Options are what a Broker is made of.
type Options struct {
	// Replica tells this replica from others. It is the same after a restart.
	Replica string
	// Term is how long a part of a budget is a replica's own that is not heard of
	// any more; 0: 30 s. It is renewed when a third of that is over.
	Term time.Duration
	// Exchange asks the place that all replicas know, and gives an answer to each
	// question. It must return soon whatever happens.
	Exchange func(context.Context, []Ask) ([]Answer, error)
	// Up tells whether that is worth trying.
	Up func() bool
	// Lost counts how often that place may have lost what it was told of budgets,
	// which it is then told anew; nil: never.
	Lost func() int64
}

// Broker takes and gives back what all pools of a replica need. It is safe for
// concurrent use; without Run, calls are told that it is not there.
type Broker struct {
	o       Options
	running atomic.Bool
	rousing atomic.Bool // it is woken soon
	wake    chan struct{}

	mu      sync.Mutex // taken after a member's
	queued  []member   // that want an exchange
	watched []member   // that have something to give back, now or later

	lost int64 // as Options.Lost said last; Run's own

	session string       // of this process, for the names of slices
	made    atomic.Int64 // slices that have such

	counts counts
}

type counts struct{ answered, failed, alone atomic.Int64 }

// Figures tell how a broker fares, since the start.
type Figures struct {
	Answered int64 // exchanges
	Failed   int64
	Alone    int64 // permits that calls went on without
}

// member is what exchanges are for: a Pool or a Slice.
type member interface {
	ask(now time.Time) Ask
	answer(a *Ask, got *Answer, began time.Time)
	fail(*Ask)
	sweep(now time.Time, all bool)
	marked() *marks
}

// marks are what the Broker notes of a member. Its lock guards them.
type marks struct {
	queued  bool // for an exchange
	watched bool // see Broker.watch
}

func (m *marks) marked() *marks { return m }

// New makes a broker.
func New(o Options) *Broker {
	o.Term = cmp.Or(o.Term, 30*time.Second)
	return &Broker{o: o, wake: make(chan struct{}, 1), session: rand.Text()[:10] + "."}
}

// Figures tells how the broker fares.
func (b *Broker) Figures() Figures {
	return Figures{b.counts.answered.Load(), b.counts.failed.Load(), b.counts.alone.Load()}
}

// Run makes the exchanges until ctx ends, and gives back then what is left.
func (b *Broker) Run(ctx context.Context) {
	b.running.Store(true)
	tick := time.NewTicker(sweepTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			b.running.Store(false)
			b.sweep(true)
			b.exchange(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			b.sweep(false)
		case <-b.wake:
		}
		b.exchange(ctx)
	}
}

// Up tells whether calls wait for exchanges.
func (b *Broker) Up() bool { return b.running.Load() && b.o.Up() }

// queue has the next exchange be for a member too, whose lock is held.
func (b *Broker) queue(m member) {
	b.list(m)
	b.rouse()
}

// queueSoon is queue for what need not be told at once.
func (b *Broker) queueSoon(m member) {
	b.list(m)
	if b.rousing.CompareAndSwap(false, true) {
		time.AfterFunc(soonTime, func() {
			b.rousing.Store(false)
			b.rouse()
		})
	}
}

func (b *Broker) list(m member) {
	if m.marked().queued {
		return
	}
	m.marked().queued = true
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queued = append(b.queued, m)
}

func (b *Broker) rouse() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// watch has a member, whose lock is held, looked at until it has nothing to give
// back.
func (b *Broker) watch(m member) {
	if m.marked().watched {
		return
	}
	m.marked().watched = true
	b.mu.Lock()
	b.watched = append(b.watched, m)
	b.mu.Unlock()
}

// exchange is for all that are queued now. Who is queued meanwhile has its turn
// after what else Run has to do.
func (b *Broker) exchange(ctx context.Context) {
	b.mu.Lock()
	list := b.queued
	b.queued = nil
	b.mu.Unlock()
	for part := range slices.Chunk(list, max(together, min(len(list)/4, mostTogether))) {
		b.fly(ctx, part)
	}
}

// fly makes one exchange.
func (b *Broker) fly(ctx context.Context, list []member) {
	now, up := time.Now(), b.o.Up()
	b.noteLost() // what was lost by now is known, if anything is asked
	asks := make([]Ask, len(list))
	for i, m := range list {
		asks[i] = m.ask(now)
	}
	var answers []Answer
	if up {
		var err error
		if answers, err = b.o.Exchange(ctx, asks); err == nil && len(answers) == len(asks) {
			b.counts.answered.Add(1)
		} else {
			b.counts.failed.Add(1)
			answers = nil
		}
	}
	for i, m := range list {
		if answers == nil {
			m.fail(&asks[i])
		} else {
			m.answer(&asks[i], &answers[i], now)
		}
	}
}

// sweep has members give back what lies unused; all: whatever they have.
func (b *Broker) sweep(all bool) {
	b.mu.Lock()
	list := b.watched
	b.watched = nil
	b.mu.Unlock()
	b.noteLost()
	now := time.Now()
	for _, m := range list {
		m.sweep(now, all)
	}
}

func (b *Broker) noteLost() {
	if b.o.Lost != nil {
		b.lost = b.o.Lost()
	}
}
