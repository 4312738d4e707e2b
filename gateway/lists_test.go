package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/gateway"
	"sluice/providers/schema"
)

func listing(s *setup) {
	s.list = []gateway.ModelInfo{{ID: "fast", OwnedBy: "sluice"}, {ID: "up/small", OwnedBy: "up", Created: 1_700_000_000, Context: 8000, MaxOutput: 1000},
		{ID: "ant/claude", OwnedBy: "ant"}}
	s.bare = map[string]string{"small": "up/small"}
	s.model("fast", "up/small")
	s.key("narrow", func(k *billing.Key) { k.Models = []string{"fast", "ant/*"} })
	s.prompts["ask"] = strings.Replace(ask, "%s", "mock/echo", 1)
	s.prompts["secret"] = "---\nmodel: mock/echo\nsluice.access: subscribed\n---\nx"
}

// Models are listed in three shapes, to each key those that it may use.
func TestModelLists(t *testing.T) {
	r := newRig(t, listing)
	for _, shape := range []struct{ name, path, ids, one, header string }{
		{"openai", "/v1/models", "data.#.id", "id", ""},
		{"anthropic", "/v1/models", "data.#.id", "id", "2023-06-01"},
		{"gemini", "/v1beta/models", "models.#.name", "name", ""},
	} {
		for key, want := range map[string][]string{
			"k":      {"fast", "up/small", "ant/claude", "prompt/ask"},
			"narrow": {"fast", "ant/claude", "prompt/ask"},
		} {
			a := r.bare("GET", shape.path, "", append(as(key), "Anthropic-Version", shape.header)...)
			var got []string
			for _, id := range a.get(shape.ids).Array() {
				got = append(got, strings.TrimPrefix(id.String(), "models/"))
			}
			if a.status != 200 || !gjson.Valid(a.body) || !slices.Equal(got, want) {
				t.Errorf("%s for %s: %d %s", shape.name, key, a.status, a.body)
			}
		}
		for _, c := range []struct {
			key, id string
			status  int
		}{{"k", "up/small", 200}, {"k", "small", 200}, {"k", "up/not-listed", 200}, {"k", "nobody/x", 404}, {"k", "prompt/ask", 200},
			{"k", "prompt/secret", 403}, {"k", "prompt/none", 404}, {"narrow", "up/small", 403}, {"narrow", "small", 403}, {"narrow", "fast", 200},
			{"nobody", "fast", 401}} {
			a := r.bare("GET", shape.path+"/"+c.id, "", append(as(c.key), "Anthropic-Version", shape.header)...)
			if a.status != c.status || c.status == 200 && strings.TrimPrefix(a.get(shape.one).String(), "models/") != c.id {
				t.Errorf("%s: %s for %s: %d %s, want %d", shape.name, c.id, c.key, a.status, a.body, c.status)
			}
		}
	}
	a := r.call("GET", "/v1/models", "", "Anthropic-Version", "2023-06-01")
	if a.get("data.0.type").String() != "model" || a.get("has_more").Bool() || a.get("data.1.created_at").String() != "2023-11-14T22:13:20Z" {
		t.Errorf("Anthropic's shape: %s", a.body)
	}
	if a := r.call("GET", "/v1beta/models", ""); a.get("models.1.inputTokenLimit").Int() != 8000 || a.get("models.1.outputTokenLimit").Int() != 1000 {
		t.Errorf("Gemini's shape: %s", a.body)
	}
	if a := r.bare("HEAD", "/v1/models", "", as("k")...); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: %d %q", a.status, a.body)
	}
	if n := len(r.entries()); n != 0 {
		t.Errorf("lists are no calls, yet there are %d entries", n)
	}
}

// A model is granted by any of its names: the one asked for, or provider/model.
func TestGrants(t *testing.T) {
	r := newRig(t, listing)
	for _, c := range []struct {
		key, model string
		status     int
	}{{"narrow", "fast", 200}, {"narrow", "up/small", 403}, {"narrow", "small", 403}, {"narrow", "ant/x", 200}, {"k", "small", 200}} {
		a := r.bare("POST", "/v1/chat/completions", chat(c.model, "hi", ""), as(c.key)...)
		if a.status != c.status || c.status == 403 && (a.get("error.code").String() != "model_not_allowed" || a.get("error.param").String() != "model") {
			t.Errorf("%s for %s: %d %s", c.model, c.key, a.status, a.body)
		}
	}
}

