package gateway

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/billing"
	"sluice/providers"
	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// Shadow has a share of a model's calls sent to another model too, whose
// answers nobody is given.
type Shadow struct {
	Model   string        // a name under models:, or provider/model
	Share   float64       // of the calls, above 0 and at most 1
	Timeout time.Duration // of each shadow call
}

// Bounds of the shadow calls of all models that are under way. What is more is
// not made, and counted.
const (
	mostShadows     = 256
	mostShadowBytes = 64 << 20 // of their requests
)

// shadows are the shadow calls that are under way.
type shadows struct {
	mu      sync.Mutex
	running int
	bytes   int64
	open    sync.WaitGroup
}

// enter tells whether there is room for one more.
func (s *shadows) enter(bytes int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == mostShadows || s.bytes+bytes > mostShadowBytes {
		return false
	}
	s.running++
	s.bytes += bytes
	s.open.Add(1)
	return true
}

func (s *shadows) leave(bytes int64) {
	s.mu.Lock()
	s.running--
	s.bytes -= bytes
	s.mu.Unlock()
	s.open.Done()
}

// wait waits for all that is open, until ctx ends.
func wait(ctx context.Context, open *sync.WaitGroup) {
	done := make(chan struct{})
	go func() { open.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// mirrored is what a shadow call needs of the call that it goes beside. Nothing
// of it is the other's, whose memory is used again.
type mirrored struct {
	g       *Gateway
	snap    *Snapshot
	of      *Shadow
	model   string // that was asked for
	call    string // its id
	from    origin
	speaks  *dialect.Dialect
	req     copied
	header  []dialect.Field
	clamped int64
	stream  bool
	size    int64
}

// mirror sends what the call is about to send to a target to its model's shadow
// too. It never fails, nor waits: the shadow call is made by a goroutine of its
// own, from copies.
func (c *Call) mirror(stream bool) {
	s, g := c.model.Shadow, c.g
	if !c.mirrors() || rand.Float64() >= s.Share {
		return
	}
	size := int64(max(len(c.req.Raw), c.req.Head.PromptSize))
	if !g.shadows.enter(size) {
		g.metrics.Shadow(false)
		return
	}
	started := false
	defer func() {
		if started {
			return
		}
		g.log.Error("panic before a shadow call", "call", c.entry.Call, "panic", fmt.Sprint(recover()), "stack", string(debug.Stack()))
		g.shadows.leave(size)
	}()
	m := &mirrored{g: g, snap: c.snap, of: s, model: c.model.Name, call: c.entry.Call, speaks: c.speaks, stream: stream, size: size,
		from: origin{method: "SHADOW", path: c.from.path, ip: c.from.ip, trace: c.from.trace.within()}, clamped: c.limitSent(), req: copyOf(&c.req), header: c.copyHeader()}
	started = true
	g.open.Add(1) // while this call is open: nobody waits for none yet
	go m.run()
}

// mirrors tells whether the call is one that may have a shadow: a client's own,
// of an answer that nothing but the answer depends on.
func (c *Call) mirrors() bool {
	by := c.snap.Shadow
	if by == nil || c.caller == by || c.caller == c.snap.Tester || c.from.unguarded || c.g.draining.Load() {
		return false
	}
	return c.req.Op == schema.OpChat || c.req.Op == schema.OpEmbed || c.req.Op == schema.OpRerank
}

// limitSent is the limit on an answer that a target is sent beside the caller's
// own; 0: none.
func (c *Call) limitSent() int64 {
	if c.money.clamped == 0 && c.req.Op == schema.OpChat && c.req.Head.MaxTokens == 0 && c.owner().Bound(c.called()).Clamps {
		return c.snap.Settings.HoldTokens
	}
	return c.money.clamped
}

// copyHeader is what of the call's header a target is sent, or is chosen by.
func (c *Call) copyHeader() []dialect.Field {
	list := c.forwarded()
	if id := c.rc.Request.Header.Peek("X-Session-Id"); len(id) > 0 {
		list = append(list, dialect.Field{Name: "X-Session-Id", Value: string(id)})
	}
	return append(list, dialect.Field{Name: "X-Sluice-Fallback", Value: "off"}) // no other model's answers are asked for
}

// run makes the shadow call.
func (m *mirrored) run() {
	g := m.g
	defer g.open.Done()
	defer g.shadows.leave(m.size)
	defer func() {
		if r := recover(); r != nil {
			g.log.Error("panic in a shadow call", "call", m.call, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	if !m.req.repeatable() {
		return
	}
	g.metrics.Shadow(true)
	until := time.Now().Add(m.of.Timeout)
	ctx, stop := context.WithDeadline(g.ctx, until)
	defer stop()
	m.from.within = ctx
	m.make(until)
}

// make is the call's life, as that of any other from its limits on.
func (m *mirrored) make(until time.Time) {
	rc := &fasthttp.RequestCtx{}
	rc.Init(&fasthttp.Request{}, nil, serverLogger{m.g.log})
	for _, f := range m.header {
		rc.Request.Header.Set(f.Name, f.Value)
	}
	c := m.g.newCall(rc)
	by := m.snap.Shadow
	c.snap, c.caller, c.from, c.speaks, c.until.at = m.snap, by, m.from, m.speaks, until
	e := &c.entry
	e.RequestID, e.Operation, e.Model, e.Stream = m.call, m.req.op.String(), billing.ShadowModel(m.model), m.stream
	e.Team, e.KeyID, e.Key = by.Key.Team, by.Key.ID, by.Label
	var err error
	defer func() {
		if r := recover(); r != nil {
			c.g.log.Error("panic in a shadow call", "call", e.Call, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = errInternal()
		}
		if err != nil {
			c.err = schema.AsError(err)
			e.Status = c.err.Status
		}
		c.finish()
	}()
	err = c.askShadow(m)
}

func (c *Call) askShadow(m *mirrored) (err error) {
	if c.model, err = c.snap.Resolve(m.of.Model); err != nil {
		return err
	}
	m.req.into(&c.req)
	c.money.clamped = m.clamped
	if err = c.deadline(); err != nil {
		return err
	}
	if err = c.admit(); err != nil {
		return err
	}
	if m.stream {
		return c.hearShadow()
	}
	ask := (*providers.Provider).Chat
	switch c.req.Op {
	case schema.OpEmbed:
		ask = (*providers.Provider).Embed
	case schema.OpRerank:
		ask = (*providers.Provider).Rerank
	}
	answer, err := c.whole(ask)
	if err != nil {
		return err
	}
	defer answer.Release()
	c.charge(&answer.Tally)
	return nil
}

// hearShadow reads a stream to its end, for nobody.
func (c *Call) hearShadow() error {
	stream, err := c.startStream()
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	buf := streamBuffers.Get().(*[]byte)
	defer streamBuffers.Put(buf)
	for err == nil {
		if c.req.Unified != nil {
			_, err = stream.Next()
		} else {
			_, err = stream.Read(*buf)
		}
	}
	c.charge(stream.Tally())
	if err == io.EOF {
		return nil
	}
	if c.ctx.Err() != nil {
		return c.ended(err)
	}
	return err
}
