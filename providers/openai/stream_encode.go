package openai

import (
	"strconv"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encoder writes one stream for a client.
type encoder struct {
	dialect.StreamOptions
	tier, fingerprint string
	begun             uint64 // choices whose role was told
	told              bool   // the usage was, in a frame of its own
}

func newEncoder(o dialect.StreamOptions) dialect.StreamEncoder {
	return &encoder{StreamOptions: o}
}

// Chunk is dialect.StreamEncoder's. A chunk that only tells usage is kept for
// the end.
func (e *encoder) Chunk(b []byte, c *schema.Chunk) []byte {
	e.learn(c)
	for i := range c.Choices {
		if c.Choices[i].Raw != nil { // another dialect's own part, all by itself
			continue
		}
		b = e.open(b)
		b = e.appendDelta(b, &c.Choices[i])
		b = append(b, ']')
		if e.WantsUsage {
			b = append(b, `,"usage":null`...)
		}
		b = append(b, "}\n\n"...)
	}
	return b
}

// End is dialect.StreamEncoder's.
func (e *encoder) End(b []byte, usage *schema.Usage) []byte {
	if e.WantsUsage && !e.told {
		b = e.open(b)
		b = append(b, `],"usage":`...)
		b = appendUsage(b, usage)
		b = append(b, "}\n\n"...)
	}
	return append(b, "data: [DONE]\n\n"...)
}

// Follow is dialect.Follower's.
func (e *encoder) Follow(_ dialect.Frame, says []schema.Chunk) {
	for i := range says {
		c := &says[i]
		e.learn(c)
		for j := range c.Choices {
			e.begun |= 1 << uint(c.Choices[j].Index&63)
		}
		e.told = e.told || c.Usage != nil && len(c.Choices) == 0
	}
}

// learn takes what the provider tells of the answer; all chunks of a stream
// say the same.
func (e *encoder) learn(c *schema.Chunk) {
	if e.begun == 0 {
		if c.ID != "" {
			e.ID = c.ID
		}
		if c.Model != "" {
			e.Model = c.Model
		}
		if c.Created != 0 {
			e.Created = c.Created
		}
	}
	if c.ServiceTier != "" {
		e.tier = c.ServiceTier
	}
	if c.Fingerprint != "" {
		e.fingerprint = c.Fingerprint
	}
}

// open begins a frame, up to the choices.
func (e *encoder) open(b []byte) []byte {
	b = append(b, `data: {"id":`...)
	b = wire.AppendString(b, e.ID)
	b = append(b, `,"object":"chat.completion.chunk","created":`...)
	b = strconv.AppendInt(b, e.Created, 10)
	b = append(b, `,"model":`...)
	b = wire.AppendString(b, e.Model)
	b = appendText(b, "service_tier", e.tier)
	b = appendText(b, "system_fingerprint", e.fingerprint)
	return append(b, `,"choices":[`...)
}

func (e *encoder) appendDelta(b []byte, d *schema.ChoiceDelta) []byte {
	b = append(b, `{"index":`...)
	b = strconv.AppendInt(b, int64(d.Index), 10)
	b = append(b, `,"delta":{`...)
	if bit := uint64(1) << uint(d.Index&63); e.begun&bit == 0 {
		e.begun |= bit
		b = append(b, `"role":"assistant"`...)
		if d.Text == "" && d.Thinking == "" && len(d.ToolCalls) == 0 && d.Refusal == "" {
			b = append(b, `,"content":""`...)
		}
	}
	if d.Text != "" {
		b = wire.AppendString(wire.AppendKey(b, "content"), d.Text)
	}
	b = appendThought(b, d)
	if d.Refusal != "" {
		b = wire.AppendString(wire.AppendKey(b, "refusal"), d.Refusal)
	}
	if len(d.ToolCalls) > 0 {
		b = appendToolCalls(wire.AppendKey(b, "tool_calls"), d.ToolCalls, true)
	}
	b = appendRaw(b, "audio", d.Audio)
	if len(d.Citations) > 0 {
		b = append(wire.AppendKey(b, "provider_specific_fields"), `{"citation":`...)
		b = append(append(b, d.Citations...), '}')
	}
	b = append(b, `},"logprobs":`...)
	b = appendRawOrNull(b, d.Logprobs)
	b = append(b, `,"finish_reason":`...)
	b = appendFinish(b, d.FinishReason)
	return append(b, '}')
}

// appendThought writes a piece of thinking as text, and the same and its
// signature as LiteLLM's blocks, whose pieces a client joins by type.
func appendThought(b []byte, d *schema.ChoiceDelta) []byte {
	if d.Thinking == "" && d.Signature == "" && d.Redacted == "" {
		return b
	}
	if d.Thinking != "" {
		b = wire.AppendString(wire.AppendKey(b, "reasoning_content"), d.Thinking)
	}
	b = append(wire.AppendKey(b, "thinking_blocks"), '[')
	if d.Thinking != "" || d.Signature != "" {
		b = appendThinkingBlock(b, d.Thinking, d.Signature)
	}
	if d.Redacted != "" {
		b = appendRedactedBlock(wire.AppendComma(b), d.Redacted)
	}
	return append(b, ']')
}
