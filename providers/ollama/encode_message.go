package ollama

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

func (e *encoder) appendMessages(b []byte) ([]byte, error) {
	b = append(b, '[')
	for i := range e.req.Messages {
		var err error
		b, err = e.appendMessage(wire.AppendComma(b), &e.req.Messages[i], fmt.Sprintf("messages[%d]", i))
		if err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// appendMessage writes one turn; at names it in errors.
func (e *encoder) appendMessage(b []byte, m *schema.Message, at string) ([]byte, error) {
	role := m.Role
	if role == schema.RoleDeveloper {
		role = schema.RoleSystem
	}
	c, err := e.content(m, at)
	if err != nil {
		return nil, err
	}
	b = wire.AppendText(append(b, '{'), "role", role)
	b = wire.AppendString(wire.AppendKey(b, "content"), c.text)
	b = wire.AppendText(b, "thinking", c.thinking)
	b = wire.AppendTexts(b, "images", c.images)
	if m.Role == schema.RoleTool {
		name := m.Name
		if name == "" {
			name = e.names[m.ToolCallID]
		}
		b = wire.AppendText(b, "tool_name", name)
		b = wire.AppendText(b, "tool_call_id", m.ToolCallID)
	} else if m.Name != "" {
		e.dropped.Add("messages.name")
	}
	if len(m.ToolCalls) == 0 {
		return append(b, '}'), nil
	}
	b = append(wire.AppendKey(b, "tool_calls"), '[')
	for i := range m.ToolCalls {
		call := &m.ToolCalls[i]
		e.names[call.ID] = call.Function.Name
		args := strings.TrimSpace(call.Function.Arguments)
		if args == "" {
			args = "{}"
		}
		if !wire.Valid([]byte(args)) || args[0] != '{' {
			at := fmt.Sprintf("%s.tool_calls[%d].function.arguments", at, i)
			return nil, schema.Invalid(at, "%s must be a JSON object", at)
		}
		b = wire.AppendText(append(wire.AppendComma(b), '{'), "id", call.ID)
		b = append(wire.AppendKey(b, "function"), '{')
		b = wire.AppendText(b, "name", call.Function.Name)
		b = append(append(wire.AppendKey(b, "arguments"), args...), '}', '}')
	}
	return append(b, ']', '}'), nil
}

// content is a turn's content in Ollama's three fields.
type content struct {
	text, thinking string
	images         []string
}

func (e *encoder) content(m *schema.Message, at string) (c content, err error) {
	var texts []string
	for i := range m.Parts {
		p := &m.Parts[i]
		switch p.Type {
		case schema.PartText:
			texts = append(texts, p.Text)
		case schema.PartThinking:
			if p.Signature == "" { // a signed one is another provider's
				c.thinking += p.Text
			}
		case schema.PartRedactedThinking:
		case schema.PartImage:
			if p.Media == nil || p.Media.Data == "" {
				at := fmt.Sprintf("%s.content[%d]", at, i)
				return c, schema.Invalid(at, "%s: the provider takes pictures as data only, not by URL", at)
			}
			c.images = append(c.images, p.Media.Data)
		case schema.PartDocument:
			if text, ok := documentText(p.Media); ok {
				texts = append(texts, text)
			} else {
				e.dropped.Add("file")
			}
		case schema.PartAudio:
			e.dropped.Add("input_audio")
		case schema.PartRaw:
			if p.Text != "" {
				texts = append(texts, p.Text)
			} else {
				e.dropped.Add("messages.content." + gjson.GetBytes(p.Raw, "type").Str)
			}
		}
	}
	if m.Refusal != "" {
		texts = append(texts, m.Refusal)
	}
	c.text = strings.Join(texts, "\n")
	return c, nil
}

// documentText tells a text document in words.
func documentText(m *schema.Media) (text string, ok bool) {
	if m == nil || m.Data == "" {
		return "", false
	}
	mime, _, _ := strings.Cut(m.MIME, ";")
	if !strings.HasPrefix(mime, "text/") && mime != "application/json" && mime != "application/xml" {
		return "", false
	}
	raw, err := base64.StdEncoding.DecodeString(m.Data)
	if err != nil {
		return "", false
	}
	if m.Filename != "" {
		return m.Filename + ":\n" + string(raw), true
	}
	return string(raw), true
}
