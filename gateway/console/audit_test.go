package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestAuditPage(t *testing.T) {
	w := newWorld()
	c := w.console()
	b := signedIn(t, c, "secret")
	b.want("/audit", 200, "Verified:", "all 1 records", "abcdef", ">sign-in</a>")
	for i := range 60 {
		if rec := b.do("POST", "/teams", b.form(url.Values{"name": {fmt.Sprintf("t%d", i)}})); rec.Code != 303 {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
	page := b.want("/audit", 200, "all 61 records", "teams/t59", "team.create", `href="/audit?after=12" rel="next"`, "192.0.2.1", "&#34;name&#34;: &#34;t59&#34;")
	if strings.Contains(page, "teams/t9<") {
		t.Error("a page has more than fifty records")
	}
	b.want("/audit?after=12", 200, "teams/t9<", "Newest")
	b.want("/audit?action=sign-in", 200, "All records", ">sign-in</a>")
	b.want("/audit?actor=nobody", 200, "No record fits")
	b.want("/audit?from=never", 400, "from")
	w.trail.bad = 7
	b.want("/audit", 200, "The chain is broken", "at record 7: its hash is not that of its content", "The 6 before it")
	w.trail.bad = 0
	w.trail.records[len(w.trail.records)-1].Seq = 2_000_000
	page = b.want("/audit", 200, "The newest record is number 2,000,000.", `href="/audit?verify=1"`)
	if strings.Contains(page, "Verified:") {
		t.Error("a long chain is verified without being asked")
	}
	b.want("/audit?verify=1", 200, "Verified:")
	owner := signedIn(t, c, "mine")
	owner.want("/audit", 403)
	if page := owner.want("/", 200); strings.Contains(page, `href="/audit"`) {
		t.Error("a team-owner is led to the audit trail")
	}
}

func TestSignInsAreRecorded(t *testing.T) {
	w := newWorld()
	c := w.console()
	b := signedIn(t, c, "secret")
	b.do("POST", "/sign-out", b.form(nil))
	other := &browser{t: t, handler: c}
	other.do("POST", "/sign-in", url.Values{"token": {"guessed"}})
	link := c.OneTimeLink()
	other.do("GET", link, nil)
	(&browser{t: t, handler: c}).do("GET", link, nil)
	var got []string
	for _, r := range w.trail.records {
		got = append(got, fmt.Sprintf("%s %s %s %d", r.Action, r.Actor, r.Resource, r.Status))
	}
	want := []string{"sign-in admin console 200", "sign-out admin console 200", "sign-in  console/token 401", "sign-in one-time link console 200", "sign-in  console/link 401"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Nobody gets in, and nothing is changed, while no record can be written.
func TestNothingWithoutARecord(t *testing.T) {
	w := newWorld()
	c := w.console()
	b := signedIn(t, c, "secret")
	w.trail.broken = true
	other := &browser{t: t, handler: c}
	if rec := other.do("POST", "/sign-in", url.Values{"token": {"secret"}}); rec.Code != http.StatusServiceUnavailable || other.cookie != nil {
		t.Errorf("sign-in: %d", rec.Code)
	}
	teams := len(w.view.Teams)
	if rec := b.do("POST", "/teams", b.form(url.Values{"name": {"new"}})); rec.Code != http.StatusServiceUnavailable || len(w.view.Teams) != teams || !strings.Contains(rec.Body.String(), "audit record") {
		t.Errorf("a team: %d %s", rec.Code, rec.Body)
	}
	if rec := b.do("POST", "/sign-out", b.form(nil)); rec.Code != 303 || b.cookie != nil {
		t.Errorf("sign-out must always work: %d", rec.Code)
	}
}
