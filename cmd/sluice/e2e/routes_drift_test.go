package e2e

import (
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What does not keep a contract that is only reported passes as it came, and is
// counted and told, each kind of it once.
func TestRouteContractReported(t *testing.T) {
	b := startBackend(t, "a")
	b.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.hits.Add(1)
		w.Header().Set("Content-Type", "application/json")
		id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		switch id {
		case "1":
			fmt.Fprint(w, `{"uri":"/orders/1","total":1}`)
		case "2": // in pieces, with a list in which two things are wrong
			for _, piece := range []string{`{"uri":"/orders/2",`, `"lines":[1,"a",`, `"b"]}`} {
				fmt.Fprint(w, piece)
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		case "3":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			fmt.Fprint(z, `{}`)
			_ = z.Close()
		case "4":
			w.WriteHeader(418)
			fmt.Fprint(w, `{"a":1}`)
		case "5":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<p>`)
		case "6": // larger than what is looked into
			fmt.Fprint(w, `{"x":"`)
			for range 20 {
				fmt.Fprint(w, strings.Repeat("x", 100<<10))
				w.(http.Flusher).Flush()
			}
			fmt.Fprint(w, `"}`)
		case "7":
			w.Header().Set("Content-Encoding", "br")
			fmt.Fprint(w, `packed`)
		case "8":
			if r.Method == "GET" { // a stream that is larger than what is packed at once
				fmt.Fprint(w, `{"uri":1,"x":"`+strings.Repeat("x", 200<<10))
				w.(http.Flusher).Flush()
				fmt.Fprint(w, `"}`)
				return
			}
			fmt.Fprint(w, `{"uri":"x","total":0}`)
		case "9":
			w.WriteHeader(204)
		default:
			fmt.Fprint(w, `{"uri":"x","total":0}`)
		}
	})
	const api = `openapi: 3.1.0
info: {title: orders, version: "1"}
paths:
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get:
      responses:
        "200": {description: ok, content: {application/json: {schema: {type: object, required: [uri, total], properties: {lines: {type: array, items: {type: integer}}}}}}}
        "204": {description: none}
    post:
      requestBody: {required: true, content: {application/json: {schema: {type: object, required: [lines]}}}}
      responses: {"200": {description: ok}}
`
	target := `backend: {http: {targets: ["` + b.URL + `"], strip_prefix: /`
	g := newGateway(t, `routes:
  - {name: both, match: {path: "/shop/**"}, `+target+`shop}}, validate: {openapi: api.yaml, report: [request, response]}}
  - {name: strict, match: {path: "/strict/**"}, `+target+`strict}}, validate: {openapi: api.yaml, report: response}}
  - {name: packs, match: {path: "/packs/**"}, `+target+`packs}}, validate: {openapi: api.yaml, report: response}, transform: {response: {compress: [gzip]}}}
  - {name: body, match: {path: "/body/{id}"}, `+target+`body}}, validate: {request: order.json, report: request}}
`+team)
	g.write("api.yaml", []byte(api))
	g.write("order.json", []byte(`{"type": "object", "required": ["lines"]}`))
	g.start()
	count := func(route, part, result string) string {
		return g.metric(`sluice_route_contract_total{part="` + part + `",result="` + result + `",route="` + route + `"}`)
	}
	f := func(method, path, body string, status int, want string, header ...string) {
		t.Helper()
		if r := g.raw(method, path, body, header...); r.status != status || r.body != want {
			t.Errorf("%s %s: %d %.200q, want %d %.200q", method, path, r.status, r.body, status, want)
		}
	}
	f("GET", "/shop/orders/1", "", 200, `{"uri":"/orders/1","total":1}`)
	for range 2 {
		f("GET", "/shop/orders/2", "", 200, `{"uri":"/orders/2","lines":[1,"a","b"]}`)
	}
	f("GET", "/shop/orders/4", "", 418, `{"a":1}`)
	f("GET", "/shop/orders/5", "", 200, `<p>`)
	f("GET", "/shop/orders/6", "", 200, `{"x":"`+strings.Repeat("x", 2000<<10)+`"}`)
	f("GET", "/shop/orders/9", "", 204, "")
	f("GET", "/shop/orders/7", "", 200, "packed", "Accept-Encoding", "br")
	if r := g.raw("GET", "/shop/orders/3", "", "Accept-Encoding", "gzip"); r.status != 200 || r.header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(r.body, "\x1f\x8b") {
		t.Errorf("a packed answer: %d %v", r.status, r.header)
	}
	f("GET", "/shop/customers/70", "", 200, `{"uri":"x","total":0}`)
	f("DELETE", "/shop/orders/7x", "", 200, `{"uri":"x","total":0}`)
	f("GET", "/shop/orders/x", "", 200, `{"uri":"x","total":0}`)
	f("POST", "/shop/orders/8", `{"lines":`, 200, `{"uri":"x","total":0}`, "Content-Type", "application/json")
	f("POST", "/shop/orders/8", `{"more":1}`, 200, `{"uri":"x","total":0}`, "Content-Type", "application/json")
	f("POST", "/shop/orders/8", `{"lines":[1]}`, 200, `{"uri":"x","total":0}`, "Content-Type", "application/json")
	f("POST", "/shop/orders/8", `zipped`, 200, `{"uri":"x","total":0}`, "Content-Type", "application/json", "Content-Encoding", "gzip")
	f("POST", "/shop/orders/8", strings.Repeat(" ", 1200<<10), 200, `{"uri":"x","total":0}`, "Content-Type", "application/json")

	list := func(route string) map[string]string {
		found := map[string]string{}
		for _, d := range g.api("GET", "routes/"+route, "").get("contract.differences").Array() {
			k := fmt.Sprint(d.Get("part").Str, " ", d.Get("method").Str, " ", d.Get("path").Str, " ", d.Get("status").Int(), " ", d.Get("pointer").Str)
			found[k] = fmt.Sprint(d.Get("count").Int(), " ", d.Get("message").Str)
			if first, last := d.Get("first").Time(), d.Get("last").Time(); first.IsZero() || last.Before(first) {
				t.Errorf("%s was seen first at %v, last at %v", k, first, last)
			}
		}
		return found
	}
	want := map[string]string{
		"response GET /orders/{id} 200 /lines/*":             "4 must be integer, not string",
		"response GET /orders/{id} 200 /total":               "3 is required",
		"response GET /orders/{id} 200 /uri":                 "1 is required",
		"response GET /orders/{id} 418 ":                     "1 the API has no answer of status 418 here",
		"response GET /orders/{id} 200 /header/content-type": "1 must be one of application/json",
		"request GET /customers/70 0 ":                       "1 the API has no such path",
		"request DELETE /orders/7x 0 ":                       "1 the API does not do this there",
		"request GET /orders/{id} 0 /path/id":                "",
		"request POST /orders/{id} 0 ":                       "1 the body is not JSON",
		"request POST /orders/{id} 0 /lines":                 "1 is required",
	}
	if !eventually(5*time.Second, func() bool { return count("both", "response", "kept") == "8" }) {
		t.Errorf("%s answers keep the contract", count("both", "response", "kept"))
	}
	got := list("both")
	for k, what := range want {
		if got[k] == "" || what != "" && got[k] != what {
			t.Errorf("%s: told %q, want %q", k, got[k], what)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d kinds of difference are told, want %d: %v", len(got), len(want), got)
	}
	for part, all := range map[string]map[string]string{"request": {"kept": "10", "broken": "5", "unchecked": "2"}, "response": {"broken": "5", "unchecked": "2"}} {
		for result, n := range all {
			if c := count("both", part, result); c != n {
				t.Errorf("%s of %s: %q are counted, want %s", result, part, c, n)
			}
		}
	}
	if n := strings.Count(g.stderr.String(), `pointer=/lines/*`); n != 1 {
		t.Errorf("a kind of difference was logged %d times: %s", n, g.stderr)
	}

	// Requests are refused where answers alone are reported.
	if r := g.raw("GET", "/strict/orders/x", ""); r.status != 422 {
		t.Errorf("a request that is not reported: %d %s", r.status, r.body)
	}
	f("GET", "/strict/orders/2", "", 200, `{"uri":"/orders/2","lines":[1,"a","b"]}`)
	if got := list("strict"); len(got) != 2 {
		t.Errorf("of answers alone: %v", got)
	}
	for range 2 { // what the gateway packs itself is looked into before
		if r := g.raw("GET", "/packs/orders/6", "", "Accept-Encoding", "gzip"); r.status != 200 || r.header.Get("Content-Encoding") != "gzip" {
			t.Errorf("a packed answer: %d %v", r.status, r.header)
		}
		if r := g.raw("GET", "/packs/orders/8", "", "Accept-Encoding", "gzip"); r.status != 200 || r.header.Get("Content-Encoding") != "gzip" {
			t.Errorf("a packed answer: %d %v", r.status, r.header)
		}
	}
	if !eventually(5*time.Second, func() bool {
		return count("packs", "response", "unchecked") == "2" && count("packs", "response", "broken") == "2"
	}) {
		t.Errorf("packed here: %q unchecked, %q broken", count("packs", "response", "unchecked"), count("packs", "response", "broken"))
	}
	f("POST", "/body/1", `{}`, 200, `{"uri":"/orders/1","total":1}`)
	if got := list("body"); len(got) != 1 || got["request POST /body/{id} 0 /lines"] != "1 is required" {
		t.Errorf("of a schema: %v", got)
	}

	// What was seen outlives a reload, unless the contract is another one.
	reload := func() {
		t.Helper()
		if r := g.api("POST", "reload", ""); r.status != 200 {
			t.Fatalf("reload: %d %s", r.status, r.body)
		}
	}
	reload()
	if again := list("both"); len(again) != len(want) {
		t.Errorf("after a reload: %v", again)
	}
	g.write("api.yaml", []byte(api+" "))
	reload()
	if again := list("both"); len(again) != 0 {
		t.Errorf("with another contract: %v", again)
	}
	if r := g.api("GET", "routes/both", ""); r.get("contract.report").Raw != `["request","response"]` {
		t.Errorf("the admin plane shows %s", r.body)
	}
	for i := range 120 { // whoever tries paths leaves room for what counts
		g.raw("GET", fmt.Sprint("/shop/guess/", i), "")
	}
	f("GET", "/shop/orders/4", "", 418, `{"a":1}`)
	if again := list("both"); len(again) != 51 || g.api("GET", "routes/both", "").get("contract.more").Int() != 70 {
		t.Errorf("after many paths that there are not: %d kinds", len(again))
	}
}

func TestRouteContractReportChecked(t *testing.T) {
	g := newGateway(t, `routes:
  - {name: a, match: {path: "/a/**"}, backend: {static: {body: x}}, validate: {request: order.json, report: [request, response]}}
  - {name: b, match: {path: "/b/**"}, backend: {static: {body: x}}, validate: {request: order.json, report: all}}
`)
	g.write("order.json", []byte(`{}`))
	out, _, code := g.sluice("check", "-c", g.file())
	for _, want := range []string{"routes[0].validate.report: response is for openapi", "routes[1].validate.report: "} {
		if code != 2 || !strings.Contains(out, want) {
			t.Errorf("check: %d, without %q:\n%s", code, want, out)
		}
	}
}
