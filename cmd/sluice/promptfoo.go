package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sluice/prompts"
	"sluice/prompts/ordered"
)

// promptfoo reads a promptfooconfig.yaml as prompts with tests, one for each
// entry of its prompts: (promptfoo.dev/docs/configuration, read 2026-11-30).
// What has no counterpart here is an error that names it: a test that is left
// out would pass.
func promptfoo(path string) ([]*prompts.Template, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, unusable("%w", err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(b, &node); err != nil {
		return nil, unusable("%s: %w", path, err)
	}
	v, err := ordered.FromYAML(&node)
	if err != nil {
		return nil, unusable("%s: %w", path, err)
	}
	doc, ok := v.(ordered.Object)
	if !ok {
		return nil, unusable("%s: want a mapping of prompts, providers and tests", path)
	}
	f := &fooFile{dir: filepath.Dir(path)}
	list, err := f.read(doc)
	if err != nil {
		return nil, unusable("%s: %w", path, err)
	}
	return list, nil
}

// fooFile is what a promptfooconfig.yaml says.
type fooFile struct {
	dir    string
	models []any
	vars   ordered.Object // of every test
	assert []any          // likewise
	repeat any
	tests  []any // in the form of sluice.tests
}

// fooIgnored are keys that change nothing here.
var fooIgnored = []string{"description", "tags", "sharing", "outputPath", "commandLineOptions", "metadata", "$schema"}

func (f *fooFile) read(doc ordered.Object) ([]*prompts.Template, error) {
	var texts, tests []any
	for _, e := range doc {
		var err error
		list, _ := e.Value.([]any)
		switch {
		case slices.Contains(fooIgnored, e.Key):
		case e.Key == "prompts":
			if texts = list; list == nil {
				texts = []any{e.Value}
			}
		case e.Key == "providers" || e.Key == "targets":
			err = f.providers(list, e.Value)
		case e.Key == "defaultTest":
			err = f.defaults(e.Value)
		case e.Key == "evaluateOptions":
			o, _ := e.Value.(ordered.Object)
			f.repeat, _ = o.Get("repeat")
		case e.Key == "tests" && list != nil:
			tests = list
		default:
			err = fmt.Errorf("%s is not understood: only prompts, providers, defaultTest, evaluateOptions.repeat and a list of tests", e.Key)
		}
		if err != nil {
			return nil, err
		}
	}
	for i, t := range tests {
		if err := f.test(t); err != nil {
			return nil, fmt.Errorf("tests[%d]: %w", i, err)
		}
	}
	var out []*prompts.Template
	for i, p := range texts {
		t, err := f.prompt(i, p)
		if err != nil {
			return nil, fmt.Errorf("prompts[%d]: %w", i, err)
		}
		out = append(out, t)
	}
	return out, nil
}

// providers reads the models: openai:gpt-4o is openai/gpt-4o here.
func (f *fooFile) providers(list []any, lone any) error {
	if list == nil {
		list = []any{lone}
	}
	for i, p := range list {
		id, ok := p.(string)
		if o, object := p.(ordered.Object); object {
			id, ok = textAt(o, "id")
			if !ok && len(o) == 1 { // {"openai:gpt-4o": {…}}
				id, ok = o[0].Key, true
			}
		}
		if !ok {
			return fmt.Errorf("providers[%d] has no id", i)
		}
		f.models = append(f.models, fooModel(id))
	}
	return nil
}

// fooKinds stand between provider and model in promptfoo's ids.
var fooKinds = []string{"chat", "messages", "completion", "responses"}

func fooModel(id string) string {
	if id == "echo" {
		return "mock/echo"
	}
	parts := strings.SplitN(id, ":", 3)
	if len(parts) == 3 && slices.Contains(fooKinds, parts[1]) {
		parts = []string{parts[0], parts[2]}
	}
	if len(parts) > 1 && parts[0] == "google" {
		parts[0] = "gemini"
	}
	if len(parts) == 1 {
		return id
	}
	return parts[0] + "/" + strings.Join(parts[1:], ":")
}

func (f *fooFile) defaults(v any) error {
	o, _ := v.(ordered.Object)
	for _, e := range o {
		switch e.Key {
		case "vars":
			f.vars, _ = e.Value.(ordered.Object)
		case "assert":
			f.assert, _ = e.Value.([]any)
		default:
			return fmt.Errorf("defaultTest.%s is not understood: only vars and assert", e.Key)
		}
	}
	return nil
}

// test makes sluice.tests of one test: as many as its lists of values combine
// to.
func (f *fooFile) test(v any) error {
	o, ok := v.(ordered.Object)
	if !ok {
		return errors.New("want a mapping of vars and assert")
	}
	name, vars, assert := "", f.vars, slices.Clone(f.assert)
	for _, e := range o {
		switch e.Key {
		case "description":
			name, _ = e.Value.(string)
		case "vars":
			own, ok := e.Value.(ordered.Object)
			if !ok {
				return errors.New("vars must be a mapping")
			}
			vars = vars.Merge(own)
		case "assert":
			own, ok := e.Value.([]any)
			if !ok {
				return errors.New("assert must be a list")
			}
			assert = append(assert, own...)
		case "metadata":
		default:
			return fmt.Errorf("%s is not understood: only description, vars and assert", e.Key)
		}
	}
	for _, in := range combined(vars) {
		expect := []any{}
		for i, a := range assert {
			e, err := expectation(a, in)
			if err != nil {
				return fmt.Errorf("assert[%d]: %w", i, err)
			}
			expect = append(expect, e)
		}
		n := len(f.tests) + 1
		test := ordered.Object{{Key: "name", Value: strings.TrimSpace(fmt.Sprintf("%d %s", n, name))}, {Key: "input", Value: in}, {Key: "expect", Value: expect}}
		if f.repeat != nil {
			test = append(test, ordered.Member{Key: "repeat", Value: f.repeat})
		}
		f.tests = append(f.tests, test)
	}
	return nil
}

// combined are the inputs that vars stand for, of which a list is one value
// after the other.
func combined(vars ordered.Object) []ordered.Object {
	out := []ordered.Object{{}}
	for _, v := range vars {
		values, ok := v.Value.([]any)
		if !ok {
			values = []any{v.Value}
		}
		var next []ordered.Object
		for _, in := range out {
			for _, one := range values {
				next = append(next, in.With(v.Key, one))
			}
		}
		out = next
	}
	return out
}

// fooSame are the assertions that are called the same here; fooAs those that are
// not.
var (
	fooSame = []string{"equals", "contains", "icontains", "not-contains", "contains-any", "icontains-any", "regex", "starts-with", "llm-rubric"}
	fooAs   = map[string]string{"contains-all": "contains", "icontains-all": "icontains"}
)

func expectation(v any, vars ordered.Object) (ordered.Object, error) {
	o, ok := v.(ordered.Object)
	kind, _ := textAt(o, "type")
	if !ok || kind == "" {
		return nil, errors.New("type is missing")
	}
	for _, e := range o {
		if !slices.Contains([]string{"type", "value", "threshold", "metric"}, e.Key) {
			return nil, fmt.Errorf("%s of %s is not understood", e.Key, kind)
		}
	}
	value, _ := o.Get("value")
	threshold, limited := o.Get("threshold")
	value = filledIn(value, vars)
	switch {
	case kind == "cost" || kind == "latency":
		return ordered.Object{{Key: kind, Value: threshold}}, nil
	case kind == "similar":
		of := ordered.Object{{Key: "value", Value: value}}
		if limited {
			of = of.With("threshold", threshold)
		}
		return ordered.Object{{Key: kind, Value: of}}, nil
	case limited:
		return nil, fmt.Errorf("threshold of %s is not understood", kind)
	case kind == "is-json":
		if value == nil {
			value = true
		}
	case slices.Contains(fooSame, kind):
		if _, text := value.(string); kind == "equals" && !text {
			value = string(ordered.Append(nil, value))
		}
	case fooAs[kind] != "":
		kind = fooAs[kind]
	default:
		return nil, fmt.Errorf("type %s is not understood: only %s, contains-all, icontains-all, similar, is-json, cost and latency", kind, strings.Join(fooSame, ", "))
	}
	return ordered.Object{{Key: kind, Value: value}}, nil
}

var fooVariable = regexp.MustCompile(`\{\{-?\s*([A-Za-z_][A-Za-z0-9_]*)\s*-?\}\}`)

// filledIn puts a test's vars into the texts of an assertion.
func filledIn(v any, vars ordered.Object) any {
	switch v := v.(type) {
	case string:
		return fooVariable.ReplaceAllStringFunc(v, func(found string) string {
			value, ok := vars.Get(fooVariable.FindStringSubmatch(found)[1])
			if text, is := value.(string); is {
				return text
			} else if ok {
				return string(ordered.Append(nil, value))
			}
			return found
		})
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = filledIn(v[i], vars)
		}
		return out
	}
	return v
}

