package prompts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"sluice/prompts/ordered"
)

// DecodeInput reads a JSON object as a prompt's input, numbers kept as they
// are written. An empty body is an empty input.
func DecodeInput(body []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("the input is not JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("the input is not JSON: there is more after its end")
	}
	in, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the input must be a JSON object, not %s", kindOf(v))
	}
	return in, nil
}

// CheckInput tells everything that is wrong with an input, once the prompt's
// defaults have been put in. Without an input schema, anything of sane size
// goes. The input is not changed.
func (t *Template) CheckInput(input map[string]any) []Problem {
	return t.checkIn.check(t.withDefaults(input, nil))
}

// withDefaults is the input over the prompt's defaults, and both over nothing
// that is shared: the map may be added to.
func (t *Template) withDefaults(input map[string]any, more ordered.Object) map[string]any {
	merged := make(map[string]any, len(input)+len(t.Input.Default)+len(more))
	for _, d := range []ordered.Object{t.Input.Default, more} {
		for _, m := range d {
			merged[m.Key] = ordered.Plain(m.Value)
		}
	}
	for k, v := range input {
		merged[k] = v
	}
	return merged
}
