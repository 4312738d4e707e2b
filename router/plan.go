package router

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"sluice/providers/schema"
)

// Clock is where a Plan has its time from; tests bring their own.
type Clock struct {
	Now func() time.Time
	// Sleep waits, or returns the context's error when that is done first.
	Sleep func(ctx context.Context, d time.Duration) error
	// AfterFunc runs f in a goroutine of its own after a time, unless stop
	// comes first, which then tells true; nil: time.AfterFunc.
	AfterFunc func(d time.Duration, f func()) (stop func() bool)
}

var realClock = Clock{Now: time.Now, Sleep: sleep}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Plan is one call's way through a route. Route must be set; the other fields
// may be left zero. A Plan serves one call at a time; Reset readies it for the
// next and keeps its memory.
type Plan struct {
	Route      *Route
	Clock      *Clock // nil: the real one
	NoFallback bool
	Explain    bool // keep what was weighed, for Explanation
	Late       bool // its attempts will be late: what counts is when an answer begins
	// Subject is asked about the call where a balance needs to know; nil:
	// nothing is known.
	Subject Subject
	// Seed decides what is drawn for the call; 0: it is drawn itself.
	Seed uint64
	// Admit, if set, is asked before each attempt. A candidate that it refuses
	// is passed over, which says nothing about its health.
	Admit func(*Candidate) *schema.Error
	// AdmitKey, if set, is asked before Admit about the secret that was chosen.
	// One that it refuses is passed over for the provider's next.
	AdmitKey func(*Candidate, *Secret) *schema.Error
	// AdmitHedge, if set, is asked after these about an attempt that is to be
	// made beside another: one that it refuses is not made.
	AdmitHedge func(*Candidate) *schema.Error
	// Hedging tells those who are asked that it is for such an attempt.
	Hedging bool

	turn

	// Results tells the attempts, in order.
	Results []Result
	// Refused is the candidate whose refusal Do returned; nil: none.
	Refused *Candidate
	// RefusedKey is the secret that AdmitKey refused; nil: Admit did.
	RefusedKey *Secret

	ranking
	refusals
	keys    []*Secret // secrets that were refused in this call: the first
	lasting int       // for good, the others by the candidate at hand alone
	visited []*Route
	weighed []Weighed
	attempt Attempt
	won     *Attempt // made beside another, and the first to answer; nil: none
	stake   stake    // of the move that leads to the next attempt
}

// turn is a call's in the route's queue.
type turn struct {
	// Party is whose turn it is, by its Share, when the call waits; 0 means 1.
	Party string
	Share int
	// Waited is how long it did. Turned: the queue refused it, or it waited in
	// vain.
	Waited time.Duration
	Turned bool

	waiter *waiter // nil: it is not in the queue
}

// ranking is the order of the current route's candidates.
type ranking struct {
	out     []bool    // candidates that were tried or are out
	by      Balance   // that they are ranked by
	scores  []float64 // theirs, where it gives them any: the highest is tried first
	resumes bool      // what was tried before is out
}

// refusals keeps the one by Admit that is over first.
type refusals struct {
	refusal *schema.Error
	refuses *Candidate // whose it is,
	denies  *Secret    // and of which of its secrets; nil: of none
}

// Reset empties the plan for another call. A Late attempt that nobody was Done
// with counts as one that the caller left.
func (p *Plan) Reset() {
	if a := p.last(); a.open {
		a.end(&schema.Error{Code: schema.CodeClientClosed, Class: schema.ClassCancelled, Message: "the caller left"})
	}
	clear(p.keys)
	clear(p.visited)
	clear(p.Results)
	*p = Plan{Results: p.Results[:0], ranking: ranking{out: p.out[:0], scores: p.scores[:0]}, keys: p.keys[:0], visited: p.visited[:0]}
}

// last is the attempt that was made last, or that has won.
func (p *Plan) last() *Attempt {
	if p.won != nil {
		return p.won
	}
	return &p.attempt
}

