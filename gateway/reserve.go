package gateway

import (
	"sluice/billing"
	"sluice/providers/schema"
)

// admit takes the call past the limits and holds the money that it may cost.
func (c *Call) admit() error {
	if err := c.recordable(); err != nil {
		return err
	}
	c.beginGuards()
	c.money.owner = c.caller.Owner.For(c.entry.User, c.entry.Tags)
	if err := c.takeTickets(); err != nil {
		return err
	}
	if err := c.reserve(); err != nil {
		if err = c.turn(err); err != nil {
			c.tickets.cancel()
			return err
		}
	}
	c.done.admitted = true
	return nil
}

// mostTokens bounds what a caller may say that its answer needs. Without it a
// sum of limits overflows, and what has overflowed needs nothing.
const mostTokens = 1 << 40

// maxTokens is the caller's own limit on each of its answers, or on what is
// still to come of one that broke off; 0: it set none.
func (c *Call) maxTokens() int64 {
	n := min(c.req.Head.MaxTokens, mostTokens)
	if r := c.done.resume; n > 0 && r != nil {
		return max(n-r.output, 1)
	}
	return n
}

// tokensNeeded is what a token limit must have room for: the input and what
// the answers may need. A caller who sets no limit on them is taken to need a
// tenth of what it may use a minute, at most.
func (c *Call) tokensNeeded(owner *billing.Owner) (need billing.Ask) {
	input, output := owner.TokenLimits()
	if output > 0 {
		need.Output = c.maxTokens() * c.choices()
		if need.Output == 0 && c.req.Op == schema.OpChat {
			need.Output = min(c.snap.Settings.HoldTokens*c.choices(), output/10)
		}
	}
	if input > 0 {
		need.Input = c.inputBytes()
		if need.Input > input/64 { // near enough to matter: count
			need.Input = c.countInput()
		}
	}
	return need
}

// inputBytes is the size of all that a provider may take for input: of a body
// as it came, every field, for some that we do not read are charged too (a
// response format, a prediction).
func (c *Call) inputBytes() int64 {
	n := int64(max(c.req.Head.PromptSize, len(c.req.Raw)))
	if r := c.done.resume; r != nil {
		n += r.input
	}
	return n
}

// reserve holds the most that the call can use, with the budgets of the key,
// its team and the team's ancestors. Where less is left, the answer is clamped
// to what that buys.
func (c *Call) reserve() error {
	if c.req.Op == schema.OpCount {
		return nil
	}
	owner := c.owner()
	bound := owner.Bound(c.called())
	if bound.USD {
		if err := c.priced(); err != nil {
			return err
		}
	}
	switch {
	case !bound.Clamps:
		return c.hold(billing.Need{})
	case c.passed != nil:
		return c.reservePassed()
	}
	out := c.outputBound()
	in := c.inputBytes() + 64 // no token is shorter than a byte, but for a picture's
	want := c.dearest(in, out)
	usd, tokens := owner.Left(c.called())
	if want > usd/8 || in+out > tokens/8 || c.req.Head.HasMedia {
		in = c.mostInput()
		want = c.dearest(in, out)
	}
	if c.sliced() {
		return c.holdSlice(in, out)
	}
	least := min(out, c.choices())
	if name := c.whenSpent().Model; name != "" && name != c.model.Name && !c.done.admitted {
		least = out // rather another model than an answer that is clamped
	}
	if err := c.hold(billing.Need{USD: want, MinUSD: c.dearest(in, least), Tokens: in + out, MinTokens: in + least}); err != nil {
		return err
	}
	if left := c.money.hold.Tokens() - in; left < out {
		c.clamp(left / c.choices())
	}
	if granted := c.money.hold.USD(); granted < want {
		for _, t := range c.model.Targets {
			c.clamp(t.mayCost(c).AffordableOutput(granted, in) / c.choices())
		}
	}
	return nil
}

// hold sets aside what the call needs. The request itself is counted once.
func (c *Call) hold(n billing.Need) error {
	n.Called = c.called()
	if !c.done.admitted {
		n.Requests = 1
	}
	hold, err := c.owner().Hold(n)
	if err != nil {
		return err
	}
	c.money.hold, c.money.warned = hold, hold.Warned()
	return nil
}

// called is the model for budgets.
func (c *Call) called() billing.Called {
	if c.model.Direct {
		return billing.Called{Model: c.entry.Model, Target: c.model.Targets[0].Name}
	}
	return billing.Called{Model: c.entry.Model}
}

// clamp bounds each answer to so many tokens.
func (c *Call) clamp(n int64) {
	if c.money.clamped == 0 || n < c.money.clamped {
		c.money.clamped = max(n, 1)
	}
}

