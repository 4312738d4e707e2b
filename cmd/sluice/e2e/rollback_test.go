package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// Changes are rolled back from the command line under load: no call fails, what
// was is in force again, and who did it is on record.
func TestRollbackUnderLoad(t *testing.T) {
	g := start(t, led+providers+team+"models: {first: up/small}\n")
	second := strings.Replace(g.configText(), "first: up/small", "second: up/small", 1)
	l := g.startLoad("back", 8, 2*time.Millisecond)
	const times = 10
	for i := range times {
		g.putConfig(second, int64(2*i+2))
		g.serves("second", "first")
		stdout, stderr, code := g.sluice("rollback", "1", "--message", "second is slow")
		if want := fmt.Sprintf("revision %d is in force", 2*i+3); code != 0 || !strings.Contains(stdout, want) || !strings.Contains(stdout, "- models/second") {
			t.Fatalf("%d %s%s, want %q", code, stdout, stderr, want)
		}
		g.serves("first", "second")
	}
	complete, failed := l.stop()
	if len(failed) > 0 || len(complete) == 0 {
		t.Errorf("%d of %d calls failed, such as %s", len(failed), len(failed)+len(complete), failed[:min(3, len(failed))])
	}
	records := g.api("GET", "audit?limit=100", "").get(`data.#(action=="config.rollback")#`)
	last := records.Get("0")
	if records.Get("#").Int() != times || last.Get("actor").Str != "admin.token" || last.Get("status").Int() != 200 ||
		last.Get("before.revision").Str == "" || last.Get("before.revision").Str == last.Get("after.revision").Str {
		t.Errorf("records: %s", records.Raw)
	}
	list, _, code := g.sluice("rollback", "--list")
	if code != 0 || !strings.Contains(list, "second is slow") || strings.Count(list, "\n") != 2*times+2 {
		t.Errorf("the list: %d\n%s", code, list)
	}
	for _, c := range []struct {
		code int
		text string
		args []string
	}{{2, "no number", []string{"rollback", "x"}}, {2, "no number", []string{"rollback", "0"}}, {2, "arg", []string{"rollback"}}, {1, "99", []string{"rollback", "99"}}} {
		if stdout, stderr, code := g.sluice(c.args...); code != c.code || !strings.Contains(stderr, c.text) {
			t.Errorf("%v: %d %s%s", c.args, code, stdout, stderr)
		}
	}
	moved, err := g.send("POST", "http://"+g.admin+"/admin/v1/config/rollback", `{"to":1}`, "Authorization", "Bearer "+adminToken, "If-Match", `"0"`)
	if err != nil || moved.status != 412 {
		t.Errorf("from another state: %d %s %v", moved.status, moved.body, err)
	}
	g.serves("first", "second")
}

// What is rolled back at one replica is so at the others, under load, and stays
// so.
func TestReplicasRollBack(t *testing.T) {
	all := startDatabase(t).replicas(3, led+providers+team+"models: {first: up/small}\n")
	put := strings.Replace(all[0].configText(), "first: up/small", "second: up/small", 1)
	everywhere := func(model, not string) {
		t.Helper()
		for i, g := range all {
			if !eventually(60*time.Second, func() bool {
				return g.chat(chatBody(model, "hi", "")).status == 200 && g.chat(chatBody(not, "hi", "")).status == 404
			}) {
				t.Fatalf("replica %d does not serve %s alone", i, model)
			}
		}
	}
	all[0].putConfig(put, 2)
	everywhere("second", "first")
	var loads []*load
	for i, g := range all {
		loads = append(loads, g.startLoad(fmt.Sprint("back", i), 4, 2*time.Millisecond))
	}
	if stdout, stderr, code := all[1].sluice("rollback", "1"); code != 0 || !strings.Contains(stdout, "revision 3 is in force") {
		t.Fatalf("%d %s%s", code, stdout, stderr)
	}
	everywhere("first", "second")
	for i, l := range loads {
		if complete, failed := l.stop(); len(failed) > 0 || len(complete) == 0 {
			t.Errorf("replica %d: %d of %d calls failed, such as %s", i, len(failed), len(failed)+len(complete), failed[:min(3, len(failed))])
		}
	}
	for i, g := range all {
		if a := g.api("GET", "audit?limit=100", ""); gjson.Get(a.body, `data.#(action=="config.rollback")#|#`).Int() != 1 {
			t.Errorf("replica %d has the records %s", i, a.body)
		}
		if r := g.api("GET", "config/revisions", ""); r.get("data.0.revision").Int() != 3 || !r.get("data.0.running").Bool() {
			t.Errorf("replica %d: %s", i, r.body)
		}
	}
}
