// Package picoschema turns Picoschema, Dotprompt's short way of writing a
// schema in YAML, into JSON Schema.
//
//	name: string, what the customer is called
//	age?: integer
//	mood(enum, how they feel): [good, bad]
//	tags(array): string
//	(*): any
//
// Properties keep the order in which they were written, so that the schema's
// bytes are stable. A document with a type, with properties, or with one of
// the keywords that only JSON Schema has is taken as JSON Schema as it is.
//
// Source: google.github.io/dotprompt/reference/picoschema, read 2026-11.
package picoschema

import (
	"fmt"
	"slices"
	"strings"

	"sluice/prompts/ordered"
)

var scalars = []string{"any", "boolean", "integer", "null", "number", "string"}

// wildcard is the property that stands for every other property.
const wildcard = "(*)"

// Resolver finds a named schema as an ordered value; nil knows none.
type Resolver func(name string) (any, bool)

// Parse turns a schema as it stands in a prompt file (an ordered value) into
// JSON Schema. A nil schema gives nil. Errors name the property.
func Parse(schema any, named Resolver) (any, error) {
	p := parser{named}
	switch s := schema.(type) {
	case nil:
		return nil, nil
	case string:
		return p.scalar(s, "")
	case ordered.Object:
		if isJSONSchema(s) {
			return s, nil
		}
		if props, ok := s.Get("properties"); ok {
			if _, ok := props.(ordered.Object); ok {
				return s.With("type", "object"), nil
			}
		}
		return p.value(s, "")
	}
	return nil, fmt.Errorf("a schema is a word or a mapping, not %s", kind(schema))
}

// isJSONSchema tells whether a document can only be JSON Schema. A property
// called type is taken for the keyword, as Dotprompt does.
func isJSONSchema(o ordered.Object) bool {
	switch t, _ := o.Get("type"); t := t.(type) {
	case string:
		return t == "object" || t == "array" || slices.Contains(scalars, t)
	case []any:
		return true
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf", "enum"} {
		if v, _ := o.Get(key); v != nil {
			if _, ok := v.([]any); ok {
				return true
			}
		}
	}
	ref, _ := o.Get("$ref")
	_, ok := ref.(string)
	return ok
}

type parser struct{ named Resolver }

// scalar reads "type, description", where the type may be a named schema.
func (p parser) scalar(s, path string) (any, error) {
	typ, description := splitDescription(s)
	if slices.Contains(scalars, typ) {
		out := ordered.Object{}
		if typ != "any" {
			out = out.With("type", typ)
		}
		return describe(out, description), nil
	}
	if p.named != nil {
		if v, ok := p.named(typ); ok {
			if o, ok := v.(ordered.Object); ok {
				return describe(o, description), nil
			}
			return v, nil
		}
	}
	return nil, fmt.Errorf("%sunknown type %q: it is one of %s, or the name of a schema", at(path), typ, strings.Join(scalars, ", "))
}

func (p parser) value(v any, path string) (any, error) {
	switch v := v.(type) {
	case string:
		return p.scalar(v, path)
	case ordered.Object:
		return p.object(v, path)
	}
	return nil, fmt.Errorf("%sa type is a word or a mapping, not %s", at(path), kind(v))
}

func (p parser) object(o ordered.Object, path string) (any, error) {
	properties, required := ordered.Object{}, []any{}
	var rest any = false
	for _, m := range o {
		if m.Key == wildcard {
			v, err := p.value(m.Value, path+"/*")
			if err != nil {
				return nil, err
			}
			rest = v
			continue
		}
		k, err := splitKey(m.Key)
		if err != nil {
			return nil, fmt.Errorf("%s%w", at(path), err)
		}
		if _, twice := properties.Get(k.name); twice {
			return nil, fmt.Errorf("%sproperty %q is there twice", at(path), k.name)
		}
		v, err := p.property(k, m.Value, path+"/"+k.name)
		if err != nil {
			return nil, err
		}
		properties = append(properties, ordered.Member{Key: k.name, Value: v})
		if !k.optional {
			required = append(required, k.name)
		}
	}
	out := ordered.Object{{Key: "type", Value: "object"}, {Key: "properties", Value: properties}}
	if len(required) > 0 {
		out = out.With("required", required)
	}
	return out.With("additionalProperties", rest), nil
}

// key is a property's key taken apart: name?(kind, description).
type key struct {
	name, kind, description string
	optional                bool
}

func splitKey(s string) (key, error) {
	name, info, typed := strings.Cut(s, "(")
	k := key{name: strings.TrimSuffix(name, "?"), optional: strings.HasSuffix(name, "?")}
	if k.name == "" {
		return k, fmt.Errorf("property %q has no name", s)
	}
	if !typed {
		return k, nil
	}
	if !strings.HasSuffix(info, ")") {
		return k, fmt.Errorf("property %q lacks its closing parenthesis", s)
	}
	k.kind, k.description = splitDescription(strings.TrimSuffix(info, ")"))
	if k.kind != "array" && k.kind != "object" && k.kind != "enum" {
		return k, fmt.Errorf("property %q: in parentheses stands array, object or enum, not %q", s, k.kind)
	}
	return k, nil
}

func (p parser) property(k key, v any, path string) (any, error) {
	var out ordered.Object
	switch k.kind {
	case "enum":
		values, ok := v.([]any)
		if !ok || len(values) == 0 {
			return nil, fmt.Errorf("%san enum is a list of values", at(path))
		}
		if k.optional && !slices.Contains(values, nil) {
			values = append(slices.Clone(values), nil)
		}
		return describe(ordered.Object{{Key: "enum", Value: values}}, k.description), nil
	case "array":
		items, err := p.value(v, path+"/*")
		if err != nil {
			return nil, err
		}
		out = ordered.Object{{Key: "type", Value: "array"}, {Key: "items", Value: items}}
	default:
		parsed, err := p.value(v, path)
		if err != nil {
			return nil, err
		}
		o, ok := parsed.(ordered.Object)
		if !ok { // a named schema that is true or false
			return parsed, nil
		}
		out = o
	}
	if k.optional {
		if t, ok := out.Get("type"); ok {
			if _, plain := t.(string); plain {
				out = out.With("type", []any{t, "null"})
			}
		}
	}
	return describe(out, k.description), nil
}

// splitDescription cuts at the first comma; blanks after it do not count.
func splitDescription(s string) (typ, description string) {
	typ, description, _ = strings.Cut(s, ",")
	return strings.TrimSpace(typ), strings.TrimLeft(description, " ")
}

func describe(o ordered.Object, description string) ordered.Object {
	if description == "" {
		return o
	}
	return o.With("description", description)
}

func at(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

func kind(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case []any:
		return "a list"
	case bool:
		return "true or false"
	}
	return "a number"
}
