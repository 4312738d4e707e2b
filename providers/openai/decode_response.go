package openai

import (
	"bytes"
	"encoding/json"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decodeResponse reads a whole answer.
func decodeResponse(body []byte) (*schema.ChatResponse, error) {
	if !gjson.ValidBytes(body) {
		return nil, wire.NotAnswer("the provider's answer is not valid JSON")
	}
	if _, _, err := answerParts(body, "choices"); err != nil {
		return nil, err
	}
	root := gjson.ParseBytes(body)
	out := &schema.ChatResponse{
		ID:                root.Get("id").String(),
		Model:             root.Get("model").String(),
		Created:           root.Get("created").Int(),
		ServiceTier:       root.Get("service_tier").Str,
		SystemFingerprint: root.Get("system_fingerprint").Str,
	}
	if u := root.Get("usage"); u.IsObject() {
		out.Usage = usageOf(u, out.ServiceTier)
	}
	var err error
	root.Get("choices").ForEach(func(_, v gjson.Result) bool {
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
	m := v.Get("message")
	c := schema.Choice{
		Index:        int(v.Get("index").Int()),
		FinishReason: finishReason(v.Get("finish_reason").Str),
		StopSequence: v.Get("stop_reason").Str, // vLLM
		Logprobs:     wire.RawObject(v.Get("logprobs")),
		Audio:        wire.RawObject(m.Get("audio")),
	}
	if a := m.Get("annotations"); a.IsArray() && len(a.Array()) > 0 {
		c.Annotations = json.RawMessage(a.Raw)
	}
	c.Message = schema.Message{Role: schema.RoleAssistant, Refusal: m.Get("refusal").String(), Parts: decodeThinking(m)}
	var err error
	if c.Message.Parts, err = decodeContent(m.Get("content"), "content", c.Message.Parts); err != nil {
		return c, wire.NotAnswer("the provider's answer has a content of an unknown form")
	}
	c.Message.ToolCalls = decodeToolCalls(m.Get("tool_calls"), nil)
	for i := range c.Message.ToolCalls {
		c.Message.ToolCalls[i].Index = nil
	}
	if call := m.Get("function_call"); call.IsObject() && c.Message.ToolCalls == nil {
		c.Message.ToolCalls = []openai.ToolCall{{ID: legacyID(1), Type: openai.ToolTypeFunction, Function: decodeCall(call)}}
		c.FinishReason = openai.FinishReasonToolCalls
	}
	return c, nil
}

// isDone tells whether a frame's data is the mark of the stream's end.
func isDone(data []byte) bool { return bytes.Equal(bytes.TrimSpace(data), done) }
