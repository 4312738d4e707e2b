package gateway

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/billing"
	"sluice/prompts"
	"sluice/providers/schema"
)

// errand is a prompt's call that the gateway makes itself on behalf of a
// caller: an element of an array, a tool of MCP, a test. It passes every stage
// that a client's own call passes, and is a call of its own in the ledger.
type errand struct {
	snap      *Snapshot
	caller    *Caller
	prompt    *prompts.Live
	model     string // instead of the prompt's own; empty: the prompt's own
	from      origin
	requestID string // empty: its own
	until     time.Time
	tags      []string
}

// errand is one on behalf of the call's caller, within the call.
func (c *Call) errand(ctx context.Context) errand {
	from := c.from.inside(ctx)
	from.cache = c.cacheWish()
	return errand{snap: c.snap, caller: c.caller, prompt: c.prompt, from: from, requestID: c.entry.RequestID,
		until: c.until.at, tags: c.entry.Tags}
}

// outcome is what an errand brought. What it cost is charged, err or not.
type outcome struct {
	output
	envelope []byte       // {output, usage, cost, model, prompt, version}
	cost     billing.Nano // of its steps too
	usage    schema.Usage
	target   string
	attempts int
	unpriced bool
	latency  time.Duration
	err      error
}

// run makes an errand's call with an input that has been checked.
func (g *Gateway) run(e errand, input map[string]any) (o outcome) {
	rc := &fasthttp.RequestCtx{}
	rc.Init(&fasthttp.Request{}, nil, serverLogger{g.log})
	c := g.newCall(rc)
	c.snap, c.caller, c.prompt, c.from = e.snap, e.caller, e.prompt, e.from
	c.until.at = e.until
	c.from.trace = e.from.trace.again() // an errand may be run several times
	c.notePrompt()
	en := &c.entry
	en.Team, en.KeyID, en.Key, en.User = e.caller.Key.Team, e.caller.Key.ID, e.caller.Label, e.caller.Key.User
	en.Tags = e.tags
	if e.requestID != "" {
		en.RequestID = e.requestID
	}
	defer func() {
		if r := recover(); r != nil {
			g.log.Error("panic in a call", "call", en.Call, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			o.err = &schema.Error{Code: schema.CodeInternal, Status: 500, Origin: schema.OriginGateway, Message: "internal error"}
		}
		if o.err != nil {
			c.err = schema.AsError(o.err)
			en.Status = c.err.Status
		}
		o.cost, o.usage, o.latency = c.totalCost(), en.Usage, time.Since(c.now)
		addUsage(&o.usage, c.money.steps.usage)
		o.target, o.attempts, o.unpriced = c.answeredBy(), len(c.trail), c.money.unpriced
		c.finish()
	}()
	if e.model != "" {
		en.Model = e.model
	}
	if o.err = c.begin(input, e.model); o.err != nil {
		return o
	}
	if o.output, o.err = c.promptOutput(0); o.err == nil {
		o.envelope = c.envelope(nil, o.output, true)
	}
	return o
}
