package prompts

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"sluice/prompts/ordered"
)

// Pair is one name and value of a form or a query; a file of a form is a pair
// whose value is a data URL.
type Pair struct{ Name, Value string }

// The most that a form or query may hold.
const (
	maxPairs     = 10_000
	maxPairDepth = 32
)

// InputFromPairs makes an input of a form or a query. Dots in a name reach into
// objects (who.name); a name that comes more than once, or ends in [], makes a
// list. Values become what the input schema says: numbers, true and false, or
// objects written as JSON; a value that does not fit stays text, so that
// CheckInput tells what is wrong with it.
func (t *Template) InputFromPairs(pairs []Pair) (map[string]any, error) {
	if len(pairs) > maxPairs {
		return nil, fmt.Errorf("more than %d fields", maxPairs)
	}
	values, order := map[string][]string{}, []string{}
	listed := map[string]bool{}
	for _, p := range pairs {
		name, list := strings.CutSuffix(p.Name, "[]")
		if name == "" {
			return nil, fmt.Errorf("a field has no name")
		}
		if values[name] == nil {
			order = append(order, name)
		}
		values[name] = append(values[name], p.Value)
		listed[name] = listed[name] || list
	}
	root := map[string]any{}
	for _, name := range order {
		into, key, s, err := t.place(root, name)
		if err != nil {
			return nil, err
		}
		if _, taken := into[key]; taken {
			return nil, fmt.Errorf("the field %q is both a value and an object", name)
		}
		into[key] = coerceAll(values[name], listed[name], s)
	}
	return root, nil
}

// place finds the object that a dotted name leads into, makes it if need be,
// and tells the key in it and the schema of what belongs there.
func (t *Template) place(root map[string]any, name string) (map[string]any, string, ordered.Object, error) {
	s, _ := t.Input.Schema.(ordered.Object)
	if p := named(s, name); p != nil { // a property with a dot in its name
		return root, name, p, nil
	}
	parts := strings.Split(name, ".")
	if len(parts) > maxPairDepth {
		return nil, "", nil, fmt.Errorf("the field %q reaches deeper than %d", name, maxPairDepth)
	}
	into := root
	for _, part := range parts[:len(parts)-1] {
		if part == "" {
			return nil, "", nil, fmt.Errorf("the field %q has an empty part", name)
		}
		if s = property(s, part); typeOf(s) == "array" {
			return nil, "", nil, fmt.Errorf("the field %q: a list is given by repeating its name", name)
		}
		switch next := into[part].(type) {
		case nil:
			m := map[string]any{}
			into[part] = m
			into = m
		case map[string]any:
			into = next
		default:
			return nil, "", nil, fmt.Errorf("the field %q is both a value and an object", name)
		}
	}
	last := parts[len(parts)-1]
	if last == "" {
		return nil, "", nil, fmt.Errorf("the field %q has an empty part", name)
	}
	return into, last, property(s, last), nil
}

// property is the schema of one property; nil if nothing is said about it.
func property(s ordered.Object, name string) ordered.Object {
	if p := named(s, name); p != nil {
		return p
	}
	rest, _ := s.Get("additionalProperties")
	o, _ := rest.(ordered.Object)
	return o
}

// named is the schema of a property that is listed.
func named(s ordered.Object, name string) ordered.Object {
	properties, _ := s.Get("properties")
	props, _ := properties.(ordered.Object)
	p, _ := props.Get(name)
	o, _ := p.(ordered.Object)
	return o
}

func coerceAll(values []string, listed bool, s ordered.Object) any {
	if typeOf(s) != "array" {
		if len(values) == 1 && !listed {
			return coerce(values[0], s)
		}
		list := make([]any, len(values))
		for i, v := range values {
			list[i] = coerce(v, s)
		}
		return list
	}
	if len(values) == 1 && !listed && strings.HasPrefix(values[0], "[") {
		if v, ok := fromJSON(values[0]).([]any); ok {
			return v
		}
	}
	items, _ := s.Get("items")
	item, _ := items.(ordered.Object)
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = coerce(v, item)
	}
	return list
}

var (
	jsonInteger = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	jsonNumber  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
)

// coerce makes a value of what a form holds; what does not fit stays text.
func coerce(v string, s ordered.Object) any {
	typ := typeOf(s)
	if v == "" && typ != "string" && nullable(s) {
		return nil
	}
	switch typ {
	case "integer":
		if jsonInteger.MatchString(v) {
			return json.Number(v)
		}
	case "number":
		if jsonNumber.MatchString(v) {
			return json.Number(v)
		}
	case "boolean":
		switch v {
		case "true", "on", "1":
			return true
		case "false", "off", "0":
			return false
		}
	case "object":
		if o, ok := fromJSON(v).(map[string]any); ok {
			return o
		}
	}
	return v
}

// nullable tells whether a schema's type allows null.
func nullable(s ordered.Object) bool {
	t, _ := s.Get("type")
	if t == "null" {
		return true
	}
	list, _ := t.([]any)
	for _, w := range list {
		if w == "null" {
			return true
		}
	}
	return false
}

// fromJSON is the plain value of a JSON text; nil if it is none.
func fromJSON(s string) any {
	v, err := ordered.Decode([]byte(s))
	if err != nil {
		return nil
	}
	return ordered.Plain(v)
}
