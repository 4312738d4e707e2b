package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/prompts"
)

// heaviest is what a page may weigh; what it loads weighs some 20 KiB.
const heaviest = 180 << 10

// Whatever there is, a page shows so much of it that it stays short, and where
// the rest is.
func TestPagesStayShort(t *testing.T) {
	w := newWorld()
	w.rows = map[string][]billing.Row{}
	sums := billing.Sums{Calls: 12_345_678, Refused: 1_234_567, Errors: 234_567, Cached: 3_456_789, InputTokens: 123_456_789_012, OutputTokens: 23_456_789_012, USD: 123_456 * billing.Dollar, SavedUSD: billing.Dollar}
	for i := range 1000 {
		name := fmt.Sprintf("a-rather-long-name-of-somebody-%04d", i)
		sums.USD += billing.Dollar
		w.rows["user"] = append(w.rows["user"], billing.Row{Values: []string{name}, Sums: sums})
		for day := range 31 {
			w.rows["user,day"] = append(w.rows["user,day"], billing.Row{Values: []string{name, fmt.Sprintf("2026-10-%02d", 1+day)}, Sums: sums})
		}
		w.view.Teams = append(w.view.Teams, billing.Team{Name: fmt.Sprintf("unit-%04d", i), Parent: "sales", Source: "store"})
		gone := w.now.Add(-time.Duration(i+1) * time.Hour)
		w.view.Keys = append(w.view.Keys, billing.Key{ID: fmt.Sprintf("key_%04d", i), Team: "research", Name: fmt.Sprintf("app-%04d", i), Prefix: "sk-sl-0123456789ab", Source: "store"},
			billing.Key{ID: fmt.Sprintf("key_gone%04d", i), Team: "research", Name: fmt.Sprintf("gone-%04d", i), Prefix: "sk-sl-0123456789ab", Source: "store", Revoked: gone})
		one := applied(fmt.Sprintf("sub_%04d", i), "research", "sentiment", w.now.Add(-time.Duration(i)*time.Hour))
		if i%2 == 0 {
			one.Status = prompts.SubscriptionApproved
		}
		w.subs.list = append(w.subs.list, one)
		served := w.view.Prompts[0]
		served.Name = fmt.Sprintf("prompt-%04d", i)
		w.view.Prompts = append(w.view.Prompts, served)
	}
	b := signedIn(t, w.console(), "secret")
	want := func(path string, parts ...string) string {
		t.Helper()
		page := b.want(path, 200, parts...)
		if len(page) > heaviest {
			t.Errorf("%s is %d bytes", path, len(page))
		}
		return page
	}
	page := want("/reports?by=user", "800 rows more", "a-rather-long-name-of-somebody-0999", "a-rather-long-name-of-somebody-0800")
	if strings.Contains(page, "somebody-0799<") || strings.Index(page, "somebody-0999") > strings.Index(page, "somebody-0998") {
		t.Error("the dearest are not those that are shown, in their order")
	}
	page = want("/reports?by=user&across=day", "871 rows more", "a-rather-long-name-of-somebody-0999", "a-rather-long-name-of-somebody-0871")
	if strings.Contains(page, "somebody-0870<") {
		t.Error("the table across is longer than it may be")
	}
	want("/reports?by=user&across=day&figure=tokens", "rows more")
	page = want("/teams/research", ">app-0000<", ">app-0049<", `href="/teams/research?keys=50" rel="next"`, "100 keys revoked or expired, and more", "gone-0000<", "gone-0099<", `href="/teams/research?gone=100"`)
	if strings.Contains(page, "app-0050<") || strings.Contains(page, "gone-0100<") {
		t.Error("the page of a team has more keys than it may have")
	}
	want("/teams/research?keys=1000", ">ci<") // the last by name
	want("/teams/research?gone=900", "gone-0999<")
	page = want("/teams", `<td class="num">1001</td>`, ">unit-0000<", `href="/teams?from=150" rel="next"`)
	if strings.Contains(page, `"/teams/unit-0150"`) {
		t.Error("the page of teams has more than it may have")
	}
	want("/teams?from=900", `"/teams/unit-0999"`)
	want("/subscriptions", "<span>500</span>", `href="/subscriptions?pending=40" rel="next"`, `href="/subscriptions?decided=60" rel="next"`)
	want("/subscriptions?pending=480&decided=440")
	want("/prompts", ">prompt-0100<", `href="/prompts?from=200" rel="next"`)
	want("/prompts?from=1000")
	want("/")
}
