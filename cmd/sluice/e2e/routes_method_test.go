package e2e

import "testing"

const methodRoutes = `routes:
  - {name: read, match: {path: "/keyed/{id}", methods: [GET, POST]}, backend: {static: {body: read}}}
  - {name: write, match: {path: "/keyed/{id}", methods: [PUT], headers: {x-beta: "1"}}, backend: {static: {body: write}}}
  - {name: any, match: {path: "/keyed/**", host: any.example.com}, backend: {static: {body: any}}}
  - {name: versioned, match: {path: /old, methods: [GET]}, versioning: {by: path, default: "1", versions: {"1": {}, "2": {}}}, backend: {static: {body: old}}}
`

// A method that no route takes where others are taken is 405 and names them;
// what another route takes is that route's, and where nothing is, it is 404.
func TestRouteMethods(t *testing.T) {
	g := start(t, team+methodRoutes)
	for _, c := range []struct {
		method, path string
		header       []string
		status       int
		allow        string
	}{
		{"GET", "/keyed/x", nil, 200, ""},
		{"HEAD", "/keyed/x", nil, 200, ""},
		{"DELETE", "/keyed/x", nil, 405, "GET, HEAD, POST"},
		{"PUT", "/keyed/x", nil, 405, "GET, HEAD, POST"},
		{"DELETE", "/keyed/x", []string{"X-Beta", "1"}, 405, "GET, HEAD, POST, PUT"},
		{"PUT", "/keyed/x", []string{"X-Beta", "1"}, 200, ""},
		{"DELETE", "/keyed/x/y", nil, 404, ""},
		{"DELETE", "/v1/old", nil, 405, "GET, HEAD"},
		{"DELETE", "/v1/nothing", nil, 404, ""},
		{"DELETE", "/nothing", nil, 404, ""},
	} {
		a := g.data(c.method, c.path, "", c.header...)
		if a.status != c.status || a.header.Get("Allow") != c.allow {
			t.Errorf("%s %s %v: %d, Allow: %q", c.method, c.path, c.header, a.status, a.header.Get("Allow"))
		}
		if c.status == 405 && (a.get("code").String() != "method_not_allowed" || a.header.Get("Content-Type") != "application/problem+json") {
			t.Errorf("%s %s: %s", c.method, c.path, a.body)
		}
	}
}
