package responses

import (
	"encoding/json"
	"fmt"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// The types of items that have a place in the unified form.
const (
	itemMessage      = "message"
	itemReasoning    = "reasoning"
	itemCall         = "function_call"
	itemCallOutput   = "function_call_output"
	itemCustom       = "custom_tool_call"
	itemCustomOutput = "custom_tool_call_output"
)

// conversation puts items together as messages.
type conversation struct{ messages []schema.Message }

// decodeInput appends what is said in input to out.
func decodeInput(v gjson.Result, out []schema.Message) ([]schema.Message, error) {
	if v.Type == gjson.String {
		return append(out, schema.Message{Role: schema.RoleUser, Parts: schema.TextParts(v.Str)}), nil
	}
	if !v.IsArray() {
		return nil, schema.Invalid("input", "input must be a string or an array of items")
	}
	c := conversation{messages: out}
	for i, item := range v.Array() {
		if err := c.item(item, fmt.Sprintf("input[%d]", i)); err != nil {
			return nil, err
		}
	}
	return c.messages, nil
}

func (c *conversation) item(v gjson.Result, at string) error {
	if !v.IsObject() {
		return schema.Invalid(at, "%s must be an object", at)
	}
	switch kind := v.Get("type").Str; kind {
	case itemMessage:
		return c.message(v, at)
	case itemReasoning:
		m := c.turn(func(m *schema.Message) bool { return !hasText(m) || len(m.ToolCalls) > 0 })
		m.Parts = append(m.Parts, thought(v))
	case itemCall, itemCustom:
		return c.call(v, at, kind)
	case itemCallOutput, itemCustomOutput:
		return c.output(v, at)
	case "":
		if v.Get("role").Exists() {
			return c.message(v, at)
		}
		return schema.Invalid(at+".type", "%s.type must be a non-empty string", at)
	default: // of OpenAI's own tools, calls and their results alike
		m := c.turn(func(*schema.Message) bool { return true })
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartRaw, Raw: json.RawMessage(v.Raw)})
	}
	return nil
}

// turn is the assistant's message to add to: the last one, if it is the
// assistant's and goes on, or a new one.
func (c *conversation) turn(goesOn func(*schema.Message) bool) *schema.Message {
	if n := len(c.messages); n > 0 && c.messages[n-1].Role == schema.RoleAssistant && goesOn(&c.messages[n-1]) {
		return &c.messages[n-1]
	}
	c.messages = append(c.messages, schema.Message{Role: schema.RoleAssistant})
	return &c.messages[len(c.messages)-1]
}

func hasText(m *schema.Message) bool {
	for i := range m.Parts {
		if m.Parts[i].Type == schema.PartText {
			return true
		}
	}
	return m.Refusal != ""
}

func (c *conversation) message(v gjson.Result, at string) error {
	role := v.Get("role").Str
	m := &schema.Message{Role: role}
	switch role {
	case schema.RoleUser, schema.RoleSystem, schema.RoleDeveloper:
		c.messages = append(c.messages, *m)
		m = &c.messages[len(c.messages)-1]
	case schema.RoleAssistant:
		// Calls must be followed by their results, so a text between goes before.
		m = c.turn(func(m *schema.Message) bool { return !hasText(m) || len(m.ToolCalls) > 0 })
	default:
		return schema.Invalid(at+".role", "%s.role must be user, assistant, system or developer", at)
	}
	if phase := v.Get("phase"); phase.Type == gjson.String {
		m.Extra = map[string]json.RawMessage{"phase": json.RawMessage(phase.Raw)}
	}
	return decodeContent(v.Get("content"), at+".content", m)
}

func (c *conversation) call(v gjson.Result, at, kind string) error {
	call := openai.ToolCall{ID: v.Get("call_id").Str, Type: openai.ToolTypeFunction,
		Function: openai.FunctionCall{Name: v.Get("name").Str, Arguments: v.Get("arguments").String()}}
	if kind == itemCustom {
		call.Type, call.Function.Arguments = toolCustom, customArguments(v.Get("input").Str)
	}
	if call.ID == "" || call.Function.Name == "" {
		return schema.Invalid(at, "%s must have a call_id and a name", at)
	}
	m := c.turn(func(*schema.Message) bool { return true })
	m.ToolCalls = append(m.ToolCalls, call)
	return nil
}

func (c *conversation) output(v gjson.Result, at string) error {
	m := schema.Message{Role: schema.RoleTool, ToolCallID: v.Get("call_id").Str}
	if m.ToolCallID == "" {
		return schema.Invalid(at+".call_id", "%s.call_id must be a non-empty string", at)
	}
	if err := decodeContent(v.Get("output"), at+".output", &m); err != nil {
		return err
	}
	c.messages = append(c.messages, m)
	return nil
}

// customArguments are the arguments of a custom tool's call, as those of a
// function with customParameters.
func customArguments(input string) string {
	return string(append(wire.AppendString([]byte(`{"input":`), input), '}'))
}

// customInput is the text in such arguments; others are the text themselves.
func customInput(arguments string) string {
	v := gjson.Parse(arguments)
	if input := v.Get("input"); gjson.Valid(arguments) && v.IsObject() && input.Type == gjson.String {
		return input.Str
	}
	return arguments
}
