package gateway

import (
	"context"
	"slices"
	"time"

	"sluice/billing"
	"sluice/providers"
	"sluice/providers/schema"
	"sluice/router"
)

// resumption is what a call knows of its stream where that may be gone on with:
// the model says resume, the caller wants one answer, and it is a chat's.
//
// A stream that breaks in the middle of a text is gone on with by a target that
// was not tried yet. Each part is charged to its target, the parts that broke
// as entries of their own. What is left open ends with an error event as
// without resume: a stream that has begun to call a tool, to speak or to
// refuse, or has sent anything else that is no text; one that has shown
// thoughts and no text yet; an answer in JSON or with log probabilities; one of
// more text than providers keeps; bytes of the Responses API and of text
// completions that pass as they are; what a guard or a budget has ended. One
// that had told why it ended needs nobody to go on, only its end.
type resumption struct {
	stream *providers.Stream
	mended bool         // it broke
	parts  int          // that broke off, and were gone on with
	output int64        // tokens of the answer in them
	asked  int64        // tokens of the caller's request
	input  int64        // bytes that go into a request beside the caller's own
	told   schema.Usage // of them, as the caller is told: the input of the first
	spent  schema.Usage // of them, as they are charged
}

// resumes tells whether the call's stream may be gone on with.
func (c *Call) resumes() bool {
	return c.model.Resume && c.req.Op == schema.OpChat && c.choices() == 1
}

// askedOn are the tokens, at most, of the turn that asks a model to go on.
const askedOn = 128

// resume mends the call's stream, which broke; nil: it can be read on. Else the
// error is why the stream ends here.
func (c *Call) resume(broke error) error {
	r := c.done.resume
	if r == nil || c.done.charged || c.ctx.Err() != nil || !r.stream.Broken() {
		return broke
	}
	e := schema.AsError(broke)
	t := r.stream.Tally()
	used := c.used(t)
	text, ok := r.stream.Said()
	output := c.g.counter.Count(c.target.Model, text)
	spent := c.req.Head.MaxTokens > 0 && output >= c.req.Head.MaxTokens
	switch {
	case t.Finish != "", ok && spent:
		r.mended = true
		c.brokeOff(e)
		r.stream.Conclude(used)
		return nil
	case !ok || !c.continuable():
		return broke
	}
	c.brokeOff(e)
	c.err = e // nothing is learnt of half an answer
	c.charge(t)
	c.err = nil
	part := c.part(e)
	before := *r
	r.begin(c, text, output, used)
	if err := c.goOn(e); err != nil {
		*r = before
		c.target, c.done.charged = part.target, true // the call's own entry is that of the part
		return err
	}
	c.wrote(&part.Entry)
	c.g.log.Info("a stream broke and is gone on with", "call", c.entry.Call, "from", part.Target, "to", c.target.Name, "code", e.Code)
	return nil
}

// begin notes one more part that broke off.
func (r *resumption) begin(c *Call, text string, output int64, used schema.Usage) {
	if r.parts == 0 {
		r.asked, r.told = c.countInput(), used
	} else {
		r.told.Output += used.Output
		r.told.Reasoning += used.Reasoning
	}
	r.mended, r.parts, r.output, r.input = true, r.parts+1, output, int64(len(text))+bytesPerToken*askedOn
}

// continuable tells whether a part of the answer that the caller wants can be
// gone on with as text.
func (c *Call) continuable() bool {
	req, err := c.req.Chat()
	if err != nil {
		return false
	}
	plain := req.ResponseFormat == nil || req.ResponseFormat.Type == "" || req.ResponseFormat.Type == "text"
	likely := req.Logprobs != nil && *req.Logprobs
	return plain && !likely && len(req.Audio) == 0 && !slices.Contains(req.Modalities, "audio")
}

// brokeOff books the attempt whose stream broke.
func (c *Call) brokeOff(e *schema.Error) {
	c.endAttempt(e)
	c.trail[c.answered()-1].Code = string(e.Code)
}

// brokenPart is the ledger's entry of a part that broke off, and its target.
type brokenPart struct {
	billing.Entry
	target *Target
}

// part is the entry of what was charged last.
func (c *Call) part(e *schema.Error) brokenPart {
	p := brokenPart{c.entry, c.target}
	p.Attempt = c.answered()
	p.Attempts = []billing.AttemptLog{c.trail[p.Attempt-1]}
	p.Entry.Target, p.Provider = c.target.Name, c.target.Provider.Name
	p.Status, p.Code, p.Origin = 200, string(e.Code), string(e.Origin)
	p.Latency = time.Since(c.now)
	return p
}

// wrote puts the entry of a part into the ledger; what follows is another's.
func (c *Call) wrote(p *billing.Entry) {
	e := &c.entry
	e.Usage, e.Cost, e.Markup, e.Excess, e.PriceVersion = schema.Usage{}, 0, 0, 0, ""
	addUsage(&c.done.resume.spent, p.Usage)
	c.money.tried += p.Cost
	c.write(p)
	c.g.metrics.Charged(p)
}

// goOn holds for the rest of the answer and has the next target go on. The
// error is why nobody does.
func (c *Call) goOn(broke *schema.Error) error {
	r := c.done.resume
	c.money.counted, c.money.clamped = r.asked+r.output+askedOn, 0
	if err := c.reserve(); err != nil {
		return err
	}
	err := c.plan.Resume(c.ctx, broke, func(a *router.Attempt) error {
		_, err := attempt(c, a, true, func(p *providers.Provider, ctx context.Context, call *providers.Call) (*providers.Stream, error) {
			return r.stream, r.stream.Resume(ctx, p, call, r.told)
		})
		return err
	})
	if err == nil {
		return nil
	}
	if c.ctx.Err() != nil && c.money.cut {
		c.chargeTried(c.target)
	}
	c.routed()
	return err
}
