package anthropic

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"
	"sluice/providers/wire"
)

// unsupported are the keywords that structured outputs refuse (page
// structured-outputs, "JSON Schema limitations"). They are taken out, and told
// to the model in the description instead, as Anthropic's own SDKs do.
var unsupported = map[string]bool{
	"minimum": true, "maximum": true, "exclusiveMinimum": true, "exclusiveMaximum": true, "multipleOf": true,
	"minLength": true, "maxLength": true, "maxItems": true, "uniqueItems": true, "contains": true,
	"minProperties": true, "maxProperties": true, "propertyNames": true,
}

// annotations say nothing about what is valid; the API does not need them.
var annotations = map[string]bool{"$schema": true, "$id": true, "$comment": true, "examples": true, "deprecated": true, "readOnly": true, "writeOnly": true}

// closeSchema makes a schema one that structured outputs accept: every object
// closed (additionalProperties false), no keyword that they refuse; order is
// kept, for models write properties in it. ok is false where it cannot be
// done: an open object was asked for, or the schema is recursive.
func closeSchema(raw json.RawMessage) (closed json.RawMessage, ok bool) {
	root := gjson.ParseBytes(raw)
	if !root.IsObject() || recursive(root) {
		return nil, false
	}
	out, ok := appendClosed(make([]byte, 0, len(raw)+64), root)
	return out, ok
}

// appendClosed writes one schema.
func appendClosed(dst []byte, s gjson.Result) ([]byte, bool) {
	if !s.IsObject() { // true, false
		return append(dst, s.Raw...), true
	}
	var notes []string
	ok, first, described := true, true, false
	isObject := s.Get("properties").Exists() || typeIs(s, "object")
	field := func(name string) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		quoted, _ := wire.Marshal(name) // a string always has a JSON form
		dst = append(append(dst, quoted...), ':')
	}
	dst = append(dst, '{')
	s.ForEach(func(key, v gjson.Result) bool {
		name := key.String()
		switch {
		case name == "additionalProperties":
			ok = ok && v.Type == gjson.False
			return ok
		case unsupported[name], name == "minItems" && v.Int() > 1:
			notes = append(notes, name+": "+v.Raw)
			return true
		case annotations[name]:
			return true
		case name == "patternProperties", name == "not", name == "if", name == "unevaluatedProperties":
			ok = false
			return false
		case name == "description":
			described = true
			return true
		}
		field(name)
		dst, ok = appendKeyword(dst, name, v)
		return ok
	})
	if text := description(s.Get("description").String(), notes); described || text != "" {
		field("description")
		quoted, _ := wire.Marshal(text)
		dst = append(dst, quoted...)
	}
	if isObject {
		field("additionalProperties")
		dst = append(dst, "false"...)
	}
	return append(dst, '}'), ok
}

// appendKeyword writes a keyword's value, going into those that hold schemas.
func appendKeyword(dst []byte, name string, v gjson.Result) ([]byte, bool) {
	ok := true
	each := func(open, end byte, named bool) {
		dst = append(dst, open)
		first := true
		v.ForEach(func(key, sub gjson.Result) bool {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			if named {
				dst = append(append(dst, key.Raw...), ':')
			}
			dst, ok = appendClosed(dst, sub)
			return ok
		})
		dst = append(dst, end)
	}
	switch {
	case (name == "properties" || name == "$defs" || name == "definitions") && v.IsObject():
		each('{', '}', true)
	case (name == "anyOf" || name == "allOf" || name == "prefixItems") && v.IsArray():
		each('[', ']', false)
	case name == "oneOf": // not among the keywords that are taken
		return dst, false
	case name == "items":
		return appendClosed(dst, v)
	default:
		dst = append(dst, v.Raw...)
	}
	return dst, ok
}

func typeIs(s gjson.Result, want string) bool {
	t := s.Get("type")
	if t.IsArray() {
		for _, one := range t.Array() {
			if one.String() == want {
				return true
			}
		}
	}
	return t.String() == want
}

// description joins a schema's own words with the rules taken out of it.
func description(text string, notes []string) string {
	if len(notes) == 0 {
		return text
	}
	return strings.TrimSpace(text + " (" + strings.Join(notes, ", ") + ")")
}

// recursive tells whether a definition can reach itself through references.
// References to anything but a definition count as such.
func recursive(root gjson.Result) bool {
	graph := map[string][]string{}
	for _, group := range []string{"$defs", "definitions"} {
		root.Get(strings.ReplaceAll(group, "$", `\$`)).ForEach(func(key, def gjson.Result) bool {
			graph["#/"+group+"/"+key.String()] = references(def, nil)
			return true
		})
	}
	state := map[string]int{} // 1: on the path, 2: done
	var cyclic func(ref string) bool
	cyclic = func(ref string) bool {
		next, known := graph[ref]
		if !known || state[ref] == 1 {
			return true
		}
		if state[ref] == 2 {
			return false
		}
		state[ref] = 1
		for _, n := range next {
			if cyclic(n) {
				return true
			}
		}
		state[ref] = 2
		return false
	}
	for _, ref := range references(root, nil) {
		if cyclic(ref) {
			return true
		}
	}
	return false
}

// references lists every $ref below v.
func references(v gjson.Result, list []string) []string {
	v.ForEach(func(key, sub gjson.Result) bool {
		if key.String() == "$ref" && sub.Type == gjson.String {
			list = append(list, sub.String())
			return true
		}
		if sub.IsObject() || sub.IsArray() {
			list = references(sub, list)
		}
		return true
	})
	return list
}
