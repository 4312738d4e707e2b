package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/gateway"
	"sluice/gateway/cache"
	"sluice/providers/openai"
)

// TestPromptsAreReused: a prompt's answer is kept as it says itself, else as its
// model does, and serves every way to call it.
func TestPromptsAreReused(t *testing.T) {
	for name, source := range map[string]string{
		"its own":   "---\nmodel: up/echo\ninput: {schema: {text: string}}\nsluice.cache: 10m\n---\nsay {{text}}",
		"its model": "---\nmodel: team\ninput: {schema: {text: string}}\n---\nsay {{text}}",
	} {
		ways := []struct {
			name string
			call func(r *rig) (answer, string)
		}{
			{"path", func(r *rig) (answer, string) {
				a := r.call("POST", "/prompts/p", `{"text":"hi"}`)
				return a, a.body
			}},
			{"envelope", func(r *rig) (answer, string) {
				a := r.call("POST", "/prompts/p", `{"text":"hi"}`, "Prefer", "return=envelope")
				return a, a.get("output").Str
			}},
			{"events", func(r *rig) (answer, string) {
				a := r.call("POST", "/prompts/p", `{"text":"hi"}`, "Accept", "text/event-stream")
				_, done, _ := strings.Cut(a.body, "event: done\ndata: ")
				return a, answer{body: done}.get("output").Str
			}},
			{"model", func(r *rig) (answer, string) {
				a := r.call("POST", completions, chat("prompt/p", "hi", ""))
				return a, a.get("choices.0.message.content").Str
			}},
			{"model's stream", func(r *rig) (answer, string) {
				a := r.call("POST", completions, chat("prompt/p", "hi", `,"stream":true`))
				return a, said(a.body)
			}},
		}
		for _, first := range ways {
			r := reusing(t, func(s *setup) { s.prompts["p"] = source })
			if a, text := first.call(r); a.status != 200 || text != "say hi" || a.header.Get("x-sluice-cache") != "miss" {
				t.Fatalf("%s, %s: %d %v %q", name, first.name, a.status, a.header, text)
			}
			r.settled()
			for _, way := range ways {
				a, text := way.call(r)
				if a.status != 200 || text != "say hi" || a.header.Get("x-sluice-cache") != "hit" || a.header.Get("x-sluice-cost") != "0" || a.header.Get("x-sluice-model") != "up/echo" {
					t.Errorf("%s, %s after %s: %d %v %s", name, way.name, first.name, a.status, a.header, a.body)
				}
			}
			if n := r.asked(); n != 1 {
				t.Errorf("%s, first %s: the provider was asked %d times", name, first.name, n)
			}
			r.call("POST", "/prompts/p", `[{"text":"hi"},{"text":"ho"}]`)
			r.call("POST", "/prompts/p", `[{"text":"hi"},{"text":"ho"}]`, "x-sluice-cache", "skip")
			if n := r.asked(); n != 4 {
				t.Errorf("%s: the provider was asked %d times, want 4", name, n)
			}
			r.stop()
		}
	}
}

// An output that breaks the schema is not kept.
func TestOutputsAreCheckedBeforeTheyAreReused(t *testing.T) {
	var asked atomic.Int64
	url := rawServer(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"no json"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`)
	})
	r := reusing(t, func(s *setup) {
		s.providers = append(s.providers, remote(t, "own", url+"/v1", &openai.Dialect, oneTwo))
		s.model("stubborn", "own/m").Caching = &gateway.Caching{TTL: time.Hour, Scope: cache.ScopeTeam}
		s.prompts["words"] = "---\nmodel: stubborn\noutput: {format: json, schema: {a: number}}\nsluice.repair: 0\n---\nno json"
		s.prompts["json"] = "---\nmodel: typed\noutput: {format: json, schema: {a: number}}\n---\nhi"
		s.model("typed", "mock/echo").Caching = &gateway.Caching{TTL: time.Hour, Scope: cache.ScopeTeam}
	})
	for range 2 {
		if a := r.call("POST", "/prompts/words", `{}`); a.status != 502 || a.header.Get("x-sluice-cache") == "hit" {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("the provider was asked %d times", n)
	}
	first := r.call("POST", "/prompts/json", `{}`)
	if a := r.call("POST", "/prompts/json", `{}`); a.body != first.body || a.header.Get("x-sluice-cache") != "hit" {
		t.Errorf("%d %v %s, want %s", a.status, a.header, a.body, first.body)
	}
}
