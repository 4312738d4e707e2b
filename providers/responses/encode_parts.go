package responses

import (
	"encoding/base64"
	"fmt"
	"strings"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// appendContent writes a string where a content is one text, else parts.
func (e *encoder) appendContent(b []byte, parts []schema.Part, at string) ([]byte, error) {
	if text, plain := onlyText(parts); plain {
		return wire.AppendString(b, text), nil
	}
	b = append(b, '[')
	for i := range parts {
		var err error
		if b, err = e.appendPart(b, &parts[i], fmt.Sprintf("%s[%d]", at, i)); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func onlyText(parts []schema.Part) (text string, plain bool) {
	switch {
	case len(parts) == 0:
		return "", true
	case len(parts) == 1 && parts[0].Type == schema.PartText && parts[0].Extra[breakpoint] == nil:
		return parts[0].Text, true
	}
	return "", false
}

func (e *encoder) appendPart(b []byte, p *schema.Part, at string) ([]byte, error) {
	if p.Media == nil && (p.Type == schema.PartImage || p.Type == schema.PartAudio || p.Type == schema.PartDocument) {
		return nil, schema.Invalid(at, "%s has no data, URL or file id", at)
	}
	switch p.Type {
	case schema.PartText:
		return e.appendInputText(b, p.Text, p), nil
	case schema.PartImage:
		b = append(wire.AppendComma(b), `{"type":"input_image"`...)
		if p.Media.FileID != "" {
			b = wire.AppendText(b, "file_id", p.Media.FileID)
		} else {
			b = wire.AppendText(b, "image_url", dataURL(p.Media, "image/png"))
		}
		detail := p.Media.Detail
		if detail == "" {
			detail = "auto" // which the API demands to be said
		}
		b = wire.AppendText(b, "detail", detail)
	case schema.PartAudio:
		b = append(wire.AppendComma(b), `{"type":"input_audio","input_audio":{`...)
		b = wire.AppendText(b, "data", p.Media.Data)
		b = append(wire.AppendText(b, "format", wire.AudioFormat(p.Media.MIME)), '}')
	case schema.PartDocument:
		if text, ok := e.documentText(p.Media); ok {
			return e.appendInputText(b, text, p), nil
		}
		b = appendFile(wire.AppendComma(b), p.Media)
	case schema.PartRaw:
		return e.appendRawPart(b, p), nil
	default: // thoughts are the model's
		return b, nil
	}
	return e.endPart(b, p), nil
}

// appendRawPart writes a part of OpenAI's own, or what it says in words.
func (e *encoder) appendRawPart(b []byte, p *schema.Part) []byte {
	switch {
	case e.own:
		return append(wire.AppendComma(b), p.Raw...)
	case p.Text != "":
		return e.appendInputText(b, p.Text, p)
	}
	e.dropped.Add("messages.content")
	return b
}

func (e *encoder) appendInputText(b []byte, text string, p *schema.Part) []byte {
	b = append(wire.AppendComma(b), `{"type":"input_text","text":`...)
	return e.endPart(wire.AppendString(b, text), p)
}

func (e *encoder) endPart(b []byte, p *schema.Part) []byte {
	if e.own {
		b = wire.AppendRaw(b, breakpoint, p.Extra[breakpoint])
	}
	return append(b, '}')
}

func appendFile(b []byte, m *schema.Media) []byte {
	b = append(b, `{"type":"input_file"`...)
	switch {
	case m.FileID != "":
		return wire.AppendText(b, "file_id", m.FileID)
	case m.URL != "" && m.Data == "":
		return wire.AppendText(b, "file_url", m.URL)
	}
	name := m.Filename
	if name == "" {
		name = "document.pdf" // the API demands one, and reads the kind of file from it
	}
	b = wire.AppendText(b, "filename", name)
	return wire.AppendText(b, "file_data", dataURL(m, "application/pdf"))
}

// documentText is the text of another dialect's document that is one, after its
// title.
func (e *encoder) documentText(m *schema.Media) (text string, ok bool) {
	if e.own || m.Data == "" || !strings.HasPrefix(m.MIME, "text/") {
		return "", false
	}
	raw, err := base64.StdEncoding.DecodeString(m.Data)
	if err != nil {
		return "", false
	}
	if m.Filename != "" {
		return m.Filename + "\n\n" + string(raw), true
	}
	return string(raw), true
}

// dataURL is where media is: its own URL, or its data as one.
func dataURL(m *schema.Media, otherwise string) string {
	if m.URL != "" {
		return m.URL
	}
	mime := m.MIME
	if mime == "" {
		mime = otherwise
	}
	return string(wire.AppendDataURL(nil, mime, m.Data))
}
