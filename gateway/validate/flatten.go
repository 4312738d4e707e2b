package validate

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

func body(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

// flatten lists what the library found wrong. A parameter's pointer is its place
// and its name, such as /query/limit.
func flatten(err error, problems []Problem) []Problem {
	return at("", err, problems)
}

func at(place string, err error, problems []Problem) []Problem {
	var request *openapi3filter.RequestError
	var schema *openapi3.SchemaError
	var many openapi3.MultiError
	var parse *openapi3filter.ParseError
	var response *openapi3filter.ResponseError
	switch {
	case err == nil:
		return problems
	case isMany(err, &many):
		for _, one := range many {
			problems = at(place, one, problems)
		}
		return problems
	case errors.As(err, &request):
		if p := request.Parameter; p != nil {
			place = "/" + p.In + "/" + escape(p.Name)
		}
		if errors.Is(request.Err, openapi3filter.ErrInvalidRequired) {
			return append(problems, Problem{Pointer: place, Message: "is required"})
		}
		if request.Err != nil {
			return at(place, request.Err, problems)
		}
		return append(problems, Problem{Pointer: place, Message: request.Reason})
	case errors.As(err, &response) && response.Err != nil:
		return at(place, response.Err, problems)
	case errors.As(err, &schema):
		for _, name := range schema.JSONPointer() {
			place += "/" + escape(name)
		}
		return append(problems, Problem{Pointer: place, Message: schema.Reason})
	case errors.As(err, &parse):
		return append(problems, Problem{Pointer: place, Message: parse.Error()})
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	return append(problems, Problem{Pointer: place, Message: message})
}

// isMany tells whether an error is a list, itself and not by what it wraps.
func isMany(err error, many *openapi3.MultiError) bool {
	list, ok := err.(openapi3.MultiError)
	*many = list
	return ok
}
