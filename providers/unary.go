package providers

import (
	"context"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// Chat makes one attempt at a whole answer. The answer must be released.
func (p *Provider) Chat(ctx context.Context, c *Call) (*Answer, error) {
	if d := p.raw(c.Request, c.Model); d != nil {
		chat := d.Chat
		if chat == nil || chat.Splice == nil {
			return nil, p.unsupported("chat")
		}
		a := newAttempt(d)
		defer a.free()
		chat.Splice(&a.patch, c.Request.Raw, &c.Request.Head, c.Model, c.MaxTokens)
		return p.rawAnswer(ctx, c, a, chat.Path(c.Model, false), chat.Usage)
	}
	req, err := p.chatRequest(ctx, c, false)
	if err != nil {
		return nil, err
	}
	out := &Answer{}
	if p.opt.Local != nil {
		out.Chat, err = p.opt.Local.Chat(ctx, req)
	} else {
		out.Chat, err = p.encodedChat(ctx, c, req, out)
	}
	if err != nil {
		return nil, p.fail(err)
	}
	fillAnswer(c, out.Chat)
	tallyAnswer(&out.Tally, out.Chat)
	if c.Request.Unified == nil {
		out.encode(c.Request, req)
	}
	return out, nil
}

// rawAnswer sends the caller's body, patched, and gives the answer's bytes as they came.
func (p *Provider) rawAnswer(ctx context.Context, c *Call, a *attempt, path string, usage func([]byte, *dialect.Tally) error) (*Answer, error) {
	a.req.Body = a.patch.Pieces(c.Request.Raw)
	resp, err := p.send(ctx, c, a, &dialect.Upstream{Path: path, Header: rawHeader(a.speaks, c)})
	if err != nil {
		return nil, err
	}
	defer resp.Close()
	out := &Answer{buf: newBuffer()}
	out.buf.b, err = resp.ReadAll(out.buf.b, 0)
	if err == nil {
		out.Body = out.buf.b
		err = usage(out.Body, &out.Tally)
	}
	if err != nil {
		out.Release()
		return nil, p.fail(err)
	}
	out.Tally.Done = true
	return out, nil
}

// encodedChat sends a unified request in the provider's dialect.
func (p *Provider) encodedChat(ctx context.Context, c *Call, req *schema.ChatRequest, out *Answer) (*schema.ChatResponse, error) {
	d := p.speaks(c.Model)
	chat := d.Chat
	if chat == nil || chat.Encode == nil {
		return nil, p.unsupported("chat")
	}
	up, err := chat.Encode(c.fit(req))
	if err != nil {
		return nil, err
	}
	if err := c.drops(req, up); err != nil {
		return nil, err
	}
	out.Dropped = up.Dropped
	buf, err := p.whole(ctx, c, d, up)
	if err != nil {
		return nil, err
	}
	defer buf.free()
	return chat.Decode(buf.b)
}

// whole sends an encoded request and reads the answer.
func (p *Provider) whole(ctx context.Context, c *Call, d *dialect.Dialect, up *dialect.Upstream) (*buffer, error) {
	a := newAttempt(d)
	defer a.free()
	resp, err := p.send(ctx, c, a, up)
	if err != nil {
		return nil, err
	}
	defer resp.Close()
	buf := newBuffer()
	if buf.b, err = resp.ReadAll(buf.b, 0); err != nil {
		buf.free()
		return nil, err
	}
	return buf, nil
}

// chatRequest is the unified request of this attempt, with the bytes of media
// that the dialect needs them of.
func (p *Provider) chatRequest(ctx context.Context, c *Call, stream bool) (*schema.ChatRequest, error) {
	whole, err := c.Request.Chat()
	if err != nil {
		return nil, err
	}
	req := *whole
	req.Model, req.Stream = c.Model, stream
	if c.MaxTokens > 0 {
		limit := c.MaxTokens
		req.MaxTokens = &limit
	}
	if p.opt.Local == nil {
		if req.Messages, err = p.withBytes(ctx, c, p.speaks(c.Model).Chat, req.Messages); err != nil {
			return nil, err
		}
	}
	return &req, nil
}

// fillAnswer puts in what some providers do not tell.
func fillAnswer(c *Call, resp *schema.ChatResponse) {
	if resp.ID == "" {
		resp.ID = c.ID
	}
	if resp.Model == "" {
		resp.Model = c.Model
	}
	if resp.Created == 0 && !c.Now.IsZero() {
		resp.Created = c.Now.Unix()
	}
}

func tallyAnswer(t *dialect.Tally, resp *schema.ChatResponse) {
	t.Usage, t.Billed, t.Done = resp.Usage, resp.Billed, true
	if len(resp.Choices) > 0 {
		t.Finish = string(resp.Choices[0].FinishReason)
	}
	if resp.Usage.Source == schema.UsageReported {
		return
	}
	for i := range resp.Choices {
		m := &resp.Choices[i].Message
		for j := range m.Parts {
			t.Text.Add([]byte(m.Parts[j].Text))
		}
		for j := range m.ToolCalls {
			t.Text.Add([]byte(m.ToolCalls[j].Function.Name))
			t.Text.Add([]byte(m.ToolCalls[j].Function.Arguments))
		}
	}
}
