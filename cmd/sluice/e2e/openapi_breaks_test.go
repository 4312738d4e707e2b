package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// specOf is an OpenAPI document of one operation; more is what its answer has
// beside an id.
func specOf(version, params, more string) string {
	return `{"openapi":"` + version + `","info":{"title":"o","version":"1"},"paths":{"/orders":{"get":{"parameters":[` + params + `],
"responses":{"200":{"description":"ok","content":{"application/json":{"schema":{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}` + more + `}}}}}}}}}}`
}

// A document that breaks the callers of a route does not come in force by the
// API, but by force; one that does not does. A changed file does, with a warning.
func TestBreakingDocument(t *testing.T) {
	b := startBackend(t, "a")
	b.says(map[string]string{"/orders": `application/json {"id":1}`})
	for _, version := range []string{"3.0.3", "3.1.0"} {
		t.Run(version, func(t *testing.T) {
			g := newGateway(t, "")
			doc := func(name, text string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			const q = `{"name":"q","in":"query","required":true,"schema":{"type":"string"}}`
			doc("one.json", specOf(version, "", ""))
			doc("wider.json", specOf(version, "", `,"at":{"type":"string"}`))
			doc("narrower.json", specOf(version, q, ""))
			g.configure(head + led + `routes:
  - {name: orders, match: {path: "/orders"}, backend: {http: {targets: ["` + b.URL + `"]}}, validate: {openapi: one.json, response: true}}
` + team)
			g.start()
			text := g.configText()
			with := func(name string) string { return strings.Replace(text, "one.json", name, 1) }
			if a := g.api("PUT", "config", with("wider.json")); a.status != 200 {
				t.Fatalf("a wider document: %d %s", a.status, a.body)
			}
			r := g.api("PUT", "config", with("narrower.json"))
			if r.status != 422 || r.get("code").Str != "invalid_configuration" || !strings.Contains(r.get("errors.0.message").Str, "route orders: GET /orders: ") ||
				!strings.Contains(r.body, "parameter q") || !strings.Contains(r.get("detail").Str, "force") {
				t.Errorf("a narrower one: %d %s", r.status, r.body)
			}
			if a := g.data("GET", "/orders", ""); a.status != 200 {
				t.Errorf("what was refused is in force: %d %s", a.status, a.body)
			}
			if a := g.api("PUT", "config?force=perhaps", with("narrower.json")); a.status != 400 {
				t.Errorf("force=perhaps: %d %s", a.status, a.body)
			}
			if err := os.WriteFile(filepath.Join(g.dir, "next.yaml"), []byte(with("narrower.json")), 0o600); err != nil {
				t.Fatal(err)
			}
			if stdout, stderr, code := g.sluice("diff", "-c", "next.yaml"); code != 1 || !strings.Contains(stdout, "! breaks callers: route orders: GET /orders: ") {
				t.Errorf("diff: %d %s%s", code, stdout, stderr)
			}
			if a := g.api("POST", "config/diff", with("wider.json")); a.get("breaks").Raw != "[]" {
				t.Errorf("what breaks nobody: %s", a.body)
			}
			if _, stderr, code := g.sluice("apply", "-c", "next.yaml"); code != 2 || !strings.Contains(stderr, "route orders: GET /orders: ") {
				t.Errorf("apply: %d %s", code, stderr)
			}
			if stdout, stderr, code := g.sluice("apply", "-c", "next.yaml", "--force"); code != 0 || !strings.Contains(stdout, "revision 3 is in force") {
				t.Errorf("apply by force: %d %s%s", code, stdout, stderr)
			}
			if a := g.data("GET", "/orders", ""); a.status != 422 {
				t.Errorf("the narrower one is not in force: %d %s", a.status, a.body)
			}
			for _, to := range []string{"1", "3", "1"} { // back, and back again
				if stdout, stderr, code := g.sluice("rollback", to); code != 0 {
					t.Errorf("rollback: %d %s%s", code, stdout, stderr)
				}
			}
			if a := g.data("GET", "/orders", ""); a.status != 200 {
				t.Errorf("after the rollback: %d %s", a.status, a.body)
			}
			doc("one.json", specOf(version, q, "")) // in place
			if !g.logs("the new document of a route breaks its callers") {
				t.Error("a changed file is not told of")
			}
			if a := g.data("GET", "/orders", ""); a.status != 422 {
				t.Errorf("a changed file is not in force: %d %s", a.status, a.body)
			}
		})
	}
}
