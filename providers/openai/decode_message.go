package openai

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// reasoningFields are where hosts put the text that a model thinks:
// DeepSeek's word, which most took over, and Groq's and OpenRouter's.
var reasoningFields = []string{"reasoning_content", "reasoning"}

func decodeMessages(v gjson.Result) ([]schema.Message, error) {
	if !v.IsArray() {
		return nil, schema.Invalid("messages", "messages must be an array")
	}
	items := v.Array()
	out := make([]schema.Message, 0, len(items))
	legacy := 0 // calls of the time before tools have no id
	for i, item := range items {
		at := fmt.Sprintf("messages[%d]", i)
		if !item.IsObject() {
			return nil, schema.Invalid(at, "%s must be an object", at)
		}
		m, err := decodeMessage(item, at)
		if err != nil {
			return nil, err
		}
		switch {
		case m.Role == "function":
			m.Role, m.ToolCallID = schema.RoleTool, legacyID(legacy)
		case item.Get("function_call").IsObject() && len(m.ToolCalls) == 0:
			legacy++
			m.ToolCalls = []openai.ToolCall{{ID: legacyID(legacy), Type: openai.ToolTypeFunction,
				Function: decodeCall(item.Get("function_call"))}}
		}
		out = append(out, m)
	}
	return out, nil
}

func legacyID(n int) string { return fmt.Sprintf("call_function_%d", n) }

func decodeMessage(item gjson.Result, at string) (schema.Message, error) {
	m := schema.Message{Role: item.Get("role").Str}
	switch m.Role {
	case schema.RoleSystem, schema.RoleDeveloper, schema.RoleUser, schema.RoleAssistant, schema.RoleTool, "function":
	default:
		return m, schema.Invalid(at+".role", "%s.role must be system, developer, user, assistant or tool", at)
	}
	if m.Role == schema.RoleAssistant {
		m.Parts = decodeThinking(item)
	}
	var err error
	item.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "content":
			m.Parts, err = decodeContent(v, at+".content", m.Parts)
		case "name":
			m.Name, err = wire.TextIn(item, at, key.Str)
		case "tool_call_id":
			m.ToolCallID, err = wire.TextIn(item, at, key.Str)
		case "tool_calls":
			if err = checkCalls(v, at+".tool_calls"); err != nil {
				return false
			}
			m.ToolCalls = decodeToolCalls(v, nil)
			for i := range m.ToolCalls {
				m.ToolCalls[i].Index = nil
			}
		case "refusal":
			m.Refusal, err = wire.TextIn(item, at, key.Str)
		case "role", "function_call", "reasoning_content", "reasoning", "reasoning_details", "thinking_blocks", "cache_control":
		default:
			if v.Type != gjson.Null {
				m.Extra = addExtra(m.Extra, key.Str, v.Raw)
			}
		}
		return err == nil
	})
	if mark := wire.RawObject(item.Get("cache_control")); mark != nil && len(m.Parts) > 0 {
		m.Parts[len(m.Parts)-1].CacheControl = mark
	}
	return m, err
}

// decodeThinking gives what an assistant thought, signatures kept: LiteLLM's
// thinking_blocks, OpenRouter's reasoning_details, or the bare text.
func decodeThinking(m gjson.Result) []schema.Part {
	var out []schema.Part
	each(m.Get("thinking_blocks"), func(b gjson.Result) {
		if b.Get("type").Str == "redacted_thinking" {
			out = append(out, schema.Part{Type: schema.PartRedactedThinking, Data: b.Get("data").Str})
		} else {
			out = append(out, schema.Part{Type: schema.PartThinking, Text: b.Get("thinking").Str, Signature: b.Get("signature").Str})
		}
	})
	if out != nil {
		return out
	}
	each(m.Get("reasoning_details"), func(b gjson.Result) {
		switch b.Get("type").Str {
		case "reasoning.text":
			out = append(out, schema.Part{Type: schema.PartThinking, Text: b.Get("text").Str, Signature: b.Get("signature").Str})
		case "reasoning.encrypted":
			out = append(out, schema.Part{Type: schema.PartRedactedThinking, Data: b.Get("data").Str})
		}
	})
	if out != nil {
		return out
	}
	for _, field := range reasoningFields {
		if t := m.Get(field); t.Type == gjson.String && t.Str != "" {
			return []schema.Part{{Type: schema.PartThinking, Text: t.Str}}
		}
	}
	return nil
}

