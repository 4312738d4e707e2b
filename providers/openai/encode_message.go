package openai

import (
	"slices"
	"strings"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// appendMessages writes the messages. What was thought stays out: no host
// takes it back but those that speak of it in words of their own. Pictures in
// a tool's result, which the API has no place for, follow the run of results
// in a message of the user.
func (q Quirks) appendMessages(b []byte, messages []schema.Message) []byte {
	b = append(b, '[')
	var pictures []schema.Part
	for i := range messages {
		m := &messages[i]
		if len(pictures) > 0 && m.Role != schema.RoleTool {
			b = appendUserParts(wire.AppendComma(b), pictures)
			pictures = nil
		}
		b = q.appendMessage(wire.AppendComma(b), m)
		if m.Role == schema.RoleTool {
			for j := range m.Parts {
				if m.Parts[j].Media != nil {
					pictures = append(pictures, m.Parts[j])
				}
			}
		}
	}
	if len(pictures) > 0 {
		b = appendUserParts(wire.AppendComma(b), pictures)
	}
	return append(b, ']')
}

func (q Quirks) appendMessage(b []byte, m *schema.Message) []byte {
	role := m.Role
	if role == schema.RoleDeveloper && q.NoDeveloperRole {
		role = schema.RoleSystem
	}
	b = append(b, `{"role":`...)
	b = wire.AppendString(b, role)
	b = appendText(b, "name", m.Name)
	id, _ := wire.SplitCall(m.ToolCallID)
	b = appendText(b, "tool_call_id", id)
	b = append(b, `,"content":`...)
	if m.Role == schema.RoleTool {
		b = wire.AppendString(b, m.Text())
	} else {
		b = appendContent(b, m)
	}
	b = appendText(b, "refusal", m.Refusal)
	if len(m.ToolCalls) > 0 {
		b = append(b, `,"tool_calls":`...)
		b = appendToolCalls(b, unsigned(m.ToolCalls), false)
	}
	return append(appendExtra(b, m.Extra), '}')
}

// appendContent writes a string where the content is one text, parts where it
// is more, and null where an assistant only called tools or refused.
func appendContent(b []byte, m *schema.Message) []byte {
	visible := 0
	plain := true
	for i := range m.Parts {
		switch m.Parts[i].Type {
		case schema.PartThinking, schema.PartRedactedThinking:
		case schema.PartText:
			visible++
		default:
			visible++
			plain = false
		}
	}
	switch {
	case visible == 0 && (len(m.ToolCalls) > 0 || m.Refusal != ""):
		return append(b, "null"...)
	case visible <= 1 && plain:
		return wire.AppendString(b, m.Text())
	}
	return appendParts(b, m.Parts)
}

func appendUserParts(b []byte, parts []schema.Part) []byte {
	b = append(b, `{"role":"user","content":`...)
	return append(appendParts(b, parts), '}')
}

func appendParts(b []byte, parts []schema.Part) []byte {
	b = append(b, '[')
	for i := range parts {
		p := &parts[i]
		switch p.Type {
		case schema.PartThinking, schema.PartRedactedThinking:
		case schema.PartText:
			b = append(wire.AppendComma(b), `{"type":"text","text":`...)
			b = append(wire.AppendString(b, p.Text), '}')
		case schema.PartImage:
			b = append(wire.AppendComma(b), `{"type":"image_url","image_url":{"url":`...)
			b = appendMediaURL(b, p.Media)
			b = appendText(b, "detail", p.Media.Detail)
			b = append(b, '}', '}')
		case schema.PartAudio:
			b = append(wire.AppendComma(b), `{"type":"input_audio","input_audio":{"data":`...)
			b = wire.AppendString(b, p.Media.Data)
			b = appendText(b, "format", wire.AudioFormat(p.Media.MIME))
			b = append(b, '}', '}')
		case schema.PartDocument:
			b = appendFile(wire.AppendComma(b), p.Media)
		case schema.PartRaw:
			b = append(wire.AppendComma(b), p.Raw...)
		}
	}
	return append(b, ']')
}

// appendMediaURL writes media as a URL: its own, or a data: URL.
func appendMediaURL(b []byte, m *schema.Media) []byte {
	if m.URL != "" {
		return wire.AppendString(b, m.URL)
	}
	mime := m.MIME
	if mime == "" {
		mime = "application/octet-stream"
	}
	b = append(b, '"')
	// Neither a media type nor base64 holds anything to escape; what a caller
	// put there instead is escaped all the same.
	if strings.ContainsAny(mime, "\"\\") || strings.ContainsAny(m.Data, "\"\\") {
		return wire.AppendString(b[:len(b)-1], string(wire.AppendDataURL(nil, mime, m.Data)))
	}
	return append(wire.AppendDataURL(b, mime, m.Data), '"')
}

func appendFile(b []byte, m *schema.Media) []byte {
	b = append(b, `{"type":"file","file":{`...)
	if m.FileID != "" {
		b = wire.AppendString(wire.AppendKey(b, "file_id"), m.FileID)
	} else {
		filename := m.Filename
		if filename == "" {
			filename = "document" // OpenAI demands one
		}
		b = wire.AppendString(wire.AppendKey(b, "filename"), filename)
		b = appendMediaURL(wire.AppendKey(b, "file_data"), m)
	}
	return append(b, '}', '}')
}

// unsigned takes Gemini's signatures out of the ids of calls: hosts refuse ids
// so long.
func unsigned(calls []openai.ToolCall) []openai.ToolCall {
	for i := range calls {
		if _, signature := wire.SplitCall(calls[i].ID); signature == "" {
			continue
		}
		calls = slices.Clone(calls)
		for j := i; j < len(calls); j++ {
			calls[j].ID, _ = wire.SplitCall(calls[j].ID)
		}
		return calls
	}
	return calls
}

// appendToolCalls writes calls; those of a delta have their index.
func appendToolCalls(b []byte, calls []openai.ToolCall, delta bool) []byte {
	b = append(b, '[')
	for i := range calls {
		c := &calls[i]
		b = append(wire.AppendComma(b), '{')
		if delta {
			at := int64(i)
			if c.Index != nil {
				at = int64(*c.Index)
			}
			b = appendInt(b, "index", &at)
		}
		if c.ID != "" || !delta {
			b = wire.AppendString(wire.AppendKey(b, "id"), c.ID)
			b = append(b, `,"type":"function"`...)
		}
		b = append(wire.AppendKey(b, "function"), '{')
		if c.Function.Name != "" || !delta {
			b = wire.AppendString(wire.AppendKey(b, "name"), c.Function.Name)
		}
		b = wire.AppendString(wire.AppendKey(b, "arguments"), c.Function.Arguments)
		b = append(b, '}', '}')
	}
	return append(b, ']')
}
