package anthropic

import (
	"encoding/json"
	"fmt"
	"slices"

	"sluice/providers/schema"
)

// minBudget is the least budget_tokens that the API takes.
const minBudget = 1024

// budgets are the thinking budgets for OpenAI's words of effort, on models
// without an effort of their own.
var budgets = map[string]int64{"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 24576, "max": 32000}

// thinking sets max_tokens, thinking and the effort. A limit that the caller
// set, or that its budget set for it, is never raised: the thinking must fit
// in it.
func (e *encoder) thinking() {
	e.out.MaxTokens = e.traits.maxTokens
	if e.req.MaxTokens != nil && *e.req.MaxTokens > 0 {
		e.out.MaxTokens = *e.req.MaxTokens
	}
	if err := e.ownOutput(); err != nil {
		e.drop("output_config")
	}
	if own, ok := e.req.Extra["thinking"]; ok && e.own() { // the caller speaks Anthropic
		e.out.Thinking = own
		return
	}
	r := e.req.Reasoning
	switch {
	case r == nil:
	case r.EffortOnly:
		e.effortAlone(r)
	case r.Off || r.Effort == "none":
		e.noThinking()
	case e.traits.thinking == thinkNever, e.forced():
		// thinking goes with tool_choice auto and none only (extended-thinking)
		e.drop("reasoning_effort")
	case e.traits.thinking == thinkAdaptive, e.traits.thinking == thinkBoth && r.Budget == nil:
		e.adaptive(r)
	default:
		e.budget(r)
	}
}

// effortAlone asks for an effort without thinking, no higher than the model
// knows it.
func (e *encoder) effortAlone(r *schema.Reasoning) {
	if level := e.traits.effort(r.Effort); level != "" {
		_ = e.setOutput("effort", level) // ownOutput has succeeded before
		return
	}
	e.drop("reasoning_effort")
}

func (e *encoder) forced() bool {
	return e.out.ToolChoice != nil && (e.out.ToolChoice.Type == "any" || e.out.ToolChoice.Type == "tool")
}

// noThinking turns thinking off where it is on by itself.
func (e *encoder) noThinking() {
	switch {
	case e.traits.canDisable:
		e.out.Thinking = json.RawMessage(`{"type":"disabled"}`)
	case e.traits.alwaysOn:
		e.drop("reasoning_effort")
	}
}

// adaptive lets the model choose how much to think; a budget of tokens has no
// place there and is turned into the nearest effort.
func (e *encoder) adaptive(r *schema.Reasoning) {
	word := r.Effort
	if word == "" && r.Budget != nil {
		e.drop("reasoning.max_tokens")
		switch n := *r.Budget; {
		case n <= budgets["low"]:
			word = "low"
		case n <= budgets["medium"]:
			word = "medium"
		default:
			word = "high"
		}
	}
	// From 4.7 on the text is left out unless asked for.
	e.out.Thinking = json.RawMessage(`{"type":"adaptive","display":"summarized"}`)
	if r.Exclude {
		e.out.Thinking = json.RawMessage(`{"type":"adaptive","display":"omitted"}`)
	}
	if level := e.traits.effort(word); level != "" {
		_ = e.setOutput("effort", level) // the only failure was met above
	}
}

// budget gives the thinking a number of tokens, below max_tokens.
func (e *encoder) budget(r *schema.Reasoning) {
	n, ok := budgets[r.Effort]
	if !ok {
		n = budgets["medium"]
	}
	limit := e.req.MaxTokens != nil && *e.req.MaxTokens > 0
	switch {
	case r.Budget != nil:
		n = max(*r.Budget, minBudget)
		if limit {
			n = min(n, e.out.MaxTokens-1)
		}
	case limit:
		n = min(n, e.out.MaxTokens*4/5) // leave the answer some room
	}
	if n < minBudget || e.thoughtless() {
		e.drop("reasoning_effort")
		return
	}
	if !limit {
		e.out.MaxTokens += n
	}
	e.out.Thinking = fmt.Appendf(nil, `{"type":"enabled","budget_tokens":%d}`, n)
	if r.Exclude && e.req.Dialect == Name { // who asks for it knows models that take it
		e.out.Thinking = fmt.Appendf(nil, `{"type":"enabled","budget_tokens":%d,"display":"omitted"}`, n)
	}
	if level := e.traits.effort(r.Effort); level != "" {
		_ = e.setOutput("effort", level)
	}
}

// thoughtless tells whether the request brings results to calls whose turn does
// not begin with thoughts, as of a caller whose dialect does not bring them
// back: thinking by a budget cannot be on in the middle of such a turn
// (extended-thinking, preserving thinking blocks).
func (e *encoder) thoughtless() bool {
	for i := len(e.turns) - 1; i >= 0; i-- {
		has := func(kind string) bool {
			return slices.ContainsFunc(e.turns[i].Content, func(b block) bool { return b.Type == kind })
		}
		switch {
		case e.turns[i].Role != "assistant":
			if !has("tool_result") {
				return false
			}
		case has("tool_use"):
			first := e.turns[i].Content[0].Type
			return first != "thinking" && first != "redacted_thinking"
		}
	}
	return false
}
