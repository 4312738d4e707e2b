package router

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sluice/providers/schema"
)

// QueuePolicy says how many calls of a route wait while all its targets are at
// their limits, and how long.
type QueuePolicy struct {
	Size int
	Wait time.Duration
}

// pollEvery is how often a queue looks whether there is room of which nobody
// has told: a rest that is over, a minute's limit.
const pollEvery = 200 * time.Millisecond

// Queue is where a route's calls wait for room. Parties that have calls in it
// take turns by their shares; calls of one party are served in the order in
// which they came. A call that finds others waiting waits behind them. It is
// safe for concurrent use, and lives on over reloads in a Registry.
type Queue struct {
	Name   string // the route's
	policy atomic.Pointer[QueuePolicy]
	length atomic.Int64 // to look at without the lock

	served, full, expired, left atomic.Int64
	waited                      atomic.Int64 // nanoseconds, of those served

	mu      sync.Mutex
	parties map[string]*party
	clock   float64 // the turn of the party that was served last
	round   int64   // of looks for room
	refusal *schema.Error
	poll    *time.Timer // nil: nobody waits
}

// party is whose calls take turns with others': a team.
type party struct {
	turn    float64 // grows by 1/share with each call that is served
	refused int64   // the last round in which one of its calls found no room
	waiting []*waiter
}

// waiter is a call in the queue.
type waiter struct {
	queue *Queue
	of    *party
	share int
	since time.Time
	wake  chan struct{} // has one where the call is to look for room
	awake bool
	round int64 // in which it was woken
}

// NewQueue is a queue of its own, outside any Registry.
func NewQueue(name string, policy QueuePolicy) *Queue {
	q := &Queue{Name: name, parties: map[string]*party{}}
	q.policy.Store(&policy)
	return q
}

// QueueStatus is a queue as the admin API shows it: how many wait, and what
// became of the calls that did since the process began.
type QueueStatus struct {
	Waiting int64   `json:"waiting"`
	Size    int     `json:"size"`
	Wait    string  `json:"wait"` // the longest that a call waits
	Served  int64   `json:"served"`
	Full    int64   `json:"full"`    // were refused, for as many waited as may
	Expired int64   `json:"expired"` // have waited in vain
	Left    int64   `json:"left"`    // whose callers left, or would wait no longer
	Waited  float64 `json:"waited_seconds"`
}

// Status is the queue as it stands.
func (q *Queue) Status() *QueueStatus {
	if q == nil {
		return nil
	}
	p := q.policy.Load()
	return &QueueStatus{Waiting: q.length.Load(), Size: p.Size, Wait: p.Wait.String(), Served: q.served.Load(), Full: q.full.Load(),
		Expired: q.expired.Load(), Left: q.left.Load(), Waited: time.Duration(q.waited.Load()).Seconds()}
}

// Poke tells that there may be room: a call has ended that counted in a limit.
func (q *Queue) Poke() {
	if q.length.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.round++
	q.next(q.round)
}

// next wakes the call whose turn it is, of the parties that have not been
// refused in this round.
func (q *Queue) next(round int64) {
	var w *waiter
	for _, p := range q.parties {
		if p.refused >= round || w != nil && p.turn >= w.of.turn {
			continue
		}
		for _, first := range p.waiting {
			if !first.awake {
				w = first
				break
			}
		}
	}
	if w != nil {
		w.awake, w.round = true, round
		w.wake <- struct{}{}
	}
}

// join puts a call at the end of its party's, or, if it is back, at their
// beginning; nil: the queue is full.
func (q *Queue) join(name string, share int, now time.Time, back bool) *waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !back && q.length.Load() >= int64(q.policy.Load().Size) {
		q.full.Add(1)
		return nil
	}
	p := q.parties[name]
	if p == nil {
		p = &party{turn: q.clock}
		q.parties[name] = p
	}
	if len(p.waiting) == 0 {
		p.turn = max(p.turn, q.clock) // what it did not ask for is not saved up
	}
	w := &waiter{queue: q, of: p, share: max(share, 1), since: now, wake: make(chan struct{}, 1)}
	if p.waiting = append(p.waiting, w); back {
		copy(p.waiting[1:], p.waiting)
		p.waiting[0] = w
	}
	q.length.Add(1)
	if q.poll == nil {
		q.poll = time.AfterFunc(pollEvery, q.look)
	}
	return w
}

// look is what the timer does.
func (q *Queue) look() {
	q.Poke()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.length.Load() == 0 {
		q.poll = nil
		for name, p := range q.parties {
			if p.turn <= q.clock {
				delete(q.parties, name)
			}
		}
		return
	}
	q.poll.Reset(pollEvery)
}

