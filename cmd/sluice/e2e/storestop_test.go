package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The locks of SQLite's WAL index: eight, from byte 120 of the -shm file on, of
// which the first is the writer's (sqlite.org/walformat.html, 2.3).
const (
	writerLock = 1 // another process is in an exclusive transaction
	allLocks   = 8 // and nobody can read
)

// stopStore has this process hold that many locks of the store's database until
// goOn is called.
func (g *gateway) stopStore(locks int64) (goOn func()) {
	g.t.Helper()
	path := filepath.Join(g.dir, "data", "sluice.db")
	f, err := os.OpenFile(path+"-shm", os.O_RDWR, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: 120, Len: locks}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLKW, &lock); err != nil {
		g.t.Fatal(err)
	}
	closed := false
	goOn = func() {
		if !closed {
			closed = true
			_ = f.Close() // which gives the locks back
		}
	}
	g.t.Cleanup(goOn)
	return goOn
}

// The store is stopped under load for SLUICE_E2E_STORE_STOP seconds: no call is
// refused, metrics, health and log say what is wrong, and every call is in the
// ledger once afterwards.
func TestStoreStopped(t *testing.T) {
	t.Parallel() // it waits most of its time
	usual := 5
	if full {
		usual = 60
	}
	stopped := time.Duration(setting(t, "SLUICE_E2E_STORE_STOP", usual)) * time.Second
	g := start(t, providers+budgeted)
	load := g.startLoad("stop-", 8, 5*time.Millisecond)
	if !eventually(10*time.Second, func() bool { return load.soFar() > 100 }) {
		t.Fatal("no calls are made")
	}
	goOn := g.stopStore(allLocks)
	began, before := time.Now(), load.soFar()
	if !eventually(20*time.Second, func() bool { return g.metric("sluice_spool_store_down") == "1" }) {
		t.Error("the metrics do not say that the store is down")
	}
	a := g.data("GET", "/readyz", "")
	if a.status != 200 || !strings.Contains(a.get("warnings.0").String(), "the store takes no usage") {
		t.Errorf("ready: %d %s", a.status, a.body)
	}
	if h := g.api("GET", "health", ""); h.get("status").String() != "degraded" || h.get("replicas.0.warnings.#").Int() == 0 {
		t.Errorf("health: %s", h.body)
	}
	// What needs the store is refused, and says why.
	if a := g.api("POST", "teams", `{"name":"late"}`); a.status != 503 || a.get("code").String() != "unavailable" {
		t.Errorf("a team is made: %d %s", a.status, a.body)
	}
	time.Sleep(time.Until(began.Add(stopped)))
	during := load.soFar() - before
	goOn()
	complete, failed := load.stop()
	if len(failed) > 0 {
		t.Errorf("%d calls were refused, such as %s", len(failed), failed[0])
	}
	if during < int(stopped.Seconds())*10 {
		t.Errorf("only %d calls while the store was stopped for %v", during, stopped)
	}
	if !eventually(30*time.Second, func() bool {
		return g.metric("sluice_spool_store_down") == "0" && g.metric("sluice_spool_records") == "0"
	}) {
		t.Errorf("%s records are still in the spool", g.metric("sluice_spool_records"))
	}
	g.reconcile(complete, 0)
	g.said("cannot move usage to the ledger: it waits in the spool", 1)
	if !g.logs("another process has locked the database") {
		t.Errorf("the log does not say why:\n%s", tail(g.stderr.String(), 4000))
	}
	g.said("the ledger takes usage again", 1)
	if a := g.data("GET", "/readyz", ""); a.body != `{"status":"ready"}` {
		t.Errorf("ready: %s", a.body)
	}
	t.Logf("%d calls while the store was stopped for %v", during, stopped)
}

