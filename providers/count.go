package providers

import (
	"context"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// Count asks the provider how many tokens a request has. The answer must be
// released; its Tally tells the tokens as Usage.Input, and costs nothing. A
// provider that cannot count is an Error with the code unsupported_parameter.
func (p *Provider) Count(ctx context.Context, c *Call) (*Answer, error) {
	if p.opt.Local != nil || p.speaks(c.Model).Count == nil {
		return nil, p.unsupported("way to count tokens")
	}
	speaks := p.speaks(c.Model)
	if d := p.raw(c.Request, c.Model); d != nil && d.Count != nil && d.Count.Splice != nil {
		a := newAttempt(d)
		defer a.free()
		d.Count.Splice(&a.patch, c.Request.Raw, &c.Request.Head, c.Model)
		return p.rawAnswer(ctx, c, a, d.Count.Path(c.Model), func(body []byte, t *dialect.Tally) (err error) {
			t.Usage.Input, err = d.Count.Decode(body)
			return err
		})
	}
	req, err := p.chatRequest(ctx, c, false)
	if err != nil {
		return nil, err
	}
	up, err := speaks.Count.Encode(req)
	if err != nil {
		return nil, err
	}
	buf, err := p.whole(ctx, c, speaks, up)
	if err != nil {
		return nil, p.fail(err)
	}
	defer buf.free()
	out := &Answer{}
	if out.Tally.Usage.Input, err = speaks.Count.Decode(buf.b); err != nil {
		return nil, p.fail(err)
	}
	out.buf = newBuffer()
	out.buf.b = c.Request.Client.Client.EncodeCount(out.buf.b, out.Tally.Usage.Input)
	out.Body = out.buf.b
	return out, nil
}

// Rerank makes one attempt at ranking documents. The answer must be released.
func (p *Provider) Rerank(ctx context.Context, c *Call) (*Answer, error) {
	rerank := (*dialect.Rerank)(nil)
	if p.opt.Dialect != nil {
		rerank = p.opt.Dialect.Rerank
	}
	if rerank == nil {
		return nil, p.unsupported("reranking")
	}
	whole, err := c.Request.Rerank()
	if err != nil {
		return nil, err
	}
	req := *whole
	req.Model = c.Model
	up, err := rerank.Encode(&req)
	if err != nil {
		return nil, err
	}
	buf, err := p.whole(ctx, c, p.opt.Dialect, up)
	if err != nil {
		return nil, p.fail(err)
	}
	defer buf.free()
	resp, err := rerank.Decode(buf.b)
	if err != nil {
		return nil, p.fail(err)
	}
	for i := range resp.Results {
		r := &resp.Results[i]
		if r.Index < 0 || r.Index >= len(req.Documents) {
			return nil, p.fail(invalidOutput("the provider ranked a document that there is not: %d of %d", r.Index, len(req.Documents)))
		}
		if req.Return && r.Document == "" {
			r.Document = req.Documents[r.Index]
		}
	}
	if resp.Model == "" {
		resp.Model = c.Model
	}
	if resp.ID == "" {
		resp.ID = c.ID
	}
	if resp.Usage.Source == schema.UsageNone {
		resp.Usage.Source = schema.UsageReported
	}
	out := &Answer{Dropped: up.Dropped}
	out.Tally.Usage, out.Tally.Done = resp.Usage, true
	out.buf = newBuffer()
	out.buf.b = c.Request.Client.Client.EncodeRerank(out.buf.b, resp)
	out.Body = out.buf.b
	return out, nil
}
