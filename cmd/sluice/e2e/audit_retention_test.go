package e2e

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/gateway/audit"
	"sluice/store"
)

// past writes audit records of days ago, as a gateway did that ran then.
func (g *gateway) past(days ...int) {
	g.t.Helper()
	dir := filepath.Join(g.dir, "data")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		g.t.Fatal(err)
	}
	s, err := store.Open(g.t.Context(), "sqlite:"+filepath.Join(dir, "sluice.db"))
	if err != nil {
		g.t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // a test
	for _, n := range days {
		trail := audit.Trail{Store: s.Audit(), Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().AddDate(0, 0, -n) }}
		if err := trail.Note(g.t.Context(), audit.Record{Actor: "deploy", Action: "team.create", Resource: fmt.Sprintf("teams/past%d", n), Status: 201}); err != nil {
			g.t.Fatal(err)
		}
	}
}

// verifyFromShell is what sluice audit --verify prints, and whether it is well.
func (g *gateway) verifyFromShell() (string, bool) {
	g.t.Helper()
	out, err := exec.Command(binary, "audit", "--verify", "--admin", "http://"+g.admin, "--token", adminToken).CombinedOutput()
	return string(out), err == nil
}

// TestAuditRetention: records that are too old go, the chain is proven from where
// they end, and what somebody changes is found as before.
func TestAuditRetention(t *testing.T) {
	g := newGateway(t, "audit: {retention: 30d}\n")
	g.past(50, 40, 35, 20, 10)
	g.start()
	verify := func() gjson.Result { return gjson.Parse(g.api("GET", "audit/verify", "").body) }
	if !eventually(10*time.Second, func() bool { return verify().Get("from").Int() == 4 }) {
		t.Fatalf("old records are still kept: %s", verify().Raw)
	}
	v := verify()
	if !v.Get("ok").Bool() || v.Get("anchor.seq").Int() != 3 || v.Get("anchor.hash").String() == "" {
		t.Errorf("%s", v.Raw)
	}
	removed := g.audited("action=audit.remove")
	if len(removed) != 1 || removed[0].Actor != "sluice" || string(removed[0].After) != v.Get("anchor").Raw {
		t.Errorf("the removal's record is %+v", removed)
	}
	if all := g.audited("resource=teams"); len(all) != 2 {
		t.Errorf("left are %+v", all)
	}
	if out, ok := g.verifyFromShell(); !ok || !strings.Contains(out, " from record 4 on, which follows the hash "+v.Get("anchor.hash").String()) {
		t.Errorf("%v %s", ok, out)
	}
	if !strings.Contains(g.stderr.String(), "audit.remove") {
		t.Error("the log has no hash of the removal")
	}
	g.tamperWith(`"resource":"teams/past10"`, `"resource":"teams/past99"`)
	if out, ok := g.verifyFromShell(); ok || !strings.Contains(out, "broken at record 5") {
		t.Errorf("%v %s", ok, out)
	}
}

// TestAuditRetentionKeepsProof: records that somebody has changed are not removed.
func TestAuditRetentionKeepsProof(t *testing.T) {
	g := newGateway(t, "")
	g.past(50, 40, 10)
	g.start()
	g.tamperWith(`"resource":"teams/past40"`, `"resource":"teams/past99"`)
	if code := g.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	g.configure(head + "audit: {retention: 30d}\n")
	g.start()
	if !eventually(10*time.Second, func() bool { return strings.Contains(g.stderr.String(), "old audit records are still kept") }) {
		t.Error("the log does not say so")
	}
	if out, ok := g.verifyFromShell(); ok || !strings.Contains(out, "broken at record 2") {
		t.Errorf("%v %s", ok, out)
	}
}
