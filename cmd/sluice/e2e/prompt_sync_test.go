package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Files and what is served come together by pull and push, and neither
// overwrites what the other side has changed.
func TestPromptPullAndPush(t *testing.T) {
	g := start(t, team)
	dir := filepath.Join(g.dir, "mine")
	file := filepath.Join(dir, "label.prompt")
	edit := func(from, to string) {
		t.Helper()
		b, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(b), from) {
			t.Fatalf("%v: %s", err, b)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(b), from, to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(code int, want string, args ...string) {
		t.Helper()
		out, errs, got := g.sluice(append([]string{"prompt"}, args...)...)
		if got != code || !strings.Contains(out+errs, want) {
			t.Errorf("%v: exit code %d\n%s%s\nwant %d and %q", args, got, out, errs, code, want)
		}
	}
	with := `{"source":` + quote(strings.Replace(labelled, "{{text}}\n", "{{> tone}} {{text}}\n", 1)) + `,"partials":{"tone":"Be kind."}}`
	if a := g.api("POST", "prompts/label/publish", with); a.status != 201 {
		t.Fatalf("publish: %d %s", a.status, a.body)
	}
	run(0, "label.prompt: written, as version 1", "pull", dir)
	if b, err := os.ReadFile(filepath.Join(dir, "_tone.prompt")); err != nil || string(b) != "Be kind." {
		t.Errorf("partial: %v %s", err, b)
	}
	run(0, "is up to date", "pull", dir)
	run(0, "is up to date", "push", dir)
	edit("{{text}}", "now: {{text}}")
	run(0, "+{{> tone}} now: {{text}}", "diff", dir)
	run(1, "was edited and is left as it is", "pull", dir, "label")
	run(0, "published as label@2", "push", file, "--message", "now")
	if a := g.api("POST", "prompts/label/publish", publication(strings.Replace(labelled, "{{text}}\n", "else {{text}}\n", 1), false)); a.get("version").Int() != 3 {
		t.Fatalf("someone else publishes: %d %s", a.status, a.body)
	}
	run(1, "label@3 is served: pull it", "push", dir)
	run(0, "written, as version 3", "pull", dir)
	edit("else", "then")
	edit("{label: label}", "{label: other}") // its test fails
	run(1, "force publishes it all the same", "push", dir)
	run(0, "published as label@4", "push", dir, "--force")
	run(2, "there is no prompt", "pull", dir, "nobody")
	run(2, "no such file", "diff", filepath.Join(dir, "no.prompt"))
	if err := os.WriteFile(file, []byte("---\nmodel: 7\n---\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(2, "label.prompt:2: ", "push", dir)
}
