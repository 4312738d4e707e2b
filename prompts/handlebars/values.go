package handlebars

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

func (r *runner) arg(a arg, s *scope) (any, error) {
	switch a := a.(type) {
	case literal:
		return a.value, nil
	case *path:
		return r.lookup(a, s), nil
	case *expr:
		return r.expr(a, s)
	}
	return nil, nil
}

// expr is the value of a variable or of lookup, json or log.
func (r *runner) expr(e *expr, s *scope) (any, error) {
	if e.helper == "" {
		return r.lookup(e.path, s), nil
	}
	if e.helper == "log" {
		return nil, nil
	}
	v, err := r.arg(e.params[0], s)
	if err != nil {
		return nil, err
	}
	if e.helper == "json" {
		return r.json(e, v, s)
	}
	key, err := r.arg(e.params[1], s)
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case string:
		return field(v, k), nil
	case json.Number:
		return field(v, string(k)), nil
	case int:
		return field(v, strconv.Itoa(k)), nil
	}
	return nil, nil
}

// json writes a value as JSON; indent is as in JSON.stringify, at most ten.
func (r *runner) json(e *expr, v any, s *scope) (any, error) {
	indent := ""
	if len(e.hash) > 0 {
		n, err := r.arg(e.hash[0].value, s)
		if err != nil {
			return nil, err
		}
		if f, ok := toFloat(n); ok && f >= 1 {
			indent = strings.Repeat(" ", int(min(f, 10)))
		} else if word, ok := n.(string); ok && strings.Trim(word, " \t") == "" {
			indent = word[:min(len(word), 10)]
		}
	}
	str, err := encode(v, indent)
	if err != nil {
		return nil, r.fail(e.line, "json: %v", err)
	}
	return str, nil
}

func encode(v any, indent string) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// lookup is the value that a path leads to; nil if it leads nowhere.
func (r *runner) lookup(p *path, s *scope) any {
	parts := p.parts
	if p.data {
		return r.dataPath(p, s)
	}
	if !p.scoped && p.depth == 0 {
		for o := s; o != nil; o = o.outer {
			for i, name := range o.params {
				if i < len(o.values) && name == parts[0] {
					return descend(o.values[i], parts[1:])
				}
			}
		}
	}
	for i := 0; i < p.depth && s != nil; i++ {
		s = s.up
	}
	if s == nil {
		return nil
	}
	return descend(s.this, parts)
}

func (r *runner) dataPath(p *path, s *scope) any {
	if len(p.parts) == 0 {
		return nil
	}
	l := s.loop
	for i := 0; i < p.depth && l != nil; i++ {
		l = l.up
	}
	name, rest := p.parts[0], p.parts[1:]
	if name == "root" {
		return descend(r.root, rest)
	}
	if l != nil {
		switch name {
		case "index":
			return descend(l.index, rest)
		case "key":
			return descend(l.key, rest)
		case "first":
			return descend(l.first, rest)
		case "last":
			return descend(l.last, rest)
		}
	}
	return descend(r.data[name], rest)
}

func descend(v any, parts []string) any {
	for _, p := range parts {
		if v = field(v, p); v == nil {
			return nil
		}
	}
	return v
}

// field is one step into a value: a key of an object, an index or the length
// of a list, the length of a string in characters.
func field(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[name]
	case []any:
		if name == "length" {
			return len(v)
		}
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	case string:
		if name == "length" {
			return len([]rune(v))
		}
	}
	return nil
}

// display is how a value reads in a text: lists as their elements between
// commas, as in JavaScript; objects as JSON, which is of more use than
// [object Object].
func display(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		return string(v), nil
	case int:
		return strconv.Itoa(v), nil
	case []any:
		var b strings.Builder
		for i := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			s, err := display(v[i])
			if err != nil {
				return "", err
			}
			b.WriteString(s)
		}
		return b.String(), nil
	}
	return encode(v, "")
}

// isEmpty is Handlebars' emptiness: null, false, "" and [], but not 0.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	}
	return false
}

func isZero(v any) bool {
	f, ok := toFloat(v)
	return ok && f == 0
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	case float64:
		return v, true
	case int:
		return float64(v), true
	}
	return 0, false
}

// equal is JavaScript's === on scalars: numbers by value, never a number with
// a string. Two lists or objects are never equal. Missing and null are one.
func equal(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		s, ok := b.(string)
		return ok && a == s
	case bool:
		t, ok := b.(bool)
		return ok && a == t
	}
	if m, ok := a.(json.Number); ok && b == any(m) {
		return true // large whole numbers too
	}
	x, ok := toFloat(a)
	y, ok2 := toFloat(b)
	return ok && ok2 && x == y
}
