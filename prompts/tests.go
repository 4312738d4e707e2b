package prompts

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice/prompts/ordered"
)

// Test is one case of sluice.tests: an input and what its answer must be like.
type Test struct {
	Name   string
	Input  map[string]any
	Models []string // to be run on, instead of the prompt's own
	Repeat int      // how often; at least 1
	Pass   float64  // the share of runs that must pass
	Expect ordered.Object
	// Steps are what steps of the prompt bring in this test, by name: these are not
	// called.
	Steps map[string]any
}

// expectations are the assertions of a test, in promptfoo's terms where it has
// them.
var expectations = []string{"equals", "contains", "not-contains", "icontains", "regex", "starts-with", "json", "is-json",
	"contains-any", "icontains-any", "schema", "judge", "llm-rubric", "similar", "cost", "latency"}

func (m *metadata) tests(key string, v any) {
	list, ok := v.([]any)
	if !ok {
		m.fault(key, "must be a list, not %s", kindOf(v))
		return
	}
	var names []string
	for i, e := range list {
		o, ok := e.(ordered.Object)
		if !ok {
			m.fault(key, "test %d must be a mapping, not %s", i+1, kindOf(e))
			continue
		}
		t := m.test(key, fmt.Sprintf("test %d", i+1), o)
		if t.Name != "" && slices.Contains(names, t.Name) {
			m.fault(key, "two tests are called %q", t.Name)
		}
		names = append(names, t.Name)
		m.t.Sluice.Tests = append(m.t.Sluice.Tests, t)
	}
}

func (m *metadata) test(key, what string, o ordered.Object) Test {
	t := Test{Repeat: 1, Pass: 1, Input: map[string]any{}}
	for _, f := range o {
		switch f.Key {
		case "name":
			t.Name, _ = f.Value.(string)
			if t.Name == "" {
				m.fault(key, "%s: name must be a word", what)
			}
			what = fmt.Sprintf("test %q", t.Name)
		case "input":
			in, ok := ordered.Plain(f.Value).(map[string]any)
			if !ok {
				m.fault(key, "%s: input must be a mapping, not %s", what, kindOf(f.Value))
				continue
			}
			t.Input = in
		case "steps":
			brought, ok := ordered.Plain(f.Value).(map[string]any)
			if !ok {
				m.fault(key, "%s: steps must be a mapping of their names to what they bring, not %s", what, kindOf(f.Value))
			}
			t.Steps = brought
		case "models":
			var ok bool
			if t.Models, ok = texts(f.Value); !ok {
				m.fault(key, "%s: models must be a list of names", what)
			}
		case "repeat":
			n, ok := whole(f.Value)
			if !ok || n < 1 || n > 100 {
				m.fault(key, "%s: repeat must be a whole number from 1 to 100", what)
			}
			t.Repeat = int(n)
		case "pass":
			number, _ := f.Value.(json.Number)
			share, err := number.Float64()
			if t.Pass = share; err != nil || share <= 0 || share > 1 {
				m.fault(key, "%s: pass must be a share of the runs, above 0 and at most 1", what)
			}
		case "expect":
			t.Expect = m.expect(key, what, f.Value)
			for _, a := range t.Expect {
				m.expectation(key, what, a)
			}
		default:
			m.fault(key, "%s: unknown key %q%s", what, f.Key, meant(f.Key, []string{"name", "input", "steps", "expect", "models", "repeat", "pass"}))
		}
	}
	return t
}

// expect reads what a test expects: a mapping, or a list of them, in which one
// kind of expectation may stand several times.
func (m *metadata) expect(key, what string, v any) ordered.Object {
	switch v := v.(type) {
	case ordered.Object:
		return v
	case []any:
		var all ordered.Object
		for _, one := range v {
			o, ok := one.(ordered.Object)
			if !ok {
				m.fault(key, "%s: expect must be a list of mappings, not of %s", what, kindOf(one))
			}
			all = append(all, o...)
		}
		return all
	}
	m.fault(key, "%s: expect must be a mapping, or a list of them, not %s", what, kindOf(v))
	return nil
}

