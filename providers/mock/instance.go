package mock

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// Bounds of what Instance makes of recursive schemas.
const (
	shallow     = 4        // so deep, optional properties and items are made
	deep        = 12       // so deep, null and plain values are preferred
	deepest     = 40       // so deep, it gives up
	largeOutput = 64 << 10 // beyond this size only what is required is made
)

// Instance makes a JSON value that satisfies a JSON Schema, always the same
// for the same schema: the first of an enum, the least number, strings named
// after their property. It knows types, enum, const, properties, required,
// items, prefixItems, formats, patterns, the bounds of numbers, strings, lists
// and objects, $ref within the schema, allOf, anyOf and oneOf; not, if and
// dependent schemas are not looked at. A schema that is not JSON makes null.
func Instance(schema json.RawMessage) json.RawMessage {
	if !json.Valid(schema) {
		return json.RawMessage("null")
	}
	g := &generator{root: gjson.ParseBytes(schema)}
	g.value(g.root, place{name: "text"})
	return g.out
}

// InstanceAt is Instance for the schema at a JSON pointer in a document such as
// one of OpenAPI: what schemas there give as example, examples or default stands
// for what would be made, and what is only written is left out unless it is
// required.
func InstanceAt(document json.RawMessage, pointer string) json.RawMessage {
	if !json.Valid(document) {
		return json.RawMessage("null")
	}
	g := &generator{root: gjson.ParseBytes(document), examples: true}
	g.value(g.pointer("#"+pointer), place{name: "text"})
	return g.out
}

type generator struct {
	root     gjson.Result
	examples bool // as InstanceAt has it
	out      []byte
}

// example is what a schema itself gives.
func (g *generator) example(s gjson.Result) (given gjson.Result) {
	for _, name := range []string{"example", "examples.0", "default"} {
		if given = s.Get(name); g.examples && given.Exists() {
			return given
		}
	}
	return gjson.Result{}
}

// place is where a value goes: the property's name, the index among unique
// items, and how deep it is.
type place struct {
	name  string
	index int
	depth int
}

func (p place) down(name string, index int) place {
	return place{name: name, index: index, depth: p.depth + 1}
}

func (g *generator) generous(p place) bool { return p.depth < shallow && len(g.out) < largeOutput }

// value writes an instance of s.
func (g *generator) value(s gjson.Result, p place) {
	if p.depth > deepest {
		g.out = append(g.out, "null"...)
		return
	}
	s = g.resolve(s, p)
	if c := s.Get("const"); c.Exists() {
		g.out = append(g.out, c.Raw...)
		return
	}
	if e := g.example(s); e.Exists() {
		g.out = append(g.out, e.Raw...)
		return
	}
	if all := s.Get("enum").Array(); len(all) > 0 {
		g.out = append(g.out, all[p.index%len(all)].Raw...)
		return
	}
	switch typeOf(s, p) {
	case "object":
		g.object(s, p)
	case "array":
		g.array(s, p)
	case "integer":
		g.out = append(g.out, number(s, p.index, true)...)
	case "number":
		g.out = append(g.out, number(s, p.index, false)...)
	case "boolean":
		g.out = strconv.AppendBool(g.out, p.index%2 == 0)
	case "null":
		g.out = append(g.out, "null"...)
	default:
		quoted, _ := json.Marshal(text(s, p)) // a string always has a JSON form
		g.out = append(g.out, quoted...)
	}
}

// resolve follows references and merges allOf and one of the alternatives into
// the schema itself.
func (g *generator) resolve(s gjson.Result, p place) gjson.Result {
	for range deepest {
		switch {
		case s.Get(`\$ref`).Type == gjson.String:
			target := g.pointer(s.Get(`\$ref`).String())
			s = merge(without(s, "$ref"), target)
		case s.Get("allOf").IsArray():
			rest := without(s, "allOf")
			for _, part := range s.Get("allOf").Array() {
				rest = merge(rest, part)
			}
			s = rest
		case s.Get("anyOf").IsArray():
			s = merge(without(s, "anyOf"), g.alternative(s.Get("anyOf").Array(), p))
		case s.Get("oneOf").IsArray():
			s = merge(without(s, "oneOf"), g.alternative(s.Get("oneOf").Array(), p))
		default:
			return s
		}
	}
	return gjson.Parse("true") // references in a circle
}

// alternative is the first one that is not null; deep down the plainest.
func (g *generator) alternative(list []gjson.Result, p place) gjson.Result {
	plain := func(s gjson.Result) bool {
		t := s.Get("type").String()
		return t != "object" && t != "array" && !s.Get(`\$ref`).Exists() && !s.Get("properties").Exists()
	}
	isNull := func(s gjson.Result) bool { return s.Get("type").String() == "null" }
	order := []func(gjson.Result) bool{func(s gjson.Result) bool { return !isNull(s) }}
	if p.depth >= deep || len(g.out) >= largeOutput {
		order = []func(gjson.Result) bool{isNull, plain}
	}
	for _, good := range order {
		if i := slices.IndexFunc(list, good); i >= 0 {
			return list[i]
		}
	}
	if len(list) == 0 {
		return gjson.Parse("true")
	}
	return list[0]
}

// pointer finds what a reference such as #/$defs/node names; an unknown one
// allows everything.
func (g *generator) pointer(ref string) gjson.Result {
	path, local := strings.CutPrefix(ref, "#")
	if !local {
		return gjson.Parse("true")
	}
	at := g.root
	for step := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if step == "" {
			continue
		}
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		next := gjson.Result{}
		if n, err := strconv.Atoi(step); err == nil && at.IsArray() && n < len(at.Array()) && n >= 0 {
			next = at.Array()[n]
		} else {
			at.ForEach(func(k, v gjson.Result) bool {
				if k.String() == step {
					next = v
				}
				return !next.Exists()
			})
		}
		if at = next; !at.Exists() {
			return gjson.Parse("true")
		}
	}
	return at
}

// typeOf is the type to make: the first that is not null, or the one that the
// keywords speak of.
func typeOf(s gjson.Result, p place) string {
	t := s.Get("type")
	if t.IsArray() {
		if p.depth >= deep && slices.ContainsFunc(t.Array(), func(r gjson.Result) bool { return r.String() == "null" }) {
			return "null"
		}
		for _, one := range t.Array() {
			if one.String() != "null" {
				return one.String()
			}
		}
		return "null"
	}
	if t.Exists() {
		return t.String()
	}
	for _, hint := range []struct{ keyword, kind string }{
		{"properties", "object"}, {"required", "object"}, {"additionalProperties", "object"}, {"minProperties", "object"},
		{"items", "array"}, {"prefixItems", "array"}, {"minItems", "array"},
		{"minimum", "number"}, {"maximum", "number"}, {"exclusiveMinimum", "number"}, {"multipleOf", "number"},
	} {
		if s.Get(hint.keyword).Exists() {
			return hint.kind
		}
	}
	return "string"
}
