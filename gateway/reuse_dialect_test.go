package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// Callers of every API are served from what a caller of any has left.
func TestDialectsOfReuse(t *testing.T) {
	const text = "good day to you"
	asks := []struct {
		name string
		ask  func(r *rig) (answer, string)
	}{
		{"chat", func(r *rig) (answer, string) {
			a := r.call("POST", completions, chat("team", text, `,"max_tokens":50`))
			return a, a.get("choices.0.message.content").Str
		}},
		{"responses", func(r *rig) (answer, string) {
			a := r.call("POST", "/v1/responses", fmt.Sprintf(`{"model":"team","store":false,"max_output_tokens":50,"input":%q}`, text))
			return a, a.get(`output.#(type=="message").content.0.text`).Str
		}},
		{"responses stream", func(r *rig) (answer, string) {
			a := r.call("POST", "/v1/responses", fmt.Sprintf(`{"model":"team","store":false,"stream":true,"max_output_tokens":50,"input":%q}`, text))
			said := ""
			for _, e := range events(a.body) {
				if gjson.Get(e, "type").Str == "response.output_text.delta" {
					said += gjson.Get(e, "delta").Str
				}
			}
			if !strings.Contains(a.body, `"type":"response.completed"`) {
				said += " without an end"
			}
			return a, said
		}},
		{"gemini", func(r *rig) (answer, string) {
			a := r.call("POST", "/v1beta/models/team:generateContent", geminiBody(text))
			return a, a.get("candidates.0.content.parts.0.text").Str
		}},
		{"gemini stream", func(r *rig) (answer, string) {
			a := r.call("POST", "/v1beta/models/team:streamGenerateContent?alt=sse", geminiBody(text))
			said := ""
			for _, e := range events(a.body) {
				said += gjson.Get(e, "candidates.0.content.parts.0.text").Str
			}
			return a, said
		}},
		{"gemini array", func(r *rig) (answer, string) {
			a := r.call("POST", "/v1beta/models/team:streamGenerateContent", geminiBody(text))
			said := ""
			for _, e := range a.get("@this").Array() {
				said += e.Get("candidates.0.content.parts.0.text").Str
			}
			return a, said
		}},
	}
	for _, first := range asks {
		r := reusing(t)
		if a, said := first.ask(r); a.status != 200 || said != text || a.header.Get("x-sluice-cache") != "miss" {
			t.Fatalf("%s: %d %v %q %s", first.name, a.status, a.header, said, a.body)
		}
		r.settled()
		kept := r.g.CacheFigures().Entries == 1
		if kept == (first.name == "gemini array") {
			t.Errorf("%s is kept: %v", first.name, kept)
		}
		for _, ask := range asks {
			a, said := ask.ask(r)
			if a.status != 200 || said != text || kept && a.header.Get("x-sluice-cache") != "hit" {
				t.Errorf("%s after %s: %d %v %q %s", ask.name, first.name, a.status, a.header, said, a.body)
			}
		}
		r.stop()
	}
}

func geminiBody(text string) string {
	return fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"text":%q}]}],"generationConfig":{"maxOutputTokens":50}}`, text)
}

// Text completions are kept for their own kind, and responses that are stored
// not at all.
func TestOwnFormsOfReuse(t *testing.T) {
	r := reusing(t)
	body := `{"model":"team","prompt":"once upon a time"}`
	first := r.call("POST", "/v1/completions", body)
	if a := r.call("POST", "/v1/completions", body); a.status != 200 || a.body != first.body || a.header.Get("x-sluice-cache") != "hit" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if a := r.call("POST", completions, chat("team", "once upon a time", "")); a.header.Get("x-sluice-cache") != "miss" {
		t.Errorf("%v", a.header)
	}
	if a := r.call("POST", "/v1/responses", `{"model":"team","input":"hi"}`); a.status != 200 || a.header.Get("x-sluice-cache") != "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := r.call("POST", "/v1/responses", `{"model":"team","store":false,"previous_response_id":"resp_1","input":"hi"}`); a.header.Get("x-sluice-cache") != "" {
		t.Errorf("%v", a.header)
	}
	tools := `,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string"}}}}}]`
	called := r.call("POST", completions, chat("team", "call it", tools))
	again := r.call("POST", completions, chat("team", "call it", tools+`,"stream":true`))
	name := ""
	for _, e := range events(again.body) {
		name += gjson.Get(e, "choices.0.delta.tool_calls.0.function.name").Str
	}
	want := ""
	for _, call := range called.get("choices.0.message.tool_calls.#.function.name").Array() {
		want += call.Str
	}
	if want == "" || again.header.Get("x-sluice-cache") != "hit" || name != want {
		t.Errorf("%s, want a call of %q", again.body, want)
	}
}
