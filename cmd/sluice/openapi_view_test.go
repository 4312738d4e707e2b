package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

const viewed = `auth: {basic: {staff: {users: {alice: "$2a$04$W4Dl5vTIFVtqZbtP1Z1AduELVCQ0r2yS7NDVKwFXxy1nKEyrL1lCG"}}}}
routes:
  - name: mobile
    match: {path: "/home/{id}", headers: {x-client: mobile}}
    auth: {require: [key, "basic:staff"]}
    backend:
      compose:
        calls:
          - {as: user, get: "http://127.0.0.1:1/users/{id}?l={query.lang}&l={query.lang}", allow: [id, address.city], headers: {X-User: "{headers.x-user}", X-Client: "{headers.x-client}"}}
          - {as: orders, get: "http://127.0.0.1:1/orders", allow: ["*.id", "*.items.0"], optional: true}
          - {as: news, get: "http://127.0.0.1:1/news"}
        answer: {user: "{user}", city: "{user.address.city}", zip: "{user.zip}", hi: "Hello {user.id}", one: 1, none: null, list: [1, "{news}"], orders: "{orders}", first: "{orders.0}", news: "{news.top}", asked: "{query.lang}"}
  - {name: written, match: {host: api.example.com, path: "/a/*/b/**", methods: [PUT, POST], query: {mode: "*"}}, backend: {compose: {calls: [{as: it, post: "http://127.0.0.1:1/x", body: {v: "{body.v}"}}]}}}
  - {name: bare, match: {path: /bare}, backend: {compose: {calls: [{as: it, get: "http://127.0.0.1:1/x"}]}}}
  - {name: plain, match: {path: /plain}, backend: {static: {body: x}}}
`

// The documents of views are sound OpenAPI, and say what the configuration does.
func TestOpenAPIView(t *testing.T) {
	elsewhere(t)
	write(t, "sluice.yaml", viewed)
	document := func(name string) string {
		t.Helper()
		r := sluice(t, "openapi", "view", name)
		r.want(t, 0, "", "")
		doc, err := parseOpenAPI([]byte(r.out))
		if err == nil {
			err = doc.Validate(t.Context())
		}
		if err != nil {
			t.Fatalf("%s is no OpenAPI document: %v\n%s", name, err, r.out)
		}
		return r.out
	}
	for _, c := range []struct{ route, path, want string }{
		{"mobile", "openapi", "3.1.0"},
		{"mobile", `paths./home/{id}.get.parameters.#(name=="id")`, `{"in":"path","name":"id","required":true,"schema":{"type":"string"}}`},
		{"mobile", `paths./home/{id}.get.parameters.#(name=="x-client")`, `{"in":"header","name":"x-client","required":true,"schema":{"enum":["mobile"],"type":"string"}}`},
		{"mobile", `paths./home/{id}.get.parameters.#(name=="lang")`, `{"in":"query","name":"lang","schema":{"type":"string"}}`},
		{"mobile", "paths./home/{id}.get.parameters.#", "4"},
		{"mobile", "security", `[{"key":[]},{"basic-staff":[]}]`},
		{"mobile", "ANSWER.required.#", "11"},
		{"mobile", "ANSWER.properties.user", `{"additionalProperties":false,"properties":{"address":{"additionalProperties":false,"properties":{"city":{}},"type":"object"},"id":{}},"type":"object"}`},
		{"mobile", "ANSWER.properties.city", `{}`},
		{"mobile", "ANSWER.properties.zip", `{"type":"null"}`},
		{"mobile", "ANSWER.properties.hi", `{"type":"string"}`},
		{"mobile", "ANSWER.properties.one", `{"enum":[1]}`},
		{"mobile", "ANSWER.properties.list", `{"maxItems":2,"minItems":2,"type":"array"}`},
		{"mobile", "ANSWER.properties.orders.anyOf.0.items.properties", `{"id":{},"items":{}}`},
		{"mobile", "ANSWER.properties.orders.anyOf.2", `{"type":"null"}`},
		{"mobile", "ANSWER.properties.first.anyOf.0.properties", `{"id":{},"items":{}}`},
		{"mobile", "ANSWER.properties.news", `{}`},
		{"mobile", "ANSWER.properties.asked", `{"anyOf":[{"type":"string"},{"type":"null"}]}`},
		{"written", "servers.0.url", "https://api.example.com"},
		{"written", "paths./a/{part2}/b/{rest}.put.operationId", "written"},
		{"written", "paths./a/{part2}/b/{rest}.post.operationId", "written-post"},
		{"written", "paths./a/{part2}/b/{rest}.post.requestBody.required", "true"},
		{"written", `paths./a/{part2}/b/{rest}.post.parameters.#(name=="mode").required`, "true"},
		{"bare", "paths./bare.get.parameters", ""},
		{"bare", "security", ""},
		{"bare", "paths./bare.get.responses.200.content.application/json.schema.properties", `{"it":{}}`},
	} {
		var compact json.RawMessage
		if err := json.Unmarshal([]byte(document(c.route)), &compact); err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(compact)
		path := strings.Replace(c.path, "ANSWER", "paths./home/{id}.get.responses.200.content.application/json.schema", 1)
		if got := gjson.GetBytes(text, path).String(); got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.route, c.path, got, c.want)
		}
	}
	sluice(t, "openapi", "view", "absent").want(t, 2, "", `there is no route "absent"`)
	sluice(t, "openapi", "view", "plain").want(t, 2, "", "is not compose")
}
