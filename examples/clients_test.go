package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every client makes its calls against a gateway with the least configuration.
func TestClients(t *testing.T) {
	g := start(t, "minimal")
	g.env = append(g.env, "OPENAI_BASE_URL=http://"+g.listen+"/v1", "OPENAI_API_KEY=sk-example-minimal",
		"SLUICE_URL=http://"+g.listen, "SLUICE_KEY=sk-example-minimal")
	dir, err := filepath.Abs("clients")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("curl", func(t *testing.T) {
		said := g.client(t, "sh", filepath.Join(dir, "curl.sh"))
		for _, want := range []string{`"content":"Hello from curl"`, "data: [DONE]", `"total_tokens":`, `"embedding":[`, `"id":"chat"`, `"calls":`} {
			if !strings.Contains(said, want) {
				t.Errorf("no %s in\n%s", want, said)
			}
		}
	})
	t.Run("go", func(t *testing.T) {
		program := filepath.Join(g.dir, "client")
		if err := build(program, "sluice/examples/clients/go"); err != nil {
			t.Fatal(err)
		}
		g.talks(t, "Go", "429 rate_limit_exceeded", program)
	})
	t.Run("python", func(t *testing.T) {
		if err := g.command("python3", "-c", "import openai").Run(); err != nil {
			t.Skip("python3 has no package openai")
		}
		g.talks(t, "Python", "429 rate_limit_exceeded", "python3", filepath.Join(dir, "chat.py"))
	})
	t.Run("node", func(t *testing.T) {
		modules, err := filepath.Abs("../cmd/sluice/e2e/sdk/node_modules")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(modules, filepath.Join(g.dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(filepath.Join(g.dir, "clients"), os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ file, needs, refusal string }{
			{"chat.mjs", "openai", "429 rate_limit_exceeded"},
			{"messages.mjs", "@anthropic-ai/sdk", "429 rate_limit_error"},
			{"generate.mjs", "@google/genai", "429 RESOURCE_EXHAUSTED"},
		} {
			t.Run(c.file, func(t *testing.T) {
				if _, err := os.Stat(filepath.Join(modules, c.needs)); err != nil {
					t.Skipf("the package %s is not installed; make e2e does", c.needs)
				}
				g.talks(t, "Node", c.refusal, "node", filepath.Join(g.dir, "clients", c.file))
			})
		}
	})
}

// client runs a program to its end.
func (g *gateway) client(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("there is no %s", name)
	}
	out, err := g.command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// talks wants an answer, a stream and an error from a client.
func (g *gateway) talks(t *testing.T, from, refusal, name string, args ...string) {
	t.Helper()
	said := g.client(t, name, args...)
	want := regexp.MustCompile(`^Hello from ` + from + ` \d+\nHello from ` + from + ` \(\d+ tokens\)\n` + refusal)
	if !want.MatchString(said) {
		t.Errorf("the client said\n%s", said)
	}
}