// Do drives the call's attempts: it runs try until one returns nil, or nothing
// is left to try. Then it returns the last attempt's own error, or, if no
// attempt could be made, the refusal of Admit with the shortest wait, else 503
// no_target with RetryAfter. The error is always a
// *schema.Error. try may tell Late; it must return nil only when the caller is
// bound to this attempt (a whole answer, or a stream's first byte).
func (p *Plan) Do(ctx context.Context, try func(*Attempt) error) error {
	if p.Clock == nil {
		p.Clock = &realClock
	}
	p.Route.budget.call()
	p.Turned = false
	if q := p.Route.Queue; q != nil {
		return q.do(ctx, p, try)
	}
	return p.once(ctx, try)
}

// once is Do without waiting for room.
func (p *Plan) once(ctx context.Context, try func(*Attempt) error) error {
	p.visited, p.resumes = p.visited[:0], false // a call may be routed again: a prompt whose output is mended
	p.refusal, p.refuses, p.denies, p.Refused, p.RefusedKey, p.won = nil, nil, nil, nil, nil, nil
	made := len(p.Results)
	err := p.walk(ctx, p.Route, try)
	switch {
	case err == nil:
		return nil
	case p.refusal != nil && len(p.Results) == made:
		p.Refused, p.RefusedKey = p.refuses, p.denies
		return p.refusal
	}
	return err
}

// walk tries a route, then its fallbacks.
func (p *Plan) walk(ctx context.Context, r *Route, try func(*Attempt) error) *schema.Error {
	p.visited = append(p.visited, r)
	last := p.route(ctx, r, try)
	if last == nil {
		return nil
	}
	return p.fallBack(ctx, r, last, try)
}

// fallBack tries the fallbacks of a route that failed.
func (p *Plan) fallBack(ctx context.Context, r *Route, last *schema.Error, try func(*Attempt) error) *schema.Error {
	if p.NoFallback {
		return last
	}
	for i := range r.Fallback {
		f := &r.Fallback[i]
		if ctx.Err() != nil || last.Class == schema.ClassCancelled {
			break
		}
		if !f.takes(last.Class) || slices.Contains(p.visited, f.Route) {
			continue
		}
		made := len(p.Results)
		err := p.walk(ctx, f.Route, try)
		if err == nil {
			return nil
		}
		// A fallback that had no target says less than a real attempt.
		if len(p.Results) > made || made == 0 {
			last = err
		}
	}
	return last
}

// route tries the candidates of one route.
func (p *Plan) route(ctx context.Context, r *Route, try func(*Attempt) error) *schema.Error {
	now := p.Clock.Now()
	wait, class := p.weigh(r, now)
	var last *schema.Error
	for {
		i := p.choose(r)
		if i < 0 {
			break
		}
		p.out[i] = true
		c := &r.Candidates[i]
		// A move to a target that is failing too is what multiplies an outage.
		if len(p.Results) > 0 && !p.move(ctx, &c.Target.proof, p.failedAt()) {
			continue
		}
		err, stop := p.candidate(ctx, r, c, try)
		p.unmoved()
		if err == nil && stop {
			return nil
		}
		if err != nil {
			last = err
		}
		if stop {
			break
		}
	}
	if last == nil && p.refusal != nil {
		last = p.refusal
	}
	if last == nil {
		last = noTarget(r, wait, class)
	}
	return last
}

// failedAt is when the last attempt ended.
func (p *Plan) failedAt() time.Time {
	last := &p.Results[len(p.Results)-1]
	return last.Start.Add(last.Took)
}

// weigh finds which candidates are out, and for when all are: how long until
// the first is back and why it is not.
func (p *Plan) weigh(r *Route, now time.Time) (time.Duration, schema.Class) {
	p.out = p.out[:0]
	var wait time.Duration
	class := schema.ClassOverloaded
	for i := range r.Candidates {
		ok, w, cooling := r.ready(i, now)
		p.out = append(p.out, !ok || p.resumes && p.tried(r.Candidates[i].Target))
		if !ok && (wait == 0 || w < wait) {
			wait = w
			if cooling {
				class = schema.ClassRateLimited
			}
		}
	}
	if p.passOverUnhealthy(r) {
		class = classUnhealthy
	}
	p.rank(r, now)
	if p.Explain {
		p.weighed = p.explain(p.weighed, r, now)
	}
	return wait, class
}

