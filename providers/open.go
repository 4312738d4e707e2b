package providers

import (
	"context"
	"io"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/upstream"
)

// ChatStream makes one attempt at a streamed answer. It returns once the first
// frame was looked into, which the first Read then gives: a refusal, an error
// that comes as the first frame and a stream that is cut at once are errors
// here, and another attempt can still be made. The stream must be closed.
func (p *Provider) ChatStream(ctx context.Context, c *Call) (*Stream, error) {
	s, err := p.open(ctx, c)
	if err != nil {
		return nil, p.fail(err)
	}
	if err := s.first(); err != nil {
		return nil, err
	}
	return s, nil
}

// first looks into the first frame. A stream that fails there is closed.
func (s *Stream) first() error {
	s.enter()
	if s.resp != nil {
		s.resp.AwaitFirst()
	}
	for !s.begun && s.err == nil {
		s.fill()
	}
	if s.resp != nil {
		s.resp.Begun()
	}
	s.leave()
	if s.err != nil && s.err != io.EOF && !s.refused {
		err := s.err
		_ = s.Close()
		return err
	}
	return nil
}

func (p *Provider) open(ctx context.Context, c *Call) (*Stream, error) {
	s := &Stream{p: p}
	if d := p.raw(c.Request, c.Model); d != nil {
		return s, s.openRaw(ctx, c, d)
	}
	req, err := p.chatRequest(ctx, c, true)
	if err != nil {
		return nil, err
	}
	if c.Request.Filter != nil {
		s.filter = c.Request.Filter()
	}
	if c.Resumes {
		s.said = &said{}
	}
	if c.Request.Unified == nil {
		s.out, s.encode = newBuffer(), c.encoder(req)
	}
	return s, s.openUnified(ctx, c, req)
}

// encoder makes what writes the stream for the caller.
func (c *Call) encoder(req *schema.ChatRequest) dialect.StreamEncoder {
	o := dialect.StreamOptions{ID: c.ID, Model: c.Model, WantsUsage: c.Request.Head.WantsUsage, Request: c.Request.asked(req)}
	if !c.Now.IsZero() {
		o.Created = c.Now.Unix()
	}
	return c.Request.Client.Client.Stream(o)
}

// openUnified begins a stream of which chunks are read.
func (s *Stream) openUnified(ctx context.Context, c *Call, req *schema.ChatRequest) (err error) {
	if s.p.opt.Local != nil {
		ctx, s.cancel = context.WithCancel(ctx)
		if s.local, err = s.p.opt.Local.ChatStream(ctx, req); err != nil {
			s.cancel()
		}
		return err
	}
	return s.openTranslated(ctx, c, req)
}

// openRaw begins a stream whose bytes pass through.
func (s *Stream) openRaw(ctx context.Context, c *Call, d *dialect.Dialect) error {
	chat := d.Chat
	if chat == nil || chat.Splice == nil || chat.Scan == nil {
		return s.p.unsupported("streamed chat")
	}
	a := newAttempt(d)
	defer a.free()
	chat.Splice(&a.patch, c.Request.Raw, &c.Request.Head, c.Model, c.MaxTokens)
	a.req.Body = a.patch.Pieces(c.Request.Raw)
	s.scan = chat.Scan(c.Request.Head.WantsUsage)
	if c.Resumes && chat.Stream != nil && chat.Framing == dialect.FramingSSE {
		s.said = &said{call: c, speaks: d}
	}
	return s.start(ctx, c, a, &dialect.Upstream{Path: chat.Path(c.Model, true), Header: rawHeader(d, c)})
}

// openTranslated begins a stream in the provider's own dialect.
func (s *Stream) openTranslated(ctx context.Context, c *Call, req *schema.ChatRequest) error {
	d := s.p.speaks(c.Model)
	chat := d.Chat
	if chat == nil || chat.Encode == nil || chat.Stream == nil {
		return s.p.unsupported("streamed chat")
	}
	up, err := chat.Encode(c.fit(req))
	if err != nil {
		return err
	}
	if err := c.drops(req, up); err != nil {
		return err
	}
	s.dropped = up.Dropped
	s.decode = chat.Stream()
	a := newAttempt(d)
	defer a.free()
	return s.start(ctx, c, a, up)
}

// mediaTypes are the types of streams whose hosts always tell them.
var mediaTypes = [...]string{
	dialect.FramingSSE:         "text/event-stream",
	dialect.FramingNDJSON:      "",
	dialect.FramingEventStream: "application/vnd.amazon.eventstream",
}

func (s *Stream) start(ctx context.Context, c *Call, a *attempt, up *dialect.Upstream) error {
	resp, err := s.p.send(ctx, c, a, up)
	if err != nil {
		return err
	}
	s.framing = a.speaks.Chat.Framing
	if want := mediaTypes[s.framing]; want != "" && !resp.ContentType(want) {
		if whole := resp.ContentType("application/json"); whole || resp.ContentType("text/html") {
			defer resp.Close()
			return s.p.notStream(a.speaks, resp, whole)
		}
	}
	s.resp, s.in = resp, newBuffer()
	return nil
}

// notStream tells why a whole answer came where a stream was asked for: most
// often it is an error with a wrong status.
func (p *Provider) notStream(d *dialect.Dialect, resp *upstream.Response, json bool) error {
	if json {
		buf := newBuffer()
		defer buf.free()
		var err error
		if buf.b, err = resp.ReadAll(buf.b, errorLimit); err != nil {
			return err
		}
		if holdsError(buf.b) {
			e := d.Error(502, resp.Header, buf.b)
			e.UpstreamStatus = resp.Status
			return e
		}
	}
	return invalidOutput("the provider sent a whole answer where a stream was asked for")
}
