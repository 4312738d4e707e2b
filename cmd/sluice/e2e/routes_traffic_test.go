package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// A mirror is sent what the backend is sent; whatever it does, callers see the
// backend alone.
func TestRouteMirror(t *testing.T) {
	b := startBackend(t, "real")
	m, second := startBackend(t, "mirror"), startBackend(t, "second")
	release := make(chan struct{})
	var mu sync.Mutex
	var heard []string
	m.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := new(strings.Builder)
		_, _ = fmt.Fprintf(b, "%s %s %s %s ", r.Method, r.RequestURI, r.Header.Get("X-A"), r.Header.Get("X-Sluice-Mirrored"))
		_, _ = fmt.Fprint(b, r.ContentLength)
		mu.Lock()
		heard = append(heard, b.String())
		mu.Unlock()
		switch {
		case strings.HasSuffix(r.URL.Path, "/hold"):
			<-release
		case strings.HasSuffix(r.URL.Path, "/fails"):
			w.WriteHeader(500)
		}
	})
	nobody := "http://" + freeAddr(t)
	g := start(t, `routes:
  - {name: all, match: {path: "/all/**"}, backend: {http: {targets: ["`+b.URL+`/base"], strip_prefix: /all, mirror: "`+m.URL+`/copy"}}}
  - {name: none, match: {path: "/none/**"}, backend: {http: {targets: ["`+b.URL+`"], mirror: {url: "`+nobody+`", timeout: 2s}}}}
  - {name: two, match: {path: "/two/**"}, backend: {http: {targets: ["`+b.URL+`"], mirror: ["`+m.URL+`", {url: "`+second.URL+`/second"}, {url: "`+nobody+`", timeout: 2s}]}}}
`)
	copies := func(route, to, result string) string {
		return g.metric(`sluice_route_mirrored_total{mirror="` + to + `",result="` + result + `",route="` + route + `"}`)
	}
	count := func(route, result string) string {
		to := m.URL + "/copy"
		if route == "none" {
			to = nobody
		}
		return copies(route, to, result)
	}
	wantCount := func(route, result, want string) {
		t.Helper()
		if !eventually(5*time.Second, func() bool { return count(route, result) == want }) {
			t.Errorf("%s %s: %q copies, want %s", route, result, count(route, result), want)
		}
	}
	if r := g.raw("POST", "/all/x?y=1", "body", "X-A", "a"); r.status != 200 || r.body != "POST /base/x?y=1 body" || r.header.Get("X-Backend") != "real" {
		t.Errorf("beside a mirror: %d %s", r.status, r.body)
	}
	wantCount("all", "answered", "1")
	mu.Lock()
	if len(heard) != 1 || heard[0] != "POST /copy/x?y=1 a 1 4" {
		t.Errorf("the mirror was sent %q", heard)
	}
	mu.Unlock()
	if h, _ := b.heard(); h.Get("X-Sluice-Mirrored") != "" {
		t.Error("the backend is told of a mirror")
	}
	if r := g.raw("GET", "/all/fails", ""); r.status != 200 {
		t.Errorf("beside a mirror that fails: %d", r.status)
	}
	if r := g.raw("GET", "/none/x", ""); r.status != 200 {
		t.Errorf("beside a mirror that is not there: %d", r.status)
	}
	wantCount("all", "failed", "1")
	wantCount("none", "failed", "1")
	if r := g.raw("POST", "/all/sum", strings.Repeat("x", 100<<10)); r.status != 200 || !strings.HasPrefix(r.body, "102400 ") {
		t.Errorf("a large body: %d %s", r.status, r.body)
	}
	wantCount("all", "too_large", "1")
	for range 130 { // of which the mirror answers none yet
		if r := g.raw("GET", "/all/hold", ""); r.status != 200 {
			t.Fatalf("beside a mirror that hangs: %d", r.status)
		}
	}
	wantCount("all", "dropped", "2")
	close(release)
	wantCount("all", "answered", "129")
	if r := g.api("GET", "routes", ""); r.get(`data.#(name=="all").mirror`).Raw != `["`+m.URL+`/copy"]` || r.get(`data.#(name=="two").mirror.#`).Int() != 3 {
		t.Errorf("the admin plane shows %s", r.body)
	}
	// Each of several gets its own copy, whatever becomes of the others.
	if r := g.raw("PUT", "/two/x?y=1", "to all"); r.status != 200 || r.body != "PUT /two/x?y=1 to all" || r.header.Get("X-Backend") != "real" {
		t.Errorf("beside several mirrors: %d %s", r.status, r.body)
	}
	for to, want := range map[string]string{m.URL: "answered", second.URL + "/second": "answered", nobody: "failed"} {
		if !eventually(5*time.Second, func() bool { return copies("two", to, want) == "1" }) {
			t.Errorf("the mirror %s: %q copies %s, want 1", to, copies("two", to, want), want)
		}
	}
	if h, _ := second.heard(); h.Get("X-Sluice-Mirrored") != "1" || second.hits.Load() != 1 {
		t.Errorf("the second mirror was sent %v", h)
	}
}

