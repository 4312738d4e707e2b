package gateway

import (
	"sluice/gateway/cache"
	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// promptCaching is what says of a prompt's answers: the prompt itself, in the
// scope and at the price that its model's have, else the model. nil: none is kept, as for tests,
// which are to ask the model.
func (c *Call) promptCaching() *Caching {
	of, ttl := c.model.Caching, c.prompt.Template.Sluice.Cache
	switch {
	case c.caller == c.snap.Tester:
		return nil
	case ttl <= 0:
		return of
	case of == nil:
		return &Caching{TTL: ttl, Scope: cache.ScopeTeam}
	}
	return &Caching{TTL: ttl, Scope: of.Scope, Price: of.Price, Near: of.Near}
}

// keptOutput is a prompt's output from the cache; ok is false where a model is
// to be asked.
func (c *Call) keptOutput() (out output, ok bool, err error) {
	policy := c.promptCaching()
	if policy == nil {
		return out, false, nil
	}
	a, err := c.lookUp(policy, true)
	if a == nil || err != nil || a.Dialect.Chat.Decode == nil {
		return out, false, err
	}
	resp, err := a.Dialect.Chat.Decode(a.Body)
	if err != nil {
		return out, false, nil // as if it were not there
	}
	out, faults := c.checkOutput(answerText(resp))
	if faults != nil {
		return out, false, nil // another's, or from before the schema was changed
	}
	out.chat = resp
	if err := c.takeKept(a); err != nil {
		return output{}, false, err
	}
	return out, true, nil
}

// reusableOutput notes a prompt's answer that was checked and is to be kept.
func (c *Call) reusableOutput(resp *schema.ChatResponse) {
	if r := c.done.reuse; r != nil && resp != nil && cache.Complete(resp, c.outputLimit(c.target) == 0) {
		r.output = openai.Dialect.Client.EncodeChat(nil, resp)
	}
}

// answeredBy is the target that gave the answer, which may be a kept one;
// empty: none did.
func (c *Call) answeredBy() string {
	if c.target != nil {
		return c.target.Name
	}
	return c.entry.Target
}

// streamKept answers with a kept output as the events of a prompt's stream.
func (c *Call) streamKept(out output) {
	c.answerHeaders(nil)
	c.costHeader()
	body := append(wire.AppendString([]byte(`data: {"delta":`), out.text), "}\n\nevent: done\ndata: "...)
	h := &c.rc.Response.Header
	h.SetContentType("text/event-stream")
	h.Set("Cache-Control", "no-cache")
	c.rc.Response.SetBodyRaw(append(c.envelope(body, out, false), "\n\n"...))
}