// priced refuses a model without a price for a caller with a budget, unless
// the policy is another.
func (c *Call) priced() error {
	if c.snap.Settings.Unpriced != billing.UnpricedBlock {
		return nil
	}
	for _, t := range c.model.Targets {
		if t.prices(c) == nil {
			return &schema.Error{Code: schema.CodeModelUnpriced, Status: 403, Origin: schema.OriginPolicy, Param: "model",
				Message: "no price is known for " + t.Name + ", and this key has a budget: set its price under providers, or billing.unpriced"}
		}
		if tier := c.req.Head.ServiceTier; dearer(t.kind(), tier) && !t.prices(c).HasTier(tier) {
			return &schema.Error{Code: schema.CodeModelUnpriced, Status: 403, Origin: schema.OriginPolicy, Param: "service_tier",
				Message: "no price is known for " + t.Name + " at the tier '" + tier + "', and this key has a budget: set it under providers, or billing.unpriced"}
		}
	}
	return nil
}

// dearest is the most that any target would charge.
func (c *Call) dearest(in, out int64) billing.Nano {
	var most billing.Nano
	for _, t := range c.model.Targets {
		most = max(most, t.mayCost(c).MaxCost(in, out))
	}
	return most
}

// choices is how many answers the caller wants.
func (c *Call) choices() int64 { return max(c.req.Head.N, 1) }

// outputBound is the output to hold for, over all choices.
func (c *Call) outputBound() int64 {
	if c.req.Op != schema.OpChat {
		return 0
	}
	out := c.maxTokens()
	if out == 0 {
		for _, t := range c.model.Targets {
			out = max(out, c.unlimited(t))
		}
	}
	return out * c.choices()
}

// unlimited is the output limit for a target when the caller set none.
func (c *Call) unlimited(t *Target) int64 {
	if t.Max > 0 {
		return min(c.snap.Settings.HoldTokens, t.Max)
	}
	return c.snap.Settings.HoldTokens
}

// outputLimit is the limit to send upstream; 0 leaves the caller's own. It is
// what the budget buys and, for a request that is translated, no more than the
// model can write: a caller of another API cannot know that.
func (c *Call) outputLimit(t *Target) int64 {
	if c.req.Op != schema.OpChat {
		return 0
	}
	own, limit := c.req.Head.MaxTokens, c.maxTokens()
	if limit == 0 && c.owner().Bound(c.called()).Clamps {
		limit = c.unlimited(t)
	}
	if t.Max > 0 && limit > t.Max && !t.Provider.Client.Raw(&c.req, t.Model) {
		limit = t.Max
	}
	if n := c.money.clamped; n > 0 && (n < limit || limit == 0) { // none: of a shadow call, the other's is clamped
		limit = n
	}
	if limit == own {
		return 0
	}
	if own > 0 {
		c.money.lowered = limit
	}
	return limit
}

// mostInput is the input to hold for: counted, and with a margin wherever the
// count may be low. It is low for makers whose tokenizer we have not, and for
// pictures and documents, of which only the model knows what it reads in them.
func (c *Call) mostInput() int64 {
	n := c.countInput()
	for _, t := range c.model.Targets {
		switch t.kind() {
		case "mock":
			continue // it counts as we do
		case "openai", "azure":
		default:
			n = max(n, c.money.counted*4/3)
		}
		if c.req.Head.HasMedia && c.req.Op == schema.OpChat {
			return n + c.mediaMargin()
		}
	}
	return n
}

// Input tokens to hold for beyond the count: for a picture what the greediest
// model takes of a large one, for a document by its size.
const (
	perMedium   = 3000
	perDocument = 16 // bytes of base64 a token
)

func (c *Call) mediaMargin() (n int64) {
	req, err := c.req.Chat()
	if err != nil {
		return 0
	}
	for i := range req.Messages {
		for j := range req.Messages[i].Parts {
			p := &req.Messages[i].Parts[j]
			if p.Media == nil {
				continue
			}
			n += perMedium
			if p.Type != schema.PartImage {
				n += int64(len(p.Media.Data)) / perDocument
			}
		}
	}
	return n
}

// countInput counts the input's tokens: exactly where we have the model's
// tokenizer, with a margin where we have not.
func (c *Call) countInput() int64 {
	if c.money.counted > 0 {
		return c.money.counted
	}
	model := c.model.Targets[0].Model
	n := int64(c.req.Head.PromptSize)
	switch c.req.Op {
	case schema.OpChat, schema.OpCount:
		if req, err := c.req.Chat(); err == nil {
			n = schema.PromptTokens(req, func(text string) int64 { return c.g.counter.Count(model, text) })
		}
	case schema.OpEmbed:
		if req, err := c.req.Embed(); err == nil {
			n = 0
			for _, s := range req.Input {
				n += c.g.counter.Count(model, s)
			}
			for _, t := range req.Tokens {
				n += int64(len(t))
			}
		}
	}
	c.money.counted = n
	return n
}
