package e2e

import (
	"net/url"
	"strings"
	"testing"
)

// office is a rule: the owner only, from Monday to Friday, from eight to six by the
// clock of the caller's team, from an address of the office.
const office = `request.params.owner == caller.user && cidr("10.20.0.0/16").containsIP(caller.ip) && ` +
	`now.getDayOfWeek(` + zones + `) in [1, 2, 3, 4, 5] && now.getHours(` + zones + `) >= 8 && now.getHours(` + zones + `) < 18`

const zones = `{"shop": "Europe/Berlin", "lab": "America/New_York", "far": "Asia/Kathmandu"}[caller.team]`

// The rule's table of truth, at times that are given, with what decides each row.
func TestRouteOfficeHours(t *testing.T) {
	g, _, _ := startAuth(t, `routes:
  - {name: files, match: {path: "/files/{owner}/**"}, BACKEND, auth: {require: ["jwt:corp"], roles: [staff], scopes: [files], allow: '`+office+`'}}
`)
	const allow, role, scope = "routes.files.auth.allow: " + office, "routes.files.auth.roles: staff", "routes.files.auth.scopes: files"
	const in = "10.20.30.40"
	rows := []struct {
		what, path, team, user, roles, scopes, ip, at string
		want                                          bool
		by                                            string
	}{
		// Who: 2026-11-30 is a Monday, and Berlin an hour ahead of UTC.
		{"the owner", "/files/ann/x", "shop", "ann", "staff", "files", in, "2026-11-30T10:00:00+01:00", true, allow},
		{"somebody else", "/files/ann/x", "shop", "bob", "staff", "files", in, "2026-11-30T10:00:00+01:00", false, allow},
		{"somebody else's own", "/files/bob/x", "shop", "bob", "staff", "files", in, "2026-11-30T10:00:00+01:00", true, allow},
		{"another case", "/files/Ann/x", "shop", "ann", "staff", "files", in, "2026-11-30T10:00:00+01:00", false, allow},
		{"nobody", "/files/ann/x", "shop", "", "staff", "files", in, "2026-11-30T10:00:00+01:00", false, allow},
		{"a beginning of the name", "/files/anna/x", "shop", "ann", "staff", "files", in, "2026-11-30T10:00:00+01:00", false, allow},
		{"escaped", "/files/%61nn/x", "shop", "ann", "staff", "files", in, "2026-11-30T10:00:00+01:00", true, allow},
		{"by a detour", "/files/ann/../bob/x", "shop", "ann", "staff", "files", in, "2026-11-30T10:00:00+01:00", false, allow},
		{"a detour home", "/files/bob/../ann/x", "shop", "ann", "staff", "files", in, "2026-11-30T10:00:00+01:00", true, allow},
		{"without the role", "/files/ann/x", "shop", "ann", "guest", "files", in, "2026-11-30T10:00:00+01:00", false, role},
		{"without any role", "/files/ann/x", "shop", "ann", "", "files", in, "2026-11-30T10:00:00+01:00", false, role},
		{"with another role beside", "/files/ann/x", "shop", "ann", "guest,staff", "files", in, "2026-11-30T10:00:00+01:00", true, allow},
		{"without the scope", "/files/ann/x", "shop", "ann", "staff", "mail", in, "2026-11-30T10:00:00+01:00", false, scope},
		{"without role and scope", "/files/ann/x", "shop", "ann", "", "", in, "2026-11-30T10:00:00+01:00", false, role},
		// Whence.
		{"the first address", "/files/ann/x", "shop", "ann", "staff", "files", "10.20.0.0", "2026-11-30T10:00:00+01:00", true, allow},
		{"the last address", "/files/ann/x", "shop", "ann", "staff", "files", "10.20.255.255", "2026-11-30T10:00:00+01:00", true, allow},
		{"the one before", "/files/ann/x", "shop", "ann", "staff", "files", "10.19.255.255", "2026-11-30T10:00:00+01:00", false, allow},
		{"the one after", "/files/ann/x", "shop", "ann", "staff", "files", "10.21.0.0", "2026-11-30T10:00:00+01:00", false, allow},
		{"from home", "/files/ann/x", "shop", "ann", "staff", "files", "192.0.2.1", "2026-11-30T10:00:00+01:00", false, allow},
		{"over IPv6", "/files/ann/x", "shop", "ann", "staff", "files", "2001:db8::1", "2026-11-30T10:00:00+01:00", false, allow},
		// When, by the hour.
		{"before eight", "/files/ann/x", "shop", "ann", "staff", "files", in, "2026-11-30T07:59:59+01:00", false, allow},
		{"at eight", "/files/ann/x", "shop", "ann", "staff", "files", in, "2026-11-30T08:00:00+01:00", true, allow},
		{"before six", "/files/ann/x", "shop", "ann", "staff", "files", in, "2026-11-30T17:59:59+01:00", true, allow},
		{"at six", "/files/ann/x", "shop", "ann", "staff", "files", in, "2026-11-30T18:00:00+01:00", false, allow},
		{"at midnight", "/files/ann/x", "shop", "ann", "staff", "files", in, "2026-11-30T00:00:00+01:00", false, allow},
		// By the day.
		{"on Sunday", "/files/ann/x", "shop", "ann", "staff", "files", in, "2026-11-29T10:00:00+01:00", false, allow},
		{"on Tuesday", "/files/ann/x", "shop", "ann", "staff", "files", in, "2026-12-01T10:00:00+01:00", true, allow},
		{"on Friday", "/files/ann/x", "shop", "ann", "staff", "files", in, "2026-12-04T17:00:00+01:00", true, allow},
		{"on Saturday", "/files/ann/x", "shop", "ann", "staff", "files", in, "2026-12-05T10:00:00+01:00", false, allow},
		// By the zone of the team, whatever the time is written in.
		{"in summer at eight", "/files/ann/x", "shop", "ann", "staff", "files", in, "2026-07-06T06:00:00Z", true, allow},
		{"in summer before eight", "/files/ann/x", "shop", "ann", "staff", "files", in, "2026-07-06T05:59:59Z", false, allow},
		{"in winter at that time", "/files/ann/x", "shop", "ann", "staff", "files", in, "2026-11-30T06:00:00Z", false, allow},
		{"at the lab, at eight", "/files/ann/x", "lab", "ann", "staff", "files", in, "2026-11-30T13:00:00Z", true, allow},
		{"at the lab, before eight", "/files/ann/x", "lab", "ann", "staff", "files", in, "2026-11-30T12:59:59Z", false, allow},
		{"at the lab, when Berlin has closed", "/files/ann/x", "lab", "ann", "staff", "files", in, "2026-11-30T22:59:59Z", true, allow},
		{"at the lab, at six", "/files/ann/x", "lab", "ann", "staff", "files", in, "2026-11-30T23:00:00Z", false, allow},
		{"at the lab on Friday, Saturday by UTC", "/files/ann/x", "lab", "ann", "staff", "files", in, "2026-12-05T00:30:00+02:00", true, allow},
		{"far away, by a zone of three quarters", "/files/ann/x", "far", "ann", "staff", "files", in, "2026-11-30T02:15:00Z", true, allow},
		{"far away, a second earlier", "/files/ann/x", "far", "ann", "staff", "files", in, "2026-11-30T02:14:59Z", false, allow},
		{"of a team without a zone", "/files/ann/x", "other", "ann", "staff", "files", in, "2026-11-30T10:00:00+01:00", false, allow},
		{"of no team", "/files/ann/x", "", "ann", "staff", "files", in, "2026-11-30T10:00:00+01:00", false, allow},
	}
	if len(rows) < 40 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	for _, c := range rows {
		q := url.Values{"path": {c.path}, "team": {c.team}, "user": {c.user}, "roles": {c.roles}, "scopes": {c.scopes}, "ip": {c.ip}, "at": {c.at}}
		r := g.api("GET", "explain?"+q.Encode(), "")
		d := r.get("permission")
		if r.status != 200 || d.Get("allowed").Bool() != c.want || d.Get("rule").String() != c.by {
			t.Errorf("%s: %d, allowed %v by %s; want %v by %s", c.what, r.status, d.Get("allowed"), d.Get("rule"), c.want, c.by)
		}
		if !c.want && strings.TrimSpace(d.Get("why").String()) == "" {
			t.Errorf("%s: nobody is told why", c.what)
		}
	}
}
