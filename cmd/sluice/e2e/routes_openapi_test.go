package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const shopAPI = `openapi: 3.1.0
info: {title: shop, version: "1"}
servers: [{url: "https://api.example.com/v2"}]
security: [{token: []}]
paths:
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get:
      operationId: readOrder
      security: []
      responses:
        "200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}, examples: {small: {value: {id: 1, lines: [2]}}, empty: {value: {id: 2, lines: []}}}}, application/xml: {schema: {$ref: "#/components/schemas/Order"}}}}
        "404": {description: none, content: {application/problem+json: {schema: {type: object, required: [title], properties: {title: {type: string}}}}}}
  /orders:
    post:
      operationId: makeOrder
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
      responses: {"201": {description: made, headers: {Location: {schema: {type: string, example: /orders/7}}}, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}}
components:
  securitySchemes: {token: {type: http, scheme: bearer}}
  schemas: {Order: {type: object, required: [id, lines], properties: {id: {type: integer}, lines: {type: array, items: {type: integer}, minItems: 0}}}}
`

// imports makes the configuration of a document and checks it.
func (g *gateway) imports(args ...string) {
	g.t.Helper()
	out, errs, code := g.sluice(append([]string{"import", "openapi", "specs/shop.yaml"}, args...)...)
	if code != 0 {
		g.t.Fatalf("import: %d %s", code, errs)
	}
	g.configure(head + out + team)
	if out, _, code := g.sluice("check", "-c", g.file()); code != 0 {
		g.t.Fatalf("check: %d %s", code, out)
	}
}

// A document becomes routes that are held against it.
func TestImportOpenAPI(t *testing.T) {
	b := startBackend(t, "a")
	b.says(map[string]string{"/base/orders/1": `application/json {"id":1,"lines":[]}`})
	g := newGateway(t, "")
	if err := os.Mkdir(filepath.Join(g.dir, "specs"), 0o700); err != nil {
		t.Fatal(err)
	}
	g.write("specs/shop.yaml", []byte(shopAPI))
	g.imports("--backend", b.URL+"/base")
	g.start()
	bare := func(method, path, body string) answer {
		t.Helper()
		r, err := g.send(method, "http://"+g.listen+path, body, "Content-Type", "application/json")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := bare("GET", "/v2/orders/1", ""); r.status != 200 || r.body != `{"id":1,"lines":[]}` {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := bare("HEAD", "/v2/orders/1", ""); r.status != 200 {
		t.Errorf("HEAD: %d", r.status)
	}
	if r := bare("GET", "/v2/orders/x", ""); r.status != 422 || !strings.Contains(r.body, "/path/id") {
		t.Errorf("a path that does not fit: %d %s", r.status, r.body)
	}
	if r := bare("POST", "/v2/orders", `{"id":1,"lines":[]}`); r.status != 401 {
		t.Errorf("without a key: %d %s", r.status, r.body)
	}
	if r := g.data("POST", "/v2/orders", `{"id":1}`); r.status != 422 || !strings.Contains(r.body, `"/lines"`) {
		t.Errorf("a body that does not fit: %d %s", r.status, r.body)
	}
	if r := g.data("POST", "/v2/orders", `{"id":1,"lines":[]}`); r.status != 200 || r.get("uri").Str != "/base/orders" {
		t.Errorf("a body that fits: %d %s", r.status, r.body)
	}
}

// TestMock: a document answers before there is a service, and what it answers
// keeps it.
func TestMock(t *testing.T) {
	g := newGateway(t, "")
	if err := os.Mkdir(filepath.Join(g.dir, "specs"), 0o700); err != nil {
		t.Fatal(err)
	}
	g.write("specs/shop.yaml", []byte(shopAPI))
	g.imports("--mock")
	text, err := os.ReadFile(g.file())
	if err != nil {
		t.Fatal(err)
	}
	all := "  - {name: all, match: {path: \"/all/**\"}, backend: {mock: {openapi: specs/shop.yaml, strip_prefix: /all}}, transform: {response: {headers: {set: {x-by: route}}}}}\nteams:"
	g.configure(strings.Replace(strings.ReplaceAll(string(text), "specs/shop.yaml}\n", "specs/shop.yaml, response: true}\n"), "teams:", all, 1))
	g.start()
	f := func(method, path, body string, status int, kind, want string, header ...string) http.Header {
		t.Helper()
		r := g.data(method, path, body, header...)
		if r.status != status || r.header.Get("Content-Type") != kind || !strings.Contains(r.body, want) || want == "" && r.body != "" {
			t.Errorf("%s %s %v: %d %s %s\nwant %d %s %s", method, path, header, r.status, r.header.Get("Content-Type"), r.body, status, kind, want)
		}
		return r.header
	}
	const problem = "application/problem+json"
	f("GET", "/v2/orders/1", "", 200, "application/json", `{"id":1,"lines":[2]}`)
	f("HEAD", "/v2/orders/1", "", 200, "application/json", "")
	if h := f("GET", "/v2/orders/1", "", 200, "application/json", `{"id":2,"lines":[]}`, "Prefer", "example=empty"); h.Get("Preference-Applied") != `example="empty"` || h.Get("Vary") != "Accept, Prefer" {
		t.Errorf("%v", h)
	}
	f("GET", "/v2/orders/1", "", 404, problem, `{"title":"title"}`, "Prefer", "code=404")
	f("GET", "/v2/orders/1", "", 400, problem, "has the answers 200, 404 here", "Prefer", "code=500")
	f("GET", "/v2/orders/1", "", 200, "application/xml", "<Order><id>1</id>", "Accept", "application/xml")
	f("GET", "/v2/orders/1", "", 406, problem, "application/json, application/xml", "Accept", "image/png")
	f("GET", "/v2/orders/x", "", 422, problem, "/path/id") // by validate, beside it
	if h := f("POST", "/v2/orders", `{"id":1,"lines":[]}`, 201, "application/json", `{"id":1,"lines":[1]}`); h.Get("Location") != "/orders/7" {
		t.Errorf("%v", h)
	}
	f("GET", "/all/customers", "", 404, problem, "no such path")
	if h := f("DELETE", "/all/orders/1", "", 405, problem, "does not do this"); h.Get("Allow") != "GET, HEAD" {
		t.Errorf("%v", h)
	}
	if h := f("GET", "/all/orders/x", "", 200, "application/json", `{"id":1`); h.Get("X-By") != "route" {
		t.Errorf("%v", h)
	}
	if r := g.api("GET", "routes", ""); !strings.Contains(r.body, `"backend":"mock"`) {
		t.Errorf("routes: %s", r.body)
	}
	g.write("specs/shop.yaml", []byte(strings.Replace(shopAPI, "{id: 1, lines: [2]}", "{id: 9, lines: [9]}", 1)))
	if !eventually(10*time.Second, func() bool { return strings.Contains(g.data("GET", "/v2/orders/1", "").body, `"id":9`) }) {
		t.Error("a changed document is not in force")
	}
}
