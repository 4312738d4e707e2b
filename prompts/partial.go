package prompts

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"sluice/prompts/ordered"
)

// Partial is as much of the JSON that a model is writing as is certain: it has
// the types that the output schema wants, but what is required may still be
// missing. Numbers, enumerations and texts with a form of their own come when
// they are whole; plain texts grow. What the schema tells of in words beyond
// types (unions, references) is left out until the end. nil: there is nothing
// yet, or it is no JSON. It reads all of the text.
func (t *Template) Partial(text string) json.RawMessage {
	from := strings.IndexAny(text, "{[")
	if from < 0 || !t.Output.JSON() {
		return nil
	}
	r := partialReader{plainReader: plainReader{doc: text, at: from}}
	if p, kept := r.part(t.growing(), 0); p == broken || !kept {
		return nil
	}
	return r.out
}

// growing is what a value may be while it is written; nil: nothing.
type growing struct {
	kinds  kinds
	open   bool       // the schema says nothing
	plain  bool       // a text may be shown before it is whole
	check  *validator // of a scalar that is whole
	fields map[string]*growing
	others *growing // fields that are not named
	items  *growing
}

// growingOf is what a schema lets grow.
func growingOf(schema any, depth int) *growing {
	o, ok := schema.(ordered.Object)
	if schema == nil || schema == true || ok && len(o) == 0 {
		return &growing{open: true}
	}
	if !ok || depth > maxPlainDepth {
		return nil
	}
	g := &growing{plain: true, others: &growing{open: true}, items: &growing{open: true}}
	for _, m := range o {
		if !g.keyword(m, depth) {
			return nil
		}
	}
	if g.kinds&(ofObject|ofArray) == 0 {
		var err error
		if g.check, err = compileSchema(schema); err != nil {
			return nil
		}
	}
	return g
}

// keyword takes one keyword in; false: it is beyond what can be told early.
func (g *growing) keyword(m ordered.Member, depth int) bool {
	switch m.Key {
	case "type":
		var p plain
		ok := p.types(m.Value)
		g.kinds = p.kinds
		return ok
	case "properties":
		list, ok := m.Value.(ordered.Object)
		g.fields = make(map[string]*growing, len(list))
		for _, one := range list {
			g.fields[one.Key] = growingOf(one.Value, depth+1)
		}
		return ok
	case "additionalProperties":
		if open, ok := m.Value.(bool); !ok {
			g.others = growingOf(m.Value, depth+1)
		} else if !open {
			g.others = nil
		}
	case "items":
		g.items = growingOf(m.Value, depth+1)
	case "description", "title", "default", "examples", "$comment", "required", "minLength", "minItems", "maxItems", "minProperties", "maxProperties":
	case "enum", "const", "pattern", "format", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		g.plain = false
	default:
		return false
	}
	return true
}

// is tells whether a value of a type may stand here.
func (g *growing) is(k kinds) bool { return g != nil && (g.open || g.kinds&k != 0) }

// holds tells whether a scalar that is whole may stand here.
func (g *growing) holds(v any) bool {
	if g == nil || g.open {
		return g != nil
	}
	if g.check == nil {
		return (&plain{kinds: g.kinds}).fits(v)
	}
	return len(g.check.check(v)) == 0
}

// progress is how far a partialReader got with a value.
type progress int

const (
	broken progress = iota // it is no JSON
	cut                    // the text ends within
	ended
)

// partialReader copies what may be shown of a text. It reads strict JSON alone:
// what models write otherwise is read at the end.
type partialReader struct {
	plainReader
	out []byte
}

// part reads a value, and copies it if it may be shown.
func (r *partialReader) part(g *growing, depth int) (p progress, kept bool) {
	if depth > maxPlainDepth {
		return broken, false
	}
	from := len(r.out)
	switch r.next() {
	case 0:
		return cut, false
	case '{':
		p, kept = r.fields(g, depth), g.is(ofObject)
	case '[':
		p, kept = r.elements(g, depth), g.is(ofArray)
	case '"':
		return r.string(g)
	default:
		return r.scalar(g)
	}
	if !kept {
		r.out = r.out[:from]
	}
	return p, kept
}