// What a key and its team have used and may use.
func TestUsage(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.teams[0].Budgets = billing.Budgets{{USD: billing.Dollar, Per: billing.PeriodMonth}}
		s.key("other", func(k *billing.Key) { k.Limits.RPM, k.Budgets = 7, hard(billing.Dollar) })
	})
	r.call("POST", "/v1/chat/completions", chat("up/in-10_out-5", "hi", ""))
	for range 2 {
		r.bare("POST", "/v1/chat/completions", chat("up/in-10_out-5", "hi", ""), as("other")...)
	}
	a := r.bare("GET", "/v1/usage", "", as("other")...)
	if a.status != 200 || a.get("key.name").String() != "t/other" || a.get("key.usage.total.calls").Int() != 2 || a.get("key.usage.total.usd").String() != "0.00004" ||
		a.get("team.name").String() != "t" || a.get("team.usage.total.calls").Int() != 3 || a.get("limits.key.rpm").Int() != 7 ||
		a.get("budgets.#").Int() != 2 || a.get("budgets.0.spent").String() != "0.00004" || a.get("budgets.1.spent").String() != "0.00006" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, query := range []string{"?group_by=shoe_size", "?from=yesterday", "?from=2026-02-01&to=2026-01-01"} {
		if a := r.call("GET", "/v1/usage"+query, ""); a.status != 400 || a.get("error.code").String() != "invalid_request" {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	r.ledger.setDown(true)
	if a := r.call("GET", "/v1/usage", ""); a.status != 503 || a.get("error.code").String() != "unavailable" || a.header.Get("Retry-After") == "" {
		t.Errorf("with the ledger down: %d %v %s", a.status, a.header, a.body)
	}
	if a := r.bare("GET", "/v1/usage", ""); a.status != 401 {
		t.Errorf("without a key: %d", a.status)
	}
}

// Health, paths that are none, methods that are not served.
func TestPaths(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/healthz", "/livez", "/readyz"} {
		if a := r.bare("GET", path, ""); a.status != 200 || !gjson.Valid(a.body) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, c := range []struct {
		method, path string
		status       int
		allow, code  string // code's path in the body
	}{
		{"GET", "/v1/chat/completions", 405, "POST", "error.code"},
		{"POST", "/v1/models", 405, "GET", "error.code"},
		{"DELETE", "/v1/messages", 405, "POST", "error.type"},
		{"GET", "/v1beta/models/m:generateContent", 405, "POST", "error.status"},
		{"POST", "/v1beta/models/m", 405, "GET", "error.status"},
		{"POST", "/v1beta/models/m:noSuchMethod", 404, "", "error.status"},
		{"POST", "/v1beta/models/:generateContent", 404, "", "error.status"},
		{"GET", "/v1beta/nothing", 404, "", "error.status"},
		{"POST", "/v1/messages/nothing", 404, "", "error.type"},
		{"GET", "/v1/nothing", 404, "", "error.code"},
		{"GET", "/v1", 404, "", "error.code"},
		{"GET", "/", 404, "", "code"},
		{"GET", "/v10/models", 404, "", "code"},
		{"POST", "/healthz", 405, "GET", "code"},
	} {
		a := r.call(c.method, c.path, "{}")
		if a.status != c.status || a.header.Get("Allow") != c.allow || a.get(c.code).Type != gjson.String {
			t.Errorf("%s %s: %d, allow %q: %s", c.method, c.path, a.status, a.header.Get("Allow"), a.body)
		}
	}
	if a := r.call("POST", "/v1/chat/completions", chat("mock/echo", strings.Repeat("x", 2<<20), "")); a.status != 413 || a.get("error.code").String() != "request_too_large" {
		t.Errorf("a body over the limit: %d %s", a.status, a.body)
	}
}

// What a body must be, told in the words of its dialect.
func TestBodies(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ path, body, code, param string }{
		{"/v1/chat/completions", ``, "invalid_json", ""},
		{"/v1/chat/completions", `{"model":`, "invalid_json", ""},
		{"/v1/chat/completions", `{"model":"up/small","messages":[{"role":"user","content":"hi"}]} x`, "invalid_json", ""},
		{"/v1/chat/completions", `[]`, "invalid_json", ""},
		{"/v1/chat/completions", `{"messages":[{"role":"user","content":"hi"}]}`, "invalid_request", "model"},
		{"/v1/chat/completions", `{"model":7,"messages":[{"role":"user","content":"hi"}]}`, "invalid_request", "model"},
		{"/v1/chat/completions", `{"model":"up/small","messages":"hi"}`, "invalid_request", "messages"},
		{"/v1/chat/completions", `{"model":"up/small","messages":[{"role":"user","content":"hi"}],"stream":"yes"}`, "invalid_request", "stream"},
		{"/v1/chat/completions", `{"model":"up/small","messages":[{"role":"user","content":"hi"}],"n":-1}`, "invalid_request", "n"},
		{"/v1/chat/completions", `{"model":"up/small","messages":[{"role":"user","content":"hi"}],"model":"up/big"}`, "invalid_request", "model"},
		{"/v1/chat/completions", `{"model":"up/small","messages":[{"role":"user","content":"hi"}],"MODEL":"up/big"}`, "invalid_request", "MODEL"},
		{"/v1/embeddings", `{"input":"x"}`, "invalid_request", "model"},
		{"/v1/rerank", `{"query":"x"}`, "invalid_request", "model"},
	} {
		a := r.call("POST", c.path, c.body, "X-Request-Id", "body")
		if a.status != 400 || a.get("error.code").String() != c.code || c.param != "" && !strings.EqualFold(a.get("error.param").String(), c.param) {
			t.Errorf("%s with %s: %d %s", c.path, c.body, a.status, a.body)
		}
	}
}

