package gateway

import (
	"slices"
	"time"

	"sluice/billing"
	"sluice/providers"
	"sluice/providers/schema"
	"sluice/router"
)

// second is what the attempt holds that is made beside one which is slow, until
// it wins; and the money for whichever of the two loses.
type second struct {
	provider, secret billing.Ticket
	hold             billing.Hold
	now              time.Time
}

// end gives back what is still held.
func (s *second) end() {
	s.provider.Done(billing.Ask{})
	s.secret.Done(billing.Ask{})
	s.hold.Release(s.now)
	s.provider, s.secret, s.hold = billing.Ticket{}, billing.Ticket{}, billing.Hold{}
}

// mayHedge tells whether a second attempt may be made beside one that is slow:
// of calls that do no more than answer. A stream that guards look at is not
// hedged: they would be asked about two answers.
func (c *Call) mayHedge() bool {
	if !c.model.Route.Hedges() || c.req.Filter != nil {
		return false
	}
	return c.req.Op == schema.OpChat || c.req.Op == schema.OpEmbed || c.req.Op == schema.OpRerank
}

// hedged tells whether a second attempt was made.
func (c *Call) hedged() bool {
	return c.tickets.second != nil && slices.ContainsFunc(c.plan.Results, func(r router.Result) bool { return r.Hedge })
}

// routeHedged is route for a call that is hedged, if its model is set so. It is
// apart from route because what two goroutines share is on the heap.
func routeHedged[T any](c *Call, late bool, ask asking[T]) (T, error) {
	if !c.mayHedge() {
		return route(c, late, ask)
	}
	c.planRoute(late)
	c.plan.AdmitHedge = c.holdSecond
	var won T
	err := c.plan.DoHedged(c.ctx, func(a *router.Attempt) error {
		got, err := attempt(c, a, late, ask)
		if err == nil {
			won = got
		}
		return err
	})
	if s := c.tickets.second; s != nil {
		s.end()
	}
	return won, c.endRoute(err)
}

// beside is what a second attempt holds, from when it is to be made.
func (c *Call) beside() *second {
	if c.tickets.second == nil {
		c.tickets.second = &second{now: c.now}
	}
	return c.tickets.second
}

// holdSecond holds the most that a second attempt can cost: all that the first
// may, for both may be charged in full. Without so much left there is none.
func (c *Call) holdSecond(*router.Candidate) *schema.Error {
	need := billing.Need{Called: c.called()}
	if c.owner().Bound(need.Called).Clamps {
		in, out := c.mostInput(), c.outputBound()
		need.USD, need.Tokens = c.dearest(in, out), in+out
		need.MinUSD, need.MinTokens = need.USD, need.Tokens
	}
	s := c.beside()
	hold, err := c.owner().Hold(need)
	if err != nil {
		s.provider.Cancel()
		s.secret.Cancel()
		return schema.AsError(err)
	}
	s.hold = hold
	return nil
}

// hedgeTried ends a second attempt that was not lost: the call goes on with what
// it holds, or it has failed.
func (c *Call) hedgeTried(t *Target, call *providers.Call, err error) {
	s := c.tickets.second
	if err == nil {
		c.g.metrics.Hedge(c.model.Name, "won")
		c.tickets.provider.Done(billing.Ask{}) // if the first has failed: else they are done
		c.tickets.secret.Done(billing.Ask{})
		c.tickets.provider, c.tickets.secret = s.provider, s.secret
		s.provider, s.secret = billing.Ticket{}, billing.Ticket{}
		return
	}
	c.g.metrics.Hedge(c.model.Name, "failed")
	if c.cutOff(t, call, err) || c.unanswered(schema.AsError(err), call.Sent) {
		c.chargeApart(t, schema.Usage{Input: c.countInput(), Source: schema.UsageEstimated}, &s.hold)
	}
	s.end()
}

// lost ends an attempt that another of the call has beaten. What the provider
// has done by then is charged, out of the money that was held for the loser.
func (c *Call) lost(a *router.Attempt, call *providers.Call, got any, err error) {
	t := c.logAttempt(a, router.ErrHedgeLost, time.Since(call.Now))
	if a.Hedge {
		c.g.metrics.Hedge(c.model.Name, "lost")
	}
	c.target = t
	s, used := c.tickets.second, c.spentBy(t, call, got, err)
	if used.Source != schema.UsageNone {
		c.chargeApart(t, used, &s.hold)
	}
	provider, secret := &c.tickets.provider, &c.tickets.secret
	if a.Hedge {
		provider, secret = &s.provider, &s.secret
	}
	provider.Done(billing.Ask{Input: used.Input, Output: used.Output})
	secret.Done(billing.Ask{Input: used.Input, Output: used.Output})
}

// spentBy is what an attempt has used whose answer nobody wants, which is given
// up: as far as the answer tells, else its input, if that had been sent. Nothing
// where the provider has refused.
func (c *Call) spentBy(t *Target, call *providers.Call, got any, err error) schema.Usage {
	switch answer := got.(type) {
	case *providers.Answer:
		if err == nil {
			defer answer.Release()
			return c.used(&answer.Tally)
		}
	case *providers.Stream:
		if err == nil {
			_ = answer.Close() // it is given up
			return c.used(answer.Tally())
		}
	}
	if !call.Sent && !t.Provider.Client.Local() || schema.AsError(err).UpstreamStatus != 0 {
		return schema.Usage{}
	}
	return schema.Usage{Input: c.countInput(), Source: schema.UsageEstimated}
}
