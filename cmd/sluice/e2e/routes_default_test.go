package e2e

import (
	"strings"
	"testing"
)

// Fields of requests and answers that are missing get their default; those that
// are there stay, whatever they are.
func TestRouteTransformDefault(t *testing.T) {
	b := startBackend(t, "a")
	b.says(map[string]string{"/list": `application/json {"items":[{"id":1},{"id":2,"state":null},{"id":3,"state":"sold"}]}`, "/text": "text/plain hello"})
	g := start(t, `routes:
  - name: orders
    match: {path: "/**"}
    backend: {http: {targets: ["`+b.URL+`"]}}
    transform:
      request: {body: {move: {old: new}, set: {by: gateway}, default: {limit: 20, "page.size": 5, new: [], by: nobody}, remove: [secret]}}
      response: {body: {default: {"items.*.state": open}}}
`+team)
	for body, want := range map[string]string{
		`{}`:                      `{"by":"gateway","limit":20,"new":[],"page":{"size":5}}`,
		`{"limit":null,"old":1}`:  `{"limit":null,"new":1,"by":"gateway","page":{"size":5}}`,
		`{"limit":0,"page":{}}`:   `{"limit":0,"page":{"size":5},"by":"gateway","new":[]}`,
		`{"page":{"size":"big"}}`: `{"page":{"size":"big"},"by":"gateway","limit":20,"new":[]}`,
		`{"page":7,"secret":1}`:   `{"page":7,"by":"gateway","limit":20,"new":[]}`,
	} {
		if r := g.data("POST", "/echo", body); r.status != 200 || r.get("body").Str != want {
			t.Errorf("%s: %d %s, want %s", body, r.status, r.get("body").Str, want)
		}
	}
	for body, code := range map[string]string{`{"a":`: "invalid_json", `[1]`: "invalid_request"} {
		if r := g.data("POST", "/echo", body); r.status != 400 || r.get("code").Str != code {
			t.Errorf("%s: %d %s, want 400 %s", body, r.status, r.body, code)
		}
	}
	if r := g.data("GET", "/list", ""); r.body != `{"items":[{"id":1,"state":"open"},{"id":2,"state":null},{"id":3,"state":"sold"}]}` {
		t.Errorf("an answer: %d %s", r.status, r.body)
	}
	if r := g.data("GET", "/text", ""); r.status != 200 || r.body != "hello" {
		t.Errorf("a text: %d %s", r.status, r.body)
	}
	g.configure(head + `routes:
  - {name: orders, match: {path: "/**"}, backend: {http: {targets: ["` + b.URL + `"]}}, transform: {request: {body: {default: {"a..b": 1}}}}}
`)
	if out, _, code := g.sluice("check", "-c", g.file()); code != 2 || !strings.Contains(out, "routes[0].transform.request.body.default: ") {
		t.Errorf("check: %d %s", code, out)
	}
}
