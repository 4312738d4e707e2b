package prompts

import (
	"encoding/json"
	"strings"

	"sluice/prompts/ordered"
)

// plain is a JSON Schema of the simple kind that Picoschema makes: types,
// properties, items and enumerations of strings. Most inputs fit theirs, which
// a plain schema sees at a tenth of a validator's cost. It only ever says yes:
// what it does not know for certain, faults included, is the validator's. nil
// knows nothing.
type plain struct {
	kinds      kinds
	properties map[string]*plain
	required   []string
	closed     bool // no other properties
	others     *plain
	items      *plain
	enum       []string // of strings; nil: any value
}

// kinds is a set of types.
type kinds uint8

const (
	ofNull kinds = 1 << iota
	ofBoolean
	ofString
	ofNumber
	ofInteger
	ofArray
	ofObject
)

var kindNamed = map[string]kinds{"null": ofNull, "boolean": ofBoolean, "string": ofString, "number": ofNumber | ofInteger,
	"integer": ofInteger, "array": ofArray, "object": ofObject}

// plainOf is a schema as a plain one; nil: it says more than that.
func plainOf(schema any, depth int) *plain {
	o, ok := schema.(ordered.Object)
	if !ok || depth > maxPlainDepth {
		return nil
	}
	p := &plain{}
	for _, m := range o {
		if !p.keyword(m, depth) {
			return nil
		}
	}
	if p.kinds == 0 && p.enum == nil {
		return nil
	}
	return p
}

// keyword takes one keyword in; false: it is none of a plain schema.
func (p *plain) keyword(m ordered.Member, depth int) bool {
	switch m.Key {
	case "description", "title", "default", "examples", "$comment":
		return true
	case "type":
		return p.types(m.Value)
	case "properties":
		list, ok := m.Value.(ordered.Object)
		p.properties = make(map[string]*plain, len(list))
		for _, one := range list {
			if p.properties[one.Key] = plainOf(one.Value, depth+1); p.properties[one.Key] == nil {
				return false
			}
		}
		return ok
	case "required":
		return onlyTexts(m.Value, &p.required)
	case "enum":
		return onlyTexts(m.Value, &p.enum)
	case "additionalProperties":
		if open, ok := m.Value.(bool); ok {
			p.closed = !open
			return true
		}
		p.closed, p.others = true, plainOf(m.Value, depth+1)
		return p.others != nil
	case "items":
		p.items = plainOf(m.Value, depth+1)
		return p.items != nil
	}
	return false
}

func (p *plain) types(v any) bool {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, t := range list {
		name, _ := t.(string)
		if kindNamed[name] == 0 {
			return false
		}
		p.kinds |= kindNamed[name]
	}
	return true
}

// onlyTexts reads a list that holds nothing but strings.
func onlyTexts(v any, out *[]string) bool {
	list, ok := v.([]any)
	for _, e := range list {
		s, isText := e.(string)
		*out, ok = append(*out, s), ok && isText
	}
	return ok
}

// fits tells that a value satisfies the schema for certain.
func (p *plain) fits(value any) bool {
	if p == nil {
		return false
	}
	switch v := value.(type) {
	case nil:
		return p.is(ofNull)
	case bool:
		return p.is(ofBoolean)
	case string:
		return p.hasText(v)
	case json.Number:
		if strings.ContainsAny(string(v), ".eE") {
			return p.is(ofNumber)
		}
		return p.is(ofInteger)
	case []any:
		return p.is(ofArray) && p.fitsList(v)
	case map[string]any:
		return p.is(ofObject) && p.fitsObject(v)
	}
	return false
}

// is tells whether any value of a type is one of the schema's.
func (p *plain) is(k kinds) bool { return p.enum == nil && p.kinds&k != 0 }

func (p *plain) hasText(s string) bool {
	if p.kinds != 0 && p.kinds&ofString == 0 {
		return false
	}
	for _, e := range p.enum {
		if e == s {
			return true
		}
	}
	return p.enum == nil
}

func (p *plain) fitsList(list []any) bool {
	if p.items == nil {
		return true
	}
	for i := range list {
		if !p.items.fits(list[i]) {
			return false
		}
	}
	return true
}

func (p *plain) fitsObject(o map[string]any) bool {
	for _, name := range p.required {
		if _, ok := o[name]; !ok {
			return false
		}
	}
	for name, v := range o {
		s, known := p.properties[name]
		switch {
		case known && !s.fits(v):
			return false
		case !known && p.closed && (p.others == nil || !p.others.fits(v)):
			return false
		}
	}
	return true
}
