package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"sluice/bench/upstream"
)

const narrowKey = "sk-e2e-narrow-0123456789"

// sdkConfig has an upstream of every shape that the fake has. It tells nothing
// of models and prices that a user would not have to tell.
const sdkConfig = `providers:
  up: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-up], prices: {"*": {input: 1, output: 2}}}
  oai: {kind: openai, base_url: "UP/v1", keys: [sk-oai], prices: {"*": {input: 1, output: 2}}}
  ant: {kind: anthropic, base_url: "UP", keys: [sk-ant], prices: {"*": {input: 1, output: 2}}}
  gem: {kind: gemini, base_url: "UP", keys: [sk-gem], prices: {"*": {input: 1, output: 2}}}
  bed: {kind: bedrock, base_url: "UP", region: us-east-1, keys: [{id: AKIAONE, secret: ` + upstream.AWSSecret + `}], prices: {"*": {input: 1, output: 2}}}
models:
  named: up/small
  resumed-up: {targets: [{model: up/echo_cut-3}, {model: mock/echo}], resume: true}
  resumed-oai: {targets: [{model: oai/echo_cut-3}, {model: mock/echo}], resume: true}
  resumed-ant: {targets: [{model: ant/echo_cut-3}, {model: mock/echo}], resume: true}
  resumed-gem: {targets: [{model: gem/echo_cut-3}, {model: mock/echo}], resume: true}
  resumed-bed: {targets: [{model: bed/echo_cut-3}, {model: mock/echo}], resume: true}
teams:
  t:
    keys:
      - {name: k, value: "` + teamKey + `"}
      - {name: narrow, value: "` + narrowKey + `", models: [named]}
`

// shapes are the upstreams of sdkConfig.
var shapes = []struct{ provider, name string }{{"up", "openai-compatible"}, {"oai", "openai"}, {"ant", "anthropic"}, {"gem", "gemini"}, {"bed", "bedrock"}}

// clients are the rounds in sdk/: the files of Node.js, and the module in Go.
var clients = []struct{ name, file string }{
	{"openai", "openai.test.mjs"},
	{"openai responses", "responses.test.mjs"},
	{"@anthropic-ai/sdk", "anthropic.test.mjs"},
	{"@google/genai", "genai.test.mjs"},
	{"ai + @ai-sdk/openai", "ai.test.mjs"},
	{"@langchain/openai", "langchain.test.mjs"},
	{"openai-go", ""},
}

// outcome is one test of a round.
type outcome struct {
	Name  string `json:"name"` // "feature: detail"
	OK    bool   `json:"ok"`
	Skip  string `json:"skip"` // why it was left out, "" if it was not
	Error string `json:"error"`
}

// The makers' own clients, unmodified but for the base URL, against upstreams
// of every shape.
func TestSDK(t *testing.T) {
	t.Parallel() // beside those that wait it builds and installs
	if os.Getenv("SLUICE_E2E_SDK") == "" {
		t.Skip("SLUICE_E2E_SDK is not set")
	}
	npm(t)
	goRound := buildGoRound(t)
	var mu sync.Mutex
	table := sdkTable{}
	t.Run("rounds", func(t *testing.T) {
		for _, shape := range shapes {
			t.Run(shape.name, func(t *testing.T) {
				t.Parallel()
				g := start(t, sdkConfig)
				env := append(os.Environ(), "SLUICE_SDK_ORIGIN=http://"+g.listen, "SLUICE_SDK_KEY="+teamKey, "SLUICE_SDK_NARROW_KEY="+narrowKey,
					"SLUICE_SDK_PROVIDER="+shape.provider, "SLUICE_SDK_FAKE="+g.fake.URL(), "SLUICE_SDK_PATHS="+g.paths())
				for _, c := range clients {
					t.Run(c.name, func(t *testing.T) {
						cmd := exec.Command("node", "--test", "--test-reporter=./reporter.mjs", c.file)
						if c.file == "" {
							cmd = exec.Command(goRound, "-test.v")
						}
						cmd.Dir, cmd.Env = "sdk", env
						for _, o := range round(t, cmd, c.file == "") {
							mu.Lock()
							table.add(c.name, shape.name, o)
							mu.Unlock()
							if !o.OK {
								t.Errorf("%s: %s", o.Name, o.Error)
							}
						}
					})
				}
			})
		}
	})
	t.Logf("\n%s", table)
}

// paths are those of /v1 that the gateway serves, of those that came late.
func (g *gateway) paths() string {
	var found []string
	for _, path := range []string{"responses", "completions", "moderations"} {
		if a := g.data("POST", "/v1/"+path, "{}"); a.status != 404 && a.status != 405 && a.status != 501 {
			found = append(found, path)
		}
	}
	return strings.Join(append(found, "chat"), ",")
}

