package examples

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/tidwall/gjson"
)

// provider answers as a scenario says and keeps what it was asked.
type provider struct {
	mu      sync.Mutex
	answers []string
	asked   []string
}

// ServeHTTP gives the next answer; to one who asks for a category (steps may
// come in any order) the first that has one.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a cut body shows in the test
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, string(body))
	if len(p.answers) == 0 {
		http.Error(w, "{}", http.StatusTeapot)
		return
	}
	next := 0
	for i, a := range p.answers {
		if strings.Contains(string(body), "You sort what customers write.") && strings.Contains(a, "category") {
			next = i
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, p.answers[next]) // who has left is not waited for
	p.answers = append(p.answers[:next:next], p.answers[next+1:]...)
}

// Each prompt of examples/prompts, by what a provider answers in its own
// format: what it is asked, and what the caller gets.
func TestPromptScenarios(t *testing.T) {
	files, err := filepath.Glob("prompts/scenarios/*.txtar")
	if err != nil || len(files) != len(outputs) {
		t.Errorf("%d scenarios of %d prompts: %v", len(files), len(outputs), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			replay(t, ar)
		})
	}
}

func replay(t *testing.T, ar *txtar.Archive) {
	p, part := &provider{}, map[string]string{}
	for _, f := range ar.Files {
		text := strings.TrimSpace(string(f.Data))
		part[f.Name] = text
		if f.Name == "answer" {
			p.answers = append(p.answers, text)
		}
	}
	s := httptest.NewServer(p)
	defer s.Close()
	kind, _, _ := strings.Cut(part["model"], "/")
	url := s.URL
	if kind == "openai" {
		url += "/v1"
	}
	g := prepare(t, "prompts")
	write(t, filepath.Join(g.dir, "sluice.yaml"), fmt.Sprintf(`providers: {%s: {base_url: %q, keys: [k]}}
models: {small: %q, vision: %[3]q}
teams: {apps: {keys: [{name: web, value: sk-example-prompts}]}}
prompts: {dir: ./prompts}
`, kind, url, part["model"]))
	g.serve()
	name := filepath.Base(t.Name())
	path := pathOf(t, name)
	a := g.do("POST", g.listen+path, part["input"], "Authorization", "Bearer sk-example-prompts")
	if a.status != 200 || strings.TrimSpace(a.body) != compact(part["output"]) || a.header.Get("x-sluice-prompt") != name+"@1" {
		t.Errorf("%d %v\n got %s\nwant %s", a.status, a.header, a.body, part["output"])
	}
	if left := len(p.answers); left > 0 {
		t.Errorf("%d answers were not asked for", left)
	}
	asked := strings.Join(p.asked, "\n")
	for want := range strings.Lines(part["asked"]) {
		if want = strings.TrimSpace(want); !strings.Contains(asked, want) {
			t.Errorf("the provider was not asked %s:\n%s", want, asked)
		}
	}
	if model := a.header.Get("x-sluice-model"); model != part["model"] {
		t.Errorf("answered by %s", model)
	}
}

// pathOf is where a prompt's file says that it is served.
func pathOf(t *testing.T, name string) string {
	b, err := os.ReadFile("prompts/prompts/" + name + ".prompt")
	if err != nil {
		t.Fatal(err)
	}
	if _, rest, ok := strings.Cut(string(b), "\nsluice.path: "); ok {
		path, _, _ := strings.Cut(rest, "\n")
		return path
	}
	return "/prompts/" + name
}

// compact is JSON without spaces; other text is itself.
func compact(text string) string {
	if !gjson.Valid(text) {
		return text
	}
	return gjson.Get(text, "@ugly").Raw
}
