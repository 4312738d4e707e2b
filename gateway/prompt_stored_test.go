package gateway

import (
	"strings"
	"testing"

	"sluice/prompts"
)

// The clients of OpenAI, LiteLLM and Portkey call prompts by their ids, each in
// its own words.
func TestStoredPrompts(t *testing.T) {
	e := newEdge(t, twoPrompts)
	if _, _, err := e.prompts.Publish(t.Context(), prompts.Publication{Name: "say", Source: []byte(strings.Replace(sayPrompt, "{{text}}", "new {{text}}", 1))}); err != nil {
		t.Fatal(err)
	}
	if err := e.store.MoveLabel(t.Context(), "say", prompts.LabelMove{Label: "old", To: 1}); err != nil {
		t.Fatal(err)
	}
	if err := e.prompts.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	const chat, response, portkey = "/v1/chat/completions", "/v1/responses", "/v1/prompts/"
	for _, c := range []struct {
		path, body string
		status     int
		field      string
		want       string
	}{
		{chat, `{"model":"gpt-4o","prompt_id":"say","prompt_variables":{"text":"hi"},"messages":[{"role":"user","content":"not looked at"}]}`, 200, "choices.0.message.content", "new hi"},
		{chat, `{"prompt_id":"say","prompt_version":1,"prompt_variables":{"text":"hi"}}`, 200, "choices.0.message.content", "hi"},
		{chat, `{"prompt_id":"say","prompt_label":"old","prompt_variables":{"text":"hi"},"messages":[]}`, 200, "choices.0.message.content", "hi"},
		{chat, `{"prompt_id":"say","prompt_version":"x","prompt_variables":{"text":"hi"}}`, 400, "error.param", "prompt_version"},
		{chat, `{"prompt_id":"say","prompt_variables":{"txt":"hi"}}`, 400, "error.param", "prompt_variables"},
		{chat, `{"prompt_id":"say","prompt_variables":"hi"}`, 400, "error.param", "prompt_variables"},
		{chat, `{"prompt_id":7}`, 400, "error.param", "prompt_id"},
		{chat, `{"prompt_id":"none","prompt_variables":{}}`, 400, "error.param", "prompt_id"},
		{chat, `{"model":"m/echo","prompt_id":"none","messages":[{"role":"user","content":"the provider's"}]}`, 200, "choices.0.message.content", "the provider's"},
		{response, `{"model":"x","prompt_id":"say","prompt_variables":{"text":"hi"},"input":[]}`, 200, "output.0.content.0.text", "new hi"},
		{response, `{"prompt":{"id":"say","version":"1","variables":{"text":"hi"}}}`, 200, "output.0.content.0.text", "hi"},
		{response, `{"prompt":{"id":"say","version":"9","variables":{"text":"hi"}}}`, 404, "error.code", "not_found"},
		{portkey + "say/completions", `{"variables":{"text":"hi"},"max_tokens":5}`, 200, "choices.0.message.content", "new hi"},
		{portkey + "say@1/completions", `{"variables":{"text":"hi"}}`, 200, "choices.0.message.content", "hi"},
		{portkey + "say@old/completions", `{"variables":{"text":"hi"}}`, 200, "choices.0.message.content", "hi"},
		{portkey + "say@new/completions", `{"variables":{"text":"hi"}}`, 404, "error.code", "not_found"},
		{portkey + "label/completions", `{"variables":{"text":"hi"}}`, 200, "choices.0.message.content", `{"label":"label"}`},
		{portkey + "say/completions", `{"variables":[]}`, 400, "error.param", "variables"},
		{portkey + "say/completions", `{"variables":`, 400, "error.code", "invalid_json"},
		{portkey + "say/render", `{"variables":{"text":"hi"}}`, 200, "data.messages.0.content", "new hi"},
		{portkey + "say@1/render", `{"variables":{"text":"hi"}}`, 200, "data.model", "m/echo"},
		{portkey + "say/render", `{}`, 400, "error.param", "variables"},
		{portkey + "none/completions", `{}`, 404, "error.code", "not_found"},
		{portkey + "say/versions", `{}`, 404, "error.code", "not_found"},
	} {
		a := e.call("POST", c.path, c.body)
		if a.status != c.status || strings.TrimSpace(a.get(c.field).String()) != c.want {
			t.Errorf("%s %s: %d %s", c.path, c.body, a.status, a.body)
		}
	}
	a := e.call("POST", portkey+"say/completions", `{"variables":{"text":"hi"},"max_tokens":5}`)
	if a.header.Get("X-Sluice-Dropped") != "max_tokens" || a.header.Get("X-Sluice-Prompt") != "say@2" {
		t.Errorf("head %v", a.header)
	}
	a = e.call("POST", portkey+"say/completions", `{"variables":{"text":"one two"},"stream":true,"stream_options":{"include_usage":true}}`)
	if list := strings.Split(a.body, "\n\n"); len(list) < 4 || !strings.Contains(a.body, "total_tokens") || !strings.HasSuffix(a.body, "data: [DONE]\n\n") {
		t.Errorf("a stream: %s", a.body)
	}
	for _, path := range []string{"say/completions", "say/render"} {
		if a := e.call("POST", portkey+path, `{"variables":{"text":"x"}}`, "Authorization", "Bearer "+labelKey); a.status != 403 {
			t.Errorf("%s, which is not granted: %d %s", path, a.status, a.body)
		}
	}
	for _, en := range e.recorded() {
		if en.Status == 200 && en.Model != "m/echo" && (en.Model != "prompt/"+en.Prompt || en.Cost == 0) {
			t.Errorf("entry %+v", en)
		}
	}
}
