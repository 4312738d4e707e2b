package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tidwall/gjson"
)

// consoleConfig has something of everything that the console shows.
const consoleConfig = `providers:
  play: {kind: mock, prices: {"*": {input: 1, output: 2}}}
  shaky: {kind: mock, fail: {status: 503, share: 0.5}, prices: {"*": {input: 1, output: 2}}}
  dead: {kind: openai-compatible, base_url: "http://127.0.0.1:1/v1", keys: [sk-dead-one]}
models:
  fast: {targets: [{model: shaky/lorem-40}, {model: play/lorem-40}], cache: {ttl: 10m}, guard: [pii]}
  broken: dead/llama
guards: {pii: {on: [request], mask: [email], dry_run: true}}
alerts:
  every: 1s
  receivers: {ops: {webhook: "http://127.0.0.1:1/"}}
  rules:
    failing: {threshold: {figure: failures, above: 0, over: 1h}, each: model, severity: critical, summary: Look at the provider.}
    slo: {burn_rate: {objective: 0.99}, mute_until: 2099-01-01}
routes:
  - {name: shop, match: {path: "/shop/**", methods: [GET]}, backend: {http: {targets: ["UP", "http://127.0.0.1:1"]}}, auth: {require: [key]}, limits: {rate: 600/1m, per: key}, cache: {ttl: 1m}}
  - {name: hello, match: {path: /hello}, backend: {static: {status: 200, body: hello}}, versioning: {by: header, default: "1", versions: {"1": {deprecated: 2026-06-01, sunset: 2999-01-01, brownout: {windows: [{from: 2998-01-01, to: 2998-01-02}]}}}}}
teams:
  t: {keys: [{name: k, value: "` + teamKey + `"}]}
`

// The console in a real browser: every page with thirty days of traffic, and
// what operators do there.
func TestConsoleInABrowser(t *testing.T) {
	chromium := browser(t)
	g := newGateway(t, consoleConfig)
	history(t, g)
	g.start()
	for _, text := range []string{"mail bob@example.com", "same", "same"} {
		g.chat(chatBody("fast", text, ""))
	}
	g.chat(chatBody("broken", "hello", ""))
	g.data("GET", "/shop/chairs", "")
	g.data("GET", "/hello", "")
	for _, word := range []string{"one", "two"} {
		body := `{"force":true,"source":"---\nmodel: mock/echo\n---\nSay ` + word + `\n"}`
		if a := g.api("POST", "prompts/mood/publish", body); a.status != 201 {
			t.Fatalf("publish: %d %s", a.status, a.body)
		}
	}
	if a := g.api("POST", "prompts/members/publish", `{"source":"---\nmodel: mock/echo\nsluice.access: subscribed\n---\nHello\n"}`); a.status != 201 {
		t.Fatalf("publish: %d %s", a.status, a.body)
	}
	for _, name := range []string{"rotating", "newcomers", "waiting", "settled"} {
		if a := g.api("POST", "teams", `{"name":"`+name+`"}`); a.status != 201 {
			t.Fatalf("team: %d %s", a.status, a.body)
		}
	}
	for _, team := range []string{"settled", "waiting"} {
		a := g.api("POST", "subscriptions", `{"prompt":"members","team":"`+team+`","plan":"free","note":"we would like to greet our customers"}`)
		if a.status != 201 {
			t.Fatalf("subscription: %d %s", a.status, a.body)
		}
		if team == "settled" {
			g.api("POST", "subscriptions/"+gjson.Get(a.body, "id").String()+"/approve", `{"note":"welcome"}`)
		}
	}
	g.inBrowser(chromium, "journeys.test.mjs", "pages.test.mjs")
}

// The first steps, on a gateway that nobody has called.
func TestFirstStepsInABrowser(t *testing.T) {
	chromium := browser(t)
	g := start(t, "")
	g.inBrowser(chromium, "first.test.mjs")
}

const viewerToken = "viewer-token-of-the-tests"

// The configuration that the store leads.
func TestConfigurationInABrowser(t *testing.T) {
	chromium := browser(t)
	g := newGateway(t, "")
	g.configure(`server: {listen: "LISTEN", admin: "ADMIN", drain: 10s}
admin: {token: "` + adminToken + `", tokens: [{value: "` + viewerToken + `", role: viewer}]}
store: "sqlite:DIR/sluice.db"
` + led + `models:
  answering: mock/echo
teams:
  t:
    budget: {usd: 20, per: month}
    keys: [{name: k, value: "` + teamKey + `"}]
`)
	g.start()
	t.Setenv("SLUICE_BROWSER_VIEWER", viewerToken)
	g.inBrowser(chromium, "config.test.mjs")
}

// inBrowser runs files of tests in a browser.
func (g *gateway) inBrowser(chromium string, files ...string) {
	g.t.Helper()
	cmd := exec.Command("node", append([]string{"--test", "--test-timeout=1200000"}, files...)...)
	cmd.Dir = "browser"
	cmd.Env = append(os.Environ(), "SLUICE_BROWSER_ADMIN=http://"+g.admin, "SLUICE_BROWSER_DATA=http://"+g.listen, "SLUICE_BROWSER_TOKEN="+adminToken,
		"SLUICE_BROWSER_KEY="+teamKey, "SLUICE_CHROMIUM="+chromium)
	if out, err := cmd.CombinedOutput(); err != nil {
		g.t.Errorf("%v\n%s", err, tail(string(out), 8000))
	}
}

// browser is where the browser of a test is that needs one, readied to be driven.
func browser(t *testing.T) (chromium string) {
	t.Helper()
	if os.Getenv("SLUICE_E2E_BROWSER") == "" {
		t.Skip("SLUICE_E2E_BROWSER is not set")
	}
	chromium = chromiumPath(t)
	npmIn(t, "browser", "playwright-core", "axe-core")
	return chromium
}

// chromiumPath finds the browser; where it is not, the test fails: it was asked
// for.
func chromiumPath(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("SLUICE_CHROMIUM"); path != "" {
		return path
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("no chromium: install Debian's, or name one by SLUICE_CHROMIUM: %v", err)
	}
	return path
}

// history fills the gateway's ledger with two months of traffic.
func history(t *testing.T, g *gateway) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "run", "sluice/bench/cmd/ledger", "-n", "20000", "-days", "62", "-ask=false", "-dir", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot make a history: %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "data", "sluice.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no database: %v", err)
	}
	data := filepath.Join(g.dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(data, filepath.Base(file)), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
