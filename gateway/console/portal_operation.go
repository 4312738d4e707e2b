package console

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sluice/prompts"
	"sluice/prompts/ordered"
)

// operation is an operation of an OpenAPI document, as pages show it.
type operation struct {
	Method, Path, ID     string
	Name                 string // of its prompt
	Summary, Description string
	Deprecated           bool
	Input, Output        []property
	Text                 bool // the output is text
	Responses            []response
	Samples              []sample
}

// property is a field of an object that a schema describes, named by its path:
// items of lists are "list[]".
type property struct {
	Name, Type, Note string
	Required         bool
}

type response struct{ Status, Text string }

// sample is a program that calls the operation.
type sample struct{ Label, Source string }

// document reads parts of an OpenAPI document.
type document struct{ root ordered.Object }

// operations are those of the document of some prompts, in its order.
func operations(list []*prompts.Live) ([]operation, error) {
	v, err := ordered.Decode(prompts.OpenAPI(list))
	if err != nil {
		return nil, fmt.Errorf("cannot read the OpenAPI document: %w", err)
	}
	d := document{object(v)}
	byPath := map[string]string{}
	for _, l := range list {
		byPath[l.Path] = l.Name
	}
	var out []operation
	for _, item := range object(child(d.root, "paths")) {
		for _, m := range object(item.Value) {
			o := d.operation(object(m.Value))
			o.Method, o.Path, o.Name = strings.ToUpper(m.Key), item.Key, byPath[item.Key]
			out = append(out, o)
		}
	}
	return out, nil
}

func (d document) operation(o ordered.Object) operation {
	out := operation{ID: text(child(o, "operationId")), Summary: text(child(o, "summary")), Description: text(child(o, "description"))}
	out.Deprecated, _ = child(o, "deprecated").(bool)
	if body := d.content(child(o, "requestBody"), "application/json"); body != nil {
		out.Input = d.properties(nil, "", body, 0)
	}
	for _, r := range object(child(o, "responses")) {
		answer := d.resolve(r.Value)
		out.Responses = append(out.Responses, response{statusText(r.Key), text(child(answer, "description"))})
		if r.Key != "200" {
			continue
		}
		if body := d.content(answer, "application/json"); body != nil {
			out.Output = d.properties(nil, "", body, 0)
		} else {
			out.Text = true
		}
	}
	for _, s := range listOf(child(o, "x-codeSamples")) {
		out.Samples = append(out.Samples, sample{text(child(object(s), "label")), text(child(object(s), "source"))})
	}
	return out
}

// content is the schema of a body of this type; nil: there is none.
func (d document) content(of any, kind string) ordered.Object {
	return d.resolve(child(object(child(object(child(d.resolve(of), "content")), kind)), "schema"))
}

// resolve follows references within the document.
func (d document) resolve(v any) ordered.Object {
	o := object(v)
	for range 8 {
		ref := text(child(o, "$ref"))
		if ref == "" {
			break
		}
		at := any(d.root)
		for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			at = child(object(at), strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
		}
		o = object(at)
	}
	return o
}

// mostNested bounds how deep pages look into a schema.
const mostNested = 4

// properties adds what an object has; name is where it stands.
func (d document) properties(out []property, name string, s ordered.Object, depth int) []property {
	required := listOf(child(s, "required"))
	for _, m := range object(child(s, "properties")) {
		one := d.resolve(m.Value)
		p := property{Name: name + m.Key, Type: typeText(one), Note: noteOf(one), Required: slices.Contains(required, any(m.Key))}
		out = append(out, p)
		if depth == mostNested {
			continue
		}
		inner := p.Name + "."
		if items := d.resolve(child(one, "items")); items != nil {
			one, inner = items, p.Name+"[]."
		}
		out = d.properties(out, inner, one, depth+1)
	}
	return out
}

// typeText is the type of a schema in a word or two.
func typeText(s ordered.Object) string {
	var names []string
	switch t := child(s, "type").(type) {
	case string:
		names = append(names, t)
	case []any:
		for _, one := range t {
			names = append(names, text(one))
		}
	}
	if len(names) == 0 {
		return "any"
	}
	out := strings.Join(names, " or ")
	if items := object(child(s, "items")); items != nil && names[0] == "array" {
		out += " of " + typeText(items)
	}
	return out
}

// noteOf tells in a line what a schema says beside the type.
func noteOf(s ordered.Object) string {
	var notes []string
	if t := text(child(s, "description")); t != "" {
		notes = append(notes, t)
	}
	if choices := listOf(child(s, "enum")); choices != nil {
		var words []string
		for _, c := range choices {
			words = append(words, jsonText(c))
		}
		notes = append(notes, "one of "+strings.Join(words, ", "))
	}
	for _, b := range []struct{ key, text string }{{"default", "default"}, {"minimum", "at least"}, {"maximum", "at most"}, {"minLength", "characters at least"},
		{"maxLength", "characters at most"}, {"minItems", "items at least"}, {"maxItems", "items at most"}, {"pattern", "pattern"}, {"format", "format"}} {
		if v, ok := s.Get(b.key); ok {
			notes = append(notes, b.text+" "+jsonText(v))
		}
	}
	return strings.Join(notes, "; ")
}

// jsonText is a value as JSON, but for texts, which stand as they are.
func jsonText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(ordered.Append(nil, v))
}

func object(v any) ordered.Object            { o, _ := v.(ordered.Object); return o }
func child(o ordered.Object, key string) any { v, _ := o.Get(key); return v }
func text(v any) string                      { s, _ := v.(string); return s }
func listOf(v any) []any                     { l, _ := v.([]any); return l }

// programKey is a key that stands in any program as it is.
var (
	programKey = regexp.MustCompile(`^[A-Za-z0-9._~+/=:@-]+$`)
	programURL = regexp.MustCompile(`^https?://[A-Za-z0-9.\[\]:-]+$`)
)

// filled are samples with the address and the key in the place of the names of
// the environment. What could end a text in a program is left out.
func filled(list []sample, address, key string) []sample {
	var pairs []string
	if programURL.MatchString(address) {
		pairs = append(pairs, `"$SLUICE_URL`, `"`+address, `os.environ["SLUICE_URL"]`, strconv.Quote(address), `process.env.SLUICE_URL`, strconv.Quote(address),
			`os.Getenv("SLUICE_URL")`, strconv.Quote(address))
	}
	if programKey.MatchString(key) {
		pairs = append(pairs, `Bearer $SLUICE_KEY"`, `Bearer `+key+`"`, `os.environ["SLUICE_KEY"]`, strconv.Quote(key), `${process.env.SLUICE_KEY}`, key,
			`os.Getenv("SLUICE_KEY")`, strconv.Quote(key))
	}
	out := make([]sample, len(list))
	for i, s := range list {
		out[i] = sample{s.Label, strings.NewReplacer(pairs...).Replace(s.Source)}
	}
	return out
}
