package prompts

import (
	"encoding/json"
	"slices"

	"sluice/prompts/ordered"
)

// CallerSchema is the input's JSON Schema as callers see it: inputs that have
// a default need not be sent, and tell it. Without an input schema it takes any
// object. It must not be changed.
func (t *Template) CallerSchema() ordered.Object {
	s, ok := t.Input.Schema.(ordered.Object)
	if !ok {
		return ordered.Object{{Key: "type", Value: "object"}, {Key: "additionalProperties", Value: true}}
	}
	out := make(ordered.Object, 0, len(s))
	for _, m := range s {
		switch m.Key {
		case "required":
			m.Value = t.notFilled(m.Value)
			if list, _ := m.Value.([]any); len(list) == 0 {
				continue
			}
		case "properties":
			m.Value = t.withDefault(m.Value)
		}
		out = append(out, m)
	}
	return out
}

// notFilled are the required inputs without a default.
func (t *Template) notFilled(required any) any {
	list, _ := required.([]any)
	return slices.DeleteFunc(slices.Clone(list), func(v any) bool {
		name, _ := v.(string)
		_, filled := t.Input.Default.Get(name)
		return filled
	})
}

func (t *Template) withDefault(properties any) any {
	props, _ := properties.(ordered.Object)
	out := make(ordered.Object, 0, len(props))
	for _, p := range props {
		if v, ok := t.Input.Default.Get(p.Key); ok {
			if o, ok := p.Value.(ordered.Object); ok {
				p.Value = o.With("default", v)
			}
		}
		out = append(out, p)
	}
	return out
}

// Examples are an input that the prompt takes and an output that it may give,
// as JSON: of the first test, else made up. nil: none is known.
func (t *Template) Examples() (input, output json.RawMessage) {
	in, made := any(nil), false
	for i := range t.Sluice.Tests {
		in, made = toOrdered(t.Sluice.Tests[i].Input), true
		break
	}
	if !made {
		in = exampleOf(t.CallerSchema(), 0)
	}
	if o, ok := in.(ordered.Object); ok {
		if m, _ := ordered.Plain(o).(map[string]any); len(t.CheckInput(m)) == 0 {
			input = ordered.Append(nil, o)
		}
	}
	if t.Output.Schema == nil {
		return input, nil
	}
	for i := range t.Sluice.Tests {
		if v, ok := t.Sluice.Tests[i].Expect.Get("json"); ok && len(t.checkValue(v)) == 0 {
			return input, ordered.Append(nil, v)
		}
	}
	if v := exampleOf(t.Output.Schema, 0); len(t.checkValue(v)) == 0 {
		output = ordered.Append(nil, v)
	}
	return input, output
}

// exampleOf is a value that a plain schema takes; of others it may be one that
// it does not take.
func exampleOf(schema any, depth int) any {
	s, ok := schema.(ordered.Object)
	if !ok || depth > 16 {
		return nil
	}
	for _, key := range []string{"const", "default"} {
		if v, ok := s.Get(key); ok {
			return v
		}
	}
	for _, key := range []string{"examples", "enum"} {
		v, _ := s.Get(key)
		if list, _ := v.([]any); len(list) > 0 {
			return list[0]
		}
	}
	switch typeOf(s) {
	case "object":
		out := ordered.Object{}
		needed := requiredOf(s)
		for _, p := range propertiesOf(s) {
			if slices.Contains(needed, p.Key) {
				out = append(out, ordered.Member{Key: p.Key, Value: exampleOf(p.Value, depth+1)})
			}
		}
		return out
	case "array":
		items, _ := s.Get("items")
		return []any{exampleOf(items, depth+1)}
	case "string":
		return "text"
	case "integer", "number":
		return json.Number("1")
	case "boolean":
		return true
	}
	return nil
}
