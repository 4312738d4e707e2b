package main

import (
	"strings"
	"testing"
)

const fooConfig = `description: a test
prompts:
  - "Say {{ word }} in {{language}}"
  - file://chat.json
providers: [echo, {id: "openai:chat:gpt-4o", config: {temperature: 0}}]
defaultTest: {assert: [{type: cost, threshold: 0.1}]}
tests:
  - description: both
    vars: {word: hello, language: [French, German]}
    assert:
      - {type: contains, value: "{{word}}"}
      - {type: contains-all, value: [hello, "{{language}}"]}
      - {type: icontains-any, value: [GERMAN, FRENCH]}
      - {type: not-contains, value: Spanish}
      - {type: llm-rubric, value: "is {{word}} there?"}
      - {type: similar, value: "say {{word}} in {{language}}", threshold: 0.3}
`

func TestPromptfooConfig(t *testing.T) {
	elsewhere(t)
	t.Setenv("SLUICE_KEY", "")
	write(t, "promptfooconfig.yaml", fooConfig)
	write(t, "chat.json", `[{"role":"system","content":"Be kind."},{"role":"user","content":"{{word}} to {{language}}"}]`)
	sluice(t, "prompt", "test", "promptfooconfig.yaml").want(t, 2, "", `"openai/gpt-4o" is asked through a gateway`)
	sluice(t, "prompt", "test", "promptfooconfig.yaml", "--model", "mock/echo").want(t, 0, "4 passed, 0 failed", "")
	write(t, "bad.yaml", strings.Replace(fooConfig, "value: Spanish", "value: French", 1))
	r := sluice(t, "prompt", "test", "bad.yaml", "--model", "mock/echo")
	r.want(t, 100, `prompt-1, 1 both on mock/echo, run 1: not-contains: "French" is in`, "2 of 4 failed")
	for from, c := range map[string][2]string{
		"type: not-contains": {"type: javascript", "tests[0]: assert[4]: type javascript is not understood"},
		"Say {{ word }}":     {"Say {{ word | upper }}", "prompts[0]: {{ word | upper }} is not understood"},
		"description: a":     {"scenarios: []\ndescription: a", "scenarios is not understood"},
		"    vars:":          {"    options: {}\n    vars:", "tests[0]: options is not understood"},
		"threshold: 0.1":     {"threshold: cheap", "cost must be"},
		"file://chat.json":   {"file://none.json", "prompts[1]: open none.json"},
		"{type: contains, ":  {"{type: contains, weight: 2, ", "weight of contains is not understood"},
	} {
		write(t, "bad.yaml", strings.Replace(fooConfig, from, c[0], 1))
		sluice(t, "prompt", "test", "bad.yaml", "--model", "mock/echo").want(t, 2, "", c[1])
	}
	for id, want := range map[string]string{"openai:gpt-4o": "openai/gpt-4o", "anthropic:messages:claude-x": "anthropic/claude-x",
		"google:gemini-2.5-flash": "gemini/gemini-2.5-flash", "ollama:chat:llama3.3:70b": "ollama/llama3.3:70b", "fast": "fast"} {
		if got := fooModel(id); got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
}

// Models side by side, shares of repeated runs, and a baseline.
func TestPromptTestRatings(t *testing.T) {
	elsewhere(t)
	t.Setenv("SLUICE_KEY", "")
	write(t, "p.prompt", strings.Replace(echoPrompt, "expect: {equals: hi}", "repeat: 4, pass: 0.5, expect: [{contains: h}, {contains: i}]", 1))
	r := sluice(t, "prompt", "test", "p.prompt", "--models", "mock/echo,mock/lorem-3", "--save", "base.json")
	r.want(t, 100, "PROMPT  TEST  mock/echo", "4 of 8 failed")
	if !strings.Contains(r.out, "4/4 $") || !strings.Contains(r.out, "0/4 $") {
		t.Errorf("side by side:\n%s", r.out)
	}
	sluice(t, "prompt", "test", "p.prompt", "--baseline", "base.json").want(t, 0, "(was 4/4", "")
	write(t, "p.prompt", strings.Replace(strings.Replace(echoPrompt, "expect: {equals: hi}", "repeat: 4, pass: 0.5, expect: {contains: h}", 1), "{{text}}", "", 1))
	sluice(t, "prompt", "test", "p.prompt", "--model", "mock/echo", "--baseline", "none.json").want(t, 2, "", "none.json")
	write(t, "base.json", `[{"prompt":"mood","test":"fits","model":"mock/echo","runs":1,"passed":1}]`)
	write(t, "mood.prompt", strings.Replace(moodPrompt, "fits, input: {text: hi}", "fits, repeat: 2, pass: 0.01, input: {text: hi}", 1))
	sluice(t, "prompt", "test", "mood.prompt", "--baseline", "base.json").want(t, 0, "2/2", "")
	write(t, "mood.prompt", strings.Replace(moodPrompt, "{schema: true, json: {mood: good}", "{json: {mood: bad}", 1))
	sluice(t, "prompt", "test", "mood.prompt", "--baseline", "base.json").want(t, 100, "(was 1/1", "failed")
}
