package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// matching are the routes of testdata/matching.txt, in an order that nobody
// would give them.
var matching = []struct{ name, match string }{
	{"rest", `path: "/**"`},
	{"wild", `host: "*.example.com"`},
	{"doc", `path: "/docs/{id}"`},
	{"no-condition", `path: /h`},
	{"given-first", `path: /same`},
	{"given-second", `path: /same`},
	{"shop", `path: "/shop/**"`},
	{"any-status", `path: "/{any}/status"`},
	{"shop-status", `path: /shop/status`},
	{"root", `path: /`},
	{"orders-below", `path: "/orders/**"`},
	{"order-below", `path: "/orders/{id}/**"`},
	{"new-below", `path: "/orders/new/**"`},
	{"new-lines", `path: /orders/new/lines`},
	{"order-any", `path: "/orders/*"`},
	{"order", `path: "/orders/{id}"`},
	{"order-new", `path: /orders/new`},
	{"orders", `path: /orders`},
	{"order-line", `path: "/orders/{id}/lines/{line}"`},
	{"order-lines", `path: "/orders/{id}/lines"`},
	{"first-line", `path: "/orders/{id}/lines/first"`},
	{"files-below", `path: "/files/**"`},
	{"file", `path: "/files/*/raw"`},
	{"file-info", `path: "/files/{name}/info"`},
	{"doc-get", `path: "/docs/{id}", methods: [GET]`},
	{"doc-write", `path: "/docs/{id}", methods: [PUT, PATCH]`},
	{"doc-view", `path: "/docs/{id}", query: {view: "*"}`},
	{"doc-full", `path: "/docs/{id}", methods: [GET], headers: {x-beta: "1"}, query: {view: full}`},
	{"doc-beta", `path: "/docs/{id}", methods: [GET], headers: {x-beta: "1"}`},
	{"posted", `path: /only, methods: [POST]`},
	{"one-header", `path: /h, headers: {x-a: "1"}`},
	{"both-headers", `path: /h, headers: {x-a: "1", x-b: "2"}`},
	{"one-query", `path: /h, query: {a: "1"}`},
	{"wild-new", `host: "*.example.com", path: /orders/new`},
	{"wild-api", `host: "*.api.example.com"`},
	{"api-orders", `host: api.example.com, path: "/orders/**"`},
	{"api", `host: api.example.com`},
	{"thing", `path: "/things/{id}"`},
	{"thing-new", `path: /things/new`},
	{"thing-number", `path: '/things/{id:\d+}'`},
	{"thing-hex", `path: '/things/{id:[0-9a-f]{8}}'`},
	{"things-below", `path: "/things/**"`},
	{"thing-parts", `path: '/things/{id:\d+}/**'`},
	{"thing-part", `path: '/things/{id:\d+}/parts/{part:[a-z]+-\d+}'`},
	{"thing-any-part", `path: '/things/{id:\d+}/parts/{part}'`},
	{"language", `path: '/{language:[a-z]{2}(-[a-z]{2})?}/help'`},
	{"help", `path: "/{any}/help"`},
	{"file-type", `path: '/media/{name:.+\.(png|jpe?g)}'`},
	{"media", `path: "/media/{name}"`},
	{"spaced", `path: '/spaced/{name:[a-z]+(%20[a-z]+)*}'`},
	{"v", `path: /v`},
	{"v-number", `path: /v, headers: {x-v: {pattern: '\d+'}}`},
	{"v-seven", `path: /v, headers: {x-v: "7", x-w: "*"}`},
	{"v-even", `path: /v, methods: [POST], headers: {x-v: {pattern: '\d*[02468]'}}`},
	{"page", `path: /page, query: {n: {pattern: '[1-9]\d{0,3}'}}`},
	{"page-word", `path: /page, query: {n: {pattern: '(?i)first|last'}}`},
	{"page-any", `path: /page`},
}

// matched is a request, and who must serve it: a route, or a status.
type matched struct {
	want, method, host, target string
	header                     []string
}

// readMatching reads the table of requests.
func readMatching(t *testing.T) (all []matched) {
	t.Helper()
	text, err := os.ReadFile("testdata/matching.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
			continue
		case line[0] != ' ':
			want = words[0]
			continue
		}
		q := matched{want: want, method: "GET", host: "gateway.test"}
		if words[0] == strings.ToUpper(words[0]) && strings.Trim(words[0], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
			q.method, words = words[0], words[1:]
		}
		if words[0][0] != '/' {
			q.host, words = words[0], words[1:]
		}
		q.target, words = words[0], words[1:]
		for len(words) > 0 {
			value := ""
			if len(words) > 1 {
				value = words[1]
			}
			q.header, words = append(q.header, strings.TrimSuffix(words[0], ":"), value), words[min(2, len(words)):]
		}
		all = append(all, q)
	}
	return all
}

// Hundreds of requests go to the routes that they must, and do so again
// whenever the gateway starts.
func TestRouteMatching(t *testing.T) {
	routes := "routes:\n"
	for _, r := range matching {
		routes += fmt.Sprintf("  - {name: %s, match: {%s}, backend: {static: {headers: {x-route: %s}}}}\n", r.name, r.match, r.name)
	}
	requests := readMatching(t)
	if len(requests) < 200 {
		t.Fatalf("only %d requests", len(requests))
	}
	g := newGateway(t, routes)
	for i := range 4 {
		g.start()
		for _, q := range requests {
			r := g.raw(q.method, q.target, "", append(q.header, "Host", q.host)...)
			got := r.header.Get("X-Route")
			if got == "" {
				got = fmt.Sprint(r.status)
			}
			if got != q.want {
				t.Errorf("start %d: %s %s%s %v goes to %s, want %s", i, q.method, q.host, q.target, q.header, got, q.want)
			}
		}
		if code := g.stop(); code != 0 {
			t.Errorf("it ended with %d", code)
		}
	}
	t.Logf("%d requests, %d starts", len(requests), 4)
}
