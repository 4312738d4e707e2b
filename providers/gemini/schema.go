package gemini

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/wire"
)

// refused are keywords of JSON Schema that the API does not take (page
// generate-content lists those of responseJsonSchema that it does); they say
// little that is not in a description.
var refused = map[string]bool{"$schema": true, "$comment": true, "examples": true, "discriminator": true,
	"deprecated": true, "readOnly": true, "writeOnly": true}

// cleanSchema takes out what the API refuses of a schema. Order is kept, for
// models write properties in it. const becomes an enum of one, which says the
// same; exclusive bounds move into the description.
func cleanSchema(raw json.RawMessage) json.RawMessage {
	if !wire.Valid(raw) {
		return raw // the API will say what is wrong with it
	}
	return appendSchema(make([]byte, 0, len(raw)+16), gjson.ParseBytes(raw))
}

// appendSchema writes one schema.
func appendSchema(dst []byte, s gjson.Result) []byte {
	if !s.IsObject() { // true, false
		return append(dst, s.Raw...)
	}
	var notes []string
	dst = append(dst, '{')
	s.ForEach(func(key, v gjson.Result) bool {
		switch name := key.Str; {
		case refused[name], name == "description":
		case name == "exclusiveMinimum" || name == "exclusiveMaximum":
			notes = append(notes, name+": "+v.Raw)
		case name == "const":
			dst = append(wire.AppendKey(dst, "enum"), '[')
			dst = append(append(dst, v.Raw...), ']')
		default:
			dst = append(append(wire.AppendComma(dst), key.Raw...), ':')
			dst = appendKeyword(dst, name, v)
		}
		return true
	})
	text := s.Get("description").String()
	if len(notes) > 0 {
		text = strings.TrimSpace(text + " (" + strings.Join(notes, ", ") + ")")
	}
	if text != "" {
		dst = wire.AppendString(wire.AppendKey(dst, "description"), text)
	}
	return append(dst, '}')
}

// appendKeyword writes a keyword's value, going into those that hold schemas.
func appendKeyword(dst []byte, name string, v gjson.Result) []byte {
	switch name {
	case "properties", "$defs", "definitions", "patternProperties":
		if v.IsObject() {
			dst = append(dst, '{')
			v.ForEach(func(key, sub gjson.Result) bool {
				dst = append(append(wire.AppendComma(dst), key.Raw...), ':')
				dst = appendSchema(dst, sub)
				return true
			})
			return append(dst, '}')
		}
	case "anyOf", "oneOf", "allOf", "prefixItems":
		if v.IsArray() {
			dst = append(dst, '[')
			v.ForEach(func(_, sub gjson.Result) bool {
				dst = appendSchema(wire.AppendComma(dst), sub)
				return true
			})
			return append(dst, ']')
		}
	case "items", "additionalProperties", "not":
		return appendSchema(dst, v)
	}
	return append(dst, v.Raw...)
}

// jsonSchema turns the API's own form of a schema (types in capitals, nullable,
// propertyOrdering) into JSON Schema.
func jsonSchema(dst []byte, s gjson.Result) []byte {
	if !s.IsObject() {
		return append(dst, s.Raw...)
	}
	dst = append(dst, '{')
	nullable := s.Get("nullable").Bool()
	s.ForEach(func(key, v gjson.Result) bool {
		name := camelCase(key.Str)
		switch name {
		case "nullable", "propertyOrdering", "example":
			return true
		}
		if v.Type == gjson.Null {
			return true
		}
		dst = wire.AppendString(wire.AppendComma(dst), name)
		dst = append(dst, ':')
		switch {
		case name == "type" && v.Type == gjson.String:
			if nullable {
				dst = append(wire.AppendString(append(dst, '['), strings.ToLower(v.Str)), `,"null"]`...)
			} else {
				dst = wire.AppendString(dst, strings.ToLower(v.Str))
			}
		case name == "properties" && v.IsObject():
			dst = append(dst, '{')
			v.ForEach(func(key, sub gjson.Result) bool {
				dst = append(append(wire.AppendComma(dst), key.Raw...), ':')
				dst = jsonSchema(dst, sub)
				return true
			})
			dst = append(dst, '}')
		case name == "anyOf" && v.IsArray():
			dst = append(dst, '[')
			v.ForEach(func(_, sub gjson.Result) bool {
				dst = jsonSchema(wire.AppendComma(dst), sub)
				return true
			})
			dst = append(dst, ']')
		case name == "items":
			dst = jsonSchema(dst, v)
		case isCount(name): // int64 in Google's JSON is a string
			dst = strconv.AppendInt(dst, v.Int(), 10)
		default:
			dst = append(dst, v.Raw...)
		}
		return true
	})
	return append(dst, '}')
}

// isCount tells the keywords whose values are int64.
func isCount(name string) bool {
	switch name {
	case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
		return true
	}
	return false
}