// prompt makes a prompt of a text, of file://PATH, or of {raw, label}.
func (f *fooFile) prompt(i int, v any) (*prompts.Template, error) {
	name := fmt.Sprintf("prompt-%d", i+1)
	text, ok := v.(string)
	if o, object := v.(ordered.Object); object {
		if text, ok = textAt(o, "raw"); !ok {
			text, ok = textAt(o, "id")
		}
		label, _ := textAt(o, "label")
		name = cmp.Or(label, name)
	}
	if !ok {
		return nil, errors.New("want a text, file://PATH, or a mapping with raw")
	}
	if file, is := strings.CutPrefix(text, "file://"); is {
		b, err := os.ReadFile(filepath.Join(f.dir, file))
		if err != nil {
			return nil, err
		}
		text = string(b)
	}
	body, err := bodyOf(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("---\n")
	if len(f.models) > 0 {
		fmt.Fprintf(&b, "model: %s\n", ordered.Append(nil, f.models[0]))
	}
	tests := make([]any, len(f.tests))
	for i, t := range f.tests {
		tests[i] = t
		if len(f.models) > 0 {
			tests[i] = t.(ordered.Object).With("models", f.models)
		}
	}
	fmt.Fprintf(&b, "sluice.tests: %s\n---\n%s", ordered.Append(nil, tests), body)
	t, faults := prompts.Parse(name, b.Bytes(), prompts.ParseOptions{})
	if len(faults) > 0 {
		return nil, errors.New(faults[0].Message)
	}
	return t, nil
}

// bodyOf is a text, or a JSON list of chat messages, as a prompt's body.
func bodyOf(text string) (string, error) {
	if strings.Contains(text, "{%") || strings.Contains(text, "{#") {
		return "", errors.New("tags and comments of Nunjucks ({% … %}, {# … #}) are not understood, only {{variables}}")
	}
	for _, found := range regexp.MustCompile(`\{\{[^}]*\}\}`).FindAllString(text, -1) {
		if !fooVariable.MatchString(found) {
			return "", fmt.Errorf("%s is not understood, only {{variables}}", found)
		}
	}
	text = fooVariable.ReplaceAllString(text, "{{$1}}")
	v, err := ordered.Decode([]byte(text))
	messages, ok := v.([]any)
	if err != nil || !ok {
		return text, nil
	}
	return chatBody(messages)
}

func textAt(o ordered.Object, key string) (string, bool) {
	v, _ := o.Get(key)
	s, ok := v.(string)
	return s, ok
}
