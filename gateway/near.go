package gateway

import (
	"time"

	"sluice/billing"
	"sluice/gateway/cache"
	"sluice/providers"
	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/providers/wire"
	"sluice/router"
)

// attemptEmbed is the Attempt of an embedding's entry: beyond that of any attempt
// at the answer.
const attemptEmbed = 1 << 16

// mostCompared bounds, in bytes, the question whose meaning is looked at: a
// longer one is no embedding model's.
const mostCompared = 24 << 10

// locate finds out where the call's question lies among others, if its model
// compares them. What that has cost is charged to the call. An embedding that
// cannot be had is no reason to fail: the call goes on without.
func (c *Call) locate(ask *cache.Ask) error {
	r := c.done.reuse
	near := r.policy.Near
	if near == nil || c.req.Op != schema.OpChat {
		return nil
	}
	req, err := c.req.Chat()
	if err != nil {
		return err
	}
	ask.Context = append(ask.Context, near.Model)
	text, group, ok := ask.Question(req)
	if !ok || len(text) > mostCompared {
		return nil
	}
	vector, err := c.embedded(near.Model, text)
	if err != nil {
		if c.ctx.Err() != nil {
			return c.ended(err)
		}
		c.g.log.Warn("the semantic cache has no embedding", "call", c.entry.Call, "model", near.Model, "error", err)
		return nil
	}
	r.point = cache.NewPoint(group, vector)
	return nil
}

// findNear is the answer to a question that means nearly the same, in the same
// scope and with all else the same; nil: there is none.
func (c *Call) findNear() *cache.Answer {
	r, store, now := c.done.reuse, c.g.cache, time.Now()
	if r.point == nil {
		return nil
	}
	ttl := r.policy.TTL
	a := store.Index.Nearest(r.point, r.policy.Near.Threshold, func(a *cache.Answer) bool { return a.Fresh(ttl, now) })
	if a == nil {
		return nil
	}
	return store.Get(a.Key.Name, ttl, now)
}

// embedded asks a model for the embedding of a text.
func (c *Call) embedded(name, text string) ([]float32, error) {
	m, err := c.snap.Resolve(name)
	if err != nil {
		return nil, err
	}
	raw := wire.AppendString([]byte(`{"model":`), m.Name)
	raw = append(wire.AppendString(append(raw, `,"input":`...), text), '}')
	head, err := openai.Dialect.Client.Head(schema.OpEmbed, raw)
	if err != nil {
		return nil, err
	}
	req := &providers.Request{Op: schema.OpEmbed, Client: &openai.Dialect, Raw: raw, Head: head}
	bill := embedBill{hold: c.holdEmbed(m, int64(len(raw))), begin: time.Now()}
	if bill.hold == nil {
		return nil, &schema.Error{Code: schema.CodeInsufficientQuota, Status: 429, Origin: schema.OriginPolicy, Message: "no budget has enough left for it"}
	}
	defer func() { bill.hold.Settle(billing.Charge{}, c.now) }() // unless it is charged
	var answer *providers.Answer
	plan := router.Plan{Route: m.Route, Admit: c.admitAt}
	err = plan.Do(c.ctx, func(a *router.Attempt) (err error) {
		bill.target = a.Candidate.Payload.(*Target)
		call := providers.Call{Request: req, Model: bill.target.Model, Deadline: c.until.at, ID: c.entry.Call, Now: time.Now()}
		if a.Secret != nil {
			call.Secret = a.Secret.Value
		}
		answer, err = bill.target.Provider.Client.Embed(c.ctx, &call)
		code := ""
		if err != nil {
			code = string(schema.AsError(err).Code)
		}
		c.g.metrics.Attempt(bill.target.Name, bill.target.Provider.Name, code)
		return err
	})
	if err != nil {
		c.endEmbedTicket(schema.Usage{})
		return nil, err
	}
	defer answer.Release()
	usage := answer.Tally.Usage
	if usage.Source != schema.UsageReported {
		usage = schema.Usage{Input: c.g.counter.Count(bill.target.Model, text), Source: schema.UsageCounted}
	}
	c.endEmbedTicket(usage)
	c.chargeEmbed(&bill, usage)
	resp, err := openai.Dialect.Embed.Decode(answer.Body)
	if err != nil || len(resp.Data) != 1 {
		return nil, err
	}
	return resp.Data[0].Vector, nil
}

// embedBill is what is known of an embedding's cost.
type embedBill struct {
	hold   *billing.Hold
	target *Target
	begin  time.Time
}

// holdEmbed holds the most that an embedding of so many bytes may cost, beside
// what is held for the answer; nil: the budgets have not got it.
func (c *Call) holdEmbed(m *Model, bytes int64) *billing.Hold {
	var usd billing.Nano
	for _, t := range m.Targets {
		usd = max(usd, t.mayCost(c).MaxCost(bytes, 0))
	}
	h, err := c.owner().Hold(billing.Need{Called: c.called(), USD: usd, MinUSD: usd, Tokens: bytes, MinTokens: bytes})
	if err != nil {
		return nil
	}
	return &h
}

// endEmbedTicket ends what the embedding counted as in its provider's limits.
func (c *Call) endEmbedTicket(u schema.Usage) {
	c.tickets.provider.Done(billing.Ask{Input: u.Input})
	c.tickets.provider = billing.Ticket{}
}

// chargeEmbed charges the call for an embedding. In the ledger it is an entry
// beside the call's own: it has another target and other prices.
func (c *Call) chargeEmbed(bill *embedBill, u schema.Usage) {
	t, own := bill.target, &c.entry
	cost := t.prices(c).Cost(u)
	e := billing.Entry{
		Call: own.Call, Attempt: attemptEmbed, Time: own.Time, Team: own.Team, KeyID: own.KeyID, Key: own.Key, User: own.User, Tags: own.Tags,
		Operation: schema.OpEmbed.String(), Model: own.Model, Provider: t.Provider.Name, Target: t.Name, Prompt: own.Prompt, Version: own.Version,
		Usage: u, Cost: cost, Markup: t.markup(c, u, cost), Status: 200, Delivered: -1, Latency: time.Since(bill.begin), RequestID: own.RequestID,
	}
	if p := t.prices(c); p != nil {
		e.PriceVersion = p.Version
	}
	e.Excess = bill.hold.Settle(billing.Charge{USD: cost, Tokens: u.Input}, c.now)
	c.money.steps.cost += cost
	if err := c.g.spool.Append(&e); err != nil {
		c.g.metrics.SpoolFailed()
		c.g.log.Error("usage is lost: it could not be written to the spool", "call", e.Call, "team", e.Team, "usd", e.Cost.String(), "error", err)
	}
}
