package anthropic

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// source is where an image or a document comes from.
type source struct {
	Type      string // base64, url, file, text
	MediaType string
	Data      string
	URL       string
	FileID    string
}

// filesBeta is the beta that files by id need.
const filesBeta = "files-api-2025-04-14"

// parts writes content parts as blocks. Blank text is left out: the API
// refuses it. at names the content in errors.
func (e *encoder) parts(at string, parts []schema.Part) ([]block, error) {
	blocks := make([]block, 0, len(parts))
	for i := range parts {
		p := &parts[i]
		b := block{CacheControl: p.CacheControl}
		switch p.Type {
		case schema.PartText:
			if strings.TrimSpace(p.Text) == "" {
				continue
			}
			b.Type, b.Text = "text", p.Text
			if e.req.Dialect == Name { // another's citations have another form
				b.Citations = p.Citations
			}
		case schema.PartThinking:
			if !wire.Anthropics(p.Signature) { // another provider's: it cannot be shown to this one
				continue
			}
			b = block{Type: "thinking", Thinking: &p.Text, Signature: p.Signature}
		case schema.PartRedactedThinking:
			b = block{Type: "redacted_thinking", Data: p.Data}
		case schema.PartImage, schema.PartDocument:
			if err := e.media(fmt.Sprintf("%s[%d]", at, i), p, &b); err != nil {
				return nil, err
			}
		case schema.PartRaw:
			if !e.own() {
				if p.Text == "" {
					e.drop("messages.content")
					continue
				}
				b.Type, b.Text = "text", p.Text
				break
			}
			if !json.Valid(p.Raw) {
				return nil, schema.Invalid(at, "%s[%d] is not a content block", at, i)
			}
			b = block{Raw: p.Raw}
		case schema.PartAudio:
			e.drop("input_audio")
			continue
		default:
			return nil, schema.Invalid(at, "%s[%d]: unknown type %q", at, i, p.Type)
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// media writes an image or a document block.
func (e *encoder) media(at string, p *schema.Part, b *block) error {
	m := p.Media
	if m == nil {
		return schema.Invalid(at, "%s has no data, URL or file id", at)
	}
	url, mime, data := m.URL, strings.ToLower(m.MIME), m.Data
	if strings.HasPrefix(url, "data:") {
		var ok bool
		if mime, data, ok = wire.DataURL(url); !ok {
			return schema.Invalid(at, "%s is not a base64 data URL", at)
		}
		url = ""
	}
	b.Type = string(p.Type)
	if e.req.Dialect == Name {
		b.Extra = p.Extra
	}
	if p.Type == schema.PartDocument {
		b.Title = m.Filename
	}
	switch {
	case m.FileID != "":
		e.beta(filesBeta)
		b.Source = &source{Type: "file", FileID: m.FileID}
	case url != "":
		if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
			return schema.Invalid(at, "%s: the provider takes http and https URLs only", at)
		}
		b.Source = &source{Type: "url", URL: url}
	case data == "":
		return schema.Invalid(at, "%s has no data, URL or file id", at)
	case p.Type == schema.PartImage:
		b.Source = &source{Type: "base64", MediaType: imageType(mime, data), Data: data}
	default:
		return document(at, mime, data, b)
	}
	return nil
}

// document writes a document given as data: PDF as it is, text decoded.
func document(at, mime, data string, b *block) error {
	mime, _, _ = strings.Cut(mime, ";")
	switch {
	case mime == "application/pdf", mime == "" && strings.HasPrefix(data, "JVBERi"):
		b.Source = &source{Type: "base64", MediaType: "application/pdf", Data: data}
		return nil
	case mime == "image/png", mime == "image/jpeg", mime == "image/gif", mime == "image/webp":
		*b = block{Type: "image", Source: &source{Type: "base64", MediaType: mime, Data: data}, CacheControl: b.CacheControl}
		return nil
	case strings.HasPrefix(mime, "text/"), mime == "application/json", mime == "application/xml":
		text, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			return schema.Invalid(at, "%s is not valid base64", at)
		}
		b.Source = &source{Type: "text", MediaType: "text/plain", Data: string(text)}
		return nil
	}
	return schema.Invalid(at, "%s: the provider reads PDF and text documents, not %q", at, mime)
}

// imageType corrects the type by the data's first bytes where it is missing or
// commonly wrong.
func imageType(mime, data string) string {
	if mime == "image/jpg" {
		return "image/jpeg"
	}
	if mime != "" && mime != "application/octet-stream" && mime != "image/*" {
		return mime
	}
	for prefix, t := range map[string]string{"/9j/": "image/jpeg", "iVBOR": "image/png", "R0lGOD": "image/gif", "UklGR": "image/webp"} {
		if strings.HasPrefix(data, prefix) {
			return t
		}
	}
	return "image/png"
}
