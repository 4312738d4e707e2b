package main

import (
	"strings"
	"testing"
)

const shopAPI = `openapi: 3.1.0
info: {title: "The shop\nroutes: []", version: "2"}
servers: [{url: "https://{region}.example.com/v2/", variables: {region: {default: eu}}}, {url: "https://us.example.com"}]
security: [{token: []}]
webhooks: {sold: {post: {responses: {"200": {description: ok}}}}}
paths:
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get: {operationId: readOrder, responses: {"200": {description: ok}}}
    delete: {security: [{login: [], token: []}], responses: {"204": {description: gone}}}
  /orders:
    get: {operationId: "list orders", security: [], responses: {"200": {description: ok}}}
    post: {operationId: list.orders, security: [{idp: [orders, "write:it"]}], deprecated: true, responses: {"200": {description: ok}}}
  /files/{name}.{kind}:
    parameters: [{name: name, in: path, required: true, schema: {type: string}}, {name: kind, in: path, required: true, schema: {type: string}}]
    get: {operationId: list-orders, servers: [{url: "https://files.example.com"}], security: [{}, {token: []}], responses: {"200": {description: ok}}}
  /odd/{a.b}:
    parameters: [{name: a.b, in: path, required: true, schema: {type: string}}]
    get: {security: [{named: [read]}, {cookie: []}, {cert: []}], responses: {"200": {description: ok}}}
    post: {security: [{named: []}, {cookie: [], cert: []}], responses: {"200": {description: ok}}}
components:
  securitySchemes:
    token: {type: http, scheme: bearer}
    jwt-s: {type: http, scheme: bearer, bearerFormat: JWT}
    login: {type: http, scheme: basic}
    idp: {type: openIdConnect, openIdConnectUrl: "https://id.example.com/.well-known/openid-configuration"}
    named: {type: oauth2, flows: {clientCredentials: {tokenUrl: "https://id.example.com/token", scopes: {read: r}}}}
    cookie: {type: apiKey, in: cookie, name: sid}
    cert: {type: mutualTLS}
`

// What comes out routes the operations, and check accepts it.
func TestImportOpenAPI(t *testing.T) {
	elsewhere(t)
	write(t, "specs/shop.yaml", shopAPI)
	checked := func(out string) {
		t.Helper()
		write(t, "sluice.yaml", out)
		sluice(t, "check").want(t, 0, "no faults", "")
	}
	r := sluice(t, "import", "openapi", "specs/shop.yaml")
	r.want(t, 0, `# The shop routes: [] 2, from specs/shop.yaml
# not carried over: the server https://us.example.com: targets of one route share its load
# not carried over: webhooks: the service makes them itself
auth:
  basic:
    login: {users: {}}   # name: bcrypt of the password
  jwt:
    idp: {issuer: "https://id.example.com"}
  oauth2:
    named: {introspect: "${NAMED_INTROSPECT:-https://issuer.invalid/introspect}"}`, "")
	for _, want := range []string{`
  # list-orders: not carried over: the segment {name}.{kind} is any one here; validate holds it against the document
  - name: list-orders
    match: {path: "/v2/files/*", methods: [GET]}
    backend: &service1 {http: {targets: ["https://files.example.com"], strip_prefix: /v2}}
    validate: {openapi: specs/shop.yaml}
`, `
  - name: list-orders-2
    match: {path: /v2/orders, methods: [GET]}
    backend: *service2
    validate: {openapi: specs/shop.yaml}
  # list.orders: not carried over: deprecated: true
  - name: list.orders
    match: {path: /v2/orders, methods: [POST]}
    backend: *service2
    auth: {require: ["jwt:idp"], scopes: [orders, "write:it"]}
`, `
  - name: readOrder
    match: {path: "/v2/orders/{id}", methods: [GET]}
    backend: *service2
    auth: {require: [key]}
`, `
  - name: delete-orders-id
    match: {path: "/v2/orders/{id}", methods: [DELETE]}
    backend: *service2
    auth: {require: ["basic:login", key], all: true}
`, `
  # get-odd-a.b: not carried over: the segment {a.b} is any one here; validate holds it against the document
  # get-odd-a.b: not carried over: sid in cookie: a key comes in Authorization: Bearer or x-api-key
  # get-odd-a.b: not carried over: mutualTLS: a key stands for it; with server.tls.client_ca, require: [mtls]
  # get-odd-a.b: not carried over: the scopes read: not all of its ways to sign in know scopes
  - name: get-odd-a.b
    match: {path: "/v2/odd/*", methods: [GET]}
    backend: &service2 {http: {targets: ["https://eu.example.com/v2"], strip_prefix: /v2}}
    auth: {require: ["oauth2:named", key]}
`, `1 more ways to sign in`} {
		if !strings.Contains(r.out, want) {
			t.Errorf("it lacks %s\n%s", want, r.out)
		}
	}
	checked(r.out)
	r = sluice(t, "import", "openapi", "specs/shop.yaml", "--backend", "http://127.0.0.1:9001/", "--prefix", "/shop")
	r.want(t, 0, `{http: {targets: ["http://127.0.0.1:9001"], strip_prefix: /shop}}`, "")
	r.want(t, 0, "list-orders: not carried over: its own server https://files.example.com", "")
	checked(r.out)
	r = sluice(t, "import", "openapi", "specs/shop.yaml", "--backend", "http://127.0.0.1:9001/base", "--prefix", "/")
	r.want(t, 0, "match: {path: /orders, methods: [GET]}", "")
	r.want(t, 0, `&service1 {http: {targets: ["http://127.0.0.1:9001/base"]}}`, "")
	checked(r.out)
}

