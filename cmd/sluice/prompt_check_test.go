package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

const moodPrompt = `---
model: mock/echo
input:
  schema: {text: string}
output:
  format: json
  schema: {"mood(enum)": [good, bad], n: integer}
sluice.tests:
  - {name: fits, input: {text: hi}, expect: {schema: true, json: {mood: good}, cost: 0.01, latency: 1m}}
  - {name: rubric, input: {text: hi}, repeat: 2, expect: {judge: "is it a mood?"}}
---
{{text}}
`

const echoPrompt = `---
model: mock/echo
input: {schema: {text: string}}
sluice.tests:
  - {name: same, input: {text: hi}, expect: {equals: hi}}
---
{{text}}
`

func TestPromptTest(t *testing.T) {
	elsewhere(t)
	t.Setenv("SLUICE_KEY", "")
	write(t, "p/mood.prompt", moodPrompt)
	write(t, "p/sub/echo.prompt", echoPrompt)
	write(t, "p/none.prompt", "---\nmodel: x/y\n---\nhello\n")
	sluice(t, "prompt", "test", "p").want(t, 0, "4 passed, 0 failed", "")
	sluice(t, "prompt", "test", "p/none.prompt").want(t, 0, "No prompt here has sluice.tests.", "")
	write(t, "p/sub/echo.prompt", strings.Replace(echoPrompt, "equals: hi", "equals: bye", 1))
	r := sluice(t, "prompt", "test", "p")
	r.want(t, 100, "3 passed, 1 failed", "1 of 4 failed")
	if !strings.Contains(r.out, `echo, same on mock/echo, run 1: equals: the output is "hi"`) {
		t.Errorf("the failure is not told: %s", r.out)
	}
	r = sluice(t, "prompt", "test", "--json", "p/mood.prompt")
	if r.code != 0 || gjson.Get(r.out, "#").Int() != 3 || !gjson.Get(r.out, "0.passed").Bool() || gjson.Get(r.out, "0.cost").String() == "0" {
		t.Errorf("%d %s %s", r.code, r.out, r.err)
	}
	sluice(t, "prompt", "test", "absent").want(t, 2, "", "absent")
	write(t, "p/bad.prompt", "---\nmodel: 7\n---\nx\n")
	sluice(t, "prompt", "test", "p").want(t, 2, "", "bad.prompt:2")
	write(t, "real.prompt", strings.Replace(echoPrompt, "mock/echo", "openai/gpt-4o", 1))
	sluice(t, "prompt", "test", "real.prompt").want(t, 2, "", "give --key")
	sluice(t, "prompt", "test", "real.prompt", "--model", "mock/echo").want(t, 0, "1 passed", "")
}

// Chains are tested as far as no gateway is needed.
func TestPromptTestOfChains(t *testing.T) {
	elsewhere(t)
	t.Setenv("SLUICE_KEY", "")
	const chain = `---
model: mock/verbatim
input: {schema: {text: string}}
output: {format: json, schema: {said: string, n: integer}}
sluice.steps: [{as: said, prompt: echo, input: {text: "say {{text}}"}}, {as: n, route: GET /n}]
sluice.tests:
  - {name: both, input: {text: hi}, steps: {n: 3}, expect: {equals: '{"said":"say hi","n":3}', cost: 0.01}}
---
{"said": {{json said}}, "n": {{n}}}
`
	write(t, "p/echo.prompt", echoPrompt)
	write(t, "p/chain.prompt", chain)
	sluice(t, "prompt", "test", "p").want(t, 0, "2 passed, 0 failed", "")
	sluice(t, "prompt", "test", "p/chain.prompt", "--model", "mock/echo").want(t, 0, "1 passed, 0 failed", "")
	write(t, "p/chain.prompt", strings.Replace(chain, "steps: {n: 3}, ", "", 1))
	sluice(t, "prompt", "test", "p/chain.prompt").want(t, 100, "step n: only a gateway calls the route", "1 of 1 failed")
	write(t, "p/chain.prompt", strings.Replace(chain, "prompt: echo", "prompt: gone", 1))
	sluice(t, "prompt", "test", "p/chain.prompt").want(t, 100, `there is no prompt "gone" beside it`, "1 of 1 failed")
	write(t, "p/chain.prompt", chain)
	write(t, "p/echo.prompt", "---\nmodel: mock/echo\nsluice.steps: [{as: x, prompt: chain}]\n---\n{{x.said}}\n")
	sluice(t, "prompt", "test", "p/chain.prompt").want(t, 100, "do they go in a circle?", "1 of 1 failed")
	write(t, "p/echo.prompt", "---\nmodel: mock/echo\ninput: {schema: {text: string, more: string}}\n---\n{{text}}\n")
	sluice(t, "prompt", "test", "p/chain.prompt").want(t, 100, "does not fit the schema of echo", "1 of 1 failed")
}

