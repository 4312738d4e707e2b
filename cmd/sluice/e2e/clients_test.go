package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	closedPrompt = "---\nmodel: small\ninput: {schema: {text: string}}\noutput: {format: json, schema: {label: string}}\nsluice.access: subscribed\n---\n{{text}}\n"
	treePrompt   = `---
model: small
input:
  schema:
    type: object
    properties: {node: {$ref: "#/$defs/node"}, language: {type: string}}
    required: [node, language]
    $defs: {node: {type: object, properties: {next: {$ref: "#/$defs/node"}, name: {type: string}}, required: [name]}}
  default: {language: English}
output:
  format: json
  schema: {"found(array)": {name: string, "score?": number}, "kind(enum, which it is)": [x, y], "more?(object)": {a: integer}, "any?": any}
---
{{node.name}} {{language}}
`
)

// Clients that are made of /openapi.json, and the official one of MCP, compile
// and run: against the prompts of examples/prompts, one that refers to itself,
// and one that the key may not call.
func TestPromptClients(t *testing.T) {
	t.Parallel() // it waits most of its time
	if os.Getenv("SLUICE_E2E_SDK") == "" {
		t.Skip("SLUICE_E2E_SDK is not set")
	}
	npm(t)
	g := newGateway(t, "prompts: {dir: DIR/prompts}\nmodels: {small: mock/echo, vision: mock/echo}\nteams:\n  t:\n    keys:\n      - {name: k, value: \""+
		teamKey+"\"}\n      - {name: narrow, value: \""+narrowKey+"\", prompts: [closed]}\n")
	if err := os.CopyFS(filepath.Join(g.dir, "prompts"), os.DirFS("../../../examples/prompts/prompts")); err != nil {
		t.Fatal(err)
	}
	g.prompt("closed", closedPrompt)
	g.prompt("tree", treePrompt)
	g.start()
	spec := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(spec, []byte(g.data("GET", "/openapi.json", "").body), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("openapi-typescript", func(t *testing.T) {
		dir := t.TempDir()
		for _, name := range []string{"node_modules", "prompts.ts"} {
			link(t, filepath.Join("sdk", name), filepath.Join(dir, name))
		}
		if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type":"module"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		g.inDir(t, dir, "npx", "--no-install", "openapi-typescript", spec, "-o", "openapi.d.ts", "--default-non-nullable=false")
		g.inDir(t, dir, "npx", "--no-install", "tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable",
			"--preserveSymlinks", "--outDir", "out", "prompts.ts")
		g.well(t, dir, "node", "out/prompts.js")
	})
	t.Run("oapi-codegen", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "oapi")
		if err := os.CopyFS(dir, os.DirFS("sdk/oapi")); err != nil {
			t.Fatal(err)
		}
		g.inDir(t, dir, "go", "tool", "oapi-codegen", "-generate", "types,client", "-package", "main", "-o", "generated.go", spec)
		g.well(t, dir, "go", "run", ".")
	})
	t.Run("MCP", func(t *testing.T) { g.well(t, "sdk", "node", "mcp.mjs") })
}

func link(t *testing.T, from, to string) {
	t.Helper()
	from, err := filepath.Abs(from)
	if err == nil {
		err = os.Symlink(from, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// inDir runs a command that must succeed, with the gateway's address and keys
// in its environment, and gives what it printed.
func (g *gateway) inDir(t *testing.T, dir string, command ...string) string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SLUICE_SDK_ORIGIN=http://"+g.listen, "SLUICE_SDK_KEY="+teamKey, "SLUICE_SDK_NARROW_KEY="+narrowKey)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, tail(string(out), 4000))
	}
	return string(out)
}

// well runs a client, which says at its end that all is well.
func (g *gateway) well(t *testing.T, dir string, command ...string) {
	t.Helper()
	if out := g.inDir(t, dir, command...); !strings.HasSuffix(strings.TrimSpace(out), "all is well") {
		t.Errorf("%s said %s", strings.Join(command, " "), out)
	}
}
