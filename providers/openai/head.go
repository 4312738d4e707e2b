package openai

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// maxChoices is the most that OpenAI makes of one request.
const maxChoices = 128

// The fields that the gateway acts on.
const (
	fieldMaxTokens           = "max_tokens"
	fieldMaxCompletionTokens = "max_completion_tokens"
)

const (
	atPromptID = iota // before the rest, which such a request may lack
	atModel
	atMessages
	atStream
	atStreamOptions
	atMaxTokens
	atMaxCompletionTokens
	atN
	atUser
	atMetadata
	atTools
	atFunctions
	atInput
	atServiceTier
)

var headFields = []string{"prompt_id", "model", "messages", "stream", "stream_options", fieldMaxTokens, fieldMaxCompletionTokens,
	"n", "user", "metadata", "tools", "functions", "input", "service_tier"}

var streamOptionFields = []string{"include_usage"}

// head reads what the gateway must know of a request, in one walk.
func head(op schema.Operation, raw []byte) (schema.Head, error) {
	if op == schema.OpRerank {
		return rerankHead(raw)
	}
	h := schema.Head{N: 1, BodyAt: bytes.IndexByte(raw, '{') + 1}
	var found seen
	err := wire.Object(raw, headFields, func(field int, v gjson.Result) error {
		at := schema.Span{From: v.Index, To: v.Index + len(v.Raw)}
		null := v.Type == gjson.Null
		switch field {
		case atPromptID:
			return promptID(op, &h, v)
		case atModel:
			found.model = true
			return model(&h, at, v)
		case atMessages:
			if op == schema.OpChat && (!v.IsArray() || isEmpty(v) && h.PromptID == "") {
				return schema.Invalid("messages", "messages must be a non-empty array")
			}
			h.PromptSize += len(v.Raw)
			h.HasMedia, found.messages = v.IsArray() && hasMedia(v), true
		case atStream:
			if h.Stream = v.Type == gjson.True; !v.IsBool() && !null {
				return schema.Invalid("stream", "stream must be a boolean")
			}
		case atStreamOptions:
			return streamOptions(&h, at, v)
		case atMaxTokens, atMaxCompletionTokens:
			return maxTokens(&h, headFields[field], at, v)
		case atN:
			return choices(&h, v)
		case atUser:
			return text("user", &h.User, v)
		case atMetadata:
			return metadata(&h, v)
		case atTools, atFunctions:
			if !v.IsArray() && !null {
				return schema.Invalid(headFields[field], "%s must be an array", headFields[field])
			}
			h.PromptSize += len(v.Raw)
		case atInput:
			if op == schema.OpEmbed && (v.Type != gjson.String && !v.IsArray() || isEmpty(v)) {
				return schema.Invalid("input", "input must be a non-empty string or array")
			}
			h.PromptSize += len(v.Raw)
			found.input = true
		case atServiceTier:
			return text("service_tier", &h.ServiceTier, v)
		}
		return nil
	})
	if err == nil && h.PromptID == "" {
		err = found.enough(op)
	}
	if err != nil {
		return schema.Head{}, err
	}
	return h, nil
}

// promptID takes a chat's prompt_id.
func promptID(op schema.Operation, h *schema.Head, v gjson.Result) error {
	if op != schema.OpChat {
		return nil
	}
	return text("prompt_id", &h.PromptID, v)
}

func model(h *schema.Head, at schema.Span, v gjson.Result) error {
	if v.Type != gjson.String || v.Str == "" {
		return schema.Invalid("model", "model must be a non-empty string")
	}
	h.Model, h.ModelAt = strings.Clone(v.Str), at
	return nil
}

// seen tells which of the fields were there that a request must have.
type seen struct{ model, messages, input bool }

func (s seen) enough(op schema.Operation) error {
	field := ""
	switch {
	case !s.model:
		field = "model"
	case op == schema.OpChat && !s.messages:
		field = "messages"
	case op == schema.OpEmbed && !s.input:
		field = "input"
	default:
		return nil
	}
	return schema.Invalid(field, "%s is missing", field)
}

// isEmpty tells whether a valid array or string is empty.
func isEmpty(v gjson.Result) bool {
	return v.Type == gjson.String && v.Str == "" || v.IsArray() && strings.TrimSpace(v.Raw[1:len(v.Raw)-1]) == ""
}

// hasMedia tells whether a message has a part that is not text. Most bodies
// have strings for contents, and hold no bracket but the messages' own.
func hasMedia(messages gjson.Result) (found bool) {
	if strings.IndexByte(messages.Raw[1:], '[') < 0 {
		return false
	}
	messages.ForEach(func(_, m gjson.Result) bool {
		each(m.Get("content"), func(part gjson.Result) {
			switch part.Get("type").Str {
			case "image_url", "input_audio", "file":
				found = true
			}
		})
		return !found
	})
	return found
}

func streamOptions(h *schema.Head, at schema.Span, v gjson.Result) error {
	h.StreamOptionsAt = at
	if v.Type == gjson.Null {
		return nil
	}
	if !v.IsObject() {
		return schema.Invalid("stream_options", "stream_options must be an object")
	}
	return wire.Fields(v, streamOptionFields, func(_ int, v gjson.Result) error {
		if !v.IsBool() && v.Type != gjson.Null {
			return schema.Invalid("stream_options.include_usage", "stream_options.include_usage must be a boolean")
		}
		h.WantsUsage = v.Type == gjson.True
		return nil
	})
}

// maxTokens reads one of the two fields that limit the output. OpenAI refuses
// requests that set both, and so must we: which of them counts is the host's
// choice.
func maxTokens(h *schema.Head, name string, at schema.Span, v gjson.Result) error {
	if v.Type == gjson.Null {
		if !h.MaxTokensAt.Present() {
			h.MaxTokensAt, h.MaxTokensName = at, name
		}
		return nil
	}
	n, err := strconv.ParseInt(v.Raw, 10, 64)
	if v.Type != gjson.Number || err != nil || n < 1 {
		return schema.Invalid(name, "%s must be an integer of at least 1", name)
	}
	if h.MaxTokens > 0 {
		return schema.Invalid(name, "max_tokens and max_completion_tokens cannot both be set")
	}
	h.MaxTokens, h.MaxTokensAt, h.MaxTokensName = n, at, name
	return nil
}

func text(name string, into *string, v gjson.Result) error {
	if *into = strings.Clone(v.Str); v.Type != gjson.String && v.Type != gjson.Null {
		return schema.Invalid(name, "%s must be a string", name)
	}
	return nil
}

func choices(h *schema.Head, v gjson.Result) error {
	if v.Type == gjson.Null {
		return nil
	}
	n, err := strconv.ParseInt(v.Raw, 10, 64)
	if v.Type != gjson.Number || err != nil || n < 1 || n > maxChoices {
		return schema.Invalid("n", "n must be an integer from 1 to %d", maxChoices)
	}
	h.N = n
	return nil
}

func metadata(h *schema.Head, v gjson.Result) (err error) {
	if v.Type == gjson.Null {
		return nil
	}
	if !v.IsObject() {
		return schema.Invalid("metadata", "metadata must be an object of strings")
	}
	v.ForEach(func(key, value gjson.Result) bool {
		if value.Type != gjson.String {
			err = schema.Invalid("metadata", "metadata.%s must be a string", key.Str)
			return false
		}
		h.Tags = append(h.Tags, key.Str+":"+value.Str)
		return true
	})
	return err
}
