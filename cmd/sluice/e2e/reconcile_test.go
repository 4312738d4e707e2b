package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// A provider's own exports, beside what the ledger has: alike, apart within a
// tolerance, and with what only one of them knows; in a time zone whose days are
// others.
func TestReconcile(t *testing.T) {
	g := start(t, providers+"billing: {time_zone: Asia/Kolkata}\n"+team)
	for range 2 {
		g.chat(chatBody("up/in-10_out-100", "hi", ""))
	}
	g.chat(chatBody("ant/in-1000_out-10", "hi", "")) // another provider's
	g.waitCalls(3)
	out, _, _ := g.sluice("report", "--by", "day", "--time-zone", "UTC", "--provider", "up", "--json")
	day, err := time.Parse(time.DateOnly, gjson.Get(out, "rows.0.day").String())
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(g.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	page := func(results string) string {
		return fmt.Sprintf(`{"object":"page","data":[{"object":"bucket","start_time":%d,"end_time":%d,"results":[%s]}],"has_more":false}`, day.Unix(), day.Unix()+86400, results)
	}
	usage := write("usage.json", page(`{"input_tokens":20,"output_tokens":200,"model":"in-10_out-100-2025-08-07"}`))
	costs := write("cost.csv", fmt.Sprintf("start_time,amount_value,amount_currency,line_item\n%d,0.00002,usd,\"in-10_out-100-2025-08-07, input\"\n%d,0.00041,usd,\"in-10_out-100-2025-08-07, output\"\n", day.Unix(), day.Unix()))
	run := func(want int, args ...string) (string, string) {
		t.Helper()
		out, stderr, code := g.sluice(append([]string{"report", "--provider", "up"}, args...)...)
		if code != want {
			t.Errorf("%v: exit code %d, want %d: %s%s", args, code, want, out, stderr)
		}
		return out, stderr
	}
	out, _ = run(0, "--reconcile", usage, "--json")
	if gjson.Get(out, "rows.#").Int() != 1 || gjson.Get(out, "rows.0.model").String() != "in-10_out-100" || gjson.Get(out, "total.output_tokens.there").Int() != 200 {
		t.Errorf("alike: %s", out)
	}
	if out, stderr := run(1, "--reconcile", usage, "--reconcile", costs); !strings.Contains(out, "-0.00001") || !strings.Contains(stderr, "1 of 1 rows drift by more than 0 %") {
		t.Errorf("apart: %s%s", out, stderr)
	}
	run(0, "--reconcile", costs, "--tolerance", "2.5%")
	if a := g.api("POST", "usage/reconcile?provider=up&tolerance=1", page(`{"input_tokens":20,"output_tokens":201,"model":"in-10_out-100"}`)); a.status != 200 ||
		a.get("apart").Int() != 0 || a.get("total.output_tokens.drift").Int() != -1 {
		t.Errorf("the admin API: %d %s", a.status, a.body)
	}
	other := write("other.json", page(`{"input_tokens":5,"output_tokens":1,"model":"never-called"}`))
	out, _ = run(1, "--reconcile", other, "--format", "json")
	if gjson.Get(out, "rows.0.only").String() != "here" || gjson.Get(out, "rows.1.only").String() != "there" || gjson.Get(out, "apart").Int() != 2 {
		t.Errorf("here and there: %s", out)
	}
	for _, args := range [][]string{{"--reconcile", g.file()}, {"--reconcile", "absent.json"}, {"--reconcile", usage, "--tolerance", "some"},
		{"--reconcile", usage, "--from", "2026-11-01T10:00:00Z"}, {"--reconcile", usage, "--verify"}, {"--reconcile", usage, "--provider", ""}} {
		run(2, args...)
	}
	g.stop()
	run(0, "--reconcile", usage, "--data", filepath.Join(g.dir, "data"), "-c", g.file())
}
