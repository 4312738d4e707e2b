package cache

import (
	"encoding/json"
	"strings"

	"sluice/providers/schema"
)

// Gather puts the chunks of a streamed answer together to the whole answer. The
// zero value is ready.
type Gather struct {
	resp schema.ChatResponse
	open []*growing // what is still added to, by choice
	lost bool       // a chunk held what a whole answer has another form for
}

// growing is the text of a choice's last part, and its tool calls' arguments.
type growing struct {
	text strings.Builder
	args []*strings.Builder
}

// close puts the text into the part that it is of.
func (o *growing) close(m *schema.Message) {
	if n := len(m.Parts); n > 0 && o.text.Len() > 0 {
		m.Parts[n-1].Text = o.text.String()
		o.text.Reset()
	}
}

// Add takes a chunk in.
func (g *Gather) Add(c *schema.Chunk) {
	r := &g.resp
	set := func(dst *string, s string) {
		if s != "" {
			*dst = s
		}
	}
	set(&r.ID, c.ID)
	set(&r.Model, c.Model)
	set(&r.ServiceTier, c.ServiceTier)
	set(&r.SystemFingerprint, c.Fingerprint)
	if c.Created != 0 {
		r.Created = c.Created
	}
	if c.Usage != nil {
		r.Usage.Merge(*c.Usage)
	}
	for i := range c.Choices {
		g.addDelta(&c.Choices[i])
	}
}

// maxChoices bounds the choices of an answer, which streams number.
const maxChoices = 128

func (g *Gather) addDelta(d *schema.ChoiceDelta) {
	if d.Index < 0 || d.Index >= maxChoices || len(d.Logprobs) > 0 || len(d.Audio) > 0 {
		g.lost = true
		return
	}
	for len(g.resp.Choices) <= d.Index {
		g.resp.Choices = append(g.resp.Choices, schema.Choice{Index: len(g.resp.Choices), Message: schema.Message{Role: schema.RoleAssistant}})
		g.open = append(g.open, &growing{})
	}
	ch, o := &g.resp.Choices[d.Index], g.open[d.Index]
	m := &ch.Message
	if d.Thinking != "" || d.Signature != "" {
		p := o.part(m, schema.PartThinking, d.NewPart || signed(m))
		o.text.WriteString(d.Thinking)
		p.Signature += d.Signature
	}
	if d.Redacted != "" {
		o.close(m)
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartRedactedThinking, Data: d.Redacted})
	}
	if len(d.Raw) > 0 {
		o.close(m)
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartRaw, Raw: append(json.RawMessage(nil), d.Raw...)})
	}
	if d.Text != "" || len(d.Citations) > 0 {
		p := o.part(m, schema.PartText, d.NewPart)
		o.text.WriteString(d.Text)
		p.Citations = cite(p.Citations, d.Citations)
	}
	m.Refusal += d.Refusal
	for i := range d.ToolCalls {
		g.addCall(m, o, &d.ToolCalls[i])
	}
	if d.FinishReason != "" {
		ch.FinishReason, ch.StopSequence = d.FinishReason, d.StopSequence
	}
}

// part is the last part of a message if it is of that type, else a new one.
func (o *growing) part(m *schema.Message, t schema.PartType, fresh bool) *schema.Part {
	if n := len(m.Parts); n > 0 && m.Parts[n-1].Type == t && !fresh {
		return &m.Parts[n-1]
	}
	o.close(m)
	m.Parts = append(m.Parts, schema.Part{Type: t})
	return &m.Parts[len(m.Parts)-1]
}

// signed tells whether the last part is thinking that its signature has closed.
func signed(m *schema.Message) bool {
	n := len(m.Parts)
	return n > 0 && m.Parts[n-1].Signature != ""
}

// cite adds one citation to a list of them.
func cite(list, one json.RawMessage) json.RawMessage {
	switch {
	case len(one) == 0:
		return list
	case len(list) == 0:
		return append(append(json.RawMessage{'['}, one...), ']')
	}
	return append(append(append(list[:len(list)-1], ','), one...), ']')
}

