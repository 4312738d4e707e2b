package prompts

import (
	"encoding/json"
	"slices"

	"sluice/prompts/ordered"
)

// What OpenAI's strict mode takes of JSON Schema (platform.openai.com/docs/
// guides/structured-outputs, "Supported schemas"), read on the careful side: a
// keyword that not every strict provider knows makes the schema not strict.
var strictKeywords = []string{"type", "title", "description", "properties", "required", "additionalProperties",
	"items", "enum", "const", "anyOf"}

const (
	strictDepth      = 5   // objects and lists within each other
	strictProperties = 100 // in the whole schema
)

// strictSchema tells whether strict mode takes a schema: every object closed
// and with all of its properties required, every value with a type.
func strictSchema(s ordered.Object) bool {
	count := 0
	return strictAt(s, 0, &count)
}

func strictAt(s ordered.Object, depth int, count *int) bool {
	if depth > strictDepth {
		return false
	}
	for _, k := range s {
		if !slices.Contains(strictKeywords, k.Key) {
			return false
		}
	}
	if forms, ok := s.Get("anyOf"); ok {
		list, _ := forms.([]any)
		for _, f := range list {
			if o, ok := f.(ordered.Object); !ok || !strictAt(o, depth, count) {
				return false
			}
		}
		return depth > 0 && len(list) > 0
	}
	switch typeOf(s) {
	case "object":
		return strictObject(s, depth, count)
	case "array":
		items, _ := s.Get("items")
		o, ok := items.(ordered.Object)
		return ok && strictAt(o, depth+1, count)
	case "":
		values, ok := s.Get("enum")
		return ok && enumType(values) != nil
	}
	return true
}

func strictObject(s ordered.Object, depth int, count *int) bool {
	rest, _ := s.Get("additionalProperties")
	properties, _ := s.Get("properties")
	props, ok := properties.(ordered.Object)
	if rest != false || !ok {
		return false
	}
	list, _ := s.Get("required")
	required, _ := list.([]any)
	if *count += len(props); *count > strictProperties {
		return false
	}
	for _, p := range props {
		o, ok := p.Value.(ordered.Object)
		if !ok || !slices.Contains(required, any(p.Key)) || !strictAt(o, depth+1, count) {
			return false
		}
	}
	return true
}

// typed gives every enum without a type the type of its values: providers want
// one, and Picoschema writes none.
func typed(s ordered.Object) ordered.Object {
	out := make(ordered.Object, 0, len(s)+1)
	values, isEnum := s.Get("enum")
	if _, has := s.Get("type"); isEnum && !has {
		if t := enumType(values); t != nil {
			out = append(out, ordered.Member{Key: "type", Value: t})
		}
	}
	for _, m := range s {
		out = append(out, ordered.Member{Key: m.Key, Value: typedBelow(m)})
	}
	return out
}

// typedBelow goes into the keywords that hold schemas, and no others: what
// stands under enum or const are values.
func typedBelow(m ordered.Member) any {
	switch v := m.Value.(type) {
	case ordered.Object:
		switch m.Key {
		case "items", "additionalProperties", "not":
			return typed(v)
		case "properties", "$defs", "definitions", "patternProperties":
			out := make(ordered.Object, 0, len(v))
			for _, p := range v {
				if o, ok := p.Value.(ordered.Object); ok {
					p.Value = typed(o)
				}
				out = append(out, p)
			}
			return out
		}
	case []any:
		if m.Key == "anyOf" || m.Key == "oneOf" || m.Key == "allOf" {
			out := make([]any, len(v))
			for i := range v {
				out[i] = v[i]
				if o, ok := v[i].(ordered.Object); ok {
					out[i] = typed(o)
				}
			}
			return out
		}
	}
	return m.Value
}

// enumType is the type that the values of an enum have in common, with null
// beside it if that is one of them; nil if there is none.
func enumType(values any) any {
	list, _ := values.([]any)
	name, null := "", false
	for _, v := range list {
		t := ""
		switch v.(type) {
		case nil:
			null = true
			continue
		case string:
			t = "string"
		case json.Number:
			t = "number"
		case bool:
			t = "boolean"
		}
		if t == "" || (name != "" && name != t) {
			return nil
		}
		name = t
	}
	switch {
	case name == "":
		return nil
	case null:
		return []any{name, "null"}
	}
	return name
}
