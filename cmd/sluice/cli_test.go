package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// result is what a command printed and its exit code.
type result struct {
	code     int
	out, err string
}

// sluice runs the program in an empty directory with no variable of its own.
func sluice(t *testing.T, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(context.Background(), args, &out, &errs)
	return result{code, out.String(), errs.String()}
}

// elsewhere makes an empty directory the working directory, without the
// variables that the program reads.
func elsewhere(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("SLUICE_ADMIN", "")
	t.Setenv("SLUICE_ADMIN_TOKEN", "")
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// want compares an exit code, and parts of what was printed.
func (r result) want(t *testing.T, code int, out, err string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.out, out) || !strings.Contains(r.err, err) {
		t.Errorf("exit code %d, want %d\nstdout %q, want %q\nstderr %q, want %q", r.code, code, r.out, out, r.err, err)
	}
}

func TestExitCodes(t *testing.T) {
	elsewhere(t)
	write(t, "bad.yaml", "server:\n  listn: 127.0.0.1:1\n")
	for _, c := range []struct {
		args []string
		code int
		err  string
	}{
		{[]string{"version"}, 0, ""},
		{[]string{"--help"}, 0, ""},
		{[]string{}, 0, ""},
		{[]string{"srve"}, 2, "unknown command"},
		{[]string{"team"}, 2, "needs a command"},
		{[]string{"team", "lst"}, 2, "known are create, delete, list, show, update"},
		{[]string{"serve", "--port", "1"}, 2, "unknown flag: --port"},
		{[]string{"serve", "extra"}, 2, "unknown command"},
		{[]string{"serve", "-c", "absent.yaml"}, 2, "absent.yaml"},
		{[]string{"serve", "-c", "bad.yaml"}, 2, "bad.yaml:2"},
		{[]string{"check", "-c", "absent.yaml"}, 2, "absent.yaml"},
		{[]string{"team", "list"}, 2, "no admin token"},
		{[]string{"team", "list", "--token", "x", "--admin", "://"}, 2, "not a URL"},
		{[]string{"team", "list", "--token", "x", "--admin", "http://127.0.0.1:1"}, 1, "cannot reach the admin API"},
		{[]string{"team", "show"}, 2, "accepts 1 arg"},
		{[]string{"team", "create", "a", "--budget", "much"}, 2, "--budget"},
		{[]string{"team", "create", "a", "--per", "day"}, 2, "--per needs --budget"},
		{[]string{"key", "create"}, 2, "--team is required"},
		{[]string{"key", "create", "--team", "a", "--budget", "1", "--per", "fortnight"}, 2, "--per"},
		{[]string{"key", "rotate", "k", "--grace", "-1s"}, 2, "negative"},
		{[]string{"prompt", "label", "a", "production", "x"}, 2, "version"},
		{[]string{"prompt", "rollback", "a"}, 2, "--to is required"},
		{[]string{"prompt", "publish", "absent.prompt"}, 2, "absent.prompt"},
		{[]string{"report", "--format", "xml"}, 2, "table, csv, json, jsonl"},
		{[]string{"report", "--by", "colour"}, 2, "colour"},
		{[]string{"report", "--from", "yesterday"}, 2, "yesterday"},
		{[]string{"report", "--data", "nowhere"}, 2, "no store in nowhere"},
		{[]string{"models", "--provider", "nobody"}, 2, "nobody"},
	} {
		got := sluice(t, c.args...)
		if got.code != c.code || !strings.Contains(got.err, c.err) {
			t.Errorf("sluice %s: exit code %d and %q, want %d and %q", strings.Join(c.args, " "), got.code, got.err, c.code, c.err)
		}
		if c.code != 0 && got.out != "" {
			t.Errorf("sluice %s: printed %q on stdout", strings.Join(c.args, " "), got.out)
		}
	}
	if _, err := os.Stat("nowhere"); err == nil {
		t.Error("a report made a data directory")
	}
}

func TestVersion(t *testing.T) {
	sluice(t, "version").want(t, 0, "sluice dev, commit ", "")
}

// Every command says what it does, in one line without a full stop.
func TestHelp(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: %q", c.CommandPath(), c.Short)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(rootCommand())
}

func TestCheck(t *testing.T) {
	elsewhere(t)
	sluice(t, "check").want(t, 0, "embedded defaults: no faults", "")
	write(t, "sluice.yaml", "modles: {}\nserver: {listn: x}\n")
	got := sluice(t, "check")
	got.want(t, 2, "sluice.yaml:1: ", "")
	if !strings.Contains(got.out, "sluice.yaml:2: ") || !strings.Contains(got.out, "models") || got.err != "" {
		t.Errorf("every fault at once, on stdout: %q %q", got.out, got.err)
	}
	write(t, "sluice.yaml", "prompts: {dir: api}\n")
	write(t, "api/good.prompt", "---\nmodel: mock/echo\n---\nhello")
	sluice(t, "check", "-c", "sluice.yaml").want(t, 0, "sluice.yaml: no faults", "")
	write(t, "api/bad.prompt", "---\nmodel: mock/echo\n---\n{{#if x}}")
	sluice(t, "check").want(t, 2, "bad.prompt:4: ", "")
}