func (g *Gather) addCall(m *schema.Message, o *growing, d *schema.ToolCall) {
	i := len(m.ToolCalls)
	if d.Index != nil {
		i = *d.Index
	}
	if i < 0 || i >= maxChoices {
		g.lost = true
		return
	}
	for len(m.ToolCalls) <= i {
		m.ToolCalls = append(m.ToolCalls, schema.ToolCall{Type: schema.ToolTypeFunction})
		o.args = append(o.args, &strings.Builder{})
	}
	c := &m.ToolCalls[i]
	if d.ID != "" {
		c.ID = d.ID
	}
	c.Function.Name += d.Function.Name
	o.args[i].WriteString(d.Function.Arguments)
}

// Whole is the answer, to which nothing more is added; nil where a part of it cannot be told as a whole one.
func (g *Gather) Whole() *schema.ChatResponse {
	if g.lost {
		return nil
	}
	for i := range g.open {
		o, m := g.open[i], &g.resp.Choices[i].Message
		o.close(m)
		for j := range o.args {
			m.ToolCalls[j].Function.Arguments = o.args[j].String()
		}
	}
	return &g.resp
}

// Complete tells whether an answer is one that others may be given: every choice
// came to an end of its own, or to the limit that the caller set itself.
func Complete(r *schema.ChatResponse, ownLimit bool) bool {
	for i := range r.Choices {
		switch string(r.Choices[i].FinishReason) {
		case "stop", "tool_calls", "function_call":
		case "length":
			if !ownLimit {
				return false
			}
		default:
			return false
		}
		if len(r.Choices[i].Audio) > 0 {
			return false
		}
	}
	return len(r.Choices) > 0
}

// Replay tells a whole answer as the chunks of a stream, which end before its
// usage. ok is false where a stream cannot tell it.
func Replay(r *schema.ChatResponse, chunk func(*schema.Chunk)) (ok bool) {
	for i := range r.Choices {
		if len(r.Choices[i].Logprobs) > 0 || len(r.Choices[i].Audio) > 0 {
			return false
		}
	}
	for i := range r.Choices {
		ch := &r.Choices[i]
		send := func(d schema.ChoiceDelta) {
			d.Index = ch.Index
			chunk(&schema.Chunk{ID: r.ID, Model: r.Model, Created: r.Created, ServiceTier: r.ServiceTier,
				Fingerprint: r.SystemFingerprint, Choices: []schema.ChoiceDelta{d}})
		}
		send(schema.ChoiceDelta{Role: schema.RoleAssistant})
		replayParts(&ch.Message, send)
		if ch.Message.Refusal != "" {
			send(schema.ChoiceDelta{Refusal: ch.Message.Refusal})
		}
		for j := range ch.Message.ToolCalls {
			call := ch.Message.ToolCalls[j]
			call.Index = &j
			send(schema.ChoiceDelta{ToolCalls: []schema.ToolCall{call}})
		}
		send(schema.ChoiceDelta{FinishReason: ch.FinishReason, StopSequence: ch.StopSequence})
	}
	return true
}

func replayParts(m *schema.Message, send func(schema.ChoiceDelta)) {
	var before schema.PartType
	for i := range m.Parts {
		p := &m.Parts[i]
		again := p.Type == before
		before = p.Type
		switch p.Type {
		case schema.PartText:
			send(schema.ChoiceDelta{Text: p.Text, NewPart: again})
			var list []json.RawMessage
			_ = json.Unmarshal(p.Citations, &list) // absent, or what a provider wrote otherwise
			for _, one := range list {
				send(schema.ChoiceDelta{Citations: one})
			}
		case schema.PartThinking:
			send(schema.ChoiceDelta{Thinking: p.Text, NewPart: again})
			if p.Signature != "" {
				send(schema.ChoiceDelta{Signature: p.Signature})
			}
		case schema.PartRedactedThinking:
			send(schema.ChoiceDelta{Redacted: p.Data})
		default:
			if len(p.Raw) > 0 {
				send(schema.ChoiceDelta{Raw: p.Raw})
			}
		}
	}
}
