package providers

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/providers/auth"
	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/upstream"
	"sluice/providers/wire"
)

// errorLimit bounds the body of an error answer.
const errorLimit = 1 << 20

// attempt is the memory of one request while it is sent.
type attempt struct {
	speaks *dialect.Dialect // what is spoken with the provider
	req    upstream.Request
	patch  wire.Patch // of a body that is passed on
	whole  [1][]byte  // one that is not

	method, mediaType string // of a request that is passed on, which may have no body
}

func newAttempt(d *dialect.Dialect) *attempt {
	a := attempts.Get().(*attempt)
	a.speaks = d
	return a
}

var attempts = sync.Pool{New: func() any { return new(attempt) }}

func (a *attempt) free() {
	clear(a.req.Header)
	a.speaks, a.method, a.mediaType = nil, "", ""
	a.req = upstream.Request{Header: a.req.Header[:0]}
	a.whole[0] = nil
	a.patch.Reset()
	attempts.Put(a)
}

// rawHeader is what a request carries whose bytes are passed on: what the
// caller forwards, and what its dialect wants beside that.
func rawHeader(d *dialect.Dialect, c *Call) []dialect.Field {
	if len(d.Header) == 0 {
		return c.Header
	}
	h := slices.Clone(c.Header)
	for _, f := range d.Header {
		if !slices.ContainsFunc(h, func(own dialect.Field) bool { return strings.EqualFold(own.Name, f.Name) }) {
			h = append(h, f)
		}
	}
	return h
}

// prepare makes the request that the provider is sent: by POST, with JSON, but
// for one that is passed on.
func (p *Provider) prepare(ctx context.Context, c *Call, a *attempt, up *dialect.Upstream) error {
	a.req.Method, a.req.Path, a.req.Deadline = "POST", up.Path, c.Deadline
	if up.Body != nil { // else it has pieces, or there is none
		a.whole[0] = up.Body
		a.req.Body = a.whole[:]
	}
	kind := "application/json"
	if a.method != "" {
		a.req.Method, kind = a.method, a.mediaType
	}
	h := a.req.Header[:0]
	if kind != "" {
		h = append(h, dialect.Field{Name: "Content-Type", Value: kind})
	}
	h = append(h, dialect.Field{Name: "User-Agent", Value: "sluice"})
	if c.Secret != "" && p.opt.Auth != nil {
		h = p.opt.Auth(h, c.Secret)
	}
	if c.Trace != "" {
		h = append(h, dialect.Field{Name: "Traceparent", Value: c.Trace})
		if c.TraceState != "" {
			h = append(h, dialect.Field{Name: "Tracestate", Value: c.TraceState})
		}
	}
	h = append(h, p.opt.Headers...)
	a.req.Header = append(h, up.Header...)
	if p.opt.Sign != nil {
		return p.sign(ctx, &a.req, c.Secret)
	}
	return nil
}

// send sends a request and returns the answer once its head says success; an
// error status is read and told as an error.
func (p *Provider) send(ctx context.Context, c *Call, a *attempt, up *dialect.Upstream) (*upstream.Response, error) {
	if err := p.prepare(ctx, c, a, up); err != nil {
		return nil, p.fail(err)
	}
	resp, err := p.opt.Upstream.Do(ctx, &a.req)
	c.Sent = a.req.Sent
	if err != nil {
		return nil, p.fail(err)
	}
	c.Spent = resp.Spent(time.Now())
	if resp.Status >= 200 && resp.Status < 300 {
		return resp, nil
	}
	defer resp.Close()
	err = p.refused(a.speaks, resp)
	if e := schema.AsError(err); e.Class == schema.ClassRateLimited && e.RetryAfter == 0 {
		e.RetryAfter = c.Spent
	}
	return nil, err
}

// sign adds the headers that depend on the whole request, or on a token that
// must be fetched first.
func (p *Provider) sign(ctx context.Context, r *upstream.Request, secret string) error {
	q := auth.Request{Method: r.Method, Path: r.Path, Body: bytes.Join(r.Body, nil)}
	for _, f := range r.Header {
		q.Header = append(q.Header, auth.Field(f))
	}
	if !r.Deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, r.Deadline)
		defer cancel()
	}
	more, err := p.opt.Sign(ctx, &q, secret)
	if err != nil {
		return err
	}
	for _, f := range more {
		r.Header = append(r.Header, dialect.Field(f))
	}
	return nil
}

// refused reads an answer with an error status.
func (p *Provider) refused(d *dialect.Dialect, resp *upstream.Response) error {
	if resp.Status < 400 {
		return p.fail(invalidOutput("the provider redirects to elsewhere (status %d): is its base_url right?", resp.Status))
	}
	buf := newBuffer()
	defer buf.free()
	body, err := resp.ReadAll(buf.b, errorLimit)
	buf.b = body
	if err != nil && schema.AsError(err).Class == schema.ClassCancelled {
		return p.fail(err)
	}
	// What could be read of the body will do: the status alone is an answer.
	return p.fail(d.Error(resp.Status, resp.Header, body))
}
