package cohere

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// appendMessages writes the turns. Pictures in tools' results, which have no
// place for them, follow the run of results in a turn of the user.
func (e *encoder) appendMessages(b []byte) ([]byte, error) {
	b = append(b, '[')
	var pictures []schema.Part
	for i := range e.req.Messages {
		m := &e.req.Messages[i]
		if len(pictures) > 0 && m.Role != schema.RoleTool {
			b = e.appendTurn(wire.AppendComma(b), schema.RoleUser, pictures)
			pictures = nil
		}
		switch m.Role {
		case schema.RoleTool:
			b = e.appendResult(wire.AppendComma(b), m)
			for j := range m.Parts {
				if m.Parts[j].Type == schema.PartImage {
					pictures = append(pictures, m.Parts[j])
				}
			}
		case schema.RoleAssistant:
			b = e.appendAssistant(wire.AppendComma(b), m)
		case schema.RoleSystem, schema.RoleDeveloper:
			b = e.appendTurn(wire.AppendComma(b), schema.RoleSystem, m.Parts)
		case schema.RoleUser:
			b = e.appendTurn(wire.AppendComma(b), schema.RoleUser, m.Parts)
		default:
			at := fmt.Sprintf("messages[%d].role", i)
			return nil, schema.Invalid(at, "%s: unknown role %q", at, m.Role)
		}
		if m.Name != "" && m.Role != schema.RoleTool {
			e.dropped.Add("messages.name")
		}
	}
	if len(pictures) > 0 {
		b = e.appendTurn(wire.AppendComma(b), schema.RoleUser, pictures)
	}
	return append(b, ']'), nil
}

// appendTurn writes a turn of the system or the user.
func (e *encoder) appendTurn(b []byte, role string, parts []schema.Part) []byte {
	b = append(b, `{"role":"`...)
	b = append(b, role...)
	b = append(b, `","content":`...)
	return append(e.appendContent(b, parts), '}')
}

// appendContent writes a string where the content is one text, else blocks.
func (e *encoder) appendContent(b []byte, parts []schema.Part) []byte {
	if len(parts) == 0 {
		return append(b, `""`...)
	}
	if len(parts) == 1 && parts[0].Type == schema.PartText {
		return wire.AppendString(b, parts[0].Text)
	}
	from, documents := len(b), len(e.documents)
	b = append(b, '[')
	for i := range parts {
		b = e.appendPart(b, &parts[i])
	}
	if len(b) > from+1 {
		return append(b, ']')
	}
	// All of it was dropped or stands in documents; the API refuses an empty
	// turn, so the documents are told in words.
	var words []string
	for _, d := range e.documents[documents:] {
		words = append(words, gjson.GetBytes(d, "data.text").Str)
	}
	e.documents = e.documents[:documents]
	return wire.AppendString(b[:from], strings.Join(words, "\n"))
}

func (e *encoder) appendPart(b []byte, p *schema.Part) []byte {
	switch p.Type {
	case schema.PartText:
		b = append(wire.AppendComma(b), `{"type":"text","text":`...)
		return append(wire.AppendString(b, p.Text), '}')
	case schema.PartImage:
		if p.Media == nil || p.Media.URL == "" && p.Media.Data == "" {
			e.dropped.Add("image_url")
			return b
		}
		url := p.Media.URL
		if url == "" {
			url = string(wire.AppendDataURL(nil, p.Media.MIME, p.Media.Data))
		}
		b = append(wire.AppendComma(b), `{"type":"image_url","image_url":{"url":`...)
		b = wire.AppendString(b, url)
		return append(wire.AppendText(b, "detail", p.Media.Detail), '}', '}')
	case schema.PartThinking:
		if p.Signature != "" || p.Text == "" { // a signed one is another provider's
			return b
		}
		b = append(wire.AppendComma(b), `{"type":"thinking","thinking":`...)
		return append(wire.AppendString(b, p.Text), '}')
	case schema.PartDocument:
		if !e.addDocument(p.Media) {
			e.dropped.Add("file")
		}
	case schema.PartAudio:
		e.dropped.Add("input_audio")
	case schema.PartRaw:
		if p.Text != "" {
			b = append(wire.AppendComma(b), `{"type":"text","text":`...)
			return append(wire.AppendString(b, p.Text), '}')
		}
		if !wire.Foreign(e.req, Name) && gjson.GetBytes(p.Raw, "type").Str == "document" {
			return append(wire.AppendComma(b), p.Raw...)
		}
		e.dropped.Add("messages.content." + gjson.GetBytes(p.Raw, "type").Str)
	}
	return b
}

