package examples

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// outputs says, for every prompt, where its answer holds what; the empty path
// is the whole text.
var outputs = map[string]map[string]string{
	"classify":       {"sentiment": "positive", "confidence": "1"},
	"extract":        {"name": "name", "education.#": "1", "experience.0.company": "company"},
	"summarise":      {"": "The meeting moved to Monday because the hall is being painted."},
	"translate":      {"translation": "Good morning", "confidence": "1"},
	"translation":    {"": "Good morning"},
	"rate":           {"quality": "1"},
	"rewrite":        {"": "u wont get ur money back"},
	"moderate":       {"sentiment": "happy", "aggressiveness": "1", "language": "english"},
	"describe-image": {"title": "title", "data_points.#": "1", "data_points.0.value": "1"},
	"sql":            {"query": "query"},
	"reply":          {"": "Where is my parcel?"},
	"tags":           {"tags.#": "1"},
	"answer":         {"answer": "answer", "citations.#": "1"},
	"ask":            {"": "How many employees are there?\nquery\n[{\"EmployeeCount\":8}]"},
}

// pixel is a picture of one point.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

func TestPrompts(t *testing.T) {
	g := start(t, "prompts")
	if said, code := g.sluice("check", "-c", config); code != 0 {
		t.Errorf("check: %d %s", code, said)
	}
	photo, err := base64.StdEncoding.DecodeString(pixel)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(g.dir, "photo.png"), string(photo))
	files, err := filepath.Glob("prompts/prompts/[^_]*.prompt")
	if err != nil || len(files) != len(outputs) {
		t.Errorf("%d files, %d are tested: %v", len(files), len(outputs), err)
	}
	page, err := os.ReadFile("prompts/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".prompt")
		t.Run(name, func(t *testing.T) { g.prompt(t, name, file) })
		if !strings.Contains(string(page), "["+name+"](") {
			t.Errorf("prompts/README.md does not list %s", name)
		}
	}
	t.Run("page", g.promptPage)
	// The tests in the files pass, and there is one in each.
	said, code := g.sluice("prompt", "test", "prompts", "--url", "http://"+g.listen, "--key", "sk-example-prompts", "--model", "mock/echo")
	if code != 0 || !strings.Contains(said, fmt.Sprintf("%d passed, 0 failed", len(files)+1)) {
		t.Errorf("prompt test: %d %s", code, said)
	}
}

// prompt runs the command at the top of a prompt file.
func (g *gateway) prompt(t *testing.T, name, file string) {
	commands := shown(t, file)
	if len(commands) != 1 {
		t.Fatalf("%s shows %d commands, want 1", file, len(commands))
	}
	a := g.shell(commands[0])
	if a.status != 200 || a.header.Get("x-sluice-prompt") != name+"@1" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	for path, want := range outputs[name] {
		got := strings.TrimSpace(a.body)
		if path != "" {
			got = a.get(path).String()
		}
		if got != want {
			t.Errorf("%q is %q, want %q: %s", path, got, want, a.body)
		}
	}
}

// promptPage tries what README.md says of all prompts.
func (g *gateway) promptPage(t *testing.T) {
	const key = "Bearer sk-example-prompts"
	ask := func(path, body string, headers ...string) *answer {
		return g.do("POST", g.listen+path, body, append(headers, "Authorization", key)...)
	}
	a := ask("/rewrite", `{"text": 4, "tone": "loud"}`)
	if a.status != 422 || a.get("errors.#").Int() != 2 || a.get(`errors.#(pointer=="/tone").message`).String() == "" {
		t.Errorf("two faults: %d %s", a.status, a.body)
	}
	a = ask("/classify@1", `{"text": "x"}`, "Prefer", "return=envelope")
	if a.status != 200 || a.get("output.sentiment").String() != "positive" || a.get("version").Int() != 1 || a.get("cost").String() == "" {
		t.Errorf("envelope: %d %s", a.status, a.body)
	}
	a = ask("/summarise", `{"text": "word by word"}`, "Accept", "text/event-stream")
	if a.status != 200 || !strings.Contains(a.body, `{"delta":"word "}`) || !strings.Contains(a.body, "event: done\n") {
		t.Errorf("stream: %d %s", a.status, a.body)
	}
	a = ask("/support/reply", "customer.name=Ada&customer.message=Hi&facts=one", "Content-Type", "application/x-www-form-urlencoded")
	if a.status != 200 || strings.TrimSpace(a.body) != "Hi" {
		t.Errorf("form: %d %s", a.status, a.body)
	}
	if a = ask("/describe-image", `{"image": "data:image/png;base64,`+pixel+`"}`); a.status != 200 {
		t.Errorf("data URL: %d %s", a.status, a.body)
	}
	if a = ask("/classify@9", `{"text": "x"}`); a.status != 404 {
		t.Errorf("no such version: %d %s", a.status, a.body)
	}
}
