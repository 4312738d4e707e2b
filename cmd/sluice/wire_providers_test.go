package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/cmd/sluice/config"
	"sluice/gateway"
	"sluice/providers/auth"
	"sluice/providers/catalog"
)

// bare empties every variable that switches a provider on.
func bare(t *testing.T) {
	t.Helper()
	names := []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK", "AWS_REGION", "AWS_DEFAULT_REGION",
		"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"}
	for _, p := range catalog.Load().Providers() {
		names = append(names, p.KeyEnv...)
	}
	for _, name := range names {
		t.Setenv(name, "")
	}
}

func TestFound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "adc.json")
	if err := os.WriteFile(file, []byte(`{"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, env, without string }{
		{"openai", "OPENAI_API_KEY=k", "OPENAI_API_KEY"},
		{"gemini", "GOOGLE_API_KEY=k", "GOOGLE_API_KEY"},
		{"cohere", "CO_API_KEY=k", "CO_API_KEY"},
		{"mistral", "MISTRAL_API_KEY=k", "MISTRAL_API_KEY"},
		{"jina", "JINA_API_KEY=k", "JINA_API_KEY"},
		{"azure", "AZURE_OPENAI_API_KEY=k AZURE_OPENAI_ENDPOINT=https://x.openai.azure.com", "AZURE_OPENAI_ENDPOINT"},
		{"bedrock", "AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_REGION=us-east-1", "AWS_REGION"},
		{"bedrock", "AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_DEFAULT_REGION=us-east-1", "AWS_SECRET_ACCESS_KEY"},
		{"bedrock", "AWS_BEARER_TOKEN_BEDROCK=a AWS_REGION=us-east-1", "AWS_BEARER_TOKEN_BEDROCK"},
		{"vertex", "GOOGLE_APPLICATION_CREDENTIALS=" + file + " GOOGLE_CLOUD_PROJECT=p", "GOOGLE_CLOUD_PROJECT"},
		{"vertex", "GOOGLE_APPLICATION_CREDENTIALS=" + file + " GOOGLE_CLOUD_PROJECT=p", "GOOGLE_APPLICATION_CREDENTIALS"},
	} {
		bare(t)
		for _, pair := range strings.Fields(tc.env) {
			name, value, _ := strings.Cut(pair, "=")
			t.Setenv(name, value)
		}
		if got := found(catalog.Load()); !slices.Contains(got, tc.name) {
			t.Errorf("%s: %v are on", tc.env, got)
		}
		t.Setenv(tc.without, "")
		if got := found(catalog.Load()); slices.Contains(got, tc.name) {
			t.Errorf("%s without %s: %v are on", tc.env, tc.without, got)
		}
	}
}

func TestSecrets(t *testing.T) {
	bare(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s:e")
	t.Setenv("AWS_SESSION_TOKEN", "tok")
	entry, _ := catalog.Load().Provider("bedrock")
	for _, tc := range []struct {
		what  string
		p     config.Provider
		label string
		keys  auth.AWSKeys
	}{
		{"environment", config.Provider{Kind: "bedrock"}, "AWS_ACCESS_KEY_ID", auth.AWSKeys{ID: "AKIAENV", Secret: "s:e", Token: "tok"}},
		{"declared", config.Provider{Kind: "bedrock", Keys: []config.ProviderKey{{ID: "AKIA1234", Secret: "x", Weight: 1}}}, "…1234", auth.AWSKeys{ID: "AKIA1234", Secret: "x"}},
		{"API key", config.Provider{Kind: "bedrock", Keys: []config.ProviderKey{{Value: "ABSKabcdefgh", Weight: 1}}}, "…efgh", auth.AWSKeys{APIKey: "ABSKabcdefgh"}},
	} {
		list, err := secrets(tc.p, entry)
		if err != nil || len(list) != 1 || list[0].Label != tc.label {
			t.Errorf("%s: %v, %+v", tc.what, err, list)
			continue
		}
		if keys, err := auth.ParseAWSKeys(list[0].Value); err != nil || keys != tc.keys {
			t.Errorf("%s: keys %+v, %v", tc.what, keys, err)
		}
	}
	list, err := secrets(config.Provider{Kind: "vertex", Credentials: "{…}"}, catalog.Provider{})
	if err != nil || len(list) != 1 || list[0].Label != "credentials" || list[0].Value != "{…}" {
		t.Errorf("credentials: %v, %+v", err, list)
	}
}

func TestBaseOf(t *testing.T) {
	for want, p := range map[string]config.Provider{
		"https://bedrock-runtime.eu-west-1.amazonaws.com":     {Kind: "bedrock", Region: "eu-west-1"},
		"https://bedrock-runtime.cn-north-1.amazonaws.com.cn": {Kind: "bedrock", Region: "cn-north-1"},
		"https://us-east5-aiplatform.googleapis.com":          {Kind: "vertex", Location: "us-east5"},
		"https://aiplatform.googleapis.com":                   {Kind: "vertex", Location: "global"},
		"http://own":                                          {Kind: "vertex", Location: "global", BaseURL: "http://own"},
		"https://generativelanguage.googleapis.com":           {Kind: "gemini"},
		"https://api.mistral.ai/v1":                           {Kind: "mistral"},
		"https://api.cohere.com":                              {Kind: "cohere"},
		"http://127.0.0.1:11434":                              {Kind: "ollama"},
		"https://api.voyageai.com/v1":                         {Kind: "voyage"},
		"https://api.jina.ai/v1":                              {Kind: "jina"},
		"https://api.anthropic.com":                           {Kind: "anthropic"},
		"https://api.openai.com/v1":                           {Kind: "openai"},
	} {
		if got := baseOf(p.Kind, p, lookUp(catalog.Load(), "mine", p.Kind)); got != want {
			t.Errorf("%s: %s, want %s", p.Kind, got, want)
		}
	}
}

func TestUnusableProviders(t *testing.T) {
	b := &builder{}
	for name, want := range map[string]string{
		"nobody":     "kind is missing: the catalogue has no provider of this name",
		"cloudflare": "base_url is missing: it is like https://api.cloudflare.com/client/v4/accounts/ACCOUNT_ID/ai/v1",
	} {
		if _, err := b.client(nil, config.Fetch{}, name, config.Provider{}, lookUp(catalog.Load(), name, "")); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	if _, err := b.client(nil, config.Fetch{}, "lab", config.Provider{Kind: "openai-compatible"}, lookUp(catalog.Load(), "lab", "openai-compatible")); err == nil {
		t.Error("a provider without an address is taken")
	}
}

func TestDescribe(t *testing.T) {
	describing := func(name string, p config.Provider) *gateway.Provider {
		g := &gateway.Provider{Name: name}
		if err := describe(g, p, lookUp(catalog.Load(), name, p.Kind), nil); err != nil {
			t.Fatal(err)
		}
		return g
	}
	for _, tc := range []struct {
		provider, model string
		plain, priced   bool
	}{
		{"openai", "gpt-4o", true, true},
		{"openai", "gpt-4o-mini-2024-07-18", true, true},
		{"openai", "gpt-5", false, true},
		{"openai", "gpt-99", false, false},
		{"anthropic", "claude-opus-4-5", false, true},
		{"vertex", "claude-opus-4-1@20250805", false, true},
		{"bedrock", "jp.amazon.nova-micro-v1:0", true, true},
		{"groq", "llama-3.3-70b-versatile", false, true}, // another host's list is not taken at its word
		{"mock", "lorem-37", true, true},
		{"ollama", "llama3.2:1b", false, false},
	} {
		d := describing(tc.provider, config.Provider{}).Describe(tc.model)
		if d.NoReasoning != tc.plain || (d.Prices != nil) != tc.priced {
			t.Errorf("%s/%s: %+v", tc.provider, tc.model, d)
		}
	}
	own := describing("openai", config.Provider{Prices: map[string]config.Price{"gpt-*": {Input: "9", Output: "9"}, "gpt-4o": {Input: "8"}}})
	if star, exact := own.Describe("gpt-99").Prices.MaxCost(1e6, 0), own.Describe("gpt-4o").Prices.MaxCost(1e6, 1e6); star.String() != "9" || exact.String() != "8" {
		t.Errorf("the user's prices: %s and %s", star, exact)
	}
}

func TestOllamaModels(t *testing.T) {
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path != "/api/tags" || r.Header.Get("Authorization") != "Bearer k" || r.Header.Get("X-Own") != "1" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(`{"models":[{"name":"b:1"},{"model":"a:2"},{}]}`))
	}))
	defer srv.Close()
	p := config.Provider{Keys: []config.ProviderKey{{Value: "k"}}, Headers: map[string]config.Secret{"x-own": "1"}}
	l := pulled{}.refresh(srv.URL, p)
	if !slices.Equal(l.models, []string{"b:1", "a:2"}) {
		t.Fatalf("models %v", l.models)
	}
	if l = l.refresh(srv.URL, p); asked != 1 {
		t.Errorf("asked %d times within a moment", asked)
	}
	l.asked = time.Time{}
	if l = l.refresh(srv.URL, config.Provider{}); asked != 2 || len(l.models) != 2 {
		t.Errorf("a refusal: asked %d times, models %v", asked, l.models)
	}
	for _, body := range []string{"", "[]", `{"models":1}`} {
		bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		if _, err := ollamaModels(bad.URL, config.Provider{}); err == nil {
			t.Errorf("%q is a list of models", body)
		}
		bad.Close()
	}
	if got := merged([]string{"c", "a"}, []string{"b", "a"}); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("merged: %v", got)
	}
}
