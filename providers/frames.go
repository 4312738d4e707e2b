package providers

import (
	"bytes"
	"io"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/sse"
	"sluice/providers/wire"
)

// passFrames looks into the whole frames of a raw stream and makes them
// pending, all but those that the caller must not see.
func (s *Stream) passFrames() {
	from, kept := s.rest-len(s.pending), s.rest
	for !s.ended {
		n, err := s.cut(s.in.b[s.rest:])
		if err != nil {
			s.err = s.p.fail(invalidOutput("%v", err))
			break
		}
		if n == 0 {
			break
		}
		frame := s.in.b[s.rest : s.rest+n]
		s.heard(frame)
		keep, err := s.scan.Scan(frame, &s.tally)
		if err != nil {
			s.err = s.p.fail(err)
			break
		}
		s.begun = s.begun || hasData(frame)
		s.ended = s.tally.Done
		if keep {
			s.rest += n
			continue
		}
		s.said.follow(s.in.b[kept : s.rest+n])
		kept = s.rest
		s.in.b = append(s.in.b[:s.rest], s.in.b[s.rest+n:]...)
	}
	if !s.ended { // what has its end cannot break
		s.said.follow(s.in.b[kept:s.rest])
	}
	s.pending = s.in.b[from:s.rest]
}

// translateFrames decodes the whole frames, and encodes what they say if bytes
// are wanted.
func (s *Stream) translateFrames() {
	for s.err == nil && !s.ended {
		n, err := s.cut(s.in.b[s.rest:])
		if err != nil {
			s.err = s.p.fail(invalidOutput("%v", err))
			return
		}
		if n == 0 {
			return
		}
		frame := s.in.b[s.rest : s.rest+n]
		s.heard(frame)
		s.rest += n
		s.translateFrame(frame)
	}
}

func (s *Stream) translateFrame(frame []byte) {
	switch s.framing {
	case dialect.FramingNDJSON:
		if line := bytes.TrimSpace(frame); len(line) > 0 {
			_ = s.decodeFrame(dialect.Frame{Data: line})
		}
		return
	case dialect.FramingEventStream:
		f, err := sse.Message(frame)
		if err != nil {
			s.err = s.p.fail(invalidOutput("%v", err))
			return
		}
		_ = s.decodeFrame(f)
		return
	}
	if name, data, ok := wire.Event(frame); ok {
		if len(data) > 0 {
			_ = s.decodeFrame(dialect.Frame{Event: name, Data: data})
		}
		return
	}
	if err := sse.Events(frame, s.decodeFrame); err != nil && s.err == nil && !s.ended {
		s.err = s.p.fail(invalidOutput("%v", err))
	}
}

// decodeFrame handles one event. Its error only ends the walk; s.err and
// s.ended tell why.
func (s *Stream) decodeFrame(f dialect.Frame) error {
	from := len(s.chunks)
	var err error
	s.chunks, err = s.decode.Decode(f, s.chunks)
	s.begun = true
	for i := from; i < len(s.chunks); i++ {
		s.takeChunk(&s.chunks[i])
	}
	s.filtered(from)
	s.encodeFrom(from)
	switch {
	case s.err != nil:
		return s.err
	case err != nil:
		s.err = s.p.fail(err)
	case s.decode.Done():
		s.finish()
		return io.EOF
	}
	return err
}

// takeChunk tallies a chunk.
func (s *Stream) takeChunk(c *schema.Chunk) {
	if s.said != nil {
		s.said.note(c)
	}
	t := &s.tally
	if c.Usage != nil {
		t.Usage.Merge(*c.Usage)
	}
	if c.Billed != nil {
		t.Billed = c.Billed
	}
	for i := range c.Choices {
		d := &c.Choices[i]
		if d.Index == 0 && d.FinishReason != "" {
			t.Finish = string(d.FinishReason)
		}
		addText(&t.Text, d.Text)
		addText(&t.Text, d.Thinking)
		for j := range d.ToolCalls {
			addText(&t.Text, d.ToolCalls[j].Function.Name)
			addText(&t.Text, d.ToolCalls[j].Function.Arguments)
		}
	}
}

// outFrom is where in out the pending bytes begin, at whose end more may be
// appended.
func (s *Stream) outFrom() int {
	if len(s.pending) == 0 {
		s.out.b = s.out.b[:0]
	}
	return len(s.out.b) - len(s.pending)
}

// finish is the stream's proper end.
func (s *Stream) finish() {
	if s.filterEnd(); s.err != nil {
		return
	}
	s.ended, s.tally.Done = true, true
	if s.encode == nil {
		return
	}
	from := s.outFrom()
	s.out.b = s.encode.End(s.out.b, s.used(&s.tally.Usage))
	s.pending = s.out.b[from:]
}

// fillLocal takes one chunk from a provider within the process.
func (s *Stream) fillLocal() {
	c, err := s.local()
	switch {
	case err == io.EOF:
		s.finish()
	case err != nil:
		s.err = s.p.fail(err)
	default:
		s.begun = true
		s.chunks = append(s.chunks, *c)
		s.takeChunk(c)
		from := len(s.chunks) - 1
		s.filtered(from)
		s.encodeFrom(from)
	}
}

func addText(m *schema.TextMeter, text string) {
	if text != "" {
		m.Add([]byte(text))
	}
}

// heard tells signs of life from what says something: comments, and Anthropic's
// event ping.
func (s *Stream) heard(frame []byte) {
	const longestPing = 64
	sign := s.framing == dialect.FramingSSE && (!hasData(frame) || len(frame) < longestPing && bytes.Contains(frame, pingType))
	s.spoke, s.signs = s.spoke || !sign, s.signs || sign
}

var pingType = []byte(`"ping"`)

func hasData(frame []byte) bool { return bytes.Contains(frame, dataField) }

var dataField = []byte("data:")

// lastFrame takes in a last frame that lacks only its blank line: some
// providers end their stream so.
func (s *Stream) lastFrame() {
	tail := s.in.b[s.rest:]
	if s.framing == dialect.FramingEventStream {
		if len(tail) > 0 { // a message says how long it is: this one was cut
			s.err = s.p.fail(cut())
		}
		return
	}
	if len(bytes.TrimSpace(tail)) == 0 {
		return
	}
	data, ok := tail, true
	if s.framing == dialect.FramingSSE {
		_, data, ok = wire.Event(tail)
	}
	if data = bytes.TrimSpace(data); !ok || !gjson.ValidBytes(data) && string(data) != "[DONE]" {
		s.err = s.p.fail(cut())
		return
	}
	s.in.b = append(s.in.b, "\n\n"...)
	if s.scan != nil {
		s.passFrames()
	} else {
		s.translateFrames()
	}
}
