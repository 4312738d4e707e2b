package openai

import (
	"strconv"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encodeCompletion writes a whole answer as a text completion. What is no text
// (thinking, tool calls) has no place in one.
func encodeCompletion(b []byte, resp *schema.ChatResponse) []byte {
	b = appendCompletionHead(b, resp.ID, resp.Created, resp.Model, resp.SystemFingerprint)
	for i := range resp.Choices {
		c := &resp.Choices[i]
		text := c.Message.Text()
		if text == "" {
			text = c.Message.Refusal
		}
		b = appendCompletionChoice(b, c.Index, text, c.FinishReason)
		b, _ = legacyLogprobs(b, c.Logprobs, 0)
		b = append(b, '}')
	}
	b = append(b, `],"usage":`...)
	b = appendUsage(b, &resp.Usage)
	return append(b, '}')
}

// appendCompletionHead begins an answer or a chunk, up to its choices.
func appendCompletionHead(b []byte, id string, created int64, model, fingerprint string) []byte {
	b = append(b, `{"id":`...)
	b = wire.AppendString(b, id)
	b = append(b, `,"object":"text_completion","created":`...)
	b = strconv.AppendInt(b, created, 10)
	b = append(b, `,"model":`...)
	b = wire.AppendString(b, model)
	b = appendText(b, "system_fingerprint", fingerprint)
	return append(b, `,"choices":[`...)
}

// appendCompletionChoice begins a choice, up to the value of its logprobs.
func appendCompletionChoice(b []byte, index int, text string, finish openai.FinishReason) []byte {
	b = append(wire.AppendComma(b), `{"text":`...)
	b = wire.AppendString(b, text)
	b = appendNumber(append(b, `,"index":`...), index)
	if finish == openai.FinishReasonToolCalls { // there are none: the text just ends
		finish = openai.FinishReasonStop
	}
	b = appendFinish(append(b, `,"finish_reason":`...), finish)
	return append(b, `,"logprobs":`...)
}

func appendNumber(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }

// completionEncoder writes one stream of a text completion.
type completionEncoder struct {
	encoder
	offsets map[int]int // how far the logprobs of each choice have come
}

func newCompletionEncoder(o dialect.StreamOptions) dialect.StreamEncoder {
	return &completionEncoder{encoder: encoder{StreamOptions: o}}
}

// Chunk is dialect.StreamEncoder's. What tells neither text nor an end is left
// out.
func (e *completionEncoder) Chunk(b []byte, c *schema.Chunk) []byte {
	e.learn(c)
	for i := range c.Choices {
		d := &c.Choices[i]
		text := d.Text + d.Refusal
		if text == "" && d.FinishReason == "" && d.Logprobs == nil {
			continue
		}
		e.begun = 1
		b = e.openCompletion(b)
		b = appendCompletionChoice(b, d.Index, text, d.FinishReason)
		b = e.appendLogprobs(b, d)
		b = append(b, '}', ']')
		if e.WantsUsage {
			b = append(b, `,"usage":null`...)
		}
		b = append(b, "}\n\n"...)
	}
	return b
}

func (e *completionEncoder) appendLogprobs(b []byte, d *schema.ChoiceDelta) []byte {
	if d.Logprobs == nil {
		return append(b, "null"...)
	}
	if e.offsets == nil {
		e.offsets = map[int]int{}
	}
	b, e.offsets[d.Index] = legacyLogprobs(b, d.Logprobs, e.offsets[d.Index])
	return b
}

// End is dialect.StreamEncoder's.
func (e *completionEncoder) End(b []byte, usage *schema.Usage) []byte {
	if e.WantsUsage {
		b = e.openCompletion(b)
		b = append(b, `],"usage":`...)
		b = appendUsage(b, usage)
		b = append(b, "}\n\n"...)
	}
	return append(b, "data: [DONE]\n\n"...)
}

func (e *completionEncoder) openCompletion(b []byte) []byte {
	return appendCompletionHead(append(b, "data: "...), e.ID, e.Created, e.Model, e.fingerprint)
}
