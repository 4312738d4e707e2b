package guard

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"sluice/providers/schema"
)

// mostBuffered bounds what is kept of a streamed answer that must be whole.
const mostBuffered = 8 << 20

// Stream takes a streamed answer past the guards, chunk by chunk. Text is held
// back as long as it may belong to a match that is not whole, or, where a guard
// must see whole answers, to the end.
type Stream struct {
	s       *Session
	ctx     context.Context
	choices []*choice
	kept    []schema.Chunk // where a guard must see whole answers
	size    int
	last    schema.Chunk // its id and model
	checked bool
}

// NewStream begins a streamed answer.
func (s *Session) NewStream(ctx context.Context) *Stream { return &Stream{s: s, ctx: ctx} }

// lane is where a text of an answer runs.
type lane uint8

const (
	noLane lane = iota
	thinking
	said
	refusal
	arguments
)

// choice is one of the answers: the text that runs in it now, for one runs at a
// time.
type choice struct {
	lane  lane
	tool  int     // of arguments: the call's index
	last  *string // where in the delta that is looked at the text stands; nil: not in it
	steps []step
	back  restorer
}

// step is one guard's work on the running text.
type step struct {
	guard *Guard
	deny  bool
	masker
}

// Chunk appends to out what may be given of a chunk, and of those before. The
// error is a refusal.
func (t *Stream) Chunk(c *schema.Chunk, out []schema.Chunk) ([]schema.Chunk, error) {
	if len(c.Choices) != 1 || !t.goesOn(&c.Choices[0]) {
		return t.chunk(c, out)
	}
	d := &c.Choices[0]
	running := t.choices[d.Index]
	running.last = nil
	var err error
	if d.Text, err = running.write(t.s, d.Text, false); err != nil || d.Text == "" && c.Usage == nil && c.Billed == nil {
		return out, err
	}
	return append(out, *c), nil
}

// goesOn tells of a delta that only adds to the text that its choice runs in, as
// most do.
func (t *Stream) goesOn(d *schema.ChoiceDelta) bool {
	return d.Text != "" && uint(d.Index) < uint(len(t.choices)) && t.choices[d.Index].lane == said && !d.NewPart &&
		len(d.Role)|len(d.Thinking)|len(d.Signature)|len(d.Redacted)|len(d.Refusal)|len(d.ToolCalls)|len(d.FinishReason)|
			len(d.Logprobs)|len(d.Citations)|len(d.Audio)|len(d.Raw) == 0
}

// chunk is Chunk for those that do not only add to a text that runs already.
func (t *Stream) chunk(c *schema.Chunk, out []schema.Chunk) ([]schema.Chunk, error) {
	if t.s.set.whole {
		return out, t.keep(c)
	}
	if t.last.ID != c.ID || t.last.Model != c.Model {
		t.last.ID, t.last.Model, t.last.Created = strings.Clone(c.ID), strings.Clone(c.Model), c.Created
	}
	choices := c.Choices
	c.Choices = choices[:0] // in place: it is there for this once
	for i := range choices {
		d, given := &choices[i], len(out)
		var err error
		if out, err = t.delta(d, out); err != nil {
			return out, err
		}
		if len(c.Choices) > 0 && len(out) > given { // what was held back comes after the deltas before this one
			before := *c
			before.Choices, before.Usage, before.Billed = slices.Clone(c.Choices), nil, nil
			out = slices.Insert(out, given, before)
			c.Choices = c.Choices[:0]
		}
		if n := len(c.Choices); says(d) {
			if c.Choices = choices[:n+1]; n < i {
				choices[n] = *d
			}
		}
	}
	if len(c.Choices) > 0 || len(choices) == 0 || c.Usage != nil || c.Billed != nil {
		out = append(out, *c)
	}
	return out, nil
}

// says tells whether a delta has anything in it.
func says(d *schema.ChoiceDelta) bool {
	return d.Role != "" || d.Text != "" || d.Thinking != "" || d.Signature != "" || d.Redacted != "" || d.Refusal != "" ||
		len(d.ToolCalls) > 0 || d.FinishReason != "" || d.Logprobs != nil || d.Citations != nil || d.Audio != nil || d.Raw != nil || d.NewPart
}

// End appends what was held back.
func (t *Stream) End(out []schema.Chunk) ([]schema.Chunk, error) {
	if t.s.set.whole {
		return t.release(out)
	}
	for i := range t.choices {
		t.choices[i].last = nil // that delta is gone
		var err error
		if out, err = t.flush(i, out); err != nil {
			return out, err
		}
	}
	t.count()
	return out, nil
}

// count notes, once, that the answer came past the guards.
func (t *Stream) count() {
	if t.checked {
		return
	}
	t.checked = true
	for _, g := range t.s.set.guards {
		if g.On&OnResponse != 0 {
			g.Figures.Checked.Add(1)
		}
	}
}

// at is the choice of an index.
func (t *Stream) at(index int) *choice {
	index = max(0, min(index, 127)) // no provider gives more
	for len(t.choices) <= index {
		t.choices = append(t.choices, &choice{})
	}
	return t.choices[index]
}

