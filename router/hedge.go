package router

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"sluice/providers/lifetime"
	"sluice/providers/schema"
)

// Hedge says when a second attempt is begun beside one that is slow to answer:
// at the next candidate, or with another secret of the same. The zero Hedge is
// none.
type Hedge struct {
	After time.Duration // from the beginning of the first
	// Learned has it begin, in place of After, when 95 of 100 answers of the
	// first's target have begun. Until enough is known of them, none does.
	Learned bool
	// Budget bounds the calls that are hedged, as a share of the route's calls;
	// the first few are free.
	Budget float64
}

// Hedges tells whether calls of the route may be hedged.
func (r *Route) Hedges() bool { return r.Hedge.After > 0 || r.Hedge.Learned }

// hedgesFree are the hedges that need no calls before them. Later calls pay
// for them, so that at volume the share holds exactly.
const hedgesFree = 3

// hedgesSaved bounds what quiet times save up.
const hedgesSaved = 100

// hedgeBudget counts a route's hedges, in thousandths.
type hedgeBudget struct {
	calls atomic.Int64 // that have come before anything is paid in
	saved atomic.Int64
}

// call pays in for one call.
func (b *hedgeBudget) call(share float64) {
	paid := int64(share * wholeTry)
	if free := b.calls.Load(); free*paid < hedgesFree*wholeTry {
		b.calls.Add(1)
		return
	}
	if b.saved.Load() < (hedgesSaved-hedgesFree)*wholeTry {
		b.saved.Add(paid)
	}
}

// take asks for one hedge.
func (b *hedgeBudget) take() bool {
	for {
		saved := b.saved.Load()
		if saved < (1-hedgesFree)*wholeTry {
			return false
		}
		if b.saved.CompareAndSwap(saved, saved-wholeTry) {
			return true
		}
	}
}

func (b *hedgeBudget) giveBack() { b.saved.Add(wholeTry) }

// ErrHedgeLost is how an attempt ended beside which another was made that
// answered first. It says nothing of its target.
var ErrHedgeLost = &schema.Error{Code: schema.CodeHedgeLost, Origin: schema.OriginGateway, Class: schema.ClassCancelled,
	Message: "another attempt of the call answered first"}

// DoHedged is Do for a call that may be under way at two targets at once, as
// its route's Hedge says: the first attempt that does not fail wins, and the
// other is cancelled. try is run for each. Only one of them runs at a time but
// for what each does within Attempt.Ask, and none does any more when DoHedged
// returns, so what try touches outside Ask needs no lock of its own.
func (p *Plan) DoHedged(ctx context.Context, try func(*Attempt) error) error {
	p.Route.hedges.call(p.Route.Hedge.Budget)
	r, _ := p.Route.races.Get().(*race)
	if r == nil {
		r = &race{}
		r.run = r.lead
	}
	r.plan, r.ctx, r.try, r.used = p, ctx, try, false
	err := p.Do(ctx, r.run)
	r.plan, r.ctx, r.try = nil, nil, nil
	p.Route.races.Put(r)
	return err
}

// race is a hedged call. Most are over before anything is begun beside their
// first attempt, and leave what they were made of to the route's next.
type race struct {
	plan *Plan
	ctx  context.Context
	try  func(*Attempt) error
	run  func(*Attempt) error // lead
	used bool                 // its one hedge was begun
}

// heat is one attempt of a race, and what is begun beside it if it is slow.
type heat struct {
	*race
	lead   *Attempt
	life   lifetime.Context // the lead's
	timer  *time.Timer      // that begins the hedge; nil: stop is of the clock's own
	stop   func() bool
	leads  sync.WaitGroup // while the lead runs
	hedges sync.WaitGroup // until the hedge is over, or is not to be begun
	joined bool

	mu     sync.Mutex // held by whichever attempt does more than wait
	hedge  *Attempt   // nil: not begun
	won    *Attempt   // nil: none yet
	over   bool       // no hedge may be begun any more
	broken any        // what the hedge panicked with
}

