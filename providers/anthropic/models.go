package anthropic

import (
	"strconv"
	"strings"

	"sluice/providers/schema"
)

// thinkingMode is how a model can be told to think.
type thinkingMode uint8

const (
	thinkNever    thinkingMode = iota // before Claude 3.7
	thinkBudget                       // {"type":"enabled","budget_tokens":n}
	thinkBoth                         // 4.6: adaptive, budgets deprecated
	thinkAdaptive                     // from 4.7: {"type":"adaptive"} only
)

// traits are the differences between models that a request must respect.
type traits struct {
	thinking   thinkingMode
	effortMax  string // the highest output_config.effort; empty: no effort
	canDisable bool   // {"type":"disabled"} is needed and understood
	alwaysOn   bool   // it cannot be kept from thinking
	sampling   bool   // temperature, top_p, top_k
	oneSampler bool   // temperature and top_p exclude each other
	structured bool   // output_config.format and strict tools
	maxTokens  int64  // sent when the caller set no limit
}

// traitsOf reads a model's traits from its name, with or without a vendor's
// prefix and a date: claude-3-5-sonnet-20240620, anthropic/claude-opus-4.7.
// A name that is not Claude's gets what every server of this API understands.
//
// Thinking modes: the Bedrock page on adaptive thinking; it is on by itself
// from the 5 models on, and always on for Fable, Mythos and Opus 5.5 (page
// models). Sampling parameters are refused from Opus 4.7 on (migration guide),
// temperature together with top_p from 4.1 on. Structured outputs: generally
// available from the 4.5 models on. Effort: Opus 4.5 and every model from 4.6
// on, "max" from 4.6, "xhigh" from 4.7.
func traitsOf(model string) traits {
	family, version, claude := parseModel(model)
	if !claude {
		return traits{thinking: thinkBudget, sampling: true, maxTokens: 8192}
	}
	t := traits{sampling: version < 407, structured: version >= 405, oneSampler: version >= 401, maxTokens: 16384}
	switch {
	case version < 307:
		t.maxTokens = 4096
	case version < 406:
		t.thinking = thinkBudget
	case version < 407:
		t.thinking, t.effortMax = thinkBoth, "max"
	default:
		t.thinking, t.effortMax = thinkAdaptive, "xmax"
		t.alwaysOn = family == "fable" || family == "mythos" || family == "opus" && version >= 505
		t.canDisable = version >= 500 && !t.alwaysOn
	}
	if family == "opus" && version == 405 {
		t.effortMax = "high"
	}
	return t
}

// parseModel finds the family (opus, sonnet, …) and the version as major*100
// plus minor. A Claude model without a version is taken for a new one.
func parseModel(model string) (family string, version int, claude bool) {
	name := strings.ToLower(strings.ReplaceAll(model, ".", "-"))
	at := strings.Index(name, "claude")
	if at < 0 {
		return "", 0, false
	}
	numbers := make([]int, 0, 2)
	for word := range strings.FieldsFuncSeq(name[at+len("claude"):], func(r rune) bool { return r == '-' || r == '@' || r == ':' || r == '_' }) {
		n, err := strconv.Atoi(word)
		switch {
		case err != nil && len(numbers) < 2 && family == "":
			family = word
		case err == nil && len(word) <= 2 && len(numbers) < 2:
			numbers = append(numbers, n)
		}
	}
	switch len(numbers) {
	case 0:
		return family, 9900, true
	case 1:
		return family, numbers[0] * 100, true
	}
	return family, numbers[0]*100 + numbers[1], true
}

// effort puts OpenAI's word for effort in Anthropic's, no higher than the
// model knows. It is empty where the model has no effort.
func (t traits) effort(word string) string {
	if t.effortMax == "" {
		return ""
	}
	switch word {
	case "minimal", "low":
		return "low"
	case "medium", "high":
		return word
	case "xhigh":
		if t.effortMax == "xmax" {
			return "xhigh"
		}
		return "high"
	case "max":
		if t.effortMax == "high" {
			return "high"
		}
		return "max"
	}
	return ""
}

// prefills is Chat.Prefill. Claude goes on with its own last turn up to 4.5,
// if it does not think (page prefill-claudes-response); from 4.6 on that is
// refused (page whats-new-claude-4-6), and what other models of the API's
// servers make of it is not known. Read 2026-11-30.
func prefills(req *schema.ChatRequest) bool {
	_, version, claude := parseModel(req.Model)
	thinks := req.Reasoning != nil && !req.Reasoning.Off && !req.Reasoning.EffortOnly || req.Extra["thinking"] != nil
	return claude && version < 406 && !thinks
}
