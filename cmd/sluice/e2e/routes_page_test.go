package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// A request to a route has its page, by the request id that its caller has: the
// route, its tries, what was decided, and what would be now.
func TestRouteRequestPage(t *testing.T) {
	b := startBackend(t, "a")
	g := newGateway(t, "")
	g.configure(strings.Replace(head, `admin: {token: "`+adminToken+`"}`, `admin: {token: "`+adminToken+`", tokens: [{value: owner-of-t-token, role: team-owner, team: t}, {value: owner-of-u-token, role: team-owner, team: u}]}`, 1) + `routes:
  - {name: tries, match: {path: "/tries/**"}, backend: {http: {targets: ["http://127.0.0.1:1", "` + b.URL + `"], balance: round-robin}}, auth: {require: [key]}}
  - {name: few, match: {path: "/few"}, backend: {static: {body: x}}, limits: {rate: 1/1h, per: route}}
  - {name: fails, match: {path: "/fails/**"}, backend: {http: {targets: ["` + b.URL + `"]}}}
` + team)
	g.start()
	for i := range 2 { // the first, or the second, comes to the target that is not there
		if r := g.data("GET", "/tries/x?secret=1", "", "X-Request-Id", fmt.Sprint("mine-", i)); r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	tried := g.api("GET", "requests/mine-0", "")
	if tried.get("attempts.#").Int() < 2 {
		tried = g.api("GET", "requests/mine-1", "")
	}
	for path, want := range map[string]string{"route.name": "tries", "route.method": "GET", "route.path": "/tries/x", "route.ip": "127.0.0.1", "status": "200", "team": "t", "key": "t/k",
		"attempts.#": "2", "attempts.0.code": "upstream_error", "attempts.1.status": "200", "operation": "route", "usd": "0", "source": "none"} {
		if got := tried.get(path).String(); got != want {
			t.Errorf("%s: %q, want %q in %s", path, got, want, tried.body)
		}
	}
	if strings.Contains(tried.body, "secret") {
		t.Errorf("it tells what was asked: %s", tried.body)
	}
	browser := g.browse()
	if r, err := browser.client.PostForm("http://"+g.admin+"/sign-in", url.Values{"token": {adminToken}}); err != nil || r.Body.Close() != nil || r.StatusCode != 200 {
		t.Fatalf("sign-in: %v %v", r, err)
	}
	page, err := browser.send("GET", "http://"+g.admin+"/requests/"+tried.get("id").Str, "")
	for _, part := range []string{"GET /tries/x", "t/k", "upstream_error", "2 attempts", b.URL, "a request for /tries/x is weighed between now"} {
		if err != nil || !strings.Contains(page.body, part) {
			t.Errorf("the page has no %q: %d %v %s", part, page.status, err, page.body)
		}
	}
	for id, c := range map[string]struct{ path, code, page string }{
		"passed":  {"/few", "", "It was answered"},
		"refused": {"/few", "rate_limit_exceeded", "no backend was asked"},
		"failed":  {"/fails/status/500", "", "The backend answered so"},
		"unknown": {"/tries/y", "invalid_api_key", "invalid_api_key"},
	} {
		if id == "refused" {
			g.raw("GET", "/few", "") // whichever comes first
		}
		g.raw("GET", c.path, "", "X-Request-Id", id)
		if id == "passed" {
			continue
		}
		r := g.api("GET", "requests/"+id, "")
		if r.status != 200 || r.get("code").Str != c.code || r.get("route.path").Str != c.path {
			t.Errorf("%s: %d %s", id, r.status, r.body)
		}
		page, err := browser.send("GET", "http://"+g.admin+"/requests/"+id, "")
		if err != nil || page.status != 200 || !strings.Contains(page.body, c.page) || !strings.Contains(page.body, "GET "+c.path) {
			t.Errorf("the page of %s: %d %v %s", id, page.status, err, page.body)
		}
	}
	g.whoSees(tried.get("id").Str)
}

// whoSees: the request of a team's key is found by a search for its id, by
// whoever may see what the team does.
func (g *gateway) whoSees(id string) {
	g.t.Helper()
	if l := g.api("GET", "requests?q="+id, ""); l.get("data.0.route.name").Str != "tries" || l.get("data.#").Int() != 1 {
		g.t.Errorf("a search finds %s", l.body)
	}
	for query, want := range map[string]int64{"requests?q=nobody": 0, "requests?q=" + id + "&status=500": 0, "requests": 0} {
		if l := g.api("GET", query, ""); l.status != 200 || l.get("data.#").Int() != want {
			g.t.Errorf("%s: %d %s", query, l.status, l.body)
		}
	}
	for token, status := range map[string]int{"owner-of-t-token": 200, "owner-of-u-token": 404} {
		if r, err := g.send("GET", "http://"+g.admin+"/admin/v1/requests/"+id, "", "Authorization", "Bearer "+token); err != nil || r.status != status {
			g.t.Errorf("%s: %d %s %v, want %d", token, r.status, r.body, err, status)
		}
	}
	if r := g.api("GET", "requests/nobody", ""); r.status != 404 {
		g.t.Errorf("a request that nobody made: %d %s", r.status, r.body)
	}
}