// Each mirror of a list is checked by itself.
func TestRouteMirrorsChecked(t *testing.T) {
	g := newGateway(t, `routes:
  - {name: a, match: {path: "/a/**"}, backend: {http: {targets: ["http://127.0.0.1:1"], mirror: ["http://127.0.0.1:2", {url: "http://127.0.0.1:3", share: 2}]}}}
  - {name: b, match: {path: "/b/**"}, backend: {http: {targets: ["http://127.0.0.1:1"], mirror: ["http://127.0.0.1:2", "http://127.0.0.1:2"]}}}
  - {name: c, match: {path: "/c/**"}, backend: {http: {targets: ["http://127.0.0.1:1"], mirror: "nowhere"}}}
`)
	out, _, code := g.sluice("check", "-c", g.file())
	for _, want := range []string{"routes[0].backend.http.mirror[1].share: want a share", `routes[1].backend.http.mirror[1]: "http://127.0.0.1:2" stands there twice`,
		"routes[2].backend.http.mirror: want an address"} {
		if code != 2 || !strings.Contains(out, want) {
			t.Errorf("check: %d, without %q:\n%s", code, want, out)
		}
	}
}

// A canary has its share of the callers, each of whom stays; some ask for it.
func TestRouteCanary(t *testing.T) {
	stable, canary := startBackend(t, "stable"), startBackend(t, "canary")
	route := func(share string) string {
		return `routes:
  - name: shop
    match: {path: "/shop/**"}
    backend: {http: {targets: ["` + stable.URL + `"], canary: {targets: ["` + canary.URL + `"], share: ` + share + `, by: "cookie:id", match: {headers: {x-canary: "1"}}}}}
    cache: {ttl: 60s}
`
	}
	g := start(t, route("0.2"))
	asks := func(id int, path string, header ...string) string {
		r := g.raw("GET", path, "", append([]string{"Cookie", fmt.Sprint("id=", id)}, header...)...)
		who := r.header.Get("X-Backend")
		if r.status != 200 || who != r.header.Get("X-Sluice-Arm") {
			t.Fatalf("caller %d: %d from %q, said to be of %q", id, r.status, who, r.header.Get("X-Sluice-Arm"))
		}
		return who
	}
	const callers = 300
	var of [callers]string
	n := 0
	for id := range callers {
		of[id] = asks(id, fmt.Sprint("/shop/", id))
		if of[id] == "canary" {
			n++
		}
		if again := asks(id, fmt.Sprint("/shop/", id, "/more")); again != of[id] {
			t.Fatalf("caller %d went from %s to %s", id, of[id], again)
		}
	}
	if n < callers/10 || n > callers*3/10 {
		t.Errorf("%d of %d callers are the canary's, which is to have a fifth", n, callers)
	}
	if got := g.metric(`sluice_route_arm_requests_total{arm="canary",route="shop",status="200"}`); got != fmt.Sprint(2*n) {
		t.Errorf("%s requests are counted for the canary, want %d", got, 2*n)
	}
	if got := g.metric(`sluice_route_arm_duration_seconds_count{arm="stable",route="shop"}`); got != fmt.Sprint(2*(callers-n)) {
		t.Errorf("%s requests are counted for the others, want %d", got, 2*(callers-n))
	}
	// What one arm's backend said is not given to those of the other.
	for id := range 40 {
		if who := asks(id, "/shop/same"); who != of[id] {
			t.Errorf("caller %d of %s was given an answer of %s", id, of[id], who)
		}
	}
	if who := asks(1, "/shop/asked", "X-Canary", "1"); who != "canary" {
		t.Errorf("who asked for the canary was sent to %s", who)
	}
	g.configure(head + route("0.5"))
	if r := g.api("POST", "reload", ""); r.status != 200 {
		t.Fatalf("reload: %d %s", r.status, r.body)
	}
	for id := range callers {
		if who := asks(id, fmt.Sprint("/shop/then/", id)); of[id] == "canary" && who != "canary" {
			t.Errorf("caller %d left the canary as its share grew", id)
		}
	}
	r := g.api("GET", "routes", "")
	if got := gjson.Get(r.body, `data.0.targets.#(arm=="canary").url`).Str; got != canary.URL {
		t.Errorf("the admin plane shows %s", r.body)
	}
}

