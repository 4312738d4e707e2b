package bedrock

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/anthropic"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// answer is a whole answer of Converse.
type answer struct {
	Output struct {
		Message *struct {
			Content []json.RawMessage `json:"content"`
		} `json:"message"`
	} `json:"output"`
	StopReason  string      `json:"stopReason"`
	Usage       *usage      `json:"usage"`
	ServiceTier serviceTier `json:"serviceTier"`
	More        moreFields  `json:"additionalModelResponseFields"`
}

type serviceTier struct {
	Type string `json:"type"`
}

// moreFields are fields of the model's own answer that were asked for.
type moreFields struct{ stop string }

// UnmarshalJSON finds Claude's stop sequence; all else, of whatever form, is
// passed over.
func (m *moreFields) UnmarshalJSON(raw []byte) error {
	var v struct {
		Stop  string `json:"stop_sequence"`
		Delta struct {
			Stop string `json:"stop_sequence"`
		} `json:"delta"`
	}
	_ = json.Unmarshal(raw, &v)
	m.stop = v.Stop + v.Delta.Stop
	return nil
}

// content is one block of an answer; one of its fields is set.
type content struct {
	Text      *string    `json:"text"`
	ToolUse   *toolUse   `json:"toolUse"`
	Reasoning *reasoning `json:"reasoningContent"`
	Cited     *struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
		Citations json.RawMessage `json:"citations"`
	} `json:"citationsContent"`
}

type toolUse struct {
	ID    string          `json:"toolUseId"`
	Name  string          `json:"name"`
	Input json.RawMessage `json:"input"` // in a stream, a string with a piece
	Type  string          `json:"type"`  // server_tool_use: run by Bedrock itself
}

func (t *toolUse) own() bool { return t.Type == "server_tool_use" }

// reasoning is a block's, whole, or a delta's.
type reasoning struct {
	Whole *struct {
		Text      string `json:"text"`
		Signature string `json:"signature"`
	} `json:"reasoningText"`
	Redacted  string `json:"redactedContent"` // base64 of what the Messages API has as data
	Text      string `json:"text"`
	Signature string `json:"signature"`
}

// redacted is the opaque text as Anthropic's own API writes it, so that it can
// go to either.
func redacted(b64 string) string {
	raw, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		return b64
	}
	return string(raw)
}

// decode is Chat.Decode. Blocks of Bedrock's own tools are kept verbatim.
func decode(body []byte) (*schema.ChatResponse, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, wire.NotUnderstood(err)
	}
	if a.Output.Message == nil {
		return nil, wire.NotUnderstood(fmt.Errorf("there is no output.message"))
	}
	choice := schema.Choice{Message: schema.Message{Role: schema.RoleAssistant}, StopSequence: a.More.stop}
	answered := ""
	for i, raw := range a.Output.Message.Content {
		var c content
		if err := json.Unmarshal(raw, &c); err != nil {
			return nil, wire.NotUnderstood(fmt.Errorf("content[%d]: %w", i, err))
		}
		if c.ToolUse != nil && c.ToolUse.Name == answerTool {
			answered = wire.Arguments(c.ToolUse.Input)
			continue
		}
		addBlock(&choice.Message, &c, raw)
	}
	if answered != "" {
		choice.Message.AnswerOnly(answered)
	}
	choice.FinishReason = finish(a.StopReason, len(choice.Message.ToolCalls) > 0)
	return &schema.ChatResponse{Choices: []schema.Choice{choice}, Usage: a.Usage.at(a.ServiceTier), ServiceTier: a.ServiceTier.Type}, nil
}

// addBlock adds one content block to the message.
func addBlock(m *schema.Message, c *content, raw json.RawMessage) {
	switch {
	case c.Text != nil:
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartText, Text: *c.Text})
	case c.Cited != nil:
		p := schema.Part{Type: schema.PartText, Citations: c.Cited.Citations}
		for _, t := range c.Cited.Content {
			p.Text += t.Text
		}
		m.Parts = append(m.Parts, p)
	case c.Reasoning != nil && c.Reasoning.Whole != nil:
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartThinking, Text: c.Reasoning.Whole.Text, Signature: c.Reasoning.Whole.Signature})
	case c.Reasoning != nil && c.Reasoning.Redacted != "":
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartRedactedThinking, Data: redacted(c.Reasoning.Redacted)})
	case c.ToolUse != nil && !c.ToolUse.own():
		m.ToolCalls = append(m.ToolCalls, openai.ToolCall{ID: c.ToolUse.ID, Type: openai.ToolTypeFunction,
			Function: openai.FunctionCall{Name: c.ToolUse.Name, Arguments: wire.Arguments(c.ToolUse.Input)}})
	default:
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartRaw, Raw: raw})
	}
}

// finish puts a stop reason in OpenAI's words: Anthropic's and Bedrock's own.
func finish(reason string, calls bool) openai.FinishReason {
	switch reason {
	case "guardrail_intervened", "content_filtered":
		return openai.FinishReasonContentFilter
	}
	return anthropic.Finish(reason, calls) // malformed_* are an ordinary stop
}
