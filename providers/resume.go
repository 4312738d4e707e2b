package providers

import (
	"context"
	"io"
	"slices"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/sse"
)

// mostSaid bounds, in bytes, the text that is kept of a stream: one that says
// more is not gone on with.
const mostSaid = 256 << 10

// said is what a stream keeps of its answer, so that another provider's model
// can go on with it, and the caller sees one stream.
type said struct {
	text    []byte
	thought bool         // it thinks where the caller sees it
	lost    bool         // no other model can go on with it
	unread  bool         // what passed could not be read
	head    schema.Chunk // what all chunks of an answer say: id, model and time
	before  schema.Usage // of the parts before, which broke off

	// Of a stream whose bytes pass as they are: the call and what its provider
	// speaks, the bytes that nobody has read yet, and, once they are read, what
	// decodes them and what will write the rest.
	call   *Call
	speaks *dialect.Dialect
	passed *buffer
	decode dialect.StreamDecoder
	encode dialect.StreamEncoder
	chunks []schema.Chunk
}

// mostPassed bounds, in bytes, the frames that are kept before they are read.
// Most streams end before, and need not be read at all.
const mostPassed = 32 << 10

// follow takes in whole frames that pass.
func (k *said) follow(frames []byte) {
	if k == nil || k.unread || len(frames) == 0 {
		return
	}
	if k.passed == nil {
		k.passed = newBuffer()
	}
	if k.passed.b = append(k.passed.b, frames...); len(k.passed.b) >= mostPassed {
		k.read()
	}
}

// read decodes the frames that have passed. What the caller has of a stream
// cannot be told in dialects of which the provider keeps a state of its own
// (Responses), or that say no chat (text completions).
func (k *said) read() {
	if k.unread || k.speaks == nil {
		return
	}
	if k.decode == nil {
		k.decode, k.encode = k.speaks.Chat.Stream(), k.call.encoder(nil)
	}
	follower, ok := k.encode.(dialect.Follower)
	if k.unread = !ok; k.unread || k.passed == nil {
		return
	}
	err := sse.Events(k.passed.b, func(f dialect.Frame) (err error) {
		if len(f.Data) == 0 {
			return nil
		}
		k.chunks, err = k.decode.Decode(f, k.chunks[:0])
		for i := range k.chunks {
			k.note(&k.chunks[i])
		}
		follower.Follow(f, k.chunks)
		return err
	})
	k.passed.b, k.unread = k.passed.b[:0], err != nil
}

// free gives back what passed.
func (k *said) free() {
	if k != nil && k.passed != nil {
		k.passed.free()
		k.passed = nil
	}
}

// note takes in what a chunk adds.
func (k *said) note(c *schema.Chunk) {
	if k.head.ID == "" {
		k.head = schema.Chunk{ID: c.ID, Model: c.Model, Created: c.Created}
	}
	for i := range c.Choices {
		d := &c.Choices[i]
		if d.Index != 0 || len(d.ToolCalls) > 0 || d.Refusal != "" || d.Audio != nil || d.Raw != nil || d.Logprobs != nil {
			k.lost = true
		}
		k.thought = k.thought || d.Thinking != "" || d.Signature != "" || d.Redacted != ""
		k.text = append(k.text, d.Text...)
	}
	if k.lost = k.lost || len(k.text) > mostSaid; k.lost {
		k.text = nil
	}
}

// Said is the text of a stream that broke, and whether another provider's
// model can go on with it. None can where the stream has begun to call a tool,
// to speak or to refuse, has said anything that is not text, or gives
// probabilities; where it has shown thoughts and nothing else yet; where there
// is more text than is kept; and where the stream was ended by its filter.
func (s *Stream) Said() (text string, ok bool) {
	if !s.Broken() || s.said.lost {
		return "", false
	}
	if s.said.thought && len(s.said.text) == 0 {
		return "", false
	}
	return string(s.said.text), true
}

// Broken tells whether the stream broke on the provider's side where it can be
// mended: by Resume if it Said something that allows it, or by Conclude.
func (s *Stream) Broken() bool {
	if s.said == nil || s.refused || s.ended || s.err == nil || s.err == io.EOF {
		return false
	}
	s.said.read()
	return !s.said.unread
}

// Conclude gives a stream that broke its proper end. That fits one that has
// told why it ended before it broke; another ends as one that has reached its
// limit. used is what its caller is told that the last part used, if its
// provider has not.
func (s *Stream) Conclude(used schema.Usage) {
	if !s.enter() {
		return
	}
	defer s.leave()
	finished := s.tally.Finish != ""
	s.leaveSource(nil)
	if s.tally.Usage.Source != schema.UsageReported {
		u := s.tally.Usage
		s.tally.Usage = used
		defer func() { s.tally.Usage = u }()
	}
	if !finished {
		from := len(s.chunks)
		s.chunks = append(s.chunks, schema.Chunk{ID: s.said.head.ID, Model: s.said.head.Model, Created: s.said.head.Created,
			Choices: []schema.ChoiceDelta{{FinishReason: "length"}}})
		s.tally.Finish = "length"
		s.filtered(from)
		s.encodeFrom(from)
	}
	s.finish()
}

