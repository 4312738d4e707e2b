package mock

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"sluice/gateway/validate"
)

const document = `openapi: 3.1.0
info: {title: orders, version: "1"}
servers: [{url: "https://api.example.com/shop"}]
paths:
  /orders:
    get:
      responses:
        default: {description: broken, content: {application/problem+json: {schema: {type: object, required: [title], properties: {title: {type: string}, status: {type: integer}}}}}}
        "404": {$ref: "#/components/responses/None"}
        "200":
          description: ok
          headers: {X-Total: {required: true, schema: {type: integer, minimum: 7}}, X-Tags: {example: [a, b], schema: {type: array}}, Content-Type: {example: no, schema: {type: string}}, X-Bad: {example: "a\r\nb: c", schema: {type: string}}, X-Odd: {schema: {type: object}}}
          content:
            text/csv: {example: "id\n9007199254740993\n"}
            application/json:
              schema: {type: array, items: {$ref: "#/components/schemas/Order"}}
              examples: {two: {$ref: "#/components/examples/two"}, none: {value: []}, elsewhere: {externalValue: "https://example.com/x"}}
            application/xml: {schema: {$ref: "#/components/schemas/Order"}}
    post: {responses: {"201": {description: made, headers: {Location: {schema: {type: string, example: /orders/7}}}}, "303": {description: see}}}
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get: {responses: {"2XX": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}, "4XX": {$ref: "#/components/responses/None"}}}
    delete: {responses: {"204": {description: gone}}}
  /image: {get: {responses: {"200": {description: ok, content: {image/png: {schema: {type: object}}}}}}}
  /text: {get: {responses: {"200": {description: ok, content: {application/json: {example: '{"a": 1}', schema: {type: object}}, "*/*": {schema: {type: string}}}}}}}
  /moved: {get: {responses: {"302": {description: moved}, "500": {description: broken}}}}
components:
  responses:
    None: {description: none, content: {application/json: {examples: {none: {value: {error: no such order}}}}}}
  examples: {two: {value: [{id: 9007199254740993, lines: [1.10]}, {id: 2, lines: []}]}}
  schemas:
    Order:
      type: object
      required: [id, lines]
      properties:
        id: {type: integer, examples: [42]}
        lines: {type: array, items: {type: number, minimum: 0.5}, minItems: 2}
        note: {type: [string, "null"], default: none}
        state: {enum: [open, shipped]}
        secret: {type: string, writeOnly: true}
        parent: {$ref: "#/components/schemas/Order"}
`

