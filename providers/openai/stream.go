package openai

import (
	"encoding/json"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decoder reads one host's stream.
type decoder struct {
	ends
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
		return out, wire.NotAnswer("an event of the provider's stream is not valid JSON")
	}
	var c schema.Chunk
	fault := f.Event == "error"
	gjson.ParseBytes(f.Data).ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "error":
			fault = fault || v.Type != gjson.Null && v.Type != gjson.False
		case "id":
			c.ID = v.String()
		case "model":
			c.Model = v.String()
		case "created":
			c.Created = v.Int()
		case "service_tier":
			c.ServiceTier = v.Str
		case "system_fingerprint":
			c.Fingerprint = v.Str
		case "usage":
			d.usage(&c, v)
		case "x_groq":
			d.usage(&c, v.Get("usage"))
		case "choices":
			each(v, func(v gjson.Result) { c.Choices = append(c.Choices, d.choice(v)) })
		}
		return true
	})
	if fault {
		if err := frameError(f.Event, f.Data); err != nil {
			return out, err
		}
	}
	if c.Usage != nil {
		c.Usage.Tier = schema.Tier(c.ServiceTier)
	}
	if len(c.Choices) == 0 && c.Usage == nil {
		return out, nil
	}
	return append(out, c), nil
}

func (d *decoder) usage(c *schema.Chunk, v gjson.Result) {
	if v.IsObject() && c.Usage == nil {
		u := wire.ReadUsage(v)
		c.Usage = &u
	}
}

func (d *decoder) choice(v gjson.Result) (c schema.ChoiceDelta) {
	var delta gjson.Result
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "index":
			c.Index = int(v.Int())
		case "finish_reason":
			if c.FinishReason = finishReason(v.Str); c.FinishReason == openai.FinishReasonFunctionCall {
				c.FinishReason = openai.FinishReasonToolCalls
			}
		case "stop_reason": // vLLM
			c.StopSequence = v.Str
		case "logprobs":
			c.Logprobs = wire.RawObject(v)
		case "delta":
			delta = v
		}
		return true
	})
	d.begin(int64(c.Index))
	if c.FinishReason != "" {
		d.end(int64(c.Index))
	}
	d.delta(&c, delta)
	return c
}

func (d *decoder) delta(c *schema.ChoiceDelta, delta gjson.Result) {
	delta.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "role":
			c.Role = v.Str
		case "content":
			d.content(c, v)
		case "reasoning_content", "reasoning":
			if c.Thinking == "" && v.Type == gjson.String {
				c.Thinking = v.Str
			}
		case "reasoning_details", "thinking_blocks":
			each(v, func(b gjson.Result) { signature(c, b) })
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
			c.Audio = wire.RawObject(v)
		}
		return true
	})
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
