package validate

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const api = `openapi: VERSION
info: {title: t, version: "1"}
servers: [{url: "https://api.example.com/base"}]
paths:
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer, minimum: 1}}]
    get:
      parameters:
        - {name: limit, in: query, required: true, schema: {type: integer, maximum: 100}}
        - {name: tags, in: query, schema: {type: array, items: {type: string, enum: [a, b]}}, style: form, explode: false}
        - {name: X-Trace, in: header, schema: {type: string, minLength: 3}}
      responses:
        "200": {description: ok, headers: {X-Total: {schema: {type: integer}}}, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
        4XX: {description: bad, content: {application/problem+json: {schema: {type: object, required: [title]}}}}
    put:
      requestBody: {$ref: "#/components/requestBodies/Order"}
      responses: {"204": {description: done}}
    post:
      requestBody: {content: {application/x-www-form-urlencoded: {schema: {type: object, required: [n], properties: {n: {type: integer}}}}}}
      responses: {"204": {description: done}}
components:
  requestBodies:
    Order: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}, "application/*+json": {schema: {type: object}}}}
  schemas:
    Order:
      type: object
      required: [name, lines]
      additionalProperties: false
      properties:
        name: {type: string, minLength: 1}
        note: NULLABLE
        price: EXCLUSIVE
        lines: {type: array, items: {$ref: "#/components/schemas/Line"}}
    Line: {type: object, required: [sku], properties: {sku: {type: string}, more: {$ref: "#/components/schemas/Line"}}}
`

func contracts(t testing.TB) map[string]*Contract {
	t.Helper()
	made := map[string]*Contract{}
	for version, words := range map[string][]string{
		"3.0.3": {"{type: string, nullable: true, enum: [x]}", "{type: number, minimum: 0, exclusiveMinimum: true}"},
		"3.1.0": {`{type: [string, "null"], enum: [x, null]}`, "{type: number, exclusiveMinimum: 0}"},
	} {
		c, err := NewContract([]byte(strings.NewReplacer("VERSION", version, "NULLABLE", words[0], "EXCLUSIVE", words[1]).Replace(api)))
		if err != nil {
			t.Fatal(version, err)
		}
		made[version] = c
	}
	return made
}

// check gives all that is wrong on one line.
func check(c *Contract, method, target, contentType, body string) string {
	path, query, _ := strings.Cut(target, "?")
	q := &Request{Method: method, Path: path, Query: query, Header: http.Header{"X-Trace": {"t"}}, Body: []byte(body)}
	if contentType != "" {
		q.Header.Set("Content-Type", contentType)
	}
	o, params, err := c.Find(q)
	if err != nil {
		return err.Error()
	}
	problems, err := o.Check(q, params)
	if err != nil {
		return err.Error()
	}
	return line(problems)
}

func line(problems []Problem) string {
	var all []string
	for _, p := range problems {
		all = append(all, p.Pointer+" "+p.Message)
	}
	return strings.Join(all, " | ")
}

func TestContractRequests(t *testing.T) {
	for version, c := range contracts(t) {
		f := func(method, target, contentType, body string, want ...string) {
			t.Helper()
			got := check(c, method, target, contentType, body)
			if want == nil && got != "" {
				t.Errorf("%s: %s %s %s: %s", version, method, target, body, got)
			}
			for _, w := range want {
				if !strings.Contains(got, w) {
					t.Errorf("%s: %s %s %s:\n%s\nwant %s", version, method, target, body, got, w)
				}
			}
		}
		const json = "application/json; charset=utf-8"
		f("PUT", "/orders/7", json, `{"name":"n","note":null,"price":0.1,"lines":[{"sku":"a","more":{"sku":"b"}}]}`)
		f("PUT", "/base/orders/7", json, `{"name":"n","note":"x","lines":[]}`)
		f("PUT", "/orders/7", json, `{"name":"","note":"y","price":0,"lines":[{},{"sku":1,"more":{}}],"z":1}`,
			"/name ", "/note must be one of", "/price ", "/lines/0/sku is required", "/lines/1/sku must be string", "/lines/1/more/sku is required", "/z is not allowed")
		f("PUT", "/orders/x", json, `{}`, "/path/id ", "/name is required", "/lines is required")
		f("PUT", "/orders/0", "", "", "/path/id ", " is required")
		f("PUT", "/orders/7", json, `{"a":`, ErrNotJSON.Error())
		f("PUT", "/orders/7", json, `{"name":"a","name":"b","lines":[]}`, ErrTwice.Error())
		f("PUT", "/orders/7", "text/xml", "<a/>", "/header/content-type must be one of application/*+json, application/json")
		f("GET", "/orders/7?limit=101&tags=a,c", "", "", "/query/limit ", "/query/tags/1 ", "/header/X-Trace ")
		f("GET", "/orders/7?limit=x", "", "", "/query/limit ")
		f("GET", "/orders/7", "", "", "/query/limit is required")
		f("POST", "/orders/7", "application/x-www-form-urlencoded", "n=1")
		f("POST", "/orders/7", "application/x-www-form-urlencoded", "n=x", "n")
		f("DELETE", "/orders/7", "", "", ErrNoMethod.Error())
		f("GET", "/order", "", "", ErrNoPath.Error())
		f("GET", "/orders/7/x", "", "", ErrNoPath.Error())
	}
}

