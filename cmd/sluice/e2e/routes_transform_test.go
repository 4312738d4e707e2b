package e2e

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
)

// says makes a backend answer what it was asked as JSON at /echo, and fixed
// things elsewhere.
func (b *backend) says(answers map[string]string) {
	b.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.hits.Add(1)
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.last, b.host = r.Header.Clone(), r.Host
		b.mu.Unlock()
		kind, text, ok := strings.Cut(answers[r.URL.Path], " ")
		if !ok {
			kind, text = "application/json", fmt.Sprintf(`{"uri":%q,"body":%q,"type":%q}`, r.RequestURI, body, r.Header.Get("Content-Type"))
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Etag", `"1"`)
		w.Header().Set("X-Inner", "1")
		if strings.HasSuffix(r.URL.Path, "/missing") {
			w.WriteHeader(404)
		}
		_, _ = io.WriteString(w, text)
	})
}

func TestRouteTransformRequest(t *testing.T) {
	b := startBackend(t, "a")
	b.says(nil)
	g := newGateway(t, `routes:
  - name: orders
    match: {path: "/orders/{id}/**"}
    backend: {http: {targets: ["`+b.URL+`/base"]}}
    transform:
      request:
        headers: {set: {X-Order: "{id}", User-Agent: sluice}, add: {X-Tag: b}, remove: [X-Secret]}
        query: {set: {full: "1"}, remove: [debug]}
        path: "/v2/{id}/o/{**}"
        body: {set: {"a.b": 1, "s": "1", n: null}, move: {old: new.deep}, remove: [c, "items.*.price"]}
  - {name: xml, match: {path: /xml}, backend: {http: {targets: ["`+b.URL+`"]}}, transform: {request: {body: {xml_to_json: {lists: [item]}, expr: '{"lines": body.order.item, "by": request.headers["x-user"]}'}}}}
`+team)
	g.env = []string{"SLUICE_SERVER__BODY_LIMIT=2000B"}
	g.start()
	r := g.data("POST", "/orders/7%20%2f/x/y?debug=1&q=a%20b&full=0", `{"a":{"z":true},"old":[1],"c":1,"\u0063":2,"items":[{"id":12345678901234567890,"price":3}]}`,
		"X-Secret", "s", "X-Tag", "a", "Content-Type", "text/plain")
	if want := "/base/v2/7%20%2F/o/x/y?q=a+b&full=1"; r.get("uri").Str != want {
		t.Errorf("path and query: %s, want %s", r.get("uri").Str, want)
	}
	if want := `{"a":{"z":true,"b":1},"items":[{"id":12345678901234567890}],"new":{"deep":[1]},"n":null,"s":"1"}`; r.get("body").Str != want || r.get("type").Str != "application/json" {
		t.Errorf("body: %s\nwant  %s (%s)", r.get("body").Str, want, r.get("type").Str)
	}
	h, _ := b.heard()
	if h.Get("X-Order") != "7 /" || h.Get("User-Agent") != "sluice" || strings.Join(h["X-Tag"], ",") != "a,b" || h.Get("X-Secret") != "" {
		t.Errorf("headers: %v", h)
	}
	if r = g.data("POST", "/orders/7/x", ""); r.status != 200 || r.get("body").Str != "" {
		t.Errorf("without a body: %d %s", r.status, r.body)
	}
	hits := b.hits.Load()
	for body, want := range map[string]string{`{"a":`: "400 invalid_json", strings.Repeat("[", 1500): "400 invalid_json", `"` + strings.Repeat("x", 3000) + `"`: "413 request_too_large", `[1]`: "400 invalid_request"} {
		if r := g.data("POST", "/orders/7/x", body); fmt.Sprint(r.status, " ", r.get("code").Str) != want {
			t.Errorf("%.20s: %d %s, want %s", body, r.status, r.body, want)
		}
	}
	if r = g.data("POST", "/orders/7/x", "{}", "Content-Encoding", "gzip"); r.status != 415 {
		t.Errorf("a packed body: %d %s", r.status, r.body)
	}
	r = g.data("POST", "/xml", `<order><item n="1">a</item></order>`, "Content-Type", "text/xml; charset=utf-8", "X-User", "ann")
	if r.get("body").Str != `{"by":"ann","lines":[{"#text":"a","@n":"1"}]}` {
		t.Errorf("XML with an expression: %s", r.body)
	}
	for _, doc := range []string{`<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, `<!DOCTYPE a [<!ENTITY l "ll">]><a>&l;&l;</a>`, "<a>", strings.Repeat("<a>", 200)} {
		if r := g.data("POST", "/xml", doc, "Content-Type", "application/xml"); r.status != 400 || r.get("code").Str != "invalid_request" {
			t.Errorf("%.30s: %d %s", doc, r.status, r.body)
		}
	}
	if n := b.hits.Load() - hits; n != 1 {
		t.Errorf("the backend had %d requests, want that with XML alone", n)
	}
}

func TestRouteTransformResponse(t *testing.T) {
	b := startBackend(t, "a")
	long := strings.Repeat("0123456789", 300)
	b.says(map[string]string{
		"/data": `application/json {"data":[1,12345678901234567890],"secret":1}`, "/missing": `application/json {"error":"none"}`,
		"/broken": `application/json {"data":`, "/big": `application/json "` + long + `"`, "/page": "text/html <p>" + long,
		"/doc": `application/xml <a><b k="v">1</b></a>`, "/bomb": `application/xml <!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`,
		"/events": "text/event-stream data: " + long + "\n\n",
	})
	target := `backend: {http: {targets: ["` + b.URL + `"], strip_prefix: `
	g := newGateway(t, `routes:
  - {name: expr, match: {path: "/e/**"}, `+target+`/e}}, transform: {response: {headers: {set: {X-Out: "1"}, remove: [X-Inner]}, status: {404: 204}, body: {remove: [secret], expr: '{"items": body.data, "n": size(body.data), "was": response.status}'}}}}
  - {name: edit, match: {path: "/j/**"}, `+target+`/j}}, transform: {response: {status: {404: 410}, body: {set: {"via.by": sluice}, remove: [secret]}}}}
  - {name: toxml, match: {path: "/x/**"}, `+target+`/x}}, transform: {response: {body: {json_to_xml: root}}}}
  - {name: fromxml, match: {path: "/f/**"}, `+target+`/f}}, transform: {response: {body: {xml_to_json: true}}}}
  - {name: pack, match: {path: "/p/**"}, `+target+`/p}}, transform: {response: {compress: [br, gzip]}}}
