package gateway

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"

	"sluice/billing"
	"sluice/gateway/proxy"
	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/router"
)

// charge settles the call's hold with what an answer, whole or broken off,
// has cost. A call with several answers (a repaired prompt) is charged for each.
func (c *Call) charge(t *dialect.Tally) {
	u := c.used(t)
	c.learn(u.Output)
	e := &c.entry
	cost := c.target.prices(c).Cost(u)
	e.Excess += c.money.hold.Settle(c.money.with(billing.Charge{USD: cost, Tokens: u.Input + u.Output}), c.now)
	c.money.warned = c.money.hold.Warned()
	c.money.hold = billing.Hold{}
	e.Cost += cost
	e.Markup += c.target.markup(c, u, cost)
	if p := c.target.prices(c); p != nil {
		e.PriceVersion = p.Version
	} else {
		c.money.unpriced = true
	}
	addUsage(&e.Usage, u)
	if c.session == nil { // else it goes on
		c.tickets.provider.Done(billing.Ask{Input: u.Input, Output: u.Output})
		c.tickets.secret.Done(billing.Ask{Input: u.Input, Output: u.Output})
	}
	if n := c.answered(); n > 0 {
		c.trail[n-1].USD += cost
	}
}

// answered is the number of the attempt that the answer is of: the last, unless
// one that was made beside it ended later. 0: there was none.
func (c *Call) answered() int {
	for i := len(c.trail) - 1; i > 0; i-- {
		if l := &c.trail[i]; l.Target == c.target.Name && l.Code != string(schema.CodeHedgeLost) {
			return i + 1
		}
	}
	return min(len(c.trail), 1)
}

// used is what an answer of the target has used, as it is charged: what its
// provider told, else what we count. What some tell while a stream runs
// (Anthropic at its beginning) is not yet the output of one that broke off.
func (c *Call) used(t *dialect.Tally) schema.Usage {
	u := t.Usage
	switch {
	case t.Billed != nil:
		u = *t.Billed
	case c.passed != nil:
		u = c.passedUsage(t)
	case c.target != nil && c.session == nil && (u.Source != schema.UsageReported || !t.Done && t.Finish == ""):
		u = c.countUsage(t)
	}
	if u.Source == schema.UsageNone {
		u.Source = schema.UsageCounted
	}
	return u
}

// chargeCut charges for a request that a provider had in hand when the caller
// left or ran out of patience: it has read the input by then, and will ask for
// it. What it was about to answer nobody knows.
func (c *Call) chargeCut() {
	if c.passed != nil || c.req.Op == schema.OpCount {
		return
	}
	c.charge(&dialect.Tally{Usage: schema.Usage{Input: c.countInput(), Source: schema.UsageEstimated}})
}

// countUsage counts what a provider did not tell.
func (c *Call) countUsage(t *dialect.Tally) schema.Usage {
	u := schema.Usage{Input: c.countInput(), Source: schema.UsageCounted}
	u.Output = c.g.counter.Count(c.target.Model, string(t.Text.Sample))
	if !t.Text.Whole() {
		u.Output = u.Output * t.Text.Bytes / int64(len(t.Text.Sample))
		u.Source = schema.UsageEstimated
	}
	if t.Usage.Input > 0 { // some tell the input at once and the output at the end
		u.Input, u.CachedInput = t.Usage.Input, t.Usage.CachedInput
		u.CacheWrite, u.CacheWrite1h = t.Usage.CacheWrite, t.Usage.CacheWrite1h
	}
	u.Tier = t.Usage.Tier
	u.Output = max(u.Output, t.Usage.Output)
	u.Source = max(u.Source, t.Usage.Source) // the less sure
	return u
}

func addUsage(sum *schema.Usage, u schema.Usage) {
	sum.Input += u.Input
	sum.CachedInput += u.CachedInput
	sum.CacheWrite += u.CacheWrite
	sum.CacheWrite1h += u.CacheWrite1h
	sum.Output += u.Output
	sum.Reasoning += u.Reasoning
	sum.AudioInput += u.AudioInput
	sum.AudioOutput += u.AudioOutput
	sum.Images += u.Images
	if u.Tier != "" {
		sum.Tier = u.Tier
	}
	sum.Source = max(sum.Source, u.Source) // the least sure
}