// delta takes what a chunk adds to one choice; what of the text before it must
// come first is appended to out.
func (t *Stream) delta(d *schema.ChoiceDelta, out []schema.Chunk) ([]schema.Chunk, error) {
	t.at(d.Index).last = nil
	if t.s.set.on&OnResponse != 0 {
		d.Logprobs = nil
	}
	var err error
	if d.NewPart || d.Raw != nil {
		if out, err = t.flush(d.Index, out); err != nil {
			return out, err
		}
	}
	if out, err = t.write(d.Index, thinking, 0, &d.Thinking, out); err != nil {
		return out, err
	}
	if d.Signature != "" && t.at(d.Index).lane == thinking {
		rest, err := t.close(d.Index)
		if err != nil {
			return out, err
		}
		d.Thinking += rest
	}
	if out, err = t.write(d.Index, said, 0, &d.Text, out); err != nil {
		return out, err
	}
	if out, err = t.write(d.Index, refusal, 0, &d.Refusal, out); err != nil {
		return out, err
	}
	for i := range d.ToolCalls {
		if out, err = t.call(d.Index, &d.ToolCalls[i], out); err != nil {
			return out, err
		}
	}
	if d.Raw != nil || d.Citations != nil {
		if err := t.whole(&d.Raw, &d.Citations); err != nil {
			return out, err
		}
	}
	if d.FinishReason != "" {
		return t.closing(d, out)
	}
	return out, nil
}

// write takes a piece of a text, which it replaces by what may be given.
func (t *Stream) write(index int, l lane, tool int, p *string, out []schema.Chunk) ([]schema.Chunk, error) {
	if *p == "" {
		return out, nil
	}
	c := t.at(index)
	var err error
	if c.lane != l || c.tool != tool {
		if out, err = t.flush(index, out); err != nil {
			return out, err
		}
		c.begin(t.s, l, tool)
	}
	c.last = p
	*p, err = c.write(t.s, *p, false)
	return out, err
}

// call takes a piece of a tool's call.
func (t *Stream) call(index int, call *schema.ToolCall, out []schema.Chunk) ([]schema.Chunk, error) {
	tool := 0
	if call.Index != nil {
		tool = *call.Index
	}
	if call.Function.Name != "" { // it begins
		var err error
		if out, err = t.flush(index, out); err != nil {
			return out, err
		}
		c := t.at(index)
		c.begin(t.s, arguments, tool)
		c.last = &call.Function.Arguments
	}
	return t.write(index, arguments, tool, &call.Function.Arguments, out)
}

// whole takes what comes in one piece past the guards.
func (t *Stream) whole(list ...*json.RawMessage) error {
	var l texts
	for _, p := range list {
		l.raw(p)
	}
	if len(l.list) == 0 {
		return nil
	}
	if err := t.s.finish(t.ctx, l.list); err != nil {
		return err
	}
	l.commit()
	return nil
}

// closing adds what is held back to the delta that ends a choice.
func (t *Stream) closing(d *schema.ChoiceDelta, out []schema.Chunk) ([]schema.Chunk, error) {
	if c := t.at(d.Index); c.lane != said || c.last != nil {
		return t.flush(d.Index, out)
	}
	rest, err := t.close(d.Index)
	d.Text += rest
	return out, err
}

// close ends the text that runs in a choice and gives the rest of it.
func (t *Stream) close(index int) (string, error) {
	c := t.at(index)
	if c.lane == noLane {
		return "", nil
	}
	rest, err := c.write(t.s, "", true)
	c.lane = noLane
	return rest, err
}

// flush is close, with the rest where the text stands in the delta that is looked
// at, or, if it does not, as a chunk of its own.
func (t *Stream) flush(index int, out []schema.Chunk) ([]schema.Chunk, error) {
	c := t.at(index)
	l, tool, last := c.lane, c.tool, c.last
	c.last = nil
	rest, err := t.close(index)
	if rest == "" || err != nil {
		return out, err
	}
	if last != nil {
		*last += rest
		return out, nil
	}
	d := schema.ChoiceDelta{Index: index}
	switch l {
	case thinking:
		d.Thinking = rest
	case refusal:
		d.Refusal = rest
	case arguments:
		d.ToolCalls = []schema.ToolCall{{Index: &tool, Function: schema.FunctionCall{Arguments: rest}}}
	default:
		d.Text = rest
	}
	chunk := t.last
	chunk.Choices = []schema.ChoiceDelta{d}
	return append(out, chunk), nil
}

// begin begins a text.
func (c *choice) begin(s *Session, l lane, tool int) {
	c.lane, c.tool = l, tool
	written := l == arguments
	c.steps = c.steps[:0]
	for _, g := range s.set.guards {
		if g.On&OnResponse == 0 {
			continue
		}
		if g.Deny != nil {
			c.steps = append(c.steps, step{guard: g, deny: true, masker: masker{matcher: g.Deny.of(written), json: written}})
		}
		if g.Mask != nil {
			c.steps = append(c.steps, step{guard: g, masker: masker{matcher: g.Mask.of(written), json: written, name: s.name(g, OnResponse)}})
		}
	}
	c.back = restorer{vault: &s.vault, json: written}
}

// found notes matches; the error is a refusal.
func (st *step) found(s *Session, hits int, kinds Kinds) error {
	if st.deny {
		return s.denied(st.guard, OnResponse, kinds&-kinds)
	}
	s.masked(st.guard, OnResponse, hits, kinds)
	return nil
}

// write takes a piece of the running text through all steps.
func (c *choice) write(s *Session, piece string, final bool) (string, error) {
	for i := range c.steps {
		st := &c.steps[i]
		var hits int
		var kinds Kinds
		if piece, hits, kinds = st.write(piece, final); hits > 0 {
			if err := st.found(s, hits, kinds); err != nil {
				return "", err
			}
		}
	}
	if len(c.back.vault.values) == 0 {
		return piece, nil
	}
	return c.back.write(piece, final), nil
}
