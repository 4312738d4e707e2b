package providers

import (
	"context"

	"sluice/providers/schema"
)

// Embed makes one attempt at embeddings. The answer must be released.
func (p *Provider) Embed(ctx context.Context, c *Call) (*Answer, error) {
	if p.opt.Local == nil && p.opt.Dialect.Embed == nil {
		return nil, p.unsupported("embeddings")
	}
	if d := p.raw(c.Request, c.Model); d != nil && d.Embed != nil && d.Embed.Splice != nil {
		embed := d.Embed
		a := newAttempt(d)
		defer a.free()
		embed.Splice(&a.patch, c.Request.Raw, &c.Request.Head, c.Model)
		return p.rawAnswer(ctx, c, a, embed.Path(c.Model), embed.Usage)
	}
	client := c.Request.Client.Client
	if client.DecodeEmbed == nil || client.EncodeEmbed == nil {
		return nil, p.unsupported("embeddings for this caller's format")
	}
	whole, err := c.Request.Embed()
	if err != nil {
		return nil, err
	}
	req := *whole
	req.Model = c.Model
	out := &Answer{}
	resp, err := p.embeddings(ctx, c, &req, out)
	if err != nil {
		return nil, p.fail(err)
	}
	if resp.Model == "" {
		resp.Model = c.Model
	}
	out.Tally.Usage, out.Tally.Done = resp.Usage, true
	out.buf = newBuffer()
	out.buf.b = client.EncodeEmbed(out.buf.b, whole, resp)
	out.Body = out.buf.b
	return out, nil
}

func (p *Provider) embeddings(ctx context.Context, c *Call, req *schema.EmbedRequest, out *Answer) (*schema.EmbedResponse, error) {
	if p.opt.Local != nil {
		return p.opt.Local.Embed(ctx, req)
	}
	up, err := p.opt.Dialect.Embed.Encode(req)
	if err != nil {
		return nil, err
	}
	c.reword(up)
	out.Dropped = up.Dropped
	buf, err := p.whole(ctx, c, p.opt.Dialect, up)
	if err != nil {
		return nil, err
	}
	defer buf.free()
	return p.opt.Dialect.Embed.Decode(buf.b)
}