`+team)
	g.env = []string{"SLUICE_SERVER__BODY_LIMIT=2000B"}
	g.start()
	f := func(path string, status int, body string, header ...string) answer {
		t.Helper()
		r := g.data("GET", path, "", header...)
		if r.status != status || r.body != body {
			t.Errorf("%s: %d %s, want %d %s", path, r.status, r.body, status, body)
		}
		return r
	}
	r := f("/e/data", 200, `{"items":[1,12345678901234567000],"n":2,"was":200}`)
	if r.header.Get("X-Out") != "1" || r.header.Get("X-Inner") != "" || r.header.Get("Etag") != `W/"1"` {
		t.Errorf("headers: %v", r.header)
	}
	f("/e/missing", 204, "")
	f("/j/data", 200, `{"data":[1,12345678901234567890],"via":{"by":"sluice"}}`)
	f("/j/missing", 410, `{"error":"none","via":{"by":"sluice"}}`)
	if r = f("/j/page", 200, "<p>"+long); r.header.Get("Etag") != `"1"` {
		t.Errorf("what is not JSON passes as it is: %v", r.header)
	}
	for path, why := range map[string]string{"/j/broken": "cannot be transformed", "/j/big": "larger than the limit of 2000 bytes", "/f/bomb": "document type"} {
		if r := g.data("GET", path, ""); r.status != 502 || r.get("code").Str != "invalid_output" || !strings.Contains(r.body, why) {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	const head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	xml := head + `<root><data>1</data><data>12345678901234567890</data><secret>1</secret></root>`
	if r = f("/x/data", 200, xml); r.header.Get("Content-Type") != "application/xml; charset=utf-8" || r.header.Get("Vary") != "Accept" {
		t.Errorf("headers: %v", r.header)
	}
	f("/x/data", 200, xml, "Accept", "application/json;q=0.5, text/xml")
	f("/x/data", 200, `{"data":[1,12345678901234567890],"secret":1}`, "Accept", "application/json")
	f("/f/doc", 200, `{"a":{"b":{"@k":"v","#text":"1"}}}`, "Accept", "*/*")
	f("/f/doc", 200, `<a><b k="v">1</b></a>`, "Accept", "application/xml")

	if r = f("/p/data", 200, `{"data":[1,12345678901234567890],"secret":1}`, "Accept-Encoding", "br"); r.header.Get("Content-Encoding") != "" {
		t.Error("a short answer is packed")
	}
	if r = f("/p/events", 200, "data: "+long+"\n\n", "Accept-Encoding", "gzip"); r.header.Get("Content-Encoding") != "" || r.header.Get("Etag") != `"1"` {
		t.Error("events are packed")
	}
	for accept, want := range map[string]string{"br, gzip": "br", "gzip, br;q=0.1": "gzip", "br;q=0": "", "deflate": "", "identity, gzip;q=0.5": ""} {
		r := g.data("GET", "/p/page", "", "Accept-Encoding", accept)
		in := io.Reader(strings.NewReader(r.body))
		switch want {
		case "br":
			in = brotli.NewReader(in)
		case "gzip":
			in, _ = gzip.NewReader(in)
		}
		body, err := io.ReadAll(in)
		if err != nil || string(body) != "<p>"+long || r.header.Get("Content-Encoding") != want || r.header.Get("Vary") != "Accept-Encoding" || want != "" && r.header.Get("Etag") != `W/"1"` {
			t.Errorf("%s: %v, %d bytes, %v", accept, err, len(body), r.header)
		}
	}
}

// A long answer of a backend is packed as it passes.
func TestRoutePacksStreams(t *testing.T) {
	b := startBackend(t, "a")
	b.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		for i := range 300 {
			fmt.Fprintf(w, "%d %s\n", i, strings.Repeat("x", 1000))
			w.(http.Flusher).Flush()
		}
		if r.URL.Path == "/cut" {
			panic(http.ErrAbortHandler)
		}
	})
	g := start(t, `routes: [{name: pack, match: {path: "/**"}, backend: {http: {targets: ["`+b.URL+`"]}}, transform: {response: {compress: [gzip]}}}]
`+team)
	unpacked := func(path string) (int, error) {
		r, _ := g.send("GET", "http://"+g.listen+path, "", "Accept-Encoding", "gzip")
		if r.header.Get("Content-Encoding") != "gzip" || len(r.body) > 50_000 {
			t.Errorf("%s: %d bytes, %v", path, len(r.body), r.header)
		}
		z, err := gzip.NewReader(strings.NewReader(r.body))
		if err != nil {
			return 0, err
		}
		body, err := io.ReadAll(z)
		return strings.Count(string(body), "\n"), err
	}
	if n, err := unpacked("/all"); n != 300 || err != nil {
		t.Errorf("%d lines, %v", n, err)
	}
	if n, err := unpacked("/cut"); err == nil {
		t.Errorf("an answer that was cut ends well after %d lines", n)
	}
	if m, _ := g.send("GET", "http://"+g.admin+"/metrics", "", "Authorization", "Bearer "+adminToken); !strings.Contains(m.body, `sluice_route_requests_total{code="",route="pack",status="200"}`) {
		t.Error("the requests are not counted")
	}
}
