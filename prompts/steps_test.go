package prompts

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sluice/prompts/ordered"
)

func TestStepInputs(t *testing.T) {
	values := map[string]any{
		"text": "hi {{text}}", "n": json.Number("3"), "none": nil,
		"found": map[string]any{"name": "Ada", "tags": []any{"a", true}},
	}
	for in, want := range map[string]string{
		`{"a": "{{text}}"}`:  `{"a":"hi {{text}}"}`, // what a value holds is not looked into
		`{"a": "{{ n }}"}`:   `{"a":3}`,
		`{"a": "{{found}}"}`: `{"a":{"name":"Ada","tags":["a",true]}}`,
		`{"a": "{{found.name}} has {{found.tags}} {{n}}{{none}}."}`: `{"a":"Ada has [\"a\",true] 3."}`,
		`{"a": ["{{found.name}}", {"b": "{{n}}"}], "c": 1}`:         `{"a":["Ada",{"b":3}],"c":1}`,
		`{"a": "{{absent}}", "b": "{{found.absent.more}}"}`:         `{"a":null,"b":null}`,
		`{"a": "{{n.x}}"}`:     `error`,
		`{"a": "x{{text.y}}"}`: `error`,
	} {
		v, err := ordered.Decode([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		s := Step{Input: v.(ordered.Object)}
		got, err := s.Inputs(values)
		shown := "error"
		if err == nil {
			shown = jsonText(toOrdered(got))
		}
		if shown != want {
			t.Errorf("%s: %s, want %s", in, shown, want)
		}
	}
	if got, err := (&Step{}).Inputs(values); err != nil || len(got) != len(values) {
		t.Errorf("without an input: %v, %v", got, err)
	}
}

func TestStepsAreChecked(t *testing.T) {
	for steps, want := range map[string]string{
		`{as: a, prompt: p, input: {x: "{{text}}"}}`:                             "",
		`{as: a, prompt: p}, {as: b, prompt: p, input: {x: "{{a.y}} {{text}}"}}`: "",
		`{as: a, route: "GET /x/{{text}}"}`:                                      "",
		`{as: a, prompt: p, input: {x: "{{b}}"}}, {as: b, prompt: p}`:            `step "a": b is neither`,
		`[{as: a, prompt: p}, {as: b, prompt: p, input: {x: "{{a}}"}}]`:          `step "b": a is neither`,
		`{as: a, prompt: p, input: {x: [{y: "{{txt}}"}]}}`:                       `step "a": txt is neither`,
		`{as: a, prompt: p, input: {x: "{{#if text}}a{{/if}}"}}`:                 "only values such as",
		`{as: text, prompt: p}`:                                                  "called as an input is",
		`{as: a, route: "GET /x/{{other}}"}`:                                     "other is neither",
	} {
		_, faults := Parse("main", fmt.Appendf(nil, "---\nmodel: m/x\ninput: {schema: {text: string}}\nsluice.steps: [%s]\n---\n{{text}}\n", steps), ParseOptions{})
		if want == "" && len(faults) > 0 || want != "" && (len(faults) != 1 || !strings.Contains(faults[0].Message, want)) {
			t.Errorf("%s: %v, want %q", steps, faults, want)
		}
	}
}

// A test may say what steps bring, but only of those that there are.
func TestStepsOfTests(t *testing.T) {
	parse := func(test string) (*Template, Faults) {
		return Parse("main", fmt.Appendf(nil, "---\nmodel: m/x\nsluice.steps: [{as: a, prompt: p}, {as: b, route: \"GET /x\"}]\nsluice.tests: [%s]\n---\n{{a}} {{json b}}\n", test), ParseOptions{})
	}
	for test, want := range map[string]string{
		`{name: n, steps: {c: 1}}`: `n: there is no step "c"`,
		`{name: n, steps: 1}`:      "steps must be a mapping",
		`{name: n, step: {a: 1}}`:  `unknown key "step"`,
	} {
		if _, faults := parse(test); len(faults) != 1 || !strings.Contains(faults[0].Message, want) {
			t.Errorf("%s: %v, want %q", test, faults, want)
		}
	}
	main, faults := parse(`{name: n, steps: {b: {y: [1]}}}`)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var asked *Template
	main.RunTests(t.Context(), Models{Ask: func(_ context.Context, t *Template, _ string, _ map[string]any) Answer {
		asked = t
		return Answer{}
	}}, "", nil)
	if s := asked.Sluice.Steps; len(s) != 2 || s[0][0].Given != nil || s[1][0].Given == nil || main.Sluice.Steps[1][0].Given != nil {
		t.Errorf("asked with the steps %+v, has %+v", s, main.Sluice.Steps)
	}
}
