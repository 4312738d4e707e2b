package anthropic

import (
	"encoding/json"
	"fmt"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// answer is a whole message, and the message of a stream's message_start.
type answer struct {
	Type         string            `json:"type"`
	ID           string            `json:"id"`
	Model        string            `json:"model"`
	Content      []json.RawMessage `json:"content"`
	StopReason   string            `json:"stop_reason"`
	StopSequence string            `json:"stop_sequence"`
	StopDetails  stopDetails       `json:"stop_details"`
	Usage        usage             `json:"usage"`
	Error        json.RawMessage   `json:"error"`
}

// stopDetails says why the model refused.
type stopDetails struct {
	Explanation string `json:"explanation"`
}

// content is one block of an answer.
type content struct {
	Type      string            `json:"type"`
	Text      string            `json:"text"`
	Thinking  string            `json:"thinking"`
	Signature string            `json:"signature"`
	Data      string            `json:"data"`
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Input     json.RawMessage   `json:"input"`
	Citations []json.RawMessage `json:"citations"`
}

// decode is Chat.Decode. Blocks of server-side tools are kept verbatim as
// PartRaw.
func decode(body []byte) (*schema.ChatResponse, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, wire.NotUnderstood(err)
	}
	if a.Type == "error" {
		return nil, decodeError(0, noHeader, body)
	}
	if a.Type != "message" || a.Content == nil {
		return nil, wire.NotUnderstood(fmt.Errorf("type is %q", a.Type))
	}
	choice := schema.Choice{Message: schema.Message{Role: schema.RoleAssistant}, StopSequence: a.StopSequence}
	answered := ""
	for i, raw := range a.Content {
		var c content
		if err := json.Unmarshal(raw, &c); err != nil {
			return nil, wire.NotUnderstood(fmt.Errorf("content[%d]: %w", i, err))
		}
		if c.Type == "tool_use" && c.Name == AnswerTool {
			answered = wire.Arguments(c.Input)
			continue
		}
		addBlock(&choice.Message, &c, raw)
	}
	if answered != "" {
		choice.Message.AnswerOnly(answered)
	}
	choice.Message.Refusal = a.StopDetails.Explanation
	choice.FinishReason = Finish(a.StopReason, len(choice.Message.ToolCalls) > 0)
	return &schema.ChatResponse{
		ID: a.ID, Model: a.Model, Choices: []schema.Choice{choice},
		Usage: a.Usage.unified(), ServiceTier: a.Usage.ServiceTier,
	}, nil
}

// addBlock adds one content block to the message.
func addBlock(m *schema.Message, c *content, raw json.RawMessage) {
	switch c.Type {
	case "text":
		part := schema.Part{Type: schema.PartText, Text: c.Text}
		if len(c.Citations) > 0 {
			part.Citations, _ = json.Marshal(c.Citations)
		}
		m.Parts = append(m.Parts, part)
	case "thinking":
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartThinking, Text: c.Thinking, Signature: c.Signature})
	case "redacted_thinking":
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartRedactedThinking, Data: c.Data})
	case "tool_use":
		m.ToolCalls = append(m.ToolCalls, openai.ToolCall{
			ID: c.ID, Type: openai.ToolTypeFunction,
			Function: openai.FunctionCall{Name: c.Name, Arguments: wire.Arguments(c.Input)},
		})
		keepCallExtra(m, c.ID, gjson.ParseBytes(raw))
	default:
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartRaw, Raw: raw})
	}
}

// Finish puts a stop reason in OpenAI's words (page handling-stop-reasons).
// calls tells whether the answer holds calls of the caller's tools: a call of
// AnswerTool alone is an ordinary end.
func Finish(reason string, calls bool) openai.FinishReason {
	switch reason {
	case "":
		return ""
	case "max_tokens", "model_context_window_exceeded":
		return openai.FinishReasonLength
	case "refusal":
		return openai.FinishReasonContentFilter
	case "tool_use":
		if calls {
			return openai.FinishReasonToolCalls
		}
	}
	return openai.FinishReasonStop // end_turn, stop_sequence, pause_turn
}
