package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

var testTime = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func chatBody(model, content string, more string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"system","content":"obey me"},{"role":"user","content":"old"},{"role":"user","content":%q}]%s}`, model, content, more)
}

func TestPromptAsModel(t *testing.T) {
	e := newEdge(t, twoPrompts)
	for _, c := range []struct{ model, content, want string }{
		{"prompt/say", "hello", "hello"},
		{"prompt/say", `{"text":"hi there"}`, "hi there"},
		{"prompt/say@1", `{"text":"hi there"}`, "hi there"},
		{"prompt/say", `{not json`, "{not json"},
		{"prompt/label", "hello", `{"label":"label"}`},
	} {
		a := e.call("POST", "/v1/chat/completions", chatBody(c.model, c.content, ""))
		if a.status != 200 || a.get("choices.0.message.content").String() != c.want || a.get("object").String() != "chat.completion" ||
			!a.get("usage.total_tokens").Exists() || a.header.Get("X-Sluice-Cost") == "" {
			t.Errorf("%s %q: %d %s", c.model, c.content, a.status, a.body)
		}
		if strings.Contains(fmt.Sprint(e.model.asked[len(e.model.asked)-1].Messages), "obey") {
			t.Errorf("%s: the caller's system message reached the model", c.model)
		}
	}
	entries := e.recorded()
	if en := entries[0]; en.Model != "prompt/say" || en.Prompt != "say" || en.Version != 1 || en.Target != "m/echo" {
		t.Errorf("entry %+v", en)
	}
	a := e.call("POST", "/v1/messages", `{"model":"prompt/say","max_tokens":10,"messages":[{"role":"user","content":"hello"}]}`)
	if a.status != 200 || a.get("content.0.text").String() != "hello" {
		t.Errorf("Anthropic's dialect: %d %s", a.status, a.body)
	}
}

func TestPromptAsModelStreams(t *testing.T) {
	e := newEdge(t, twoPrompts)
	for _, c := range []struct{ model, content, want string }{
		{"prompt/say", "hello brave new world", "hello brave new world"},
		{"prompt/label", "hello", `{"label":"label"}`},
	} {
		a := e.call("POST", "/v1/chat/completions", chatBody(c.model, c.content, `,"stream":true,"stream_options":{"include_usage":true}`))
		var text strings.Builder
		done, usage := false, false
		for line := range strings.Lines(a.body) {
			data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
			if !ok {
				continue
			}
			done = data == "[DONE]"
			text.WriteString(gjson.Get(data, "choices.0.delta.content").String())
			usage = usage || gjson.Get(data, "usage.total_tokens").Int() > 0
		}
		if a.status != 200 || text.String() != c.want || !done || !usage || a.header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s: %d %v %s", c.model, a.status, a.header, a.body)
		}
	}
	for _, en := range e.recorded() {
		if !en.Stream || en.Status != 200 || en.Cost == 0 {
			t.Errorf("entry %+v", en)
		}
	}
}

func TestPromptAsModelRefuses(t *testing.T) {
	e := newEdge(t, map[string]string{"label": labelPrompt, "say": sayPrompt, "two": `---
model: m/echo
input: {schema: {a: string, b: string}}
---
{{a}}{{b}}
`, "ordered": strings.Replace(sayPrompt, "---\n{{", "sluice.access: subscribed\n---\n{{", 1)})
	e.model.say = func(int, *schema.ChatRequest) (string, error) { return "no label", nil }
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"no prompt":      {chatBody("prompt/none", "x", ""), 404, "model_not_found"},
		"no version":     {chatBody("prompt/say@9", "x", ""), 404, "not_found"},
		"two variables":  {chatBody("prompt/two", "x", ""), 400, "invalid_request"},
		"schema":         {chatBody("prompt/label", `{"txt":1}`, ""), 400, "invalid_request"},
		"media":          {`{"model":"prompt/say","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}`, 400, "invalid_request"},
		"no user":        {`{"model":"prompt/say","messages":[{"role":"system","content":"x"}]}`, 400, "invalid_request"},
		"output":         {chatBody("prompt/label", "x", `,"stream":true`), 502, "invalid_output"},
		"not subscribed": {chatBody("prompt/ordered", "x", ""), 403, "permission_denied"},
	} {
		a := e.call("POST", "/v1/chat/completions", c.body)
		if a.status != c.status || a.get("error.code").String() != c.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := e.call("POST", "/v1/chat/completions", chatBody("prompt/say", "x", ""), "Authorization", "Bearer "+labelKey); a.status != 403 {
		t.Errorf("a prompt that is not granted: %d %s", a.status, a.body)
	}
	a := e.call("GET", "/v1/models", "")
	if ids := a.get("data.#.id").String(); ids != `["prompt/label","prompt/say","prompt/two"]` {
		t.Errorf("models: %s", ids)
	}
	if a := e.call("GET", "/v1/models", "", "Authorization", "Bearer "+labelKey); a.get("data.#.id").String() != `["prompt/label"]` {
		t.Errorf("models of a key with grants: %s", a.body)
	}
	if a := e.call("GET", "/v1/models/prompt/say", ""); a.get("id").String() != "prompt/say" {
		t.Errorf("one model: %d %s", a.status, a.body)
	}
}