func (r *partialReader) fields(g *growing, depth int) (p progress) {
	r.at++
	r.out = append(r.out, '{')
	defer func() { r.out = append(r.out, '}') }()
	if r.take('}') {
		return ended
	}
	for first := true; ; {
		if r.next() == 0 {
			return cut
		}
		key, ok := r.text()
		if !ok {
			return r.cutOr(!strings.HasPrefix(r.doc[r.at:], `"`))
		}
		if !r.take(':') {
			return r.cutOr(r.next() != 0)
		}
		from := len(r.out)
		if !first {
			r.out = append(r.out, ',')
		}
		r.out = append(ordered.Append(r.out, key), ':')
		p, kept := r.part(g.field(key), depth+1)
		if !kept {
			r.out = r.out[:from]
		}
		first = first && !kept
		if p != ended {
			return p
		}
		if !r.take(',') {
			return r.end('}')
		}
	}
}

// field is what may grow under a key.
func (g *growing) field(key string) *growing {
	if g == nil || g.open {
		return g
	}
	if f, ok := g.fields[key]; ok {
		return f
	}
	return g.others
}

func (r *partialReader) elements(g *growing, depth int) progress {
	r.at++
	r.out = append(r.out, '[')
	defer func() { r.out = append(r.out, ']') }()
	if r.take(']') {
		return ended
	}
	of := g
	if g != nil && !g.open {
		of = g.items
	}
	for first := true; ; first = false {
		from := len(r.out)
		if !first {
			r.out = append(r.out, ',')
		}
		p, kept := r.part(of, depth+1)
		if !kept { // nor does anything behind it: places count
			r.out = r.out[:from]
			return r.skip(p, of, depth)
		}
		if p != ended {
			return p
		}
		if !r.take(',') {
			return r.end(']')
		}
	}
}

// skip goes past the elements of a list behind one that is not shown.
func (r *partialReader) skip(p progress, g *growing, depth int) progress {
	from := len(r.out)
	defer func() { r.out = r.out[:from] }()
	for p == ended && r.take(',') {
		p, _ = r.part(g, depth+1)
	}
	if p != ended {
		return p
	}
	return r.end(']')
}

// end goes past what closes a value.
func (r *partialReader) end(b byte) progress {
	if r.take(b) {
		return ended
	}
	return r.cutOr(r.next() != 0)
}

func (r *partialReader) cutOr(isBroken bool) progress {
	if isBroken {
		return broken
	}
	return cut
}

// string reads a text; one that the end cuts off is shown as far as it goes, if
// it may grow.
func (r *partialReader) string(g *growing) (progress, bool) {
	from := r.at
	if s, ok := r.text(); ok {
		kept := g.holds(s)
		if kept {
			r.out = ordered.Append(r.out, s)
		}
		return ended, kept
	}
	raw := r.doc[from:]
	r.at = len(r.doc)
	if !g.is(ofString) || !g.open && !g.plain {
		return cut, false
	}
	s, ok := begun(raw)
	if ok {
		r.out = ordered.Append(r.out, s)
	}
	return cut, ok
}

// begun is a JSON string that lacks its end, without an escape that is not
// whole: of two that make one character, neither.
func begun(raw string) (s string, ok bool) {
	for i := len(raw) - 1; i >= max(0, len(raw)-utf8.UTFMax); i-- {
		if utf8.RuneStart(raw[i]) {
			if !utf8.FullRuneInString(raw[i:]) {
				raw = raw[:i]
			}
			break
		}
	}
	for range 3 {
		if json.Unmarshal([]byte(raw+`"`), &s) == nil && !strings.HasSuffix(s, "\ufffd") {
			return s, true
		}
		i := strings.LastIndexByte(raw, '\\')
		if i < 0 {
			return "", false
		}
		raw = raw[:i]
	}
	return "", false
}

// scalar reads a number or a word; one at the end may not be whole.
func (r *partialReader) scalar(g *growing) (progress, bool) {
	n := strings.IndexAny(r.doc[r.at:], ",]} \n\r\t")
	if n < 0 {
		return cut, false
	}
	end := r.at + n
	v, ok := r.value(0)
	if !ok || r.at != end {
		return broken, false
	}
	kept := g.holds(v)
	if kept {
		r.out = ordered.Append(r.out, v)
	}
	return ended, kept
}
