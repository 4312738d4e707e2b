package e2e

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const ordersAPI = `openapi: 3.1.0
info: {title: orders, version: "1"}
servers: [{url: "https://api.example.com/shop"}]
paths:
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get:
      parameters: [{name: full, in: query, schema: {type: boolean}}]
      responses: {"200": {description: ok, content: {application/json: {schema: {type: object, required: [uri, total]}}}}}
    post:
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
      responses: {"200": {description: ok, content: {application/json: {schema: {type: object, required: [uri]}}}}}
components: {schemas: {Order: {type: object, required: [lines], properties: {lines: {type: array, items: {type: integer}}}}}}
`

func TestRouteValidate(t *testing.T) {
	b := startBackend(t, "a")
	b.says(map[string]string{"/orders/9": `application/json {"uri":1}`})
	target := `backend: {http: {targets: ["` + b.URL + `"], strip_prefix: /`
	g := newGateway(t, `routes:
  - {name: schema, match: {path: "/s/**"}, `+target+`s}}, validate: {request: order.json}}
  - {name: api, match: {path: "/shop/**"}, `+target+`shop}}, validate: {openapi: specs/orders.yaml, response: true}}
  - {name: other, match: {path: "/else/**"}, `+target+`else}}, validate: {openapi: specs/orders.yaml}}
`+team)
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(g.dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("order.json", `{"type": "object", "required": ["lines"], "properties": {"lines": {"type": "array", "items": {"type": "integer"}}, "who/what": {"type": "string"}}}`)
	write("specs/orders.yaml", ordersAPI)
	g.env = []string{"SLUICE_SERVER__BODY_LIMIT=2000B"}
	g.start()

	if r := g.data("POST", "/s/x", `{"lines":[1],"more":true}`); r.status != 200 || r.get("body").Str != `{"lines":[1],"more":true}` {
		t.Errorf("a body that fits: %d %s", r.status, r.body)
	}
	hits := b.hits.Load()
	f := func(method, path, body string, status int, want string, header ...string) {
		t.Helper()
		r := g.data(method, path, body, header...)
		if r.status != status || !strings.Contains(r.body, want) || r.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s %s: %d %s\nwant %d %s", method, path, body, r.status, r.body, status, want)
		}
	}
	f("POST", "/s/x", `{"lines":[1,"2",3.5],"who/what":1}`, 422,
		`"errors":[{"pointer":"/lines/1","message":"must be integer, not string"},{"pointer":"/lines/2","message":"must be integer, not number"},{"pointer":"/who~1what","message":"must be string, not number"}]`)
	f("POST", "/s/x", `{}`, 422, `"errors":[{"pointer":"/lines","message":"is required"}]`)
	f("POST", "/s/x", `{"lines":`, 400, `"code":"invalid_json"`)
	f("POST", "/s/x", ``, 400, `"code":"invalid_json"`)
	f("POST", "/s/x", `{"lines":[],"lines":[1]}`, 400, `"code":"invalid_request"`)
	f("POST", "/s/x", `{}`, 415, `Content-Encoding`, "Content-Encoding", "gzip")
	f("POST", "/s/x", strings.Repeat(" ", 3000), 413, `2000 bytes`)
	f("POST", "/shop/orders/x?full=maybe", `{"lines":[""]}`, 422, `"pointer":"/path/id"`)
	f("POST", "/shop/orders/x", `{"lines":[""]}`, 422, `{"pointer":"/lines/0","message":"must be integer, not string"}`)
	f("GET", "/shop/orders/7?full=maybe", "", 422, `"pointer":"/query/full"`)
	f("POST", "/shop/orders/7", `{"lines":`, 400, `"code":"invalid_json"`)
	f("GET", "/shop/customers", "", 404, `"code":"not_found"`)
	f("DELETE", "/shop/orders/7", "", 405, `"code":"method_not_allowed"`)
	f("GET", "/else/orders/x", "", 422, `"pointer":"/path/id"`)
	if n := b.hits.Load() - hits; n != 0 {
		t.Errorf("%d requests that do not fit reached the backend", n)
	}
	f("GET", "/shop/orders/7", "", 502, `"errors":[{"pointer":"/total","message":"is required"}]`)
	if r := g.data("POST", "/shop/orders/7", `{"lines":[1]}`); r.status != 200 || r.get("uri").Str != "/orders/7" {
		t.Errorf("an answer that fits: %d %s", r.status, r.body)
	}
	if r := g.data("GET", "/else/orders/9?full=true", ""); r.status != 200 {
		t.Errorf("answers are checked unasked: %d %s", r.status, r.body)
	}

	write("specs/orders.yaml", strings.Replace(ordersAPI, "schemas/Order", "schemas/None", 1))
	out, _, code := g.sluice("check", "-c", g.file())
	if code != 2 || !strings.Contains(out, "routes[1].validate.openapi") || !strings.Contains(out, "None") {
		t.Errorf("check: %d %s", code, out)
	}
}

// An answer that is too large to be kept is whole for those who look into it.
func TestRouteValidateLarge(t *testing.T) {
	b := startBackend(t, "a")
	words := strings.Repeat("0123456789abcdef", 4096)
	b.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"uri":"/large","total":"`)
		for range 80 { // 5 MiB
			_, _ = io.WriteString(w, words)
		}
		_, _ = io.WriteString(w, `"}`)
	})
	g := newGateway(t, `routes: [{name: a, match: {path: "/orders/{id}"}, backend: {http: {targets: ["`+b.URL+`"]}}, validate: {openapi: orders.yaml, response: true}, cache: {ttl: 60s}}]
`)
	g.write("orders.yaml", []byte(ordersAPI))
	g.start()
	for range 2 {
		if r := g.raw("GET", "/orders/7", ""); r.status != 200 || r.body != `{"uri":"/large","total":"`+strings.Repeat(words, 80)+`"}` {
			t.Errorf("%d: %d bytes, %.200s", r.status, len(r.body), r.body)
		}
	}
}
