package lease

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// patience is how long a call waits for a permit at most. Exchanges that fail
	// have it go on sooner.
	patience = 250 * time.Millisecond
	// sweepTime is how often what lies unused is looked for, and idleTime how long
	// it may lie.
	sweepTime = 200 * time.Millisecond
	idleTime  = 200 * time.Millisecond
	// together is how many pools one exchange is for at most.
	together = 64
)

// Options are what a Broker is made of.
type Options struct {
	// Exchange asks the place that all replicas know, and gives an answer to each
	// question. It must return soon whatever happens.
	Exchange func(context.Context, []Ask) ([]Answer, error)
	// Up tells whether that is worth trying.
	Up func() bool
}

// Broker takes and gives back what all pools of a replica need. It is safe for
// concurrent use; without Run, calls are told that it is not there.
type Broker struct {
	o       Options
	running atomic.Bool
	wake    chan struct{}

	mu      sync.Mutex // taken after a pool's
	queued  []*Pool    // that want an exchange
	watched []*Pool    // that have something to give back, now or later

	counts counts
}

type counts struct{ answered, failed, alone atomic.Int64 }

// Figures tell how a broker fares, since the start.
type Figures struct {
	Answered int64 // exchanges
	Failed   int64
	Alone    int64 // permits that calls went on without
}

// New makes a broker.
func New(o Options) *Broker { return &Broker{o: o, wake: make(chan struct{}, 1)} }

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

// queue has the next exchange be for a pool too, whose lock is held.
func (b *Broker) queue(p *Pool) {
	if p.queued {
		return
	}
	p.queued = true
	b.mu.Lock()
	b.queued = append(b.queued, p)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// watch has a pool, whose lock is held, looked at until it has nothing to give
// back.
func (b *Broker) watch(p *Pool) {
	if p.watched {
		return
	}
	p.watched = true
	b.mu.Lock()
	b.watched = append(b.watched, p)
	b.mu.Unlock()
}

// exchange is for all pools that are queued.
func (b *Broker) exchange(ctx context.Context) {
	for {
		b.mu.Lock()
		n := min(len(b.queued), together)
		pools := append([]*Pool(nil), b.queued[:n]...)
		if b.queued = b.queued[n:]; len(b.queued) == 0 {
			b.queued = nil
		}
		b.mu.Unlock()
		if n == 0 {
			return
		}
		b.fly(ctx, pools)
	}
}

// fly makes one exchange.
func (b *Broker) fly(ctx context.Context, pools []*Pool) {
	now := time.Now()
	asks := make([]Ask, len(pools))
	for i, p := range pools {
		asks[i] = p.ask(now)
	}
	var answers []Answer
	if b.o.Up() {
		var err error
		if answers, err = b.o.Exchange(ctx, asks); err == nil && len(answers) == len(asks) {
			b.counts.answered.Add(1)
		} else {
			b.counts.failed.Add(1)
			answers = nil
		}
	}
	for i, p := range pools {
		if answers == nil {
			p.fail(&asks[i])
		} else {
			p.answer(&asks[i], &answers[i], now)
		}
	}
}

// sweep has pools give back what lies unused; all: whatever they have.
func (b *Broker) sweep(all bool) {
	b.mu.Lock()
	list := b.watched
	b.watched = nil
	b.mu.Unlock()
	now := time.Now()
	for _, p := range list {
		p.sweep(now, all)
	}
}
