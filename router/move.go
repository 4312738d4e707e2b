package router

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"sluice/providers/schema"
)

// proof is what is known of whether a target, or a secret at one, is well.
type proof struct {
	failing atomic.Bool  // how the last attempt that told anything ended
	good    atomic.Int64 // when one went well last, Unix nanoseconds; 0: none did
	looked  atomic.Bool  // a call looks whether it is well, before others follow
	awaited atomic.Int64 // calls that wait for what it finds

	mu   sync.Mutex
	news chan struct{} // closed when there is some; nil: nobody waits
}

// wentWell notes that an attempt has ended well.
func (p *proof) wentWell(now time.Time) {
	if p.failing.Load() {
		p.failing.Store(false)
	}
	p.answered(now)
}

// answered notes that an attempt has been answered, at least in the beginning.
func (p *proof) answered(now time.Time) {
	p.good.Store(now.UnixNano())
	p.tell()
}

// wellSince tells whether something went well after a time, and nothing ended
// otherwise since.
func (p *proof) wellSince(t time.Time) bool {
	good := p.good.Load()
	return good != 0 && good >= t.UnixNano() && !p.failing.Load()
}

// tell wakes those who wait.
func (p *proof) tell() {
	if p.awaited.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.news != nil {
		close(p.news)
		p.news = nil
	}
}

// wait waits for news, a second at most: then the budget has tries that are
// always allowed. It tells whether the context lasts.
func (p *proof) wait(ctx context.Context, since time.Time) bool {
	p.awaited.Add(1)
	defer p.awaited.Add(-1)
	p.mu.Lock()
	if p.news == nil {
		p.news = make(chan struct{})
	}
	news := p.news
	p.mu.Unlock()
	if !p.looked.Load() || p.wellSince(since) { // the news came before it was waited for
		return true
	}
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-news:
	case <-t.C:
	case <-ctx.Done():
		return false
	}
	return true
}

// stake is what a move has at stake until it has ended, for which it is given
// back if it went well; its zero value: nothing.
type stake struct {
	open  bool
	taken int64  // from the budget
	look  *proof // the call is the one that looks at it; nil: the budget had a try
}

// move asks for leave to move on to another target, or to another secret at
// one, from an attempt that failed at a time.
//
// A move that goes well costs nothing, and where something went well since,
// none does. What is not known to fail one call may look at, others as the
// budget has tries; the rest wait for what it finds. So while anything answers
// all calls get there, and when nothing does, the tries that fail or are under
// way are never more than what was paid in, however many calls come at once.
func (p *Plan) move(ctx context.Context, to *proof, since time.Time) bool {
	b := &p.Route.budget
	for !to.wellSince(since) {
		if !to.failing.Load() && to.looked.CompareAndSwap(false, true) {
			b.mu.Lock()
			taken := b.takeDownTo(lookDebt)
			b.mu.Unlock()
			p.stake = stake{open: true, taken: taken, look: to}
			return true
		}
		if taken, ok := b.take(p.Clock.Now()); ok {
			p.stake = stake{open: true, taken: taken}
			return true
		}
		if to.failing.Load() || !to.wait(ctx, since) {
			return false
		}
	}
	return true
}

// unmoved ends a move that led to no attempt, which says nothing.
func (p *Plan) unmoved() {
	p.stake.settle(&p.Route.budget, true)
	p.stake = stake{}
}

// settle ends the move that led to the attempt: it has ended so, or, of a late
// one, begun.
func (a *Attempt) settle(e *schema.Error) {
	a.stake.settle(&a.plan.Route.budget, a.lost || judge(e) == success)
	a.stake = stake{}
}

func (s *stake) settle(b *budget, well bool) {
	switch {
	case !s.open:
	case s.look != nil:
		if well {
			b.saved.Add(s.taken)
		}
		s.look.looked.Store(false)
		s.look.tell()
	case well:
		b.giveBack(s.taken)
	}
}
