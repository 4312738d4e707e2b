package prompts

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"sluice/prompts/ordered"
)

// Problem is one thing that is wrong with an input or an output. Pointer is a
// JSON pointer (RFC 6901) to the place; "" is the whole.
type Problem struct {
	Pointer string `json:"pointer"`
	Message string `json:"message"`
}

// maxProblems bounds how many problems are told of one value.
const maxProblems = 100

// validator checks values against one JSON Schema; nil lets everything pass.
// It may be used by any number of goroutines at once.
type validator struct {
	schema *jsonschema.Schema
	plain  *plain // nil: the schema is not one
}

// compileSchema reads a JSON Schema (draft 2020-12 unless it names another).
// Formats are asserted. References out of the document are refused: nothing is
// fetched.
func compileSchema(v any) (*validator, error) {
	if v == nil {
		return nil, nil
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(noLoader{})
	const url = "schema.json"
	if err := c.AddResource(url, ordered.Plain(v)); err != nil {
		return nil, err
	}
	s, err := c.Compile(url)
	if err != nil {
		var invalid *jsonschema.SchemaValidationError
		if errors.As(err, &invalid) {
			var ve *jsonschema.ValidationError
			if errors.As(invalid.Err, &ve) {
				p := problemsOf(ve)
				return nil, fmt.Errorf("no JSON Schema: %s %s", p[0].Pointer, p[0].Message)
			}
		}
		return nil, err
	}
	return &validator{s, plainOf(v, 0)}, nil
}

type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is outside of the schema", url)
}

// check tells everything that is wrong with a plain value, in the order of the
// pointers.
func (v *validator) check(value any) []Problem {
	if p := unfit(value, 0); p != nil {
		return []Problem{*p}
	}
	if v == nil || v.plain.fits(value) {
		return nil
	}
	err := v.schema.Validate(value)
	if err == nil {
		return nil
	}
	var ve *jsonschema.ValidationError
	if !errors.As(err, &ve) {
		return []Problem{{"", err.Error()}}
	}
	return problemsOf(ve)
}

// maxValueDepth bounds the nesting of inputs and outputs.
const maxValueDepth = 200

// tooDeep is the problem of all that is nested deeper, wherever it is.
var tooDeep = Problem{"", fmt.Sprintf("is nested deeper than %d", maxValueDepth)}

// bigNumber matches numbers whose exact value would take megabytes: a
// validator computes with exact values.
var bigNumber = regexp.MustCompile(`[eE][-+]?0*[0-9]{4,}`)

// unfit finds what no schema check should see.
func unfit(v any, depth int) (p *Problem) {
	if depth > maxValueDepth {
		return &tooDeep
	}
	step := ""
	switch v := v.(type) {
	case json.Number:
		if len(v) > 1000 || len(v) > 4 && bigNumber.MatchString(string(v)) {
			return &Problem{"", "is a number out of range"}
		}
	case []any:
		for i := range v {
			if p = unfit(v[i], depth+1); p != nil {
				step = strconv.Itoa(i)
				break
			}
		}
	case map[string]any:
		for k, e := range v {
			if p = unfit(e, depth+1); p != nil {
				step = escapePointer(k)
				break
			}
		}
	}
	if p != nil && p != &tooDeep {
		p.Pointer = "/" + step + p.Pointer
	}
	return p
}

func escapePointer(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}

func problemsOf(ve *jsonschema.ValidationError) []Problem {
	var out []Problem
	collect(ve, &out)
	slices.SortFunc(out, func(a, b Problem) int {
		if c := strings.Compare(a.Pointer, b.Pointer); c != 0 {
			return c
		}
		return strings.Compare(a.Message, b.Message)
	})
	out = slices.Compact(out)
	return out[:min(len(out), maxProblems)]
}

// collect turns the tree of a validation error into its leaves.
func collect(ve *jsonschema.ValidationError, out *[]Problem) {
	var at strings.Builder
	for _, t := range ve.InstanceLocation {
		at.WriteString("/" + escapePointer(t))
	}
	pointer := at.String()
	add := func(pointer, format string, args ...any) {
		*out = append(*out, Problem{pointer, fmt.Sprintf(format, args...)})
	}
	switch k := ve.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			add(pointer+"/"+escapePointer(name), required)
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			add(pointer+"/"+escapePointer(name), "is not allowed here")
		}
	case *kind.Type:
		add(pointer, "must be %s, not %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Enum:
		want := make([]string, len(k.Want))
		for i, w := range k.Want {
			b, _ := json.Marshal(w)
			want[i] = string(b)
		}
		add(pointer, "must be one of %s", strings.Join(want, ", "))
	case *kind.AnyOf, *kind.OneOf:
		var inner []Problem
		for _, c := range ve.Causes {
			collect(c, &inner)
		}
		add(pointer, "fits none of the allowed forms%s", because(pointer, inner))
	default:
		if len(ve.Causes) == 0 {
			add(pointer, "%s", ve.ErrorKind.LocalizedString(english))
		}
		for _, c := range ve.Causes {
			collect(c, out)
		}
	}
}

// because names the first few reasons why no form of a union fits.
func because(pointer string, inner []Problem) string {
	if len(inner) == 0 {
		return ""
	}
	reasons := make([]string, 0, 3)
	for _, p := range inner[:min(3, len(inner))] {
		reasons = append(reasons, strings.TrimSpace(strings.TrimPrefix(p.Pointer, pointer)+" "+p.Message))
	}
	slices.Sort(reasons)
	return ": " + strings.Join(reasons, "; ")
}

var english = message.NewPrinter(language.English)

// required is the message about a value that is missing.
const required = "is required"
