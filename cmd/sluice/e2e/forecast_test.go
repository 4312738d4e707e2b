package e2e

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/store"
)

// A forecast has its band wherever it is shown, once there are days to tell it
// from: of a team, a key, and in each unit.
func TestForecastBand(t *testing.T) {
	g := newGateway(t, providers+`teams:
  t: {budget: {usd: 5000, per: 30d}, keys: [{name: k, value: "`+teamKey+`", budget: {requests: 5000, per: 14d}}]}
  new: {budget: {usd: 5, per: 30d}}
`)
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(g.dir, "data", "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	var entries []billing.Entry
	for day := range 40 {
		for n := range 3 + day%5 {
			entries = append(entries, billing.Entry{Call: fmt.Sprint("old-", day, "-", n), Time: time.Now().AddDate(0, 0, -day), Team: "t", KeyID: "cfg_t/k", Key: "t/k",
				Model: "m", Cost: billing.Dollar * billing.Nano(1+day%7), Status: 200})
		}
	}
	if err := errors.Join(s.Ledger().Append(t.Context(), entries), s.Close()); err != nil {
		t.Fatal(err)
	}
	g.start()
	told := func() gjson.Result { return g.api("GET", "budgets?team=t", "").get("data.#(owner.team==t)") }
	if !eventually(20*time.Second, func() bool { return told().Get("forecast_high").Type == gjson.String }) {
		t.Fatalf("no band: %s", told().Raw)
	}
	for where, b := range map[string]gjson.Result{"admin": told(), "team": g.api("GET", "teams/t", "").get("budgets.0"), "caller": g.data("GET", "/v1/usage", "").get("budgets.#(owner.team==t)")} {
		spent, low, forecast, high := b.Get("spent").Float(), b.Get("forecast_low").Float(), b.Get("forecast").Float(), b.Get("forecast_high").Float()
		if spent <= 0 || low < spent || forecast < low || high <= forecast {
			t.Errorf("%s: %s", where, b.Raw)
		}
	}
	if b := g.api("GET", "budgets?team=new", "").get("data.0"); b.Get("forecast_low").Raw != "null" || b.Get("forecast_high").Raw != "null" {
		t.Errorf("without days: %s", b.Raw)
	}
	out, _, code := g.sluice("budget", "list", "--team", "t")
	head, rest, _ := strings.Cut(out, "\n")
	row, _, _ := strings.Cut(rest, "\n")
	if cells := strings.Fields(row); code != 0 || !strings.Contains(head, "FORECAST  ") || len(cells) < 5 || cells[0] != "team=t" || cells[len(cells)-3] == "-" {
		t.Errorf("%d %s", code, out)
	}
	b := g.browse()
	if r, err := b.client.PostForm("http://"+g.admin+"/sign-in", url.Values{"token": {adminToken}}); err != nil || r.Body.Close() != nil || r.StatusCode != 200 {
		t.Fatalf("sign-in: %v %v", r, err)
	}
	if a, err := b.send("GET", "http://"+g.admin+"/teams", ""); err != nil || a.status != 200 || !strings.Contains(a.body, "judging by the days before") {
		t.Errorf("the page: %d %v %s", a.status, err, a.body)
	}
}
