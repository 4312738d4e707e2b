package admin

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"sluice/billing"
)

// jsonSchema is a schema that is written by hand.
type jsonSchema map[string]any

// schemaOf is the JSON schema of a type by its fields and their tags. What is
// answered has all its fields, but for those that are left out when empty; what
// is sent needs none, for the handler says better what is missing.
func schemaOf(v any, answered bool) any {
	if s, ok := v.(jsonSchema); ok {
		return s
	}
	return typeSchema(reflect.TypeOf(v), answered, 0)
}

var (
	moneyType     = reflect.TypeFor[billing.Nano]()
	timeType      = reflect.TypeFor[time.Time]()
	rawType       = reflect.TypeFor[json.RawMessage]()
	marshalerType = reflect.TypeFor[json.Marshaler]()
)

// written is the schema of a type that writes or reads itself; nil: it does not.
func written(t reflect.Type) any {
	switch t {
	case reflect.TypeFor[billing.BudgetStatus]():
		return budgetSchema()
	case reflect.TypeFor[billing.Budgets](): // as one is made
		return written(reflect.TypeFor[budgetsIn]())
	case reflect.TypeFor[budgetsIn]():
		one := typeSchema(reflect.TypeFor[budgetIn](), false, 1)
		return jsonSchema{"description": "null, one budget, or a list", "anyOf": []any{jsonSchema{"type": "null"}, one, jsonSchema{"type": "array", "items": one}}}
	}
	return nil
}

// deepest is how far types are followed: one that holds itself has no end.
const deepest = 8

func typeSchema(t reflect.Type, answered bool, depth int) any {
	if s := written(t); s != nil {
		return s
	}
	nested := func(t reflect.Type) any { return typeSchema(t, answered, depth+1) }
	switch {
	case t.Kind() == reflect.Pointer && depth <= deepest:
		return jsonSchema{"anyOf": []any{nested(t.Elem()), jsonSchema{"type": "null"}}}
	case t == moneyType && answered:
		return jsonSchema{"type": "string", "description": "dollars", "examples": []string{"0.25"}}
	case t == moneyType:
		return jsonSchema{"type": []string{"string", "number"}, "description": "dollars"}
	case t == timeType:
		return jsonSchema{"type": "string", "format": "date-time"}
	case depth > deepest, t == rawType, t.Kind() == reflect.Interface, t.Implements(marshalerType):
		return jsonSchema{}
	}
	switch t.Kind() {
	case reflect.Bool:
		return jsonSchema{"type": "boolean"}
	case reflect.String:
		return jsonSchema{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return jsonSchema{"type": "number"}
	case reflect.Slice, reflect.Array:
		return jsonSchema{"type": "array", "items": nested(t.Elem())}
	case reflect.Map:
		return jsonSchema{"type": "object", "additionalProperties": nested(t.Elem())}
	case reflect.Struct:
		s := jsonSchema{"type": "object"}
		properties, required := map[string]any{}, []string{}
		fieldSchemas(t, answered, depth, func(name string, schema any, always bool) {
			properties[name] = schema
			if always && answered {
				required = append(required, name)
			}
		})
		s["properties"], s["required"] = properties, required
		return s
	}
	return jsonSchema{"type": "integer"}
}

// fieldSchemas gives the fields of a struct, those of embedded ones among them.
func fieldSchemas(t reflect.Type, answered bool, depth int, give func(name string, schema any, always bool)) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			fieldSchemas(f.Type, answered, depth, give)
		case name == "" || name == "-" || !f.IsExported():
		case f.Type == rawType && !answered: // may be sent back as it was read, and is ignored
		default:
			give(name, typeSchema(f.Type, answered, depth+1), !strings.Contains(options, "omit"))
		}
	}
}
