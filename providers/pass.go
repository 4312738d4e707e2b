package providers

import (
	"context"
	"io"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/upstream"
)

// Passer is what a Local may also be: it answers requests that are passed on.
type Passer interface {
	Passes(op schema.Operation) bool
	Pass(ctx context.Context, req *schema.PassRequest) (*schema.PassResponse, error)
}

// Passed is the answer to a request that was passed on. Exactly one of Answer,
// Stream and Bytes is set; it must be released or closed.
type Passed struct {
	Type        string // media type, with its parameters
	Disposition string // of a file: how it is to be saved; may be empty
	Answer      *Answer
	Stream      *Stream // events, as they came
	Bytes       *Bytes  // a file, as it comes
}

// Bytes are the bytes of a file on their way to the caller. One goroutine reads
// them.
type Bytes struct {
	p     *Provider
	resp  *upstream.Response
	tally dialect.Tally
}

// Read gives what has come. io.EOF is the proper end.
func (b *Bytes) Read(p []byte) (int, error) {
	n, err := b.resp.Read(p)
	if err != nil && err != io.EOF {
		err = b.p.fail(err)
	}
	return n, err
}

// Tally is empty: a file tells nothing.
func (b *Bytes) Tally() *dialect.Tally { return &b.tally }

// Close ends the use of the file; a provider that still sends is cut off.
func (b *Bytes) Close() error {
	b.resp.Close()
	return nil
}

// Passes tells whether the provider takes requests of an operation that has no
// unified form.
func (p *Provider) Passes(op schema.Operation) bool {
	if local := p.opt.Local; local != nil {
		passer, ok := local.(Passer)
		return ok && passer.Passes(op)
	}
	return p.opt.Dialect.Pass[op] != nil
}

// Local tells whether the provider answers within the process.
func (p *Provider) Local() bool { return p.opt.Local != nil }

// Connections is how many connections to the provider are open, idle ones too.
func (p *Provider) Connections() int64 {
	if p.opt.Upstream == nil {
		return 0
	}
	return p.opt.Upstream.Connections()
}

// Pass makes one attempt at a request that is passed on as it is. A stream is
// returned once its first event was looked into, as by ChatStream.
func (p *Provider) Pass(ctx context.Context, c *Call, req *schema.PassRequest) (*Passed, error) {
	if !p.Passes(req.Op) {
		return nil, p.unsupported("way to answer this (" + req.Op.String() + ")")
	}
	if local, ok := p.opt.Local.(Passer); ok {
		resp, err := local.Pass(ctx, req)
		if err != nil {
			return nil, p.fail(err)
		}
		a := &Answer{Body: resp.Body}
		a.Tally.Usage, a.Tally.Done = resp.Usage, true
		return &Passed{Type: resp.Type, Answer: a}, nil
	}
	a := newAttempt(p.opt.Dialect)
	defer a.free()
	a.method, a.mediaType = req.Method, req.Type
	resp, err := p.send(ctx, c, a, &dialect.Upstream{Path: p.passPath(req.Op, req.Model, req.Path), Header: c.Header, Body: req.Body})
	if err != nil {
		return nil, err
	}
	out := &Passed{Type: resp.Header("Content-Type"), Disposition: resp.Header("Content-Disposition")}
	pass := p.opt.Dialect.Pass[req.Op]
	switch {
	case pass.Scan != nil && resp.ContentType("text/event-stream"):
		s := &Stream{p: p, scan: pass.Scan(), resp: resp, in: newBuffer()}
		if err := s.first(); err != nil {
			return nil, err
		}
		out.Stream = s
		return out, nil
	case req.Bytes:
		out.Bytes = &Bytes{p: p, resp: resp}
		return out, nil
	}
	out.Answer, err = p.passedAnswer(resp, pass)
	return out, err
}

// passPath is where a request goes that is passed on.
func (p *Provider) passPath(op schema.Operation, model, path string) string {
	if place := p.opt.Dialect.Pass[op].Path; place != nil {
		return place(model, path)
	}
	return path
}

// passedAnswer reads a whole answer.
func (p *Provider) passedAnswer(resp *upstream.Response, pass *dialect.Pass) (*Answer, error) {
	defer resp.Close()
	out := &Answer{buf: newBuffer()}
	var err error
	out.buf.b, err = resp.ReadAll(out.buf.b, 0)
	if err == nil {
		out.Body = out.buf.b
		err = pass.Usage(out.Body, &out.Tally)
	}
	if err != nil {
		out.Release()
		return nil, p.fail(err)
	}
	out.Tally.Done = true
	return out, nil
}
