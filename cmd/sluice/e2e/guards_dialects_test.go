package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// caller is a provider that thinks, says something and calls a tool, with an
// email in each, in pieces of three bytes or whole.
func caller(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	const args = `{"to":"x.y@example.com","n":4111111111111111}`
	if !strings.Contains(string(body), `"stream":true`) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"I write to a.b@example.com now",
			"tool_calls":[{"id":"c1","type":"function","function":{"name":"send","arguments":%s}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`, quote(args))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(delta, finish string) {
		fmt.Fprintf(w, `data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}`+"\n\n", delta, finish)
	}
	pieces := func(text, form string) {
		for len(text) > 0 {
			n := min(3, len(text))
			piece, _ := json.Marshal(text[:n])
			send(fmt.Sprintf(form, piece), "null")
			text = text[n:]
		}
	}
	pieces("I write to a.b@example.com now", `{"content":%s}`)
	send(`{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"send","arguments":""}}]}`, "null")
	pieces(args, `{"tool_calls":[{"index":0,"function":{"arguments":%s}}]}`)
	send(`{}`, `"tool_calls"`)
	fmt.Fprint(w, `data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}`+"\n\ndata: [DONE]\n\n")
}

// What a guard hides is hidden in every API, in what is said and in the
// arguments of tools, and the arguments stay JSON.
func TestGuardedTools(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(caller))
	t.Cleanup(server.Close)
	g := start(t, `providers: {p: {kind: openai-compatible, base_url: "`+server.URL+`/v1", keys: [k], prices: {"*": {input: 1, output: 2}}}}
models: {lanes: {targets: [{model: p/m}], guard: [hide]}, kept: {targets: [{model: p/m}], guard: [hide, shape]}}
guards: {hide: {on: response, mask: [email, card]}, shape: {on: response, schema: "true", dry_run: true}}
`+team)
	for _, model := range []string{"lanes", "kept"} {
		for _, stream := range []string{"", `,"stream":true`} {
			gemini := "/v1beta/models/" + model + ":generateContent"
			if stream != "" {
				gemini = "/v1beta/models/" + model + ":streamGenerateContent?alt=sse"
			}
			for _, c := range []struct{ path, body string }{
				{"/v1/chat/completions", chatBody(model, "hi", stream)},
				{"/v1/messages", `{"model":"` + model + `","max_tokens":400,"messages":[{"role":"user","content":"hi"}]` + stream + `}`},
				{"/v1/responses", `{"model":"` + model + `","input":"hi"` + stream + `}`},
				{gemini, `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
			} {
				a := g.data("POST", c.path, c.body)
				texts, args := saidAndCalled(a.body)
				if a.status != 200 || !strings.Contains(texts, "I write to [EMAIL] now") || strings.Contains(a.body, "example.com") || strings.Contains(a.body, "4111") {
					t.Errorf("%s %s%s: %d %q\n%s", model, c.path, stream, a.status, texts, a.body)
				}
				var got map[string]string
				if err := json.Unmarshal([]byte(args), &got); err != nil || got["to"] != "[EMAIL]" || got["n"] != "[CARD]" {
					t.Errorf("%s %s%s: arguments %q, %v\n%s", model, c.path, stream, args, err, a.body)
				}
			}
		}
	}
}

// saidAndCalled are the texts and the arguments of tools of an answer, whole or
// streamed, in any API.
func saidAndCalled(body string) (texts, args string) {
	var docs []string
	if strings.HasPrefix(strings.TrimSpace(body), "{") {
		docs = []string{body}
	}
	for line := range strings.Lines(body) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			docs = append(docs, data)
		}
	}
	var text, arg strings.Builder
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			kind, _ := v["type"].(string)
			if strings.HasSuffix(kind, ".done") || kind == "response.completed" || kind == "response.created" || kind == "response.in_progress" {
				return // repeats what was said
			}
			for key, item := range v {
				s, isText := item.(string)
				switch {
				case (key == "arguments" || key == "partial_json" || key == "delta" && kind == "response.function_call_arguments.delta") && isText:
					arg.WriteString(s)
				case (key == "input" && kind == "tool_use" || key == "args") && !isText:
					if m, _ := item.(map[string]any); len(m) > 0 {
						b, _ := json.Marshal(item)
						arg.Write(b)
					}
				case (key == "text" || key == "content" || key == "delta") && isText:
					text.WriteString(s)
				default:
					walk(item)
				}
			}
		}
	}
	for _, doc := range docs {
		var v any
		if json.Unmarshal([]byte(doc), &v) == nil {
			walk(v)
		}
	}
	return text.String(), arg.String()
}
