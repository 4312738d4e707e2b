package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const led = "config: {lead: store, keep: 50}\n"

// configText is the configuration as YAML.
func (g *gateway) configText() string {
	g.t.Helper()
	a, err := g.send("GET", "http://"+g.admin+"/admin/v1/config", "", "Authorization", "Bearer "+adminToken, "Accept", "application/yaml")
	if err != nil || a.status != 200 {
		g.t.Fatalf("config: %d %s %v", a.status, a.body, err)
	}
	return a.body
}

// Where the store leads, the file is the first revision and no more; what the
// API made is in force after a start anew, and can be taken back.
func TestConfigurationLedByTheStore(t *testing.T) {
	g := newGateway(t, "")
	g.env = append(g.env, "KEY_ONE=sk-up")
	g.configure(head + led + strings.Replace(providers, "keys: [sk-up]", `keys: ["${KEY_ONE}"]`, 1) + team + "models: {first: up/small}\n")
	g.start()
	shown := g.api("GET", "config", "")
	for _, secret := range []string{"sk-up", "sk-ant", teamKey, adminToken} {
		if strings.Contains(shown.body, secret) || strings.Contains(g.api("GET", "config?view=effective", "").body, secret) {
			t.Errorf("the configuration shows %q: %s", secret, shown.body)
		}
	}
	if shown.get("providers.up.keys.0").String() != "${KEY_ONE}" || shown.header.Get("ETag") == "" {
		t.Errorf("%v %s", shown.header, shown.body)
	}
	// What is shown can be put back, and is no change.
	if a := g.api("PUT", "config", shown.body); a.status != 200 || a.get("revision").Int() != 1 || len(a.get("changes").Array()) != 0 {
		t.Errorf("put back: %d %s", a.status, a.body)
	}
	second := strings.Replace(g.configText(), "first: up/small", "second: up/small", 1)
	g.putConfig(second, 2)
	g.serves("second", "first")
	if a := g.api("POST", "config/diff", second); len(a.get("changes").Array()) != 0 {
		t.Errorf("a second diff: %s", a.body)
	}
	g.refusesRevisions(second)
	// The file counts no more, and neither a kill nor a reload brings it back.
	g.configure(head + led + providers + team + "models: {third: up/small}\n")
	if a := g.api("POST", "reload", ""); a.status != 200 {
		t.Errorf("reload: %d %s", a.status, a.body)
	}
	g.kill()
	g.start()
	g.serves("second", "first")
	g.serves("second", "third")
	if a := g.api("POST", "config/rollback", `{"to":1}`); a.status != 200 || a.get("revision").Int() != 3 {
		t.Errorf("rollback: %d %s", a.status, a.body)
	}
	g.serves("first", "second")
	list := g.api("GET", "config/revisions", "")
	if list.get("data.#").Int() != 3 || !list.get("data.0.running").Bool() || list.get("data.0.author").String() != "admin" || list.get("data.2.author").String() != "file" ||
		list.get("data.0.message").String() != "back to revision 1" || list.get("data.0.digest").String() != list.get("data.2.digest").String() {
		t.Errorf("revisions: %s", list.body)
	}
	if a := g.api("GET", "config/revisions/2", ""); a.get("config.models.second").String() != "up/small" || strings.Contains(a.body, teamKey) {
		t.Errorf("revision 2: %d %s", a.status, a.body)
	}
	if a := g.chat(chatBody("first", "hi", "")); a.status != 200 { // with the secrets that were kept
		t.Errorf("a call: %d %s", a.status, a.body)
	}
}

func (g *gateway) putConfig(text string, revision int64) {
	g.t.Helper()
	if a := g.api("PUT", "config?message=more", text); a.status != 200 || a.get("revision").Int() != revision {
		g.t.Fatalf("put: %d %s", a.status, a.body)
	}
}

