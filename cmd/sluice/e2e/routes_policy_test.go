package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// What may be sent again is, within what the route allows; what a backend says
// comes through.
func TestRouteRetries(t *testing.T) {
	good, bad := startBackend(t, "good"), startBackend(t, "bad")
	dead := "http://127.0.0.1:1"
	g := start(t, `routes:
  - {name: dead, match: {path: "/dead/**"}, backend: {http: {targets: ["`+dead+`", "`+good.URL+`"], balance: round-robin}}}
  - {name: lone, match: {path: "/lone/**"}, backend: {http: {targets: ["`+dead+`"]}}, breaker: {failures: 2, fallback: {status: 503, json: {error: resting, code: 7}}}}
  - {name: again, match: {path: "/again/**"}, backend: {http: {targets: ["`+bad.URL+`"]}}, retry: {attempts: 3, backoff: 1ms}}
  - {name: posts, match: {path: "/posts/**"}, backend: {http: {targets: ["`+bad.URL+`"]}}, retry: {attempts: 2, backoff: 1ms, methods: [POST]}}
  - {name: slow, match: {path: "/slow/**"}, backend: {http: {targets: ["`+bad.URL+`"]}}, timeout: 300ms, retry: {attempts: 5}}
`+team)
	for range 6 {
		if r := g.data("POST", "/dead/x", "body"); r.status != 200 || r.body != "POST /dead/x body" {
			t.Errorf("a target that cannot be reached: %d %s", r.status, r.body)
		}
	}
	hits := func(want int64, method, path, body string, status int) {
		t.Helper()
		before := bad.hits.Load()
		r := g.data(method, path, body)
		if n := bad.hits.Load() - before; n != want || r.status != status {
			t.Errorf("%s %s: %d after %d tries, want %d after %d", method, path, r.status, n, status, want)
		}
		if status < 504 && r.body != "said by bad" {
			t.Errorf("%s %s: %q is not what the backend said", method, path, r.body)
		}
	}
	hits(3, "GET", "/again/status/503", "", 503)
	hits(1, "POST", "/again/status/503", "x", 503)
	hits(1, "GET", "/again/status/404", "", 404)
	hits(2, "POST", "/posts/status/502", "x", 502)
	hits(1, "POST", "/posts/status/502", strings.Repeat("x", 100<<10), 502)
	begun := time.Now()
	hits(1, "GET", "/slow/hang", "", 504)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("a timeout of 300 ms took %v", took)
	}
	bad.wantGone(t)
	if r := g.data("GET", "/slow/hang", ""); gjson.Get(r.body, "code").Str != "upstream_timeout" || gjson.Get(r.body, "origin").Str != "provider" || strings.Contains(r.body, "provider did") {
		t.Errorf("a timeout: %s", r.body)
	}
	for range 2 {
		if r := g.data("GET", "/lone/x", ""); r.status != 502 || gjson.Get(r.body, "code").Str != "upstream_error" || strings.Contains(r.body, "127.0.0.1") {
			t.Errorf("a dead backend: %d %s", r.status, r.body)
		}
	}
	r := g.data("GET", "/lone/x", "")
	if r.status != 503 || r.body != `{"code":7,"error":"resting"}` || r.header.Get("Content-Type") != "application/json" || r.header.Get("X-Sluice-Fallback") != "static" {
		t.Errorf("with the breaker open: %d %s %v", r.status, r.body, r.header)
	}
}

// A caller who leaves is noticed while the backend is silent.
func TestRouteCallerLeaves(t *testing.T) {
	b := startBackend(t, "a")
	g := start(t, `routes: [{name: svc, match: {path: "/svc/**"}, backend: {http: {targets: ["`+b.URL+`"]}}}]
`+team)
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+g.listen+"/svc/hang", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		eventually(5*time.Second, func() bool { return b.hits.Load() > 0 })
		cancel()
	}()
	if _, err := g.client.Do(req); err == nil {
		t.Fatal("it was answered")
	}
	b.wantGone(t)
}

