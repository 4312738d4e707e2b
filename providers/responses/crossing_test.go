package responses

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/gemini"
	"sluice/providers/openai"
	"sluice/providers/providertest"
	"sluice/providers/schema"
	"sluice/providers/sse"
)

// TestRecordedRequests sends what clients asked to providers of each dialect.
func TestRecordedRequests(t *testing.T) {
	for _, c := range providertest.Captures(t, os.Getenv("SLUICE_WIRE"), "responses") {
		if c.Asked == nil {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			h, err := head(schema.OpChat, c.Asked)
			if err != nil {
				t.Fatal(err)
			}
			req, err := decodeRequest(c.Asked)
			if err != nil {
				t.Fatal(err)
			}
			if h.Model != req.Model || h.Stream != req.Stream || req.MaxTokens != nil && h.MaxTokens != *req.MaxTokens {
				t.Errorf("head %+v of %+v", h, req)
			}
			up, err := encode(req)
			if err != nil || len(up.Dropped) > 0 {
				t.Fatalf("%v, dropped %q", err, up.Dropped)
			}
			sameRequest(t, c.Asked, up.Body)
			for _, d := range []*dialect.Dialect{&openai.Dialect, &anthropic.Dialect, &gemini.Dialect} {
				req.Model = map[string]string{"gemini": "gemini-3-flash-preview", "openai": "gpt-5", "anthropic": "claude-sonnet-4-5"}[d.Name]
				up, err := d.Chat.Encode(req)
				if err != nil && strings.Contains(string(c.Asked), "spreadsheetml") {
					continue // which nobody else reads
				}
				if err != nil || !json.Valid(up.Body) {
					t.Errorf("for %s: %v", d.Name, err)
					continue
				}
				holdsAll(t, d.Name, c.Asked, up.Body)
			}
		})
	}
}

// sameRequest holds a request that was decoded and encoded again against
// itself, but for what says nothing.
func sameRequest(t *testing.T, want, got []byte) {
	t.Helper()
	if w, g := plain(t, want), plain(t, got); w != g {
		t.Errorf("the request is\n%s\nwas\n%s", g, w)
	}
}

// plain is a request without what says nothing: defaults, empty lists, ids that
// stand for nothing, a message's type, a content that is one text as a list.
func plain(t *testing.T, body []byte) string {
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, body)
	}
	if list, ok := v["include"].([]any); ok && (len(list) == 0 || len(list) == 1 && list[0] == includeEncrypted) {
		delete(v, "include")
	}
	if v["stream"] == false {
		delete(v, "stream")
	}
	if text, ok := v["input"].(string); ok {
		v["input"] = []any{map[string]any{"role": "user", "content": text}}
	}
	items, _ := v["input"].([]any)
	for _, item := range items {
		m := item.(map[string]any)
		if m["type"] == "message" {
			delete(m, "type")
		}
		if m["type"] != "reasoning" && m["type"] != "code_interpreter_call" {
			delete(m, "id")
			delete(m, "status")
		}
		if parts, ok := m["content"].([]any); ok && len(parts) == 1 {
			if text, ok := parts[0].(map[string]any)["text"].(string); ok && m["type"] != "reasoning" {
				m["content"] = text
			}
		}
		parts, _ := m["content"].([]any)
		for _, p := range parts {
			if p := p.(map[string]any); p["detail"] == "auto" {
				delete(p, "detail")
			}
		}
	}
	tools, _ := v["tools"].([]any)
	for _, tool := range tools {
		if m := tool.(map[string]any); m["description"] == nil || m["description"] == "" {
			delete(m, "description")
		}
	}
	for name, value := range v {
		if value == nil {
			delete(v, name)
		}
	}
	out, _ := json.Marshal(v)
	return string(out)
}

// holdsAll looks for all that was said, called, answered and offered in the
// request of another dialect.
func holdsAll(t *testing.T, name string, request, body []byte) {
	t.Helper()
	has := func(what string, v gjson.Result) {
		text := v.String()
		if v.Type != gjson.String || text == "" {
			return
		}
		quoted, _ := json.Marshal(text)
		if inner := string(quoted[1 : len(quoted)-1]); !strings.Contains(normal(string(body)), normal(inner)) {
			t.Errorf("for %s: %s %.80q is not in\n%.2000s", name, what, text, body)
		}
	}
	root := gjson.ParseBytes(request)
	has("instructions", root.Get("instructions"))
	has("input", root.Get("input"))
	root.Get("input").ForEach(func(_, item gjson.Result) bool {
		has("content", item.Get("content"))
		has("output", item.Get("output"))
		if item.Get("type").Str == itemCall {
			has("call", item.Get("name"))
		}
		if item.Get("type").Str == "" || item.Get("type").Str == itemMessage {
			item.Get("content").ForEach(func(_, part gjson.Result) bool { has("part", part.Get("text")); return true })
		}
		return true
	})
	root.Get("tools").ForEach(func(_, tool gjson.Result) bool {
		if kind := tool.Get("type").Str; kind == toolFunction || kind == toolCustom {
			has("tool", tool.Get("name"))
		}
		return true
	})
}