// lead makes an attempt beside which another may be begun. It returns nil when
// either went well.
func (r *race) lead(a *Attempt) error {
	after, ok := r.after(a)
	if !ok {
		return r.try(a)
	}
	h, _ := r.plan.Route.heats.Get().(*heat)
	if h == nil {
		h = &heat{}
	}
	h.race, h.lead = r, a
	a.enter(h, &h.life)
	h.mu.Lock()
	h.leads.Add(1)
	h.hedges.Add(1)
	h.start(after)
	settled := false
	defer func() {
		if !settled { // a panic
			h.quit()
			h.join()
		}
	}()
	err := h.first()
	if err != nil && a.Route.ends(schema.AsError(err).Class) { // whatever the hedge says
		h.quit()
	}
	h.join()
	settled = true
	h.clear()
	if h.broken != nil {
		panic(h.broken)
	}
	won := h.won
	if !a.late { // else Done rests it
		h.rest()
	}
	if won != nil && won != a {
		r.plan.won = won
		return nil
	}
	return err
}

// start sets the time at which the hedge is begun.
func (h *heat) start(after time.Duration) {
	switch clock := h.plan.Clock; {
	case clock.AfterFunc != nil:
		h.stop = clock.AfterFunc(after, h.begin)
	case h.timer != nil:
		h.timer.Reset(after)
	default:
		h.timer = time.AfterFunc(after, h.begin)
		h.stop = h.timer.Stop
	}
}

// rest leaves a heat whose lead was all that ran to another attempt, if nothing
// holds it any more.
func (h *heat) rest() {
	if h.timer == nil || h.hedge != nil || !h.life.Rest() {
		return
	}
	route := h.lead.plan.Route
	h.lead.heat, h.lead.life = nil, nil
	h.race, h.lead, h.won, h.joined, h.over = nil, nil, nil, false, false
	route.heats.Put(h)
}

// first runs the lead, with the lock, to where its outcome is booked.
func (h *heat) first() (err error) {
	defer func() {
		h.over = true
		h.leads.Done()
		h.mu.Unlock()
	}()
	if err = h.try(h.lead); err == nil && h.lead.late {
		return nil // booked by Plan.run
	}
	if e := h.lead.came(h.ctx, err); e != nil {
		return e
	}
	return nil
}

// quit cancels the hedge.
func (h *heat) quit() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hedge != nil && h.won == nil {
		h.hedge.life.End(nil)
	}
}

// join waits until the hedge is over, or keeps it from being begun. It is for
// the lead's goroutine, which does not hold the lock.
func (h *heat) join() {
	if h.joined {
		return
	}
	h.joined = true
	if h.stop() {
		h.hedges.Done()
	}
	h.hedges.Wait()
}

// clear ends the contexts that nothing waits under any more: all but that of a
// winner whose answer is still coming.
func (h *heat) clear() {
	for _, a := range [...]*Attempt{h.lead, h.hedge} {
		if a != nil && (a != h.won || !a.late) {
			a.life.End(nil)
		}
	}
}

// after is how long the attempt may take before a hedge is begun.
func (r *race) after(a *Attempt) (time.Duration, bool) {
	hedge := &r.plan.Route.Hedge
	switch {
	case r.used || r.ctx.Err() != nil:
		return 0, false
	case hedge.Learned:
		return a.Candidate.Target.learnt.tailOf(r.plan.Late)
	}
	return hedge.After, true
}

// begin makes the hedge, in the timer's goroutine.
func (h *heat) begin() {
	defer h.hedges.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() {
		if h.broken = recover(); h.broken != nil {
			h.life.End(nil)
		}
	}()
	if h.over || h.won != nil || h.ctx.Err() != nil || !h.plan.Route.hedges.take() {
		return
	}
	now := h.plan.Clock.Now()
	a := h.plan.beside(h.lead, now)
	if a == nil {
		h.plan.Route.hedges.giveBack()
		return
	}
	h.used, h.hedge = true, a
	a.enter(h, &lifetime.Context{})
	_ = h.plan.run(h.ctx, a, now, h.try)
}

