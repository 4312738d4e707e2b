package gateway_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"sluice/gateway/limit"
	"sluice/gateway/proxy"
	transport "sluice/providers/upstream"
	"sluice/router"
)

// withRoutes gives the rig a plain route to the fake, and one with a key and
// limits; both answer with 1 KiB.
func withRoutes(t testing.TB) func(*setup) {
	return func(s *setup) {
		made := func(name string, steps ...proxy.Step) *proxy.Route {
			backend, err := proxy.NewHTTP(proxy.HTTPOptions{Route: name, Registry: router.NewRegistry(nil), Timeout: time.Minute, Strip: "/" + name,
				Retry: router.Retry{Attempts: 1}, Targets: []proxy.HTTPTarget{{URL: s.fake, Weight: 1, Client: client(t, s.fake)}}})
			if err != nil {
				t.Fatal(err)
			}
			return &proxy.Route{Name: name, Match: proxy.Match{Path: "/" + name + "/**"}, Steps: steps, Backend: backend}
		}
		limiter := limit.New(limit.Limit{Requests: 1 << 40, Per: time.Minute, Parallel: 1000})
		tree, err := proxy.NewTree([]*proxy.Route{made("bare"),
			made("keyed", proxy.RequireKey(), proxy.Rate(proxy.RateOptions{Route: "keyed", Limiter: limiter, Per: "key"}))})
		if err != nil {
			t.Fatal(err)
		}
		s.routes = tree
	}
}

func client(t testing.TB, url string) *transport.Client {
	c, err := transport.New(transport.Options{BaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// routed is a connection that sends 1 KiB to a route.
func (r *rig) routed(t testing.TB, name string) *keptConn {
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &keptConn{Conn: conn, buf: make([]byte, 64<<10), request: fmt.Appendf(nil,
		"POST /%s/plain HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nUser-Agent: test\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n%s",
		name, testKey, strings.Repeat("x", 1024))}
}

// BenchmarkRoute is a whole request within this process: client, gateway and
// backend on loopback.
func BenchmarkRoute(b *testing.B) {
	for _, name := range []string{"bare", "keyed"} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, withRoutes(b))
			conn := r.routed(b, name)
			b.ReportAllocs()
			for b.Loop() {
				if err := conn.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What a request to a route allocates, in the gateway and, for both run in this
// process, in the backend. Policies that a route does not name add nothing to
// the first; whoever builds one leaves it as it is.
const (
	mostRouteAllocs = 12
	mostKeyedAllocs = 14
)

func TestAllocationsOfARoute(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	r := newRig(t, withRoutes(t))
	for name, most := range map[string]float64{"bare": mostRouteAllocs, "keyed": mostKeyedAllocs} {
		conn := r.routed(t, name)
		run := func() {
			if err := conn.do(); err != nil {
				t.Fatal(err)
			}
		}
		for range 50 {
			run()
		}
		if n := testing.AllocsPerRun(300, run); n > most {
			t.Errorf("%s: %v allocations, the most is %v", name, n, most)
		} else {
			t.Logf("%s: %v allocations", name, n)
		}
	}
}
