package reshape

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sluice/prompts/ordered"
)

// What XML may hold. Entities other than XML's own five are an error, for a
// document type, which alone could declare them, is refused.
const (
	maxXMLDepth    = 128
	maxXMLElements = 1 << 20
)

// The keys of what JSON has no form for.
const (
	textKey   = "#text"
	attribute = "@"
)

// element is one that is being read.
type element struct {
	name    string
	path    string // names from the root's children on, with dots between
	members ordered.Builder
	many    map[string]int // how often each child has come
	text    strings.Builder
}

// FromXML reads a document as an object with one key, the root's name. An
// element is its text, if that is all it has; else an object with its
// attributes as @name, its children, and what text there is as #text. Children
// of one name are a list, and so are those that lists names (by their path below
// the root), though there be only one. Prefixes of names stay as they are
// written. White space around text is left out; comments and instructions too.
func FromXML(doc []byte, lists []string) (any, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	var open []*element
	var root any
	for count := 0; ; {
		token, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("not XML: %w", err)
		}
		switch token := token.(type) {
		case xml.Directive:
			return nil, errors.New("the XML has a document type, which is refused: it could declare entities")
		case xml.StartElement:
			if count++; count > maxXMLElements {
				return nil, fmt.Errorf("the XML has more than %d elements", maxXMLElements)
			}
			if len(open) == maxXMLDepth {
				return nil, fmt.Errorf("the XML is nested deeper than %d", maxXMLDepth)
			}
			if len(open) == 0 && root != nil {
				return nil, errors.New("the XML has two roots")
			}
			e, err := begin(token, open)
			if err != nil {
				return nil, err
			}
			open = append(open, e)
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1].name != qualified(token.Name) {
				return nil, fmt.Errorf("the XML ends an element %q that is not open", qualified(token.Name))
			}
			e := open[len(open)-1]
			if open = open[:len(open)-1]; len(open) == 0 {
				root = ordered.Object{{Key: e.name, Value: e.value()}}
				break
			}
			open[len(open)-1].add(e, slices.Contains(lists, e.path))
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text.Write(token)
			} else if len(bytes.TrimSpace(token)) > 0 {
				return nil, errors.New("the XML has text outside of its root")
			}
		}
	}
	if root == nil || len(open) > 0 {
		return nil, errors.New("the XML ends before its root does")
	}
	return root, nil
}

func begin(token xml.StartElement, open []*element) (*element, error) {
	e := &element{name: qualified(token.Name)}
	if len(open) > 0 {
		e.path = e.name
		if above := open[len(open)-1].path; above != "" {
			e.path = above + "." + e.name
		}
	}
	for _, a := range token.Attr {
		if !e.members.Set(attribute+qualified(a.Name), a.Value) {
			return nil, fmt.Errorf("the XML gives the attribute %q twice", qualified(a.Name))
		}
	}
	return e, nil
}

func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// add takes a child in.
func (e *element) add(child *element, list bool) {
	if e.many == nil {
		e.many = map[string]int{}
	}
	e.many[child.name]++
	value := child.value()
	switch n := e.many[child.name]; {
	case n == 1 && !list:
	case n == 1:
		value = []any{value}
	default:
		before := e.members.Get(child.name)
		if all, is := before.([]any); is && (n > 2 || list) {
			value = append(all, value)
		} else {
			value = []any{before, value}
		}
	}
	e.members.Set(child.name, value)
}

func (e *element) value() any {
	text := strings.TrimFunc(e.text.String(), unicode.IsSpace)
	members := e.members.Object()
	if len(members) == 0 {
		return text
	}
	if text != "" {
		e.members.Set(textKey, text)
	}
	return e.members.Object()
}

// ToXML writes a value as a document, the other way round: what FromXML made,
// or any JSON. The root is named by root, or by the only key of an object if
// root is empty. A list is one element for each of its own, in a list again
// named item; null is an empty element.
func ToXML(v any, root string) ([]byte, error) {
	if o, is := v.(ordered.Object); is && len(o) == 1 && (root == "" || o[0].Key == root) {
		if _, list := o[0].Value.([]any); !list {
			root, v = o[0].Key, o[0].Value
		}
	}
	if root == "" {
		return nil, errors.New("the JSON has not the one root that XML wants")
	}
	if list, is := v.([]any); is {
		v = ordered.Object{{Key: "item", Value: list}}
	}
	b := bytes.NewBufferString(xml.Header)
	if err := writeElement(b, root, v, 0); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func writeElement(b *bytes.Buffer, name string, v any, depth int) error {
	switch {
	case !isXMLName(name):
		return fmt.Errorf("the key %q can be no name in XML", name)
	case depth > maxXMLDepth:
		return fmt.Errorf("the JSON is nested deeper than %d", maxXMLDepth)
	}
	if list, is := v.([]any); is {
		for _, item := range list {
			if inner, is := item.([]any); is {
				item = ordered.Object{{Key: "item", Value: inner}}
			}
			if err := writeElement(b, name, item, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	b.WriteString("<" + name)
	o, isObject := v.(ordered.Object)
	for _, m := range o {
		attr, is := strings.CutPrefix(m.Key, attribute)
		if !is {
			continue
		}
		text, scalar := scalarText(m.Value)
		if !isXMLName(attr) || !scalar {
			return fmt.Errorf("the key %q can be no attribute in XML", m.Key)
		}
		b.WriteString(" " + attr + `="`)
		writeText(b, text)
		b.WriteByte('"')
	}
	b.WriteByte('>')
	if !isObject {
		text, _ := scalarText(v)
		writeText(b, text)
	}
	for _, m := range o {
		var err error
		text, scalar := scalarText(m.Value)
		switch {
		case strings.HasPrefix(m.Key, attribute):
		case m.Key == textKey && scalar:
			writeText(b, text)
		default:
			err = writeElement(b, m.Key, m.Value, depth+1)
		}
		if err != nil {
			return err
		}
	}
	b.WriteString("</" + name + ">")
	return nil
}

// scalarText is a value as text; false: it is a list or an object.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return string(v), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}

// writeText escapes text; what XML cannot hold becomes U+FFFD.
func writeText(b *bytes.Buffer, text string) {
	_ = xml.EscapeText(b, []byte(text)) // a buffer takes all
}

// isXMLName tells whether a key may name an element: letters, digits and a few
// signs, with at most one colon within.
func isXMLName(name string) bool {
	for i, r := range name {
		begins := r == '_' || unicode.IsLetter(r)
		if !begins && (i == 0 || r != '-' && r != '.' && r != ':' && !unicode.IsDigit(r)) {
			return false
		}
	}
	prefix, local, _ := strings.Cut(name, ":")
	return prefix != "" && utf8.ValidString(name) && !strings.Contains(local, ":") && !strings.HasSuffix(name, ":")
}
