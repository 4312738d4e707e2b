package openai

import (
	"bytes"
	"encoding/json"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decodeResponse reads a whole answer. It walks each object once: this is most
// of what a prompt's answer costs beyond one that is passed on.
func decodeResponse(body []byte) (*schema.ChatResponse, error) {
	if !wire.Valid(body) {
		return nil, wire.NotAnswer("the provider's answer is not valid JSON")
	}
	body = bytes.Clone(bytes.TrimSpace(body)) // what is given are views of it
	usage, choices, err := answerParts(body, "choices")
	if err != nil {
		return nil, err
	}
	out := &schema.ChatResponse{ServiceTier: usage.tier.Str}
	wire.Members(wire.View(body), func(name, v string) bool {
		switch name {
		case "id":
			out.ID = wire.Value(v).String()
		case "model":
			out.Model = wire.Value(v).String()
		case "created":
			out.Created = wire.Value(v).Int()
		case "system_fingerprint":
			out.SystemFingerprint = wire.Value(v).Str
		}
		return true
	})
	if usage.usage.IsObject() {
		out.Usage = usageOf(usage.usage, out.ServiceTier)
	}
	choices.ForEach(func(_, v gjson.Result) bool {
		var c schema.Choice
		c, err = decodeChoice(v)
		out.Choices = append(out.Choices, c)
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func decodeChoice(v gjson.Result) (schema.Choice, error) {
	var c schema.Choice
	var message gjson.Result
	wire.Members(v.Raw, func(name, v string) bool {
		switch name {
		case "index":
			c.Index = int(wire.Value(v).Int())
		case "finish_reason":
			c.FinishReason = finishReason(wire.Value(v).Str)
		case "stop_reason": // vLLM
			c.StopSequence = wire.Value(v).Str
		case "logprobs":
			c.Logprobs = wire.RawObject(wire.Value(v))
		case "message":
			message = wire.Value(v)
		}
		return true
	})
	err := decodeAnswer(message, &c)
	return c, err
}

// decodeAnswer reads the message of a choice.
func decodeAnswer(m gjson.Result, c *schema.Choice) error {
	var content, calls, call gjson.Result
	thinks := false
	c.Message.Role = schema.RoleAssistant
	wire.Members(m.Raw, func(name, v string) bool {
		switch name {
		case "content":
			content = wire.Value(v)
		case "refusal":
			c.Message.Refusal = wire.Value(v).String()
		case "audio":
			c.Audio = wire.RawObject(wire.Value(v))
		case "annotations":
			if a := wire.Value(v); a.IsArray() && len(a.Array()) > 0 {
				c.Annotations = json.RawMessage(v)
			}
		case "tool_calls":
			calls = wire.Value(v)
		case "function_call":
			call = wire.Value(v)
		case "thinking_blocks", "reasoning_details", "reasoning_content", "reasoning":
			thinks = true
		}
		return true
	})
	if thinks {
		c.Message.Parts = decodeThinking(m)
	}
	var err error
	if c.Message.Parts, err = decodeContent(content, "content", c.Message.Parts); err != nil {
		return wire.NotAnswer("the provider's answer has a content of an unknown form")
	}
	c.Message.ToolCalls = decodeToolCalls(calls, nil)
	for i := range c.Message.ToolCalls {
		c.Message.ToolCalls[i].Index = nil
	}
	if call.IsObject() && c.Message.ToolCalls == nil {
		c.Message.ToolCalls = []openai.ToolCall{{ID: legacyID(1), Type: openai.ToolTypeFunction, Function: decodeCall(call)}}
		c.FinishReason = openai.FinishReasonToolCalls
	}
	return nil
}

// isDone tells whether a frame's data is the mark of the stream's end.
func isDone(data []byte) bool { return bytes.Equal(bytes.TrimSpace(data), done) }
