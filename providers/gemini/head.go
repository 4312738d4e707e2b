package gemini

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// maxChoices is the most candidates that the API makes of one request.
const maxChoices = 8

// headFields are the fields that the gateway acts on, each in both of its
// forms; together they would be two readings of one request.
var headFields = []string{"contents", "systemInstruction", "system_instruction", "tools", "generationConfig", "generation_config",
	"labels", "generateContentRequest", "generate_content_request", "content", "requests", "model", "serviceTier", "service_tier"}

var configFields = []string{"maxOutputTokens", "max_output_tokens", "candidateCount", "candidate_count"}

// header is the walk's state.
type header struct {
	h    schema.Head
	op   schema.Operation
	seen map[string]bool
}

// head is Client.Head. The model and the streaming stand in the request's
// path: the caller sets them. A body's own model is found for Splice to set.
func head(op schema.Operation, raw []byte) (schema.Head, error) {
	w := &header{op: op, seen: map[string]bool{}}
	w.h = schema.Head{N: 1, WantsUsage: true, BodyAt: bytes.IndexByte(raw, '{') + 1}
	err := wire.Object(raw, headFields, w.field)
	switch {
	case err != nil:
		return schema.Head{}, err
	case op == schema.OpEmbed && !w.seen["content"] && !w.seen["requests"]:
		return schema.Head{}, schema.Invalid("content", "content is missing")
	case (op == schema.OpChat || op == schema.OpCount) && !w.seen["contents"]:
		return schema.Head{}, schema.Invalid("contents", "contents is missing")
	}
	return w.h, nil
}

func (w *header) field(i int, v gjson.Result) error {
	name := camelCase(headFields[i])
	if w.seen[name] {
		return schema.Invalid(name, "the field %q stands in the body twice", name)
	}
	w.seen[name] = true
	at := schema.Span{From: v.Index, To: v.Index + len(v.Raw)}
	null := v.Type == gjson.Null
	switch name {
	case "contents":
		if (w.op == schema.OpChat || w.op == schema.OpCount) && (!v.IsArray() && !v.IsObject() || isEmpty(v)) {
			return schema.Invalid(name, "contents must be a non-empty array")
		}
		w.h.PromptSize += len(v.Raw)
		w.h.HasMedia = w.h.HasMedia || hasMedia(v)
	case "systemInstruction", "tools":
		if v.Type != gjson.JSON && !null {
			return schema.Invalid(name, "%s must be an object or an array", name)
		}
		w.h.PromptSize += len(v.Raw)
	case "generationConfig":
		return w.config(v)
	case "labels":
		return w.labels(v)
	case "generateContentRequest":
		if w.op != schema.OpCount || !v.IsObject() {
			return schema.Invalid(name, "generateContentRequest must be an object, in a request to count tokens")
		}
		return wire.Fields(v, headFields, w.field)
	case "content", "requests":
		if w.op == schema.OpEmbed && (v.Type != gjson.JSON || isEmpty(v)) {
			return schema.Invalid(name, "%s must not be empty", name)
		}
		w.h.PromptSize += len(v.Raw)
	case "model":
		if v.Type != gjson.String && !null {
			return schema.Invalid(name, "model must be a string")
		}
		w.h.ModelAt = at
	case "serviceTier":
		if v.Type != gjson.String && !null {
			return schema.Invalid(name, "serviceTier must be a string")
		}
		if w.h.ServiceTier = strings.Clone(v.Str); v.Str != "" {
			if known := tierName(strings.TrimPrefix(strings.ToLower(v.Str), "service_tier_")); known != "" {
				w.h.ServiceTier = known
			}
		}
	}
	return nil
}

// isEmpty tells whether an array or an object is empty.
func isEmpty(v gjson.Result) bool {
	return v.Type == gjson.JSON && strings.TrimSpace(v.Raw[1:len(v.Raw)-1]) == ""
}

// hasMedia tells whether a part is not text. Most bodies do not hold the words.
func hasMedia(contents gjson.Result) (found bool) {
	if !strings.Contains(contents.Raw, `"inline`) && !strings.Contains(contents.Raw, `"file`) {
		return false
	}
	each(contents, func(c gjson.Result) {
		each(c.Get("parts"), func(p gjson.Result) {
			found = found || field(p, "inlineData").IsObject() || field(p, "fileData").IsObject()
		})
	})
	return found
}

func (w *header) config(v gjson.Result) error {
	if v.Type == gjson.Null {
		return nil
	}
	if !v.IsObject() {
		return schema.Invalid("generationConfig", "generationConfig must be an object")
	}
	return wire.Fields(v, configFields, func(i int, v gjson.Result) error {
		name := camelCase(configFields[i])
		param := "generationConfig." + name
		if w.seen[param] {
			return schema.Invalid(param, "the field %q stands in the body twice", param)
		}
		w.seen[param] = true
		limit := name == "maxOutputTokens"
		if limit {
			w.h.MaxTokensAt, w.h.MaxTokensName = schema.Span{From: v.Index, To: v.Index + len(v.Raw)}, param
		}
		if v.Type == gjson.Null {
			return nil
		}
		n, err := strconv.ParseInt(v.Raw, 10, 64)
		if v.Type != gjson.Number || err != nil || n < 1 || !limit && n > maxChoices {
			if limit {
				return schema.Invalid(param, "%s must be an integer of at least 1", param)
			}
			return schema.Invalid(param, "%s must be an integer from 1 to %d", param, maxChoices)
		}
		if limit {
			w.h.MaxTokens = n
		} else {
			w.h.N = n
		}
		return nil
	})
}

func (w *header) labels(v gjson.Result) (err error) {
	if v.Type == gjson.Null {
		return nil
	}
	if !v.IsObject() {
		return schema.Invalid("labels", "labels must be an object of strings")
	}
	v.ForEach(func(key, value gjson.Result) bool {
		if value.Type != gjson.String {
			err = schema.Invalid("labels", "labels.%s must be a string", key.Str)
			return false
		}
		w.h.Tags = append(w.h.Tags, key.Str+":"+value.Str)
		return true
	})
	return err
}
