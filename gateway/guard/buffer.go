package guard

import (
	"bytes"
	"slices"
	"strings"

	"sluice/providers/schema"
)

// keep keeps a copy of a chunk of an answer that must be whole.
func (t *Stream) keep(c *schema.Chunk) error {
	own := *c
	own.ID, own.Model = strings.Clone(c.ID), strings.Clone(c.Model)
	if c.Usage != nil {
		u := *c.Usage
		own.Usage = &u
	}
	if c.Billed != nil {
		u := *c.Billed
		own.Billed = &u
	}
	own.Choices = slices.Clone(c.Choices)
	for i := range own.Choices {
		d := &own.Choices[i]
		for _, p := range []*string{&d.Role, &d.Text, &d.Thinking, &d.Signature, &d.Redacted, &d.Refusal, &d.StopSequence} {
			*p = strings.Clone(*p)
			t.size += len(*p)
		}
		for _, p := range []*[]byte{(*[]byte)(&d.Logprobs), (*[]byte)(&d.Citations), (*[]byte)(&d.Audio), (*[]byte)(&d.Raw)} {
			*p = bytes.Clone(*p)
			t.size += len(*p)
		}
		d.ToolCalls = slices.Clone(d.ToolCalls)
		for j := range d.ToolCalls {
			call := &d.ToolCalls[j]
			if call.Index != nil {
				n := *call.Index
				call.Index = &n
			}
			call.ID, call.Function.Name = strings.Clone(call.ID), strings.Clone(call.Function.Name)
			call.Function.Arguments = strings.Clone(call.Function.Arguments)
			t.size += len(call.Function.Arguments)
		}
		if t.s.set.on&OnResponse != 0 {
			d.Logprobs = nil
		}
	}
	t.kept = append(t.kept, own)
	if t.size > mostBuffered {
		t.kept = nil
		return &schema.Error{Code: schema.CodeContentBlocked, Status: 400, Origin: schema.OriginPolicy,
			Message: "the answer is too long for the model's guards"}
	}
	return nil
}

// place is where a text of a kept answer runs.
type place struct {
	choice int
	lane   lane
	part   int // of the choice; of arguments: the call's index
}

// release takes the kept answer past the guards and appends it: each text whole,
// in the chunk in which it began.
func (t *Stream) release(out []schema.Chunk) ([]schema.Chunk, error) {
	byPlace := map[place]*text{}
	running, parts := map[int]lane{}, map[int]int{} // by choice
	var l texts
	join := func(at place, p *string) {
		if *p == "" {
			return
		}
		if at.lane != arguments {
			if at.lane != running[at.choice] {
				parts[at.choice]++
			}
			at.part = parts[at.choice]
		}
		running[at.choice] = at.lane
		first := byPlace[at]
		if first == nil {
			first = &text{choice: at.choice, said: at.lane == said, json: at.lane == arguments, put: func(s string) { *p = s }, changed: true}
			byPlace[at] = first
			l.list = append(l.list, first)
		}
		first.s += *p
		*p = ""
	}
	for i := range t.kept {
		for j := range t.kept[i].Choices {
			d := &t.kept[i].Choices[j]
			if d.NewPart || d.Raw != nil { // what comes is another text
				running[d.Index] = noLane
			}
			join(place{d.Index, thinking, 0}, &d.Thinking)
			join(place{d.Index, said, 0}, &d.Text)
			join(place{d.Index, refusal, 0}, &d.Refusal)
			for k := range d.ToolCalls {
				call := &d.ToolCalls[k]
				tool := 0
				if call.Index != nil {
					tool = *call.Index
				}
				join(place{d.Index, arguments, tool}, &call.Function.Arguments)
			}
			l.raw(&d.Raw)
			l.raw(&d.Citations)
		}
	}
	if err := t.s.finish(t.ctx, l.list); err != nil {
		return out, err
	}
	l.commit()
	out = append(out, t.kept...)
	t.kept = nil
	return out, nil
}
