package anthropic

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// turn is one message: content blocks under one role.
type turn struct {
	Role    string
	Content []block
}

// block is one content block of a request; empty fields are left out. Raw,
// where set, is the whole block.
type block struct {
	Type         string
	Text         string
	Thinking     *string
	Signature    string
	Data         string
	Source       *source
	Title        string
	ID           string
	Name         string
	Input        json.RawMessage
	ToolUseID    string
	Content      []block
	IsError      bool
	Citations    json.RawMessage
	CacheControl json.RawMessage
	Extra        map[string]json.RawMessage
	Raw          json.RawMessage
}

// messages sorts the request's messages into system blocks and turns.
func (e *encoder) messages() error {
	for i := range e.req.Messages {
		m := &e.req.Messages[i]
		var err error
		switch m.Role {
		case schema.RoleSystem, schema.RoleDeveloper:
			err = e.system(i, m)
		case schema.RoleAssistant:
			err = e.assistant(i, m)
		case schema.RoleTool, "function":
			err = e.toolResult(i, m)
		case schema.RoleUser:
			err = e.user(i, m)
		default:
			err = schema.Invalid(fmt.Sprintf("messages[%d].role", i), "messages[%d].role: unknown role %q", i, m.Role)
		}
		if err != nil {
			return err
		}
		if m.Name != "" && m.Role != schema.RoleTool {
			e.drop("name")
		}
	}
	if len(e.turns) == 0 {
		return schema.Invalid("messages", "messages: there is no user message with content")
	}
	e.trimPrefill()
	return nil
}

func (e *encoder) system(i int, m *schema.Message) error {
	blocks, err := e.parts(fmt.Sprintf("messages[%d].content", i), m.Parts)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		if b.Type != "text" {
			return schema.Invalid(fmt.Sprintf("messages[%d].content", i), "messages[%d].content: a %s message can hold text only", i, m.Role)
		}
	}
	e.systemBlocks = append(e.systemBlocks, blocks...)
	return nil
}

func (e *encoder) user(i int, m *schema.Message) error {
	blocks, err := e.parts(fmt.Sprintf("messages[%d].content", i), m.Parts)
	if err != nil {
		return err
	}
	e.add("user", blocks...)
	return nil
}

// assistant writes thinking first, then the rest in its order, then the calls.
// A caller of this dialect gives the model's own order back, and it stays: that
// of thinking among blocks of the API's own tools is checked.
func (e *encoder) assistant(i int, m *schema.Message) error {
	parts := slices.Clone(m.Parts)
	if e.req.Dialect != Name {
		thought := func(p schema.Part) int {
			if p.Type == schema.PartThinking || p.Type == schema.PartRedactedThinking {
				return 0
			}
			return 1
		}
		slices.SortStableFunc(parts, func(a, b schema.Part) int { return thought(a) - thought(b) })
	}
	if m.Refusal != "" {
		parts = append(parts, schema.Part{Type: schema.PartText, Text: m.Refusal})
	}
	blocks, err := e.parts(fmt.Sprintf("messages[%d].content", i), parts)
	if err != nil {
		return err
	}
	for j := range m.ToolCalls {
		call, err := toolUse(i, j, &m.ToolCalls[j])
		if err != nil {
			return err
		}
		call.Extra = ownCallExtra(m.CallExtra[m.ToolCalls[j].ID])
		blocks = append(blocks, call)
	}
	e.add("assistant", blocks...)
	return nil
}

// ownCallExtra is what raw, which other dialects fill too, says of a call in
// this one's words.
func ownCallExtra(raw json.RawMessage) map[string]json.RawMessage {
	var extra map[string]json.RawMessage
	if raw == nil || json.Unmarshal(raw, &extra) != nil {
		return nil
	}
	maps.DeleteFunc(extra, func(name string, _ json.RawMessage) bool {
		return name != "caller" && name != "cache_control" && name != "toolset_name"
	})
	return extra
}

// toolUse writes a call that the model made earlier.
func toolUse(i, j int, c *openai.ToolCall) (block, error) {
	input := json.RawMessage(strings.TrimSpace(c.Function.Arguments))
	if len(input) == 0 {
		input = json.RawMessage("{}")
	}
	if !json.Valid(input) || input[0] != '{' {
		at := fmt.Sprintf("messages[%d].tool_calls[%d].function.arguments", i, j)
		return block{}, schema.Invalid(at, "%s is not a JSON object", at)
	}
	if c.ID == "" {
		at := fmt.Sprintf("messages[%d].tool_calls[%d].id", i, j)
		return block{}, schema.Invalid(at, "%s is missing", at)
	}
	return block{Type: "tool_use", ID: cleanID(c.ID), Name: c.Function.Name, Input: input}, nil
}

// toolResult writes a tool's answer as a block of the user's turn. Cache marks
// of its parts move to the block itself.
func (e *encoder) toolResult(i int, m *schema.Message) error {
	id := m.ToolCallID
	if id == "" {
		at := fmt.Sprintf("messages[%d].tool_call_id", i)
		return schema.Invalid(at, "%s is missing", at)
	}
	content, err := e.parts(fmt.Sprintf("messages[%d].content", i), m.Parts)
	if err != nil {
		return err
	}
	result := block{Type: "tool_result", ToolUseID: cleanID(id), IsError: m.IsError}
	for k := range m.Parts {
		if mark := m.Parts[k].CacheControl; mark != nil {
			result.CacheControl = mark
		}
	}
	for k := range content {
		content[k].CacheControl = nil
	}
	result.Content = content
	if e.req.Dialect == Name {
		result.Extra = m.Extra
	}
	e.add("user", result)
	return nil
}

// add appends blocks to the last turn if it has the same role, else begins a
// new one. Results of tools stand before all else in a user's turn, as the API
// demands.
func (e *encoder) add(role string, blocks ...block) {
	if len(blocks) == 0 {
		return
	}
	n := len(e.turns)
	if n == 0 || e.turns[n-1].Role != role {
		e.turns = append(e.turns, turn{Role: role, Content: blocks})
		return
	}
	last := &e.turns[n-1]
	for _, b := range blocks {
		at := len(last.Content)
		if b.Type == "tool_result" {
			for at > 0 && last.Content[at-1].Type != "tool_result" {
				at--
			}
		}
		last.Content = append(last.Content, block{})
		copy(last.Content[at+1:], last.Content[at:])
		last.Content[at] = b
	}
}

// trimPrefill takes trailing space off an answer that the model is to go on
// with: the API refuses it.
func (e *encoder) trimPrefill() {
	last := &e.turns[len(e.turns)-1]
	if b := &last.Content[len(last.Content)-1]; last.Role == "assistant" && b.Type == "text" && b.Raw == nil {
		b.Text = strings.TrimRight(b.Text, " \t\r\n")
	}
}

// cleanID makes an id that another provider gave fit ^[a-zA-Z0-9_-]+$. Call
// and result change alike.
func cleanID(id string) string {
	id, _ = wire.SplitCall(id) // the signature of a call is Gemini's business
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, id)
}