// normal is JSON's text without the differences of its escapes.
func normal(text string) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&", " ", "", `\n`, "", `\"`, `"`).Replace(text)
}

// TestStreamsOfOthers puts recorded streams of other dialects into this one's
// and holds them against the grammar; read again they say the same.
func TestStreamsOfOthers(t *testing.T) {
	for _, lane := range []struct {
		d                  *dialect.Dialect
		endpoint, provider string
	}{
		{&anthropic.Dialect, "messages", "anthropic"}, {&openai.Dialect, "chat", "openai"}, {&openai.Dialect, "chat", "openrouter"},
		{&openai.Dialect, "chat", "deepseek"}, {&openai.Dialect, "chat", "groq"}, {&openai.Dialect, "chat", "xai"}, {&openai.Dialect, "chat", "mistral"},
		{&gemini.Dialect, "generate", "gemini"}, {&Dialect, "responses", "openai"}, {&Dialect, "responses", "xai"}, {&Dialect, "responses", "azure"},
		{&Dialect, "responses", "deepseek"},
	} {
		for _, c := range providertest.Captures(t, os.Getenv("SLUICE_WIRE"), lane.endpoint, lane.provider) {
			if c.Stream == nil || *c.Stream != "sse" || c.Response.Status != 200 {
				continue
			}
			t.Run(c.ID, func(t *testing.T) {
				stream, ok := translate(t, lane.d, c.Answered, nil)
				if !ok {
					return
				}
				response, err := checkStream(stream)
				if err != nil {
					t.Fatalf("%v\n%s", err, stream)
				}
				if _, err := decode([]byte(response.Raw)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// translate puts a stream of d's into this dialect; ok is false where it is an
// error.
func translate(t *testing.T, d *dialect.Dialect, body []byte, req *schema.ChatRequest) (out []byte, ok bool) {
	t.Helper()
	decoder := d.Chat.Stream()
	w := newWriter(dialect.StreamOptions{ID: "made-id", Model: "m", Created: 1767225600, WantsUsage: true, Request: req})
	var usage schema.Usage
	err := sse.Events(body, func(f dialect.Frame) error {
		if decoder.Done() {
			return nil
		}
		chunks, err := decoder.Decode(f, nil)
		for i := range chunks {
			if chunks[i].Usage != nil {
				usage.Merge(*chunks[i].Usage)
			}
			out = w.Chunk(out, &chunks[i])
		}
		return err
	})
	return w.End(out, &usage), err == nil
}

// TestCrossing replays recorded traffic between this dialect and the others.
func TestCrossing(t *testing.T) {
	dir := os.Getenv("SLUICE_WIRE")
	ours := providertest.Options{Provider: "openai", Endpoint: "responses"}
	t.Run("to anthropic", func(t *testing.T) {
		from := ours
		from.Skip = map[string]string{"openai-responses-document_encrypted_reasoning_reasoning": "a spreadsheet, which nobody else reads"}
		providertest.Crossing(t, dir, providertest.Cross{Client: &Dialect, Requests: from,
			Provider: &anthropic.Dialect, Answers: providertest.Options{Provider: "anthropic", Endpoint: "messages",
				Skip: map[string]string{"anthropic-messages-stream-parallel_tool_calls_server_tool": "several streams, one after another"}}})
	})
	t.Run("to openai", func(t *testing.T) {
		providertest.Crossing(t, dir, providertest.Cross{Client: &Dialect, Requests: ours,
			Provider: &openai.Dialect, Answers: providertest.Options{Provider: "openai", Endpoint: "chat"}})
	})
	t.Run("from openai", func(t *testing.T) {
		providertest.Crossing(t, dir, providertest.Cross{Client: &openai.Dialect, Requests: providertest.Options{Provider: "openai", Endpoint: "chat"},
			Provider: &Dialect, Answers: ours})
	})
	t.Run("from anthropic", func(t *testing.T) {
		providertest.Crossing(t, dir, providertest.Cross{Client: &anthropic.Dialect, Requests: providertest.Options{Provider: "anthropic", Endpoint: "messages"},
			Provider: &Dialect, Answers: ours})
	})
}
