package lease

import "time"

// Want is a claim on a pool.
type Want struct {
	Pool  *Pool
	N     int64 // permits: at least one, at most Limit
	Limit int64 // of the pool, as the replica's configuration has it
}

// Claim is a claim that was made.
type Claim struct {
	pool  *Pool
	n     int64
	limit int64
	state state
	slot  int64         // of what was granted
	wait  time.Duration // of what was refused: until there is room
	left  bool          // who made it does not wait any more
	done  chan struct{} // closed at the end; nil: it did not have to wait
}

// state is what came of a claim. The pool's lock guards it until done is closed.
type state uint8

const (
	waiting state = iota
	granted
	refused
	alone // nobody could be asked: the replica's own limit is all there is
)

func (c *Claim) end(s state, slot int64) {
	c.state, c.slot = s, slot
	if c.done != nil {
		close(c.done)
	}
}

// Permit is what a call has of a pool. The zero Permit is of no pool.
type Permit struct {
	pool *Pool
	slot int64
	n    int64
}

// Take takes what is wanted of several pools, all of it or nothing. Where one
// refuses, which is its place in wants, wait is until it has room;
// which is negative where none did. Permits may be of no pool, where the place
// that replicas share could not be asked.
func (b *Broker) Take(wants []Want) (permits []Permit, which int, wait time.Duration) {
	if !b.Up() {
		b.counts.alone.Add(int64(len(wants)))
		return nil, -1, 0
	}
	now := time.Now()
	claims := make([]Claim, len(wants))
	pending := false
	for i, w := range wants {
		c := &claims[i]
		*c = Claim{pool: w.Pool, n: w.N, limit: w.Limit}
		c.pool.mu.Lock()
		c.pool.take(c, now)
		c.pool.mu.Unlock()
		pending = pending || c.done != nil
	}
	if pending {
		b.await(claims)
	}
	permits, which = make([]Permit, 0, len(claims)), -1
	for i := range claims {
		switch c := &claims[i]; c.state {
		case granted:
			permits = append(permits, Permit{c.pool, c.slot, c.n})
		case refused:
			if which < 0 || c.wait > wait {
				which, wait = i, c.wait
			}
		default:
			b.counts.alone.Add(1)
			permits = append(permits, Permit{})
		}
	}
	if which >= 0 {
		for _, p := range permits {
			p.Return()
		}
		return nil, which, wait
	}
	return permits, -1, 0
}

// await waits until all claims have come to an end, or patience has.
func (b *Broker) await(claims []Claim) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for i := range claims {
		c := &claims[i]
		if c.done == nil {
			continue
		}
		select {
		case <-c.done:
		case <-timer.C:
			for j := i; j < len(claims); j++ {
				claims[j].leave()
			}
			return
		}
	}
}

// leave ends a claim that has not come to an end.
func (c *Claim) leave() {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.state == waiting {
		c.state, c.left = alone, true
	}
}

// Return gives a permit back.
func (p Permit) Return() { p.Change(-p.n) }

// Change has a permit be for so many more, or less, than it was taken for.
func (p Permit) Change(by int64) {
	if p.pool == nil || p.slot == 0 || by == 0 {
		return
	}
	l := p.pool
	l.mu.Lock()
	defer l.mu.Unlock()
	if by < 0 && p.slot == l.slot && time.Now().Before(l.until) { // another may have it
		l.left -= by
	} else {
		l.note(p.slot, by)
	}
	l.broker.watch(l)
}