// Resume has another model go on where a stream broke that Said something: c is
// an attempt at the same request, and what its model adds is the stream's from
// here on, its Tally that of the new part alone. used is what the caller is told
// that the parts before used. An attempt that fails changes nothing, and
// another can be made.
func (s *Stream) Resume(ctx context.Context, p *Provider, c *Call, used schema.Usage) error {
	if !s.enter() {
		return closed()
	}
	defer s.leave()
	req, err := p.chatRequest(ctx, c, true)
	if err != nil {
		return p.fail(err)
	}
	text := string(s.said.text)
	asked := p.goOn(req, text)
	more := &Stream{p: p}
	if err := more.openUnified(ctx, c, req); err != nil {
		return p.fail(err)
	}
	if err := more.first(); err != nil {
		return err
	}
	s.leaveSource(more)
	s.joint, s.tally = newJoint(text, asked), dialect.Tally{}
	s.said.before = used
	return nil
}

// leaveSource lets go of what the stream came from so far, which broke, for
// what goes on.
func (s *Stream) leaveSource(more *Stream) {
	s.source.Lock()
	cancel, resp, old := s.cancel, s.resp, s.more
	s.cancel, s.resp, s.more = nil, nil, more
	s.source.Unlock()
	if cancel != nil {
		cancel()
	}
	if resp != nil {
		resp.Close()
	}
	if old != nil {
		_ = old.Close()
	}
	if s.in != nil {
		s.in.free()
	}
	if s.scan != nil {
		s.encode, s.out = s.said.encode, newBuffer()
	}
	s.in, s.scan, s.decode, s.local = nil, nil, nil, nil
	s.pending, s.err = nil, nil
}

// askOn is what a model is asked that does not go on with a turn of its own.
const askOn = "A technical fault cut your last message off; what there is of it stands above. Go on with it exactly where it ends: " +
	"what you write is put behind it as it is. Begin with the very next character: the rest of the word if it ends within one, " +
	"or the space or line break that comes next. Repeat nothing of it, add no remark, and do not begin anew."

// goOn makes the request one to go on with a text; asked says that the model is
// told so in words.
func (p *Provider) goOn(req *schema.ChatRequest, text string) (asked bool) {
	prefill := p.opt.Local != nil
	if !prefill {
		chat := p.speaks(req.Model).Chat
		prefill = chat != nil && chat.Prefill != nil && chat.Prefill(req)
	}
	if prefill {
		text = newJoint(text, false).shown()
	}
	if text == "" {
		return false
	}
	req.Messages = slices.Clone(req.Messages)
	if n := len(req.Messages); n > 0 && req.Messages[n-1].Role == schema.RoleAssistant && len(req.Messages[n-1].ToolCalls) == 0 {
		own := req.Messages[n-1] // the caller had begun the answer
		text = own.Text() + text
		own.Parts = slices.DeleteFunc(slices.Clone(own.Parts), func(p schema.Part) bool { return p.Type == schema.PartText })
		own.Parts = append(own.Parts, schema.Part{Type: schema.PartText, Text: text})
		req.Messages[n-1] = own
	} else {
		req.Messages = append(req.Messages, schema.Message{Role: schema.RoleAssistant, Parts: schema.TextParts(text)})
	}
	if prefill {
		return false
	}
	req.Messages = append(req.Messages, schema.Message{Role: schema.RoleUser, Parts: schema.TextParts(askOn)})
	return true
}

// fillMore takes a chunk from the stream that goes on.
func (s *Stream) fillMore() {
	c, err := s.more.Next()
	s.tally = *s.more.Tally()
	s.tally.Done = false // it is once the caller has the end
	switch {
	case err == io.EOF:
		if rest := s.joint.add("", true); rest != "" {
			s.takeMore(&schema.Chunk{Choices: []schema.ChoiceDelta{{Text: rest}}})
		}
		s.finish()
	case err != nil:
		s.err = err
	default:
		s.begun = true
		s.takeMore(s.fitted(c))
	}
}

func (s *Stream) takeMore(c *schema.Chunk) {
	if len(c.Choices) == 0 {
		return
	}
	s.said.note(c)
	from := len(s.chunks)
	s.chunks = append(s.chunks, *c)
	s.filtered(from)
	s.encodeFrom(from)
}

// fitted is what a chunk of the new part adds to the caller's stream: the same
// answer goes on, in which nobody thinks any more.
func (s *Stream) fitted(c *schema.Chunk) *schema.Chunk {
	head := &s.said.head
	out := &schema.Chunk{ID: head.ID, Model: head.Model, Created: head.Created}
	if head.ID == "" {
		out.ID, out.Model, out.Created = c.ID, c.Model, c.Created
	}
	for i := range c.Choices {
		d := c.Choices[i]
		d.Role, d.NewPart = "", false
		if s.joint.said != "" {
			d.Thinking, d.Signature, d.Redacted = "", "", ""
			d.Text = s.joint.add(d.Text, d.FinishReason != "" || len(d.ToolCalls) > 0)
		}
		if says(&d) {
			out.Choices = append(out.Choices, d)
		}
	}
	return out
}

func says(d *schema.ChoiceDelta) bool {
	return d.Text != "" || d.Thinking != "" || d.Signature != "" || d.Redacted != "" || d.Refusal != "" || d.FinishReason != "" ||
		len(d.ToolCalls) > 0 || d.Citations != nil || d.Raw != nil || d.Audio != nil
}

// used is what the caller is told of the usage, where the part at hand used u:
// that of all parts, with the input of the first.
func (s *Stream) used(u *schema.Usage) *schema.Usage {
	if s.said == nil || s.said.before.IsZero() {
		return u
	}
	sum := s.said.before
	sum.Output += u.Output
	sum.Reasoning += u.Reasoning
	sum.Source = max(sum.Source, u.Source)
	return &sum
}