// classUnhealthy is why nothing is left where checks are always believed.
const classUnhealthy = schema.ClassConnection

// passOverUnhealthy takes out the candidates whose health checks fail, unless
// they are not believed: see Route.Panic. It tells whether nothing is left for
// that.
func (p *Plan) passOverUnhealthy(r *Route) (none bool) {
	down, up, left := 0, 0, 0
	for i := range r.Candidates {
		switch {
		case r.Candidates[i].Health.Down():
			down++
		case p.out[i]:
			up++
		default:
			up++
			left++
		}
	}
	if down == 0 || left == 0 && r.Panic >= 0 || float64(up) < r.Panic*float64(up+down) {
		return false
	}
	for i := range r.Candidates {
		p.out[i] = p.out[i] || r.Candidates[i].Health.Down()
	}
	return left == 0
}

// ready tells whether candidate i can be tried, else when it may and whether
// that is for its secrets.
func (r *Route) ready(i int, now time.Time) (ok bool, wait time.Duration, cooling bool) {
	c := &r.Candidates[i]
	if ok, wait = c.Target.breaker.ready(now, len(r.Candidates) == 1); !ok {
		return false, wait, false
	}
	if wait = c.Target.rested(now, len(r.Candidates) == 1 && r.Queue == nil); wait > 0 {
		return false, wait, true
	}
	ok, wait = c.Pool.ready(now, c.Target, c.Model)
	return ok, wait, !ok
}

func noTarget(r *Route, wait time.Duration, class schema.Class) *schema.Error {
	why := "all have failed and are left alone for a while"
	switch class {
	case classUnhealthy:
		why = "their health checks fail"
	case schema.ClassRateLimited:
		why = "what their providers allow is used up, or their keys are refused"
	}
	wait = max(wait, time.Second)
	return &schema.Error{Code: schema.CodeNoTarget, Status: 503, Origin: schema.OriginGateway, Class: class, RetryAfter: wait,
		Message: fmt.Sprintf("no target of %s can take the call now: %s; try again in %d s", r.Name, why, (wait+time.Second-1)/time.Second)}
}

// candidate tries one target with its secrets. It returns nil and stop when an
// attempt went well, nil and no stop when none could be made, and an error
// with stop when no other candidate should be tried.
func (p *Plan) candidate(ctx context.Context, r *Route, c *Candidate, try func(*Attempt) error) (last *schema.Error, stop bool) {
	lone := len(r.Candidates) == 1
	p.keys = p.keys[:p.lasting]
	var secret *Secret
	if c.Pool != nil {
		if secret, _ = c.Pool.pick(p.Clock.Now(), c.Target, c.Model, p.keys); secret == nil {
			return nil, false
		}
	}
	for failed := 0; ; {
		now := p.Clock.Now()
		pass, ok := c.Target.breaker.admit(now, lone)
		if !ok {
			return last, false
		}
		p.attempt = Attempt{Route: r, Candidate: c, N: len(p.Results) + 1, plan: p, pass: pass}
		if !p.admitted(&p.attempt, c, secret, now) {
			c.Target.breaker.report(pass, neutral, now)
			return last, false
		}
		secret = p.attempt.Secret
		if last = p.run(ctx, &p.attempt, now, try); last == nil {
			return nil, true
		}
		if ctx.Err() != nil || last.Class == schema.ClassCancelled {
			return last, true
		}
		if aboutKey(last.Class) {
			next := p.nextKey(c, secret)
			if last.Class != schema.ClassRateLimited {
				p.lasts(secret)
			}
			if next != nil {
				secret = next
				continue
			}
			if last.Class != schema.ClassRateLimited || slices.Contains(p.out, false) || p.mayNotRepeat(c, secret) {
				return last, false
			}
		}
		if !slices.Contains(r.Retry.On, last.Class) {
			return last, r.ends(last.Class)
		}
		if failed++; failed >= r.Retry.Attempts {
			return last, false
		}
		other := p.otherKey(c, secret)
		moves := other != nil && p.move(ctx, &c.Target.lane(other).proof, p.failedAt())
		if !moves && !p.pause(ctx, r, last, failed) {
			return last, false
		}
		if other != nil {
			secret = other
		}
	}
}

