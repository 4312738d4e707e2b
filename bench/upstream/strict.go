package upstream

import (
	"fmt"

	"github.com/tidwall/gjson"
)

// What the fake signs its thoughts with; it refuses others, as a provider does.
const (
	anthropicSignature = "c2lnbmF0dXJl"
	bedrockSignature   = "YmVkcm9jayBzaWduYXR1cmU="
	geminiSignature    = "Z2VtaW5pIHNpZ25hdHVyZQ=="
)

// unpaired names a tool call that the turn after it does not answer, or an
// answer to none. Every provider refuses both.
func (a *ask) unpaired() (fault string) {
	open := map[string]int{}
	a.messages.ForEach(func(_, m gjson.Result) bool {
		answered := answeredIn(m)
		for _, id := range answered {
			if open[id] == 0 {
				fault = fmt.Sprintf("the tool result %q answers no call of the turn before", id)
				return false
			}
			if open[id]--; open[id] == 0 {
				delete(open, id)
			}
		}
		// OpenAI's results are messages of their own, the others' one turn.
		if len(open) > 0 && m.Get("role").String() != "tool" {
			fault = "tool calls without a result in the turn after them: " + fmt.Sprint(open)
			return false
		}
		for _, id := range callsIn(m) {
			open[id]++
		}
		return true
	})
	if fault == "" && len(open) > 0 {
		fault = "tool calls without a result: " + fmt.Sprint(open)
	}
	return fault
}

// callsIn are the ids of the calls that a message of any format makes; the
// names where Gemini gives none.
func callsIn(m gjson.Result) (ids []string) {
	add := func(id gjson.Result) bool {
		ids = append(ids, id.String())
		return true
	}
	m.Get("tool_calls.#.id").ForEach(func(_, id gjson.Result) bool { return add(id) })
	contentOf(m).ForEach(func(_, p gjson.Result) bool {
		switch {
		case p.Get("type").String() == "tool_use":
			return add(p.Get("id"))
		case p.Get("toolUse").Exists():
			return add(p.Get("toolUse.toolUseId"))
		case p.Get("functionCall").Exists():
			return add(p.Get("functionCall.name"))
		}
		return true
	})
	return ids
}

// answeredIn are the ids of the calls whose results a message brings.
func answeredIn(m gjson.Result) (ids []string) {
	if m.Get("role").String() == "tool" && m.Get("tool_call_id").Exists() {
		return []string{m.Get("tool_call_id").String()}
	}
	if m.Get("type").String() == "function_call_output" { // of responses
		return []string{m.Get("call_id").String()}
	}
	contentOf(m).ForEach(func(_, p gjson.Result) bool {
		switch {
		case p.Get("type").String() == "tool_result":
			ids = append(ids, p.Get("tool_use_id").String())
		case p.Get("toolResult").Exists():
			ids = append(ids, p.Get("toolResult.toolUseId").String())
		case p.Get("functionResponse").Exists():
			ids = append(ids, p.Get("functionResponse.name").String())
		}
		return true
	})
	return ids
}

// strictAnthropic holds a request to the rules of extended thinking: a budget
// below max_tokens, own signatures, and a turn of calls that begins with its
// thoughts.
func strictAnthropic(a *ask) (fault string) {
	switch {
	case a.max <= 0:
		return "max_tokens: Field required"
	case a.budget > 0 && a.budget < 1024:
		return "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
	case a.budget >= a.max:
		return "`max_tokens` must be greater than `thinking.budget_tokens`"
	case a.thinking && a.choice != "" && a.choice != "none":
		return "Thinking may not be enabled when tool_choice forces tool use."
	}
	thoughtless := "" // the type of the block that a turn of calls began with, since the user last spoke
	a.messages.ForEach(func(_, m gjson.Result) bool {
		if m.Get("role").String() != "assistant" {
			if len(answeredIn(m)) == 0 {
				thoughtless = ""
			}
			return true
		}
		first := m.Get("content.0.type").String()
		if len(callsIn(m)) > 0 && first != "thinking" && first != "redacted_thinking" {
			thoughtless = first
		}
		m.Get(`content.#(type=="thinking")#.signature`).ForEach(func(_, s gjson.Result) bool {
			if s.String() != anthropicSignature {
				fault = "messages: Invalid `signature` in `thinking` block"
			}
			return true
		})
		return fault == ""
	})
	if fault == "" && a.thinking && thoughtless != "" {
		fault = "messages: Expected `thinking` or `redacted_thinking`, but found `" + thoughtless + "`"
	}
	if fault == "" {
		fault = a.unpaired()
	}
	return fault
}

// strictBedrock holds a request to Converse's rules.
func strictBedrock(a *ask) (fault string) {
	want := "user"
	a.messages.ForEach(func(i, m gjson.Result) bool {
		role := m.Get("role").String()
		if role != want {
			fault = fmt.Sprintf("A conversation must begin with a user message and alternate between user and assistant roles: message %d is of role %q", i.Int(), role)
			return false
		}
		want = map[string]string{"user": "assistant", "assistant": "user"}[role]
		if len(a.tools) == 0 && len(callsIn(m))+len(answeredIn(m)) > 0 {
			fault = "The toolConfig field must be defined when using toolUse and toolResult content blocks."
		}
		m.Get("content").ForEach(func(_, p gjson.Result) bool {
			if t := p.Get("text"); t.Exists() && wordCount(t.String()) == 0 {
				fault = "The text field in the ContentBlock object is blank."
			}
			if s := p.Get("reasoningContent.reasoningText.signature"); s.Exists() && s.String() != bedrockSignature {
				fault = "Invalid signature in reasoningContent"
			}
			return fault == ""
		})
		return fault == ""
	})
	if fault == "" {
		fault = a.unpaired()
	}
	return fault
}

// strictGemini holds a request to Gemini 3's rules: the first function call of
// every step of the current turn is signed, by the model or by one of the words
// that its page on thought signatures allows.
func strictGemini(a *ask) (fault string) {
	var steps []gjson.Result // of the model, since the user last spoke
	a.messages.ForEach(func(_, m gjson.Result) bool {
		switch role := m.Get("role").String(); {
		case role == "model":
			steps = append(steps, m)
		case role != "user" && role != "function" && role != "":
			fault = "Please use a valid role: user, model."
		case len(answeredIn(m)) == 0:
			steps = nil
		}
		return fault == ""
	})
	for _, m := range steps {
		call := m.Get("parts.#(functionCall)")
		if !call.Exists() || fault != "" {
			continue
		}
		switch call.Get("thoughtSignature").String() {
		case geminiSignature, "skip_thought_signature_validator", "context_engineering_is_the_way_to_go":
		case "":
			fault = "Function call is missing a thought_signature in functionCall parts."
		default:
			fault = "Corrupted thought signature."
		}
	}
	if fault == "" {
		fault = a.unpaired()
	}
	return fault
}
