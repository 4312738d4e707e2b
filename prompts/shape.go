package prompts

import (
	"encoding/json"

	"sluice/prompts/handlebars"
	"sluice/prompts/ordered"
)

// shapeOf is what a JSON Schema lets a template rely on. Where the schema does
// not say plainly which fields there are (unions, references, no properties),
// nothing is known and every path is right.
func shapeOf(v any, depth int) *handlebars.Shape {
	s, ok := v.(ordered.Object)
	if !ok || depth > 32 {
		return nil
	}
	for _, key := range []string{"$ref", "anyOf", "oneOf", "allOf", "if", "patternProperties", "$dynamicRef"} {
		if _, ok := s.Get(key); ok {
			return nil
		}
	}
	switch typeOf(s) {
	case "object":
		return objectShape(s, depth)
	case "array":
		items, _ := s.Get("items")
		return &handlebars.Shape{List: true, Elem: shapeOf(items, depth+1)}
	case "string", "number", "integer", "boolean", "null":
		return &handlebars.Shape{Scalar: true}
	}
	if values, ok := s.Get("enum"); ok {
		return enumShape(values)
	}
	return nil
}

func objectShape(s ordered.Object, depth int) *handlebars.Shape {
	properties, ok := s.Get("properties")
	props, ok2 := properties.(ordered.Object)
	if !ok || !ok2 {
		return nil
	}
	shape := &handlebars.Shape{Fields: make(map[string]*handlebars.Shape, len(props))}
	for _, p := range props {
		shape.Fields[p.Key] = shapeOf(p.Value, depth+1)
	}
	// JSON Schema allows other properties unless it is told not to; but a
	// variable that a plain list of properties lacks is a slip of the pen.
	switch rest, _ := s.Get("additionalProperties"); rest := rest.(type) {
	case bool:
		shape.Open = rest
	case ordered.Object:
		shape.Open, shape.Elem = true, shapeOf(rest, depth+1)
	}
	return shape
}

func enumShape(values any) *handlebars.Shape {
	list, _ := values.([]any)
	for _, v := range list {
		switch v.(type) {
		case nil, string, bool, json.Number:
		default:
			return nil
		}
	}
	return &handlebars.Shape{Scalar: true}
}

// typeOf is a schema's type; of a type that may also be null, the other one.
func typeOf(s ordered.Object) string {
	t, _ := s.Get("type")
	switch t := t.(type) {
	case string:
		return t
	case []any:
		name := ""
		for _, v := range t {
			if w, _ := v.(string); w != "null" {
				if name != "" {
					return ""
				}
				name = w
			}
		}
		return name
	}
	return ""
}

// variables is the shape of what the body sees: the inputs, and the results of
// the steps.
func (t *Template) variables() *handlebars.Shape {
	s := shapeOf(t.Input.Schema, 0)
	if s == nil || len(t.Sluice.Steps) == 0 {
		return s
	}
	for _, stage := range t.Sluice.Steps {
		for _, step := range stage {
			s.Fields[step.As] = nil
		}
	}
	return s
}
