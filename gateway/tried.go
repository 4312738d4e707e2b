package gateway

import (
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

// unanswered tells whether an attempt that failed must be paid for: the
// provider had the request in hand and we would wait no longer. It has read the
// input by then, and will ask for it; what it says is an error costs nothing.
func (c *Call) unanswered(e *schema.Error, sent bool) bool {
	return sent && e.Class == schema.ClassTimeout && e.UpstreamStatus == 0 &&
		c.passed == nil && c.req.Op != schema.OpCount
}

// with is a charge and what is still to be settled with it.
func (m *money) with(ch billing.Charge) billing.Charge {
	ch.USD, ch.Tokens = ch.USD+m.beyond.USD, ch.Tokens+m.beyond.Tokens
	m.beyond = billing.Charge{}
	return ch
}

// chargeTried charges for an attempt that was given up. The call's own hold is
// left alone, for the attempts that are still to come.
func (c *Call) chargeTried(t *Target) {
	u := schema.Usage{Input: c.countInput(), Source: schema.UsageEstimated}
	if hold, err := c.owner().Hold(billing.Need{USD: t.prices(c).Cost(u), Tokens: u.Input, Called: c.called()}); err == nil {
		c.chargeApart(t, u, &hold)
	} else {
		c.chargeApart(t, u, nil)
	}
}

// chargeApart charges for the attempt that ended last, as an entry of its own:
// what follows in the call is another target's, at other prices. Without a hold
// nothing is left of a budget: it is charged with what the call holds, and goes
// beyond.
func (c *Call) chargeApart(t *Target, u schema.Usage, hold *billing.Hold) {
	prices, log := t.prices(c), &c.trail[len(c.trail)-1]
	e := c.entry
	e.Attempt, e.Usage = len(c.trail), u
	e.Cost = prices.Cost(u)
	e.Markup = t.markup(c, u, e.Cost)
	e.PriceVersion = ""
	if prices != nil {
		e.PriceVersion = prices.Version
	} else {
		c.money.unpriced = true
	}
	e.Excess = 0
	if hold != nil {
		e.Excess = hold.Settle(billing.Charge{USD: e.Cost, Tokens: u.Input + u.Output}, c.now)
		*hold = billing.Hold{}
	} else {
		c.money.beyond.USD += e.Cost
		c.money.beyond.Tokens += u.Input + u.Output
	}
	log.USD += e.Cost
	c.money.tried += e.Cost
	e.Target, e.Provider = t.Name, t.Provider.Name
	e.Status, e.Code, e.Origin = 504, log.Code, string(schema.OriginProvider)
	if log.Code == string(schema.CodeHedgeLost) {
		e.Status, e.Origin = 499, string(schema.OriginGateway)
	}
	e.Latency, e.TTFT = time.Duration(log.LatencyMS)*time.Millisecond, 0
	e.Attempts = []billing.AttemptLog{*log}
	c.write(&e)
	c.g.metrics.Charged(&e)
}