// addDocument puts a text document among documents; others the API cannot read.
func (e *encoder) addDocument(m *schema.Media) bool {
	if m == nil || m.Data == "" {
		return false
	}
	mime, _, _ := strings.Cut(m.MIME, ";")
	if !strings.HasPrefix(mime, "text/") && mime != "application/json" && mime != "application/xml" {
		return false
	}
	text, err := base64.StdEncoding.DecodeString(m.Data)
	if err != nil {
		return false
	}
	d := append([]byte(nil), `{"data":{`...)
	d = wire.AppendText(d, "title", m.Filename)
	d = wire.AppendString(wire.AppendKey(d, "text"), string(text))
	e.documents = append(e.documents, append(d, '}', '}'))
	return true
}

// appendDocuments writes the caller's documents and those of the turns.
func (e *encoder) appendDocuments(b []byte) []byte {
	own := e.own("documents")
	if len(e.documents) == 0 && !own {
		return b
	}
	b = append(wire.AppendKey(b, "documents"), '[')
	if own {
		gjson.ParseBytes(e.req.Extra["documents"]).ForEach(func(_, v gjson.Result) bool {
			b = append(wire.AppendComma(b), v.Raw...)
			return true
		})
	}
	for _, d := range e.documents {
		b = append(wire.AppendComma(b), d...)
	}
	return append(b, ']')
}

// appendResult writes a tool's result.
func (e *encoder) appendResult(b []byte, m *schema.Message) []byte {
	b = append(b, `{"role":"tool","tool_call_id":`...)
	b = wire.AppendString(b, m.ToolCallID)
	b = append(b, `,"content":`...)
	var parts []schema.Part
	for i := range m.Parts {
		if m.Parts[i].Type != schema.PartImage {
			parts = append(parts, m.Parts[i])
		}
	}
	return append(e.appendContent(b, parts), '}')
}

// appendAssistant writes a turn of the model. What it thought before it called
// tools was its plan, unless the model is one that thinks.
func (e *encoder) appendAssistant(b []byte, m *schema.Message) []byte {
	plan := ""
	var parts []schema.Part
	for i := range m.Parts {
		p := m.Parts[i]
		switch {
		case p.Type == schema.PartRedactedThinking:
		case p.Type == schema.PartThinking && len(m.ToolCalls) > 0 && !e.reasons:
			if p.Signature == "" {
				plan += p.Text
			}
		default:
			parts = append(parts, p)
		}
	}
	if m.Refusal != "" {
		parts = append(parts, schema.Part{Type: schema.PartText, Text: m.Refusal})
	}
	b = append(b, `{"role":"assistant"`...)
	if len(parts) > 0 || len(m.ToolCalls) == 0 {
		b = e.appendContent(wire.AppendKey(b, "content"), parts)
	}
	b = wire.AppendText(b, "tool_plan", plan)
	if len(m.ToolCalls) == 0 {
		return append(b, '}')
	}
	b = append(wire.AppendKey(b, "tool_calls"), '[')
	for i := range m.ToolCalls {
		c := &m.ToolCalls[i]
		b = append(wire.AppendComma(b), `{"id":`...)
		b = wire.AppendString(b, c.ID)
		b = append(b, `,"type":"function","function":{"name":`...)
		b = wire.AppendString(b, c.Function.Name)
		b = wire.AppendString(wire.AppendKey(b, "arguments"), arguments(c.Function.Arguments))
		b = append(b, '}', '}')
	}
	return append(b, ']', '}')
}

// arguments are a call's: none is the empty object.
func arguments(s string) string {
	if strings.TrimSpace(s) == "" {
		return "{}"
	}
	return s
}