// expectation checks the form of one assertion.
func (m *metadata) expectation(key, what string, a ordered.Member) {
	want := ""
	switch a.Key {
	case "contains", "not-contains", "icontains", "contains-any", "icontains-any":
		if _, ok := texts(a.Value); !ok {
			want = "a text or a list of texts"
		}
	case "equals", "starts-with", "judge", "llm-rubric", "regex":
		s, ok := a.Value.(string)
		if !ok {
			want = "a text"
		}
		if _, err := regexp.Compile(s); a.Key == "regex" && err != nil {
			want = "a regular expression: " + err.Error()
		}
	case "schema", "is-json":
		want = wantSchema(a.Value)
	case "cost":
		if expectCost(a.Value, 0) != "" {
			want = "the most that is allowed, in dollars"
		}
	case "latency":
		if expectLatency(a.Value, 0) != "" {
			want = "the most that is allowed, as a duration or in milliseconds"
		}
	case "json":
		// any value: the output must have all that it has
	case "similar":
		_, want = similarityOf(a.Value)
	default:
		m.fault(key, "%s: unknown expectation %q%s", what, a.Key, meant(a.Key, expectations))
	}
	if want != "" {
		m.fault(key, "%s: %s must be %s", what, a.Key, want)
	}
}

// wantSchema says what is wrong with the value of schema or is-json.
func wantSchema(v any) string {
	switch v := v.(type) {
	case bool:
		return ""
	case ordered.Object:
		if _, err := compileSchema(v); err != nil {
			return "a JSON Schema: " + err.Error()
		}
		return ""
	}
	return "true, false or a JSON Schema"
}

// texts takes a text, or a list of them.
func texts(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case []any:
		out := make([]string, len(v))
		for i := range v {
			s, ok := v[i].(string)
			if !ok {
				return nil, false
			}
			out[i] = s
		}
		return out, len(out) > 0
	}
	return nil, false
}

// Stage is one or more steps that run at the same time.
type Stage []Step

// Step is one call that is made before the prompt itself; what comes back
// stands under its name for later stages and for the body.
type Step struct {
	As     string
	Prompt string // another prompt's name, or
	Route  string // a method and a path of the gateway's routes
	Input  ordered.Object
	Given  *any // what it brings without a call, in a test
}

var (
	stepName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	stepRoute = regexp.MustCompile(`^(GET|POST|PUT|PATCH|DELETE) /\S*$`)
)

func (m *metadata) steps(key string, v any) {
	list, ok := v.([]any)
	if !ok {
		m.fault(key, "must be a list, not %s", kindOf(v))
		return
	}
	names := map[string]bool{}
	for i, e := range list {
		what := fmt.Sprintf("step %d", i+1)
		inner, parallel := e.([]any)
		if !parallel {
			inner = []any{e}
		}
		if len(inner) == 0 {
			m.fault(key, "%s is an empty list", what)
		}
		var stage Stage
		for _, s := range inner {
			o, ok := s.(ordered.Object)
			if !ok {
				m.fault(key, "%s must be a mapping, or a list of mappings that run at once", what)
				continue
			}
			step := m.step(key, what, o)
			if step.As != "" && names[step.As] {
				m.fault(key, "two steps are called %q", step.As)
			}
			names[step.As] = true
			stage = append(stage, step)
		}
		m.t.Sluice.Steps = append(m.t.Sluice.Steps, stage)
	}
}

func (m *metadata) step(key, what string, o ordered.Object) Step {
	var s Step
	for _, f := range o {
		word, _ := f.Value.(string)
		switch f.Key {
		case "as":
			if s.As = word; !stepName.MatchString(word) {
				m.fault(key, "%s: as must be a name of letters, digits and _", what)
			}
			what = fmt.Sprintf("step %q", word)
		case "prompt":
			if s.Prompt = word; word == "" {
				m.fault(key, "%s: prompt must be the name of a prompt", what)
			}
		case "route":
			if s.Route = word; !stepRoute.MatchString(word) {
				m.fault(key, `%s: route must be a method and a path, such as "GET /orders/{{id}}"`, what)
			}
		case "input":
			var ok bool
			if s.Input, ok = f.Value.(ordered.Object); !ok {
				m.fault(key, "%s: input must be a mapping, not %s", what, kindOf(f.Value))
			}
		default:
			m.fault(key, "%s: unknown key %q%s", what, f.Key, meant(f.Key, []string{"as", "prompt", "route", "input"}))
		}
	}
	if s.As == "" {
		m.fault(key, "%s has no name (as)", what)
	}
	if (s.Prompt == "") == (s.Route == "") {
		m.fault(key, "%s calls either a prompt or a route", what)
	}
	if strings.EqualFold(s.Prompt, m.t.Name) && s.Prompt != "" {
		m.fault(key, "%s calls the prompt itself", what)
	}
	return s
}
