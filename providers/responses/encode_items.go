package responses

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

func (e *encoder) appendInput(b []byte, messages []schema.Message) ([]byte, error) {
	b = append(b, '[')
	calls := map[string]bool{} // of custom tools, by id
	for i := range messages {
		m := &messages[i]
		at := fmt.Sprintf("messages[%d]", i)
		var err error
		switch m.Role {
		case schema.RoleSystem, schema.RoleDeveloper, schema.RoleUser:
			b, err = e.appendMessage(b, m, at)
		case schema.RoleAssistant:
			b = e.appendAssistant(b, m, calls)
		case schema.RoleTool, "function":
			b, err = e.appendOutput(b, m, at, calls)
		default:
			err = schema.Invalid(at+".role", "%s.role: unknown role %q", at, m.Role)
		}
		if err != nil {
			return nil, err
		}
		if m.Name != "" && m.Role != schema.RoleTool {
			e.dropped.Add("name")
		}
	}
	return append(b, ']'), nil
}

func (e *encoder) appendMessage(b []byte, m *schema.Message, at string) ([]byte, error) {
	b = wire.AppendText(append(wire.AppendComma(b), '{'), "role", m.Role)
	b, err := e.appendContent(wire.AppendKey(b, "content"), m.Parts, at+".content")
	return append(b, '}'), err
}

// appendAssistant writes a turn of the model as items: reasoning and items of
// OpenAI's own tools where they stand, what is said, then the calls.
func (e *encoder) appendAssistant(b []byte, m *schema.Message, calls map[string]bool) []byte {
	said := false
	for i := range m.Parts {
		switch p := &m.Parts[i]; p.Type {
		case schema.PartThinking:
			b = e.appendThought(b, p)
		case schema.PartRaw:
			switch {
			case e.own && isItem(p.Raw):
				b = append(wire.AppendComma(b), p.Raw...)
			case p.Text == "":
				e.dropped.Add("messages.content")
			default:
				b, said = e.appendSaid(b, m, said), true
			}
		case schema.PartText:
			b, said = e.appendSaid(b, m, said), true
		case schema.PartImage, schema.PartAudio, schema.PartDocument: // an answer has no such parts here
			e.dropped.Add("messages.content")
		}
	}
	if m.Refusal != "" {
		b = e.appendSaid(b, m, said)
	}
	for i := range m.ToolCalls {
		c := &m.ToolCalls[i]
		id, _ := wire.SplitCall(c.ID)
		b = append(wire.AppendComma(b), '{')
		if c.Type == toolCustom {
			calls[id] = true
			b = wire.AppendText(b, "type", itemCustom)
			b = wire.AppendString(wire.AppendKey(b, "input"), customInput(c.Function.Arguments))
		} else {
			b = wire.AppendText(b, "type", itemCall)
			b = wire.AppendString(wire.AppendKey(b, "arguments"), arguments(c.Function.Arguments))
		}
		b = wire.AppendString(wire.AppendKey(b, "call_id"), id)
		b = append(wire.AppendString(wire.AppendKey(b, "name"), c.Function.Name), '}')
	}
	return b
}

func arguments(text string) string {
	if strings.TrimSpace(text) == "" {
		return "{}"
	}
	return text
}

// appendThought writes a reasoning item. What another provider's model thought
// stays out: the API takes back what it encrypted itself.
func (e *encoder) appendThought(b []byte, p *schema.Part) []byte {
	if e.req.Dialect == Name && p.Raw != nil && !strings.HasPrefix(gjson.GetBytes(p.Raw, "encrypted_content").Str, signatureMark) {
		return append(wire.AppendComma(b), p.Raw...)
	}
	if _, own := wire.UnmarkOpenAI(p.Signature); !own {
		return b
	}
	b = wire.AppendText(append(wire.AppendComma(b), '{'), "type", itemReasoning)
	return append(appendReasoning(b, p.Text, encrypted(p)), '}')
}

// appendSaid writes what a turn of the model says, once: its texts and its
// refusal.
func (e *encoder) appendSaid(b []byte, m *schema.Message, done bool) []byte {
	if done {
		return b
	}
	b = append(wire.AppendComma(b), `{"role":"assistant"`...)
	if phase := m.Extra["phase"]; phase != nil && e.own {
		b = wire.AppendRaw(b, "phase", phase)
	}
	b = append(wire.AppendKey(b, "content"), '[')
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Type != schema.PartText && (p.Type != schema.PartRaw || e.own || p.Text == "") {
			continue
		}
		b = append(wire.AppendComma(b), `{"type":"output_text","text":`...)
		b = wire.AppendString(b, p.Text)
		if e.req.Dialect == Name {
			b = wire.AppendRaw(b, "annotations", p.Citations)
		}
		b = append(b, '}')
	}
	if m.Refusal != "" {
		b = append(wire.AppendComma(b), `{"type":"refusal","refusal":`...)
		b = append(wire.AppendString(b, m.Refusal), '}')
	}
	return append(b, ']', '}')
}

// appendOutput writes a tool's result. A failure, for which the API has no
// field, is told in words, unless it says so itself.
func (e *encoder) appendOutput(b []byte, m *schema.Message, at string, calls map[string]bool) ([]byte, error) {
	id, _ := wire.SplitCall(m.ToolCallID)
	if id == "" {
		return nil, schema.Invalid(at+".tool_call_id", "%s.tool_call_id is missing", at)
	}
	kind := itemCallOutput
	if calls[id] {
		kind = itemCustomOutput
	}
	parts := m.Parts
	if text := m.Text(); m.IsError && !strings.Contains(strings.ToLower(text[:min(len(text), 64)]), "error") {
		parts = append([]schema.Part{{Type: schema.PartText, Text: "Error: "}}, parts...)
	}
	b = wire.AppendText(append(wire.AppendComma(b), '{'), "type", kind)
	b = wire.AppendText(b, "call_id", id)
	b, err := e.appendContent(wire.AppendKey(b, "output"), parts, at+".content")
	return append(b, '}'), err
}

// isItem tells whether a raw part is an item of this API.
func isItem(raw json.RawMessage) bool {
	if !gjson.ValidBytes(raw) {
		return false
	}
	kind := gjson.GetBytes(raw, "type").Str
	switch kind {
	case itemCall, itemCallOutput, itemCustomOutput:
		return false
	case "mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "item_reference", "tool_search_output":
		return true
	case "compaction": // Anthropic's has a content
		return gjson.GetBytes(raw, "encrypted_content").Exists()
	}
	return strings.HasSuffix(kind, "_call") || strings.HasSuffix(kind, "_call_output")
}
