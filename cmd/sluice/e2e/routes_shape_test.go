package e2e

import (
	"net/http"
	"strings"
	"testing"
)

func TestRouteCORS(t *testing.T) {
	b := startBackend(t, "a")
	b.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*") // of which nothing is left
		b.serve(w, r)
	})
	g := start(t, `routes:
  - {name: app, match: {path: "/app/**", methods: [GET, PUT]}, backend: {http: {targets: ["`+b.URL+`"]}}, auth: {require: [key]},
     cors: {origins: ["https://app.example.com", "https://*.example.org"], expose: [X-Total], headers: [content-type, x-api-key], credentials: true, max_age: 1h}}
  - {name: open, match: {path: "/open/**"}, backend: {static: {body: hi}}, cors: {origins: ["*"]}}
`+team)
	const app = "https://app.example.com"
	preflight := func(path, origin, method, headers string) answer {
		return g.data("OPTIONS", path, "", "Origin", origin, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers, "Authorization", "")
	}
	r := preflight("/app/x", app, "PUT", "content-type")
	for name, want := range map[string]string{"Access-Control-Allow-Origin": app, "Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Methods": "GET, PUT",
		"Access-Control-Allow-Headers": "content-type, x-api-key", "Access-Control-Max-Age": "3600", "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"} {
		if r.status != 204 || r.header.Get(name) != want {
			t.Errorf("preflight: %d, %s: %q, want %q", r.status, name, r.header.Get(name), want)
		}
	}
	if b.hits.Load() != 0 {
		t.Error("a preflight reached the backend")
	}
	for _, r := range []answer{preflight("/app/x", "https://evil.org", "PUT", ""), preflight("/app/x", app, "PUT", "x-other")} {
		if r.status != 403 || r.header.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(r.body, "permission_denied") {
			t.Errorf("a refused preflight: %d %v %s", r.status, r.header, r.body)
		}
	}
	if r := preflight("/app/x", app, "DELETE", ""); r.status != 404 {
		t.Errorf("a preflight for what no route takes: %d", r.status)
	}
	r = g.data("GET", "/app/x", "", "Origin", "https://a.example.org")
	if r.status != 200 || r.header.Get("Access-Control-Allow-Origin") != "https://a.example.org" || r.header.Get("Access-Control-Expose-Headers") != "X-Total" || r.header.Get("Vary") != "Origin" {
		t.Errorf("an allowed page: %d %v", r.status, r.header)
	}
	r = g.data("GET", "/app/x", "", "Origin", app, "Authorization", "Bearer wrong")
	if r.status != 401 || r.header.Get("Access-Control-Allow-Origin") != app {
		t.Errorf("an error must be readable by the page: %d %v", r.status, r.header)
	}
	for _, origin := range []string{"https://evil.org", "null"} {
		if r = g.data("GET", "/app/x", "", "Origin", origin); r.status != 200 || r.header.Get("Access-Control-Allow-Origin") != "" || r.header.Get("Vary") != "Origin" {
			t.Errorf("%s: %d %v", origin, r.status, r.header)
		}
	}
	if r = g.data("GET", "/open/x", "", "Origin", "null"); r.header.Get("Access-Control-Allow-Origin") != "*" || r.header.Get("Vary") != "" {
		t.Errorf("open to all: %v", r.header)
	}
}
