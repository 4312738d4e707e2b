package config

import (
	"net/url"
	"strings"
	"time"
)

// Health says how a provider is asked whether it is well, beside the calls
// that it is sent.
type Health struct {
	Path    string        `json:"path"` // after base_url; empty: where the provider lists its models
	Every   time.Duration `json:"every"`
	Timeout time.Duration `json:"timeout"`
	Fails   int64         `json:"fails"`  // checks in a row, after which it is passed over,
	Passes  int64         `json:"passes"` // and after which it is back
}

func defaultHealth() Health {
	return Health{Every: 30 * time.Second, Timeout: 2 * time.Second, Fails: 3, Passes: 1}
}

// leastEvery bounds how often a provider is asked.
const leastEvery = 100 * time.Millisecond

// modelLists are where the kinds list their models, which costs no tokens:
// platform.openai.com/docs/api-reference/models, docs.anthropic.com/en/api/
// models-list, ai.google.dev/api/models, docs.mistral.ai/api/endpoint/models,
// docs.cohere.com/reference/list-models, docs.ollama.com/api/tags (read
// 2026-11-30). Bedrock and Vertex AI list theirs at other hosts.
var modelLists = map[string]string{
	"openai": "/models", "openai-compatible": "/models", "mistral": "/models",
	"anthropic": "/v1/models", "cohere": "/v1/models", "gemini": "/v1beta/models", "ollama": "/api/tags",
}

// HealthPath is where a provider of a kind is asked; empty: there is no place
// that is known. Azure's depends on the version (learn.microsoft.com/rest/api/
// azureopenai/models/list, read 2026-11-30).
func (p Provider) HealthPath(kind string) string {
	switch v := p.APIVersion; {
	case p.Health == nil:
		return ""
	case p.Health.Path != "":
		return p.Health.Path
	case kind != "azure":
		return modelLists[kind]
	case v == "" || v == "v1":
		return "/openai/v1/models"
	case v == "preview" || v == "latest":
		return "/openai/v1/models?api-version=" + v
	case strings.HasPrefix(v, "models/"):
		return ""
	default:
		return "/openai/models?api-version=" + url.QueryEscape(v)
	}
}

// health checks a provider's. Kinds that the catalogue knows by name are
// looked at where the provider is made.
func (k *checker) health(path []string, p Provider) {
	h := p.Health
	if h == nil {
		return
	}
	at := below(path, "path")
	switch u, err := url.ParseRequestURI(h.Path); {
	case p.Kind == "mock":
		k.fault(path, "there is nothing to check: the mock answers within the process")
	case h.Path == "" && p.Kind != "" && p.HealthPath(p.Kind) == "":
		k.fault(at, "is needed: for the kind %s no path is known that costs nothing", p.Kind)
	case h.Path != "" && (err != nil || !strings.HasPrefix(h.Path, "/") || u.Fragment != ""):
		k.fault(at, "want a path after base_url such as /models%s", k.said(at, h.Path))
	}
	k.checks(path, h)
}

// checks are the times and counts of any health checks.
func (k *checker) checks(path []string, h *Health) {
	if h.Every < leastEvery {
		k.fault(below(path, "every"), "want at least %s", leastEvery)
	}
	if h.Timeout <= 0 {
		k.fault(below(path, "timeout"), "want more than nothing")
	}
	if h.Fails < 1 {
		k.fault(below(path, "fails"), "want at least 1")
	}
	if h.Passes < 1 {
		k.fault(below(path, "passes"), "want at least 1")
	}
}