func TestRouteKeyAndLimits(t *testing.T) {
	b := startBackend(t, "a")
	target := `{http: {targets: ["` + b.URL + `"]}}`
	g := start(t, `teams:
  t: {keys: [{name: k, value: "`+teamKey+`"}, {name: slow, value: "sk-e2e-slow-0123456789", limits: {rpm: 2}}, {name: far, value: "sk-e2e-far-0123456789", ips: [10.0.0.0/8]}]}
routes:
  - {name: keyed, match: {path: "/keyed/**"}, backend: `+target+`, auth: {require: [key]}}
  - {name: rated, match: {path: "/rated/**"}, backend: `+target+`, auth: {require: [key]}, limits: {rate: 3/1m}}
  - {name: byip, match: {path: "/byip/**"}, backend: `+target+`, limits: {rate: 2/1h, per: ip}}
  - {name: byuser, match: {path: "/byuser/**"}, backend: `+target+`, limits: {rate: 1/1h, per: "header:X-User"}}
  - {name: few, match: {path: "/few/**"}, backend: `+target+`, limits: {parallel: 1, per: route}}
`)
	auth := []string{"Authorization", "Bearer " + teamKey}
	for _, header := range [][]string{nil, {"Authorization", "Bearer nope"}, {"X-Api-Key", "nope"}} {
		r := g.raw("GET", "/keyed/x", "", header...)
		if r.status != 401 || gjson.Get(r.body, "code").Str != "invalid_api_key" || r.header.Get("Www-Authenticate") == "" {
			t.Errorf("%v: %d %s", header, r.status, r.body)
		}
	}
	for _, header := range [][]string{auth, {"X-Api-Key", teamKey}} {
		if r := g.raw("GET", "/keyed/x", "", header...); r.status != 200 {
			t.Errorf("%v: %d %s", header, r.status, r.body)
		}
		if heard, _ := b.heard(); heard.Get("Authorization")+heard.Get("X-Api-Key") != "" {
			t.Errorf("the backend got the caller's key")
		}
	}
	if r := g.raw("GET", "/keyed/x", "", "X-Api-Key", "sk-e2e-far-0123456789"); r.status != 403 {
		t.Errorf("from an address that the key is not for: %d", r.status)
	}
	wants := func(path string, want []int, header ...string) (last answer) {
		t.Helper()
		for i, status := range want {
			if last = g.raw("GET", path, "", header...); last.status != status {
				t.Errorf("%s %v, request %d: %d, want %d", path, header, i+1, last.status, status)
			}
		}
		return last
	}
	wants("/keyed/x", []int{200, 200, 429}, "X-Api-Key", "sk-e2e-slow-0123456789")
	last := wants("/rated/x", []int{200, 200, 200, 429}, auth...)
	if last.header.Get("Retry-After") == "" || last.header.Get("Ratelimit-Policy") != `"route";q=3;w=60` || last.header.Get("X-Ratelimit-Remaining-Requests") != "0" ||
		gjson.Get(last.body, "code").Str != "rate_limit_exceeded" || gjson.Get(last.body, "origin").Str != "policy" {
		t.Errorf("refused with %v %s", last.header, last.body)
	}
	wants("/byip/x", []int{200, 200, 429}, "X-Forwarded-For", "1.2.3.4")
	wants("/byip/x", []int{429}, "X-Forwarded-For", "1.2.3.5")
	wants("/byuser/x", []int{200, 429}, "X-User", "ann")
	wants("/byuser/x", []int{200, 429}, "X-User", "bob")

	// A change of something else leaves what was counted.
	if r := g.api("POST", "reload", ""); r.status != 200 {
		t.Fatal(r.body)
	}
	wants("/rated/x", []int{429}, auth...)

	first := b.hits.Load()
	conn, err := net.Dial("tcp", g.listen)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET /few/hang HTTP/1.1\r\nHost: h\r\n\r\n")
	if !eventually(5*time.Second, func() bool { return b.hits.Load() > first }) {
		t.Fatal("the request did not arrive")
	}
	wants("/few/x", []int{429})
	conn.Close()
	b.wantGone(t)
	if !eventually(5*time.Second, func() bool { return g.raw("GET", "/few/x", "").status == 200 }) {
		t.Error("a request that has ended still counts")
	}
	metrics, err := g.send("GET", "http://"+g.admin+"/metrics", "")
	if err != nil || !strings.Contains(metrics.body, `sluice_route_requests_total{code="rate_limit_exceeded",route="rated",status="429"} 2`) {
		t.Errorf("metrics lack the refusals: %v", err)
	}
}

func TestRouteCommands(t *testing.T) {
	a, b := startBackend(t, "a"), startBackend(t, "b")
	configuration := `routes:
  - {name: rest, match: {path: "/**"}, backend: {static: {body: rest}}}
  - {name: orders, match: {host: "*.example.com", path: "/orders/{id}", methods: [GET]}, backend: {http: {targets: ["TARGET"]}}, auth: {require: [key]}, limits: {rate: 5000/1s}}
` + team
	g := newGateway(t, "")
	g.configure(head + strings.Replace(configuration, "TARGET", a.URL, 1))
	g.start()
	out, errs, code := g.sluice("route", "list", "--json")
	if code != 0 || gjson.Get(out, "0.name").Str != "orders" || gjson.Get(out, "1.name").Str != "rest" || gjson.Get(out, "0.source").Str != "file" ||
		gjson.Get(out, "0.targets.0.state").Str != "closed" || gjson.Get(out, "0.limits.rate").Str != "5000/1s" {
		t.Errorf("route list: %d %s %s", code, out, errs)
	}
	if out, _, code = g.sluice("route", "list"); code != 0 || !strings.Contains(out, a.URL) {
		t.Errorf("route list: %d %s", code, out)
	}
	if out, _, code = g.sluice("route", "show", "orders"); code != 0 || !strings.Contains(out, "orders") {
		t.Errorf("route show: %d %s", code, out)
	}
	out, errs, code = g.sluice("route", "explain", "/orders//7", "--host", "a.example.com", "--json")
	if code != 0 || gjson.Get(out, "route").Str != "orders" || gjson.Get(out, "path").Str != "/orders/7" || gjson.Get(out, "candidates.#").Int() != 1 {
		t.Errorf("route explain: %d %s %s", code, out, errs)
	}
	for _, args := range [][]string{{"create", "n", `{"match":{"path":"/n"}}`}, {"delete", "orders"}} {
		if _, errs, code := g.sluice(append([]string{"route"}, args...)...); code != 1 || !strings.Contains(errs, "configuration file") {
			t.Errorf("%v: %d %s", args, code, errs)
		}
	}
	where := func() string {
		return g.raw("GET", "/orders/7", "", "Host", "a.example.com", "Authorization", "Bearer "+teamKey).header.Get("X-Backend")
	}
	if got := where(); got != "a" {
		t.Fatalf("it went to %q", got)
	}
	g.configure(head + strings.Replace(configuration, "TARGET", b.URL, 1))
	if !eventually(10*time.Second, func() bool { return where() == "b" }) {
		t.Error("a changed target is not in force")
	}
	g.configure(head + strings.Replace(configuration, `"TARGET"`, `"nowhere"`, 1))
	if r := g.api("POST", "reload", ""); r.status != 400 && r.status != 422 {
		t.Errorf("a faulty route was taken: %d %s", r.status, r.body)
	}
	if got := where(); got != "b" {
		t.Errorf("after a faulty configuration it went to %q", got)
	}
}
