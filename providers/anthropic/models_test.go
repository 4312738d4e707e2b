package anthropic

import "testing"

func TestTraitsOf(t *testing.T) {
	for model, want := range map[string]traits{
		"claude-3-opus-20240229":            {thinking: thinkNever, sampling: true, maxTokens: 4096},
		"claude-3-5-sonnet-20240620":        {thinking: thinkNever, sampling: true, maxTokens: 4096},
		"claude-3-7-sonnet-latest":          {thinking: thinkBudget, sampling: true, maxTokens: 16384},
		"claude-sonnet-4-20250514":          {thinking: thinkBudget, sampling: true, maxTokens: 16384},
		"claude-opus-4-1-20250805":          {thinking: thinkBudget, sampling: true, oneSampler: true, maxTokens: 16384},
		"claude-haiku-4-5":                  {thinking: thinkBudget, sampling: true, oneSampler: true, structured: true, maxTokens: 16384},
		"claude-opus-4-5-20251101":          {thinking: thinkBudget, effortMax: "high", sampling: true, oneSampler: true, structured: true, maxTokens: 16384},
		"anthropic/claude-sonnet-4.6":       {thinking: thinkBoth, effortMax: "max", sampling: true, oneSampler: true, structured: true, maxTokens: 16384},
		"us.anthropic.claude-opus-4-7-v1:0": {thinking: thinkAdaptive, effortMax: "xmax", oneSampler: true, structured: true, maxTokens: 16384},
		"claude-sonnet-5":                   {thinking: thinkAdaptive, effortMax: "xmax", canDisable: true, oneSampler: true, structured: true, maxTokens: 16384},
		"claude-opus-5-5":                   {thinking: thinkAdaptive, effortMax: "xmax", alwaysOn: true, oneSampler: true, structured: true, maxTokens: 16384},
		"claude-fable-5-1":                  {thinking: thinkAdaptive, effortMax: "xmax", alwaysOn: true, oneSampler: true, structured: true, maxTokens: 16384},
		"claude-mythos-preview":             {thinking: thinkAdaptive, effortMax: "xmax", alwaysOn: true, oneSampler: true, structured: true, maxTokens: 16384},
		"MiniMax-M2.5":                      {thinking: thinkBudget, sampling: true, maxTokens: 8192},
		"":                                  {thinking: thinkBudget, sampling: true, maxTokens: 8192},
	} {
		if got := traitsOf(model); got != want {
			t.Errorf("traitsOf(%q) = %+v, want %+v", model, got, want)
		}
	}
}

func TestEffort(t *testing.T) {
	for _, tc := range []struct{ most, word, want string }{
		{"", "high", ""}, {"high", "minimal", "low"}, {"high", "max", "high"}, {"high", "xhigh", "high"},
		{"max", "xhigh", "high"}, {"max", "max", "max"}, {"xmax", "xhigh", "xhigh"}, {"xmax", "", ""}, {"xmax", "odd", ""},
	} {
		if got := (traits{effortMax: tc.most}).effort(tc.word); got != tc.want {
			t.Errorf("effort %q up to %q is %q, want %q", tc.word, tc.most, got, tc.want)
		}
	}
}
