package responses

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// PromptOf reads the field prompt: {"id", "version", "variables"}. ok is false
// where a request has none; version is "" where it names none, and variables
// are JSON's values: strings, and objects for parts such as input_image. An
// error is an invalid_request with Param set.
func PromptOf(raw []byte) (id, version string, variables map[string]any, ok bool, err error) {
	if !wire.Valid(raw) {
		return "", "", nil, false, schema.Invalid("", "the body is not valid JSON")
	}
	p := gjson.GetBytes(raw, "prompt")
	if !p.Exists() || p.Type == gjson.Null {
		return "", "", nil, false, nil
	}
	id = p.Get("id").Str
	if !p.IsObject() || id == "" {
		return "", "", nil, false, schema.Invalid("prompt", "prompt must be an object with an id")
	}
	switch v := p.Get("version"); v.Type {
	case gjson.Null:
	case gjson.String, gjson.Number:
		version = v.String()
	default:
		return "", "", nil, false, schema.Invalid("prompt.version", "prompt.version must be a string")
	}
	switch v := p.Get("variables"); {
	case !v.Exists(), v.Type == gjson.Null:
	case !v.IsObject():
		return "", "", nil, false, schema.Invalid("prompt.variables", "prompt.variables must be an object")
	default:
		if err := json.Unmarshal([]byte(v.Raw), &variables); err != nil {
			return "", "", nil, false, schema.Invalid("prompt.variables", "prompt.variables cannot be read: %v", err)
		}
	}
	return id, version, variables, true, nil
}
