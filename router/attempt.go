package router

import (
	"context"
	"errors"
	"time"

	"sluice/providers/lifetime"
	"sluice/providers/schema"
)

// Result is how one attempt ended.
type Result struct {
	Target *Target
	Secret *Secret       // nil: it took none
	Err    *schema.Error // nil: it went well
	Start  time.Time
	Took   time.Duration // to the end, of a stream once it is Done
	Hedge  bool          // it was begun beside the one before
}

// Attempt is one try at one candidate. It lives in its Plan: it must not be
// used after the next attempt begins or the Plan is reset.
type Attempt struct {
	Route     *Route // whose candidate it is: the plan's own, or a fallback
	Candidate *Candidate
	Secret    *Secret // nil: the candidate takes none
	N         int     // 1 for the call's first attempt
	Hedge     bool    // it was begun beside another that was slow

	plan  *Plan
	pass  pass
	lane  *lane     // nil: the secret is the only one, or there is none
	with  pass      // the lane's
	first time.Time // of a late one: when its answer began
	late  bool
	open  bool // in flight
	lost  bool // to one that was made beside it
	stake stake

	// Of an attempt beside which another may be made.
	heat *heat
	life *lifetime.Context
}

// run makes an attempt that is ready. A panic in try is told as a cancelled
// attempt and goes on up.
func (p *Plan) run(ctx context.Context, a *Attempt, now time.Time, try func(*Attempt) error) *schema.Error {
	t := a.Candidate.Target
	a.open = true
	a.stake, p.stake = p.stake, stake{}
	if p.waiter != nil {
		p.leave(true)
	}
	t.inFlight.Add(1)
	t.calls.Add(1)
	p.Results = append(p.Results, Result{Target: t, Secret: a.Secret, Start: now, Hedge: a.Hedge})
	returned := false
	defer func() {
		if !returned && a.open {
			a.end(&schema.Error{Code: schema.CodeInternal, Class: schema.ClassCancelled, Message: "panic"})
			a.settle(nil)
		}
	}()
	err := try(a)
	returned = true
	if p.won != nil && p.won != a {
		return nil
	}
	return a.came(ctx, err)
}

// came takes in how try has returned, once.
func (a *Attempt) came(ctx context.Context, err error) *schema.Error {
	p, t := a.plan, a.Candidate.Target
	if err == nil && a.late {
		if a.open {
			a.first = p.Clock.Now()
			t.breaker.begun(&a.pass, a.first)
			if a.lane != nil {
				a.lane.breaker.begun(&a.with, a.first)
			}
			t.learnt.began(a.first.Sub(p.Results[a.N-1].Start), a.first, a.newness())
			t.answered(a.first)
			if a.lane != nil {
				a.lane.answered(a.first)
			}
		}
		a.settle(nil)
		return nil
	}
	a.late = false
	e := classify(ctx, err)
	switch {
	case !a.open:
	case a.lost:
		if !a.Hedge { // which was begun later, and tells less
			t.learnt.exceeds(p.Late, p.Clock.Now().Sub(p.Results[a.N-1].Start))
		}
		a.book(e, neutral)
	case e != nil && over(ctx, p.Clock.Now()):
		a.book(e, neutral)
	default:
		a.end(e)
	}
	a.settle(e)
	return e
}

// over tells whether the call's own time is up. How an attempt ended then says
// nothing of its target: else callers with no patience would open its breaker
// for all others.
func over(ctx context.Context, now time.Time) bool {
	at, bound := ctx.Deadline()
	return ctx.Err() != nil || bound && !now.Before(at)
}

// classify reads an attempt's error; nil stays nil.
func classify(ctx context.Context, err error) *schema.Error {
	if err == nil {
		return nil
	}
	e := schema.AsError(err)
	if e.Class == "" && errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway,
			Class: schema.ClassCancelled, Message: "the caller left", Cause: err}
	}
	return e
}

// Late tells that the attempt's outcome will be known after try has returned
// nil: then Done must be called, once.
func (a *Attempt) Late() { a.late = true }

// Done tells the outcome of an attempt that was Late; nil is success. Further
// calls do nothing.
func (a *Attempt) Done(err error) {
	if !a.open {
		return
	}
	var e *schema.Error
	if err != nil {
		e = schema.AsError(err)
	}
	a.end(e)
	if a.heat != nil && a.heat.lead == a {
		a.heat.rest()
	}
}

// end books the outcome, and what it says of the target.
func (a *Attempt) end(e *schema.Error) { a.book(e, judge(e)) }

func (a *Attempt) book(e *schema.Error, health outcome) {
	a.open = false
	now := a.plan.Clock.Now()
	res := &a.plan.Results[a.N-1]
	res.Err, res.Took = e, now.Sub(res.Start)
	t := a.Candidate.Target
	t.inFlight.Add(-1)
	t.note(e, health, now)
	t.breaker.report(a.pass, health, now)
	if a.lane != nil {
		a.lane.breaker.report(a.with, health, now)
		switch {
		case e == nil:
			a.lane.wentWell(now)
		case health == failure || aboutKey(e.Class):
			a.lane.failing.Store(true)
		}
	}
	a.learn(e, health, res.Took, now)
	a.noteKey(e, now)
}
