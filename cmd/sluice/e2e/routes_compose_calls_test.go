package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sluice/bench/collector"
)

// TestRouteComposeCalls shows each call of a composed answer: in the answer of
// one that failed, in the record of the request and in its trace.
func TestRouteComposeCalls(t *testing.T) {
	asked := make(chan struct{}, 8)
	b := startBackend(t, "a")
	b.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/user":
			fmt.Fprint(w, `{"id":7}`)
		case "/hang":
			asked <- struct{}{}
			<-r.Context().Done()
		case "/bad/7": // once the other call is under way
			<-asked
			w.WriteHeader(503)
		}
	})
	c := collector.Start(t, nil)
	g := start(t, `telemetry: {otlp: "`+c.URL()+`"}
routes:
  - name: view
    match: {path: /view}
    backend:
      compose:
        calls:
          - {as: user, get: "`+b.URL+`/user"}
          - {as: orders, post: "`+b.URL+`/bad/{user.id}"}
          - {as: slow, get: "`+b.URL+`/hang"}
          - {as: items, get: "`+b.URL+`/items/{orders.id}"}
`+team)
	r := g.data("GET", "/view", "", "X-Request-Id", "mine")
	if r.status != 502 || r.get("code").Str != "upstream_error" || !strings.Contains(r.get("detail").Str, `the call "orders" failed`) {
		t.Fatalf("%d %s", r.status, r.body)
	}
	want := `[{"call":"user","state":"answered","status":200},{"call":"orders","state":"failed","status":503},{"call":"slow","state":"given up"},{"call":"items","state":"not made"}]`
	if got := r.get("calls").Raw; got != want {
		t.Errorf("the answer tells of the calls\n%s, want\n%s", got, want)
	}
	tries := map[string]string{}
	request := g.api("GET", "requests/mine", "")
	for _, a := range request.get("attempts").Array() {
		tries[a.Get("call").Str] = fmt.Sprint(a.Get("status"), " ", a.Get("code"))
	}
	if tries["user"] != "200 " || !strings.HasPrefix(tries["orders"], "503 ") || !strings.HasPrefix(tries["slow"], "0 ") || len(tries) != 3 {
		t.Errorf("the record has the calls %v: %s", tries, request.body)
	}
	if code := g.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	spans := map[string]string{}
	root, below := c.Trace(request.get("trace_id").Str)
	for _, s := range below {
		attributes := collector.Attributes(s.Attributes)
		spans[s.Name] = fmt.Sprint(attributes["sluice.route.call"], " ", attributes["http.response.status_code"], " ", attributes["http.request.method"])
		if s.StartTimeUnixNano < root.StartTimeUnixNano || s.EndTimeUnixNano > root.EndTimeUnixNano {
			t.Errorf("%s was not within the request", s.Name)
		}
	}
	if len(spans) != 3 || spans["GET user"] != "user 200 GET" || spans["POST orders"] != "orders 503 POST" || !strings.HasPrefix(spans["GET slow"], "slow ") {
		t.Errorf("the trace has the calls %v", spans)
	}
}

// TestRouteComposeDepth bounds how deep calls may follow on each other: within
// a route, and where they lead back to the gateway.
func TestRouteComposeDepth(t *testing.T) {
	b := startBackend(t, "a")
	b.says(nil)
	g := start(t, `routes:
  - {name: circle, match: {path: "/circle"}, backend: {compose: {calls: [{as: next, get: "http://LISTEN/by/circle"}]}}}
  - {name: by, match: {path: "/by/**"}, backend: {http: {targets: ["http://LISTEN"], strip_prefix: /by}}}
  - {name: once, match: {path: "/once"}, backend: {compose: {calls: [{as: next, get: "http://LISTEN/twice"}]}}}
  - {name: twice, match: {path: "/twice"}, backend: {compose: {calls: [{as: last, get: "`+b.URL+`/x"}]}}}
`+team)
	if r := g.data("GET", "/once", ""); r.status != 200 || r.get("next.last.uri").Str != "/x" {
		t.Errorf("one within another: %d %s", r.status, r.body)
	}
	if h, _ := b.heard(); h.Get("Cdn-Loop") != "sluice, sluice" {
		t.Errorf("the backend was told of the way %q", h.Get("Cdn-Loop"))
	}
	if r := g.data("GET", "/circle", ""); r.status != 502 || r.get("calls.0.call").Str != "next" {
		t.Errorf("a circle: %d %s", r.status, r.body)
	}
	r := g.data("GET", "/circle", "", "CDN-Loop", "other; x=sluice, sluice;v=1,sluice, sluice,sluice ,sluice")
	if r.status != 508 || !strings.Contains(r.body, "more than 5 deep") {
		t.Errorf("what has come round five times: %d %s", r.status, r.body)
	}
	deep := func(n int) string {
		calls := []string{`{as: c1, get: "http://h/"}`}
		for i := 2; i <= n; i++ {
			calls = append(calls, fmt.Sprintf(`{as: c%d, get: "http://h/{c%d.id}"}`, i, i-1))
		}
		return fmt.Sprintf(`  - {name: deep%d, match: {path: /deep%d}, backend: {compose: {calls: [%s]}}}`+"\n", n, n, strings.Join(calls, ", "))
	}
	g.configure(head + "routes:\n" + deep(5) + deep(6))
	out, _, code := g.sluice("check", "-c", g.file())
	want := "routes[1].backend.compose.calls[5]: the calls wait for each other more than 5 deep: c6 needs c5 needs c4 needs c3 needs c2 needs c1"
	if code != 2 || !strings.Contains(out, want) || strings.Contains(out, "routes[0]") {
		t.Errorf("check: %d %s", code, out)
	}
}