// beside is an attempt to be made beside another one: at the next candidate
// that seems well, or with another secret; nil: there is none, or it is not
// admitted. Nothing of the plan is changed but that the candidate was tried.
func (p *Plan) beside(lead *Attempt, now time.Time) *Attempt {
	r, keys := lead.Route, len(p.keys)
	p.Hedging = true
	defer func() { p.Hedging, p.keys = false, p.keys[:keys] }()
	var passed []int // over: they may still be tried if the lead fails
	defer func() {
		for _, i := range passed {
			p.out[i] = false
		}
	}()
	for i := p.choose(r); i >= 0; i = p.choose(r) {
		p.out[i] = true
		c := &r.Candidates[i]
		if a := p.hedgeAt(lead, c, nil, now); a != nil {
			return a
		}
		passed = append(passed, i)
	}
	if c := lead.Candidate; lead.Secret != nil {
		if other := p.otherKey(c, lead.Secret); other != nil {
			p.keys = append(p.keys, lead.Secret)
			return p.hedgeAt(lead, c, other, now)
		}
	}
	return nil
}

// hedgeAt is the attempt at a candidate; no secret: one is chosen.
func (p *Plan) hedgeAt(lead *Attempt, c *Candidate, secret *Secret, now time.Time) *Attempt {
	if c.Target.failing.Load() {
		return nil
	}
	if secret == nil && c.Pool != nil {
		if secret, _ = c.Pool.pick(now, c.Target, c.Model, p.keys[:p.lasting]); secret == nil {
			return nil
		}
	}
	pass, ok := c.Target.breaker.admit(now, false)
	if !ok {
		return nil
	}
	a := &Attempt{Route: lead.Route, Candidate: c, N: len(p.Results) + 1, Hedge: true, plan: p, pass: pass}
	if !p.admitted(a, c, secret, now) {
		c.Target.breaker.report(pass, neutral, now)
		return nil
	}
	if p.AdmitHedge != nil && p.AdmitHedge(c) != nil {
		a.giveLane(now)
		c.Target.breaker.report(pass, neutral, now)
		return nil
	}
	return a
}

// enter makes the attempt one of a heat, with a context of its own.
func (a *Attempt) enter(h *heat, life *lifetime.Context) {
	a.heat, a.life = h, life
	life.Begin(h.ctx)
}

// Ask runs f, in which the attempt only waits for its target, with the context
// that ends when it is to be given up; ctx is the call's. Meanwhile another
// attempt of the call may run: f must touch nothing that is not the attempt's.
func (a *Attempt) Ask(ctx context.Context, f func(context.Context) error) error {
	if a.heat == nil {
		return f(ctx)
	}
	return a.heat.ask(a, f)
}

// ask is Ask in a heat. Who has won returns when the other is over.
func (h *heat) ask(a *Attempt, f func(context.Context) error) error {
	err := h.await(a, f)
	switch {
	case h.won != nil:
		a.lost = true
	case err == nil && a == h.lead:
		h.won = a
		if h.hedge != nil {
			h.hedge.life.End(nil)
		}
		h.mu.Unlock()
		h.join()
		h.mu.Lock()
	case err == nil:
		h.won = a
		h.life.End(nil)
		h.mu.Unlock()
		h.leads.Wait()
		h.mu.Lock()
	}
	return err
}

// await lets go of the lock while f runs.
func (h *heat) await(a *Attempt, f func(context.Context) error) error {
	h.mu.Unlock()
	defer h.mu.Lock()
	return f(a.life)
}

// Lost tells, after Ask, that another attempt of the call has answered first.
// What this one brought is to be charged and given up, and ErrHedgeLost
// returned.
func (a *Attempt) Lost() bool { return a.lost }