func TestContractAnswers(t *testing.T) {
	for version, c := range contracts(t) {
		f := func(status int, contentType, body, want string) {
			t.Helper()
			q := &Request{Method: "GET", Path: "/orders/7"}
			o, params, err := c.Find(q)
			if err != nil {
				t.Fatal(err)
			}
			got := line(o.CheckAnswer(q, params, status, http.Header{"Content-Type": {contentType}, "X-Total": {"1"}}, []byte(body)))
			if want == "" && got != "" || !strings.Contains(got, want) {
				t.Errorf("%s: %d %s: %s, want %s", version, status, body, got, want)
			}
		}
		f(200, "application/json", `{"name":"a","lines":[]}`, "")
		f(200, "application/json", `{"name":"a"}`, "/lines is required")
		f(200, "application/json", `{"name":`, "not JSON")
		f(200, "text/html", `<p>`, "/header/content-type")
		f(404, "application/problem+json", `{}`, "/title is required")
		f(500, "text/plain", "x", "")
	}
}

func TestContractFaults(t *testing.T) {
	const head = "openapi: 3.1.0\ninfo: {title: t, version: '1'}\n"
	for text, want := range map[string]string{
		"":                 "",
		"openapi: 3.1.0":   "info",
		head + "paths: []": "",
		head + `paths: {/a: {get: {responses: {"200": {description: x, content: {application/json: {schema: {$ref: "#/components/schemas/None"}}}}}}}}`:             "None",
		head + `paths: {/a: {get: {responses: {"200": {description: x, content: {application/json: {schema: {$ref: "http://127.0.0.1:1/x.json"}}}}}}}}`:             "",
		head + `paths: {/a: {get: {responses: {"200": {description: x, content: {application/json: {schema: {$ref: "file:///etc/passwd"}}}}}}}}`:                    "",
		head + `paths: {"/a/{id}": {get: {responses: {"200": {description: x}}}}}`:                                                                                  "id",
		head + `paths: {/a: {get: {responses: {"200": {description: x, content: {application/json: {schema: {type: object, properties: {a: {pattern: "("}}}}}}}}}}`: "",
	} {
		if _, err := NewContract([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSchema(t *testing.T) {
	s, err := NewSchema([]byte(`{"type":"object","required":["a"],"properties":{"a":{"type":"integer"},"b":{"format":"email","type":"string"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{"a":1}`: "", `{"a":1.0,"b":"a@example.com"}`: "", `{}`: "/a is required", `{"a":"1","b":"x"}`: "/a must be integer, not string",
		`[]`: " must be object, not array", `{"a":1e99999999}`: "number out of range",
	} {
		problems, err := s.Check([]byte(body))
		if got := line(problems); err != nil || want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %s, %v, want %s", body, got, err, want)
		}
	}
	for body, want := range map[string]error{`{"a":1,"\u0061":2}`: ErrTwice, `{`: ErrNotJSON, ``: ErrNotJSON, `{} x`: ErrNotJSON, strings.Repeat("[", 1e6): ErrNotJSON} {
		if _, err := s.Check([]byte(body)); !errors.Is(err, want) {
			t.Errorf("%.20s: %v, want %v", body, err, want)
		}
	}
	for _, text := range []string{"", `{"type":"objekt"}`, `{"$ref":"http://127.0.0.1:1/x"}`, `{"$ref":"#/none"}`, `{"pattern":"("}`} {
		if _, err := NewSchema([]byte(text)); err == nil {
			t.Errorf("%s is a schema", text)
		}
	}
}

func FuzzCheck(f *testing.F) {
	s, err := NewSchema([]byte(`{"type":"object","additionalProperties":{"type":["integer","array"],"items":{"type":"string"}}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"a":1,"b":["x"]}`)
	f.Fuzz(func(t *testing.T, body string) { _, _ = s.Check([]byte(body)) })
}

func BenchmarkCheck(b *testing.B) {
	c := contracts(b)["3.1.0"]
	body := fmt.Sprintf(`{"name":"n","lines":[%s{"sku":"z"}]}`, strings.Repeat(`{"sku":"`+strings.Repeat("x", 1000)+`"},`, 1000))
	q := &Request{Method: "PUT", Path: "/orders/7", Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		o, params, err := c.Find(q)
		if err != nil {
			b.Fatal(err)
		}
		if p, err := o.Check(q, params); err != nil || len(p) > 0 {
			b.Fatal(p, err)
		}
	}
}