// leave takes a call out of the queue; one that has left is not looked for.
func (q *Queue) leave(w *waiter, now time.Time, served bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, other := range w.of.waiting {
		if other != w {
			continue
		}
		w.of.waiting = append(w.of.waiting[:i], w.of.waiting[i+1:]...)
		q.length.Add(-1)
		if served {
			q.clock = max(q.clock, w.of.turn)
			w.of.turn += 1 / float64(w.share)
			q.served.Add(1)
			q.waited.Add(int64(now.Sub(w.since)))
		}
		if w.awake { // there may be room for another, or it was not used
			q.next(w.round)
		}
		return
	}
}

// sleep puts a call that was woken and found no room to sleep again, and wakes
// that of another party.
func (q *Queue) sleep(w *waiter, e *schema.Error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w.of.refused = max(w.of.refused, w.round)
	w.awake, q.refusal = false, e
	q.next(w.round)
}

// do is Plan.Do for a route with a queue.
func (q *Queue) do(ctx context.Context, p *Plan, try func(*Attempt) error) error {
	policy, weighed, made := q.policy.Load(), len(p.weighed), len(p.Results)
	end := p.Clock.Now().Add(policy.Wait)
	var last error
	if q.length.Load() == 0 {
		if last = p.once(ctx, try); !p.waits(ctx, last, len(p.Results) > made, end) {
			return last
		}
	}
	timer := time.NewTimer(policy.Wait)
	defer timer.Stop()
	for {
		if p.waiter == nil {
			if p.waiter = q.join(p.Party, p.Share, p.Clock.Now(), len(p.Results) > made); p.waiter == nil {
				return q.turn(p, nil, fmt.Sprintf("the queue of %s is full, %d calls wait", q.Name, policy.Size))
			}
		}
		expired := false
		select {
		case <-p.waiter.wake:
		case <-ctx.Done():
		case <-timer.C:
			expired = true
		}
		if err := ctx.Err(); err != nil {
			p.leave(false)
			q.left.Add(1)
			return &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway, Class: schema.ClassCancelled,
				Message: "the call was given up while it waited for room", Cause: err}
		}
		if expired {
			return q.expire(p, last, policy.Wait)
		}
		p.weighed, made = p.weighed[:weighed], len(p.Results)
		last = p.once(ctx, try)
		gaveUp := ctx.Err() != nil && p.waiter != nil // while it looked
		switch {
		case gaveUp || p.waits(ctx, last, len(p.Results) > made, end):
		case last != nil && schema.AsError(last).Class == schema.ClassRateLimited && !p.Clock.Now().Before(end): // it was woken as its time was up
			return q.expire(p, last, policy.Wait)
		default:
			p.leave(false)
			return last
		}
		if p.waiter != nil {
			q.sleep(p.waiter, schema.AsError(last))
		}
	}
}

// expire turns a call away that has waited in vain.
func (q *Queue) expire(p *Plan, last error, wait time.Duration) error {
	p.leave(false)
	q.expired.Add(1)
	return q.turn(p, last, fmt.Sprintf("the call has waited %v in the queue of %s", wait, q.Name))
}

// waits tells whether a call that failed waits for room until a time: it found
// none, or a target with attempts at it has said that there is none.
func (p *Plan) waits(ctx context.Context, err error, attempted bool, end time.Time) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	e := schema.AsError(err)
	if e.Class != schema.ClassRateLimited || e.RetryAfter == 0 && !attempted { // it never fits
		return false
	}
	if at, bound := ctx.Deadline(); bound && at.Before(end) {
		end = at
	}
	return e.RetryAfter < end.Sub(p.Clock.Now())+time.Second // it was rounded up
}

// leave takes the call out of the queue that it waits in, if it does.
func (p *Plan) leave(served bool) {
	if w := p.waiter; w != nil {
		now := p.Clock.Now()
		p.waiter = nil
		p.Waited += now.Sub(w.since)
		w.queue.leave(w, now, served)
	}
}

// turn turns a call away: as it was refused last, or another call was.
func (q *Queue) turn(p *Plan, last error, why string) *schema.Error {
	q.mu.Lock()
	e := q.refusal
	q.mu.Unlock()
	if last != nil {
		e = schema.AsError(last)
	}
	if e == nil {
		e = &schema.Error{Code: schema.CodeRateLimit, Status: 429, Origin: schema.OriginPolicy, Class: schema.ClassRateLimited, Message: "no target has room"}
	}
	own := *e
	own.RetryAfter = max(own.RetryAfter, time.Second)
	own.Message = why + ": " + own.Message
	p.Turned = true
	return &own
}
