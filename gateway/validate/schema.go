package validate

import (
	"encoding/json"
	"errors"
	"fmt"
	"unsafe"

	"github.com/tidwall/gjson"
	"go.yaml.in/yaml/v3"

	"sluice/prompts"
	"sluice/prompts/ordered"
	"sluice/providers/wire"
)

// Problem is one thing that is wrong; its pointer leads to it.
type Problem = prompts.Problem

// Errors about a body that is no single JSON value for sure.
var (
	ErrNotJSON = errors.New("the body is not JSON")
	ErrTwice   = errors.New("the body holds a field twice")
)

// Schema is what a body must be.
type Schema struct{ of *prompts.Schema }

// NewSchema reads a JSON Schema, as JSON or YAML.
func NewSchema(text []byte) (*Schema, error) {
	document, err := read(text)
	if err != nil {
		return nil, err
	}
	of, err := prompts.CompileSchema(document, "")
	return &Schema{of}, err
}

// read reads a document as a plain value.
func read(text []byte) (any, error) {
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		return nil, err
	}
	v, err := ordered.FromYAML(&n)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, errors.New("the file is empty")
	}
	return ordered.Plain(v), nil
}

// Check tells what is wrong with a body. The error is one of the two above.
func (s *Schema) Check(body []byte) ([]Problem, error) {
	value, err := decode(body)
	if err != nil {
		return nil, err
	}
	return s.of.Check(value), nil
}

// decode reads a body as a plain value. A field that stands twice is refused:
// who reads it next might take the other one.
func decode(body []byte) (any, error) {
	if !wire.Valid(body) {
		return nil, ErrNotJSON
	}
	return plain(gjson.Parse(unsafe.String(unsafe.SliceData(body), len(body))))
}

// plain copies what it takes out of the body.
func plain(r gjson.Result) (v any, err error) {
	switch r.Type {
	case gjson.Null:
		return nil, nil
	case gjson.False, gjson.True:
		return r.Bool(), nil
	case gjson.Number:
		return json.Number(string([]byte(r.Raw))), nil
	case gjson.String:
		return string([]byte(r.Str)), nil
	}
	if r.IsArray() {
		list := []any{}
		r.ForEach(func(_, item gjson.Result) bool {
			var value any
			if value, err = plain(item); err == nil {
				list = append(list, value)
			}
			return err == nil
		})
		return list, err
	}
	m := map[string]any{}
	r.ForEach(func(key, item gjson.Result) bool {
		name := string([]byte(key.Str))
		if _, twice := m[name]; twice {
			err = fmt.Errorf("%w: %q", ErrTwice, name)
			return false
		}
		m[name], err = plain(item)
		return err == nil
	})
	return m, err
}