func TestPromptRun(t *testing.T) {
	elsewhere(t)
	t.Setenv("SLUICE_KEY", "")
	write(t, "mood.prompt", moodPrompt)
	write(t, "echo.prompt", echoPrompt)
	sluice(t, "prompt", "run", "echo.prompt", "--input", `{"text":"hello there"}`).want(t, 0, "hello there\n", "")
	r := sluice(t, "prompt", "run", "mood.prompt", "--input", `{"text":"x"}`, "--json")
	if r.code != 0 || gjson.Get(r.out, "output.mood").String() != "good" || gjson.Get(r.out, "model").String() != "mock/echo" {
		t.Errorf("%d %s %s", r.code, r.out, r.err)
	}
	sluice(t, "prompt", "run", "mood.prompt", "--input", `{"txt":1}`).want(t, 2, "", "/text is required")
	sluice(t, "prompt", "run", "mood.prompt", "--input", `[`).want(t, 2, "", "--input")
	sluice(t, "prompt", "run", "echo.prompt", "--input", `{"text":"x"}`, "--model", "mock/fail-500").want(t, 1, "", "asked to fail")
}

// Models that are not the mock's are asked through a gateway.
func TestPromptRunThroughAGateway(t *testing.T) {
	elsewhere(t)
	var said []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		if _, err := r.Body.Read(body); err != nil && len(body) == 0 {
			t.Error(err)
		}
		said = append(said, r.Header.Get("Authorization")+" "+r.URL.Path+" "+gjson.GetBytes(body, "model").String())
		w.Header().Set("X-Sluice-Cost", "0.25")
		if len(said) > 2 {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"error":{"message":"not you"}}`))
			return
		}
		content := `no JSON`
		if len(said) == 2 {
			content = `{\"mood\":\"bad\",\"n\":1}`
		}
		_, _ = w.Write([]byte(`{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"` +
			content + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`))
	}))
	defer s.Close()
	write(t, "mood.prompt", strings.Replace(moodPrompt, "mock/echo", "fast", 1))
	args := []string{"prompt", "run", "mood.prompt", "--input", `{"text":"x"}`, "--json", "--url", s.URL, "--key", "sk-1"}
	r := sluice(t, args...)
	if r.code != 0 || gjson.Get(r.out, "output.mood").String() != "bad" || gjson.Get(r.out, "cost").String() != "0.5" {
		t.Errorf("a repaired answer: %d %s %s", r.code, r.out, r.err)
	}
	if len(said) != 2 || said[0] != "Bearer sk-1 /v1/chat/completions fast" {
		t.Errorf("the gateway was asked %q", said)
	}
	sluice(t, args...).want(t, 1, "", "403 Forbidden: not you")
}

func TestPromptDiff(t *testing.T) {
	elsewhere(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/admin/v1/prompts/mood/diff" || r.URL.RawQuery != "from=1&to=2" {
			t.Errorf("asked %s", r.URL)
		}
		_, _ = w.Write([]byte(`{"from":1,"to":2,"text":"--- a/x\n","settings":[{"key":"model","from":null,"to":"m/x"}],
			"schemas":[{"side":"input","pointer":"/a","message":"is new","breaking":false}],"breaking":["input /b: is gone"]}`))
	}))
	defer s.Close()
	r := sluice(t, "prompt", "diff", "mood", "1", "2", "--admin", s.URL, "--token", "x")
	r.want(t, 0, "breaks callers: input /b: is gone\nsetting model: null -> \"m/x\"\ninput /a: is new\n\n--- a/x\n", "")
	sluice(t, "prompt", "diff", "mood", "1", "zwei", "--admin", s.URL, "--token", "x").want(t, 2, "", "not a number")
}
