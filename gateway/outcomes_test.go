package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/providers/openai"
	"sluice/router"
)

// dialects are the shapes of an error: a call in each, and what its body says.
type errorShape struct {
	name string
	path string // MODEL stands for the model's name
	body func(model string) string
	// code reads what stands for the code, and what it should be.
	check func(t *testing.T, a answer, want wantedError)
}

type wantedError struct {
	status                     int
	code, origin, claude, grpc string // OpenAI's code and origin, Anthropic's type, Gemini's status
}

var errorShapes = []errorShape{
	{"openai", "/v1/chat/completions", func(m string) string { return chat(m, "hi", "") }, func(t *testing.T, a answer, w wantedError) {
		e := a.get("error")
		if e.Get("code").String() != w.code || e.Get("origin").String() != w.origin || e.Get("message").String() == "" ||
			e.Get("type").String() == "" || !e.Get("param").Exists() || e.Get("request_id").String() != a.header.Get("X-Request-Id") {
			t.Errorf("want %+v, got %s", w, a.body)
		}
	}},
	{"anthropic", "/v1/messages", func(m string) string { return chat(m, "hi", `,"max_tokens":50`) }, func(t *testing.T, a answer, w wantedError) {
		if a.get("type").String() != "error" || a.get("error.type").String() != w.claude || a.get("error.message").String() == "" ||
			a.get("request_id").String() != a.header.Get("X-Request-Id") || a.header.Get("Request-Id") == "" {
			t.Errorf("want %+v, got %s", w, a.body)
		}
	}},
	{"gemini", "/v1beta/models/MODEL:generateContent", func(string) string {
		return `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
	}, func(t *testing.T, a answer, w wantedError) {
		if e := a.get("error"); e.Get("code").Int() != int64(w.status) || e.Get("status").String() != w.grpc || e.Get("message").String() == "" ||
			e.Get("details.0.reason").String() != w.code || e.Get("details.0.metadata.origin").String() != w.origin {
			t.Errorf("want %+v, got %s", w, a.body)
		}
	}},
	{"problem+json", "/prompts/ask-MODEL", func(string) string { return `{"text":"hi"}` }, func(t *testing.T, a answer, w wantedError) {
		if a.get("status").Int() != int64(w.status) || a.get("code").String() != w.code || a.get("origin").String() != w.origin ||
			a.get("detail").String() == "" || a.get("title").String() != http.StatusText(w.status) || a.get("type").String() != "about:blank" ||
			a.get("request_id").String() != a.header.Get("X-Request-Id") || !strings.HasPrefix(a.get("instance").String(), "/prompts/ask-") {
			t.Errorf("want %+v, got %s", w, a.body)
		}
	}},
}

// errorCases are the refusals and failures that do not depend on the dialect.
var errorCases = []struct {
	name, key, model string
	want             wantedError
	header           map[string]string // of the answer; "*": any value
	recorded         bool
}{
	{"no key", "", "up/small", wantedError{401, "invalid_api_key", "gateway", "authentication_error", "UNAUTHENTICATED"},
		map[string]string{"Www-Authenticate": "*"}, false},
	{"unknown key", "nobody", "up/small", wantedError{401, "invalid_api_key", "gateway", "authentication_error", "UNAUTHENTICATED"}, nil, false},
	{"expired key", "old", "up/small", wantedError{401, "invalid_api_key", "gateway", "authentication_error", "UNAUTHENTICATED"}, nil, false},
	{"revoked key", "revoked", "up/small", wantedError{401, "invalid_api_key", "gateway", "authentication_error", "UNAUTHENTICATED"}, nil, false},
	{"address", "elsewhere", "up/small", wantedError{403, "permission_denied", "policy", "permission_error", "PERMISSION_DENIED"}, nil, true},
	{"rpm", "norpm", "up/small", wantedError{429, "rate_limit_exceeded", "policy", "rate_limit_error", "RESOURCE_EXHAUSTED"},
		map[string]string{"Retry-After": "*", "X-Ratelimit-Limit-Requests": "1", "X-Ratelimit-Remaining-Requests": "0", "X-Should-Retry": ""}, true},
	{"tpm", "tpm", "up/small", wantedError{429, "rate_limit_exceeded", "policy", "rate_limit_error", "RESOURCE_EXHAUSTED"},
		map[string]string{"X-Ratelimit-Limit-Tokens": "2"}, true},
	{"budget", "poor", "up/small", wantedError{429, "insufficient_quota", "policy", "rate_limit_error", "RESOURCE_EXHAUSTED"},
		map[string]string{"X-Should-Retry": "false"}, true},
	{"unpriced", "thrifty", "free/small", wantedError{403, "model_unpriced", "policy", "permission_error", "PERMISSION_DENIED"}, nil, true},
	{"upstream 400", "k", "up/fail-400", wantedError{400, "", "provider", "invalid_request_error", "INVALID_ARGUMENT"}, nil, true},
	{"upstream 422", "k", "up/fail-422", wantedError{422, "", "provider", "invalid_request_error", "INVALID_ARGUMENT"}, nil, true},
	{"upstream 429", "k", "up/fail-429_after-7", wantedError{429, "rate_limit_exceeded", "provider", "rate_limit_error", "RESOURCE_EXHAUSTED"},
		map[string]string{"Retry-After": "7", "X-Sluice-Attempts": "1", "X-Sluice-Model": "up/fail-429_after-7"}, true},
	{"upstream 500", "k", "up/fail-500", wantedError{500, "upstream_error", "provider", "api_error", "INTERNAL"}, nil, true},
	{"upstream 529", "k", "ant/fail-529", wantedError{503, "upstream_error", "provider", "overloaded_error", "UNAVAILABLE"}, nil, true},
	{"upstream refuses our key", "k", "badkey/small", wantedError{502, "upstream_auth", "provider", "api_error", "UNAVAILABLE"}, nil, true},
	{"no answer", "k", "dead/small", wantedError{502, "upstream_error", "provider", "api_error", "UNAVAILABLE"}, nil, true},
	{"not understood", "k", "garbage/small", wantedError{502, "upstream_error", "provider", "api_error", "UNAVAILABLE"}, nil, true},
	{"breaker open", "k", "open", wantedError{503, "no_target", "gateway", "overloaded_error", "UNAVAILABLE"},
		map[string]string{"Retry-After": "*", "X-Sluice-Attempts": ""}, true},
	{"a panic", "k", "bomb/x", wantedError{500, "internal_error", "gateway", "api_error", "INTERNAL"}, nil, true},
}

const ask = `---
model: %s
input: {schema: {text: string}}
---
{{text}}
`

// The error table, in the shape of every dialect, with the request's id in
// body and header, no secret in either, and one line of the ledger for what a
// known key asked.
func TestErrorTable(t *testing.T) {
	names := map[string]string{}
	r := newRig(t, errorSetup(t), func(s *setup) {
		for i, c := range errorCases {
			names[c.model] = "m" + string(rune('a'+i))
			s.prompts["ask-"+names[c.model]] = strings.Replace(ask, "%s", c.model, 1)
		}
	})
	r.log.allow()
	for _, shape := range errorShapes {
		for _, c := range errorCases {
			t.Run(shape.name+"/"+c.name, func(t *testing.T) {
				r := r.on(t)
				id := strings.ReplaceAll(shape.name+"-"+c.name, " ", "_")
				id = strings.ReplaceAll(id, "+", "_")
				model := c.model
				if shape.name == "problem+json" {
					model = names[c.model]
				}
				header := []string{"X-Request-Id", id, "Content-Type", "application/json"}
				key := c.key
				if key == "norpm" || key == "tpm" { // one for each shape: limits remember
					key += shape.name[:3]
				}
				if key != "" {
					header = append(header, as(key)...)
				}
				path := strings.ReplaceAll(shape.path, "MODEL", model)
				a := r.bare("POST", path, shape.body(model), header...)
				if c.key == "norpm" { // the first is let through
					a = r.bare("POST", path, shape.body(model), header...)
				}
				if a.status != c.want.status {
					t.Fatalf("status %d, want %d: %s", a.status, c.want.status, a.body)
				}
				if !gjson.Valid(a.body) || strings.Contains(a.body, "secret") {
					t.Errorf("not JSON, or a secret in it: %s", a.body)
				}
				kind := "application/json"
				if shape.name == "problem+json" {
					kind = "application/problem+json"
				}
				if a.header.Get("Content-Type") != kind || a.header.Get("X-Request-Id") != id {
					t.Errorf("headers %v", a.header)
				}
				for name, want := range c.header {
					if got := a.header.Get(name); want == "*" && got == "" || want != "*" && got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
				want := c.want
				if want.code == "" { // the provider's own: any
					want.code = codeOf(a)
				}
				shape.check(t, a, want)
				if c.key == "norpm" {
					return // two entries
				}
				r.settled()
				if !c.recorded {
					for _, e := range r.entries() {
						if e.RequestID == id {
							t.Errorf("an entry that nobody is charged for: %+v", e)
						}
					}
					return
				}
				if e := r.entry(id); e.Status != a.status || e.Code != want.code && shape.name != "anthropic" || e.Origin != want.origin ||
					e.Cost != 0 || e.Refused != (want.origin == "policy") || e.Team != "t" {
					t.Errorf("the entry is %+v", e)
				}
			})
		}
	}
	if len(r.ledger.twice) > 0 {
		t.Errorf("recorded twice: %v", r.ledger.twice)
	}
}

// codeOf is the code in a body of OpenAI's, Gemini's or the problem shape.
func codeOf(a answer) string {
	for _, path := range []string{"error.code", "error.details.0.reason", "code"} {
		if c := a.get(path); c.Type == gjson.String {
			return c.String()
		}
	}
	return ""
}

func errorSetup(t *testing.T) func(*setup) {
	garbage := rawServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("<html>it works</html>"))
	})
	return func(s *setup) {
		limited := func(prefix string, with func(*billing.Key)) {
			for _, shape := range errorShapes {
				s.key(prefix+shape.name[:3], with)
			}
		}
		s.key("old", func(k *billing.Key) { k.Expires = past })
		s.key("revoked", func(k *billing.Key) { k.Revoked = past })
		s.key("elsewhere", func(k *billing.Key) { k.IPs = []string{"192.0.2.0/24"} })
		limited("norpm", func(k *billing.Key) { k.Limits.RPM = 1 })
		limited("tpm", func(k *billing.Key) { k.Limits.TPM = 2 })
		s.key("poor", func(k *billing.Key) { k.Budgets = hard(1) })
		s.key("thrifty", func(k *billing.Key) { k.Budgets = hard(billing.Dollar) })
		badkey := remote(t, "badkey", s.provider("up").BaseURL, &openai.Dialect, oneTwo)
		badkey.Pool = router.NewPool("badkey", router.NewSecret("sk-fail-401-secret", "", 1, nil))
		s.providers = append(s.providers, badkey,
			remote(t, "dead", "http://127.0.0.1:1/v1", &openai.Dialect, oneTwo),
			remote(t, "garbage", garbage, &openai.Dialect, oneTwo),
			local("bomb", script{}, oneTwo)) // its functions are nil
		open := s.model("open", "up/small")
		open.Route.Candidates[0].Target.SetBreaker(router.ForceOpen, past)
	}
}