// The process is killed while the store is stopped: what waited in the spool is
// brought in by the next start.
func TestKilledWhileStoreStopped(t *testing.T) {
	g := start(t, providers+budgeted)
	goOn := g.stopStore(writerLock)
	load := g.startLoad("held-", 4, time.Millisecond)
	if !eventually(20*time.Second, func() bool { return load.soFar() > 200 }) {
		t.Fatal("no calls are made")
	}
	g.kill()
	complete, _ := load.stop()
	goOn()
	g.start()
	g.reconcile(complete, 0)
}

// With the store stopped, and at last gone, prompts go on being served: by path,
// as models, versions by number and label, in arrays and splits, with limits.
func TestPromptsWhileStoreStopped(t *testing.T) {
	g := newGateway(t, "prompts: {dir: DIR/prompts}\n"+team)
	g.prompt("greet", strings.Replace(greet, "up/echo", "mock/echo", 1))
	g.start()
	g.publishVersions(t)
	third := strings.ReplaceAll(versioned, "vN", "v3")
	if a := g.api("POST", "prompts/versioned/publish", `{"source":`+quote(third)+`,"partials":{"mark":"v3"}}`); a.status != 201 {
		t.Fatalf("publish: %d %s", a.status, a.body)
	}
	if a := g.api("PUT", "prompts/versioned/labels", `{"production":2,"staging":1}`); a.status != 200 {
		t.Fatalf("labels: %d %s", a.status, a.body)
	}
	goOn := g.stopStore(allLocks)
	g.promptsServed(t, "the store is locked")
	goOn()
	g.stop()
	g.start()
	goOn = g.stopStore(allLocks)
	g.promptsServed(t, "the store is locked after a restart")
	g.signal(syscall.SIGHUP) // a reload does not take them away
	g.prompt("late", greet)
	if !eventually(30*time.Second, func() bool { return strings.Contains(g.stderr.String(), "locking protocol") }) {
		t.Errorf("the log does not say why nothing new is served:\n%s", g.stderr)
	}
	g.promptsServed(t, "the store is locked and files change")
	goOn()
	if !eventually(30*time.Second, func() bool { return g.data("POST", "/prompts/late", `{"who":"x"}`).status != 404 }) {
		t.Error("what was written meanwhile is not served afterwards")
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(g.dir, "data", "sluice.db"+suffix)); err != nil {
			t.Fatal(err)
		}
	}
	g.promptsServed(t, "the store's files are gone")
}

// promptsServed calls every version of versioned, and greet, in several ways.
func (g *gateway) promptsServed(t *testing.T, when string) {
	t.Helper()
	for name, c := range map[string]struct{ path, header, value, want string }{
		"production":   {"/versioned", "X-None", "", "versioned@2"},
		"by number":    {"/versioned@1", "X-None", "", "versioned@1"},
		"the newest":   {"/versioned@3", "X-None", "", "versioned@3"},
		"by header":    {"/versioned", "X-Prompt-Version", "1", "versioned@1"},
		"by label":     {"/versioned", "X-Prompt-Label", "staging", "versioned@1"},
		"of a file":    {"/prompts/greet", "X-None", "", "greet@1"},
		"by its label": {"/versioned", "X-Prompt-Label", "production", "versioned@2"},
	} {
		a := g.data("POST", c.path, `{"text":"x"}`, c.header, c.value)
		if strings.HasPrefix(c.path, "/prompts/") {
			a = g.data("POST", c.path, `{"who":"x"}`)
		}
		if a.status != 200 || a.header.Get("x-sluice-prompt") != c.want {
			t.Errorf("%s, %s: %d %s, want %s: %s", when, name, a.status, a.header.Get("x-sluice-prompt"), c.want, a.body)
		}
	}
	if _, err := g.versionOfArray(); err != nil {
		t.Errorf("%s, an array: %v", when, err)
	}
	if _, err := g.versionOfModel(); err != nil {
		t.Errorf("%s, as a model: %v", when, err)
	}
	if a := g.data("GET", "/openapi.json", ""); !a.get("paths./versioned").Exists() {
		t.Errorf("%s, /openapi.json: %d %.300s", when, a.status, a.body)
	}
}