// fakeAdmin answers what a test says and keeps what it was asked.
type fakeAdmin struct {
	answers map[string]string // by method and path
	asked   []string          // method, path with query, body
	token   string
}

func (f *fakeAdmin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	f.token = r.Header.Get("Authorization")
	answer, ok := f.answers[r.Method+" "+r.URL.RequestURI()]
	if !ok {
		answer, ok = f.answers[r.Method+" "+r.URL.Path]
	}
	if !ok {
		w.WriteHeader(http.StatusConflict)
		answer = `{"detail":"it is in the way","errors":[{"message":"one"},{"message":"two"}]}`
	}
	_, _ = io.WriteString(w, answer)
}

// withAdmin makes a fake admin API the one that commands speak to.
func withAdmin(t *testing.T, answers map[string]string) *fakeAdmin {
	t.Helper()
	elsewhere(t)
	f := &fakeAdmin{answers: answers}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	t.Setenv("SLUICE_ADMIN", srv.URL+"/")
	t.Setenv("SLUICE_ADMIN_TOKEN", "from-env")
	return f
}

func TestTokenComesFromFlagThenEnvironmentThenFile(t *testing.T) {
	f := withAdmin(t, map[string]string{"GET /admin/v1/teams": `{"data":[],"next":null}`})
	write(t, "data/admin-token", "from-file\n")
	write(t, "other/admin-token", "from-other\n")
	for want, args := range map[string][]string{
		"from-flag": {"team", "list", "--token", "from-flag"},
		"from-env":  {"team", "list"},
	} {
		sluice(t, args...).want(t, 0, "NAME", "")
		if f.token != "Bearer "+want {
			t.Errorf("%v sent %q", args, f.token)
		}
	}
	t.Setenv("SLUICE_ADMIN_TOKEN", "")
	for want, args := range map[string][]string{
		"from-file":  {"team", "list"},
		"from-other": {"team", "list", "--data", "other"},
	} {
		sluice(t, args...).want(t, 0, "NAME", "")
		if f.token != "Bearer "+want {
			t.Errorf("%v sent %q", args, f.token)
		}
	}
}

func TestRefusalsAreTold(t *testing.T) {
	withAdmin(t, nil)
	sluice(t, "team", "list").want(t, 1, "", "sluice: it is in the way\n  one\n  two\n")
}

func TestListsReadAllPages(t *testing.T) {
	withAdmin(t, map[string]string{
		"GET /admin/v1/teams?limit=1000":         `{"data":[{"name":"a"}],"next":"x"}`,
		"GET /admin/v1/teams?after=x&limit=1000": `{"data":[{"name":"b\u001b[2J","models":["m","n"],"limits":{"rpm":5}}],"next":null}`,
	})
	got := sluice(t, "team", "list")
	got.want(t, 0, "m,n", "")
	if !strings.Contains(got.out, "\na ") || !strings.Contains(got.out, "b?[2J") || !strings.Contains(got.out, "rpm=5") {
		t.Errorf("printed %q", got.out)
	}
	sluice(t, "team", "list", "--json").want(t, 0, "[\n  {\n    \"name\": \"a\"\n  },\n", "")
}

func TestTeamCommands(t *testing.T) {
	f := withAdmin(t, map[string]string{
		"POST /admin/v1/teams": `{"name":"a"}`, "GET /admin/v1/teams/a%2Fb": `{"name":"a/b","budget":{"usd":"5"}}`, "DELETE /admin/v1/teams/a": "",
	})
	sluice(t, "team", "create", "a", "--parent", "p", "--models", "fast,claude/*", "--budget", "12.5", "--per", "day", "--warn-at", "0.8", "--rpm", "9", "--weight", "4").
		want(t, 0, "", "sluice key create --team a")
	want := `POST /admin/v1/teams {"budget":{"hard":true,"per":"day","usd":"12.5","warn_at":[0.8]},"limits":{"rpm":9},"models":["fast","claude/*"],"name":"a","parent":"p","weight":4}`
	if f.asked[0] != want {
		t.Errorf("asked %s\nwant  %s", f.asked[0], want)
	}
	sluice(t, "team", "show", "a/b").want(t, 0, "usd=5", "")
	sluice(t, "team", "delete", "a").want(t, 0, "", "deleted")
	sluice(t, "team", "delete", "a", "--json").want(t, 0, `"name": "a"`, "")
}

