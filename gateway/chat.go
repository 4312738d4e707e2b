package gateway

import (
	"context"
	"strings"
	"time"

	"sluice/providers"
	"sluice/providers/schema"
)

// serveModel is a call in a model dialect. model is the one that the path
// names; empty: the body does.
func (c *Call) serveModel(op schema.Operation, model string) error {
	c.entry.Operation = op.String() // also of what is refused before it is read
	if err := c.authenticate(); err != nil {
		return err
	}
	return c.serveBody(op, model, c.rc.PostBody())
}

// serveBody is serveModel for a caller who is known.
func (c *Call) serveBody(op schema.Operation, model string, raw []byte) error {
	head, err := c.speaks.Client.Head(op, raw)
	if err != nil {
		return err
	}
	array := false
	if model != "" {
		head.Model = model
		head.Stream, array = c.streams()
	}
	c.req = providers.Request{Op: op, Client: c.speaks, Raw: raw, Head: head, Continues: c.from.continues}
	e := &c.entry
	e.Operation, e.Model, e.Stream, e.User = op.String(), label(head.Model), head.Stream, c.userOf(head.User)
	e.Tags = labels(append(head.Tags, splitTags(c.rc.Request.Header.Peek("X-Sluice-Tags"))...))
	if name, ok := strings.CutPrefix(head.Model, promptModel); ok && op == schema.OpChat {
		return c.serveAsModel(name)
	}
	if head.PromptID != "" {
		if ours, err := c.servePromptID(head, raw); ours || err != nil {
			return err
		}
	}
	if err := c.choose(head.Model); err != nil {
		return err
	}
	if err := c.deadline(); err != nil {
		return err
	}
	if err := c.admit(); err != nil {
		return err
	}
	if err := c.guardIn(); err != nil {
		return err
	}
	if c.model.Caching != nil {
		if answered, err := c.fromCache(array); answered || err != nil {
			return err
		}
	}
	switch {
	case head.Stream:
		return c.serveStream(array)
	case op == schema.OpCount:
		return c.serveCount()
	case op == schema.OpEmbed:
		return c.serveWhole((*providers.Provider).Embed)
	case op == schema.OpRerank:
		return c.serveWhole((*providers.Provider).Rerank)
	}
	return c.serveWhole((*providers.Provider).Chat)
}

// serveCount counts a request's tokens: the provider does, or, where it has no
// way to, we do. It costs nothing.
func (c *Call) serveCount() error {
	answer, err := c.whole((*providers.Provider).Count)
	var body []byte
	switch e := schema.AsError(err); {
	case err == nil:
		defer answer.Release()
		body = answer.Body
	case e.Code == schema.CodeUnsupported:
		if _, err := c.req.Chat(); err != nil {
			return err
		}
		body = c.speaks.Client.EncodeCount(nil, c.countInput())
	default:
		return err
	}
	c.answerHeaders(nil)
	c.rc.Response.Header.SetContentType("application/json")
	c.rc.Response.SetBody(body)
	return nil
}

// choose resolves the model that the call asks for and checks that the caller
// may have it.
func (c *Call) choose(name string) error {
	m, err := c.snap.Resolve(name)
	if err != nil {
		return err
	}
	if !c.caller.may(name, m.canonical()) {
		return &schema.Error{Code: schema.CodeModelNotAllowed, Status: 403, Origin: schema.OriginPolicy, Param: "model",
			Message: "this key may not use the model '" + name + "'"}
	}
	c.model = m
	return nil
}

// canonical is the provider/model behind a name that is no name under models:.
func (m *Model) canonical() string {
	if m.Direct {
		return m.Targets[0].Name
	}
	return m.Name
}

// deadline opens the call's context, with the caller's own time limit if it
// gave one, and checks what else its head wishes of the way to a target.
func (c *Call) deadline() error {
	c.open()
	if v := c.rc.Request.Header.Peek("X-Sluice-Fallback"); len(v) > 0 && string(v) != "off" {
		return schema.Invalid("x-sluice-fallback", "x-sluice-fallback must be off, not %q", label(string(v)))
	}
	v := c.rc.Request.Header.Peek("X-Sluice-Timeout")
	if len(v) == 0 {
		return nil
	}
	d, err := time.ParseDuration(string(v))
	if err != nil || d <= 0 {
		return schema.Invalid("x-sluice-timeout", "x-sluice-timeout must be a positive duration such as 20s, not %q", string(v))
	}
	c.until.at = c.now.Add(d)
	c.ctx, c.until.stop = context.WithDeadline(c.ctx, c.until.at)
	return nil
}

// serveWhole gets one whole answer and sends it.
func (c *Call) serveWhole(ask asking[*providers.Answer]) error {
	answer, err := c.whole(ask)
	if err != nil {
		return err
	}
	defer answer.Release()
	c.charge(&answer.Tally)
	if err := c.guardOut(answer); err != nil {
		return err
	}
	c.answerHeaders(answer.Dropped)
	h := &c.rc.Response.Header
	c.costHeader()
	h.SetContentType("application/json")
	if c.keeps() {
		c.keep(c.req.Raw, answer.Body)
	}
	if c.done.reuse != nil {
		c.reusable(answer)
	}
	answer.Swap(c.rc.Response.SwapBody)
	return nil
}

// whole tries targets until one gives a whole answer.
func (c *Call) whole(ask asking[*providers.Answer]) (*providers.Answer, error) {
	if c.model.Shadow != nil {
		c.mirror(false)
	}
	answer, err := routeHedged(c, false, ask)
	if err != nil {
		return nil, err
	}
	c.entry.TTFT = time.Since(c.now)
	return answer, nil
}

// serveStream gets a stream going and hands it to the connection: from here on
// the stream's body drives the call, and finishes it.
func (c *Call) serveStream(array bool) error {
	stream, err := c.startStream()
	if err != nil {
		return err
	}
	c.answerHeaders(stream.Dropped())
	if array {
		c.sendStream(&arrayFrames{Stream: stream, buf: make([]byte, 16<<10)}, c.speaks.Client.StreamError)
		c.rc.Response.Header.SetContentType("application/json")
		return nil
	}
	if c.keeps() {
		c.sendStream(&keptFrames{Stream: stream, c: c, request: c.req.Raw}, c.speaks.Client.StreamError)
		return nil
	}
	if c.done.reuse != nil {
		c.sendStream(&reusedFrames{Stream: stream, r: c.done.reuse}, c.speaks.Client.StreamError)
		return nil
	}
	c.sendStream(stream, c.speaks.Client.StreamError)
	return nil
}

func (c *Call) startStream() (*providers.Stream, error) {
	if c.model.Shadow != nil {
		c.mirror(true)
	}
	stream, err := routeHedged(c, true, (*providers.Provider).ChatStream)
	if err != nil {
		return nil, err
	}
	c.entry.TTFT = time.Since(c.now)
	if c.resumes() {
		c.done.resume = &resumption{stream: stream}
	}
	return stream, nil
}
