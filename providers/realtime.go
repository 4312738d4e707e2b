package providers

import (
	"context"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/upstream"
)

// Realtime makes one attempt at a session over a WebSocket, at a path that
// names the model. protocols are the subprotocols that the caller offers, as a
// header's value; empty: none. The tunnel must be closed.
func (p *Provider) Realtime(ctx context.Context, c *Call, path, protocols string) (*upstream.Tunnel, error) {
	if p.opt.Local != nil || p.opt.Dialect.Pass[schema.OpRealtime] == nil {
		return nil, p.unsupported("realtime sessions")
	}
	a := newAttempt(p.opt.Dialect)
	defer a.free()
	a.method = "GET"
	if err := p.prepare(ctx, c, a, &dialect.Upstream{Path: p.passPath(schema.OpRealtime, c.Model, path), Header: c.Header}); err != nil {
		return nil, p.fail(err)
	}
	if protocols != "" {
		a.req.Header = append(a.req.Header, dialect.Field{Name: "Sec-WebSocket-Protocol", Value: protocols})
	}
	tunnel, resp, err := p.opt.Upstream.Upgrade(ctx, &a.req)
	if err != nil {
		return nil, p.fail(err)
	}
	if tunnel != nil {
		return tunnel, nil
	}
	defer resp.Close()
	if resp.Status < 300 {
		return nil, p.fail(invalidOutput("the provider has answered with %d where a WebSocket was asked for", resp.Status))
	}
	return nil, p.refused(a.speaks, resp)
}
