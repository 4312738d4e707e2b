package gemini

import (
	"slices"
	"strconv"
	"strings"

	"sluice/providers/schema"
)

// thinkingMode is how a model can be told to think.
type thinkingMode uint8

const (
	thinkNever  thinkingMode = iota // before 2.5, and models of pictures and speech
	thinkBudget                     // 2.5: thinkingBudget
	thinkLevel                      // from 3 on: thinkingLevel
)

// traits are the differences between models that a request must respect.
type traits struct {
	thinking    thinkingMode
	levels      []string // of thinkLevel, from the least
	budgetMin   int64
	budgetMax   int64
	canDisable  bool // a budget of 0
	signed      bool // unsigned function calls are refused
	resultMedia bool // functionResponse.parts
	jsonTools   bool // a JSON answer and functions together
	validated   bool // functionCallingConfig.mode VALIDATED
}

// traitsOf reads a model's traits from its name. A Gemini model without a
// version (gemini-flash-latest) is taken for a new one, a name that is not
// Gemini's gets what every server of this API understands.
//
// Budgets and levels: pages thinking of both hosts and the guide to Gemini 3.5
// Flash. Signed calls and media in results: page gemini-3. JSON together with
// functions: page structured-output ("Gemini 3 lets you combine …").
func traitsOf(model string) traits {
	version, ok := parseModel(model)
	if !ok {
		return traits{}
	}
	pro, lite := strings.Contains(model, "pro"), strings.Contains(model, "lite")
	t := traits{
		signed: version >= 300, resultMedia: version >= 300, jsonTools: version >= 300, validated: version >= 205,
		budgetMax: 24576,
	}
	switch {
	case version < 205, strings.Contains(model, "tts"), strings.Contains(model, "image") && version < 300:
		return t
	case version < 300:
		t.thinking, t.canDisable = thinkBudget, !pro
		if pro {
			t.budgetMin, t.budgetMax = 128, 32768
		} else if lite {
			t.budgetMin = 512
		}
		return t
	}
	t.thinking = thinkLevel
	switch {
	case pro && version < 301:
		t.levels = []string{"low", "high"}
	case pro, version >= 308:
		t.levels = []string{"low", "medium", "high"}
	default:
		t.levels = []string{"minimal", "low", "medium", "high"}
	}
	return t
}

// parseModel finds the version as major*100 plus minor.
func parseModel(model string) (version int, ok bool) {
	_, name, ok := strings.Cut(strings.ToLower(model), "gemini-")
	if !ok {
		return 0, false
	}
	for word := range strings.SplitSeq(name, "-") {
		major, minor, _ := strings.Cut(word, ".")
		n, err := strconv.Atoi(major)
		if err != nil || n > 99 {
			continue
		}
		m, err := strconv.Atoi(minor)
		if err != nil || m > 99 {
			m = 0
		}
		return n*100 + m, true
	}
	return 9900, true
}

// level puts OpenAI's word for effort in the model's, the next higher one
// where it lacks that. exact is false where the word had to be changed.
func (t *traits) level(word string) (level string, exact bool) {
	order := []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}
	at := slices.Index(order, word)
	if at < 0 {
		return "", false
	}
	for _, l := range t.levels {
		if slices.Index(order, l) >= at {
			return l, l == word
		}
	}
	return "high", false
}

// prefills is Chat.Prefill. Models go on with their own last turn up to 3.1;
// later ones refuse it ("Requests ending with a model turn are not supported"),
// some of the 3.5 and all from 3.6 on. As users report it, read 2026-11-30.
func prefills(req *schema.ChatRequest) bool {
	version, ok := parseModel(req.Model)
	return ok && version < 302
}
