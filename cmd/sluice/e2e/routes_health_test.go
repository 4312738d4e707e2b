package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// checked is a service with a health page, which says what mood says.
type checked struct {
	*backend
	mood atomic.Int64
}

func startChecked(t *testing.T, name string) *checked {
	t.Helper()
	c := &checked{backend: &backend{name: name, left: make(chan struct{}, 16)}}
	c.mood.Store(200)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/base/healthz" {
			w.WriteHeader(int(c.mood.Load()))
			return
		}
		c.serve(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

// A target whose checks fail gets no requests while there is a healthy one,
// and is back by itself. With nothing healthy left, the panic threshold decides.
func TestRouteHealth(t *testing.T) {
	a, b := startChecked(t, "a"), startChecked(t, "b")
	targets := fmt.Sprintf(`targets: ["%s/base", "%s/base"], balance: round-robin, health: {path: /healthz, every: 100ms, fails: 2, passes: 2`, a.URL, b.URL)
	g := start(t, `routes:
  - {name: plain, match: {path: "/plain/**"}, backend: {http: {`+targets+`}}}}
  - {name: strict, match: {path: "/strict/**"}, backend: {http: {`+targets+`, panic: 0}}}, breaker: {fallback: {status: 503, json: {error: resting}}}}
  - {name: half, match: {path: "/half/**"}, backend: {http: {`+targets+`, panic: 0.8}}}}
`+team)
	served := func(path string) string {
		seen := map[string]bool{}
		for range 6 {
			seen[g.data("GET", path, "").header.Get("X-Backend")] = true
		}
		names := ""
		for _, name := range []string{"", "a", "b"} {
			if seen[name] {
				names += "[" + name + "]"
			}
		}
		return names
	}
	state := func(route string, i int) gjson.Result {
		return gjson.Get(g.api("GET", "routes/"+route, "").body, fmt.Sprintf("targets.%d", i))
	}
	await := func(i int, want string) {
		t.Helper()
		for _, route := range []string{"plain", "strict", "half"} {
			if !eventually(10*time.Second, func() bool { return state(route, i).Get("health").Str == want }) {
				t.Fatalf("target %d of %s is not %s: %s", i, route, want, state(route, i))
			}
		}
	}
	await(0, "healthy")
	if got := served("/plain/x"); got != "[a][b]" {
		t.Errorf("both well: %s", got)
	}
	a.mood.Store(500)
	await(0, "unhealthy")
	for path, want := range map[string]string{"/plain/x": "[b]", "/strict/x": "[b]", "/half/x": "[a][b]"} {
		if got := served(path); got != want {
			t.Errorf("%s with a unhealthy went to %s, want %s", path, got, want)
		}
	}
	if s := state("plain", 0); s.Get("checks.error").Str != "it answered with status 500" || s.Get("checks.checks").Int() < 2 {
		t.Errorf("shown as %s", s)
	}
	if e := gjson.Parse(g.api("GET", "explain?path=/plain/x", "").body); e.Get("candidates.0.state").Str != "unhealthy" || !strings.Contains(e.Get("candidates.0.why").Str, "health checks fail") {
		t.Errorf("explain: %s", e)
	}
	metrics, err := g.send("GET", "http://"+g.admin+"/metrics", "")
	if err != nil || !strings.Contains(metrics.body, `sluice_target_healthy{target="route plain/`+a.URL+`/base"} 0`) {
		t.Errorf("metrics do not tell: %v", err)
	}
	if !g.logs("a target fails its health checks") {
		t.Error("the log does not tell")
	}
	b.mood.Store(404)
	await(1, "unhealthy")
	if got := served("/plain/x"); got != "[a][b]" {
		t.Errorf("with nothing healthy left: %s", got)
	}
	if r := g.data("GET", "/strict/x", ""); r.status != 503 || r.body != `{"error":"resting"}` {
		t.Errorf("checks that are always believed: %d %s", r.status, r.body)
	}
	a.mood.Store(204)
	b.mood.Store(302)
	await(0, "healthy")
	await(1, "healthy")
	if got := served("/strict/x"); got != "[a][b]" {
		t.Errorf("both well again: %s", got)
	}
}

// A target that a reload takes out gets nothing new, and what it has begun to
// answer arrives whole.
func TestRouteDrain(t *testing.T) {
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Repeat("x", 4096))
		w.(http.Flusher).Flush()
		<-release
		fmt.Fprint(w, "the end")
	}))
	t.Cleanup(slow.Close)
	other := startBackend(t, "other")
	route := func(targets string) string {
		return head + `routes: [{name: r, match: {path: "/r/**"}, backend: {http: {targets: ` + targets + `}}}]` + "\n" + team
	}
	g := newGateway(t, "")
	g.configure(route(`["` + slow.URL + `"]`))
	g.start()
	res, err := http.Get("http://" + g.listen + "/r/x")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	g.configure(route(`[{url: "` + slow.URL + `", weight: 0}, "` + other.URL + `"]`))
	if r := g.api("POST", "reload", ""); r.status != 200 {
		t.Fatal(r.body)
	}
	if r := g.data("GET", "/r/x", ""); r.header.Get("X-Backend") != "other" {
		t.Errorf("a drained target still gets requests: %d %s", r.status, r.body)
	}
	close(release)
	if body := readAll(t, res.Body); !strings.HasSuffix(body, "xthe end") {
		t.Errorf("the answer that was under way ended with %q", tail(body, 10))
	}
}