// npm installs the clients of other makers.
func npm(t *testing.T) {
	t.Helper()
	npmIn(t, "sdk", "openai", "@anthropic-ai/sdk", "@google/genai", "ai", "@ai-sdk/openai", "@langchain/openai",
		"openapi-typescript", "openapi-fetch", "@modelcontextprotocol/sdk", "typescript")
}

// installing is held while packages are installed: tests run beside each other.
var installing sync.Mutex

// npmIn installs what package-lock.json of a directory says, if one of the
// packages is not there.
func npmIn(t *testing.T, dir string, names ...string) {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	for _, name := range names {
		if _, err := os.Stat(dir + "/node_modules/" + name); err == nil {
			continue
		}
		cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
		return
	}
}

// buildGoRound builds the tests of the module in sdk/go, which has its own
// requirements so that the gateway has not.
func buildGoRound(t *testing.T) string {
	t.Helper()
	path := t.TempDir() + "/round"
	cmd := exec.Command("go", "test", "-c", "-o", path, ".")
	cmd.Dir = "sdk/go"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build sdk/go: %v\n%s", err, out)
	}
	return path
}

// round runs a client's tests and reads what became of each.
func round(t *testing.T, cmd *exec.Cmd, inGo bool) (all []outcome) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if inGo && err != nil {
		t.Logf("%s", tail(out.String(), 8000))
	}
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o outcome
		if inGo {
			if o = goOutcome(lines.Text()); o.Name == "" {
				continue
			}
		} else if json.Unmarshal(lines.Bytes(), &o) != nil {
			continue
		}
		all = append(all, o)
	}
	failed := slices.ContainsFunc(all, func(o outcome) bool { return !o.OK })
	if err != nil && !failed || len(all) == 0 {
		t.Errorf("the round did not run: %v\n%s", err, tail(errs.String(), 3000))
	}
	return all
}

// goOutcome reads a line of a Go test's verbose output: the subtests of
// TestRound are named feature/detail.
func goOutcome(line string) outcome {
	for word, ok := range map[string]bool{"--- PASS: ": true, "--- FAIL: ": false, "--- SKIP: ": true} {
		_, rest, found := strings.Cut(line, word)
		if !found {
			continue
		}
		name, _, _ := strings.Cut(rest, " ")
		_, name, _ = strings.Cut(name, "/")
		if !strings.Contains(name, "/") {
			return outcome{} // the test as a whole, or a feature's
		}
		o := outcome{Name: strings.Replace(name, "/", ": ", 1), OK: ok, Error: "its words are below"}
		if strings.Contains(word, "SKIP") {
			o.Skip = "skipped"
		}
		return o
	}
	return outcome{}
}

// sdkTable counts [passed, all, skipped] by client, upstream and feature.
type sdkTable map[[3]string][3]int

func (s sdkTable) add(client, shape string, o outcome) {
	feature, _, ok := strings.Cut(o.Name, ": ")
	if !ok {
		feature = "load"
	}
	n := s[[3]string{client, shape, feature}]
	switch {
	case o.Skip != "":
		n[2]++
	case o.OK:
		n[0]++
		fallthrough
	default:
		n[1]++
	}
	s[[3]string{client, shape, feature}] = n
}

// String is the table: a line for each client and upstream, a column for each
// feature, passed/all in the cells.
func (s sdkTable) String() string {
	features := map[string]bool{}
	for k := range s {
		features[k[2]] = true
	}
	columns := slices.SortedFunc(maps.Keys(features), func(a, b string) int { return place(a) - place(b) })
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "client\tupstream\t"+strings.Join(columns, "\t"))
	for _, c := range clients {
		for _, shape := range shapes {
			cells := []string{c.name, shape.name}
			for _, f := range columns {
				switch n, ok := s[[3]string{c.name, shape.name, f}]; {
				case !ok:
					cells = append(cells, "")
				case n[1] == 0:
					cells = append(cells, "-")
				default:
					cells = append(cells, fmt.Sprintf("%d/%d", n[0], n[1]))
				}
			}
			fmt.Fprintln(w, strings.Join(cells, "\t"))
		}
	}
	_ = w.Flush() // a Builder takes everything
	return out.String()
}

func place(feature string) int {
	order := []string{"chat", "stream", "tools", "structured", "vision", "embeddings", "errors", "abort", "count", "models"}
	if i := slices.Index(order, feature); i >= 0 {
		return i
	}
	return len(order)
}
