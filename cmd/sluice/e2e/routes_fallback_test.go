package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRouteFallbacks(t *testing.T) {
	spare, third := startBackend(t, "spare"), startBackend(t, "third")
	dead := "http://" + freeAddr(t)
	// Their breakers open with the first failure, and stay so.
	const breaker = `breaker: {failures: 1, within: 1h, open_for: 1h, fallback: `
	lone := func(name, fallback, more string) string {
		return `
  - {name: ` + name + `, match: {path: "/` + name + `/**"}, backend: {http: {strip_prefix: "/` + name + `", targets: ["` + dead + `/` + name + `"]}}, ` + breaker + fallback + `}` + more + `}`
	}
	g := start(t, `routes:`+
		lone("spared", `{targets: ["`+spare.URL+`/in"]}`, "")+
		lone("led", `{route: other}`, "")+
		lone("chained", `{route: resting}`, "")+
		lone("resting", `{status: 200, body: resting}`, "")+
		lone("lost", `{targets: ["`+dead+`/reserve"]}`, "")+
		lone("echo", `{targets: ["`+startEcho(t)+`"]}`, "")+
		lone("kept", `{targets: ["`+spare.URL+`"]}`, `, cache: {ttl: 1m}`)+`
  - {name: other, match: {path: "/other"}, backend: {http: {strip_prefix: "/led", targets: ["`+third.URL+`"]}}, auth: {require: [key]}}
`+team)
	get := func(method, path, body string) answer { return g.data(method, path, body) }
	for _, name := range []string{"spared", "led", "chained", "resting", "lost", "kept"} {
		if r := get("GET", "/"+name+"/x", ""); r.status != 502 || r.header.Get("X-Sluice-Fallback") != "" {
			t.Errorf("%s while its breaker is closed: %d %v", name, r.status, r.header)
		}
	}
	want := func(r answer, status int, by, said string) {
		t.Helper()
		if r.status != status || strings.Join(r.header["X-Sluice-Fallback"], ",") != by || !strings.Contains(r.body, said) {
			t.Errorf("%d %q %s, want %d %s %s", r.status, r.header["X-Sluice-Fallback"], r.body, status, by, said)
		}
	}
	want(get("GET", "/spared/x?q=1", ""), 200, "targets", "GET /in/x?q=1")
	want(get("POST", "/spared/x", "sent"), 200, "targets", "POST /in/x")
	long := strings.Repeat("x", 200<<10) // more than is kept to be sent again
	want(get("POST", "/spared/sum", long), 200, "targets", "204800 ")
	want(get("GET", "/spared/large", ""), 200, "targets", "0123456789abcdef")
	want(get("GET", "/led/y", ""), 200, "route:other", "GET /y")
	want(get("GET", "/chained/y", ""), 200, "static", "resting")
	want(get("GET", "/lost/y", ""), 502, "", "")
	want(get("GET", "/lost/y", ""), 503, "", "no_target")
	for range 2 { // what others say is not kept
		hits := spare.hits.Load()
		if want(get("GET", "/kept/z", ""), 200, "targets", "GET /z"); spare.hits.Load() == hits {
			t.Error("the answer of a fallback was kept")
		}
	}
	if third.hits.Load() != 1 {
		t.Errorf("the other route's backend was asked %d times", third.hits.Load())
	}
	get("GET", "/echo/x", "")
	g.switchedBy(t, "/echo/x", "targets")
	want(get("GET", "/spared/status/500", ""), 500, "targets", "")
	want(get("GET", "/spared/x", ""), 503, "", "no_target") // they have a breaker too

	m, _ := g.send("GET", "http://"+g.admin+"/metrics", "")
	for _, line := range []string{`{by="targets",route="spared"} 5`, `{by="route:other",route="led"} 1`, `{by="static",route="chained"} 1`, `{by="targets",route="kept"} 2`} {
		if !strings.Contains(m.body, "sluice_route_fallbacks_total"+line) {
			t.Errorf("no %s", line)
		}
	}
	if strings.Contains(m.body, `sluice_route_fallbacks_total{by="targets",route="lost"}`) {
		t.Error("a fallback that failed is told as one that answered")
	}
	if !eventually(5*time.Second, func() bool {
		return strings.Contains(g.stdout.String(), "route=led target="+third.URL+" fallback=route:other")
	}) {
		t.Errorf("the access log does not tell who answered:\n%s", g.stdout)
	}
	if r := g.api("GET", "routes/spared", ""); r.get("fallback").Str != "targets" || r.get(`targets.#(arm=="fallback").url`).Str != spare.URL+"/in" || r.get(`targets.#(arm=="fallback").calls`).Num == 0 {
		t.Errorf("shown: %s", r.body)
	}
	g.configure(head + `routes:
  - {name: a, match: {path: /a}, backend: {http: {targets: ["http://a"]}}, breaker: {fallback: {route: b}}}
  - {name: b, match: {path: /b}, backend: {http: {targets: ["http://b"]}}, breaker: {fallback: {route: c}}}
  - {name: c, match: {path: /c}, backend: {http: {targets: ["http://c"]}}, breaker: {fallback: {route: a}}}
  - {name: d, match: {path: /d}, backend: {http: {targets: ["http://d"]}}, breaker: {fallback: {route: none}}}
  - {name: e, match: {path: /e}, backend: {http: {targets: ["http://e"]}}, breaker: {fallback: {targets: ["http://e"]}}}
  - {name: f, match: {path: /f}, backend: {http: {targets: ["http://f"]}}, breaker: {fallback: {targets: [], body: x}}}
  - {name: g, match: {path: /g}, backend: {http: {targets: ["http://g"]}}, breaker: {fallback: {targets: ["nowhere"], status: 500}}}
  - {name: h, match: {path: /h}, backend: {http: {targets: ["http://h"]}}, breaker: {fallback: {route: i}}}
  - {name: i, match: {path: /i}, backend: {redirect: {to: /x}}}
  - {name: j, match: {path: /j}, backend: {http: {targets: ["https://j"], tls: {server_name: x}}}, breaker: {fallback: {targets: ["http://k"]}}}
`)
	out, _, code := g.sluice("check", "-c", g.file())
	for _, want := range []string{"routes[0].breaker.fallback.route: leads back to itself: a → b → c → a", "routes[2].breaker.fallback.route: leads back", `routes[3].breaker.fallback.route: there is no route "none"`,
		`routes[4].breaker.fallback.targets[0]: "http://e" is a target of the route itself`, "routes[5].breaker.fallback.targets: want at least one", "routes[6].breaker.fallback: want an answer, targets or a route",
		"routes[6].breaker.fallback.targets[0]: want an address", "routes[7].breaker.fallback.route: want a route with a backend of http or static", "routes[9].backend.http.tls: want https"} {
		if code != 2 || !strings.Contains(out, want) {
			t.Errorf("check says nothing of %q: %s", want, out)
		}
	}
}

// switchedBy asks for a WebSocket, which somebody answers in the place of the
// targets.
func (g *gateway) switchedBy(t *testing.T, path, by string) {
	t.Helper()
	conn, err := net.Dial("tcp", g.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a2V5\r\n\r\n", path)
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != 101 || r.Header.Get("X-Sluice-Fallback") != by {
		t.Errorf("a WebSocket: %d %v", r.StatusCode, r.Header)
	}
}
