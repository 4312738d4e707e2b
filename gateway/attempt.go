package gateway

import (
	"cmp"
	"context"
	"time"

	"sluice/providers"
	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/router"
)

// asking is one way to ask a provider. What it gives with an error is nothing.
type asking[T any] func(*providers.Provider, context.Context, *providers.Call) (T, error)

// route drives the attempts of the call: which target, which of its
// provider's keys, and what next when one fails. ask says how an attempt went;
// one that is late is over only when its stream is.
func route[T any](c *Call, late bool, ask asking[T]) (got T, err error) {
	c.planRoute(late)
	err = c.plan.Do(c.ctx, func(a *router.Attempt) (err error) {
		got, err = attempt(c, a, late, ask)
		return err
	})
	return got, c.endRoute(err)
}

// planRoute readies the plan.
func (c *Call) planRoute(late bool) {
	c.plan.Route = c.model.Route
	c.plan.NoFallback = string(c.rc.Request.Header.Peek("X-Sluice-Fallback")) == "off"
	c.plan.Explain = c.explains()
	c.plan.Subject, c.plan.Late = c, late
	c.planLimits()
}

// attempt makes one attempt. Of a hedged call two may be under way, but what is
// done to the call is done by one at a time: all but what is within Ask.
func attempt[T any](c *Call, a *router.Attempt, late bool, ask asking[T]) (got T, err error) {
	t := a.Candidate.Payload.(*Target)
	if !a.Hedge {
		c.target = t
	}
	begin := time.Now()
	c.done.upstream.begin(begin)
	call := providers.Call{
		Request: &c.req, Model: t.Model, MaxTokens: c.outputLimit(t), Refuse: c.model.Refuse, Header: c.forwarded(),
		NoReasoning: t.NoReasoning, Resumes: late && c.resumes(), Deadline: c.until.at, ID: c.entry.Call, Now: begin,
	}
	span := c.traced(&call)
	if a.Secret != nil {
		call.Secret = a.Secret.Value
	}
	if err = cmp.Or(c.canGoOn(t), c.reachesFiles(t)); err == nil {
		err = a.Ask(c.ctx, func(ctx context.Context) (err error) {
			got, err = ask(t.Provider.Client, ctx, &call)
			return err
		})
	}
	a.Spent(call.Spent)
	end := time.Now()
	took := end.Sub(begin)
	if err != nil || !late || a.Lost() { // else it is under way as long as its stream
		c.done.upstream.end(end)
	}
	if a.Lost() {
		c.lost(a, &call, any(got), err)
		c.from.trace.tried(try{span: span, target: t, begin: begin, end: begin.Add(took)})
		var none T
		return none, router.ErrHedgeLost
	}
	if err == nil {
		c.target = t
		if late {
			a.Late()
			c.attempt = a
		}
	}
	c.tried(a, &call, err)
	c.from.trace.tried(try{span: span, target: t, begin: begin, end: begin.Add(took)})
	return got, err
}

// tried notes how an attempt went that was not lost to another, and charges for
// it if the provider does though it failed.
func (c *Call) tried(a *router.Attempt, call *providers.Call, err error) {
	t := c.logAttempt(a, err, time.Since(call.Now))
	if a.Hedge {
		c.hedgeTried(t, call, err)
		return
	}
	c.money.cut = c.cutOff(t, call, err)
	if err != nil && !c.money.cut && c.unanswered(schema.AsError(err), call.Sent) {
		c.chargeTried(t)
	}
}

// cutOff tells whether an attempt failed because the caller gave up on it, with
// the request at the provider.
func (c *Call) cutOff(t *Target, call *providers.Call, err error) bool {
	return err != nil && c.ctx.Err() != nil && (call.Sent || t.Provider.Client.Local())
}

// endRoute ends what the attempts were counted as, if all have failed.
func (c *Call) endRoute(err error) error {
	c.logChoice()
	if err == nil {
		return nil
	}
	over := c.ctx.Err() != nil
	if over && c.money.cut {
		c.chargeCut()
	}
	c.routed()
	if over {
		return c.ended(err)
	}
	return err
}

// forwarded are the caller's headers that say how its body is to be read.
func (c *Call) forwarded() []dialect.Field {
	if c.req.Client == nil {
		return nil
	}
	var list []dialect.Field
	for _, name := range c.req.Client.Client.Forward {
		if v := c.rc.Request.Header.Peek(name); len(v) > 0 {
			list = append(list, dialect.Field{Name: name, Value: string(v)})
		}
	}
	return list
}

// ended says why a call whose context is over failed.
func (c *Call) ended(err error) error {
	switch {
	case c.left():
		return &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway,
			Class: schema.ClassCancelled, Message: "the caller left", Cause: err}
	case c.g.ctx.Err() != nil:
		return errDraining()
	}
	return &schema.Error{Code: schema.CodeUpstreamTimeout, Status: 504, Origin: schema.OriginProvider,
		Class: schema.ClassTimeout, Message: "the call took longer than x-sluice-timeout allows", Cause: err}
}
