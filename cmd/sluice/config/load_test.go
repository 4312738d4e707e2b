package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

func TestDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Server.Listen != "127.0.0.1:8080" || c.Server.Admin != "127.0.0.1:8081" || c.Server.BodyLimit != 32<<20 || c.Server.Drain != 30*time.Second {
		t.Errorf("server: %+v", c.Server)
	}
	if c.Store != "sqlite:./data/sluice.db" || c.SQLitePath() != "./data/sluice.db" {
		t.Errorf("store %q, path %q", c.Store, c.SQLitePath())
	}
	if b := c.Billing; b.Fsync != "interval" || b.DiskFull != "serve" || b.Unpriced != "block" || *b.OnDisconnect != (OnDisconnect{Policy: "abort"}) || *b.WhenSpent != (WhenSpent{Policy: "refuse"}) || b.HoldTokens != 4096 || b.TimeZone != time.UTC {
		t.Errorf("billing: %+v", b)
	}
	if !reflect.DeepEqual(c.Log, Log{Level: "info", Format: "text", Bodies: "none", Redact: []string{"email", "card", "secret"}}) || !c.Telemetry.Metrics || c.Lead.Lead != "file" {
		t.Errorf("log %+v, telemetry %+v, lead %+v", c.Log, c.Telemetry, c.Lead)
	}
	if f := c.Fetch; len(f.Allow) != 0 || !f.DenyPrivate || f.Max != 20<<20 || f.Timeout != 10*time.Second {
		t.Errorf("fetch: %+v", f)
	}
	mock := c.Providers["mock"]
	if mock.Kind != "mock" || !reflect.DeepEqual(mock.Prices["*"], Price{Input: "1", Output: "2"}) || !c.Declared("mock") || c.Declared("openai") {
		t.Errorf("mock: %+v", mock)
	}
	if c.Prompts.Dir != "" || c.Prompts.Prefix != "/" || len(c.Sources()) != 0 {
		t.Errorf("prompts %+v, sources %v", c.Prompts, c.Sources())
	}
	if !strings.Contains(DefaultYAML(), "listen: 127.0.0.1:8080") {
		t.Error("the embedded file is not what is told of it")
	}
	if err := os.Mkdir("prompts", 0o700); err != nil {
		t.Fatal(err)
	}
	if c, err = Load("", nil); err != nil || c.Prompts.Dir != "prompts" {
		t.Errorf("prompts %+v, %v: want the directory that is there", c.Prompts, err)
	}
}

// everything is all that this version can do, in the contract's words.
const everything = `
server: {listen: ":0", admin: "[::1]:0", body_limit: 1GiB, drain: 1m, trusted_proxies: [10.1.2.3/8, 127.0.0.1]}
config: {lead: file}
fetch: {allow: [files.example.com, "*.internal", 10.1.0.0/16, "::1"], deny_private: false, max: 1MiB, timeout: 3s}
admin:
  token: admin-secret-0
  tokens: [{value: admin-secret-1, role: viewer}, {value: admin-secret-2, role: team-owner, team: research}]
store: sqlite:/var/lib/sluice.db
log: {level: debug, format: json, bodies: none, redact: []}
telemetry: {metrics: false}
billing: {fsync: always, disk_full: refuse, unpriced: allow, on_disconnect: drain, when_spent: refuse, hold_tokens: 100, time_zone: Europe/Berlin}
providers:
  openai: {keys: [provider-secret-0]}
  claude: {kind: anthropic, keys: [provider-secret-1, {value: provider-secret-2, weight: 3, models: ["claude-*"], limits: {rpm: 50, tpm: 9000, parallel: 4}}]}
  groq:
  lab:
    kind: openai-compatible
    base_url: http://127.0.0.1:8000/v1/
    headers: {x-team: header-secret-0}
    timeout: {connect: 2s, first_byte: 30s, idle: 60s}
    prices: {"llama-3.3-70b": {input: 0.10, output: 0.40, cached_input: 0.02, above: {200000: {input: 1e-3}}}}
    max_response: 64kB
    limits: {rpm: 400, parallel: 8}
  aws: {kind: bedrock, region: us-east-1, keys: [{id: AKIA, secret: provider-secret-3, token: provider-secret-4, weight: 2}, provider-secret-5]}
  gcp: {kind: vertex, project: p, location: us-central1, credentials: '{"type": "authorized_user", "client_id": "a", "client_secret": "provider-secret-6", "refresh_token": "r"}'}
  az: {kind: azure, base_url: "https://x.openai.azure.com/", api_version: 2024-10-21, tenant: t, client_id: i, client_secret: provider-secret-7}
  gemini:
  mistral: {keys: [provider-secret-8]}
  play: {kind: mock, latency: 20ms, rate: 200.5, fail: {status: 429}}
defaults: {files: openai, moderations: mistral}
models:
  gpt-4.1: openai/gpt-4.1
  fast:
    balance: weighted
    sticky: {by: session}
    targets: [{model: lab/llama/3, weight: 3}, {model: gpt-4.1}]
    retry: {attempts: 1, on: [timeout]}
    fallback: [{model: gpt-4.1, on: [context_length]}]
    breaker: {failures: 7}
    unsupported: error
    resume: false
    limits: {input_tpm: 1000, rpd: 50}
guards:
  no-secrets: {on: [request], deny: {pattern: "AKIA[0-9A-Z]{16}"}}
  pii: {on: [request, response], mask: [email, {pattern: x+}], reversible: true, dry_run: true}
  ask: {webhook: https://example.com/guard, schema: "{}", on: response}
  moderate: {call: mock/moderate}
teams:
  charged: {prices: {"openai/*": {discount: 10%}, fast: {margin: 2.5%}, m: {input: 1, tiers: {flex: {input: 0.5}}}}}
  engineering:
  research:
    models: [fast, "claude/*"]
    budget: {usd: 500.10, per: 30d, warn_at: [0.8, 0.95], hard: false}
    limits: {rpm: 600, tpm: 200000, parallel: 50}
    weight: 3
    parent: engineering
    keys:
      - {name: ci, value: key-secret-0, budget: {usd: 20}, models: [fast], prompts: [a], expires: 2027-01-01, ips: [10.0.0.0/8]}
      - {name: 123, value: 456, expires: 2027-01-01T10:00:00+02:00}
prompts: {dir: ., prefix: /api/}
`

