package responses

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

const fieldMaxTokens = "max_output_tokens"

// The fields that the gateway acts on.
const (
	atModel = iota
	atInput
	atInstructions
	atStream
	atMaxTokens
	atTools
	atMetadata
	atSafetyIdentifier
	atUser
	atStore
	atPrevious
	atConversation
	atPrompt
	atServiceTier
)

var headFields = []string{"model", "input", "instructions", "stream", fieldMaxTokens, "tools", "metadata", "safety_identifier",
	"user", "store", "previous_response_id", "conversation", "prompt", "service_tier"}

// head reads what the gateway must know of a request, in one walk. The API
// always tells usage, and makes one answer.
func head(_ schema.Operation, raw []byte) (schema.Head, error) {
	h := schema.Head{N: 1, WantsUsage: true, BodyAt: bytes.IndexByte(raw, '{') + 1}
	var input, state, prompt bool
	err := wire.Object(raw, headFields, func(field int, v gjson.Result) error {
		if v.Type == gjson.Null {
			if field == atMaxTokens { // where a limit must be put
				h.MaxTokensAt, h.MaxTokensName = schema.Span{From: v.Index, To: v.Index + len(v.Raw)}, fieldMaxTokens
			}
			return nil
		}
		switch field {
		case atInput:
			h.PromptSize += len(v.Raw)
			h.HasMedia, input = hasMedia(v), true
			if v.Type != gjson.String && !v.IsArray() {
				return schema.Invalid("input", "input must be a string or an array of items")
			}
		case atPrevious, atConversation:
			state = true
			if field == atPrevious && (v.Type != gjson.String || v.Str == "") {
				return schema.Invalid("previous_response_id", "previous_response_id must be a non-empty string")
			}
		case atPrompt:
			prompt = true
			if !v.IsObject() || v.Get("id").Str == "" {
				return schema.Invalid("prompt", "prompt must be an object with an id")
			}
		default:
			return headField(&h, field, v)
		}
		return nil
	})
	switch {
	case err != nil:
		return schema.Head{}, err
	case h.Model == "" && !prompt:
		return schema.Head{}, schema.Invalid("model", "model is missing")
	case !input && !state && !prompt:
		return schema.Head{}, schema.Invalid("input", "input is missing")
	}
	return h, nil
}

func headField(h *schema.Head, field int, v gjson.Result) error {
	name := headFields[field]
	at := schema.Span{From: v.Index, To: v.Index + len(v.Raw)}
	switch field {
	case atModel:
		if v.Type != gjson.String || v.Str == "" {
			return schema.Invalid(name, "model must be a non-empty string")
		}
		h.Model, h.ModelAt = strings.Clone(v.Str), at
	case atInstructions:
		h.PromptSize += len(v.Raw)
		if v.Type != gjson.String {
			return schema.Invalid(name, "instructions must be a string")
		}
	case atStream, atStore:
		on, err := wire.Boolean(name, v)
		if field == atStream {
			h.Stream = on
		}
		return err
	case atMaxTokens:
		n, err := strconv.ParseInt(v.Raw, 10, 64)
		if v.Type != gjson.Number || err != nil || n < 1 {
			return schema.Invalid(name, "%s must be an integer of at least 1", name)
		}
		h.MaxTokens, h.MaxTokensAt, h.MaxTokensName = n, at, name
	case atTools:
		h.PromptSize += len(v.Raw)
		if !v.IsArray() {
			return schema.Invalid(name, "tools must be an array")
		}
	case atMetadata:
		return wire.Pairs(name, v, func(key, value string) { h.Tags = append(h.Tags, key+":"+value) })
	case atSafetyIdentifier, atUser: // user, where both are there, for it comes later
		user, err := wire.Text(name, v)
		h.User = strings.Clone(user)
		return err
	case atServiceTier:
		tier, err := wire.Text(name, v)
		h.ServiceTier = strings.Clone(tier)
		return err
	}
	return nil
}

// hasMedia tells whether an item holds a part that is not text, in what is said
// or in a tool's result.
func hasMedia(input gjson.Result) (found bool) {
	if !strings.Contains(input.Raw, `"input_`) {
		return false
	}
	wire.Each(input, func(item gjson.Result) {
		for _, field := range []string{"content", "output"} {
			wire.Each(item.Get(field), func(part gjson.Result) {
				switch part.Get("type").Str {
				case "input_image", "input_file", "input_audio":
					found = true
				}
			})
		}
	})
	return found
}
