package guard

import "strings"

// injections are the heuristics: a word that tells to leave something aside,
// then, within a few words, what is to be left aside; and marks that stand
// between the turns of a conversation and have no place in a text. A sentence
// about instructions that tells nobody to leave them matches none.
var injections = []*Pattern{
	mustPattern(`(?i)\b(?:ignore|disregard|forget|override|bypass)\s+(?:(?:all|any|every|the|of|your|my|these|those|everything)\s+){0,4}` +
		`(?:previous|prior|above|earlier|preceding|former|foregoing|system|original|initial|current|safety)\s+` +
		`(?:\w{1,20}\s+){0,2}(?:instructions?|prompts?|rules?|directions?|guidelines?|messages?|context|policy|policies|constraints?)\b`),
	mustPattern(`(?i)\b(?:reveal|print|show|repeat|output|leak|tell\s+me|give\s+me|display)\s+(?:(?:me|us|all|of|the|your|full|entire|exact|complete|verbatim|hidden|secret|own)\s+){0,5}` +
		`(?:system\s+(?:prompt|message|instructions?)|(?:hidden|secret|initial|original)\s+(?:prompt|instructions?))\b`),
	mustPattern(`(?i)\byou\s+are\s+(?:now|no\s+longer)\s+(?:(?:a|an|in|the|bound|by|restricted|limited)\s+){0,3}` +
		`(?:DAN|do\s+anything\s+now|jailbroken|unrestricted|unfiltered|uncensored|developer\s+mode|god\s+mode|any\s+(?:rules|restrictions|guidelines))\b`),
	mustPattern(`(?i)\b(?:pretend|act|behave|respond)\s+(?:as\s+if|as\s+though|like)\s+(?:you|there)\s+(?:have|had|are|were)\s+(?:no|not|without|free\s+of)\s+` +
		`(?:\w{1,20}\s+){0,2}(?:restrictions?|rules?|guidelines?|filters?|limitations?|policies|policy)\b`),
	mustPattern(`(?i)(?:<\|im_(?:start|end)\|>|<\|(?:system|endoftext|start_header_id|eot_id)\|>|\[/?INST\]|<</?SYS>>)`),
}

// injectionWords are in lower case, one of which every match has:
// without one the patterns need not be tried.
var injectionWords = []string{"ignore", "disregard", "forget", "override", "bypass", "prompt", "instruction", "system",
	"longer", "now", "pretend", "act", "behave", "respond", "<|", "inst]", "<<"}

func mustPattern(text string) *Pattern {
	p, err := NewPattern(text)
	if err != nil {
		panic(err)
	}
	return p
}

// injection finds what tries to talk a model out of its instructions.
func injection(text string, from int, final bool, out []Match) (matches []Match, safe int) {
	safe = len(text)
	if !final {
		safe = max(from, len(text)-window)
	}
	if !suspicious(text[from:]) {
		return out, safe
	}
	for _, p := range injections {
		had := len(out)
		var upTo int
		out, upTo = p.find(text, from, final, out)
		for i := had; i < len(out); i++ {
			out[i].Kind = Injection
		}
		safe = min(safe, upTo)
	}
	return out, safe
}

func suspicious(text string) bool {
	low := strings.ToLower(text)
	for _, w := range injectionWords {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}