// A parameter that the target has not is dropped and named, or refused, as the
// model says.
func TestUnsupported(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.model("lenient", "ant/small")
		s.model("strict", "ant/small").Refuse = true
	})
	for _, stream := range []string{"", `,"stream":true`} {
		a := r.call("POST", "/v1/chat/completions", chat("lenient", "hi", `,"seed":7`+stream))
		if a.status != 200 || !strings.Contains(a.header.Get("X-Sluice-Dropped"), "seed") {
			t.Errorf("dropped: %d %v %s", a.status, a.header, a.body)
		}
		a = r.call("POST", "/v1/chat/completions", chat("strict", "hi", `,"seed":7`+stream))
		if a.status != 400 || a.get("error.code").String() != string(schema.CodeUnsupported) || a.get("error.param").String() != "seed" {
			t.Errorf("refused: %d %s", a.status, a.body)
		}
		if a := r.call("POST", "/v1/chat/completions", chat("strict", "hi", stream)); a.status != 200 {
			t.Errorf("nothing to drop: %d %s", a.status, a.body)
		}
	}
}

// The gateway's own request headers.
func TestRequestHeaders(t *testing.T) {
	r := newRig(t, func(s *setup) {
		m := s.model("two", "up/fail-503", "up/small")
		m.Route.Retry.Backoff = 1
	})
	a := r.call("POST", "/v1/chat/completions", chat("two", "hi", `,"metadata":{"a":"1"},"user":"u7"`), "X-Sluice-Tags", " x , ,y", "X-Request-Id", "tags")
	if a.status != 200 || a.header.Get("X-Sluice-Attempts") != "2" || a.header.Get("X-Sluice-Model") != "up/small" {
		t.Errorf("%d %v", a.status, a.header)
	}
	r.settled()
	e := r.entry("tags")
	if !slices.Contains(e.Tags, "x") || !slices.Contains(e.Tags, "y") || len(e.Tags) != 3 || e.User != "u7" || len(e.Attempts) != 2 ||
		e.Attempts[0].Status != 503 || e.Attempts[1].Status != 200 || strings.Contains(e.Attempts[0].Key, "secret") {
		t.Errorf("the entry is %+v", e)
	}
	for _, bad := range []string{"20", "-1s", "0s", "soon"} {
		if a := r.call("POST", "/v1/chat/completions", chat("up/small", "hi", ""), "X-Sluice-Timeout", bad); a.status != 400 || a.get("error.param").String() != "x-sluice-timeout" {
			t.Errorf("a timeout of %s: %d %s", bad, a.status, a.body)
		}
	}
	if a := r.call("POST", "/v1/chat/completions", chat("up/silent", "hi", ""), "X-Sluice-Timeout", "10ms"); a.status != 504 || a.get("error.origin").String() != "provider" {
		t.Errorf("out of time: %d %s", a.status, a.body)
	}
}

// What is dropped is named in the caller's own words.
func TestDroppedWords(t *testing.T) {
	r := newRig(t, func(s *setup) { s.model("strict", "up/small").Refuse = true })
	gemini := `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"topK":5%s}}`
	for _, c := range []struct{ path, body, dropped string }{
		{"/v1beta/models/ant/small:generateContent", fmt.Sprintf(gemini, `,"presencePenalty":1`), "presencePenalty"},
		{"/v1beta/models/up/small:generateContent", fmt.Sprintf(gemini, ""), "topK"},
		{"/v1/responses", `{"model":"ant/small","input":"hi","text":{"verbosity":"low"}}`, "text.verbosity"},
	} {
		if a := r.call("POST", c.path, c.body); a.status != 200 || !slices.Contains(strings.Split(a.header.Get("X-Sluice-Dropped"), ","), c.dropped) {
			t.Errorf("%s: %d %q, want %s: %s", c.path, a.status, a.header.Get("X-Sluice-Dropped"), c.dropped, a.body)
		}
	}
	if a := r.call("POST", "/v1beta/models/strict:generateContent", fmt.Sprintf(gemini, "")); a.status != 400 || !strings.Contains(a.get("error.message").String(), "topK") {
		t.Errorf("refused: %d %s", a.status, a.body)
	}
}
