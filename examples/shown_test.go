package examples

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shown are the curl commands in the comments of a file, each from a line that
// begins with curl to the line that neither ends with \ nor leaves a quote
// open.
func shown(t *testing.T, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	command := ""
	for line := range strings.Lines(string(b)) {
		text, comment := strings.CutPrefix(strings.TrimRight(line, "\n"), "#")
		text = strings.TrimSpace(text)
		if !comment || command == "" && !strings.HasPrefix(text, "curl ") {
			continue
		}
		command += text + "\n"
		if !strings.HasSuffix(text, `\`) && strings.Count(command, "'")%2 == 0 {
			commands = append(commands, command)
			command = ""
		}
	}
	return commands
}

// shell runs a shown command against the running gateway.
func (g *gateway) shell(command string) *answer {
	g.t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		g.t.Skip("there is no curl")
	}
	command = strings.NewReplacer("localhost:8080", g.listen, "localhost:8081", g.admin).Replace(command)
	command = strings.Replace(command, "curl ", "curl -sSi ", 1)
	out, err := g.command("sh", "-c", command).CombinedOutput()
	if err != nil {
		g.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(out))), nil)
	if err != nil {
		g.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return read(g.t, res)
}

// Every example is listed, and every file that a page links to is there.
func TestPages(t *testing.T) {
	pages, err := filepath.Glob("*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "README.md", "../README.md") {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, rest := range strings.Split(string(b), "](")[1:] {
			target, _, _ := strings.Cut(rest, ")")
			target, _, _ = strings.Cut(target, "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), target)); err != nil {
				t.Errorf("%s links to %s: %v", page, target, err)
			}
		}
	}
	index, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.Contains(string(index), "["+e.Name()+"]("+e.Name()) {
			t.Errorf("README.md does not list %s", e.Name())
		}
	}
}

// blocks are the fenced blocks of a page in one language.
func blocks(t *testing.T, page, language string) []string {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, rest := range strings.Split(string(b), "\n```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(rest, "\n```")
		found = append(found, block+"\n")
	}
	return found
}

// The configurations and prompts in the project's README are without faults.
func TestReadme(t *testing.T) {
	g := prepare(t, "minimal", "OPENAI_API_KEY=a", "ANTHROPIC_API_KEY=b", "APP_KEY=c", "CI_KEY=d", "ACME_KEY=e", "IDP_SECRET=f", "ACME_SECRET=g", "OIDC_SECRET=h",
		"ALERT_SECRET=i", "SLACK_WEBHOOK=https://hooks.example.com/j", "MAIL_PASSWORD=k")
	files := map[string][]string{"yaml": blocks(t, "../README.md", "yaml"), "prompt": blocks(t, "../README.md", "prompt")}
	if len(files["yaml"]) == 0 || len(files["prompt"]) == 0 {
		t.Fatalf("the README shows %d configurations and %d prompts", len(files["yaml"]), len(files["prompt"]))
	}
	check := func(text string) {
		if said, code := g.sluice("check", "-c", "sluice.yaml"); code != 0 {
			t.Errorf("%s\n%s", said, text)
		}
	}
	for _, text := range files["prompt"] {
		write(t, filepath.Join(g.dir, "prompts", "shown.prompt"), text)
		check(text)
	}
	for _, text := range files["yaml"] {
		write(t, filepath.Join(g.dir, "sluice.yaml"), text)
		check(text)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
