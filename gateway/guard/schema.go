package guard

import (
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// NewSchema makes the check that a text is JSON which fits a JSON Schema (draft
// 2020-12 unless it names another). References out of the document are refused:
// nothing is fetched.
func NewSchema(text string) (func(text string) error, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("this is no JSON: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(noLoader{})
	const url = "schema.json"
	if err := c.AddResource(url, doc); err != nil {
		return nil, fmt.Errorf("this is no JSON Schema: %w", err)
	}
	s, err := c.Compile(url)
	if err != nil {
		return nil, fmt.Errorf("this is no JSON Schema: %w", err)
	}
	return func(text string) error { return fits(s, text) }, nil
}

type noLoader struct{}

// Load refuses.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is outside of the schema", url)
}

// fits tells where a text breaks a schema, but not what stands there.
func fits(s *jsonschema.Schema, text string) error {
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return errors.New("is not JSON")
	}
	var invalid *jsonschema.ValidationError
	if err := s.Validate(value); errors.As(err, &invalid) {
		for len(invalid.Causes) > 0 {
			invalid = invalid.Causes[0]
		}
		return fmt.Errorf("does not fit the schema at /%s (%s)", strings.Join(invalid.InstanceLocation, "/"),
			strings.Join(invalid.ErrorKind.KeywordPath(), "/"))
	} else if err != nil {
		return errors.New("does not fit the schema")
	}
	return nil
}
