package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func TestRouteVersions(t *testing.T) {
	one, two := startBackend(t, "one"), startBackend(t, "two")
	f := func(b *backend) string { return `backend: {http: {targets: ["` + b.URL + `"]}}` }
	const each = `versions: {"1": {deprecated: 2026-06-01, sunset: 2999-01-01, link: "https://example.com/migrate"}, "0": {sunset: 2020-01-01, link: "https://example.com/gone"}}`
	family := func(name, by string) string {
		path := `path: "/` + name + `/**"`
		return `
  - {name: ` + name + `-1, match: {` + path + `, version: "1"}, ` + f(one) + `, versioning: {` + by + `, ` + each + `}}
  - {name: ` + name + `-2, match: {` + path + `, version: "2"}, ` + f(two) + `}
  - {name: ` + name + `-0, match: {` + path + `, version: "0"}, backend: {static: {body: never}}}`
	}
	g := start(t, `routes:`+
		family("path", `by: path, default: "1"`)+family("head", `by: header, default: "1", unknown: default`)+
		family("query", `by: query, name: api, default: "1"`)+family("accept", `by: accept, default: "1"`)+family("strict", `by: header, name: X-V`)+`
  - {name: all, match: {path: "/all/{id}/x"}, `+f(one)+`, versioning: {by: path, keep: true, unknown: default, default: "3", versions: {"3": {}, "2026-01": {}}}}
  - {name: keyed, match: {path: /keyed, version: "1"}, backend: {static: {body: mine}}, auth: {require: [key]}, versioning: {by: header, default: "1"}}
  - {name: shadow, match: {path: "/v1/**"}, backend: {static: {body: other}}}
`+team)
	get := func(path string, status int, want string, header ...string) answer {
		t.Helper()
		r := g.data("GET", path, "", header...)
		if r.status != status || !strings.Contains(r.header.Get("X-Backend")+" "+r.body, want) {
			t.Errorf("%s %v: %d %s %s, want %d %s", path, header, r.status, r.header.Get("X-Backend"), r.body, status, want)
		}
		return r
	}
	get("/path/x", 200, "one GET /path/x")
	r := get("/v1/path/x?q=1", 200, "one GET /path/x?q=1")
	if r.header.Get("Deprecation") != "@1780272000" || r.header.Get("Sunset") != "Tue, 01 Jan 2999 00:00:00 GMT" ||
		fmt.Sprint(r.header["Link"]) != `[<https://example.com/migrate>; rel="deprecation" <https://example.com/migrate>; rel="sunset"]` {
		t.Errorf("deprecated: %v", r.header)
	}
	if r = get("/V2/path/x", 200, "two GET /path/x"); r.header.Get("Deprecation") != "" {
		t.Errorf("not deprecated: %v", r.header)
	}
	r = get("/v0/path", 410, "https://example.com/gone")
	if r.get("code").Str != "gone" || r.header.Get("Link") != `<https://example.com/gone>; rel="sunset"` {
		t.Errorf("gone: %v %s", r.header, r.body)
	}
	get("/v9/path/x", 404, `there is no version \"9\" here, but 0, 1, 2`)
	get("/v1/other", 200, "other")
	get("/all/7/x", 200, "one GET /all/7/x")
	get("/v3/all/7/x", 200, "one GET /v3/all/7/x")
	get("/v2026-01/all/7/x", 200, "one GET /v2026-01/all/7/x")
	get("/v7/all/7/x", 200, "one GET /v7/all/7/x")
	get("/vx/all/7/x", 404, "")

	if r = get("/head/x", 200, "one"); r.header.Get("Vary") != "X-Api-Version" {
		t.Errorf("Vary: %v", r.header)
	}
	get("/head/x", 200, "two", "X-API-Version", "2")
	get("/head/x", 200, "one", "X-API-Version", "9")
	get("/head/x", 410, "gone", "X-API-Version", "0")
	get("/query/x?api=2", 200, "two GET /query/x?api=2")
	get("/query/x", 200, "one")
	get("/query/x?api=9", 400, "no version")
	get("/strict/x", 400, "say which version it is to be: 0, 1, 2")
	get("/strict/x", 200, "two", "x-v", "2")

	get("/keyed", 200, "mine")
	get("/keyed", 200, "mine", "X-API-Version", "1")
	get("/keyed", 400, "no version", "X-API-Version", "2")

	for accept, want := range map[string]string{
		"application/json": "200 one", "application/json;version=2": "200 two", "application/vnd.shop.v2+json": "200 two",
		"application/json;version=2;q=0.5, application/json;version=1": "200 one", "application/json;version=9, application/json;version=2;q=0.1": "200 two",
		"*/*;q=0.1, application/json;version=2": "200 two", "application/json;version=9": "406 ", "application/json;version=2;q=0, application/json": "200 one",
	} {
		r := g.data("GET", "/accept/x", "", "Accept", accept)
		if got := fmt.Sprint(r.status, " ", r.header.Get("X-Backend")); got != want || r.header.Get("Vary") != "Accept" {
			t.Errorf("%s: %s %v, want %s", accept, got, r.header, want)
		}
	}
	m, _ := g.send("GET", "http://"+g.admin+"/metrics", "")
	for _, line := range []string{`{route="path-2",team="",version="2"} 1`, `{route="path-0",team="",version="0"} 1`, `{route="head-1",team="",version="1"} 2`,
		`{route="keyed",team="t",version="1"} 2`, `{route="keyed",team="",version="unknown"} 1`} {
		if !strings.Contains(m.body, "sluice_route_version_requests_total"+line) {
			t.Errorf("no %s", line)
		}
	}
	g.configure(head + `routes:
  - {name: a, match: {path: /a, version: "1"}, backend: {static: {}}}
  - {name: b, match: {path: /b, version: "1"}, backend: {static: {}}, versioning: {by: header, unknown: default, versions: {"2": {deprecated: 2026-02-01, sunset: 2026-01-01, link: here}}}}
  - {name: c, match: {path: /b, version: "3"}, backend: {static: {}}, versioning: {by: query}}
`)
	out, _, code := g.sluice("check", "-c", g.file())
	for _, want := range []string{"routes[0].match.version: want versioning", "versioning.unknown: want a default", "versions[2].sunset: a version is not gone", "versions[2].link: want an address",
		"no route has match.version 2", "routes[2].versioning: another route"} {
		if code != 2 || !strings.Contains(out, want) {
			t.Errorf("check says nothing of %q: %s", want, out)
		}
	}
}

