package e2e

import (
	"strings"
	"testing"
	"time"
)

const errorsConfig = `models:
  granted: up/small
  ctx: {targets: [{model: up/fail-503}], retry: {attempts: 1}}
teams:
  t:
    keys:
      - {name: k, value: "` + teamKey + `"}
      - {name: narrow, value: sk-e2e-narrow-0123456789, models: [granted]}
      - {name: slow, value: sk-e2e-slow-0123456789, limits: {rpm: 2}}
      - {name: one, value: sk-e2e-one-0123456789, limits: {parallel: 1}}
      - {name: small, value: sk-e2e-small-0123456789, limits: {tpm: 50}}
      - {name: old, value: sk-e2e-old-0123456789, expires: 2020-01-01}
      - {name: poor, value: sk-e2e-poor-0123456789, budget: {usd: 0.000001, per: total, hard: true}}
      - {name: thrifty, value: sk-e2e-thrifty-0123456789, budget: {usd: 1, per: total, hard: true}}
`

// The error table of the data plane, in OpenAI's shape.
func TestErrors(t *testing.T) {
	g := start(t, providers+
		`  refused: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-fail-401], prices: {"*": {input: 1, output: 2}}}
  free: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-up]}
  dead: {kind: openai-compatible, base_url: "http://127.0.0.1:1/v1", keys: [sk-up], prices: {"*": {input: 1, output: 2}}}
`+errorsConfig)
	small := chatBody("up/small", "hi", "")
	for _, c := range []struct {
		name, key, body string
		header          []string
		status          int
		code, origin    string
	}{
		{"unknown key", "sk-nobody", small, nil, 401, "invalid_api_key", "gateway"},
		{"no key", "", small, nil, 401, "invalid_api_key", "gateway"},
		{"expired key", "sk-e2e-old-0123456789", small, nil, 401, "invalid_api_key", "gateway"},
		{"not granted", "sk-e2e-narrow-0123456789", small, nil, 403, "model_not_allowed", "policy"},
		{"no such model", teamKey, chatBody("no-such-model", "hi", ""), nil, 404, "model_not_found", "gateway"},
		{"not JSON", teamKey, `{"model":`, nil, 400, "invalid_json", "gateway"},
		{"wrong type", teamKey, `{"model":"up/small","messages":"hi"}`, nil, 400, "invalid_request", "gateway"},
		{"field twice", teamKey, `{"model":"up/small","model":"up/big","messages":[]}`, nil, 400, "invalid_request", "gateway"},
		{"field in another case", teamKey, `{"model":"up/small","MODEL":"up/big","messages":[]}`, nil, 400, "invalid_request", "gateway"},
		{"bad timeout", teamKey, small, []string{"x-sluice-timeout", "soon"}, 400, "invalid_request", "gateway"},
		{"budget spent", "sk-e2e-poor-0123456789", small, nil, 429, "insufficient_quota", "policy"},
		{"unpriced", "sk-e2e-thrifty-0123456789", chatBody("free/small", "hi", ""), nil, 403, "model_unpriced", "policy"},
		{"upstream 400", teamKey, chatBody("up/fail-400", "hi", ""), nil, 400, "", "provider"},
		{"upstream 422", teamKey, chatBody("up/fail-422", "hi", ""), nil, 422, "", "provider"},
		{"upstream 429", teamKey, chatBody("up/fail-429_after-7", "hi", ""), nil, 429, "rate_limit_exceeded", "provider"},
		{"upstream 500", teamKey, chatBody("up/fail-500", "hi", ""), nil, 500, "upstream_error", "provider"},
		{"upstream 503", teamKey, chatBody("ctx", "hi", ""), nil, 503, "upstream_error", "provider"},
		{"upstream 529", teamKey, chatBody("ant/fail-529", "hi", ""), nil, 503, "upstream_error", "provider"},
		{"upstream key refused", teamKey, chatBody("refused/small", "hi", ""), nil, 502, "upstream_auth", "provider"},
		{"no answer", teamKey, chatBody("dead/small", "hi", ""), nil, 502, "upstream_error", "provider"},
		{"cut answer", teamKey, chatBody("up/cut-20", "hi", ""), nil, 502, "upstream_error", "provider"},
		{"timeout", teamKey, chatBody("up/silent", "hi", ""), []string{"x-sluice-timeout", "200ms"}, 504, "upstream_timeout", "provider"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := g.send("POST", "http://"+g.listen+"/v1/chat/completions", c.body,
				append([]string{"Authorization", "Bearer " + c.key, "X-Request-Id", "err-" + strings.ReplaceAll(c.name, " ", "-")}, c.header...)...)
			if err != nil {
				t.Fatal(err)
			}
			e := a.get("error")
			if a.status != c.status || c.code != "" && e.Get("code").String() != c.code || e.Get("origin").String() != c.origin {
				t.Errorf("status %d, want %d %s from %s: %s", a.status, c.status, c.code, c.origin, a.body)
			}
			id := "err-" + strings.ReplaceAll(c.name, " ", "-")
			if a.header.Get("x-request-id") != id || e.Get("request_id").String() != id {
				t.Errorf("the request id is %q and %q, want %q", a.header.Get("x-request-id"), e.Get("request_id"), id)
			}
			if e.Get("message").String() == "" || strings.Contains(a.body, "sk-fail-401") {
				t.Errorf("no message, or a secret in it: %s", a.body)
			}
		})
	}
	t.Run("heads", g.errorHeads)
	t.Run("paths", g.errorPaths)
	t.Run("limits", g.errorLimits)
}

