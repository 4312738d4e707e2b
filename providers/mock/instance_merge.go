package mock

import (
	"bytes"
	"encoding/json"

	"github.com/tidwall/gjson"
)

// without is s less one keyword.
func without(s gjson.Result, keyword string) gjson.Result {
	var w objectWriter
	s.ForEach(func(k, v gjson.Result) bool {
		if k.String() != keyword {
			w.field(k.String(), v.Raw)
		}
		return true
	})
	return w.result()
}

// merge is what satisfies both schemas, where that can be told from the
// keywords alone: properties and required add up, numbers take the stricter
// bound, all else is b's.
func merge(a, b gjson.Result) gjson.Result {
	if !b.IsObject() {
		return a
	}
	if !a.IsObject() {
		return b
	}
	var w objectWriter
	a.ForEach(func(k, v gjson.Result) bool {
		name := k.String()
		other := member(b, name)
		switch {
		case !other.Exists():
			w.field(name, v.Raw)
		case name == "properties":
			w.field(name, mergeProperties(v, other).Raw)
		case name == "required":
			w.field(name, joinLists(v, other))
		case stricterIsMore[name] && v.Num > other.Num, stricterIsLess[name] && v.Num < other.Num:
			w.field(name, v.Raw)
		default:
			w.field(name, other.Raw)
		}
		return true
	})
	b.ForEach(func(k, v gjson.Result) bool {
		if !member(a, k.String()).Exists() {
			w.field(k.String(), v.Raw)
		}
		return true
	})
	return w.result()
}

var (
	stricterIsMore = map[string]bool{"minimum": true, "exclusiveMinimum": true, "minLength": true, "minItems": true, "minProperties": true}
	stricterIsLess = map[string]bool{"maximum": true, "exclusiveMaximum": true, "maxLength": true, "maxItems": true, "maxProperties": true}
)

// mergeProperties joins two maps of schemas; a name in both must satisfy both.
func mergeProperties(a, b gjson.Result) gjson.Result {
	var w objectWriter
	a.ForEach(func(k, v gjson.Result) bool {
		if other := member(b, k.String()); other.Exists() {
			v = merge(v, other)
		}
		w.field(k.String(), v.Raw)
		return true
	})
	b.ForEach(func(k, v gjson.Result) bool {
		if !member(a, k.String()).Exists() {
			w.field(k.String(), v.Raw)
		}
		return true
	})
	return w.result()
}

func joinLists(a, b gjson.Result) string {
	var out bytes.Buffer
	out.WriteByte('[')
	for i, v := range append(a.Array(), b.Array()...) {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(v.Raw)
	}
	out.WriteByte(']')
	return out.String()
}

// member is a field of an object by its exact name, without gjson's path
// syntax.
func member(s gjson.Result, name string) (found gjson.Result) {
	s.ForEach(func(k, v gjson.Result) bool {
		if k.String() == name {
			found = v
			return false
		}
		return true
	})
	return found
}

// objectWriter writes one JSON object.
type objectWriter struct{ buf []byte }

func (w *objectWriter) field(name, raw string) {
	sep := byte(',')
	if len(w.buf) == 0 {
		sep = '{'
	}
	quoted, _ := json.Marshal(name) // a string always has a JSON form
	w.buf = append(append(append(w.buf, sep), quoted...), ':')
	w.buf = append(w.buf, raw...)
}

func (w *objectWriter) result() gjson.Result {
	if len(w.buf) == 0 {
		return gjson.Parse("{}")
	}
	return gjson.Parse(string(append(w.buf, '}')))
}
