package cohere

import (
	"encoding/json"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decode is Chat.Decode.
func decode(body []byte) (*schema.ChatResponse, error) {
	if !wire.Valid(body) {
		return nil, wire.NotAnswer("the provider's answer is not valid JSON")
	}
	root := gjson.ParseBytes(body)
	message, reason := root.Get("message"), root.Get("finish_reason").Str
	if !message.IsObject() {
		if message.Type == gjson.String {
			return nil, failed(message.Str)
		}
		return nil, wire.NotAnswer("the provider's answer has no message")
	}
	if reason == "ERROR" || reason == "TIMEOUT" {
		return nil, ended(reason, root.Get("error").String())
	}
	c := schema.Choice{Message: schema.Message{Role: schema.RoleAssistant}, Logprobs: logprobs(root.Get("logprobs"))}
	addContent(&c.Message, message)
	c.FinishReason = finish(reason)
	return &schema.ChatResponse{ID: root.Get("id").String(), Choices: []schema.Choice{c}, Usage: readUsage(root.Get("usage")), Billed: readBilled(root.Get("usage"))}, nil
}

// addContent adds what a message says: its plan, thinking and text with its
// citations, and calls.
func addContent(m *schema.Message, v gjson.Result) {
	if plan := v.Get("tool_plan").Str; plan != "" {
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartThinking, Text: plan})
	}
	if content := v.Get("content"); content.Type == gjson.String {
		m.Parts = append(m.Parts, schema.TextParts(content.Str)...)
	} else if content.IsArray() {
		content.ForEach(func(_, block gjson.Result) bool {
			switch block.Get("type").Str {
			case "text":
				m.Parts = append(m.Parts, schema.Part{Type: schema.PartText, Text: block.Get("text").Str})
			case "thinking":
				m.Parts = append(m.Parts, schema.Part{Type: schema.PartThinking, Text: block.Get("thinking").Str})
			default:
				m.Parts = append(m.Parts, schema.Part{Type: schema.PartRaw, Raw: json.RawMessage(block.Raw)})
			}
			return true
		})
	}
	addCitations(m, v.Get("citations"))
	if calls := v.Get("tool_calls"); calls.IsArray() {
		calls.ForEach(func(_, call gjson.Result) bool {
			m.ToolCalls = append(m.ToolCalls, openai.ToolCall{ID: call.Get("id").Str, Type: openai.ToolTypeFunction,
				Function: openai.FunctionCall{Name: call.Get("function.name").Str, Arguments: arguments(call.Get("function.arguments").String())}})
			return true
		})
	}
}

// addCitations puts the citations on the first text: answers with citations
// have one. They stay as they came, with the block that they name.
func addCitations(m *schema.Message, v gjson.Result) {
	if !v.IsArray() || len(v.Array()) == 0 {
		return
	}
	for i := range m.Parts {
		if m.Parts[i].Type == schema.PartText {
			m.Parts[i].Citations = json.RawMessage(v.Raw)
			return
		}
	}
	m.Parts = append(m.Parts, schema.Part{Type: schema.PartText, Citations: json.RawMessage(v.Raw)})
}

// finish puts a finish reason in OpenAI's words. ERROR and TIMEOUT are errors
// and never come here.
func finish(reason string) openai.FinishReason {
	switch reason {
	case "":
		return ""
	case "MAX_TOKENS", "ERROR_LIMIT":
		return openai.FinishReasonLength
	case "TOOL_CALL":
		return openai.FinishReasonToolCalls
	case "ERROR_TOXIC":
		return openai.FinishReasonContentFilter
	}
	return openai.FinishReasonStop // COMPLETE, STOP_SEQUENCE, USER_CANCEL
}

// readUsage reads a usage object.
func readUsage(v gjson.Result) schema.Usage {
	counts := v.Get("tokens")
	if !counts.IsObject() {
		counts = v.Get("billed_units")
	}
	if !counts.IsObject() {
		return schema.Usage{}
	}
	u := schema.Usage{Input: max(0, counts.Get("input_tokens").Int()), Output: max(0, counts.Get("output_tokens").Int()), Source: schema.UsageReported}
	u.CachedInput = min(max(0, v.Get("cached_tokens").Int()), u.Input)
	return u
}

// readBilled reads what is charged for, "the number of billed tokens" (reference
// chat, read 2026-11-29): not the API's own preamble, which recorded traffic
// shows to be hundreds of tokens of what the model reads. Nothing tells that
// cached tokens cost less. nil: nothing is told to be billed.
func readBilled(v gjson.Result) *schema.Usage {
	units := v.Get("billed_units")
	if !units.IsObject() {
		return nil
	}
	return &schema.Usage{Input: max(0, units.Get("input_tokens").Int()), Output: max(0, units.Get("output_tokens").Int()), Source: schema.UsageReported}
}

// logprobs puts Cohere's log probabilities, which come by pieces of text of one
// token or several, in OpenAI's shape: a piece's is the sum of its tokens'.
func logprobs(v gjson.Result) json.RawMessage {
	items := v.Array() // a single object counts as one
	if !v.Exists() || v.Type == gjson.Null || len(items) == 0 {
		return nil
	}
	b := []byte(`{"content":[`)
	for _, item := range items {
		var sum float64
		item.Get("logprobs").ForEach(func(_, p gjson.Result) bool { sum += p.Num; return true })
		b = append(wire.AppendComma(b), `{"token":`...)
		b = wire.AppendString(b, item.Get("text").Str)
		b = wire.AppendFloat(b, "logprob", &sum)
		b = append(b, `,"bytes":null,"top_logprobs":[]}`...)
	}
	return append(b, `],"refusal":null}`...)
}
