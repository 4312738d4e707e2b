package anthropic

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decodeBlock appends one content block to parts. Blocks of Anthropic's own
// tools, and those not known, are kept verbatim.
func decodeBlock(b gjson.Result, at string, parts *[]schema.Part) error {
	p := schema.Part{CacheControl: wire.RawObject(b.Get("cache_control"))}
	switch kind := b.Get("type").Str; kind {
	case "text":
		t := b.Get("text")
		if t.Type != gjson.String {
			return schema.Invalid(at+".text", "%s.text must be a string", at)
		}
		p.Type, p.Text = schema.PartText, t.Str
		if c := b.Get("citations"); c.IsArray() && len(c.Array()) > 0 {
			p.Citations = json.RawMessage(c.Raw)
		}
	case "thinking":
		p = schema.Part{Type: schema.PartThinking, Text: b.Get("thinking").Str, Signature: b.Get("signature").Str}
	case "redacted_thinking":
		p = schema.Part{Type: schema.PartRedactedThinking, Data: b.Get("data").Str}
	case "image", "document":
		if err := decodeMedia(b, at, &p); err != nil {
			return err
		}
	case "":
		return schema.Invalid(at+".type", "%s.type must be a non-empty string", at)
	default:
		p = schema.Part{Type: schema.PartRaw, Raw: json.RawMessage(b.Raw), Text: inWords(b)}
	}
	*parts = append(*parts, p)
	return nil
}

// decodeMedia reads an image or a document.
func decodeMedia(b gjson.Result, at string, p *schema.Part) error {
	p.Type = schema.PartImage
	if b.Get("type").Str == "document" {
		p.Type = schema.PartDocument
	}
	p.Extra = wire.Others(b, "type", "source", "title", "cache_control")
	src := b.Get("source")
	m := &schema.Media{MIME: src.Get("media_type").Str, Filename: b.Get("title").Str}
	p.Media = m
	missing := func(name string) error {
		return schema.Invalid(at+".source."+name, "%s.source.%s must be a non-empty string", at, name)
	}
	switch kind := src.Get("type").Str; kind {
	case "base64":
		if m.Data = src.Get("data").Str; m.Data == "" {
			return missing("data")
		}
	case "url":
		if m.URL = src.Get("url").Str; m.URL == "" {
			return missing("url")
		}
	case "file":
		if m.FileID = src.Get("file_id").Str; m.FileID == "" {
			return missing("file_id")
		}
	case "text":
		m.MIME, m.Data = "text/plain", base64.StdEncoding.EncodeToString([]byte(src.Get("data").Str))
	case "content":
		return decodeContentSource(b, src, p)
	default:
		return schema.Invalid(at+".source.type", "%s.source.type %q is not known", at, kind)
	}
	return nil
}

// decodeContentSource reads a document given as blocks, on whose order its
// citations depend: the source is kept beside its text. One that holds images
// has no other form than its own.
func decodeContentSource(b, src gjson.Result, p *schema.Part) error {
	c := src.Get("content")
	text, plain := c.Str, c.Type == gjson.String
	if !plain {
		text, plain = blocksText(c)
	}
	if !plain {
		*p = schema.Part{Type: schema.PartRaw, Raw: json.RawMessage(b.Raw), Text: text}
		return nil
	}
	p.Media.MIME, p.Media.Data = "text/plain", base64.StdEncoding.EncodeToString([]byte(text))
	if p.Extra == nil {
		p.Extra = make(map[string]json.RawMessage)
	}
	p.Extra["source"] = json.RawMessage(src.Raw)
	return nil
}

// blocksText joins the texts of blocks; all is false where there are others.
func blocksText(v gjson.Result) (text string, all bool) {
	var texts []string
	all = true
	each(v, func(b gjson.Result) {
		if b.Get("type").Str == "text" {
			texts = append(texts, b.Get("text").Str)
		} else {
			all = false
		}
	})
	return strings.Join(texts, "\n"), all && v.IsArray()
}

// inWords is what a raw block says to a model that does not know it: a search
// result has a text, most others are about tools that no one else has.
func inWords(b gjson.Result) string {
	if b.Get("type").Str != "search_result" {
		return ""
	}
	text, _ := blocksText(b.Get("content"))
	return strings.TrimSpace(b.Get("title").Str + "\n" + b.Get("source").Str + "\n" + text)
}
