package prompts

import (
	"encoding/json"
	"strings"

	"sluice/prompts/lenient"
	"sluice/prompts/ordered"
)

// CheckOutput reads a model's answer as the JSON that the prompt promises:
// leniently (code fences, prose around it, trailing commas, comments, single
// quotes), then strictly by the output schema. It gives the compact JSON, its
// keys in the model's order, or everything that is wrong with it. Without a
// schema, any object or list goes. For a prompt that answers with text it
// gives nothing at all.
func (t *Template) CheckOutput(text string) (json.RawMessage, []Problem) {
	if !t.Output.JSON() {
		return nil, nil
	}
	var first []Problem
	for _, v := range lenient.Values(text) {
		problems := t.checkValue(v)
		if len(problems) == 0 {
			return ordered.Append(nil, v), nil
		}
		if first == nil {
			first = problems
		}
	}
	if first != nil {
		return nil, first
	}
	if strings.TrimSpace(text) == "" {
		return nil, []Problem{{"", "the answer is empty"}}
	}
	if strings.ContainsAny(text, "{[") {
		return nil, []Problem{{"", "the answer holds no complete JSON value"}}
	}
	return nil, []Problem{{"", "the answer is not JSON"}}
}

func (t *Template) checkValue(v any) []Problem {
	if t.checkOut == nil {
		switch v.(type) {
		case ordered.Object, []any:
		default:
			return []Problem{{"", "must be a JSON object, not " + kindOf(v)}}
		}
	}
	return t.checkOut.check(ordered.Plain(v))
}

// maxTold bounds how many problems a repair turn names.
const maxTold = 20

// RepairMessage is what the model is told in the turn that repairs an answer.
func (t *Template) RepairMessage(problems []Problem) string {
	var b strings.Builder
	b.WriteString("Your answer does not have the form that was asked for:\n")
	for _, p := range problems[:min(len(problems), maxTold)] {
		b.WriteString("- ")
		if p.Pointer != "" {
			b.WriteString(p.Pointer + " ")
		}
		b.WriteString(p.Message + "\n")
	}
	b.WriteString("Answer again with the whole corrected JSON and nothing else")
	if t.Output.Schema == nil {
		b.WriteString(".")
		return b.String()
	}
	b.WriteString("; it must satisfy this JSON Schema:\n")
	b.Write(t.OutputSchema())
	return b.String()
}
