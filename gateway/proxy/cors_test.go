package proxy

import (
	"testing"

	"github.com/valyala/fasthttp"
)

func TestCORSOrigins(t *testing.T) {
	f := func(origins []string, origin string, want bool) {
		t.Helper()
		o := CORS{Origins: origins}
		if got := o.allows(origin); got != want {
			t.Errorf("%v, %s: %v", origins, origin, got)
		}
	}
	one := []string{"https://app.example.com"}
	f(one, "https://app.example.com", true)
	f(one, "HTTPS://APP.example.com", true)
	f(one, "http://app.example.com", false)
	f(one, "https://app.example.com:8443", false)
	f(one, "https://app.example.com.evil.org", false)
	f(one, "null", false)
	f([]string{"null"}, "null", true)
	f([]string{"*"}, "null", true)
	below := []string{"https://*.example.com"}
	f(below, "https://a.example.com", true)
	f(below, "https://a.b.example.com", true)
	f(below, "https://example.com", false)
	f(below, "https://.example.com", false)
	f(below, "https://evilexample.com", false)
	f(below, "https://evil.org/.example.com", false)
	f(below, "https://evil.org#.example.com", false)
	f(below, "http://a.example.com", false)
}

// A preflight goes to the route of the request that it asks about.
func TestPreflightFindsRoute(t *testing.T) {
	tree := mustTree(t, []*Route{
		{Name: "read", Match: Match{Path: "/a", Methods: []string{"GET"}}, Preflight: true, Backend: &Static{}},
		{Name: "write", Match: Match{Path: "/a", Methods: []string{"POST"}, Headers: []Condition{{"X-Beta", "1"}}}, Preflight: true, Backend: &Static{}},
		{Name: "silent", Match: Match{Path: "/a", Methods: []string{"PUT"}}, Backend: &Static{}},
	})
	for method, want := range map[string]string{"GET": "read", "HEAD": "read", "POST": "write", "PUT": "", "DELETE": ""} {
		var r fasthttp.Request
		r.Header.SetMethod("OPTIONS")
		r.Header.Set("Origin", "https://app.example.com")
		r.Header.Set("Access-Control-Request-Method", method)
		if got := tree.name(t, "x", "/a", &r); got != want {
			t.Errorf("%s: %q, want %q", method, got, want)
		}
	}
}
