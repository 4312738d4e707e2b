package gateway

import (
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// frames is a stream in the caller's dialect.
type frames interface {
	// Read gives whole frames; io.EOF is the proper end, any other error a
	// stream that broke.
	Read(p []byte) (int, error)
	Tally() *dialect.Tally
	Close() error
}

// streamBody is the body of a streamed answer. The connection's own goroutine
// drives it: what one read of the upstream brought goes out in one write. The
// call is finished when the body is closed, whatever the reason.
type streamBody struct {
	c     *Call
	from  frames
	fault func(dst []byte, e *schema.Error, requestID string) []byte
	over  bool
	last  []byte // the event that ends a stream that broke, as far as it is not given
	torn  bool   // what was given last ends inside a frame
}

var streamBuffers = sync.Pool{New: func() any { b := make([]byte, 16<<10); return &b }}

// sendStream makes from the answer's body. It is the last thing that is done to
// the answer: the body finishes the call when the answer is given up, too.
func (c *Call) sendStream(from frames, fault func([]byte, *schema.Error, string) []byte) {
	c.stream = &streamBody{c: c, from: from, fault: fault}
	c.entry.Status = 200
	h := &c.rc.Response.Header
	h.SetContentType("text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // proxies before us must not hold frames back
	c.rc.Response.SetBodyStream(c.stream, -1)
}

// SupportsBodyWriteTo lets the server use WriteTo.
func (s *streamBody) SupportsBodyWriteTo() bool { return true }

// WriteTo sends the stream to w, which flushes every write as one chunk.
func (s *streamBody) WriteTo(w io.Writer) (sent int64, err error) {
	p := streamBuffers.Get().(*[]byte)
	defer streamBuffers.Put(p)
	defer func() {
		if r := recover(); r != nil {
			s.c.g.log.Error("panic in a stream", "call", s.c.entry.Call, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			s.c.err = errInternal()
			err = s.c.err // the connection is closed: a stream that is cut, not one that ends
		}
	}()
	for {
		n, err := s.next(*p)
		s.c.from.content.hear((*p)[:n])
		if n > 0 {
			if _, werr := w.Write((*p)[:n]); werr != nil {
				s.left()
				return sent, werr
			}
			sent += int64(n)
		}
		if err == io.EOF {
			return sent, nil
		}
		if err != nil {
			return sent, err
		}
	}
}

// Read serves those who do not use WriteTo.
func (s *streamBody) Read(p []byte) (int, error) {
	n, err := s.next(p)
	s.c.from.content.hear(p[:n])
	return n, err
}

// next gives the next frames. The usage is in the spool before the frames
// that end the stream are given.
func (s *streamBody) next(p []byte) (int, error) {
	if s.over {
		n := copy(p, s.last)
		if s.last = s.last[n:]; n == 0 {
			return 0, io.EOF
		}
		return n, nil
	}
	room := p
	if s.c.from.explain && len(p) > noteRoom {
		room = p[:len(p)-noteRoom]
	}
	n, err := s.from.Read(room)
	switch {
	case err == io.EOF:
		s.end()
		return n, io.EOF
	case err != nil && s.c.left():
		s.left()
		return 0, err
	case err != nil:
		if err = s.c.resume(err); err == nil {
			return s.next(p)
		}
		if s.c.left() {
			s.left()
			return 0, err
		}
		if s.c.ctx.Err() != nil {
			err = s.c.ended(err)
		}
		e := schema.AsError(err)
		s.c.err = e
		s.end()
		s.over = true
		if s.fault == nil { // a file: only a connection that is cut can tell
			return 0, err
		}
		s.last = s.fail(nil, e)
		gave := copy(p[n:], s.last)
		s.last = s.last[gave:]
		return n + gave, nil
	case s.from.Tally().Done:
		s.end()
		if !s.torn {
			n = s.explain(p, n)
		}
	}
	s.torn = n > 0 && p[n-1] != '\n'
	if !s.torn && !s.over && !s.c.done.charged && s.fault != nil {
		if e := s.c.afford(s.from.Tally()); e != nil {
			return s.cut(p, n, e), nil
		}
	}
	return n, nil
}

// failer is a stream whose failure goes on with what it said before.
type failer interface {
	Fail(dst []byte, e *schema.Error, requestID string) (frames []byte, ok bool)
}

// fail appends the events that end the stream in failure.
func (s *streamBody) fail(dst []byte, e *schema.Error) []byte {
	if f, ok := s.from.(failer); ok {
		if frames, ok := f.Fail(dst, e, s.c.entry.RequestID); ok {
			return frames
		}
	}
	return s.fault(dst, e, s.c.entry.RequestID)
}

// end charges and records what the stream has brought.
func (s *streamBody) end() {
	if !s.c.done.charged {
		s.c.done.charged = true
		s.c.charge(s.from.Tally())
	}
	s.c.record()
}

// left deals with a caller who went away in the middle: what was produced is
// charged; what is still to come is read to its end if the policy is to drain.
func (s *streamBody) left() {
	c := s.c
	c.entry.Disconnect = true
	c.entry.Delivered = c.g.counter.Count(c.target.Model, string(s.from.Tally().Text.Sample))
	if c.done.resume != nil {
		c.entry.Delivered += c.done.resume.output
	}
	if l := c.leaving(); l.Drain && c.ctx.Err() == nil {
		s.drain(l)
	}
	if c.err == nil {
		c.err = &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway, Message: "the caller left"}
	}
	s.end()
}

// drain reads on, for nobody, to the end of the stream or to a bound.
func (s *streamBody) drain(l Leaving) {
	if l.Time > 0 {
		cancel := s.c.watch.cancel
		defer time.AfterFunc(l.Time, func() { cancel(errCallerLeft) }).Stop()
	}
	most := s.from.Tally().Text.Bytes + 4*min(l.Tokens, mostTokens)
	buf := make([]byte, 16<<10)
	for l.Tokens == 0 || s.from.Tally().Text.Bytes < most {
		if _, err := s.from.Read(buf); err != nil {
			return
		}
	}
}

// noteRoom is kept free in what is read into for the comment of explain.
const noteRoom = 1 << 10

// explain puts a comment with model, attempts and cost before the frames that
// end the stream, if the caller asked for it and there is room.
func (s *streamBody) explain(p []byte, n int) int {
	c := s.c
	if _, array := s.from.(*arrayFrames); array || !c.from.explain { // JSON has no comments
		return n
	}
	c.from.explain = false
	note := append([]byte(": sluice model="), c.target.Name...)
	note = strconv.AppendInt(append(note, " attempts="...), int64(len(c.trail)), 10)
	if c.costKnown() {
		note = c.totalCost().AppendTo(append(note, " cost="...))
	}
	note = append(note, "\n\n"...)
	if n+len(note) > len(p) {
		return n
	}
	copy(p[len(note):], p[:n])
	copy(p, note)
	return n + len(note)
}

// CloseWithError is called by the server when the body is written or writing
// failed: the end of the call. After it the Call is somebody else's.
func (s *streamBody) CloseWithError(err error) error {
	if s.c == nil {
		return nil
	}
	c := s.c
	defer func() {
		if r := recover(); r != nil {
			c.g.log.Error("panic at the end of a stream", "call", c.entry.Call, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
		s.c = nil
		c.finish()
	}()
	defer s.from.Close()
	if err != nil && !c.done.recorded && c.err == nil {
		s.left()
	}
	s.end()
	return nil
}

// Close does nothing: the server calls it before CloseWithError, which knows
// more.
func (s *streamBody) Close() error { return nil }
