package responses

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// ephemeral is Anthropic's mark for what OpenAI calls a cache breakpoint.
const ephemeral = `{"type":"ephemeral"}`

// breakpoint is a part's field that asks to cache the prompt up to it.
const breakpoint = "prompt_cache_breakpoint"

// decodeContent appends a content to m: null, a string, or parts.
func decodeContent(v gjson.Result, at string, m *schema.Message) error {
	switch {
	case !v.Exists(), v.Type == gjson.Null:
		return nil
	case v.Type == gjson.String:
		m.Parts = append(m.Parts, schema.TextParts(v.Str)...)
		return nil
	case !v.IsArray():
		return schema.Invalid(at, "%s must be a string or an array of parts", at)
	}
	for i, item := range v.Array() {
		at := fmt.Sprintf("%s[%d]", at, i)
		if !item.IsObject() {
			return schema.Invalid(at, "%s must be an object", at)
		}
		if item.Get("type").Str == "refusal" {
			m.Refusal += item.Get("refusal").Str
			continue
		}
		p, fault := decodePart(item)
		if fault != "" {
			return schema.Invalid(at, "%s %s", at, fault)
		}
		p.CacheControl = wire.RawObject(item.Get("cache_control"))
		if mark := wire.RawObject(item.Get(breakpoint)); mark != nil {
			p.CacheControl = json.RawMessage(ephemeral)
			p.Extra = map[string]json.RawMessage{breakpoint: mark}
		}
		m.Parts = append(m.Parts, p)
	}
	return nil
}

// decodePart reads one part; fault says what is wrong with it.
func decodePart(v gjson.Result) (p schema.Part, fault string) {
	switch kind := v.Get("type").Str; kind {
	case "input_text", "output_text", "text":
		t := v.Get("text")
		if t.Type != gjson.String {
			return p, "has no text"
		}
		p = schema.Part{Type: schema.PartText, Text: t.Str}
		if a := v.Get("annotations"); a.IsArray() && len(a.Array()) > 0 {
			p.Citations = json.RawMessage(a.Raw)
		}
		return p, ""
	case "input_image":
		m := &schema.Media{FileID: v.Get("file_id").Str, Detail: v.Get("detail").Str}
		located(m, v.Get("image_url").Str)
		if empty(m) {
			return p, "has neither image_url nor file_id"
		}
		return schema.Part{Type: schema.PartImage, Media: m}, ""
	case "input_audio":
		audio := v.Get("input_audio")
		m := &schema.Media{Data: audio.Get("data").Str}
		if m.Data == "" {
			return p, "has no input_audio.data"
		}
		switch format := audio.Get("format").Str; format {
		case "":
		case "mp3":
			m.MIME = "audio/mpeg"
		default:
			m.MIME = "audio/" + format
		}
		return schema.Part{Type: schema.PartAudio, Media: m}, ""
	case "input_file":
		return decodeFile(v)
	case "":
		return p, "has no type"
	default:
		return schema.Part{Type: schema.PartRaw, Raw: json.RawMessage(v.Raw)}, ""
	}
}

func decodeFile(v gjson.Result) (p schema.Part, fault string) {
	m := &schema.Media{FileID: v.Get("file_id").Str, Filename: v.Get("filename").Str}
	located(m, v.Get("file_data").Str)
	if m.URL != "" && !strings.Contains(m.URL, "://") { // base64 without the data: before it
		m.Data, m.URL = m.URL, ""
	}
	if url := v.Get("file_url").Str; url != "" {
		located(m, url)
	}
	if m.MIME == "" && strings.EqualFold(path.Ext(m.Filename), ".pdf") {
		m.MIME = "application/pdf"
	}
	if empty(m) {
		return p, "has none of file_id, file_data and file_url"
	}
	return schema.Part{Type: schema.PartDocument, Media: m}, ""
}

// located puts a URL into m; data: URLs are taken apart.
func located(m *schema.Media, url string) {
	if mime, data, ok := wire.DataURL(url); ok {
		m.MIME, m.Data = mime, data
	} else {
		m.URL = url
	}
}

func empty(m *schema.Media) bool { return m.FileID == "" && m.Data == "" && m.URL == "" }
