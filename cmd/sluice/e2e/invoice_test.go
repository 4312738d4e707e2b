package e2e

import (
	"encoding/csv"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the gateway has it too

	"github.com/tidwall/gjson"
)

// The invoice of a team and the team below it, in every form, through the
// admin API and from the data itself: the sum of the report.
func TestInvoice(t *testing.T) {
	g := start(t, providers+`billing: {time_zone: Pacific/Auckland}
teams:
  t: {keys: [{name: k, value: "`+teamKey+`"}]}
  sub: {parent: t, keys: [{name: k, value: sk-of-the-sub-team}]}
  idle: {parent: sub}
`)
	for range 3 {
		g.chat(chatBody("up/in-10_out-100", "hi", ""))
	}
	g.chat(chatBody("ant/in-1000_out-10", "hi", `,"user":"<b>=1+1"`), "Authorization", "Bearer sk-of-the-sub-team")
	g.waitCalls(4)
	zone, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		t.Fatal(err)
	}
	month := time.Now().In(zone).Format("2006-01")
	run := func(args ...string) string {
		t.Helper()
		out, stderr, code := g.sluice(append([]string{"invoice", "t"}, args...)...)
		if code != 0 {
			t.Errorf("invoice %v: exit code %d: %s", args, code, stderr)
		}
		return out
	}
	// 3 × (10 × $1 + 100 × $2 a million) and (1000 × $1 + 10 × $2).
	check := func(out string) {
		t.Helper()
		for path, want := range map[string]string{"total_usd": "0.00165", "rounded_usd": "0.00", "sections.#": "3", "time_zone": "Pacific/Auckland", "preliminary": "true",
			"sections.0.team": "t", "sections.0.subtotal_usd": "0.00063", "sections.0.lines.0.calls": "3", "sections.0.lines.0.output_tokens": "300",
			"sections.1.parent": "t", "sections.1.lines.0.values.1": "<b>=1+1", "sections.1.lines.0.usd_per_call": "0.00102", "sections.2.lines.#": "0"} {
			if got := gjson.Get(out, path).String(); got != want {
				t.Errorf("%s is %s, want %s, in %s", path, got, want, out)
			}
		}
		if from, err := time.Parse(time.RFC3339, gjson.Get(out, "from").String()); err != nil || from.In(zone).Format("2006-01-02T15:04") != month+"-01T00:00" {
			t.Errorf("from %v, %v", from, err)
		}
	}
	check(run("--month", month, "--by", "model,user", "--json"))
	if page := run("--month", month, "--by", "model,user", "--format", "html"); !strings.Contains(page, "Pacific/Auckland") || !strings.Contains(page, "&lt;b&gt;=1&#43;1") || strings.Contains(page, "<b>=") {
		t.Errorf("page: %s", page)
	}
	rows, err := csv.NewReader(strings.NewReader(run("--month", month, "--by", "user", "--format", "csv"))).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Errorf("csv: %v, %v", rows, err)
	}
	if out := run("--month", "2020-02"); !strings.Contains(out, "to pay: 0.00 USD (exactly 0)") {
		t.Errorf("a month without use: %s", out)
	}
	if a := g.api("GET", "invoices/t?format=html&month="+month, ""); a.status != 200 || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%d %v", a.status, a.header)
	}
	for _, args := range [][]string{{"nobody"}, {"t", "--month", "2099-01"}, {"t", "--by", "tag"}} {
		if _, _, code := g.sluice(append([]string{"invoice"}, args...)...); code == 0 {
			t.Errorf("invoice %v: exit code 0", args)
		}
	}
	g.stop()
	check(run("--month", month, "--by", "model,user", "--json", "--data", filepath.Join(g.dir, "data"), "-c", g.file()))
}
