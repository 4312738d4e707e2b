package prompts

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"sluice/prompts/handlebars"
	"sluice/prompts/ordered"
)

// stepReference is a value that a step's input takes from an input or from an
// earlier step: {{name}}, {{name.field}}.
var stepReference = regexp.MustCompile(`\{\{\s*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_-]+)*)\s*\}\}`)

// Filled is an input with the prompt's defaults put in. The map may be added
// to.
func (t *Template) Filled(input map[string]any) map[string]any {
	filled := make(map[string]any, len(input)+len(t.Input.Default))
	maps.Copy(filled, t.withDefaults(input, nil))
	return filled
}

// DecodeValue reads a JSON value, numbers kept as they are written.
func DecodeValue(data []byte) (any, error) { return decodeValue(data) }

// Inputs is the input of a step's call, its references filled in from values:
// a text that is one reference becomes the value itself, else values stand in
// the text. Without an input of its own, a step gets all values.
func (s *Step) Inputs(values map[string]any) (map[string]any, error) {
	if s.Input == nil {
		return values, nil
	}
	filled, err := fill(ordered.Plain(s.Input), values)
	if err != nil {
		return nil, err
	}
	return filled.(map[string]any), nil
}

func fill(v any, values map[string]any) (any, error) {
	var err error
	switch v := v.(type) {
	case string:
		return fillText(v, values)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			if out[i], err = fill(v[i], values); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			if out[k], err = fill(v[k], values); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

func fillText(text string, values map[string]any) (any, error) {
	found := stepReference.FindAllStringSubmatchIndex(text, -1)
	if len(found) == 1 && found[0][0] == 0 && found[0][1] == len(text) {
		return followed(text[found[0][2]:found[0][3]], values)
	}
	var b strings.Builder
	at := 0
	for _, m := range found {
		b.WriteString(text[at:m[0]])
		v, err := followed(text[m[2]:m[3]], values)
		if err != nil {
			return nil, err
		}
		if s, ok := v.(string); ok {
			b.WriteString(s)
		} else if v != nil {
			b.WriteString(jsonText(toOrdered(v)))
		}
		at = m[1]
	}
	b.WriteString(text[at:])
	return b.String(), nil
}

// Address is the method and the target of a step's route, values filled in. One
// is no more than a segment of the path, or a value in the query.
func (s *Step) Address(values map[string]any) (method, target string, err error) {
	method, target, _ = strings.Cut(s.Route, " ")
	path, query, _ := strings.Cut(target, "?")
	put := func(text string, escape func(string) string, segment bool) string {
		return stepReference.ReplaceAllStringFunc(text, func(ref string) string {
			name := stepReference.FindStringSubmatch(ref)[1]
			v, wrong := followed(name, values)
			word, isText := v.(string)
			if !isText && v != nil {
				word = jsonText(toOrdered(v))
			}
			if wrong == nil && segment && (word == "" || word == "." || word == "..") {
				wrong = fmt.Errorf("%s: %q is no segment of a path", name, word)
			}
			if err == nil {
				err = wrong
			}
			return escape(word)
		})
	}
	if target = put(path, url.PathEscape, true); query != "" {
		target += "?" + put(query, url.QueryEscape, false)
	}
	return method, target, err
}

// followed is the value at a path; one that is not there is null.
func followed(path string, values map[string]any) (any, error) {
	var v any = values
	for _, name := range strings.Split(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case nil:
			return nil, nil
		default:
			return nil, fmt.Errorf("%s: %s has no fields", path, kindOf(v))
		}
	}
	return v, nil
}

// checkSteps holds the references of the steps to the inputs and to what
// earlier stages bring.
func (t *Template) checkSteps(fault func(key, format string, args ...any)) {
	shape := shapeOf(t.Input.Schema, 0)
	var known []string
	for _, stage := range t.Sluice.Steps {
		for _, s := range stage {
			t.checkReferences(s, shape, known, fault)
			if _, taken := shapeFields(shape)[s.As]; taken {
				fault("sluice.steps", "step %q is called as an input is", s.As)
			}
		}
		for _, s := range stage {
			known = append(known, s.As)
		}
	}
	for i := range t.Sluice.Tests {
		test := &t.Sluice.Tests[i]
		for _, name := range slices.Sorted(maps.Keys(test.Steps)) {
			if !slices.Contains(known, name) {
				fault("sluice.tests", "%s: there is no step %q", testName(test, i), name)
			}
		}
	}
}

// given is the template as a test has it, which says what some steps bring.
func (t *Template) given(brought map[string]any) *Template {
	if len(brought) == 0 {
		return t
	}
	own := *t
	own.Sluice.Steps = nil
	for _, stage := range t.Sluice.Steps {
		stage = slices.Clone(stage)
		for i := range stage {
			if v, ok := brought[stage[i].As]; ok {
				stage[i].Given = &v
			}
		}
		own.Sluice.Steps = append(own.Sluice.Steps, stage)
	}
	return &own
}

func (t *Template) checkReferences(s Step, shape *handlebars.Shape, known []string, fault func(key, format string, args ...any)) {
	for _, text := range append(textsIn(s.Input, nil), s.Route) {
		rest := stepReference.ReplaceAllStringFunc(text, func(ref string) string {
			name, _, _ := strings.Cut(stepReference.FindStringSubmatch(ref)[1], ".")
			_, isInput := shapeFields(shape)[name]
			if !slices.Contains(known, name) && !isInput && shape != nil && !shape.Open {
				fault("sluice.steps", "step %q: %s is neither an input nor an earlier step", s.As, name)
			}
			return ""
		})
		if strings.Contains(rest, "{{") {
			fault("sluice.steps", "step %q: %q: only values such as {{name}} or {{name.field}} may stand here", s.As, text)
		}
	}
}

func shapeFields(s *handlebars.Shape) map[string]*handlebars.Shape {
	if s == nil {
		return nil
	}
	return s.Fields
}

// textsIn are all texts of a value.
func textsIn(v any, out []string) []string {
	switch v := v.(type) {
	case string:
		return append(out, v)
	case []any:
		for i := range v {
			out = textsIn(v[i], out)
		}
	case ordered.Object:
		for _, m := range v {
			out = textsIn(m.Value, out)
		}
	}
	return out
}
