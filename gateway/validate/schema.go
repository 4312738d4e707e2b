package validate

import (
	"errors"

	"go.yaml.in/yaml/v3"

	"sluice/prompts"
	"sluice/prompts/ordered"
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
