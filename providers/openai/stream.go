package openai

import (
	"encoding/json"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// decoder reads one host's stream.
type decoder struct {
	ends
	tally dialect.Tally // for ends
	done  bool
	calls []openCall
}

// openCall is a tool call that has begun: hosts may repeat its id and name, or
// leave out its index.
type openCall struct{ choice, index int }

// Done is dialect.StreamDecoder's.
func (d *decoder) Done() bool { return d.done }

// Decode is dialect.StreamDecoder's.
func (d *decoder) Decode(f dialect.Frame, out []schema.Chunk) ([]schema.Chunk, error) {
	if isDone(f.Data) {
		d.done = true
		return out, nil
	}
	if !gjson.ValidBytes(f.Data) {
		return out, notAnswer("an event of the provider's stream is not valid JSON")
	}
	if err := frameError(f.Event, f.Data); err != nil {
		return out, err
	}
	root := gjson.ParseBytes(f.Data)
	d.finished(root, &d.tally)
	c := schema.Chunk{
		ID:          root.Get("id").String(),
		Model:       root.Get("model").String(),
		Created:     root.Get("created").Int(),
		ServiceTier: root.Get("service_tier").Str,
		Fingerprint: root.Get("system_fingerprint").Str,
	}
	u := root.Get("usage")
	if !u.IsObject() {
		u = root.Get("x_groq.usage")
	}
	if u.IsObject() {
		usage := readUsage(u)
		c.Usage = &usage
	}
	each(root.Get("choices"), func(v gjson.Result) { c.Choices = append(c.Choices, d.choice(v)) })
	if len(c.Choices) == 0 && c.Usage == nil {
		return out, nil
	}
	return append(out, c), nil
}

func (d *decoder) choice(v gjson.Result) schema.ChoiceDelta {
	c := schema.ChoiceDelta{
		Index:        int(v.Get("index").Int()),
		FinishReason: finishReason(v.Get("finish_reason").Str),
		StopSequence: v.Get("stop_reason").Str,
		Logprobs:     rawObject(v.Get("logprobs")),
	}
	delta := v.Get("delta")
	delta.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "role":
			c.Role = v.Str
		case "content":
			d.content(&c, v)
		case "reasoning_content", "reasoning":
			if c.Thinking == "" && v.Type == gjson.String {
				c.Thinking = v.Str
			}
		case "reasoning_details", "thinking_blocks":
			each(v, func(b gjson.Result) { signature(&c, b) })
		case "refusal":
			c.Refusal = v.String()
		case "tool_calls":
			c.ToolCalls = decodeToolCalls(v, nil)
			for i := range c.ToolCalls {
				d.call(c.Index, &c.ToolCalls[i])
			}
		case "function_call":
			if v.IsObject() {
				call := openai.ToolCall{ID: legacyID(1), Type: openai.ToolTypeFunction, Function: decodeCall(v)}
				d.call(c.Index, &call)
				c.ToolCalls = append(c.ToolCalls, call)
			}
		case "audio":
			c.Audio = rawObject(v)
		}
		return true
	})
	if c.FinishReason == openai.FinishReasonFunctionCall {
		c.FinishReason = openai.FinishReasonToolCalls
	}
	return c
}

// content reads a delta's content: a string, or Mistral's list of parts.
func (d *decoder) content(c *schema.ChoiceDelta, v gjson.Result) {
	if v.Type == gjson.String {
		c.Text += v.Str
		return
	}
	each(v, func(p gjson.Result) {
		switch p.Get("type").Str {
		case "text":
			c.Text += p.Get("text").Str
		case "thinking":
			c.Thinking += thinkingText(p.Get("thinking"))
		case "reference":
			c.Citations = json.RawMessage(p.Raw)
		}
	})
}

// signature takes what closes a thinking part from OpenRouter's
// reasoning_details or LiteLLM's thinking_blocks; their text is told beside.
func signature(c *schema.ChoiceDelta, b gjson.Result) {
	switch b.Get("type").Str {
	case "reasoning.text", "thinking":
		if s := b.Get("signature").Str; s != "" {
			c.Signature = s
		}
	case "reasoning.encrypted", "redacted_thinking":
		c.Redacted = b.Get("data").Str
	}
}

// call gives a call its index, and leaves its id and name in its first delta
// only.
func (d *decoder) call(choice int, call *openai.ToolCall) {
	if call.Index == nil {
		index := -1
		for _, k := range d.calls {
			if k.choice == choice {
				index = max(index, k.index)
			}
		}
		if call.ID != "" && call.ID != legacyID(1) || index < 0 {
			index++
		}
		call.Index = &index
	}
	for _, k := range d.calls {
		if k == (openCall{choice, *call.Index}) {
			call.ID, call.Function.Name = "", ""
			return
		}
	}
	d.calls = append(d.calls, openCall{choice, *call.Index})
}
