package config

import (
	"testing"
	"time"
)

func TestHealth(t *testing.T) {
	c := load(t, `
providers:
  none: {kind: openai}
  plain: {kind: anthropic, health: {}}
  own: {kind: openai-compatible, base_url: "http://h/v1", health: {path: /ready, every: 5s, timeout: 1s, fails: 2, passes: 4}}
`)
	if c.Providers["none"].Health != nil {
		t.Error("a provider is checked that says nothing of it")
	}
	if h := c.Providers["plain"].Health; h == nil || *h != (Health{Every: 30 * time.Second, Timeout: 2 * time.Second, Fails: 3, Passes: 1}) {
		t.Errorf("the defaults are %+v", h)
	}
	if h := c.Providers["own"].Health; h == nil || *h != (Health{Path: "/ready", Every: 5 * time.Second, Timeout: time.Second, Fails: 2, Passes: 4}) {
		t.Errorf("own: %+v", h)
	}
}

func TestHealthPath(t *testing.T) {
	for _, c := range []struct{ kind, version, path, want string }{
		{"openai", "", "", "/models"},
		{"openai-compatible", "", "", "/models"},
		{"mistral", "", "", "/models"},
		{"anthropic", "", "", "/v1/models"},
		{"gemini", "", "", "/v1beta/models"},
		{"cohere", "", "", "/v1/models"},
		{"ollama", "", "", "/api/tags"},
		{"azure", "", "", "/openai/v1/models"},
		{"azure", "preview", "", "/openai/v1/models?api-version=preview"},
		{"azure", "2024-10-21", "", "/openai/models?api-version=2024-10-21"},
		{"azure", "models/2024-05-01-preview", "", ""},
		{"bedrock", "", "", ""},
		{"vertex", "", "/ping", "/ping"},
		{"openai", "", "/health?deep=1", "/health?deep=1"},
	} {
		p := Provider{Kind: c.kind, APIVersion: c.version, Health: &Health{Path: c.path}}
		if got := p.HealthPath(c.kind); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.kind, c.version, got, c.want)
		}
	}
	if got := (Provider{}).HealthPath("openai"); got != "" {
		t.Errorf("without health: %q", got)
	}
}
