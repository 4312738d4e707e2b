package anthropic

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

const (
	atModel = iota
	atMaxTokens
	atMessages
	atSystem
	atTools
	atStream
	atMetadata
	atServiceTier
	atSpeed
)

// headFields are the fields that the gateway acts on.
var headFields = []string{"model", "max_tokens", "messages", "system", "tools", "stream", "metadata", "service_tier", "speed"}

// head is Client.Head: what the gateway must know of a request for an answer or
// for a count, in one walk.
func head(op schema.Operation, raw []byte) (schema.Head, error) {
	// The API tells usage without being asked, and makes one answer.
	h := schema.Head{N: 1, WantsUsage: true, BodyAt: bytes.IndexByte(raw, '{') + 1}
	var messages bool
	err := wire.Object(raw, headFields, func(field int, v gjson.Result) error {
		at := schema.Span{From: v.Index, To: v.Index + len(v.Raw)}
		null := v.Type == gjson.Null
		switch field {
		case atModel:
			if v.Type != gjson.String || v.Str == "" {
				return schema.Invalid("model", "model must be a non-empty string")
			}
			h.Model, h.ModelAt = strings.Clone(v.Str), at
		case atMaxTokens:
			return headMaxTokens(&h, at, v)
		case atMessages:
			if !v.IsArray() || strings.TrimSpace(v.Raw[1:len(v.Raw)-1]) == "" {
				return schema.Invalid("messages", "messages must be a non-empty array")
			}
			h.PromptSize += len(v.Raw)
			h.HasMedia, messages = hasMedia(v), true
		case atSystem:
			if v.Type != gjson.String && !v.IsArray() && !null {
				return schema.Invalid("system", "system must be a string or an array of text blocks")
			}
			h.PromptSize += len(v.Raw)
		case atTools:
			if !v.IsArray() && !null {
				return schema.Invalid("tools", "tools must be an array")
			}
			h.PromptSize += len(v.Raw)
		case atStream:
			if !v.IsBool() && !null {
				return schema.Invalid("stream", "stream must be a boolean")
			}
			h.Stream = v.Type == gjson.True
		case atMetadata:
			return headMetadata(&h, v)
		case atServiceTier, atSpeed:
			return headTier(&h, field, v)
		}
		return nil
	})
	switch {
	case err != nil:
		return schema.Head{}, err
	case h.Model == "":
		return schema.Head{}, schema.Invalid("model", "model is missing")
	case !messages:
		return schema.Head{}, schema.Invalid("messages", "messages is missing")
	case op == schema.OpChat && !h.MaxTokensAt.Present():
		return schema.Head{}, schema.Invalid("max_tokens", "max_tokens is missing")
	}
	return h, nil
}

// headMaxTokens reads max_tokens. Zero is a number of its own here: it fills
// the prompt cache and makes no answer (page prompt-caching, "pre-warming the
// cache").
func headMaxTokens(h *schema.Head, at schema.Span, v gjson.Result) error {
	n, err := strconv.ParseInt(v.Raw, 10, 64)
	if v.Type != gjson.Number || err != nil || n < 0 {
		return schema.Invalid("max_tokens", "max_tokens must be an integer of at least 1, or 0 to fill the cache only")
	}
	h.MaxTokens, h.MaxTokensAt, h.MaxTokensName = n, at, "max_tokens"
	return nil
}

// headTier reads what the answer's price depends on: the tier, and fast mode,
// which counts for one of its own.
func headTier(h *schema.Head, field int, v gjson.Result) error {
	if v.Type != gjson.String && v.Type != gjson.Null {
		return schema.Invalid(headFields[field], "%s must be a string", headFields[field])
	}
	switch {
	case field == atServiceTier && h.ServiceTier != speedFast:
		h.ServiceTier = strings.Clone(v.Str)
	case field == atSpeed && v.Str != "" && v.Str != "standard":
		h.ServiceTier = speedFast // or a word that is not known yet, and no cheaper
	}
	return nil
}

// headMetadata takes user_id for the user, and other strings for tags.
func headMetadata(h *schema.Head, v gjson.Result) (err error) {
	if v.Type == gjson.Null {
		return nil
	}
	if !v.IsObject() {
		return schema.Invalid("metadata", "metadata must be an object")
	}
	v.ForEach(func(key, value gjson.Result) bool {
		switch {
		case value.Type == gjson.Null:
		case value.Type != gjson.String:
			err = schema.Invalid("metadata", "metadata.%s must be a string", key.Str)
		case key.Str == "user_id":
			h.User = strings.Clone(value.Str)
		default:
			h.Tags = append(h.Tags, key.Str+":"+value.Str)
		}
		return err == nil
	})
	return err
}

// hasMedia tells whether a message holds an image or a document, also within
// a tool's result. Most bodies hold neither word, which a search finds out.
func hasMedia(messages gjson.Result) (found bool) {
	if !strings.Contains(messages.Raw, `"image"`) && !strings.Contains(messages.Raw, `"document"`) {
		return false
	}
	var look func(blocks gjson.Result, depth int)
	look = func(blocks gjson.Result, depth int) {
		each(blocks, func(b gjson.Result) {
			switch b.Get("type").Str {
			case "image", "document":
				found = true
			case "tool_result":
				if depth == 0 && !found {
					look(b.Get("content"), 1)
				}
			}
		})
	}
	each(messages, func(m gjson.Result) {
		if !found {
			look(m.Get("content"), 0)
		}
	})
	return found
}

// each walks an array; what is none has no elements.
func each(v gjson.Result, f func(gjson.Result)) {
	if v.IsArray() {
		v.ForEach(func(_, item gjson.Result) bool { f(item); return true })
	}
}

// splice is Chat.Splice: the provider's model and, where it is clamped, the
// limit. A limit of zero is below any other and stays.
func splice(p *wire.Patch, _ []byte, h *schema.Head, model string, maxTokens int64) {
	if model != h.Model {
		p.String(h.ModelAt, model)
	}
	if h.MaxTokens > 0 && maxTokens > 0 {
		p.Number(h.MaxTokensAt, maxTokens)
	}
}

var keySignature = []byte(`"signature":`)

// foreign is Client.Foreign: thinking that this API has not signed, which comes
// of our answers for other providers, and calls signed by Gemini. The API
// refuses both.
func foreign(raw []byte) bool {
	for rest := raw; ; {
		i := bytes.Index(rest, keySignature)
		if i < 0 {
			return wire.SignedCalls(raw)
		}
		rest = bytes.TrimLeft(rest[i+len(keySignature):], " ")
		if len(rest) == 0 || rest[0] != '"' {
			continue
		}
		if !wire.Anthropics(wire.View(rest[1 : 1+wire.StringEnd(rest[1:])])) {
			return true
		}
	}
}
