package upstream

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"
)

// instance is JSON that satisfies a schema: every property present, the first
// choice of every enum, one item in every array.
func instance(schema gjson.Result) string {
	b, err := json.Marshal(value(schema, schema, 0))
	if err != nil {
		return "null"
	}
	return string(b)
}

func value(root, s gjson.Result, depth int) any {
	if depth > 20 { // a schema that refers to itself
		return nil
	}
	if ref := s.Get("$ref").String(); strings.HasPrefix(ref, "#/") {
		return value(root, root.Get(strings.ReplaceAll(ref[2:], "/", ".")), depth+1)
	}
	for _, key := range []string{"const", "enum.0", "default"} {
		if v := s.Get(key); v.Exists() {
			return v.Value()
		}
	}
	for _, key := range []string{"anyOf.0", "oneOf.0", "allOf.0"} {
		if v := s.Get(key); v.Exists() {
			return value(root, v, depth+1)
		}
	}
	kind := s.Get("type")
	if kind.IsArray() {
		kind = kind.Get("0")
	}
	switch strings.ToLower(kind.String()) { // Gemini's words are OBJECT, STRING, …
	case "string":
		return "text"
	case "integer":
		return max(1, s.Get("minimum").Int())
	case "number":
		return max(0.5, s.Get("minimum").Float())
	case "boolean":
		return true
	case "array":
		return []any{value(root, s.Get("items"), depth+1)}
	case "null":
		return nil
	}
	object := map[string]any{}
	s.Get("properties").ForEach(func(k, v gjson.Result) bool {
		object[k.String()] = value(root, v, depth+1)
		return true
	})
	return object
}