// What is kept of one version is given for no other, however the version is said
// and whatever else the route's answers are told apart by; and those who keep
// answers between are told what they vary by.
func TestRouteVersionsCached(t *testing.T) {
	o := startOrigin(t)
	route := func(name, by, cache string) string {
		return `
  - {name: ` + name + `, match: {path: "/` + name + `/**"}, backend: {http: {targets: ["` + o.URL + `"]}}, cache: {ttl: 60s` + cache + `}, versioning: {` + by + `, versions: {"1": {}, "2": {}}}}`
	}
	g := start(t, `routes:`+route("query", `by: query, name: api, default: "1"`, ", query: [page]")+route("whole", `by: query, name: api, default: "1"`, "")+
		route("head", `by: header, default: "1"`, "")+route("accept", `by: accept, default: "1"`, "")+
		route("kept", `by: path, keep: true, default: "1"`, "")+route("path", `by: path, default: "1"`, ""))
	f := func(path, want string, header ...string) {
		t.Helper()
		if got := g.cached(t, path, header...); got != want {
			t.Errorf("%s %v: %q, want %q", path, header, got, want)
		}
	}
	f("/query/x", "miss answer 1")
	f("/query/x?api=1", "hit answer 1") // which is the same
	f("/query/x?api=2", "miss answer 2")
	f("/query/x?api=2&page=1", "miss answer 3")
	f("/query/x?y=1&api=2", "hit answer 2")
	f("/query/x", "hit answer 1")
	f("/query/x?api=9", "400 ")
	f("/whole/x?api=1", "miss answer 4")
	f("/whole/x?api=2", "miss answer 5")
	f("/whole/x?api=1", "hit answer 4")
	f("/head/x", "miss answer 6")
	f("/head/x", "miss answer 7", "X-API-Version", "2")
	f("/head/x", "hit answer 6", "X-API-Version", "1")
	f("/head/x", "hit answer 7", "X-API-Version", "2")
	f("/accept/x", "miss answer 8", "Accept", "application/json")
	f("/accept/x", "miss answer 9", "Accept", "application/json;version=2")
	f("/accept/x", "hit answer 9", "Accept", "application/vnd.shop.v2+json")
	f("/accept/x", "hit answer 8", "Accept", "application/json;version=1")

	o.asked.Store(0)
	f("/v1/kept/x", "miss answer 1")
	f("/v2/kept/x", "miss answer 2")
	f("/v1/kept/x", "hit answer 1")
	f("/kept/x", "hit answer 1")
	f("/v1/path/x", "miss answer 3")
	f("/v2/path/x", "miss answer 4")
	f("/V2/path/x", "hit answer 4")

	for range 2 { // the answer of the backend, then the kept one
		r := g.raw("GET", "/head/vary?Vary=Accept-Language", "", "X-API-Version", "2")
		said := strings.Join(r.header["Vary"], ", ")
		if r.status != 200 || strings.Count(said, "X-Api-Version") != 1 || strings.Count(said, "Accept-Language") != 1 {
			t.Errorf("%s: %d Vary: %q", r.header.Get("X-Sluice-Cache"), r.status, said)
		}
	}
	for _, c := range [][3]string{{"/head/x", "X-API-Version", "9"}, {"/accept/x", "Accept", "application/json;version=9"}} {
		want := map[string]string{"/head/x": "X-Api-Version", "/accept/x": "Accept"}[c[0]]
		if r := g.raw("GET", c[0], "", c[1], c[2]); r.status < 400 || r.header.Get("Vary") != want {
			t.Errorf("%s for a version that there is not: %d Vary: %q", c[0], r.status, r.header["Vary"])
		}
	}
	if r := g.raw("GET", "/query/x", ""); r.header.Get("Vary") != "" {
		t.Errorf("by the query it varies by %q", r.header["Vary"])
	}
}
