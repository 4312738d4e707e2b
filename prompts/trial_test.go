package prompts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// tested is a prompt with one test that expects what is given.
func tested(t *testing.T, expect string) (*Template, Faults) {
	t.Helper()
	return Parse("p", []byte("---\nmodel: m/x\ninput: {schema: {text: string}}\noutput: {format: json, schema: {label: string, \"n?\": number}}\n"+
		"sluice.tests:\n  - {name: one, input: {text: hi}, expect: {"+expect+"}}\n---\n{{text}}\n"), ParseOptions{})
}

func TestExpectations(t *testing.T) {
	const good = `{"label":"happy","n":1.0}`
	for _, c := range []struct{ expect, text, fails string }{
		{`equals: '{"n": 1, "label": "happy"}'`, good, ""},
		{`equals: sad`, good, "equals"},
		{`equals: ' plain '`, "plain\n", ""},
		{`contains: happy`, good, ""},
		{`contains: [happy, label]`, good, ""},
		{`contains: [happy, sad]`, good, "contains"},
		{`not-contains: sad`, good, ""},
		{`not-contains: happy`, good, "not-contains"},
		{`icontains: HAPPY`, good, ""},
		{`icontains: SAD`, good, "icontains"},
		{`regex: "hap+y"`, good, ""},
		{`regex: "^hap"`, good, "regex"},
		{`starts-with: "{"`, good, ""},
		{`starts-with: x`, good, "starts-with"},
		{`json: {label: happy}`, good, ""},
		{`json: {label: happy, n: 1}`, good, ""},
		{`json: {label: sad}`, good, "json"},
		{`json: {other: 1}`, good, "json"},
		{`json: [1]`, good, "json"},
		{`json: {label: happy}`, "no JSON", "json"},
		{`schema: true`, good, ""},
		{`schema: true`, `{"label":1}`, "schema"},
		{`schema: false`, `{"label":1}`, ""},
		{`is-json: true`, good, ""},
		{`is-json: {type: object, required: [more]}`, good, "is-json"},
		{`cost: 0.002`, good, ""},
		{`cost: "0.0009"`, good, "cost"},
		{`latency: 40`, good, ""},
		{`latency: 20ms`, good, "latency"},
		{`judge: "is it happy?"`, good, ""},
		{`llm-rubric: fail it`, good, "llm-rubric"},
		{`similar: a fine day`, "a fine day", ""},
		{`similar: a fine day`, "rain", "similar"},
		{`similar: {value: a fine day, threshold: 0.6, model: m/vectors}`, "a day", ""},
		{`similar: {value: a fine day, threshold: 0.9}`, "a day", "similar"},
		{`similar: {value: a fine day, model: m/none}`, "a fine day", "similar"},
		{`contains: happy, equals: no`, good, "equals"},
	} {
		tm, faults := tested(t, c.expect)
		if len(faults) > 0 {
			t.Errorf("%s: %v", c.expect, faults)
			continue
		}
		ask := func(_ context.Context, p *Template, model string, in map[string]any) Answer {
			if p.Name == "judge" {
				return Answer{Text: fmt.Sprintf(`{"pass":%t,"reason":"so"}`, in["criterion"] != "fail it" && in["output"] == c.text)}
			}
			return Answer{Text: c.text, Cost: 1_000_000, Latency: 30 * time.Millisecond}
		}
		r := tm.RunTests(t.Context(), Models{ask, wordVectors}, "", nil)
		failed := ""
		for _, f := range r[0].Failures {
			failed += f.Expect
			if f.Message == "" {
				t.Errorf("%s: a failure says nothing", c.expect)
			}
		}
		if failed != c.fails || r[0].Passed() != (c.fails == "") || (r[0].Line() == "") != r[0].Passed() {
			t.Errorf("%s of %s: %+v, want a failure of %q", c.expect, c.text, r[0].Failures, c.fails)
		}
	}
}

func TestExpectationsThatAreNone(t *testing.T) {
	for expect, want := range map[string]string{
		`similar: {threshold: 1}`:           "similar must be",
		`similar: [a]`:                      "similar must be",
		`similar: {value: a, threshold: 2}`: "similar must be",
		`similar: {value: a, by: b}`:        "without by",
		`cost: cheap`:                       "cost must be",
		`latency: soon`:                     "latency must be",
		`latency: {a: 1}`:                   "latency must be",
		`is-json: {type: 7}`:                "is-json must be",
		`schema: 3`:                         "schema must be",
		`judge: 3`:                          "judge must be",
		`regex: "("`:                        "regex must be",
		`equal: x`:                          "did you mean",
		`icontains: {a: b}`:                 "icontains must be",
		`contains: []`:                      "contains must be",
		`equals: [a]`:                       "equals must be",
		`starts-with: {a: "b"}`:             "starts-with must be",
		`javascript: "output == 1"`:         "unknown expectation",
	} {
		if _, faults := tested(t, expect); len(faults) != 1 || !strings.Contains(faults.Error(), want) {
			t.Errorf("%s: %v, want %q", expect, faults, want)
		}
	}
}

func TestRunTestsOrderModelsRepeats(t *testing.T) {
	tm, faults := Parse("p", []byte(`---
model: m/own
sluice.tests:
  - {name: a, models: [m/one, m/two], repeat: 3, expect: {equals: m/one}}
  - {expect: {equals: ""}}
---
x
`), ParseOptions{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var mu sync.Mutex
	asked := map[string]int{}
	ask := func(_ context.Context, _ *Template, model string, _ map[string]any) Answer {
		mu.Lock()
		defer mu.Unlock()
		asked[model]++
		return Answer{Text: model}
	}
	told := 0
	var got []string
	for _, r := range tm.RunTests(t.Context(), Models{Ask: ask}, "", func(TestResult) { told++ }) {
		got = append(got, fmt.Sprintf("%s %s %d %t", r.Test, r.Model, r.Run, r.Passed()))
	}
	want := "a m/one 1 true;a m/one 2 true;a m/one 3 true;a m/two 1 false;a m/two 2 false;a m/two 3 false;test 2 m/own 1 true"
	if strings.Join(got, ";") != want || told != 7 || asked[""] != 1 || asked["m/two"] != 3 {
		t.Errorf("%s; told %d, asked %v", strings.Join(got, ";"), told, asked)
	}
	if r := tm.RunTests(t.Context(), Models{Ask: ask}, "m/x", nil); len(r) != 4 || r[0].Model != "m/x" || r[3].Model != "m/x" {
		t.Errorf("on another model: %+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, r := range tm.RunTests(ctx, Models{Ask: ask}, "", nil) {
		if !errors.Is(r.Answer.Err, context.Canceled) || r.Failures[0].Expect != "call" {
			t.Errorf("after the end: %+v", r)
		}
	}
}

// wordVectors have a place for each of a few words.
func wordVectors(_ context.Context, model string, texts []string) ([][]float32, error) {
	if model == "m/none" {
		return nil, errors.New("no such model")
	}
	out := make([][]float32, len(texts))
	for i, text := range texts {
		for _, word := range []string{"a", "fine", "day", "rain"} {
			out[i] = append(out[i], float32(strings.Count(" "+text+" ", " "+word+" ")))
		}
	}
	return out, nil
}
