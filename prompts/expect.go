package prompts

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/prompts/ordered"
)

// referees are the models by which some expectations are decided.
type referees struct {
	ask   func(context.Context, *Template, map[string]any) Answer // a prompt, by the model that is tested
	embed Embed
}

// judge holds an answer to what a test expects.
func (t *Template) judge(ctx context.Context, test *Test, a Answer, by referees) []Failure {
	if a.Err != nil {
		return []Failure{{"call", a.Err.Error()}}
	}
	var out []Failure
	for _, e := range test.Expect {
		said := ""
		switch e.Key {
		case "judge", "llm-rubric":
			said = judged(ctx, e.Value, test, a, by.ask)
		case "similar":
			said = expectSimilar(ctx, e.Value, a.Text, by.embed)
		case "schema", "is-json":
			said = t.expectSchema(e.Value, a.Text)
		case "cost":
			said = expectCost(e.Value, a.Cost)
		case "latency":
			said = expectLatency(e.Value, a.Latency)
		default:
			said = expectText(e.Key, e.Value, a.Text)
		}
		if said != "" {
			out = append(out, Failure{e.Key, said})
		}
	}
	return out
}

// expectText holds the output to an expectation about its text; "" is met.
func expectText(kind string, want any, text string) string {
	list, _ := texts(want)
	switch kind {
	case "equals":
		if s, _ := want.(string); !sameText(s, text) {
			return fmt.Sprintf("the output is %s, not %q", shown(text), s)
		}
	case "contains", "icontains":
		for _, s := range list {
			hay, needle := text, s
			if kind == "icontains" {
				hay, needle = strings.ToLower(text), strings.ToLower(s)
			}
			if !strings.Contains(hay, needle) {
				return fmt.Sprintf("%q is not in %s", s, shown(text))
			}
		}
	case "contains-any", "icontains-any":
		hay := text
		if kind == "icontains-any" {
			hay = strings.ToLower(hay)
		}
		if !slices.ContainsFunc(list, func(s string) bool {
			return strings.Contains(hay, s) || kind == "icontains-any" && strings.Contains(hay, strings.ToLower(s))
		}) {
			return fmt.Sprintf("none of %q is in %s", list, shown(text))
		}
	case "not-contains":
		for _, s := range list {
			if strings.Contains(text, s) {
				return fmt.Sprintf("%q is in %s", s, shown(text))
			}
		}
	case "starts-with":
		if s, _ := want.(string); !strings.HasPrefix(text, s) {
			return fmt.Sprintf("%s does not begin with %q", shown(text), s)
		}
	case "regex":
		s, _ := want.(string)
		re, err := regexp.Compile(s)
		if err != nil {
			return err.Error()
		}
		if !re.MatchString(text) {
			return fmt.Sprintf("%s does not match %s", shown(text), s)
		}
	case "json":
		got, err := ordered.Decode([]byte(text))
		if err != nil {
			return "the output is not JSON: " + shown(text)
		}
		return within(ordered.Plain(want), ordered.Plain(got), "")
	default:
		return "this version cannot judge it: only equals, contains, contains-any, not-contains, icontains, icontains-any, regex, starts-with, json, is-json, schema, judge, llm-rubric, similar, cost and latency"
	}
	return ""
}

// sameText compares texts but for the space around them, and JSON by value.
func sameText(a, b string) bool {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	if a == b {
		return true
	}
	x, err := ordered.Decode([]byte(a))
	y, err2 := ordered.Decode([]byte(b))
	return err == nil && err2 == nil && within(ordered.Plain(x), ordered.Plain(y), "") == "" && within(ordered.Plain(y), ordered.Plain(x), "") == ""
}

// within says where got lacks what want has: objects may have more keys, all
// else must be the same.
func within(want, got any, at string) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %s, not an object", place(at), kindOf(got))
		}
		for _, k := range sortedKeys(w) {
			v, ok := g[k]
			if !ok {
				return fmt.Sprintf("%s is missing", place(at+"/"+escapePointer(k)))
			}
			if said := within(w[k], v, at+"/"+escapePointer(k)); said != "" {
				return said
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s is %s, not a list of %d", place(at), shown(jsonText(toOrdered(got))), len(w))
		}
		for i := range w {
			if said := within(w[i], g[i], at+"/"+strconv.Itoa(i)); said != "" {
				return said
			}
		}
		return ""
	case json.Number:
		if g, ok := got.(json.Number); ok && sameNumber(w, g) {
			return ""
		}
	default:
		if want == got {
			return ""
		}
	}
	return fmt.Sprintf("%s is %s, not %s", place(at), shown(jsonText(toOrdered(got))), jsonText(toOrdered(want)))
}

func sameNumber(a, b json.Number) bool {
	if bigNumber.MatchString(string(a)) || bigNumber.MatchString(string(b)) {
		return a == b
	}
	x, ok := new(big.Rat).SetString(string(a))
	y, ok2 := new(big.Rat).SetString(string(b))
	return ok && ok2 && x.Cmp(y) == 0
}

func place(pointer string) string {
	if pointer == "" {
		return "the output"
	}
	return pointer
}

// expectSchema holds the output to the prompt's output schema (true), or to a
// schema of the test's own.
func (t *Template) expectSchema(want any, text string) string {
	check := t.checkOut
	switch w := want.(type) {
	case bool:
		if !w {
			return ""
		}
	case ordered.Object:
		var err error
		if check, err = compileSchema(w); err != nil {
			return err.Error()
		}
	}
	v, err := ordered.Decode([]byte(text))
	if err != nil {
		return "the output is not JSON: " + shown(text)
	}
	if p := check.check(ordered.Plain(v)); len(p) > 0 {
		return strings.TrimSpace(p[0].Pointer + " " + p[0].Message)
	}
	return ""
}

// expectCost takes dollars.
func expectCost(want any, nano int64) string {
	most, ok := new(big.Rat).SetString(strings.TrimPrefix(fmt.Sprint(want), "$"))
	if !ok {
		return fmt.Sprintf("%v is no sum of dollars", want)
	}
	cost := big.NewRat(nano, 1e9)
	if cost.Cmp(most) > 0 {
		return fmt.Sprintf("it cost $%s, at most $%v is allowed", strings.TrimRight(strings.TrimRight(cost.FloatString(9), "0"), "."), want)
	}
	return ""
}

// expectLatency takes a duration, or milliseconds as a number.
func expectLatency(want any, took time.Duration) string {
	var most time.Duration
	var err error
	switch w := want.(type) {
	case json.Number:
		most, err = time.ParseDuration(string(w) + "ms")
	case string:
		most, err = time.ParseDuration(w)
	default:
		return "it must be a duration or milliseconds"
	}
	if err != nil {
		return err.Error()
	}
	if took > most {
		return fmt.Sprintf("it took %s, at most %s is allowed", took.Round(time.Millisecond), most)
	}
	return ""
}

// shown is a text for a message, cut where it is long.
func shown(text string) string {
	const most = 200
	if r := []rune(text); len(r) > most {
		return strconv.Quote(string(r[:most])) + "…"
	}
	return strconv.Quote(text)
}

// judged asks a model whether an output is what a test wants.
func judged(ctx context.Context, want any, test *Test, a Answer, ask func(context.Context, *Template, map[string]any) Answer) string {
	input, err := json.Marshal(test.Input)
	if err != nil {
		return err.Error()
	}
	good, reason, err := Question{want, string(input), a.Text}.Ask(ctx, ask)
	switch {
	case err != nil:
		return "it could not be judged: " + err.Error()
	case !good:
		return "the judge says: " + reason
	}
	return ""
}
