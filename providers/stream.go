package providers

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sashabaranov/go-openai"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/sse"
	"sluice/providers/upstream"
)

// drainTime is how long a finished stream waits for the transport's own end,
// to use the connection again. The caller has the whole answer by then.
const drainTime = 50 * time.Millisecond

// Stream is one streamed answer. One goroutine reads it, by Read (bytes in the
// caller's dialect) or, where the request is unified, by Next; Close may be
// called from any goroutine.
type Stream struct {
	p       *Provider
	tally   dialect.Tally
	dropped []string
	state   atomic.Uint32 // reading, shut

	resp   *upstream.Response // nil: local
	cancel context.CancelFunc // of a local stream

	frames  // how the bytes are cut
	scan    dialect.Scanner
	decode  dialect.StreamDecoder
	local   func() (*schema.Chunk, error)
	source  sync.Mutex            // of resp, cancel and more, which Resume changes
	more    *Stream               // that goes on where this one broke; nil: none
	joint   *joint                // to it
	said    *said                 // nil: the stream cannot be gone on with
	encode  dialect.StreamEncoder // nil: chunks are wanted, or bytes pass through
	filter  Filter                // of chunks; nil: they pass as they are
	passed  []schema.Chunk
	refused bool // by the filter
	chunks  []schema.Chunk
	next    int // of chunks

	in      *buffer // from the provider; nil: local
	rest    int     // where in in the frame begins that is not whole yet
	out     *buffer // encoded; nil: bytes pass through
	pending []byte  // ready for the caller: of in or out
	begun   bool    // a frame with data was seen
	spoke   bool    // one of those of the last read was more than a sign of life
	signs   bool    // one of them was just that
	ended   bool    // the terminal event was seen
	err     error   // comes after pending and chunks
}

const (
	reading = 1
	shut    = 2
)

// Read gives whole frames in the caller's dialect, all that one read from the
// provider brought, cut at p's length only. io.EOF comes after the proper end;
// a cut or failed stream ends with a *schema.Error and no event that says so.
func (s *Stream) Read(p []byte) (int, error) {
	if !s.enter() {
		return 0, closed()
	}
	defer s.leave()
	if s.scan == nil && s.encode == nil {
		return 0, &schema.Error{Code: schema.CodeInternal, Status: 500, Origin: schema.OriginGateway,
			Message: "the stream of a unified request is read by Next"}
	}
	for len(s.pending) == 0 && s.err == nil {
		s.fill()
	}
	if len(s.pending) > 0 {
		n := copy(p, s.pending)
		s.pending = s.pending[n:]
		return n, nil
	}
	return 0, s.err
}

// Next gives the next chunk of a unified stream, valid until the next call;
// its end is told as by Read.
func (s *Stream) Next() (*schema.Chunk, error) {
	if !s.enter() {
		return nil, closed()
	}
	defer s.leave()
	for s.next == len(s.chunks) && s.err == nil {
		s.chunks, s.next = s.chunks[:0], 0
		s.fill()
	}
	if s.next < len(s.chunks) {
		s.next++
		return &s.chunks[s.next-1], nil
	}
	return nil, s.err
}

// Tally is what passing by told of the answer so far. It is read by the
// goroutine that reads the stream, also after Close.
func (s *Stream) Tally() *dialect.Tally { return &s.tally }

// Dropped names the caller's parameters that the provider has not.
func (s *Stream) Dropped() []string { return s.dropped }

// EndEarly is what ends the answer here, for each of so many choices, as one
// that has reached its limit, but for OpenAI's mark that nothing more comes:
// empty where bytes pass through. Nothing may be read after it.
func (s *Stream) EndEarly(choices int, used schema.Usage) (frames []byte) {
	if s.encode == nil {
		return nil
	}
	end := schema.Chunk{Choices: make([]schema.ChoiceDelta, choices)}
	for i := range end.Choices {
		end.Choices[i] = schema.ChoiceDelta{Index: i, FinishReason: openai.FinishReasonLength}
	}
	frames = s.encode.End(s.encode.Chunk(nil, &end), s.used(&used))
	return bytes.TrimSuffix(frames, []byte("data: [DONE]\n\n"))
}