func TestEverything(t *testing.T) {
	path := write(t, everything)
	c, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	eq := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
		}
	}
	eq("trusted", c.Server.Trusted, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32")})
	eq("body limit", c.Server.BodyLimit, Size(1<<30))
	eq("tokens", c.Admin.Tokens, []AdminToken{{Value: "admin-secret-1", Role: "viewer"}, {Value: "admin-secret-2", Role: "team-owner", Team: "research"}})
	eq("time zone", c.Billing.TimeZone.String(), "Europe/Berlin")
	eq("store", c.SQLitePath(), "/var/lib/sluice.db")
	eq("fetch", c.Fetch, Fetch{Allow: []string{"files.example.com", "*.internal", "10.1.0.0/16", "::1"}, Max: 1 << 20, Timeout: 3 * time.Second})

	eq("defaults", c.Defaults.ByName(), map[string]string{"files": "openai", "moderations": "mistral"})
	eq("openai", c.Providers["openai"].Kind, "openai")
	eq("keys", c.Providers["claude"].Keys, []ProviderKey{{Value: "provider-secret-1", Weight: 1}, {Value: "provider-secret-2", Weight: 3, Models: []string{"claude-*"}, Limits: billing.Limits{RPM: 50, TPM: 9000, Parallel: 4}}})
	eq("groq", c.Providers["groq"], DefaultProvider())
	lab := DefaultProvider()
	lab.Kind, lab.BaseURL, lab.MaxResponse = "openai-compatible", "http://127.0.0.1:8000/v1", 64000
	lab.Limits = billing.Limits{RPM: 400, Parallel: 8}
	lab.Headers = map[string]Secret{"x-team": "header-secret-0"}
	lab.Timeout = Timeout{Connect: 2 * time.Second, FirstByte: 30 * time.Second, Idle: time.Minute, Total: lab.Timeout.Total}
	lab.Prices = map[string]Price{"llama-3.3-70b": {Input: "0.1", Output: "0.4", CachedInput: "0.02", Above: map[int64]Price{200000: {Input: "0.001"}}}}
	eq("lab", c.Providers["lab"], lab)
	eq("nano", c.Providers["lab"].Prices["llama-3.3-70b"].CachedInput.Nano(), billing.Dollar/50)
	eq("aws", c.Providers["aws"].Keys, []ProviderKey{{ID: "AKIA", Secret: "provider-secret-3", Token: "provider-secret-4", Weight: 2}, {Value: "provider-secret-5", Weight: 1}})
	gcp, az := c.Providers["gcp"], c.Providers["az"]
	eq("gcp", []any{gcp.Project, gcp.Location, strings.Contains(gcp.Credentials.Reveal(), "provider-secret-6")}, []any{"p", "us-central1", true})
	eq("az", []any{az.BaseURL, az.APIVersion, az.Tenant, az.ClientID, az.ClientSecret}, []any{"https://x.openai.azure.com", "2024-10-21", "t", "i", Secret("provider-secret-7")})
	eq("by name", []string{c.Providers["gemini"].Kind, c.Providers["mistral"].Kind}, []string{"gemini", "mistral"})
	eq("team prices", c.Teams["charged"].Prices, map[string]TeamPrice{"openai/*": {Discount: 100_000}, "fast": {Margin: 25_000},
		"m": {Price: Price{Input: "1", Tiers: map[string]Price{"flex": {Input: "0.5"}}}}})
	play := c.Providers["play"]
	eq("play", []any{play.Latency, play.Rate, play.Fail, play.Prices["*"].Output, play.Prices["verbatim"].Output}, []any{20 * time.Millisecond, 200.5, Fail{429, 1}, Dollars("2"), Dollars("0")})

	eq("guards", c.Guards, map[string]Guard{
		"no-secrets": {On: Stages{"request"}, Deny: Looks{{Pattern: "AKIA[0-9A-Z]{16}"}}},
		"pii":        {On: Stages{"request", "response"}, Mask: Looks{{Kind: "email"}, {Pattern: "x+"}}, Reversible: true, DryRun: true},
		"ask":        {On: Stages{"response"}, Webhook: &GuardWebhook{URL: "https://example.com/guard", Timeout: time.Second, Fail: "closed"}, Schema: "{}"},
		"moderate":   {Call: &GuardCall{Model: "mock/moderate", Timeout: 10 * time.Second, Fail: "closed"}},
	})
	short := defaultModel()
	short.Targets = []Target{{"openai/gpt-4.1", 1}}
	eq("short", c.Models["gpt-4.1"], short)
	breaker := DefaultBreaker()
	breaker.Failures = 7
	retry := DefaultRetry()
	retry.Attempts, retry.On = 1, []schema.Class{schema.ClassTimeout}
	eq("fast", c.Models["fast"], Model{Balance: "weighted", Sticky: &StickyBy{By: "session"}, Targets: []Target{{"lab/llama/3", 3}, {"gpt-4.1", 1}}, Retry: retry,
		Fallback: []Fallback{{"gpt-4.1", []schema.Class{schema.ClassContextLength}}}, Breaker: &breaker, Unsupported: "error", Limits: billing.Limits{InputTPM: 1000, RPD: 50}})

	eq("engineering", c.Teams["engineering"], Team{Weight: 1})
	eq("research", c.Teams["research"], Team{
		Models: []string{"fast", "claude/*"}, Parent: "engineering", Weight: 3, Limits: billing.Limits{RPM: 600, TPM: 200000, Parallel: 50},
		Budget: billing.Budgets{{USD: 500*billing.Dollar + billing.Dollar/10, Per: "30d", WarnAt: []float64{0.8, 0.95}}},
		Keys: []Key{
			{Name: "ci", Value: "key-secret-0", Budget: billing.Budgets{{USD: 20 * billing.Dollar, Per: "month", Hard: true}}, Models: []string{"fast"},
				Prompts: []string{"a"}, Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), IPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
			{Name: "123", Value: "456", Expires: c.Teams["research"].Keys[1].Expires},
		}})
	eq("expires", c.Teams["research"].Keys[1].Expires.UTC(), time.Date(2027, 1, 1, 8, 0, 0, 0, time.UTC))
	eq("prompts", c.Prompts, Prompts{Dir: filepath.Dir(path), Prefix: "/api/"})
	eq("sources", c.Sources(), []string{path})
}