// Faults are made only where that is allowed, and tell what they are.
func TestRouteFaults(t *testing.T) {
	b := startBackend(t, "real")
	const faulty = `routes:
  - {name: fails, match: {path: "/fails/**"}, backend: BACKEND, faults: {status: 503, when: 'request.headers["x-fault"] == "1"'}}
  - {name: slow, match: {path: "/slow/**"}, backend: BACKEND, faults: {delay: 300ms}}
  - {name: some, match: {path: "/some/**"}, backend: BACKEND, faults: {status: 429, share: 0.5}}
`
	g := newGateway(t, strings.ReplaceAll(faulty, "BACKEND", `{http: {targets: ["`+b.URL+`"]}}`))
	if out, _, code := g.sluice("check", "-c", g.file()); code != 2 || !strings.Contains(out, "routes[0].faults: faults are for tests: they need server: {allow_faults: true}") {
		t.Fatalf("check: %d %s", code, out)
	}
	g.env = append(g.env, "SLUICE_SERVER__ALLOW_FAULTS=true")
	g.start()
	if r := g.raw("GET", "/fails/x", ""); r.status != 200 || r.header.Get("X-Sluice-Fault") != "" {
		t.Errorf("a request that no fault is for: %d %v", r.status, r.header)
	}
	asked := b.hits.Load()
	r := g.raw("GET", "/fails/x", "", "X-Fault", "1")
	if r.status != 503 || r.get("code").Str != "fault_injected" || r.header.Get("X-Sluice-Fault") != "status" || b.hits.Load() != asked {
		t.Errorf("a fault: %d %s %v", r.status, r.body, r.header)
	}
	began := time.Now()
	if r := g.raw("GET", "/slow/x", ""); r.status != 200 || r.header.Get("X-Sluice-Fault") != "delay" || time.Since(began) < 300*time.Millisecond {
		t.Errorf("a delay: %d %v after %v", r.status, r.header, time.Since(began))
	}
	failed := 0
	for range 200 {
		if g.raw("GET", "/some/x", "").status == 429 {
			failed++
		}
	}
	if failed < 50 || failed > 150 {
		t.Errorf("%d of 200 requests failed, which half are to", failed)
	}
	if got := g.metric(`sluice_route_faults_total{kind="status",route="some"}`); got != fmt.Sprint(failed) {
		t.Errorf("%s faults are counted, %d were made", got, failed)
	}
}

// A backend gets no more requests at once than the adaptive limit says; what is
// more is refused at once, and the limit tells how it stands.
func TestRouteAdaptive(t *testing.T) {
	release := make(chan struct{})
	arrived := make(chan struct{}, 16)
	b := startBackend(t, "slow")
	b.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/hold") {
			arrived <- struct{}{}
			<-release
		}
	})
	route := func(limits string) string {
		return head + `routes: [{name: r, match: {path: "/r/**"}, backend: {http: {targets: ["` + b.URL + `"]}}, limits: ` + limits + `}]
`
	}
	g := newGateway(t, "")
	g.configure(route("{adaptive: {min: 2, max: 3}}"))
	g.start()
	var under sync.WaitGroup
	for range 3 {
		under.Go(func() {
			if r := g.raw("GET", "/r/hold", ""); r.status != 200 {
				t.Errorf("within the limit: %d %s", r.status, r.body)
			}
		})
	}
	for range 3 {
		<-arrived
	}
	r := g.raw("GET", "/r/x", "")
	if r.status != 503 || r.header.Get("Retry-After") != "1" || r.get("code").Str != "unavailable" || !strings.Contains(r.body, `route \"r\" has as many requests at once as its backend can take`) {
		t.Errorf("over the limit: %d %s %v", r.status, r.body, r.header)
	}
	if got := g.api("GET", "routes", "").get("data.0.limits.adaptive").Raw; got != `{"min":2,"max":3,"bound":3,"open":3}` {
		t.Errorf("the admin plane shows %s", got)
	}
	if got := g.metric(`sluice_route_concurrency_limit{route="r"}`); got != "3" {
		t.Errorf("the limit is told as %q", got)
	}
	if got := g.metric(`sluice_route_shed_total{route="r"}`); got != "1" {
		t.Errorf("%q requests are counted", got)
	}
	close(release)
	under.Wait()
	if r := g.raw("GET", "/r/x", ""); r.status != 200 {
		t.Errorf("after it: %d", r.status)
	}
	g.configure(route("{parallel: 5}"))
	if r := g.api("POST", "reload", ""); r.status != 200 {
		t.Fatalf("reload: %d %s", r.status, r.body)
	}
	if got := g.metric(`sluice_route_concurrency_limit{route="r"}`); got != "" {
		t.Errorf("a limit that is gone is told as %q", got)
	}
}
