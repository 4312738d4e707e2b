package prompts

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/prompts/ordered"
)

// DecodeInput reads a JSON object as a prompt's input, numbers kept as they
// are written. An empty body is an empty input.
func DecodeInput(body []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	v, err := decodeValue(body)
	if err != nil {
		return nil, err
	}
	in, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the input must be a JSON object, not %s", kindOf(v))
	}
	return in, nil
}

// DecodeInputs reads a JSON array whose elements should be inputs.
func DecodeInputs(body []byte) ([]any, error) {
	v, err := decodeValue(body)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("the inputs must be a JSON array, not %s", kindOf(v))
	}
	return list, nil
}

// InputFromText makes an input of what somebody wrote: a JSON object is the
// input itself, any other text is the value of the one variable that it can be
// for. That is the only required one that takes text, else the only one that
// takes text; without an input schema it is called input.
func (t *Template) InputFromText(text string) (map[string]any, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		if in, err := DecodeInput([]byte(text)); err == nil {
			return in, nil
		}
	}
	if t.Input.Schema == nil {
		return map[string]any{"input": text}, nil
	}
	name, ok := t.textVariable()
	if !ok {
		return nil, fmt.Errorf("the input must be a JSON object: the prompt %q has not one variable that any text is for", t.Name)
	}
	return map[string]any{name: text}, nil
}

// textVariable is the variable that a text alone is for.
func (t *Template) textVariable() (string, bool) {
	s, _ := t.Input.Schema.(ordered.Object)
	properties, _ := s.Get("properties")
	required, _ := s.Get("required")
	props, _ := properties.(ordered.Object)
	needed, _ := required.([]any)
	var must, may []string
	for _, p := range props {
		o, _ := p.Value.(ordered.Object)
		if _, isEnum := o.Get("enum"); isEnum || typeOf(o) != "string" {
			continue
		}
		may = append(may, p.Key)
		_, filled := t.Input.Default.Get(p.Key)
		if slices.Contains(needed, any(p.Key)) && !filled {
			must = append(must, p.Key)
		}
	}
	switch {
	case len(must) == 1:
		return must[0], true
	case len(must) == 0 && len(may) == 1:
		return may[0], true
	}
	return "", false
}

// CheckInput tells everything that is wrong with an input, once the prompt's
// defaults have been put in. Without an input schema, anything of sane size
// goes. The input is not changed.
func (t *Template) CheckInput(input map[string]any) []Problem {
	return t.checkIn.check(t.withDefaults(input, nil))
}

// withDefaults is the input over the prompt's defaults. It may be the input
// itself: it is not to be changed.
func (t *Template) withDefaults(input map[string]any, more ordered.Object) map[string]any {
	if len(t.Input.Default)+len(more) == 0 {
		return input
	}
	merged := make(map[string]any, len(input)+len(t.Input.Default)+len(more))
	for _, d := range []ordered.Object{t.Input.Default, more} {
		for _, m := range d {
			merged[m.Key] = ordered.Plain(m.Value)
		}
	}
	maps.Copy(merged, input)
	return merged
}
