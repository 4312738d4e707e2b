package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const checkedFile = `---
model: mock/echo
sluice.path: /WORD
sluice.tests:
  - {name: stripes, input: {}, expect: {contains: "EXPECTED"}}
---
a WORD
`

// writePrompt writes a prompt whose text has a word and whose test wants one.
func (g *gateway) writePrompt(name, word, expected string) {
	g.t.Helper()
	path := filepath.Join(g.dir, "prompts", name+".prompt")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		g.t.Fatal(err)
	}
	text := strings.NewReplacer("/WORD", "/"+name, "WORD", word, "EXPECTED", expected).Replace(checkedFile)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) says(name, want string) {
	g.t.Helper()
	if got := g.data("POST", "/"+name, "{}").body; got != want {
		g.t.Errorf("%s says %q, want %q", name, got, want)
	}
}

// A file whose tests fail is not served: what was served before goes on, and
// reload tells why, as it does of a file with faults.
func TestPromptFilesAreTested(t *testing.T) {
	g := newGateway(t, team+"prompts: {dir: DIR/prompts}\n")
	g.writePrompt("animal", "horse", "horse")
	g.start()
	g.says("animal", "a horse")
	g.writePrompt("animal", "mule", "zebra")
	if !g.logs("stripes") {
		t.Error("no word in the log of a test that failed")
	}
	g.says("animal", "a horse")
	for range 2 {
		a := g.api("POST", "reload", "")
		if message := a.get("errors.0.message").String(); a.status != 422 || a.get("errors.#").Int() != 1 || !strings.Contains(message, "animal.prompt:4: sluice.tests: ") || !strings.Contains(message, "stripes") {
			t.Errorf("reload: %d %s", a.status, a.body)
		}
	}
	g.says("animal", "a horse")
	g.writePrompt("second", "mule", "zebra")
	if a := g.api("POST", "reload", ""); a.status != 422 || a.get("errors.#").Int() != 2 {
		t.Errorf("reload with a new file: %d %s", a.status, a.body)
	}
	if a := g.data("POST", "/second", "{}"); a.status != 404 {
		t.Errorf("a new file whose test fails: %d %s", a.status, a.body)
	}
	if a := g.api("POST", "prompts/animal/publish", publication("---\nmodel: mock/echo\n---\nhi", true)); a.status != 409 {
		t.Errorf("publish what a file declares: %d %s", a.status, a.body)
	}
	g.kill()
	if err := os.Remove(filepath.Join(g.dir, "prompts", "second.prompt")); err != nil {
		t.Fatal(err)
	}
	g.start()
	g.says("animal", "a horse")
	if !g.logs("stripes") {
		t.Error("no word in the log after the start")
	}
	g.says("animal", "a horse")
	g.writePrompt("animal", "zebra", "zebra")
	if a := g.api("POST", "reload", ""); a.status != 200 {
		t.Errorf("reload: %d %s", a.status, a.body)
	}
	g.says("animal", "a zebra")
	g.writePrompt("animal", "mule", "mule") // by itself
	if !eventually(10*time.Second, func() bool { return g.data("POST", "/animal", "{}").body == "a mule" }) {
		t.Error("a file that passes is not served")
	}
	if err := os.WriteFile(filepath.Join(g.dir, "prompts", "animal.prompt"), []byte("---\nsluice.nonsense: x\n---\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if a := g.api("POST", "reload", ""); a.status != 422 || !strings.Contains(a.get("errors.0.message").String(), "animal.prompt:2: ") {
		t.Errorf("reload with a broken file: %d %s", a.status, a.body)
	}
	g.says("animal", "a mule")
}
