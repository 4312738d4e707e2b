// Package ordered holds JSON values whose objects keep the order of their
// keys, so that what was read from a file is written again in the same order,
// to the byte.
//
// A value is nil, a bool, a string, a json.Number, a []any of values or an
// Object. Values are never changed in place: With makes a new object.
package ordered

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxDepth bounds the nesting of what is read from outside.
const maxDepth = 512

// Member is one key of an object with its value.
type Member struct {
	Key   string
	Value any
}

// Object is a JSON object in the order of its keys; no key is there twice.
type Object []Member

// Get finds the value of a key.
func (o Object) Get(key string) (any, bool) {
	for i := range o {
		if o[i].Key == key {
			return o[i].Value, true
		}
	}
	return nil, false
}

// With is the object with one key set; a key that was there keeps its place.
func (o Object) With(key string, value any) Object {
	out := make(Object, len(o), len(o)+1)
	copy(out, o)
	for i := range out {
		if out[i].Key == key {
			out[i].Value = value
			return out
		}
	}
	return append(out, Member{key, value})
}

// Merge is the object with every key of p set.
func (o Object) Merge(p Object) Object {
	for _, m := range p {
		o = o.With(m.Key, m.Value)
	}
	return o
}

// MarshalJSON writes the object in its order, without white space.
func (o Object) MarshalJSON() ([]byte, error) { return Append(nil, o), nil }

// Append writes a value as compact JSON after dst. HTML characters are not
// escaped. A value of a foreign type is written as null.
func Append(dst []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case string:
		return appendString(dst, v)
	case json.Number:
		return append(dst, v...)
	case []any:
		dst = append(dst, '[')
		for i := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = Append(dst, v[i])
		}
		return append(dst, ']')
	case Object:
		dst = append(dst, '{')
		for i := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, v[i].Key), ':')
			dst = Append(dst, v[i].Value)
		}
		return append(dst, '}')
	}
	return append(dst, "null"...)
}

// appendString writes s as a JSON string; bytes that are not UTF-8 become
// U+FFFD.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		}
		i++
	}
	return append(dst, '"')
}

// Plain is the value with objects as map[string]any: what templates and
// schema validators read.
func Plain(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = Plain(v[i])
		}
		return out
	case Object:
		out := make(map[string]any, len(v))
		for _, m := range v {
			out[m.Key] = Plain(m.Value)
		}
		return out
	}
	return v
}

// Decode reads one JSON document. Of a key that is there twice, the last
// value counts.
func Decode(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := decode(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("data after the JSON value")
	}
	return v, nil
}

func decode(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	tok, err := d.Token()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	switch tok {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := decode(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	case json.Delim('{'):
		b := Builder{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decode(d, depth+1)
			if err != nil {
				return nil, err
			}
			b.Set(key.(string), v)
		}
		_, err = d.Token()
		return b.Object(), err
	}
	return tok, nil
}

// Builder makes an object key by key, in linear time however many there are.
// The zero value is ready for use.
type Builder struct {
	members Object
	at      map[string]int
}

// Set adds a key, or gives one that is there its new value; it tells whether
// the key is new.
func (b *Builder) Set(key string, v any) bool {
	if b.at == nil {
		b.at = make(map[string]int)
		b.members = Object{}
	}
	if i, ok := b.at[key]; ok {
		b.members[i].Value = v
		return false
	}
	b.at[key] = len(b.members)
	b.members = append(b.members, Member{key, v})
	return true
}

// Get is the value of a key that was set; nil: there is none.
func (b *Builder) Get(key string) any {
	if i, ok := b.at[key]; ok {
		return b.members[i].Value
	}
	return nil
}

// Object is what was built so far; it is never nil.
func (b *Builder) Object() Object {
	if b.members == nil {
		return Object{}
	}
	return b.members
}
