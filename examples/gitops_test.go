package examples

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// deploy runs the script of the example, and gives what it printed and its code.
func (g *gateway) deploy(args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	cmd := g.command("./deploy.sh", args...)
	cmd.Env = append(cmd.Env, "SLUICE="+binary)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		g.t.Fatal(err)
	}
	return string(out), errs.String(), cmd.ProcessState.ExitCode()
}

// TestGitOps goes the way of a pull request: faults, a plan, the change, and the
// proof that nothing is left.
func TestGitOps(t *testing.T) {
	g := start(t, "gitops")
	if a := g.shownIn("gitops", 0); a.status != 200 || a.said() != "Hello" {
		t.Errorf("%d %s", a.status, a.body)
	}
	first, err := os.ReadFile(filepath.Join(g.dir, config))
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(g.dir, config), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := func(do string, code int, parts ...string) {
		t.Helper()
		stdout, stderr, got := g.deploy(do, config)
		text := stdout + stderr
		if do == "plan" {
			if !gjson.Valid(stdout) || strings.Count(stdout, "\n") != 1 {
				t.Errorf("the comment is no JSON on one line: %q", stdout)
			}
			text = gjson.Get(stdout, "body").Str
		}
		for _, part := range parts {
			if got != code || !strings.Contains(text, part) {
				t.Errorf("%s: %d, want %d with %q:\n%s\n%s", do, got, code, part, text, stderr)
			}
		}
	}
	f("plan", 0, "### The configuration changes nothing\n")
	f("apply", 0, "no difference")

	write(string(first) + "nonsense: 1\n")
	f("plan", 2, "### The configuration has faults\n", `unknown key "nonsense"`)
	f("apply", 2, `unknown key "nonsense"`)

	second := strings.Replace(string(first), "chat: mock/echo", "chat: mock/echo\n  \"a \\\"b\\\" \\\\ c\": mock/lorem-5\n  few: mock/lorem-3", 1)
	write(second)
	f("plan", 3, "### The configuration changes\n", "\n    + models/few\n", `a "b" \ c`)
	if a := g.chat("sk-example-gitops", "few"); a.status != 404 {
		t.Errorf("a plan has changed something: %d %s", a.status, a.body)
	}
	f("apply", 0, "+ models/few", "revision 2 is in force", "sluice.yaml: verified")
	if a := g.chat("sk-example-gitops", "few"); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	f("plan", 0, "changes nothing")
	if said, code := g.sluice("rollback", "1"); code != 0 || !strings.Contains(said, "- models/few") {
		t.Errorf("rollback: %d %s", code, said)
	}
	f("plan", 3, "+ models/few")

	var many strings.Builder
	for i := range 150 {
		fmt.Fprintf(&many, "\n  m%d-%s: mock/echo", i, strings.Repeat("x", 500))
	}
	write(strings.Replace(string(first), "chat: mock/echo", "chat: mock/echo"+many.String(), 1))
	f("plan", 3, " lines more")
	g.env = append(g.env, "SLUICE_ADMIN=http://127.0.0.1:1")
	f("plan", 1, "### The gateway cannot be asked\n")
	f("apply", 1, "cannot reach the admin API")
	for _, args := range [][]string{nil, {"plan"}, {"do", config}} {
		if _, stderr, code := g.deploy(args...); code != 2 || !strings.Contains(stderr, "usage") {
			t.Errorf("%v: %d %s", args, code, stderr)
		}
	}
}
