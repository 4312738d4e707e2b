package admin

import (
	"strings"
	"testing"
	"time"

	"sluice/billing"
)

func TestRouteVersions(t *testing.T) {
	w := newWorld()
	w.uses = []billing.VersionUse{{Route: "orders", Version: "1", Team: "research", Key: "research/ci", Requests: 7, Refused: 2, Last: testNow},
		{Route: "orders", Team: "=cmd()", Requests: 1, Last: testNow}}
	c := newClient(t, w, "admin")
	get := func(path string) string {
		t.Helper()
		r := c.do("GET", "/admin/v1/route-versions"+path, "")
		if r.Code != 200 {
			t.Fatalf("%s: %d %s", path, r.Code, r.Body)
		}
		return strings.TrimSpace(r.Body.String())
	}
	want := `{"from":"2026-11-01T00:00:00Z","to":"2026-12-01T00:00:00Z","rows":[` +
		`{"route":"orders","version":"1","team":"research","key":"research/ci","requests":7,"refused":2,"last":"2026-11-24T12:00:00Z","deprecated":null,"sunset":null},` +
		`{"route":"orders","version":"unknown","team":"=cmd()","key":"","requests":1,"refused":0,"last":"2026-11-24T12:00:00Z","deprecated":null,"sunset":null}]}`
	if got := get(""); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	want = "route,version,team,key,requests,refused,last,deprecated,sunset\norders,1,research,research/ci,7,2,2026-11-24T12:00:00Z,,\norders,unknown,'=cmd(),,1,0,2026-11-24T12:00:00Z,,"
	if got := get("?format=csv&route=orders&team=sales&key=sales/crm&from=2026-10-01&to=2026-10-02"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	asked := billing.VersionQuery{From: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 10, 2, 0, 0, 0, 0, time.UTC), Route: "orders", Team: "sales", Key: "sales/crm", Most: billing.LongestReport}
	if w.askedVersions != asked {
		t.Errorf("asked %+v", w.askedVersions)
	}
	c.problem("GET", "/admin/v1/route-versions?format=xml", "", 400, "invalid_request", "none of json, csv")
	c.problem("GET", "/admin/v1/route-versions?from=2026-10-02&to=2026-10-01", "", 400, "invalid_request", "is not before")
	c.problem("GET", "/admin/v1/route-versions?rout=x", "", 400, "invalid_request", "unknown query parameter")
	owner := newClient(t, w, "team-owner")
	if r := owner.do("GET", "/admin/v1/route-versions", ""); r.Code != 200 || w.askedVersions.Team != "research" {
		t.Errorf("a team-owner: %d, asked %+v", r.Code, w.askedVersions)
	}
	owner.problem("GET", "/admin/v1/route-versions?team=sales", "", 403, "permission_denied", "")
}
