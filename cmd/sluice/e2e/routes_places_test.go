package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"github.com/valyala/fasthttp"
)

// stub is a service that says who it is, and can be killed and come back.
type stub struct {
	t          *testing.T
	name, addr string
	slow       time.Duration // before it answers
	server     *http.Server

	hits, probes, before atomic.Int64 // before: how many probes came before the first request
}

func startStub(t *testing.T, name string) *stub {
	t.Helper()
	s := &stub{t: t, name: name, addr: freeAddr(t)}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *stub) url() string { return "http://" + s.addr }

func (s *stub) start() {
	s.t.Helper()
	ln, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.hits.Store(0)
	s.probes.Store(0)
	s.server = &http.Server{Handler: http.HandlerFunc(s.serve)}
	go func() { _ = s.server.Serve(ln) }()
}

// kill closes it with all that it has under way.
func (s *stub) kill() { _ = s.server.Close() }

func (s *stub) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz":
		s.probes.Add(1)
		return
	case "/strictz":
		return
	}
	if s.hits.Add(1) == 1 {
		s.before.Store(s.probes.Load())
	}
	time.Sleep(s.slow)
	h := w.Header()
	h.Set("X-Backend", s.name)
	h.Set("Server", "secret/1.0 ("+s.addr+")")
	if strings.HasSuffix(r.URL.Path, "/moved") {
		h.Set("Location", s.url()+"/there")
		w.WriteHeader(http.StatusFound)
		return
	}
	fmt.Fprint(w, s.name)
}

// endless has the crowd ask for paths, one after the other, until it is stopped,
// and tells how many it has asked for.
func (c *crowd) endless(heard func(path string, r *fasthttp.Response, err error), paths ...string) (stop func() int64) {
	var over atomic.Bool
	var n atomic.Int64
	var wg sync.WaitGroup
	for range c.size {
		wg.Go(func() {
			req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			defer fasthttp.ReleaseRequest(req)
			defer fasthttp.ReleaseResponse(res)
			for !over.Load() {
				path := paths[int(n.Add(1))%len(paths)]
				req.Reset()
				req.SetRequestURI("http://" + c.g.listen + path)
				heard(path, res, c.client.Do(req, res))
			}
		})
	}
	return func() int64 {
		over.Store(true)
		wg.Wait()
		return n.Load()
	}
}

// Fifty routes lead to ten services through one port. Nothing in an answer tells
// where those are; one that moves to another port, and is told of by the admin
// API, moves for nobody who calls.
func TestRouteHidesPlaces(t *testing.T) {
	var stubs []*stub
	for i := range 10 {
		stubs = append(stubs, startStub(t, fmt.Sprint("stub", i)))
	}
	routes := led + "routes:\n"
	for i := range 50 {
		routes += fmt.Sprintf("  - {name: r%d, match: {path: \"/r%d/**\"}, backend: {http: {targets: [%q]}}}\n", i, i, stubs[i%10].url())
	}
	g := start(t, routes)
	visit := func() {
		t.Helper()
		c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		for i := range 50 {
			for _, path := range []string{"/x", "/moved"} {
				res, err := c.Get(fmt.Sprintf("http://%s/r%d%s", g.listen, i, path))
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				s := stubs[i%10]
				if got := res.Header.Get("X-Backend"); got != s.name || res.StatusCode >= 400 {
					t.Errorf("route %d leads to %q: %d", i, got, res.StatusCode)
				}
				if _, told := res.Header["Server"]; told {
					t.Errorf("route %d tells of its server: %q", i, res.Header["Server"])
				}
				_, port, _ := net.SplitHostPort(s.addr)
				if text := fmt.Sprint(res.Header); strings.Contains(text, port) {
					t.Errorf("route %d tells where its server is: %s", i, text)
				}
			}
		}
	}
	visit()
	for i := range 3 {
		old := stubs[i]
		stubs[i] = startStub(t, old.name)
		g.putConfig(strings.ReplaceAll(g.configText(), old.url(), stubs[i].url()), int64(i+2))
		old.kill()
		visit()
	}
}

