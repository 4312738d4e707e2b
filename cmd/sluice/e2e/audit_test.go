package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// auditRecord is a record of the audit trail.
type auditRecord struct {
	Seq      int64           `json:"seq"`
	Actor    string          `json:"actor"`
	Role     string          `json:"role"`
	IP       string          `json:"ip"`
	Action   string          `json:"action"`
	Resource string          `json:"resource"`
	Before   json.RawMessage `json:"before"`
	After    json.RawMessage `json:"after"`
	Revision string          `json:"revision"`
	Status   int             `json:"status"`
}

// audited are the records that a query finds, newest first.
func (g *gateway) audited(query string) []auditRecord {
	g.t.Helper()
	var l struct{ Data []auditRecord }
	a := g.api("GET", "audit?"+query, "")
	if err := json.Unmarshal([]byte(a.body), &l); err != nil || a.status != 200 {
		g.t.Fatalf("audit: %d %s %v", a.status, a.body, err)
	}
	return l.Data
}

// verdict is what the gateway says of the chain.
func (g *gateway) verdict() (ok bool, count int64, broken *int64) {
	g.t.Helper()
	var v struct {
		OK     bool
		Count  int64
		Broken *int64
	}
	a := g.api("GET", "audit/verify", "")
	if err := json.Unmarshal([]byte(a.body), &v); err != nil || a.status != 200 {
		g.t.Fatalf("verify: %d %s %v", a.status, a.body, err)
	}
	return v.OK, v.Count, v.Broken
}

const auditedConfig = `providers: {play: {kind: mock}}
models: {fast: {targets: [{model: play/echo}]}}
`

// Whatever is changed is in the trail once, by whom and without secrets, over
// kills and restarts; what is changed in the database is found.
func TestAudit(t *testing.T) {
	g := start(t, auditedConfig)
	var secrets []string
	make := func(method, path, body string, status int) answer {
		t.Helper()
		a := g.api(method, path, body)
		if a.status != status {
			t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
		}
		var made struct{ ID, Key string }
		if json.Unmarshal([]byte(a.body), &made) == nil && made.Key != "" {
			secrets = append(secrets, made.Key)
		}
		return a
	}
	idOf := func(a answer) string {
		var made struct{ ID string }
		_ = json.Unmarshal([]byte(a.body), &made)
		return made.ID
	}
	make("POST", "teams", `{"name":"victim"}`, 201)
	old := idOf(make("POST", "keys", `{"team":"victim","name":"app"}`, 201))
	fresh := idOf(make("POST", "keys/"+old+"/rotate", `{"grace":"10m"}`, 201))
	make("DELETE", "keys/"+old, "", 204)
	make("POST", "prompts/mood/publish", `{"source":"---\nmodel: fast\n---\nSay one\n"}`, 201)
	make("PUT", "prompts/mood/labels", `{"staging":1}`, 200)
	make("POST", "providers/play/breakers/echo", `{"state":"open"}`, 200)
	make("DELETE", "cache?prefix=", "", 200)
	make("POST", "reload", "", 200)
	make("POST", "reload/none", "", 404) // no route, no record

	rotated := g.audited("action=key.rotate")
	if len(rotated) != 1 || !strings.Contains(string(rotated[0].Before), old) || !strings.Contains(string(rotated[0].After), fresh) ||
		rotated[0].Actor != "admin.token" || rotated[0].Role != "admin" || rotated[0].IP != "127.0.0.1" || rotated[0].Status != 201 {
		t.Errorf("rotation: %+v", rotated)
	}
	under := map[string]string{} // the action that was done under a revision
	for _, r := range g.audited("limit=1000") {
		if r.Revision == "" && r.Actor != "sluice" { // which makes the first key before anything is in force
			t.Errorf("%s was done under no revision", r.Action)
		}
		under[r.Action] = r.Revision
	}
	if under["team.create"] == under["key.create"] || under["key.create"] == under["key.rotate"] {
		t.Errorf("revisions stay although teams and keys change: %v", under)
	}
	if got := g.audited("action=prompt.label"); len(got) != 1 || string(got[0].After) != `{"production":1,"staging":1}` {
		t.Errorf("label: %+v", got)
	}
	if got := g.audited("action=breaker"); len(got) != 1 || !strings.Contains(string(got[0].Before), `"closed"`) || !strings.Contains(string(got[0].After), `"open"`) {
		t.Errorf("breaker: %+v", got)
	}
	g.signal(syscall.SIGHUP)
	if !eventually(5*time.Second, func() bool { return len(g.audited("actor=signal")) == 1 }) {
		t.Error("a reload by a signal has no record")
	}
	g.configure(head + auditedConfig + "teams: {more: {}}\n")
	if !eventually(5*time.Second, func() bool { return len(g.audited("actor=file&action=config.reload")) > 0 }) {
		t.Error("a reload by a changed file has no record")
	} else if r := g.audited("actor=file&action=config.reload")[0]; !strings.Contains(string(r.Before), r.Revision) || strings.Contains(string(r.After), r.Revision) {
		t.Errorf("a reload was done under the revision %q: from %s to %s", r.Revision, r.Before, r.After)
	}
	g.kill()
	g.start()
	ok, count, _ := g.verdict()
	if all := g.audited("limit=1000"); !ok || count != int64(len(all)) || len(all) < 11 {
		t.Errorf("after a kill: ok %v, %d of %d records", ok, count, len(all))
	}
	trail := g.api("GET", "audit?limit=1000", "").body
	for _, secret := range append(secrets, adminToken) {
		if strings.Contains(trail, secret) || strings.Contains(g.stderr.String(), secret) {
			t.Errorf("the trail or the log holds %s", secret)
		}
	}
	g.auditCommand()
	seq := g.audited("action=team.create")[0].Seq
	g.tamperWith(`"resource":"teams/victim"`, `"resource":"teams/culpri"`)
	if ok, n, broken := g.verdict(); ok || broken == nil || *broken != seq || n != seq-1 {
		t.Errorf("what was changed in the database is not found: ok %v, %d good, %v, want %d", ok, n, broken, seq)
	}
}

