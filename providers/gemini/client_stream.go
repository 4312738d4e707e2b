package gemini

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// streamEncoder writes one stream for a client. The API sends function calls
// whole, and the reason of the end together with the usage: calls are put
// together until the next begins, and ends are kept for the last frame.
type streamEncoder struct {
	dialect.StreamOptions
	tier    string
	begun   bool
	told    bool          // how the answer ended
	choices []choiceState // in the order of their begin
}

// choiceState is what is kept of one candidate.
type choiceState struct {
	index   int
	calls   []openai.ToolCall
	finish  openai.FinishReason
	refusal string
	cited   []byte // a list of citations, without its end
}

func newEncoder(o dialect.StreamOptions) dialect.StreamEncoder {
	return &streamEncoder{StreamOptions: o}
}

func (e *streamEncoder) choice(index int) *choiceState {
	for i := range e.choices {
		if e.choices[i].index == index {
			return &e.choices[i]
		}
	}
	e.choices = append(e.choices, choiceState{index: index})
	return &e.choices[len(e.choices)-1]
}

// Chunk is dialect.StreamEncoder's.
func (e *streamEncoder) Chunk(b []byte, c *schema.Chunk) []byte {
	if !e.begun {
		e.ID, e.Model = cmp.Or(c.ID, e.ID), cmp.Or(c.Model, e.Model)
	}
	e.tier = cmp.Or(c.ServiceTier, e.tier)
	for i := range c.Choices {
		d := &c.Choices[i]
		s := e.choice(d.Index)
		if d.FinishReason != "" {
			s.finish = d.FinishReason
		}
		from := len(b)
		b = append(b, `data: {"candidates":[{"content":{"parts":[`...)
		parts := len(b)
		b = appendDelta(b, d)
		if len(b) > parts {
			b = append(b, `],"role":"model"},"index":`...)
			b = strconv.AppendInt(b, int64(s.index), 10)
			b = appendLogprobs(b, d.Logprobs)
			b = e.close(append(b, '}'), from, nil)
		} else {
			b = b[:from]
		}
		s.take(d.ToolCalls)
		s.refusal += d.Refusal
		if len(d.Citations) > 0 {
			if s.cited == nil {
				s.cited = []byte{'['}
			}
			s.cited = append(wire.AppendComma(s.cited), d.Citations...)
		}
	}
	return b
}

// close ends a frame, which begins at from, after its candidates. Arguments and
// raw parts may hold line breaks between their values, which would end the
// event's line of data; in JSON's strings there are none.
func (e *streamEncoder) close(b []byte, from int, u *schema.Usage) []byte {
	e.begun = true
	b = appendTail(append(b, ']'), u, e.tier, e.Model, e.ID)
	for i := from; i < len(b); i++ {
		if b[i] == '\n' || b[i] == '\r' {
			b[i] = ' '
		}
	}
	return append(b, '\n', '\n')
}

// appendDelta writes what a delta says but its calls.
func appendDelta(b []byte, d *schema.ChoiceDelta) []byte {
	if d.Thinking != "" {
		b = appendText(b, d.Thinking, true, "")
	}
	if d.Signature != "" {
		if sig := own(d.Signature); sig != "" {
			b = appendText(b, "", false, sig)
		} else {
			b = appendText(b, "", true, d.Signature)
		}
	}
	if d.Redacted != "" {
		b = appendText(b, "", true, redactedMark+d.Redacted)
	}
	if d.Text != "" {
		b = appendText(b, d.Text, false, "")
	}
	if len(d.Raw) > 0 {
		b = appendRaw(b, d.Raw, "")
	}
	return b
}

// take puts the pieces of calls together, by their index.
func (s *choiceState) take(pieces []openai.ToolCall) {
	for _, p := range pieces {
		at := len(s.calls)
		if p.Index != nil {
			at = slices.IndexFunc(s.calls, func(c openai.ToolCall) bool { return c.Index != nil && *c.Index == *p.Index })
		}
		if at < 0 || at == len(s.calls) {
			s.calls = append(s.calls, p)
			continue
		}
		c := &s.calls[at]
		c.ID, c.Function.Name = cmp.Or(c.ID, p.ID), cmp.Or(c.Function.Name, p.Function.Name)
		c.Function.Arguments += p.Function.Arguments
	}
}

// Follow is dialect.Follower's.
func (e *streamEncoder) Follow(_ dialect.Frame, says []schema.Chunk) {
	for i := range says {
		_ = e.Chunk(nil, &says[i])
		for j := range says[i].Choices {
			e.told = e.told || says[i].Choices[j].FinishReason != ""
		}
	}
}

// End is dialect.StreamEncoder's.
func (e *streamEncoder) End(b []byte, usage *schema.Usage) []byte {
	if e.told {
		return b
	}
	start := len(b)
	b = append(b, `data: {"candidates":[`...)
	for i := range e.choices {
		s := &e.choices[i]
		b = append(wire.AppendComma(b), `{"content":{"parts":[`...)
		from := len(b)
		for j := range s.calls {
			b = appendCall(b, &s.calls[j])
		}
		if s.finish != openai.FinishReasonContentFilter && s.refusal != "" {
			b = appendText(b, s.refusal, false, "")
		}
		if len(b) == from {
			b = appendText(b, "", false, "")
		}
		b = append(b, `],"role":"model"}`...)
		b = appendFinish(b, s.finish, s.refusal)
		b = strconv.AppendInt(append(b, `,"index":`...), int64(s.index), 10)
		if s.cited != nil {
			b = appendCitations(b, &schema.Choice{Annotations: append(s.cited, ']')})
		}
		b = append(b, '}')
	}
	return e.close(b, start, usage)
}

// Array turns the frames of a stream into the JSON array that a caller gets who
// asks for streamGenerateContent without alt=sse. The zero value is ready.
type Array struct{ begun bool }

// Frames appends the elements that whole frames hold. A comment has none; a
// failure that stands in the place of a frame (StreamError) is one.
func (a *Array) Frames(dst, frames []byte) []byte {
	for frame := range bytes.SplitSeq(bytes.ReplaceAll(frames, []byte("\r\n"), []byte("\n")), []byte("\n\n")) {
		_, data, ok := wire.Event(frame)
		if data = bytes.TrimSpace(data); !ok {
			if data = bytes.TrimSpace(frame); !bytes.HasPrefix(data, []byte("{")) {
				continue
			}
		}
		if a.begun {
			dst = append(dst, ",\n"...)
		} else {
			dst = append(dst, '[')
		}
		a.begun = true
		dst = append(dst, data...)
	}
	return dst
}

// End appends the array's end.
func (a *Array) End(dst []byte) []byte {
	if !a.begun {
		dst = append(dst, '[')
	}
	return append(dst, ']')
}