// TestImportOpenAPIRefuses: what cannot be routed is told, with the way out.
func TestImportOpenAPIRefuses(t *testing.T) {
	elsewhere(t)
	const paths = "\npaths: {/a: {get: {responses: {\"200\": {description: ok}}}}}\n"
	for name, text := range map[string]string{
		"two":      "swagger: \"2.0\"\ninfo: {title: x, version: \"1\"}" + paths,
		"none":     "a: 1\n",
		"broken":   "{",
		"empty":    "openapi: 3.0.3\ninfo: {title: x, version: \"1\"}\npaths: {}\n",
		"homeless": "openapi: 3.0.3\ninfo: {title: x, version: \"1\"}\nservers: [{url: /v1}]" + paths,
		"outside":  "openapi: 3.0.3\ninfo: {title: x, version: \"1\"}\npaths: {/a: {$ref: other.yaml}}\n",
		"alike":    "openapi: 3.0.3\ninfo: {title: x, version: \"1\"}\nservers: [{url: \"http://h\"}]\npaths:\n  /f/{a}.x: {get: {parameters: &a [{name: a, in: path, required: true, schema: {type: string}}], responses: &r {\"200\": {description: ok}}}}\n  /f/{a}.y: {get: {parameters: *a, security: [{k: []}], responses: *r}}\ncomponents: {securitySchemes: {k: {type: http, scheme: bearer}}}\n",
		"faulty":   "openapi: 3.0.3\ninfo: {title: x, version: \"1\"}\npaths: {/a: {get: {}}}\n",
	} {
		write(t, name+".yaml", text)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"absent.yaml"}, "cannot read the document"},
		{[]string{"two.yaml"}, "it is Swagger 2"},
		{[]string{"none.yaml"}, "it is no OpenAPI document"},
		{[]string{"broken.yaml"}, "broken.yaml: "},
		{[]string{"empty.yaml"}, "it has no operations"},
		{[]string{"homeless.yaml"}, "GET /a: the document names no server with a host: give its address by --backend"},
		{[]string{"outside.yaml"}, "bring the files together in one first"},
		{[]string{"faulty.yaml"}, "responses"},
		{[]string{"alike.yaml"}, "GET /f/{a}.y: a route cannot tell it from get-f-a-.x, which has another"},
		{[]string{"homeless.yaml", "--backend", "localhost:9"}, "--backend: want an address such as"},
		{[]string{"homeless.yaml", "--prefix", "shop"}, "want a path that begins with /"},
	} {
		sluice(t, append([]string{"import", "openapi"}, c.args...)...).want(t, 2, "", c.says)
	}
	sluice(t, "import", "openapi", "homeless.yaml", "--backend", "http://127.0.0.1:1").want(t, 0, "path: /v1/a", "")
}