// decodeContent reads a content: null, a string, or parts.
func decodeContent(v gjson.Result, at string, out []schema.Part) ([]schema.Part, error) {
	switch {
	case v.Type == gjson.Null:
		return out, nil
	case v.Type == gjson.String:
		if v.Str != "" {
			out = append(out, schema.Part{Type: schema.PartText, Text: v.Str})
		}
		return out, nil
	case !v.IsArray():
		return nil, schema.Invalid(at, "%s must be a string or an array of parts", at)
	}
	for i, item := range v.Array() {
		p, err := decodePart(item)
		if err != "" {
			at := fmt.Sprintf("%s[%d]", at, i)
			return nil, schema.Invalid(at, "%s %s", at, err)
		}
		p.CacheControl = wire.RawObject(item.Get("cache_control"))
		out = append(out, p)
	}
	return out, nil
}

// decodePart reads one part; fault says what is wrong with it.
func decodePart(v gjson.Result) (p schema.Part, fault string) {
	switch kind := v.Get("type").Str; kind {
	case "text", "input_text", "output_text":
		if t := v.Get("text"); t.Type == gjson.String {
			return schema.Part{Type: schema.PartText, Text: t.Str}, ""
		}
		return p, "has no text"
	case "image_url":
		image := v.Get("image_url")
		url := image.Get("url").Str
		if image.Type == gjson.String {
			url = image.Str
		}
		if url == "" {
			return p, "has no image_url.url"
		}
		m := media(url)
		m.Detail = image.Get("detail").Str
		return schema.Part{Type: schema.PartImage, Media: m}, ""
	case "input_audio":
		data := v.Get("input_audio.data").Str
		if data == "" {
			return p, "has no input_audio.data"
		}
		return schema.Part{Type: schema.PartAudio, Media: &schema.Media{Data: data, MIME: audioMIME(v.Get("input_audio.format").Str)}}, ""
	case "file":
		return decodeFile(v.Get("file"))
	case "thinking":
		return schema.Part{Type: schema.PartThinking, Text: thinkingText(v.Get("thinking")), Signature: v.Get("signature").Str}, ""
	case "redacted_thinking":
		return schema.Part{Type: schema.PartRedactedThinking, Data: v.Get("data").Str}, ""
	case "":
		return p, "has no type"
	default:
		return schema.Part{Type: schema.PartRaw, Raw: json.RawMessage(v.Raw)}, ""
	}
}

// thinkingText reads Anthropic's string or Mistral's list of texts.
func thinkingText(v gjson.Result) string {
	if v.Type == gjson.String {
		return v.Str
	}
	var out strings.Builder
	each(v, func(t gjson.Result) { out.WriteString(t.Get("text").Str) })
	return out.String()
}

func decodeFile(v gjson.Result) (p schema.Part, fault string) {
	m := &schema.Media{FileID: v.Get("file_id").Str, Filename: v.Get("filename").Str}
	if data := v.Get("file_data").Str; data != "" {
		from := media(data)
		m.URL, m.MIME, m.Data = from.URL, from.MIME, from.Data
		if m.URL != "" && !strings.Contains(m.URL, "://") { // base64 without the data: before it
			m.Data, m.URL = m.URL, ""
		}
		if m.MIME == "" && strings.EqualFold(path.Ext(m.Filename), ".pdf") {
			m.MIME = "application/pdf"
		}
	}
	if m.FileID == "" && m.Data == "" && m.URL == "" {
		return p, "has neither file.file_id nor file.file_data"
	}
	return schema.Part{Type: schema.PartDocument, Media: m}, ""
}

// media is what a URL names: data: URLs are taken apart.
func media(url string) *schema.Media {
	if mime, data, ok := wire.DataURL(url); ok {
		return &schema.Media{MIME: mime, Data: data}
	}
	return &schema.Media{URL: url}
}

func audioMIME(format string) string {
	switch format {
	case "":
		return ""
	case "mp3":
		return "audio/mpeg"
	}
	return "audio/" + format
}
