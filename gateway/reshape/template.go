package reshape

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"sluice/prompts/ordered"
)

// reference is a place in a text for a value: {user.name}.
var reference = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_-]*(?:\.[^{}\s]+)?)\}`)

// References are the paths of the values that a text has places for.
func References(text string) []Path {
	var paths []Path
	for _, found := range reference.FindAllStringSubmatch(text, -1) {
		if p, err := ParsePath(found[1]); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// FillText puts values in their places in a text; put makes text of what a
// path leads to, or says why it cannot.
func FillText(text string, put func(Path) (string, error)) (string, error) {
	var b strings.Builder
	at := 0
	for _, found := range reference.FindAllStringSubmatchIndex(text, -1) {
		p, err := ParsePath(text[found[2]:found[3]])
		if err != nil {
			continue // it is text
		}
		value, err := put(p)
		if err != nil {
			return "", err
		}
		b.WriteString(text[at:found[0]])
		b.WriteString(value)
		at = found[1]
	}
	b.WriteString(text[at:])
	return b.String(), nil
}

// Template is JSON with places for values in its texts. A text that is nothing
// but a place becomes the value itself, null where there is none; in a longer
// one the value stands as text.
type Template struct{ value any }

// NewTemplate takes a value of package ordered.
func NewTemplate(v any) *Template { return &Template{v} }

// References are the paths of all values that it has places for.
func (t *Template) References() []Path {
	var paths []Path
	walk(t.value, func(text string) { paths = append(paths, References(text)...) })
	return paths
}

func walk(v any, text func(string)) {
	switch v := v.(type) {
	case string:
		text(v)
	case []any:
		for _, item := range v {
			walk(item, text)
		}
	case ordered.Object:
		for _, m := range v {
			walk(m.Value, text)
		}
	}
}

// Fill makes the value.
func (t *Template) Fill(values any) any { return fill(t.value, values) }

func fill(v, values any) any {
	switch v := v.(type) {
	case string:
		if m := reference.FindStringSubmatch(v); m != nil && m[0] == v {
			if p, err := ParsePath(m[1]); err == nil {
				value, _ := Get(values, p)
				return value
			}
		}
		text, _ := FillText(v, func(p Path) (string, error) {
			value, _ := Get(values, p)
			return Text(value), nil
		})
		return text
	case []any:
		out := slices.Clone(v)
		for i := range out {
			out[i] = fill(out[i], values)
		}
		return out
	case ordered.Object:
		out := slices.Clone(v)
		for i := range out {
			out[i].Value = fill(out[i].Value, values)
		}
		return out
	}
	return v
}

// Text is a value within a text: a list or an object as JSON, nothing of null.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return string(v)
	}
	return string(ordered.Append(nil, v))
}