func service(t testing.TB, text string) *Service {
	t.Helper()
	s, err := New([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestAnswer(t *testing.T) {
	s := service(t, document)
	const two = `[{"id":9007199254740993,"lines":[1.10]},{"id":2,"lines":[]}]`
	const none = `{"error":"no such order"}`
	for _, c := range []struct {
		request string
		header  http.Header
		status  int
		kind    string
		body    string // ...: what it begins with
		heads   string
	}{
		{"GET /orders", nil, 200, "application/json", two, "X-Total=7 X-Tags=a,b "},
		{"HEAD /orders", nil, 200, "application/json", two, "X-Total=7 X-Tags=a,b "},
		{"GET /shop/orders", nil, 200, "application/json", two, "X-Total=7 X-Tags=a,b "},
		{"GET /orders", header("Prefer", "example=none"), 200, "application/json", "[]", "X-Total=7 X-Tags=a,b "},
		{"GET /orders", header("Prefer", "respond-async; x=1, Code = 404"), 404, "application/json", none, ""},
		{"GET /orders", header("Prefer", "code=200", "Prefer", `example="none"`), 200, "application/json", "[]", "X-Total=7 X-Tags=a,b "},
		{"GET /orders", header("Prefer", "code=418"), 418, "application/problem+json", `{"title":"title","status":1}`, ""},
		{"GET /orders", header("Prefer", "dynamic=true"), 200, "application/json", `[{"id":42,"lines":[1,1],"note":"none","state":"open","parent":{...`, "X-Total=7 X-Tags=a,b "},
		{"GET /orders", header("Accept", "text/csv"), 200, "text/csv", "id\n9007199254740993\n", "X-Total=7 X-Tags=a,b "},
		{"GET /orders", header("Accept", "text/*;q=0.5, application/json;q=0.4"), 200, "text/csv", "id\n9007199254740993\n", "X-Total=7 X-Tags=a,b "},
		{"GET /orders", header("Accept", "*/*, application/json;q=0"), 200, "text/csv", "id\n9007199254740993\n", "X-Total=7 X-Tags=a,b "},
		{"GET /orders", header("Accept", "text/html, application/xml;q=0.9, */*;q=0.8"), 200, "application/xml", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Order><id>42</id>...", "X-Total=7 X-Tags=a,b "},
		{"GET /orders", header("Accept", "image/png"), 406, "", "text/csv", ""},
		{"GET /orders", header("Prefer", "example=elsewhere"), 400, "", "elsewhere", ""},
		{"GET /orders", header("Prefer", "example=x"), 400, "", "no such example", ""},
		{"GET /orders", header("Prefer", "code=404, example=two"), 400, "", "no such example", ""},
		{"GET /orders", header("Prefer", "code=100"), 400, "", "from 200 to 599", ""},
		{"GET /orders", header("Prefer", "code=x"), 400, "", "from 200 to 599", ""},
		{"POST /orders", nil, 201, "", "", "Location=/orders/7 "},
		{"POST /orders", header("Prefer", "code=404"), 400, "", "201, 303", ""},
		{"GET /orders/7", nil, 200, "application/json", `{"id":42,...`, ""},
		{"GET /orders/7", header("Prefer", "code=404"), 404, "application/json", none, ""},
		{"GET /orders/7", header("Prefer", "example=none"), 400, "application/json", none, ""},
		{"DELETE /orders/7", nil, 204, "", "", ""},
		{"GET /image", nil, 406, "", "image/png", ""},
		{"GET /text", nil, 200, "application/json", `{"a": 1}`, ""},
		{"GET /moved", nil, 302, "", "", ""},
		{"GET /none", nil, 0, "", validate.ErrNoPath.Error(), ""},
		{"PATCH /orders", nil, 0, "", validate.ErrNoMethod.Error(), ""},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		name := c.request + " " + strings.Join(c.header["Prefer"], ",") + strings.Join(c.header["Accept"], ",")
		a, err := s.Answer(&validate.Request{Method: method, Path: path, Header: c.header})
		var refused *Refusal
		switch {
		case errors.As(err, &refused):
			if refused.Status != c.status || c.kind != "" || !strings.Contains(refused.Message, c.body) {
				t.Errorf("%s: %d %s", name, refused.Status, refused.Message)
			}
			continue
		case err != nil:
			if c.status != 0 || err.Error() != c.body {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		heads := ""
		for _, h := range a.Headers {
			heads += h.Name + "=" + h.Value + " "
		}
		begin, partly := strings.CutSuffix(c.body, "...")
		fits := string(a.Body) == c.body || partly && strings.HasPrefix(string(a.Body), begin)
		if a.Status != c.status || a.Type != c.kind || !fits || heads != c.heads {
			t.Errorf("%s: %d %s %s %q\nwant %d %s %s %q", name, a.Status, a.Type, a.Body, heads, c.status, c.kind, c.body, c.heads)
		}
		if strings.Contains(string(a.Body), "secret") {
			t.Errorf("%s: what is only written is answered: %s", name, a.Body)
		}
	}
}

// What is made from a schema keeps it, by the validation that answers of real
// services go through.
func TestMadeAnswersKeepTheContract(t *testing.T) {
	for i, schema := range []string{
		`{type: object, required: [a, b], properties: {a: {type: string, minLength: 30, maxLength: 40}, b: {type: integer, minimum: 3, multipleOf: 5}}}`,
		`{type: array, uniqueItems: true, minItems: 3, items: {enum: [x, y, z]}}`,
		`{allOf: [{$ref: "#/components/schemas/Base"}, {type: object, required: [kind], properties: {kind: {const: cat}}}]}`,
		`{oneOf: [{type: object, required: [dog], properties: {dog: {type: boolean}}}, {type: "null"}]}`,
		`{type: string, format: uuid}`, `{type: string, format: date-time}`, `{type: string, pattern: "^[A-Z]{3}-\\d{4}$"}`,
		`{type: object, additionalProperties: {type: number}, minProperties: 2}`,
		`{type: [integer, "null"], exclusiveMinimum: 4, exclusiveMaximum: 6}`,
		`{$ref: "#/components/schemas/Tree"}`,
		`{type: object, required: [secret], properties: {secret: {type: string, writeOnly: true}}}`,
		`{type: object, properties: {example: {type: integer}, default: {type: boolean}, examples: {type: array, items: {type: string}}}}`,
	} {
		text := `openapi: 3.1.0
info: {title: x, version: "1"}
paths: {/x: {get: {responses: {"200": {description: ok, headers: {X-N: {required: true, schema: {type: integer, minimum: 3}}}, content: {application/json: {schema: ` + schema + `}}}}}}}
components: {schemas: {Base: {type: object, required: [name], properties: {name: {type: string, minLength: 2}}}, Tree: {type: object, required: [kids], properties: {kids: {type: array, items: {$ref: "#/components/schemas/Tree"}}}}}}
`
		s := service(t, text)
		q := &validate.Request{Method: "GET", Path: "/x", Header: http.Header{}}
		a, err := s.Answer(q)
		if err != nil {
			t.Fatalf("%s: %v", schema, err)
		}
		op, params, err := s.contract.Find(q)
		if err != nil {
			t.Fatal(err)
		}
		h := header("Content-Type", a.Type, "X-N", strconv.Itoa(2))
		if bad := op.CheckAnswer(q, params, a.Status, h, a.Body); len(bad) == 0 {
			t.Fatal("nothing is validated")
		}
		h.Set("X-N", a.Headers[0].Value)
		if bad := op.CheckAnswer(q, params, a.Status, h, a.Body); len(bad) > 0 {
			t.Errorf("%d: %s made %s: %v", i, schema, a.Body, bad)
		}
	}
}

// A document of 3.0 has words of its own.
func TestAnswer30(t *testing.T) {
	s := service(t, `{"openapi": "3.0.3", "info": {"title": "x", "version": "1"}, "paths": {"/x": {"get": {"responses": {"200": {"description": "ok", "content": {"application/json": {"schema":
		{"type": "object", "required": ["n", "s"], "properties": {"n": {"type": "integer", "minimum": 4, "exclusiveMinimum": true}, "s": {"type": "string", "nullable": true, "example": null}}}}}}}}}}}`)
	a, err := s.Answer(&validate.Request{Method: "GET", Path: "/x", Header: http.Header{}})
	if err != nil || string(a.Body) != `{"n":5,"s":null}` {
		t.Errorf("%+v %v", a, err)
	}
}

func FuzzWish(f *testing.F) {
	f.Add("code=404, example=x; dynamic=true", "text/html;q=0.3, */*")
	f.Add(`example="a`, "a/b;q=NaN,,;")
	s := service(f, document)
	f.Fuzz(func(t *testing.T, prefer, accept string) {
		a, err := s.Answer(&validate.Request{Method: "GET", Path: "/orders", Header: header("Prefer", prefer, "Accept", accept)})
		var refused *Refusal
		switch {
		case err == nil && (a.Status < 200 || a.Status > 599):
			t.Errorf("%q %q: %d", prefer, accept, a.Status)
		case err != nil && (!errors.As(err, &refused) || refused.Status < 400):
			t.Errorf("%q %q: %v", prefer, accept, err)
		}
	})
}
