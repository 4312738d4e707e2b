package prompts

import (
	"fmt"
	"slices"

	"sluice/prompts/ordered"
)

// comparison finds what differs between two JSON Schemas, seen by those who
// call the prompt. An input's schema must not take less than it did; an
// output's must not give what it did not.
type comparison struct {
	side   string
	strict bool           // an input: what is narrower breaks; else what is wider does
	filled ordered.Object // defaults of inputs: nobody needs to send these
	found  []SchemaChange
}

func (c *comparison) note(pointer string, breaking bool, format string, args ...any) {
	c.found = append(c.found, SchemaChange{c.side, pointer, fmt.Sprintf(format, args...), breaking})
}

// prose are the keywords that say nothing about which values are right.
var prose = []string{"description", "title", "examples", "$comment", "default", "$schema", "$id"}

// schemas compares two schemas of the value at a pointer; nil takes anything.
func (c *comparison) schemas(from, to any, pointer string, depth int) {
	a, okA := from.(ordered.Object)
	b, okB := to.(ordered.Object)
	switch {
	case jsonText(from) == jsonText(to):
		return
	case depth > maxValueDepth || !okA && !okB:
		c.note(pointer, true, "the schema has changed")
		return
	case !okA:
		c.note(pointer, c.strict, "has a schema now")
		return
	case !okB:
		c.note(pointer, !c.strict, "has no schema any more")
		return
	}
	if !c.types(a, b, pointer) {
		return
	}
	c.enums(a, b, pointer)
	c.properties(a, b, pointer, depth)
	x, _ := a.Get("items")
	y, _ := b.Get("items")
	if x != nil || y != nil {
		c.schemas(x, y, pointer+"/*", depth+1)
	}
	c.others(a, b, pointer)
}

// types compares the types; false where nothing below is comparable.
func (c *comparison) types(a, b ordered.Object, pointer string) bool {
	x, y := typeNames(a), typeNames(b)
	if slices.Equal(x, y) {
		return true
	}
	gone, added := missing(x, y), missing(y, x)
	if slices.Contains(y, "number") {
		gone = slices.DeleteFunc(gone, func(t string) bool { return t == "integer" })
	}
	if slices.Contains(x, "number") {
		added = slices.DeleteFunc(added, func(t string) bool { return t == "integer" })
	}
	breaking := len(gone) > 0 // an input that was right is wrong now
	if !c.strict {
		breaking = len(added) > 0 // an output that could not be is possible now
	}
	c.note(pointer, breaking, "the type was %s and is %s now", typesText(x), typesText(y))
	return len(x) > 0 && len(y) > 0 && x[0] == y[0]
}

// typeNames are the types that a schema names, sorted; none: any.
func typeNames(s ordered.Object) []string {
	t, _ := s.Get("type")
	var out []string
	switch t := t.(type) {
	case string:
		out = []string{t}
	case []any:
		for _, v := range t {
			if name, ok := v.(string); ok {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

func typesText(names []string) string {
	if len(names) == 0 {
		return "any"
	}
	return jsonText(toOrdered(anyList(names)))
}

func anyList(names []string) []any {
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out
}

// missing are the elements of a that b has not.
func missing(a, b []string) []string {
	var out []string
	for _, v := range a {
		if !slices.Contains(b, v) {
			out = append(out, v)
		}
	}
	return out
}

// enums compares the lists of values that are allowed.
func (c *comparison) enums(a, b ordered.Object, pointer string) {
	x, hasX := enumTexts(a)
	y, hasY := enumTexts(b)
	switch {
	case hasX && hasY:
		for _, v := range missing(x, y) {
			c.note(pointer, c.strict, "the value %s is gone", v)
		}
		for _, v := range missing(y, x) {
			c.note(pointer, !c.strict, "the value %s is new", v)
		}
	case hasX:
		c.note(pointer, !c.strict, "is no longer one of a list of values")
	case hasY:
		c.note(pointer, c.strict, "is one of a list of values now")
	}
}

func enumTexts(s ordered.Object) ([]string, bool) {
	v, ok := s.Get("enum")
	list, _ := v.([]any)
	out := make([]string, len(list))
	for i := range list {
		out[i] = jsonText(list[i])
	}
	return out, ok
}

// properties compares the properties of objects.
func (c *comparison) properties(a, b ordered.Object, pointer string, depth int) {
	was, is := propertiesOf(a), propertiesOf(b)
	needed, needs := requiredOf(a), requiredOf(b)
	_, closed := b.Get("additionalProperties")
	for _, p := range was {
		at := pointer + "/" + escapePointer(p.Key)
		now, still := is.Get(p.Key)
		switch {
		case !still:
			c.note(at, !c.strict || closed, "is gone")
			continue
		case c.strict && !slices.Contains(needed, p.Key) && slices.Contains(needs, p.Key):
			c.note(at, !c.fills(pointer, p.Key), "is required now")
		case slices.Contains(needed, p.Key) && !slices.Contains(needs, p.Key):
			c.note(at, !c.strict, "is optional now")
		case !slices.Contains(needed, p.Key) && slices.Contains(needs, p.Key):
			c.note(at, false, "is always there now")
		}
		c.schemas(p.Value, now, at, depth+1)
	}
	for _, p := range is {
		if _, known := was.Get(p.Key); known {
			continue
		}
		at := pointer + "/" + escapePointer(p.Key)
		if c.strict && slices.Contains(needs, p.Key) {
			c.note(at, !c.fills(pointer, p.Key), "is new and required")
		} else {
			c.note(at, false, "is new")
		}
	}
}

// fills tells whether a default stands in for an input that is not sent.
func (c *comparison) fills(pointer, name string) bool {
	_, ok := c.filled.Get(name)
	return ok && pointer == ""
}

func propertiesOf(s ordered.Object) ordered.Object {
	v, _ := s.Get("properties")
	o, _ := v.(ordered.Object)
	return o
}

func requiredOf(s ordered.Object) []string {
	v, _ := s.Get("required")
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		if name, ok := e.(string); ok {
			out = append(out, name)
		}
	}
	return out
}

// others compares the keywords that nothing above has looked at. What they
// come to for callers is not worked out: a change counts as breaking.
func (c *comparison) others(a, b ordered.Object, pointer string) {
	seen := []string{"type", "enum", "properties", "required", "items"}
	for _, pair := range [][2]ordered.Object{{a, b}, {b, a}} {
		for _, m := range pair[0] {
			if slices.Contains(seen, m.Key) {
				continue
			}
			seen = append(seen, m.Key)
			x, _ := a.Get(m.Key)
			y, _ := b.Get(m.Key)
			if jsonText(x) == jsonText(y) {
				continue
			}
			c.note(pointer, !slices.Contains(prose, m.Key), "%s was %s and is %s now", m.Key, shown(jsonText(x)), shown(jsonText(y)))
		}
	}
}
