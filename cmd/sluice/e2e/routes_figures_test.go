package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Every request of a route is counted once, with the bytes of bodies both ways,
// streams too, and with how long its backend took.
func TestRouteFigures(t *testing.T) {
	b := startBackend(t, "a")
	g := start(t, `routes:
  - {name: svc, match: {path: "/svc/**"}, backend: {http: {targets: ["`+b.URL+`"]}}}
  - {name: packed, match: {path: "/packed/**"}, backend: {http: {targets: ["`+b.URL+`"]}}, transform: {response: {compress: [gzip]}}}
  - {name: fixed, match: {path: /fixed}, backend: {static: {body: "0123456789"}}}
`)
	var sent, got int
	ask := func(method, path, body string) answer {
		t.Helper()
		r := g.raw(method, path, body)
		if r.status != 200 && !strings.Contains(path, "/status/") {
			t.Errorf("%s %s: %d", method, path, r.status)
		}
		return r
	}
	for _, q := range [][3]string{{"GET", "/svc/x", ""}, {"POST", "/svc/x", "four"}, {"POST", "/svc/sum", strings.Repeat("x", 30<<10)}, {"POST", "/svc/sum", strings.Repeat("x", 300<<10)},
		{"GET", "/svc/large", ""}, {"GET", "/svc/status/500", ""}, {"GET", "/svc/status/404", ""}} {
		r := ask(q[0], q[1], q[2])
		sent, got = sent+len(q[2]), got+len(r.body)
	}
	if r := g.raw("GET", "/packed/large", "", "Accept-Encoding", "gzip"); r.header.Get("Content-Encoding") != "gzip" || len(r.body) > 16<<20 {
		t.Errorf("it is not packed: %d bytes, %v", len(r.body), r.header)
	}
	ask("POST", "/fixed", "left alone")
	want := map[string]string{
		`sluice_route_request_bytes_sum{route="svc"}`:        fmt.Sprint(sent),
		`sluice_route_request_bytes_count{route="svc"}`:      "7",
		`sluice_route_response_bytes_count{route="svc"}`:     "7",
		`sluice_route_duration_seconds_count{route="svc"}`:   "7",
		`sluice_route_upstream_seconds_count{route="svc"}`:   "7",
		`sluice_route_upstream_seconds_count{route="fixed"}`: "0",
		`sluice_route_response_bytes_sum{route="fixed"}`:     "10",
		`sluice_route_request_bytes_sum{route="fixed"}`:      "0", // nobody has read it
	}
	for series, value := range want {
		if !eventually(5*time.Second, func() bool { return sameNumber(g.metric(series), value) }) {
			t.Errorf("%s is %s, want %s", series, g.metric(series), value)
		}
	}
	for series, value := range map[string]int{`sluice_route_response_bytes_sum{route="svc"}`: got, `sluice_route_response_bytes_sum{route="packed"}`: 32 << 20} {
		if n := g.metric(series); !sameNumber(n, fmt.Sprint(value)) {
			t.Errorf("%s is %s, want %d", series, n, value)
		}
	}
}

// sameNumber tells whether two texts are one number: large ones are told as
// 3.3554432e+07.
func sameNumber(a, b string) bool {
	var x, y float64
	_, errA := fmt.Sscan(a, &x)
	_, errB := fmt.Sscan(b, &y)
	return errA == nil && errB == nil && x == y
}