// otherKey is another secret for the candidate, for the last may have been at
// fault; nil: there is none.
func (p *Plan) otherKey(c *Candidate, last *Secret) *Secret {
	if !c.Pool.several(c.Model) {
		return nil
	}
	other, _ := c.Pool.pick(p.Clock.Now(), c.Target, c.Model, append(p.keys, last))
	return other
}

// admitted finds the first secret, beginning with the one given, that may be
// used at the candidate now, and asks for leave to use it. All that it takes
// is the attempt's.
func (p *Plan) admitted(a *Attempt, c *Candidate, s *Secret, now time.Time) bool {
	for ; s != nil; s = p.nextKey(c, s) {
		a.Secret = s
		if c.Pool.several(c.Model) {
			a.lane = c.Target.lane(s)
			var ok bool
			if a.with, ok = a.lane.breaker.admit(now, false); !ok {
				continue
			}
		}
		if p.AdmitKey == nil {
			break
		}
		err := p.AdmitKey(c, s)
		if err == nil {
			break
		}
		p.refuse(c, s, err)
		a.giveLane(now)
	}
	if s == nil && c.Pool != nil {
		return false
	}
	if p.Admit != nil {
		if err := p.Admit(c); err != nil {
			p.refuse(c, nil, err)
			a.giveLane(now)
			return false
		}
	}
	return true
}

// giveLane gives back the lane's pass of an attempt that is not made.
func (a *Attempt) giveLane(now time.Time) {
	if a.lane != nil {
		a.lane.breaker.report(a.with, neutral, now)
		a.lane = nil
	}
}

// refuse keeps, of the refusals, the one after which a call may be tried again
// first.
func (p *Plan) refuse(c *Candidate, s *Secret, err *schema.Error) {
	sooner := p.refusal == nil || err.RetryAfter > 0 && (p.refusal.RetryAfter == 0 || err.RetryAfter < p.refusal.RetryAfter)
	if sooner {
		p.refusal, p.refuses, p.denies = err, c, s
	}
	if p.Explain {
		p.explainRefusal(c, err)
	}
}

// nextKey marks a secret as refused and finds another.
func (p *Plan) nextKey(c *Candidate, refused *Secret) *Secret {
	if c.Pool == nil {
		return nil
	}
	p.keys = append(p.keys, refused)
	next, _ := c.Pool.pick(p.Clock.Now(), c.Target, c.Model, p.keys)
	return next
}

// lasts keeps the secret that was refused last out for the rest of the call.
func (p *Plan) lasts(s *Secret) {
	if i := len(p.keys) - 1; i >= p.lasting && p.keys[i] == s {
		p.keys[i], p.keys[p.lasting] = p.keys[p.lasting], s
		p.lasting++
	}
}

// mayNotRepeat tells whether a secret that was refused rests now.
func (p *Plan) mayNotRepeat(c *Candidate, s *Secret) bool {
	if c.Pool == nil {
		return false
	}
	again, _ := c.Pool.pick(p.Clock.Now(), c.Target, c.Model, nil)
	return again != s
}

// pause waits before the next try at the same target, or tells that there is
// to be none: no budget, no time, or a Retry-After that is too long.
func (p *Plan) pause(ctx context.Context, r *Route, last *schema.Error, failed int) bool {
	d := r.Retry.Backoff << min(failed-1, 10)
	d = max(d/2+time.Duration(rand.Int64N(int64(d/2)+1)), last.RetryAfter)
	now := p.Clock.Now()
	if last.RetryAfter > r.Retry.MaxWait {
		return false
	}
	if end, ok := ctx.Deadline(); ok && !now.Add(d).Before(end) {
		return false
	}
	if _, ok := p.Route.budget.take(now); !ok {
		return false
	}
	return p.Clock.Sleep(ctx, d) == nil
}