// One of three services is killed under load: once that is found out no error
// reaches callers. When it is back it gets requests after two checks. With all
// of them gone the panic mode decides: all are tried, or it is 503 with a reason.
func TestRouteServerKilled(t *testing.T) {
	t.Parallel() // it waits most of its time
	stubs := []*stub{startStub(t, "a"), startStub(t, "b"), startStub(t, "c")}
	targets := fmt.Sprintf("targets: [%q, %q, %q], balance: round-robin, health: {every: 1s, fails: 2, passes: 2", stubs[0].url(), stubs[1].url(), stubs[2].url())
	g := start(t, `routes:
  - {name: plain, match: {path: "/plain/**"}, backend: {http: {`+targets+`, path: /healthz}}}}
  - {name: strict, match: {path: "/strict/**"}, backend: {http: {`+targets+`, path: /strictz, panic: 0}}}}
`)
	await := func(route, want string, of ...int) {
		t.Helper()
		for _, i := range of {
			if !eventually(30*time.Second, func() bool {
				return gjson.Get(g.api("GET", "routes/"+route, "").body, fmt.Sprintf("targets.%d.health", i)).Str == want
			}) {
				t.Fatalf("%s is not %s: %s", stubs[i].name, want, g.api("GET", "routes/"+route, "").body)
			}
		}
	}
	await("plain", "healthy", 0, 1, 2)
	var found atomic.Bool
	var early, late tally[string]
	stop := g.crowd("127.0.0.1", 8).endless(func(_ string, r *fasthttp.Response, err error) {
		to := &early
		if found.Load() {
			to = &late
		}
		switch {
		case err != nil:
			to.add(err.Error())
		case r.StatusCode() != 200:
			to.add(fmt.Sprint(r.StatusCode(), " ", string(r.Body())))
		default:
			to.add(string(r.Header.Peek("X-Backend")))
		}
	}, "/plain/x")
	if !eventually(20*time.Second, func() bool { return stubs[0].hits.Load() > 20 && stubs[2].hits.Load() > 20 }) {
		t.Error("no load comes")
	}
	stubs[1].kill()
	await("plain", "unhealthy", 1)
	if got := g.crowd("127.0.0.1", 4).answered(200, "/plain/x"); got["b"] > 0 { // those under way when it was found are over by then
		t.Errorf("after it was found: %v", got)
	}
	found.Store(true)
	if got := g.crowd("127.0.0.1", 4).answered(sized(5000), "/plain/x"); got["a"] == 0 || got["c"] == 0 || got["b"] > 0 {
		t.Errorf("with one gone: %v", got)
	}
	stubs[1].start()
	if !eventually(30*time.Second, func() bool { return stubs[1].hits.Load() > 0 }) {
		t.Fatalf("it gets no requests: %s", g.api("GET", "routes/plain", "").body)
	}
	n := stop()
	t.Logf("%d requests; until it was found: %v, then: %v", n, early.of, late.of)
	for who := range late.of {
		if who != "a" && who != "b" && who != "c" {
			t.Errorf("after it was found %d times: %s", late.of[who], who)
		}
	}
	if probes := stubs[1].before.Load(); probes > 2 {
		t.Errorf("it was asked %d times before it got a request", probes)
	}

	for _, s := range stubs {
		s.kill()
	}
	await("strict", "unhealthy", 0, 1, 2)
	await("plain", "unhealthy", 0, 1, 2)
	r := g.data("GET", "/strict/x", "")
	if r.status != 503 || r.header.Get("Content-Type") != "application/problem+json" || gjson.Get(r.body, "code").Str != "no_target" || gjson.Get(r.body, "detail").Str == "" {
		t.Errorf("without panic mode: %d %s", r.status, r.body)
	}
	if r = g.data("GET", "/plain/x", ""); r.status != 502 || gjson.Get(r.body, "detail").Str == "" {
		t.Errorf("in panic mode: %d %s", r.status, r.body)
	}
	stubs[2].start()
	if !eventually(30*time.Second, func() bool { return g.data("GET", "/strict/x", "").header.Get("X-Backend") == "c" }) {
		t.Error("one that is back gets no requests")
	}
}

// A service that takes 200 ms gets few of the requests that two others answer in
// 10 ms.
func TestRouteLeastConnections(t *testing.T) {
	slow, b, c := startStub(t, "slow"), startStub(t, "b"), startStub(t, "c")
	slow.slow, b.slow, c.slow = 200*time.Millisecond, 10*time.Millisecond, 10*time.Millisecond
	g := start(t, fmt.Sprintf("routes: [{name: r, match: {path: \"/r/**\"}, backend: {http: {targets: [%q, %q, %q], balance: least-connections}}}]\n", slow.url(), b.url(), c.url()))
	callers := g.crowd("127.0.0.1", 12)
	for round := range 5 { // a machine that is busy with other things makes all of them slow
		got := callers.answered(600, "/r/x")
		t.Logf("round %d: %v", round, got)
		if share := float64(got["slow"]) / 600; share < 0.15 && got["slow"] > 0 {
			return
		}
	}
	t.Error("the slow one always gets as much as others")
}

// All servers of a route are replaced by the admin API, again and again while
// requests come: none fails, and none goes to a server that is not of the route.
func TestRouteServersReplaced(t *testing.T) {
	var servers [6]*counter
	for i := range servers {
		servers[i] = startCounter(t, fmt.Sprint("server ", i))
	}
	other := startCounter(t, "other")
	route := func(set int) string {
		return fmt.Sprintf("{name: a, match: {path: \"/a/**\"}, backend: {http: {targets: [%q, %q]}}}", servers[2*set].url, servers[2*set+1].url)
	}
	g := start(t, led+`routes:
  - {name: b, match: {path: "/b/**"}, backend: {http: {targets: ["`+other.url+`"]}}}
  - `+route(0)+"\n")
	first := g.configText()
	var answers tally[string]
	began := time.Now()
	stop := g.crowd("127.0.0.1", 32).endless(func(path string, r *fasthttp.Response, err error) {
		who := string(r.Header.Peek("X-Backend"))
		switch {
		case err != nil:
			answers.add("failed: " + err.Error())
		case r.StatusCode() != 200 || string(r.Body()) != "whole":
			answers.add(fmt.Sprint("failed: ", r.StatusCode(), " ", string(r.Body())))
		case strings.HasPrefix(path, "/a/") != strings.HasPrefix(who, "server "):
			answers.add("misled to " + who)
		default:
			answers.add("well")
		}
	}, "/a/x", "/a/y", "/a/z", "/b/x")
	changes := sized(100)
	for i := range changes {
		set := (i + 1) % 3
		text := first
		for k := range 2 {
			text = strings.ReplaceAll(text, servers[k].url, servers[2*set+k].url)
		}
		g.putConfig(text, int64(i+2))
		if who := g.raw("GET", "/a/x", "").header.Get("X-Backend"); who != servers[2*set].name && who != servers[2*set+1].name {
			t.Errorf("after change %d %q still answers", i, who)
		}
	}
	n := stop()
	t.Logf("%d changes, %d requests, %.0f a second: %v", changes, n, float64(n)/time.Since(began).Seconds(), answers.of)
	if len(answers.of) != 1 || answers.of["well"] < changes {
		t.Errorf("while servers were replaced: %v", answers.of)
	}
	for _, s := range servers {
		if s.hits.Load() == 0 {
			t.Errorf("%s was never asked", s.name)
		}
	}
}
