package providers

import (
	"context"
	"net/http"
	"time"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// Check asks for a path of the provider's (GET) and reads the answer. The
// provider is well if it answers at all: what it says about the key (401, 403,
// 429) or the path is no sign of its health. So an error is one of the network,
// a timeout, a status of 500 and above, or no answer that can be understood.
func (p *Provider) Check(ctx context.Context, secret, path string) error {
	if p.opt.Local != nil {
		return nil
	}
	c := &Call{Secret: secret}
	c.Deadline, _ = ctx.Deadline()
	a := newAttempt(p.opt.Dialect)
	defer a.free()
	a.method = http.MethodGet
	resp, err := p.send(ctx, c, a, &dialect.Upstream{Path: path, Header: rawHeader(p.opt.Dialect, c)})
	if e := schema.AsError(err); err != nil && e.UpstreamStatus >= 400 && e.UpstreamStatus < 500 {
		return nil
	}
	if err != nil {
		return err
	}
	resp.Drain(time.Until(c.Deadline))
	resp.Close()
	return nil
}
