package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const owned = `models: {here: mock/echo}
routes:
  - {name: taken, match: {path: /taken, methods: [GET, POST]}, backend: {static: {body: route}}}
  - {name: area, match: {path: "/area/**"}, backend: {static: {body: area}}}
`

func promptAt(path, model string) string {
	return "---\nmodel: " + model + "\nsluice.path: " + path + "\n---\nhi\n"
}

// A prompt takes no route's path, nor one of the gateway's own or of another
// prompt, and is not published for a model that is not served: neither over the
// API nor from a file, and check says so.
func TestPromptFitsTheConfiguration(t *testing.T) {
	g := newGateway(t, providers+team+"prompts: {dir: DIR/prompts}\n"+owned)
	dir := filepath.Join(g.dir, "prompts")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".prompt"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first", promptAt("/first", "here"))
	g.start()
	for path, word := range map[string]string{"/taken": `route "taken"`, "/v1/x": "belongs to the gateway", "/portal": "belongs to the gateway", "/healthz": "belongs to the gateway", "/first": `prompt "first"`} {
		for _, force := range []bool{false, true} {
			a := g.api("POST", "prompts/second/publish", publication(promptAt(path, "here"), force))
			if message := a.get("errors.0.message").String(); a.status != 422 || !strings.Contains(message, "sluice.path") || !strings.Contains(message, word) {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
	}
	for _, source := range []string{promptAt("/second", "ghost"), "x"} {
		if a := g.api("POST", "prompts/second/publish", publication(source, false)); a.status != 422 || !strings.Contains(a.get("errors.0.message").String(), "model: ") {
			t.Errorf("%q: %d %s", source, a.status, a.body)
		}
	}
	for _, source := range []string{promptAt("/area/second", "here"), promptAt("/area/second", "up/small"), promptAt("/area/second", "later/x")} {
		if a := g.api("POST", "prompts/second/publish", publication(source, false)); a.status != 201 {
			t.Errorf("%q: %d %s", source, a.status, a.body)
		}
	}
	if a := g.data("GET", "/taken", ""); a.body != "route" {
		t.Errorf("the route: %d %s", a.status, a.body)
	}
	if out, errs, code := g.sluice("check", "-c", g.file()); code != 0 {
		t.Errorf("check: %d %s%s", code, out, errs)
	}
	write("clash", promptAt("/taken", "here"))
	write("lost", promptAt("/lost", "ghost"))
	out, errs, code := g.sluice("check", "-c", g.file())
	for _, want := range []string{`clash.prompt:3: sluice.path: the path /taken is already that of route "taken"`, `lost.prompt:2: model: "ghost" is not served`} {
		if code != 2 || !strings.Contains(out, want) {
			t.Errorf("check: %d %s%s", code, out, errs)
		}
	}
	if !g.logs(`sluice.path: the path /taken`) || !g.logs(`model: \"ghost\" is not served`) {
		t.Error("nothing is said in the log")
	}
	if a := g.data("GET", "/taken", ""); a.body != "route" {
		t.Errorf("the route, with a file for its path: %d %s", a.status, a.body)
	}
}
