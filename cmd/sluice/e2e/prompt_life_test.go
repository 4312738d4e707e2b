package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const labelled = `---
model: mock/echo
input: {schema: {text: string}}
output: {format: json, schema: {label: string}}
sluice.path: /label
sluice.tests:
  - {name: form, input: {text: hi}, expect: {schema: true, json: {label: label}, judge: "is it a label?"}}
---
{{text}}
`

// publication is the body of a publication.
func publication(source string, force bool) string {
	body := `{"source":` + quote(source)
	if force {
		body += `,"force":true`
	}
	return body + "}"
}

// A prompt's life over the admin API: tested, published, refused, forced,
// compared, rendered; and its tests are in the ledger.
func TestPromptLife(t *testing.T) {
	g := start(t, team)
	if a := g.api("POST", "prompts/label/publish", publication(labelled, false)); a.status != 201 || a.get("version").Int() != 1 {
		t.Fatalf("publish: %d %s", a.status, a.body)
	}
	if a := g.data("POST", "/label", `[{"text":"a"},{"text":"b"}]`); a.status != 200 || a.body != `[{"label":"label"},{"label":"label"}]` {
		t.Errorf("array: %d %s", a.status, a.body)
	}
	if a := g.chat(`{"model":"prompt/label","messages":[{"role":"user","content":"x"}]}`); a.get("choices.0.message.content").String() != `{"label":"label"}` {
		t.Errorf("as a model: %d %s", a.status, a.body)
	}
	failing := strings.Replace(labelled, "{label: label}", "{label: other}", 1)
	if a := g.api("POST", "prompts/label/publish", publication(failing, false)); a.status != 422 || !strings.Contains(a.get("errors.0.message").String(), `test "form"`) {
		t.Errorf("a failing test: %d %s", a.status, a.body)
	}
	breaking := strings.Replace(labelled, "{text: string}", "{text: string, more: string}", 1)
	breaking = strings.Replace(breaking, "{text: hi}", "{text: hi, more: x}", 1)
	if a := g.api("POST", "prompts/label/publish", publication(breaking, false)); a.status != 422 || !strings.Contains(a.get("errors.0.message").String(), "/more") {
		t.Errorf("a breaking change: %d %s", a.status, a.body)
	}
	if a := g.data("POST", "/label", `{"text":"a"}`); a.header.Get("x-sluice-prompt") != "label@1" {
		t.Errorf("after refusals %s is served", a.header.Get("x-sluice-prompt"))
	}
	if a := g.api("POST", "prompts/label/publish", publication(breaking, true)); a.status != 201 || a.get("version").Int() != 2 {
		t.Errorf("forced: %d %s", a.status, a.body)
	}
	if a := g.api("GET", "prompts/label/diff?from=1&to=2", ""); a.get("breaking.#").Int() != 1 || !strings.Contains(a.get("text").String(), "+input: {schema: {text: string, more: string}}") {
		t.Errorf("diff: %d %s", a.status, a.body)
	}
	if a := g.api("GET", `prompts/label/render?version=1&input=%7B%22text%22%3A%22hi%22%7D`, ""); !strings.Contains(a.body, "hi") || a.get("model").String() != "mock/echo" {
		t.Errorf("render: %d %s", a.status, a.body)
	}
	if a := g.api("POST", "prompts/label/test", `{}`); a.status != 200 || a.get("passed").Int() != 1 || a.get("results.0.cost").String() == "0" {
		t.Errorf("test: %d %s", a.status, a.body)
	}
	if a := g.api("GET", "usage?group_by=team,prompt", ""); a.get(`rows.#(team=="tests").calls`).Int() == 0 {
		t.Errorf("the tests are not in the ledger: %s", a.body)
	}
	g.promptShell(t)
}

// promptShell does the same from the shell, through the gateway.
func (g *gateway) promptShell(t *testing.T) {
	file := filepath.Join(g.dir, "label.prompt") // where the gateway does not look
	if err := os.WriteFile(file, []byte(strings.Replace(labelled, "mock/echo", "other", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	through := []string{"--url", "http://" + g.listen, "--key", g.key, "--model", "mock/echo"}
	out, errs, code := g.sluice(append([]string{"prompt", "test", file}, through...)...)
	if code != 0 || !strings.Contains(out, "1 passed, 0 failed") {
		t.Errorf("prompt test: %d %s %s", code, out, errs)
	}
	out, errs, code = g.sluice(append([]string{"prompt", "run", file, "--input", `{"text":"x"}`, "--json"}, through...)...)
	if code != 0 || !strings.Contains(out, `"label": "label"`) || strings.Contains(out, `"cost": "0"`) {
		t.Errorf("prompt run: %d %s %s", code, out, errs)
	}
	out, errs, code = g.sluice("prompt", "diff", "label", "1", "2", "--admin", "http://"+g.admin, "--token", adminToken)
	if code != 0 || !strings.Contains(out, "breaks callers: input /more") {
		t.Errorf("prompt diff: %d %s %s", code, out, errs)
	}
}
