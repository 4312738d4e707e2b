package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// Lists of addresses, of callers and of callers behind a trusted proxy.
func TestRouteAddresses(t *testing.T) {
	var many strings.Builder
	for i := range 100_000 {
		if i%2 == 0 {
			fmt.Fprintf(&many, "11.%d.%d.%d, ", i>>16, i>>8&255, i&255)
		} else {
			fmt.Fprintf(&many, "'2001:db8:%x::/48', ", i/2)
		}
	}
	routes := `routes:
  - {name: many, match: {path: "/many"}, backend: {static: {body: in}}, ips: {deny: [` + many.String() + ` 10.6.6.6]}}
  - {name: inner, match: {path: "/inner"}, backend: {static: {body: in}}, ips: {allow: [10.0.0.0/8, "2001:db8::/32"], deny: [10.6.6.6]}}
  - {name: local, match: {path: "/local"}, backend: {static: {body: in}}, ips: {allow: ["::ffff:127.0.0.0/104"]}}
` + team
	g := start(t, routes)
	for path, status := range map[string]int{"/many": 200, "/inner": 403, "/local": 200} {
		if r := g.raw("GET", path, "", "X-Forwarded-For", "10.1.1.1", "Forwarded", "for=10.1.1.1", "X-Real-Ip", "10.1.1.1"); r.status != status {
			t.Errorf("%s from a caller that nobody believes: %d %s", path, r.status, r.body)
		}
	}
	r := g.raw("GET", "/inner", "")
	if gjson.Get(r.body, "code").Str != "permission_denied" || gjson.Get(r.body, "origin").Str != "policy" || r.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("refused with %v %s", r.header, r.body)
	}

	g.configure(strings.Replace(head, "drain: 10s", "drain: 10s, trusted_proxies: [127.0.0.0/8]", 1) + routes)
	if !eventually(20*time.Second, func() bool { return g.raw("GET", "/inner", "", "X-Forwarded-For", "10.1.1.1").status == 200 }) {
		t.Fatal("trusted_proxies are not in force")
	}
	for _, c := range []struct {
		path, from string
		status     int
	}{
		{"/inner", "10.6.6.6", 403}, {"/inner", "11.0.0.1", 403}, {"/inner", "2001:db8::7", 200}, {"/inner", "2001:db9::7", 403},
		{"/inner", "::ffff:10.1.1.1", 200}, {"/inner", "::ffff:10.6.6.6", 403}, {"/inner", "10.1.1.1:4711", 200}, {"/inner", "[2001:db8::7]:4711", 200},
		{"/inner", "10.1.1.1, 11.0.0.1", 403}, {"/inner", "11.0.0.1, 10.1.1.1", 200}, {"/inner", "10.1.1.1, nonsense", 403},
		{"/many", "11.0.0.2", 403}, {"/many", "11.0.0.1", 200}, {"/many", "2001:db8:1::9", 403}, {"/many", "2001:db8:ffff::9", 200}, {"/many", "10.6.6.6", 403},
		{"/local", "10.1.1.1", 403}, {"/local", "127.0.0.9", 200},
	} {
		if r := g.raw("GET", c.path, "", "X-Forwarded-For", c.from); r.status != c.status {
			t.Errorf("%s from %s: %d %s", c.path, c.from, r.status, r.body)
		}
	}
}

// What is wrong with the protection of a route is told with its line.
func TestRouteProtectionChecked(t *testing.T) {
	g := newGateway(t, "")
	for fault, want := range map[string]string{
		`ips: {allow: [10.0.0.0/8, nowhere]}`:                  `routes[0].ips.allow[1]: want an address or a network such as 10.0.0.0/8, not "nowhere"`,
		`ips: {allow: []}`:                                     "routes[0].ips: want allow or deny",
		`ips: {denied: [10.0.0.0/8]}`:                          `unknown key "denied", known here: allow, deny`,
		`limits: {rate: 5/1s, throttle: {after: 9, queue: 2}}`: "routes[0].limits.throttle.after: want at most the rate's 5: more than that is refused",
		`limits: {rate: 5/1s, throttle: {after: 3}}`:           "routes[0].limits.throttle.queue: is needed: how many may wait",
		`limits: {parallel: 5, throttle: {queue: 3}}`:          "routes[0].limits.throttle: want a rate too",
		`waf: {paranoia: 5}`:                                   "routes[0].waf.paranoia: want a level from 1 to 4",
		`waf: {mode: watch}`:                                   `routes[0].waf.mode: want one of block, detect, not "watch"`,
		`waf: {exclude: [942100, 7]}`:                          "routes[0].waf.exclude[1]: want the id of a rule for requests, such as 942100",
		`limits: {failures: x}`:                                `routes[0].limits.failures: want requests and a time such as 100/1m, not "x"`,
	} {
		g.configure(head + "routes:\n  - name: r\n    match: {path: /r}\n    backend: {static: {body: x}}\n    " + fault + "\n" + team)
		out, _, code := g.sluice("check", "-c", g.file())
		if code != 2 || !strings.Contains(out, want) || !strings.Contains(out, "sluice.yaml:8: ") {
			t.Errorf("%s: %d\n%s, want %s", fault, code, out, want)
		}
	}
}