// TestSecretsNeverPrinted prints in every way that a log line or a page might.
func TestSecretsNeverPrinted(t *testing.T) {
	c := load(t, everything)
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", c.Admin.Token, "config", c)
	s := c.Admin.Token
	printed := []string{c.String(), string(asJSON), log.String(), fmt.Sprintf("%v %+v %#v %s", *c, *c, *c, c),
		fmt.Sprintf("%v %s %q %x %d %#v %t", s, s, s, s, s, s, s), fmt.Sprint(c.Providers), fmt.Sprintf("%#v", c.Teams)}
	for i, text := range printed {
		if strings.Contains(text, "-secret-") || strings.Contains(text, fmt.Sprintf("%x", "admin-secret")) {
			t.Errorf("way %d shows a secret: %s", i, text)
		}
		if !strings.Contains(text, redacted) {
			t.Errorf("way %d does not say that it hides one", i)
		}
	}
	if s.Reveal() != "admin-secret-0" || Secret("").String() != "" {
		t.Error("a secret must be told on demand, and nothing be nothing")
	}
}

func TestReferences(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte("from-file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sluice.yaml")
	src := `
admin: {token: "${file:key}"}
server: {listen: "${HOST:-127.0.0.1}:${PORT}", drain: "${EMPTY:-7s}"}
log: {level: "${file:none:-warn}"}
providers:
  openai:
    keys: ["${A}", "a${A}b${EMPTY}c", "$${A}", "$A", "$", "a$${b", "${file:` + filepath.Join(dir, "key") + `}"]
`
	if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, []string{"PORT=1", "PORT=90", "A=x: [y", "EMPTY=", "HOSTS=no"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Admin.Token != "from-file" || c.Server.Listen != "127.0.0.1:90" || c.Server.Drain != 7*time.Second || c.Log.Level != "warn" {
		t.Errorf("token %q, server %+v, log %+v", c.Admin.Token.Reveal(), c.Server, c.Log)
	}
	var keys []string
	for _, k := range c.Providers["openai"].Keys {
		keys = append(keys, k.Value.Reveal())
	}
	if want := []string{"x: [y", "ax: [ybc", "${A}", "$A", "$", "a${b", "from-file"}; !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	if want := []string{path, filepath.Join(dir, "key"), filepath.Join(dir, "none")}; !slices.Equal(sorted(c.Sources()), sorted(want)) {
		t.Errorf("sources %q, want %q", c.Sources(), want)
	}
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// TestYAML is what differs between the versions of YAML, or between YAML and
// what a typed reader makes of it.
func TestYAML(t *testing.T) {
	c := load(t, `
models:
  gpt-4.1: &one mock/echo
  on: mock/on
  "yes": mock/yes
  012: mock/012
  1.10: mock/1.10
  1_000: *one
  null-like: mock/~
teams:
  base: &base
    models: [on, off, no, 1.10, 012, 0x10, ~x, 2027-01-01]
    limits: &limits {rpm: 10}
  more: &more
    <<: *base
    limits: {<<: *limits, tpm: 20}
  most:
    parent: base
    <<: [*more, *base]
    models: [a]
server:
  listen:
  trusted_proxies: []
`)
	for name, want := range map[string]string{"gpt-4.1": "mock/echo", "on": "mock/on", "yes": "mock/yes", "012": "mock/012", "1.10": "mock/1.10", "1_000": "mock/echo"} {
		if m := c.Models[name]; len(m.Targets) != 1 || m.Targets[0].Model != want {
			t.Errorf("model %s: %+v", name, m)
		}
	}
	if got, want := c.Teams["base"].Models, []string{"on", "off", "no", "1.10", "012", "0x10", "~x", "2027-01-01"}; !slices.Equal(got, want) {
		t.Errorf("words: %q", got)
	}
	if got := c.Teams["more"]; got.Limits != (billing.Limits{RPM: 10, TPM: 20}) || len(got.Models) != 8 {
		t.Errorf("merged: %+v", got)
	}
	if got := c.Teams["most"]; got.Limits != (billing.Limits{RPM: 10, TPM: 20}) || !slices.Equal(got.Models, []string{"a"}) || got.Parent != "base" {
		t.Errorf("merged twice: %+v", got)
	}
	if c.Server.Listen != "127.0.0.1:8080" {
		t.Errorf("a key without a value replaced the default: %q", c.Server.Listen)
	}
	for _, empty := range []string{"", "\n# nothing\n", "---\n", "~\n", "\ufeffstore: sqlite:x\n", "server:\r\n  drain: 1s\r\n"} {
		load(t, empty)
	}
}

func TestEnabledProviders(t *testing.T) {
	path := write(t, "models: {a: openai/gpt-4o, b: groq/llama}\n")
	if _, err := Load(path, nil, "openai", "groq"); err != nil {
		t.Error(err)
	}
	if _, err := Load(path, nil, "openai"); err == nil || !strings.Contains(err.Error(), `there is no provider "groq"`) {
		t.Errorf("got %v", err)
	}
}

// TestFreshEveryTime: what a file no longer says is gone at the next load.
func TestFreshEveryTime(t *testing.T) {
	path := write(t, "models: {a: mock/echo, b: mock/echo}\nserver: {drain: 1s}\n")
	if _, err := Load(path, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("models: {b: mock/echo}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, nil)
	if err != nil || len(c.Models) != 1 || c.Server.Drain != 30*time.Second {
		t.Errorf("models %v, drain %v, %v", c.Models, c.Server.Drain, err)
	}
}
