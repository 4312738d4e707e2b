package lease

import (
	"slices"
	"sync"
	"time"
)

// Window is the stretch of time that a limit is of.
type Window struct {
	Width time.Duration // of a slot
	Slots int64         // that count: the oldest is partly outside of the stretch
	Burst int64         // more than the limit, once, after quiet times
	Exact bool          // a replica takes only what calls wait for
}

// Ask is what is asked of one pool or slice.
type Ask struct {
	Name  string
	Slice *Budget // nil: it is of a pool, as what follows
	Limit int64
	Window
	Need  int64 // that calls wait for
	Least int64 // that one of them does
	Extra int64 // more, for those that come
	Back  []Change

	claims []*Claim
	loans  []*Loan
}

// Change is how what was counted in a slot changes.
type Change struct{ Slot, By int64 }

// Answer is what came of it.
type Answer struct {
	Counted int64         // permits, of the slot
	Free    int64         // more, of a burst, which count in no slot
	Slot    int64         // the newest
	Left    time.Duration // until it is over
	Room    int64         // permits that are left to all
	Wait    time.Duration // until Least has room
	Full    time.Duration // until all of the limit is there again

	Slice Share // of a slice, with Room
}

// Pool is one limit that replicas share.
type Pool struct {
	broker *Broker
	name   string
	window Window

	mu     sync.Mutex
	limit  int64
	slot   int64     // of the permits below
	until  time.Time // when it is over
	left   int64
	claims []*Claim // that wait
	back   []Change // that are to be told
	told   told
	marks

	pace  pace
	last  time.Time // when something was used
	ahead int64     // what was last taken beyond what calls waited for
}

// told is what the last answer said.
type told struct {
	at    time.Time
	room  int64
	full  time.Time // when all of the limit is there again
	none  int64     // so many permits were not there; 0: all were
	again time.Time // when it is worth asking for those again
	free  time.Time // when they are there
}

// Pool makes the pool of a limit. It is the same in all replicas that give it
// that name.
func (b *Broker) Pool(name string, w Window) *Pool {
	return &Pool{broker: b, name: name, window: w}
}

const (
	// askAgain is how long nothing is asked for that was refused: others may give
	// back some of it at any time.
	askAgain = 100 * time.Millisecond
	// longest is how long a permit may be used, whatever its slot's length.
	longest = time.Second
)

// take takes permits from the block, or tells that there are none; with neither,
// the claim waits. The pool's lock is held.
func (p *Pool) take(c *Claim, now time.Time) {
	p.limit = c.limit
	p.pace.use(c.n)
	p.last = now
	switch {
	case p.left >= c.n && now.Before(p.until):
		p.left -= c.n
		c.end(granted, p.slot)
		if p.left < p.ahead/2 {
			p.broker.queue(p)
		}
	case p.told.none > 0 && c.n >= p.told.none && now.Before(p.told.again):
		c.wait = p.told.free.Sub(now)
		c.end(refused, 0)
	default:
		c.done = make(chan struct{})
		p.claims = append(p.claims, c)
		p.broker.queue(p)
	}
}

// ask is what the next exchange asks.
func (p *Pool) ask(now time.Time) Ask {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queued = false
	p.expire(now)
	a := Ask{Name: p.name, Limit: p.limit, Window: p.window, Back: p.back}
	a.claims = slices.DeleteFunc(p.claims, func(c *Claim) bool { return c.left })
	p.claims, p.back = nil, nil
	for _, c := range a.claims {
		a.Need += c.n
		if a.Least == 0 || c.n < a.Least {
			a.Least = c.n
		}
	}
	if !p.window.Exact {
		a.Extra = min(p.pace.ahead(now), p.limit/100)
	}
	return a
}

// expire gives back what is left of a slot that is over.
func (p *Pool) expire(now time.Time) {
	if p.left > 0 && !now.Before(p.until) {
		p.note(p.slot, -p.left)
		p.left = 0
	}
}

// note keeps a change until it is told.
func (p *Pool) note(slot, by int64) {
	for i := range p.back {
		if p.back[i].Slot == slot {
			p.back[i].By += by
			return
		}
	}
	p.back = append(p.back, Change{slot, by})
}

// answer takes in what came of an exchange that began at a time.
func (p *Pool) answer(a *Ask, got *Answer, began time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left > 0 && p.slot != got.Slot {
		p.note(p.slot, -p.left)
		p.left = 0
	}
	p.slot, p.until = got.Slot, began.Add(min(got.Left, longest))
	p.left += got.Counted
	p.ahead = max(p.left-a.Need, 0)
	p.told = told{at: began, room: got.Room, full: began.Add(got.Full)}
	burst := got.Free
	for _, c := range a.claims {
		switch {
		case c.left: // it did not wait so long
		case p.left >= c.n:
			p.left -= c.n
			c.end(granted, p.slot)
		case burst >= c.n:
			burst -= c.n
			c.end(granted, 0)
		default:
			if p.told.none == 0 || c.n < p.told.none {
				p.told.none = c.n
				p.told.free = began.Add(got.Wait)
				p.told.again = began.Add(min(got.Wait, askAgain))
			}
			c.wait = got.Wait
			c.end(refused, 0)
		}
	}
	if p.left > 0 || len(p.back) > 0 {
		p.broker.watch(p)
	}
}

// fail tells those that wait that there is no answer. What was to be given back
// is not told again: it may have been.
func (p *Pool) fail(a *Ask) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range a.claims {
		if !c.left {
			c.end(alone, 0)
		}
	}
}

// sweep gives back what lies unused, and what is to be told.
func (p *Pool) sweep(now time.Time, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watched = false
	p.expire(now)
	if p.left > 0 && (all || now.Sub(p.last) > idleTime) {
		p.note(p.slot, -p.left)
		p.left, p.pace = 0, pace{}
	}
	if len(p.back) > 0 {
		p.broker.queue(p)
	}
	if p.left > 0 {
		p.broker.watch(p)
	}
}

// State is how many permits are left to all, and when all of the limit is there
// again, as far as this replica has been told; false: it has not been of late.
func (p *Pool) State(now time.Time) (left int64, full time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told.at.IsZero() || now.Sub(p.told.at) > p.window.Width+longest {
		return 0, 0, false
	}
	return p.told.room + p.left, max(p.told.full.Sub(now), 0), true
}
