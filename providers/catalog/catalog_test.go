package catalog

import (
	"encoding/json"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestSizeOfTheCatalogue(t *testing.T) {
	c := Load()
	if n := len(c.Providers()); n < 60 {
		t.Errorf("%d providers, want 60 or more", n)
	}
	if n := len(c.Models()); n < 2000 {
		t.Errorf("%d models, want 2000 or more", n)
	}
	if Load() != c {
		t.Error("Load built the catalogue twice")
	}
}

// Every price below stands on the provider's own price page; litellm's price
// map of 2026-08-06 has the same, but where a comment says otherwise.
func TestPricesOfWellKnownModels(t *testing.T) {
	type p = Prices
	for _, tc := range []struct {
		provider, model string
		want            p
	}{
		// platform.claude.com/docs/en/about-claude/pricing: base, 5m write, 1h write, hit, output
		{"anthropic", "claude-opus-4-5", p{Input: "5", Output: "25", CachedInput: "0.5", CacheWrite: "6.25", CacheWrite1h: "10"}},
		{"anthropic", "claude-opus-4-1-20250805", p{Input: "15", Output: "75", CachedInput: "1.5", CacheWrite: "18.75", CacheWrite1h: "30"}},
		{"anthropic", "claude-haiku-4-5", p{Input: "1", Output: "5", CachedInput: "0.1", CacheWrite: "1.25", CacheWrite1h: "2"}},
		{"anthropic", "claude-haiku-4-5-20251001", p{Input: "1", Output: "5", CachedInput: "0.1", CacheWrite: "1.25", CacheWrite1h: "2"}},
		{"anthropic", "claude-sonnet-4-6", p{Input: "3", Output: "15", CachedInput: "0.3", CacheWrite: "3.75", CacheWrite1h: "6"}},
		{"anthropic", "claude-sonnet-5", p{Input: "2", Output: "10", CachedInput: "0.2", CacheWrite: "2.5", CacheWrite1h: "4"}},
		{"anthropic", "claude-opus-5", p{Input: "5", Output: "25", CachedInput: "0.5", CacheWrite: "6.25", CacheWrite1h: "10"}},
		// the same page, read 2026-11-24: a hit of the 5.1 models is 0.025 times, of the 5.5 models 0.05 times the input
		{"anthropic", "claude-fable-5-1", p{Input: "10", Output: "50", CachedInput: "0.25", CacheWrite: "12.5", CacheWrite1h: "20"}},
		{"anthropic", "claude-opus-5-5", p{Input: "4", Output: "20", CachedInput: "0.2", CacheWrite: "5", CacheWrite1h: "8"}},
		// developers.openai.com/api/docs/pricing
		{"openai", "gpt-4o", p{Input: "2.5", Output: "10", CachedInput: "1.25"}},
		{"openai", "gpt-4o-2024-08-06", p{Input: "2.5", Output: "10", CachedInput: "1.25"}},
		{"openai", "gpt-4o-2024-05-13", p{Input: "5", Output: "15"}},
		{"openai", "gpt-4o-mini", p{Input: "0.15", Output: "0.6", CachedInput: "0.075"}},
		{"openai", "gpt-4o-mini-2024-07-18", p{Input: "0.15", Output: "0.6", CachedInput: "0.075"}},
		{"openai", "gpt-4.1", p{Input: "2", Output: "8", CachedInput: "0.5"}},
		{"openai", "gpt-4.1-mini", p{Input: "0.4", Output: "1.6", CachedInput: "0.1"}},
		{"openai", "gpt-4.1-nano", p{Input: "0.1", Output: "0.4", CachedInput: "0.025"}},
		{"openai", "gpt-5", p{Input: "1.25", Output: "10", CachedInput: "0.125"}},
		{"openai", "gpt-5-mini", p{Input: "0.25", Output: "2", CachedInput: "0.025"}},
		{"openai", "gpt-5-nano", p{Input: "0.05", Output: "0.4", CachedInput: "0.005"}},
		{"openai", "o3", p{Input: "2", Output: "8", CachedInput: "0.5"}},
		{"openai", "o4-mini", p{Input: "1.1", Output: "4.4", CachedInput: "0.275"}},
		{"openai", "text-embedding-3-small", p{Input: "0.02"}},
		{"openai", "text-embedding-3-large", p{Input: "0.13"}},
		{"openai", "omni-moderation-latest", p{Input: "0", Output: "0"}},
		// ai.google.dev/gemini-api/docs/pricing
		{"gemini", "gemini-2.5-flash", p{Input: "0.3", Output: "2.5", CachedInput: "0.03", AudioInput: "1"}},
		// api-docs.deepseek.com/quick_start/pricing
		{"deepseek", "deepseek-v4-flash", p{Input: "0.14", Output: "0.28", CachedInput: "0.0028"}},
		// mistral.ai/pricing
		{"mistral", "mistral-embed", p{Input: "0.1"}},
		// contract: what the mock costs
		{"mock", "echo", p{Input: "1", Output: "2"}},
		{"mock", "verbatim", p{Input: "0", Output: "0"}},
		{"mock", "lorem-37", p{Input: "1", Output: "2"}},
		{"mock", "embed", p{Input: "1", Output: "2"}},
	} {
		m, ok := Load().Model(tc.provider, tc.model)
		if !ok {
			t.Errorf("%s/%s is not known", tc.provider, tc.model)
			continue
		}
		got := m.Prices
		got.Above, got.Service = nil, nil
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(tc.want)
		if string(a) != string(b) {
			t.Errorf("%s/%s costs %s, want %s", tc.provider, tc.model, a, b)
		}
		if m.ID != tc.model || m.Provider != tc.provider || m.Source == "" || m.Date == "" {
			t.Errorf("%s/%s: id %q, provider %q, source %q, date %q", tc.provider, tc.model, m.ID, m.Provider, m.Source, m.Date)
		}
	}
}

func TestPricesOfLongContexts(t *testing.T) {
	for _, tc := range []struct {
		provider, model string
		above           int64
		want            Prices
	}{
		// platform.claude.com pricing, "Long context pricing"
		{"anthropic", "claude-sonnet-4-5", 200_000, Prices{Input: "6", Output: "22.5", CachedInput: "0.6", CacheWrite: "7.5", CacheWrite1h: "12"}},
		{"anthropic", "claude-sonnet-4-5-20250929", 200_000, Prices{Input: "6", Output: "22.5", CachedInput: "0.6", CacheWrite: "7.5", CacheWrite1h: "12"}},
		{"anthropic", "claude-haiku-5-5", 100_000, Prices{Input: "0.5", Output: "2.5", CachedInput: "0.05", CacheWrite: "0.625", CacheWrite1h: "1"}},
		// ai.google.dev/gemini-api/docs/pricing
		{"gemini", "gemini-2.5-pro", 200_000, Prices{Input: "2.5", Output: "15", CachedInput: "0.25"}},
		// developers.openai.com/api/docs/pricing: above 272K input twice, output one and a half times
		{"openai", "gpt-5.4", 272_000, Prices{Input: "5", Output: "22.5", CachedInput: "0.5"}},
		{"openai", "gpt-6-astra", 272_000, Prices{Input: "20", Output: "75", CachedInput: "2", CacheWrite: "25"}},
	} {
		m, _ := Load().Model(tc.provider, tc.model)
		a, _ := json.Marshal(m.Prices.Above[tc.above])
		b, _ := json.Marshal(tc.want)
		if string(a) != string(b) {
			t.Errorf("%s/%s above %d costs %s, want %s", tc.provider, tc.model, tc.above, a, b)
		}
	}
}

func TestPricesOfServices(t *testing.T) {
	for _, tc := range []struct {
		provider, model, service string
		want                     Prices
	}{
		// developers.openai.com/api/docs/pricing: batch, flex, priority
		{"openai", "gpt-5", "flex", Prices{Input: "0.625", Output: "5", CachedInput: "0.0625"}},
		{"openai", "gpt-5", "priority", Prices{Input: "2.5", Output: "20", CachedInput: "0.25"}},
		// openai.com/api-fast-mode, read 2026-11-29: priority, which is called fast mode there
		{"openai", "gpt-5.5", "priority", Prices{Input: "12.5", Output: "75", CachedInput: "1.25"}},
		{"openai", "gpt-5.2", "priority", Prices{Input: "3.5", Output: "28", CachedInput: "0.35"}},
		{"openai", "gpt-5.6-sol", "priority", Prices{Input: "8", Output: "40", CachedInput: "0.8", CacheWrite: "10",
			Above: map[int64]Prices{272_000: {Input: "16", Output: "60", CachedInput: "1.6", CacheWrite: "20"}}}},
		{"openai", "gpt-4o", "batch", Prices{Input: "1.25", Output: "5"}},
		// platform.claude.com: a batch costs half of everything, the cache included
		{"anthropic", "claude-opus-4-5", "batch", Prices{Input: "2.5", Output: "12.5", CachedInput: "0.25", CacheWrite: "3.125", CacheWrite1h: "5"}},
		{"anthropic", "claude-opus-5-5", "batch", Prices{Input: "2", Output: "10", CachedInput: "0.1", CacheWrite: "2.5", CacheWrite1h: "4"}},
		{"anthropic", "claude-opus-4-5", "priority", Prices{}},
		// Fast mode: twice the usual, the cache's multiples on top
		// (platform.claude.com/docs/en/build-with-claude/fast-mode, read 2026-11-29)
		{"anthropic", "claude-opus-5", "fast", Prices{Input: "10", Output: "50", CachedInput: "1", CacheWrite: "12.5", CacheWrite1h: "20"}},
	} {
		m, _ := Load().Model(tc.provider, tc.model)
		a, _ := json.Marshal(m.Prices.Service[tc.service])
		b, _ := json.Marshal(tc.want)
		if string(a) != string(b) {
			t.Errorf("%s/%s, %s, costs %s, want %s", tc.provider, tc.model, tc.service, a, b)
		}
	}
	long, _ := Load().Model("anthropic", "claude-haiku-5-5")
	if p := long.Prices.Service["batch"].Above[100_000]; p.Input != "0.25" || p.Output != "1.25" {
		t.Errorf("a long batch costs %+v", p)
	}
	// aws.amazon.com/bedrock/pricing: regional profiles cost a tenth more than the model and its global profile
	for id, want := range map[string]string{"anthropic.claude-sonnet-4-6": "3", "global.anthropic.claude-sonnet-4-6": "3", "eu.anthropic.claude-sonnet-4-6": "3.3"} {
		if m, ok := Load().Model("bedrock", id); !ok || m.Prices.Input != want {
			t.Errorf("%s costs %q, want %s", id, m.Prices.Input, want)
		}
	}
}

var price = regexp.MustCompile(`^(0|[1-9]\d*)(\.\d{1,9})?$`)

// Every entry can be used as it stands: prices are exact decimals, URLs parse,
// modes and kinds are known words.
func TestEveryEntryIsSound(t *testing.T) {
	kinds := []string{"openai", "openai-compatible", "azure", "anthropic", "gemini", "vertex", "bedrock", "mistral", "cohere", "ollama", "voyage", "jina", "mock"}
	auths := []string{"bearer", "x-api-key", "x-goog-api-key", "api-key", "sigv4", "google", "none"}
	modes := []string{"chat", "responses", "completion", "embedding", "rerank", "image", "speech", "transcription", "moderation", "realtime"}
	for _, p := range Load().Providers() {
		if !slices.Contains(kinds, p.Kind) || !slices.Contains(auths, p.Auth) {
			t.Errorf("%s: kind %q, auth %q", p.Name, p.Kind, p.Auth)
		}
		if u, err := url.Parse(p.BaseURL); err != nil || p.BaseURL != "" && u.Host == "" || strings.HasSuffix(p.BaseURL, "/") || strings.Contains(p.BaseURL, "$") {
			t.Errorf("%s: base URL %q", p.Name, p.BaseURL)
		}
		if p.Kind == "openai-compatible" && p.BaseURL == "" && p.Form == "" {
			t.Errorf("%s has neither a base URL nor its form", p.Name)
		}
		if p.Auth == "bearer" && len(p.KeyEnv) == 0 {
			t.Errorf("%s has no variable for its key", p.Name)
		}
		for i, m := range p.Models {
			if i > 0 && p.Models[i-1].ID >= m.ID {
				t.Errorf("%s/%s is there twice or out of order", p.Name, m.ID)
			}
			if m.ID == "" || m.Provider != p.Name || !slices.Contains(modes, m.Mode) || m.Source == "" || len(m.Date) != len("2006-01-02") {
				t.Errorf("%s/%s: %+v", p.Name, m.ID, m)
			}
			checkPrices(t, p.Name+"/"+m.ID, m.Prices)
			if m.Mode == "chat" && (m.Prices.Input == "") != (m.Prices.Output == "") {
				t.Errorf("%s/%s has half a price: %+v", p.Name, m.ID, m.Prices)
			}
		}
	}
}

func checkPrices(t *testing.T, name string, p Prices) {
	t.Helper()
	for field, v := range p.fields() {
		if *v != "" && !price.MatchString(*v) {
			t.Errorf("%s: %s is %q", name, field, *v)
		}
	}
	if p.CachedInput != "" && p.Input != "" {
		c, _ := new(big.Rat).SetString(p.CachedInput)
		i, _ := new(big.Rat).SetString(p.Input)
		if c.Cmp(i) > 0 {
			t.Errorf("%s: a cached token (%s) costs more than a fresh one (%s)", name, p.CachedInput, p.Input)
		}
	}
	for service, prices := range p.Service {
		if !slices.Contains([]string{"batch", "flex", "priority", "fast"}, service) || prices.Service != nil || !prices.Known() {
			t.Errorf("%s: service %s: %+v", name, service, prices)
		}
		checkPrices(t, name+" "+service, prices)
	}
	for n, tier := range p.Above {
		if n < 1000 || tier.Above != nil || tier.Service != nil {
			t.Errorf("%s: tier above %d", name, n)
		}
		checkPrices(t, name, tier)
	}
}

func TestProvidersThatNeedNoAccount(t *testing.T) {
	for name, url := range map[string]string{"mock": "", "ollama": "http://127.0.0.1:11434"} {
		p, ok := Load().Provider(name)
		if !ok || p.Auth != "none" || p.BaseURL != url || len(p.KeyEnv) != 0 {
			t.Errorf("%s: %v, auth %q, base URL %q, keys %v", name, ok, p.Auth, p.BaseURL, p.KeyEnv)
		}
	}
}

func TestNamesOfOneModel(t *testing.T) {
	for _, tc := range []struct{ provider, id, listed string }{
		{"openai", "gpt-4o", "gpt-4o"},
		{"openai", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"},
		{"vertex", "claude-haiku-4-5@20251001", "claude-haiku-4-5@20251001"},
		{"vertex", "claude-haiku-4-5@default", "claude-haiku-4-5"},
		{"vertex", "claude-haiku-4-5@", ""},
		{"bedrock", "amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"},
		{"bedrock", "jp.amazon.nova-micro-v1:0", "amazon.nova-micro-v1:0"},
		{"bedrock", "arn:aws:bedrock:us-east-1:1:foundation-model/amazon.nova-micro-v1:0", "amazon.nova-micro-v1:0"},
		{"bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/jp.amazon.nova-micro-v1:0", "amazon.nova-micro-v1:0"},
		{"bedrock", "xx.amazon.nova-micro-v1:0", ""},
		{"openai", "us.gpt-4o", ""},
		{"mock", "lorem-37", "lorem-N"},
		{"nobody", "gpt-4o", ""},
	} {
		if got := Load().Listed(tc.provider, tc.id); got != tc.listed {
			t.Errorf("%s/%s is listed as %q, want %q", tc.provider, tc.id, got, tc.listed)
		}
	}
}

func TestUnknownNames(t *testing.T) {
	c := Load()
	for _, pair := range [][2]string{{"nobody", "gpt-4o"}, {"openai", "gpt-99"}, {"openai", "gpt-99-2024-08-06"}, {"openai", "lorem-5"}, {"openai", ""}} {
		if m, ok := c.Model(pair[0], pair[1]); ok {
			t.Errorf("%v is known: %+v", pair, m)
		}
	}
	if _, ok := c.Provider("copilot"); ok {
		t.Error("copilot needs more than a key, but is listed")
	}
}

func TestDecimal(t *testing.T) {
	for f, want := range map[float64]string{0.39999999999999997: "0.4", 2.5: "2.5", 10: "10", 0: "0", 0.003625: "0.003625", 100: "100"} {
		if got := decimal(f); got != want {
			t.Errorf("decimal(%v) = %q, want %q", f, got, want)
		}
	}
	if got := times("0.15", "1.25"); got != "0.1875" {
		t.Errorf("0.15 × 1.25 = %s", got)
	}
}

func TestShapeOfTheContract(t *testing.T) {
	m, _ := Load().Model("openai", "gpt-4o")
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id", "provider", "mode", "context_window", "max_output", "prices", "capabilities", "source", "date"} {
		if _, ok := fields[name]; !ok {
			t.Errorf("field %s is missing in %s", name, raw)
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		build()
	}
}