// auditCommand looks at the trail from the shell.
func (g *gateway) auditCommand() {
	g.t.Helper()
	for args, want := range map[string]string{"--verify": "ok: ", "--action key.rotate": "key.rotate"} {
		cmd := exec.Command(binary, append([]string{"audit", "--admin", "http://" + g.admin, "--token", adminToken}, strings.Fields(args)...)...)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			g.t.Errorf("sluice audit %s: %v %s", args, err, out)
		}
	}
}

// tamperWith puts other words of the same length into a record, as somebody who
// may write the database's file.
func (g *gateway) tamperWith(was, is string) {
	g.t.Helper()
	if code := g.stop(); code != 0 {
		g.t.Fatalf("exit code %d", code)
	}
	path := filepath.Join(g.dir, "data", "sluice.db")
	b, err := os.ReadFile(path)
	if err != nil {
		g.t.Fatal(err)
	}
	if n := bytes.Count(b, []byte(was)); n != 1 {
		g.t.Fatalf("the record is %d times in the database", n)
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte(was), []byte(is), 1), 0o600); err != nil {
		g.t.Fatal(err)
	}
	g.start()
}

// While no record can be written nothing is changed, and the answer says why.
func TestNoChangeWithoutAuditRecord(t *testing.T) {
	t.Parallel() // it waits most of its time
	g := start(t, auditedConfig+team)
	if a := g.chat(chatBody("fast", "hello", "")); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	goOn := g.stopStore(writerLock)
	a := g.api("POST", "providers/play/breakers/echo", `{"state":"open"}`)
	if a.status != 503 || !strings.Contains(a.body, "audit record") || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := g.chat(chatBody("fast", "hello", "")); a.status != 200 {
		t.Errorf("the breaker was set: %d %s", a.status, a.body)
	}
	goOn()
	if !eventually(10*time.Second, func() bool { return g.api("POST", "providers/play/breakers/echo", `{"state":"open"}`).status == 200 }) {
		t.Error("changes are refused when the store is back")
	}
	ok, count, _ := g.verdict()
	if got := g.audited("action=breaker"); !ok || len(got) != 1 {
		t.Error(fmt.Sprint(ok, count, got))
	}
}