// serves tells whether a model is in force, and another not.
func (g *gateway) serves(model, not string) {
	g.t.Helper()
	if a := g.chat(chatBody(model, "hi", "")); a.status != 200 {
		g.t.Errorf("%s is not in force: %d %s", model, a.status, a.body)
	}
	if a := g.chat(chatBody(not, "hi", "")); a.status != 404 {
		g.t.Errorf("%s is in force: %d %s", not, a.status, a.body)
	}
}

// refusesRevisions: a faulty text changes nothing, nor does one that was made
// from another state.
func (g *gateway) refusesRevisions(good string) {
	t := g.t
	t.Helper()
	bad := good + "nonsense: 1\nmodels2: {a: nowhere/x}\n"
	line := int64(strings.Count(good, "\n") + 1)
	for _, a := range []answer{g.api("POST", "config/validate", bad), g.api("PUT", "config", bad), g.api("POST", "config/diff", bad)} {
		if a.status != 422 || a.get("errors.#").Int() != 2 || a.get("errors.0.line").Int() != line || !strings.Contains(a.get("errors.0.message").String(), "nonsense") {
			t.Errorf("a faulty text: %d %s", a.status, a.body)
		}
	}
	moved, err := g.send("PUT", "http://"+g.admin+"/admin/v1/config", good, "Authorization", "Bearer "+adminToken, "If-Match", `"0"`)
	if err != nil || moved.status != 412 {
		t.Errorf("another state: %d %s %v", moved.status, moved.body, err)
	}
	for _, text := range []string{"config: {lead: file}\n", "store: sqlite:/tmp/other.db\n"} {
		if a := g.api("PUT", "config", providers+team+text); text[0] == 'c' && a.status != 422 {
			t.Errorf("%q: %d %s", text, a.status, a.body)
		}
	}
	for _, text := range []string{"", " \n", "# all is\n# a comment\n", "---\n", "null", "~", "[]", "- a", "5", `""`} {
		for _, a := range []answer{g.api("POST", "config/validate", text), g.api("PUT", "config", text), g.api("POST", "config/diff", text)} {
			if a.status != 422 || !strings.Contains(a.get("errors.0.message").String(), "a mapping of sections") {
				t.Errorf("%q: %d %s", text, a.status, a.body)
			}
		}
	}
	if n := g.api("GET", "config/revisions", "").get("data.0.revision").Int(); n != 2 {
		t.Errorf("a refused revision stands in the history: %d", n)
	}
}

