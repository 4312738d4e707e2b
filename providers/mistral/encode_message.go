package mistral

import (
	"crypto/sha256"
	"encoding/json"
	"slices"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// messages writes the turns into out.
func (e *encoder) messages() {
	e.out.Messages = make([]schema.Message, 0, len(e.req.Messages))
	for i := range e.req.Messages {
		m := e.req.Messages[i]
		last := i == len(e.req.Messages)-1
		if n := len(e.out.Messages); n > 0 && e.out.Messages[n-1].Role == schema.RoleTool && m.Role != schema.RoleTool && m.Role != schema.RoleAssistant {
			e.out.Messages = append(e.out.Messages, schema.Message{Role: schema.RoleAssistant, Parts: schema.TextParts(" ")})
		}
		e.extraOf(&m)
		if m.Refusal != "" {
			m.Parts = append(slices.Clone(m.Parts), schema.Part{Type: schema.PartText, Text: m.Refusal})
			m.Refusal = ""
		}
		m.ToolCalls = slices.Clone(m.ToolCalls)
		for j := range m.ToolCalls {
			m.ToolCalls[j].ID = callID(m.ToolCalls[j].ID)
		}
		m.Parts = e.parts(m.Parts)
		switch {
		case m.Role == schema.RoleTool:
			m.ToolCallID = callID(m.ToolCallID)
			e.result(&m)
		case m.Role == schema.RoleAssistant && last && len(m.ToolCalls) == 0 && m.Extra["prefix"] == nil:
			m.Extra = map[string]json.RawMessage{"prefix": json.RawMessage("true")}
		}
		e.out.Messages = append(e.out.Messages, m)
	}
}

// extraOf keeps of a turn's other fields the one that Mistral has: prefix.
func (e *encoder) extraOf(m *schema.Message) {
	extra := m.Extra
	m.Extra = nil
	for name, raw := range extra {
		if name == "prefix" && m.Role == schema.RoleAssistant && !wire.Foreign(e.req, Name) {
			m.Extra = map[string]json.RawMessage{name: raw}
		} else {
			e.dropped.Add("messages." + name)
		}
	}
	if m.Name != "" && m.Role != schema.RoleTool {
		m.Name = ""
		e.dropped.Add("messages.name")
	}
}

// parts writes what Mistral says in words of its own as parts kept verbatim.
func (e *encoder) parts(parts []schema.Part) []schema.Part {
	out := make([]schema.Part, 0, len(parts))
	for _, p := range parts {
		switch {
		case p.Type == schema.PartThinking && p.Signature == "" && p.Text != "": // a signed one is another provider's
			raw := wire.AppendString([]byte(`{"type":"thinking","thinking":[{"type":"text","text":`), p.Text)
			p = schema.Part{Type: schema.PartRaw, Raw: append(raw, `}],"closed":true}`...)}
		case p.Type == schema.PartThinking, p.Type == schema.PartRedactedThinking:
			continue
		case p.Type == schema.PartDocument:
			p = schema.Part{Type: schema.PartRaw, Raw: document(p.Media)}
		case p.Type == schema.PartRaw && p.Text != "":
			p = schema.Part{Type: schema.PartText, Text: p.Text}
		case p.Type == schema.PartRaw && wire.Foreign(e.req, Name):
			e.dropped.Add("messages.content." + gjson.GetBytes(p.Raw, "type").Str)
			continue
		}
		out = append(out, p)
	}
	return out
}

// document is a document's part: a file by its id, or a URL, also of data.
func document(m *schema.Media) []byte {
	if m.FileID != "" {
		return append(wire.AppendText([]byte(`{"type":"file"`), "file_id", m.FileID), '}')
	}
	url := m.URL
	if url == "" {
		mime := m.MIME
		if mime == "" {
			mime = "application/pdf"
		}
		url = string(wire.AppendDataURL(nil, mime, m.Data))
	}
	b := wire.AppendText([]byte(`{"type":"document_url"`), "document_url", url)
	return append(wire.AppendText(b, "document_name", m.Filename), '}')
}

// result writes a tool's result that holds pictures as a list, which OpenAI's
// API has not: package openai would put them into a turn of the user.
func (e *encoder) result(m *schema.Message) {
	if !slices.ContainsFunc(m.Parts, func(p schema.Part) bool { return p.Type == schema.PartImage && p.Media != nil }) {
		return
	}
	b := []byte{'['}
	var texts []schema.Part
	for i := range m.Parts {
		switch p := &m.Parts[i]; p.Type {
		case schema.PartText:
			texts = append(texts, *p)
			b = append(wire.AppendText(append(wire.AppendComma(b), `{"type":"text"`...), "text", p.Text), '}')
		case schema.PartImage:
			url := p.Media.URL
			if url == "" {
				url = string(wire.AppendDataURL(nil, p.Media.MIME, p.Media.Data))
			}
			b = append(wire.AppendText(append(wire.AppendComma(b), `{"type":"image_url","image_url":{`...), "url", url), '}', '}')
		case schema.PartRaw:
			b = append(wire.AppendComma(b), p.Raw...)
		}
	}
	m.Parts = texts
	if e.results == nil {
		e.results = make(map[int][]byte)
	}
	e.results[len(e.out.Messages)] = append(b, ']')
}

// idLength is how long a tool call's id must be.
const idLength = 9

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// callID makes an id that Mistral takes: one that is such stays, others are
// hashed, so that a call and its result keep one id.
func callID(id string) string {
	fits := len(id) == idLength
	for i := 0; fits && i < len(id); i++ {
		c := id[i]
		fits = c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
	}
	if fits {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	out := make([]byte, idLength)
	for i := range out {
		out[i] = letters[int(sum[i])%len(letters)]
	}
	return string(out)
}