// Fail appends the events that end the stream in failure, where they must go on
// with what it said before; ok is false where they need not. Nothing may be read
// after it.
func (s *Stream) Fail(dst []byte, e *schema.Error, requestID string) (frames []byte, ok bool) {
	var of any = s.encode
	if s.encode == nil {
		of = s.scan
	}
	f, ok := of.(dialect.Failer)
	if !ok {
		return dst, false
	}
	return f.Fail(dst, e, requestID), true
}

// Close ends the stream: a provider that is still sending is cut off. It may
// be called from any goroutine, more than once; a Read that waits returns.
func (s *Stream) Close() error {
	was := s.state.Or(shut)
	if was&shut != 0 {
		return nil
	}
	if was&reading == 0 {
		s.free()
		return nil
	}
	s.source.Lock()
	defer s.source.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
	if s.resp != nil {
		s.resp.Abort()
	}
	if s.more != nil {
		return s.more.Close()
	}
	return nil
}

// enter begins a read; false after Close.
func (s *Stream) enter() bool { return s.state.CompareAndSwap(0, reading) }

// leave ends a read; if Close came meanwhile, its work is done here, where
// nobody else uses the memory.
func (s *Stream) leave() {
	if s.state.And(^uint32(reading))&shut != 0 {
		s.free()
	}
}

func (s *Stream) free() {
	if s.cancel != nil {
		s.cancel()
	}
	if s.resp != nil {
		s.resp.Close()
	}
	if s.more != nil {
		_ = s.more.Close()
	}
	for _, b := range []*buffer{s.in, s.out} {
		if b != nil {
			b.free()
		}
	}
	s.said.free()
	s.in, s.out, s.pending = nil, nil, nil
}

// frames cuts bytes into frames by the provider's framing.
type frames struct {
	framing dialect.Framing
	split   sse.Splitter
	lines   sse.LineSplitter
}

func (f *frames) cut(b []byte) (int, error) {
	switch f.framing {
	case dialect.FramingNDJSON:
		return f.lines.Next(b)
	case dialect.FramingEventStream:
		return sse.MessageLen(b)
	}
	return f.split.Next(b)
}

// fill gets more, waiting for it if need be: it adds to pending or chunks, or
// sets err.
func (s *Stream) fill() {
	switch {
	case s.ended:
		if s.resp != nil {
			s.resp.Drain(drainTime)
		}
		s.err = io.EOF
	case s.more != nil:
		s.fillMore()
	case s.local != nil:
		s.fillLocal()
	default:
		s.fillFrames()
	}
}

// fillFrames reads once from the provider and handles the frames that are
// whole.
func (s *Stream) fillFrames() {
	if len(s.pending) == 0 || s.scan == nil {
		left := copy(s.in.b, s.in.b[s.rest:])
		s.in.b, s.rest = s.in.b[:left], 0
	}
	if len(s.in.b) == cap(s.in.b) {
		s.in.b = append(s.in.b, 0)[:len(s.in.b)]
	}
	n, err := s.resp.Read(s.in.b[len(s.in.b):cap(s.in.b)])
	s.in.b = s.in.b[:len(s.in.b)+n]
	s.spoke, s.signs = false, false
	if s.scan != nil {
		s.passFrames()
	} else {
		s.translateFrames()
	}
	switch {
	case err != nil && s.err == nil && !s.ended:
		s.transportEnded(err)
	case s.spoke:
		s.resp.Spoke()
	case s.signs:
		s.resp.Quiet()
	}
}

// transportEnded decides whether a stream whose transport ended is whole.
func (s *Stream) transportEnded(err error) {
	if err != io.EOF {
		s.err = s.p.fail(err)
		return
	}
	if s.lastFrame(); s.err != nil || s.ended {
		return
	}
	var judge any = s.scan
	if s.scan == nil {
		judge = s.decode
	}
	if e, ok := judge.(dialect.Ender); ok && e.Ended() {
		s.finish()
		return
	}
	s.err = s.p.fail(cut())
}