// Where a file leads, the API shows, compares and remembers, and changes nothing.
func TestConfigurationLedByTheFile(t *testing.T) {
	g := start(t, providers+team)
	shown := g.api("GET", "config", "")
	for _, a := range []answer{g.api("PUT", "config", shown.body), g.api("POST", "config/rollback", `{"to":1}`)} {
		if a.status != 409 || !strings.Contains(a.body, g.file()) {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := g.api("POST", "config/diff", shown.body); a.status != 200 || len(a.get("changes").Array()) != 0 {
		t.Errorf("the diff of what is shown: %d %s", a.status, a.body)
	}
	g.configure(head + providers + team + "models: {new: up/small}\n")
	stdout, _, code := g.sluice("diff", "-c", g.file())
	if g.signal(syscall.SIGHUP); !strings.Contains(stdout, "+ models/new") && code == 1 {
		t.Errorf("diff: %d %s", code, stdout)
	}
	if !eventually(5*time.Second, func() bool { return g.api("GET", "config/revisions", "").get("data.#").Int() == 2 }) {
		t.Errorf("the history: %s", g.api("GET", "config/revisions", "").body)
	}
	if stdout, stderr, code := g.sluice("diff", "-c", g.file()); code != 0 || stdout != "no difference\n" {
		t.Errorf("a second diff: %d %s%s", code, stdout, stderr)
	}
	for _, command := range [][]string{{"apply", "-c", g.file()}, {"rollback", "1"}} {
		if _, stderr, code := g.sluice(command...); code != 1 || !strings.Contains(stderr, g.file()) {
			t.Errorf("%s: %d %s", command[0], code, stderr)
		}
	}
	db, err := os.ReadFile(filepath.Join(g.dir, "data", "sluice.db"))
	if err != nil || strings.Contains(string(db), "sk-ant") {
		t.Errorf("the store has secrets of the file: %v", err)
	}
}

// The command line shows what it changes, and changes it once.
func TestDiffAndApply(t *testing.T) {
	g := start(t, led+providers+team+"models: {first: up/small}\n")
	file := filepath.Join(g.dir, "next.yaml")
	write := func(text string) {
		text = strings.NewReplacer("LISTEN", g.listen, "ADMIN", g.admin, "DIR", g.dir, "UP", g.fake.URL()).Replace(text)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(head + providers + strings.Replace(team, "{keys:", "{limits: {rpm: 700}, keys:", 1) + "models: {second: {targets: [{model: up/small}]}}\n")
	for i, step := range []struct {
		command string
		code    int
		parts   []string
	}{
		{"diff", 1, []string{"- models/first", "+ models/second\n    targets[0].model: \"up/small\"", "~ teams/t\n    limits.rpm: 0 -> 700\n"}},
		{"apply", 0, []string{"+ models/second", "revision 2 is in force"}},
		{"diff", 0, []string{"no difference"}},
		{"apply", 0, []string{"no difference"}},
	} {
		stdout, stderr, code := g.sluice(step.command, "-c", file)
		for _, part := range step.parts {
			if code != step.code || !strings.Contains(stdout, part) || strings.Contains(stdout, teamKey) {
				t.Errorf("step %d, %s: %d, no %q in\n%s%s", i, step.command, code, part, stdout, stderr)
			}
		}
	}
	g.serves("second", "first")
	write("nonsense: 1\n")
	if _, stderr, code := g.sluice("apply", "-c", file); code != 2 || !strings.Contains(stderr, "line 1: unknown key \"nonsense\"") {
		t.Errorf("a faulty file: %d %s", code, stderr)
	}
}

// A thousand changes by the API under load: no call fails, each is in force when
// it is answered. The short form makes fifty.
func TestChangesUnderLoad(t *testing.T) {
	changes := 50
	if full {
		changes = 1000
	}
	g := start(t, led+providers+team)
	text := g.configText()
	l := g.startLoad("change", 8, 2*time.Millisecond)
	for i := range changes {
		name := fmt.Sprintf("name-%d", i)
		if i%10 == 9 {
			n := g.api("GET", "config/revisions?limit=2", "").get("data.1.revision").Int()
			name = fmt.Sprintf("name-%d", i-2)
			if a := g.api("POST", "config/rollback", fmt.Sprintf(`{"to":%d}`, n)); a.status != 200 {
				t.Fatalf("rollback %d: %d %s", i, a.status, a.body)
			}
		} else if a := g.api("PUT", "config", text+"models: {"+name+": up/small}\n"); a.status != 200 {
			t.Fatalf("change %d: %d %s", i, a.status, a.body)
		}
		if a := g.chat(chatBody(name, "hi", "")); a.status != 200 {
			t.Fatalf("change %d is not in force: %d %s", i, a.status, a.body)
		}
	}
	complete, failed := l.stop()
	if len(failed) > 0 || len(complete) == 0 {
		t.Errorf("%d of %d calls failed, such as %s", len(failed), len(failed)+len(complete), failed[:min(3, len(failed))])
	}
	list := g.api("GET", "config/revisions?limit=1000", "")
	if list.get("data.#").Int() != 50 || list.get("data.0.revision").Int() != int64(changes+1) {
		t.Errorf("%d revisions, the newest is %d", list.get("data.#").Int(), list.get("data.0.revision").Int())
	}
	t.Logf("%d changes, %d calls", changes, len(complete))
}