// record writes the call into the ledger's spool: before the last byte of the
// answer goes out, whatever the outcome, once.
func (c *Call) record() {
	if c.done.recorded {
		return
	}
	c.done.recorded = true
	c.giveBack() // first of all: nothing that fails below may keep it
	e := &c.entry
	if c.attempt != nil {
		c.endAttempt(c.attemptError())
	}
	end := time.Now()
	e.Latency = end.Sub(c.now)
	c.done.upstream.all(end)
	if t := c.from.trace; t != nil && e.Trace == "" {
		e.Trace = t.id.String()
	}
	e.Attempts = c.trail
	if e.Status == 0 {
		e.Status = c.rc.Response.StatusCode()
	}
	if c.target != nil {
		e.Target, e.Provider = c.target.Name, c.target.Provider.Name
	}
	if c.err != nil {
		e.Code, e.Origin = string(c.err.Code), string(c.err.Origin)
	}
	e.Guards = c.guardRecords()
	e.Refused = !c.done.admitted && c.err != nil
	c.countArm()
	if c.done.reuse != nil {
		c.endReuse()
	}
	if c.caller == nil || e.Operation == "" {
		return // nobody to charge, or nothing that is charged: a list, a probe
	}
	if st := c.g.spool.Strain(); st != nil && st.Refuse && e.Refused {
		return // it cost nothing, and what there is room for is needed by those that cost
	}
	c.write(e)
}

// write puts an entry into the spool.
func (c *Call) write(e *billing.Entry) {
	if err := c.g.spool.Append(e); err != nil {
		c.g.metrics.SpoolFailed()
		c.g.log.Error("usage is lost: it could not be written to the spool", "call", e.Call, "team", e.Team, "usd", e.Cost.String(), "error", err)
	}
}

// giveBack gives back what the call still holds: money, of which nothing came,
// and its places within the limits.
func (c *Call) giveBack() {
	e := &c.entry
	if c.done.admitted {
		e.Excess += c.money.hold.Settle(c.money.with(billing.Charge{}), c.now)
	} else {
		c.money.hold.Release(c.now)
	}
	c.money.hold = billing.Hold{}
	used := e.Usage
	if r := c.done.resume; r != nil {
		addUsage(&used, r.spent)
	}
	c.tickets.done(&used)
	c.tellOfRoom()
}

// finish ends the call: the one place that every outcome reaches.
func (c *Call) finish() {
	g := c.g
	defer func() {
		// What is told of a call must not end the process, and with it all others.
		if r := recover(); r != nil {
			g.log.Error("panic at the end of a call", "call", c.entry.Call, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			c.giveBack()
		}
		c.release()
		g.open.Done()
	}()
	c.close()
	c.record()
	x := c.from.route
	switch {
	case x != nil:
		c.countRoute(x)
	case c.entry.Operation != "" || c.err != nil: // a probe is no call
		g.metrics.Call(&c.entry, c.done.upstream.took)
	}
	c.observe()
	g.access.add(c)
	if x != nil {
		c.from.route = nil
		x.Release()
	}
}

// countRoute counts a request to a route that has ended.
func (c *Call) countRoute(x *proxy.Exchange) {
	e, series := &c.entry, x.Route.Series
	if v := x.Route.Versions; v != nil && v.Uses != nil {
		use := billing.VersionUse{Route: x.Route.Name, Version: x.Version, Team: e.Team, Key: e.Key, Requests: 1, Last: c.now}
		if c.err != nil && (c.err.Code == schema.CodeGone || c.err.Code == schema.CodeBrownOut) {
			use.Refused = 1
		}
		v.Uses.Count(use)
	}
	if series == nil {
		return
	}
	series.Ended(e.Status, e.Code, e.Latency)
	series.Sizes(x.Sizes())
	if x.Route.Versions != nil {
		series.Version(x.Version, e.Team)
		if c.err != nil && c.err.Code == schema.CodeBrownOut {
			series.BrownedOut(x.Version, e.Team)
		}
	}
	if x.Fallback != "" && e.Code == "" {
		series.FellBack(x.Fallback)
	}
	if x.Arm != "" {
		series.Arm(x.Arm, e.Status, e.Latency)
	}
}

// logAttempt notes how an attempt went, and tells its target.
func (c *Call) logAttempt(a *router.Attempt, err error, took time.Duration) *Target {
	t := a.Candidate.Payload.(*Target)
	l := billing.AttemptLog{Target: t.Name, Status: 200, LatencyMS: took.Milliseconds()}
	if a.Secret != nil {
		l.Key = a.Secret.Label
	}
	if err != nil {
		e := schema.AsError(err)
		l.Status, l.Code = e.UpstreamStatus, string(e.Code)
	}
	c.trail = append(c.trail, l)
	c.g.metrics.Attempt(t.Name, t.Provider.Name, l.Code)
	return t
}

// attemptError is what a stream's end says of its target: nothing, if the
// caller left, would wait no longer, or was cut by us.
func (c *Call) attemptError() error {
	if c.err == nil || c.err.Code == schema.CodeClientClosed || c.err.Origin == schema.OriginPolicy || c.ctx.Err() != nil {
		return nil
	}
	return c.err
}

// explanation tells on one line of JSON which targets were weighed.
func (c *Call) explanation() string {
	b, err := json.Marshal(c.plan.Explanation())
	if err != nil {
		return ""
	}
	return string(b)
}
