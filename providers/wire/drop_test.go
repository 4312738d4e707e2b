package wire

import (
	"encoding/json"
	"slices"
	"testing"

	"sluice/providers/schema"
)

func TestAbsent(t *testing.T) {
	one, two, zero, half, on, off := int64(1), int64(2), 0.0, 0.5, true, false
	set := &schema.ChatRequest{N: &two, Seed: &one, Logprobs: &on, TopLogprobs: &two, LogitBias: json.RawMessage(`{"1":2}`), TopK: &one, MinP: &half,
		FrequencyPenalty: &half, PresencePenalty: &half, Modalities: []string{"text", "audio"}, Audio: json.RawMessage(`{"voice":"x"}`),
		Prediction: json.RawMessage(`{"type":"content"}`), Store: &on, Verbosity: "low", PromptCacheKey: "k", ServiceTier: "flex", User: "u",
		Metadata: map[string]string{"a": "b"}, ParallelToolCalls: &off, Tools: make([]schema.Tool, 1), Reasoning: &schema.Reasoning{Effort: "low"}}
	silent := &schema.ChatRequest{N: &one, Logprobs: &off, LogitBias: json.RawMessage(" {} "), FrequencyPenalty: &zero, Modalities: []string{"text"},
		Audio: json.RawMessage("null"), Store: &off, ServiceTier: "auto", ParallelToolCalls: &off, Reasoning: &schema.Reasoning{Off: true}}
	var all []string
	for name := range parameterSet {
		all = append(all, name)
	}
	slices.Sort(all)
	if got := Absent(set, all...); !slices.Equal(got, all) {
		t.Errorf("%v, want %v", got, all)
	}
	if got := Absent(silent, append(all, "unknown")...); got != nil {
		t.Errorf("what makes no difference is named: %v", got)
	}
}

func TestDropped(t *testing.T) {
	var d Dropped
	d.Add("a", "b", "a")
	d.Add()
	d.Add("b", "c")
	if !slices.Equal(d, []string{"a", "b", "c"}) {
		t.Errorf("%v", d)
	}
}

func TestForeign(t *testing.T) {
	for from, want := range map[string]bool{"": false, "openai": false, "mine": false, "anthropic": true} {
		if got := Foreign(&schema.ChatRequest{Dialect: from}, "mine"); got != want {
			t.Errorf("words of %q are foreign: %v", from, got)
		}
	}
}

func TestAppendFields(t *testing.T) {
	n, f, on := int64(-1), 0.5, false
	b := []byte("{")
	b = AppendText(AppendText(b, "empty", ""), "text", `a"b`)
	b = AppendInt(AppendInt(b, "nil", nil), "int", &n)
	b = AppendFloat(AppendFloat(b, "nil", nil), "float", &f)
	b = AppendBool(AppendBool(b, "nil", nil), "bool", &on)
	b = AppendTexts(AppendTexts(b, "nil", nil), "texts", []string{"a", "b"})
	b, others := AppendOwn(AppendRaw(b, "nil", nil), map[string]json.RawMessage{"z": json.RawMessage("1"), "own": json.RawMessage("[2]"), "a": json.RawMessage("3"), "null": json.RawMessage("null")}, map[string]bool{"own": true})
	want := `{"text":"a\"b","int":-1,"float":0.5,"bool":false,"texts":["a","b"],"own":[2]}`
	if string(b)+"}" != want || !slices.Equal(others, []string{"a", "z"}) {
		t.Errorf("%s} %v, want %s", b, others, want)
	}
}

func TestNoTokens(t *testing.T) {
	if err := NoTokens(&schema.EmbedRequest{Input: []string{"a"}}); err != nil {
		t.Error(err)
	}
	if err := NoTokens(&schema.EmbedRequest{Tokens: [][]int64{{1}}}); schema.AsError(err).Param != "input" {
		t.Error(err)
	}
}
