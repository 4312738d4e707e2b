package e2e

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The first start with no configuration prints a key, a sign-in link and one
// curl that works as printed; the second start prints no key.
func TestFirstStart(t *testing.T) {
	g := newGateway(t, "")
	g.args = []string{"serve"}
	g.env = []string{"SLUICE_SERVER__LISTEN=" + g.listen, "SLUICE_SERVER__ADMIN=" + g.admin}
	if err := exec.Command("rm", g.file()).Run(); err != nil {
		t.Fatal(err)
	}
	g.start()
	var said string
	if !eventually(5*time.Second, func() bool {
		said = g.stderr.String()
		return strings.Contains(said, "\ncurl") && strings.Contains(said, "/sign-in?token=")
	}) {
		t.Fatalf("no curl or no sign-in link at the start:\n%s", said)
	}
	key := regexp.MustCompile(`sk-sl-[0-9A-Za-z]{12}-[0-9A-Za-z]{38}`).FindString(said)
	if key == "" {
		t.Fatalf("no key at the start:\n%s", said)
	}
	out, err := exec.Command("sh", "-c", strings.Replace(curlOf(said), "curl", "curl -sS --fail-with-body", 1)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"choices"`) {
		t.Fatalf("the printed curl does not work: %v\n%s\n%s", err, curlOf(said), out)
	}
	link := regexp.MustCompile(`http://\S+/sign-in\?token=\S+`).FindString(said)
	res, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		t.Fatalf("the sign-in link answers %d", res.StatusCode)
	}
	if code := g.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	g.start()
	if again := g.stderr.String(); strings.Contains(again, key) {
		t.Fatalf("the key is printed again:\n%s", again)
	}
	g.key = key
	if a := g.chat(chatBody("mock/echo", "still here", "")); a.get("choices.0.message.content").String() != "still here" {
		t.Fatalf("the key does not work after a restart: %d %s", a.status, a.body)
	}
}

// A first start whose port is taken makes no key: the next one shows it.
func TestFirstStartWithoutPort(t *testing.T) {
	g := newGateway(t, "")
	g.args = []string{"serve"}
	g.env = []string{"SLUICE_SERVER__LISTEN=" + g.listen, "SLUICE_SERVER__ADMIN=" + g.admin}
	if err := os.Remove(g.file()); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", g.admin)
	if err != nil {
		t.Fatal(err)
	}
	g.spawn()
	if code := g.exitCode(10 * time.Second); code != 1 {
		t.Errorf("exit code %d with a port that is taken", code)
	}
	taken.Close()
	g.start()
	if !eventually(5*time.Second, func() bool { return strings.Contains(g.stderr.String(), "\nkey ") }) {
		t.Errorf("no key at the first start that works:\n%s", g.stderr)
	}
}

// curlOf is the printed command with its continuation lines.
func curlOf(said string) string {
	_, rest, _ := strings.Cut("\n"+said, "\ncurl")
	command := "curl"
	for line := range strings.Lines(rest) {
		command += line
		if !strings.HasSuffix(strings.TrimSpace(line), `\`) {
			break
		}
	}
	return command
}

// Unusable arguments and configurations end with 2 and say where.
func TestUnusable(t *testing.T) {
	g := newGateway(t, providers+"modles: {}\n")
	for _, args := range [][]string{{"serve", "-c", g.file()}, {"check", "-c", g.file()}} {
		stdout, stderr, code := g.sluice(args...)
		if said := stdout + stderr; code != 2 || !strings.Contains(said, "sluice.yaml:7") || !strings.Contains(said, "models") {
			t.Errorf("%v: exit code %d, want 2 and the line and nearest key in %q", args, code, said)
		}
	}
	for _, args := range [][]string{{"serve", "--no-such-flag"}, {"no-such-command"}, {"serve", "-c", g.file() + ".absent"}} {
		if _, stderr, code := g.sluice(args...); code != 2 || stderr == "" {
			t.Errorf("%v: exit code %d, want 2; it said %q", args, code, stderr)
		}
	}
	if out, _, code := g.sluice("version"); code != 0 || !strings.Contains(out, "go1.") {
		t.Errorf("version: %d %q", code, out)
	}
	g.configure(head + providers + team)
	if out, stderr, code := g.sluice("check", "-c", g.file()); code != 0 {
		t.Errorf("check of a good file: %d %s%s", code, out, stderr)
	}
}