func TestKeyCommands(t *testing.T) {
	list := `{"data":[{"id":"key_old","team":"t","name":"ci","revoked":"2026-01-01T00:00:00Z"},{"id":"key_0","team":"t","name":"ci","revoked":"2999-01-01T00:00:00Z"},{"id":"key_1","team":"t","name":"ci","revoked":null}],"next":null}`
	f := withAdmin(t, map[string]string{
		"POST /admin/v1/keys": `{"id":"key_1","key":"sk-sl-x","team":"t","name":"ci"}`, "GET /admin/v1/keys": list,
		"POST /admin/v1/keys/key_1/rotate": `{"id":"key_2","key":"sk-sl-y","team":"t","name":"ci"}`,
		"DELETE /admin/v1/keys/key_1":      "", "DELETE /admin/v1/keys/key_0": "", "GET /admin/v1/keys/key_1": `{"id":"key_1"}`,
	})
	got := sluice(t, "key", "create", "--team", "t", "--name", "ci", "--budget", "20", "--per", "day", "--hard=false", "--tpm", "100", "--parallel", "2", "--expires", "2027-01-01", "--ips", "10.0.0.0/8")
	if got.code != 0 || got.out != "sk-sl-x\n" || !strings.Contains(got.err, "t/ci (key_1)") {
		t.Errorf("the key alone must be on stdout: %+v", got)
	}
	want := `POST /admin/v1/keys {"budget":{"hard":false,"per":"day","usd":"20"},"expires":"2027-01-01","hash":"","ips":["10.0.0.0/8"],"limits":{"tpm":100,"parallel":2},"models":null,"name":"ci","prompts":null,"team":"t"}`
	if f.asked[0] != want {
		t.Errorf("asked %s\nwant  %s", f.asked[0], want)
	}
	sluice(t, "key", "create", "--team", "t", "--json").want(t, 0, `"key": "sk-sl-x"`, "")
	sluice(t, "key", "list", "--team", "t").want(t, 0, "key_1", "")
	sluice(t, "key", "show", "key_1").want(t, 0, "key_1", "")
	if got := sluice(t, "key", "rotate", "t/ci", "--grace", "10m"); got.out != "sk-sl-y\n" {
		t.Errorf("rotate: %+v", got)
	}
	if last := f.asked[len(f.asked)-1]; last != `POST /admin/v1/keys/key_1/rotate {"grace":"10m0s"}` {
		t.Errorf("asked %s", last)
	}
	sluice(t, "key", "delete", "t/ci").want(t, 0, "", "revoked")
	if n := len(f.asked); f.asked[n-2] != "DELETE /admin/v1/keys/key_1" || f.asked[n-1] != "DELETE /admin/v1/keys/key_0" {
		t.Errorf("a key and what its rotation left must end: asked %q", f.asked[n-2:])
	}
	sluice(t, "key", "revoke", "t/none").want(t, 1, "", `no key "none" in force`)
}

func TestPromptCommands(t *testing.T) {
	f := withAdmin(t, map[string]string{
		"GET /admin/v1/prompts":                 `{"data":[{"name":"mood","version":2,"labels":{"production":2}}],"next":null}`,
		"GET /admin/v1/prompts/mood/versions":   `{"data":[{"version":2,"message":"better"}],"next":null}`,
		"GET /admin/v1/prompts/mood/versions/1": `{"source":"---\nmodel: fast\n---\nhi"}`,
		"POST /admin/v1/prompts/mood/publish":   `{"version":3,"created":true}`,
		"PUT /admin/v1/prompts/mood/labels":     `{"production":1}`,
		"GET /admin/v1/budgets":                 `{"data":[{"owner":{"team":"t"},"usd":"5"}],"next":null}`,
	})
	sluice(t, "prompt", "list").want(t, 0, "production=2", "")
	sluice(t, "prompt", "show", "mood").want(t, 0, "better", "")
	if got := sluice(t, "prompt", "show", "mood", "--version", "1"); got.out != "---\nmodel: fast\n---\nhi" {
		t.Errorf("show: %+v", got)
	}
	write(t, "mood.prompt", "---\nmodel: mock/echo\n---\nhi {{> sign}}")
	write(t, "_sign.prompt", "bye")
	sluice(t, "prompt", "publish", "mood.prompt", "--message", "m").want(t, 0, "mood@3 is published", "")
	if last := f.asked[len(f.asked)-1]; !strings.Contains(last, `"partials":{"sign":"bye"}`) || !strings.Contains(last, `"message":"m"`) {
		t.Errorf("asked %s", last)
	}
	sluice(t, "prompt", "rollback", "mood", "--to", "1").want(t, 0, "", "production of mood is version 1")
	sluice(t, "prompt", "label", "mood", "staging", "2").want(t, 0, "", "staging of mood is version 2")
	if last := f.asked[len(f.asked)-1]; last != `PUT /admin/v1/prompts/mood/labels {"staging":2}` {
		t.Errorf("asked %s", last)
	}
	sluice(t, "budget", "list").want(t, 0, "team=t", "")
}

func TestModels(t *testing.T) {
	sluice(t, "models", "--provider", "anthropic").want(t, 0, "claude", "")
	got := sluice(t, "models", "--json")
	if got.code != 0 || !strings.HasPrefix(got.out, "[\n") || !strings.Contains(got.out, `"context_window": `) {
		t.Errorf("models: %d %.200s", got.code, got.out)
	}
}