func (g *gateway) errorHeads(t *testing.T) {
	if a := g.chat(chatBody("up/fail-429_after-7", "hi", "")); a.header.Get("retry-after") != "7" {
		t.Errorf("the provider's Retry-After is lost: %v", a.header)
	}
	if a := g.chat(chatBody("up/small", "hi", ""), "Authorization", "Bearer sk-e2e-poor-0123456789"); a.header.Get("x-should-retry") != "false" {
		t.Errorf("a spent budget invites a retry: %v", a.header)
	}
	if a := g.chat(chatBody("up/small", strings.Repeat("x", 33<<20), "")); a.status != 413 || a.get("error.code").String() != "request_too_large" {
		t.Errorf("a body of 33 MiB: %d %.300s", a.status, a.body)
	}
	a := g.chat(chatBody("up/small", "hi", ""))
	if a.status != 200 || a.header.Get("x-sluice-model") != "up/small" || a.header.Get("x-sluice-attempts") != "1" ||
		a.header.Get("x-sluice-cost") == "" || a.header.Get("x-request-id") == "" {
		t.Errorf("heads of a good answer: %d %v", a.status, a.header)
	}
}

func (g *gateway) errorPaths(t *testing.T) {
	if a := g.data("POST", "/v1/no/such/path", "{}"); a.status != 404 || !a.get("error.message").Exists() {
		t.Errorf("an unknown path: %d %s", a.status, a.body)
	}
	if a := g.data("GET", "/v1/models/no-such", ""); a.status != 404 || a.get("error.code").String() != "model_not_found" {
		t.Errorf("an unknown model: %d %s", a.status, a.body)
	}
	if a := g.data("GET", "/v1/models", ""); a.status != 200 || !a.get(`data.#(id=="granted")`).Exists() {
		t.Errorf("models: %d %.500s", a.status, a.body)
	}
	if a := g.data("GET", "/v1/models/granted", ""); a.get("id").String() != "granted" {
		t.Errorf("a model: %d %s", a.status, a.body)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if a, err := g.send("GET", "http://"+g.listen+path, ""); err != nil || a.status != 200 {
			t.Errorf("%s: %d %v", path, a.status, err)
		}
	}
	if a, err := g.send("GET", "http://"+g.admin+"/admin/v1/usage", ""); err != nil || a.status != 401 {
		t.Errorf("the admin plane without a token: %d %v", a.status, err)
	}
}

func (g *gateway) errorLimits(t *testing.T) {
	slow := []string{"Authorization", "Bearer sk-e2e-slow-0123456789"}
	for range 2 {
		a := g.chat(chatBody("up/small", "hi", ""), slow...)
		if a.status != 200 || a.header.Get("x-ratelimit-limit-requests") != "2" {
			t.Fatalf("within the limit: %d %v", a.status, a.header)
		}
	}
	a := g.chat(chatBody("up/small", "hi", ""), slow...)
	if a.status != 429 || a.get("error.code").String() != "rate_limit_exceeded" || a.get("error.origin").String() != "policy" || a.header.Get("retry-after") == "" {
		t.Errorf("over rpm: %d %v %s", a.status, a.header, a.body)
	}
	a = g.chat(chatBody("up/small", strings.Repeat("word ", 300), ""), "Authorization", "Bearer sk-e2e-small-0123456789")
	if a.status != 429 || a.get("error.code").String() != "rate_limit_exceeded" {
		t.Errorf("over tpm: %d %s", a.status, a.body)
	}
	one := "sk-e2e-one-0123456789"
	s, err := g.stream(chatBody("up/hang-1", "hi", `,"stream":true`), "Authorization", "Bearer "+one)
	if err != nil {
		t.Fatal(err)
	}
	if a := g.chat(chatBody("up/small", "hi", ""), "Authorization", "Bearer "+one); a.status != 429 {
		t.Errorf("a second call in parallel: %d %s", a.status, a.body)
	}
	s.close()
	if !eventually(5*time.Second, func() bool {
		return g.chat(chatBody("up/small", "hi", ""), "Authorization", "Bearer "+one).status == 200
	}) {
		t.Error("the place of a call whose client left is not free again")
	}
}
