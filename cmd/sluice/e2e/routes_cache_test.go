package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// origin is a service whose answers have the headers that its query asks for,
// and tell how often it was asked.
type origin struct {
	*httptest.Server
	asked atomic.Int64
	mood  atomic.Int64 // status; 0: as it should be
	slow  atomic.Bool

	mu   sync.Mutex
	last http.Header
}

func startOrigin(t *testing.T) *origin {
	t.Helper()
	o := &origin{}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := o.asked.Add(1)
		o.mu.Lock()
		o.last = r.Header.Clone()
		o.mu.Unlock()
		if o.slow.Load() {
			time.Sleep(200 * time.Millisecond)
		}
		for name, values := range r.URL.Query() {
			if name != "x" {
				w.Header()[http.CanonicalHeaderKey(name)] = values
			}
		}
		switch tag := w.Header().Get("Etag"); {
		case o.mood.Load() != 0:
			w.WriteHeader(int(o.mood.Load()))
		case tag != "" && r.Header.Get("If-None-Match") == tag:
			w.WriteHeader(http.StatusNotModified)
			return
		case r.Header.Get("Range") != "":
			w.WriteHeader(http.StatusPartialContent)
		}
		fmt.Fprintf(w, "answer %d to %q in %s", n, r.Header.Get("X-Who"), r.Header.Get("Accept-Language"))
	}))
	t.Cleanup(o.Close)
	return o
}

// cached asks and tells how the cache fared, as "hit answer 1 …".
func (g *gateway) cached(t *testing.T, path string, header ...string) string {
	t.Helper()
	r := g.raw("GET", path, "", header...)
	if r.status != 200 {
		return fmt.Sprint(r.status, " ", r.header.Get("X-Sluice-Cache"))
	}
	return r.header.Get("X-Sluice-Cache") + " " + r.body[:min(len(r.body), 8)]
}

const cacheRoutes = `
  - {name: plain, match: {path: "/plain/{id}"}, backend: TARGET, cache: {ttl: 60s, vary: [Accept-Language], tags: [all, "item:{id}"]}}
  - {name: short, match: {path: "/short/**"}, backend: TARGET, cache: {ttl: 500ms, stale_while_revalidate: 60s}}
  - {name: error, match: {path: "/error/**"}, backend: TARGET, cache: {ttl: 500ms, stale_if_error: 60s}}
  - {name: rfc, match: {path: "/rfc/**"}, backend: TARGET, cache: {rfc9111: true}}
  - {name: keyed, match: {path: "/keyed/**"}, backend: TARGET, auth: {require: [key]}, cache: {ttl: 60s}}
  - {name: public, match: {path: "/public/**"}, backend: TARGET, auth: {require: [key]}, cache: {rfc9111: true, ttl: 60s}}
teams:
  t: {keys: [{name: k, value: "` + teamKey + `"}, {name: other, value: "sk-e2e-other-0123456789"}]}
`

func startCached(t *testing.T) (*gateway, *origin) {
	o := startOrigin(t)
	return start(t, "routes:"+strings.ReplaceAll(cacheRoutes, "TARGET", `{http: {targets: ["`+o.URL+`"]}}`)), o
}

// What is given again, to whom, and what is not.
func TestRouteCache(t *testing.T) {
	g, o := startCached(t)
	ann, bob := []string{"X-Api-Key", teamKey}, []string{"X-Api-Key", "sk-e2e-other-0123456789"}
	for _, c := range []struct {
		path, want string
		header     []string
	}{
		{"/plain/1", "miss answer 1", nil},
		{"/plain/1", "hit answer 1", nil},
		{"//plain/./1", "hit answer 1", nil}, // one form of a path
		{"/plain/1?x=1", "miss answer 2", nil},
		{"/plain/1", "miss answer 3", []string{"Accept-Language", "de"}},
		{"/plain/1", "hit answer 3", []string{"Accept-Language", "de"}},
		{"/plain/1", "hit answer 1", nil},
		{"/plain/1", "miss answer 4", []string{"X-Sluice-Cache", "refresh"}},
		{"/plain/1", "hit answer 4", nil},
		{"/plain/1", " answer 5", []string{"X-Sluice-Cache", "skip"}},
		{"/plain/1", "miss answer 6", []string{"Authorization", "Basic YTpi"}}, // the backend's own callers are told apart
		{"/plain/1", "hit answer 6", []string{"Authorization", "Basic YTpi"}},
		{"/plain/1", "miss answer 7", []string{"Authorization", "Basic YTpj"}},
		{"/plain/2?cache-control=no-store", "miss answer 8", nil},
		{"/plain/2?cache-control=no-store", "miss answer 9", nil},
		{"/plain/2?cache-control=private", "miss answer ", nil},
		{"/plain/2?cache-control=private", "miss answer ", nil},
		{"/plain/2?set-cookie=a=1", "miss answer ", nil},
		{"/plain/2?set-cookie=a=1", "miss answer ", nil},
		{"/plain/2?vary=*", "miss answer ", nil},
		{"/plain/2?vary=*", "miss answer ", nil},
		{"/plain/3?vary=X-Who", "miss answer ", []string{"X-Who", "a"}},
		{"/plain/3?vary=X-Who", "miss answer ", []string{"X-Who", "b"}},
		{"/plain/3?vary=X-Who", "hit answer ", []string{"X-Who", "b"}},
		{"/keyed/1?x", "miss answer ", ann},
		{"/keyed/1?x", "hit answer ", ann},
		{"/keyed/1?x", "miss answer ", bob},
		{"/keyed/1?x", "401 ", nil},
		{"/keyed/1?cache-control=public", "miss answer ", ann},
		{"/keyed/1?cache-control=public", "miss answer ", bob}, // without rfc9111 never
		{"/public/1?x", "miss answer ", ann},
		{"/public/1?x", "miss answer ", bob},
		{"/public/2?cache-control=public,max-age=60", "miss answer ", ann},
		{"/public/2?cache-control=public,max-age=60", "hit answer ", bob},
		{"/public/2?cache-control=public,max-age=60", "401 ", nil},
		{"/rfc/1", "miss answer ", nil},
		{"/rfc/1", "miss answer ", nil}, // it says nothing, and there is no ttl
		{"/rfc/2?cache-control=max-age=60", "miss answer ", nil},
		{"/rfc/2?cache-control=max-age=60", "hit answer ", nil},
		{"/rfc/2?cache-control=max-age=60", "miss answer ", []string{"Cache-Control", "no-cache"}},
		{"/rfc/2?cache-control=max-age=60", "miss answer ", []string{"Cache-Control", "min-fresh=100"}},
		{"/rfc/2?cache-control=max-age=60", " answer ", []string{"Cache-Control", "no-store"}},
		{"/rfc/3?cache-control=max-age=60", "504 ", []string{"Cache-Control", "only-if-cached"}},
		{"/rfc/4?cache-control=max-age=60,s-maxage=0", "miss answer ", nil},
		{"/rfc/4?cache-control=max-age=60,s-maxage=0", "miss answer ", nil},
		{"/rfc/5?cache-control=max-age=60&age=70", "miss answer ", nil},
		{"/rfc/5?cache-control=max-age=60&age=70", "miss answer ", nil},
	} {
		if got := g.cached(t, c.path, c.header...); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %v: %q, want %q", c.path, c.header, got, c.want)
		}
	}
	for range 2 { // errors are not kept
		o.mood.Store(500)
		if got := g.cached(t, "/plain/9"); got != "500 miss" {
			t.Errorf("an error: %s", got)
		}
		o.mood.Store(0)
	}
	hit := g.raw("GET", "/plain/1", "")
	if hit.header.Get("Age") == "" || !strings.HasPrefix(hit.header.Get("Cache-Status"), "sluice; hit; ttl=") || hit.header.Get("X-Request-Id") == "" {
		t.Errorf("a hit's headers: %v", hit.header)
	}
	for path, misses := range map[string][2]string{"/plain/vary?vary=X-Who": {"uri-miss", "vary-miss"}, "/plain/uri": {"uri-miss", "hit"}} {
		for i, who := range []string{"a", "b"} { // RFC 9211
			if got := g.raw("GET", path, "", "X-Who", who).header.Get("Cache-Status"); !strings.Contains(got, misses[i]) {
				t.Errorf("%s for %s: %s, want %s", path, who, got, misses[i])
			}
		}
	}
}

// Conditions, HEAD, ranges, and what changes a resource.
func TestRouteCacheConditions(t *testing.T) {
	g, o := startCached(t)
	const path = `/rfc/c?etag="v1"&cache-control=max-age=60`
	asked := func(want int64, what string) {
		t.Helper()
		if n := o.asked.Load(); n != want {
			t.Errorf("%s: the backend was asked %d times, want %d", what, n, want)
		}
	}
	if r := g.raw("GET", path, "", "If-None-Match", `"v1"`); r.status != 304 || r.body != "" {
		t.Errorf("a first request with a condition: %d %s", r.status, r.body)
	}
	asked(1, "first")
	for _, c := range []struct {
		method string
		header []string
		status int
		body   bool
	}{
		{"GET", nil, 200, true},
		{"GET", []string{"If-None-Match", `W/"v1", "v0"`}, 304, false},
		{"GET", []string{"If-None-Match", `"v0"`}, 200, true},
		{"HEAD", nil, 200, false},
	} {
		r := g.raw(c.method, path, "", c.header...)
		if r.status != c.status || (r.body != "") != c.body || r.header.Get("X-Sluice-Cache") != "hit" {
			t.Errorf("%s %v: %d %s %q", c.method, c.header, r.status, r.header.Get("X-Sluice-Cache"), r.body)
		}
	}
	asked(1, "from the cache")
	if r := g.raw("GET", path, "", "Range", "bytes=0-3"); r.status != 206 || r.header.Get("X-Sluice-Cache") != "" {
		t.Errorf("a range: %d %v", r.status, r.header)
	}
	asked(2, "a range")
	if r := g.raw("GET", path, "", "Cache-Control", "no-cache"); r.status != 200 || !strings.HasPrefix(r.body, "answer 1") || r.header.Get("X-Sluice-Cache") != "hit" {
		t.Errorf("revalidated: %d %s", r.status, r.body)
	}
	asked(3, "revalidated")
	if r := g.raw("POST", path, "x"); r.status != 200 {
		t.Errorf("a change: %d", r.status)
	}
	if got := g.cached(t, path); got != "miss answer 5" {
		t.Errorf("after a change: %s", got)
	}
}

// One upstream call for all who come at once; what is stale is given while
// it is asked for anew, and where the backend fails.
func TestRouteCacheStale(t *testing.T) {
	g, o := startCached(t)
	o.slow.Store(true)
	var all sync.WaitGroup
	var wrong atomic.Int64
	callers := 100
	if full {
		callers = 1000
	}
	for range callers {
		all.Go(func() {
			if r := g.raw("GET", "/plain/storm", ""); r.status != 200 || !strings.HasPrefix(r.body, "answer 1") {
				wrong.Add(1)
			}
		})
	}
	all.Wait()
	if wrong.Load() > 0 || o.asked.Load() != 1 {
		t.Errorf("%d of %d at once went wrong, for which the backend was asked %d times", wrong.Load(), callers, o.asked.Load())
	}
	o.slow.Store(false)

	o.asked.Store(0)
	stale := func(path, want string) {
		t.Helper()
		if !eventually(10*time.Second, func() bool { return strings.HasPrefix(g.cached(t, path), want) }) {
			t.Errorf("%s: %s, want %s", path, g.cached(t, path), want)
		}
	}
	if got := g.cached(t, "/short/a"); got != "miss answer 1" {
		t.Fatal(got)
	}
	stale("/short/a", "stale answer 1")
	stale("/short/a", "hit answer 2")

	if got := g.cached(t, "/error/a"); !strings.HasPrefix(got, "miss answer") {
		t.Fatal(got)
	}
	o.mood.Store(503)
	stale("/error/a", "stale answer")
	if got := g.cached(t, "/error/new"); got != "503 miss" {
		t.Errorf("without anything kept: %s", got)
	}
	o.CloseClientConnections()
	o.Close()
	stale("/error/a", "stale answer")
	if r := g.raw("GET", "/error/a", ""); r.header.Get("X-Request-Id") == "" || r.header.Get("X-Sluice-Fallback") != "stale" {
		t.Errorf("a stale answer says too little: %v", r.header)
	}
}

// Answers are purged by tag, key and prefix, and the figures tell.
func TestRouteCachePurge(t *testing.T) {
	g, o := startCached(t)
	fill := func() {
		for _, path := range []string{"/plain/1?surrogate-key=red%20blue", "/plain/2?surrogate-key=blue", "/plain/3", "/rfc/a?cache-control=max-age=60"} {
			g.raw("GET", path, "")
		}
	}
	for query, want := range map[string]int64{"tag=red": 1, "tag=blue": 2, "tag=item:3": 1, "tag=all": 3, "key=/plain/3": 1, "prefix=/plain/": 3, "prefix=/rfc/": 1, "prefix=": 4,
		"prefix=/plain/%26tag=blue": 0, "model=m": 0, "tag=green": 0} {
		fill()
		if r := g.api("DELETE", "cache?"+query, ""); gjson.Get(r.body, "purged").Int() != want {
			t.Errorf("%s: %d %s, want %d", query, r.status, r.body, want)
		}
	}
	fill()
	before := o.asked.Load()
	fill()
	if o.asked.Load() != before {
		t.Error("what was filled again is not kept")
	}
	r := g.api("GET", "cache", "")
	if gjson.Get(r.body, "routes.entries").Int() != 4 || gjson.Get(r.body, `routes.routes.#(route=="plain").entries`).Int() != 3 || gjson.Get(r.body, `routes.routes.#(route=="plain").hits`).Int() == 0 ||
		gjson.Get(r.body, "routes.bytes").Int() == 0 || gjson.Get(r.body, "routes.purged").Int() == 0 {
		t.Errorf("figures: %s", r.body)
	}
	metrics, err := g.send("GET", "http://"+g.admin+"/metrics", "")
	if err != nil || !strings.Contains(metrics.body, "sluice_cache_entries 4") {
		t.Errorf("metrics do not tell: %v", err)
	}
	if r := g.raw("GET", "/plain/1?surrogate-key=red%20blue", ""); r.header.Get("Surrogate-Key") != "" {
		t.Error("the caller sees the tags")
	}
	if c := gjson.Get(g.api("GET", "routes/plain", "").body, "cache"); c.Get("ttl_ms").Int() != 60000 || c.Get("tags.#").Int() != 2 {
		t.Errorf("the route shows %s", c)
	}
}

// What cannot be kept passes a cache as it comes: what is too large, what is
// cut, events, WebSockets' like.
func TestRouteCachePasses(t *testing.T) {
	b := startBackend(t, "a")
	g := start(t, `routes: [{name: svc, match: {path: "/svc/**"}, backend: {http: {targets: ["`+b.URL+`"]}}, cache: {ttl: 60s}}]
`+team)
	for range 2 {
		r := g.raw("GET", "/svc/large", "")
		if r.status != 200 || len(r.body) != 32<<20 || strings.Trim(r.body[:64], "0123456789abcdef") != "" || r.header.Get("X-Sluice-Cache") != "miss" {
			t.Errorf("a large one: %d, %d bytes, %v", r.status, len(r.body), r.header)
		}
	}
	if n := b.hits.Load(); n != 2 {
		t.Errorf("a large one was kept: %d hits", n)
	}
	res, err := http.Get("http://" + g.listen + "/svc/events")
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 9)
	if _, err := res.Body.Read(first); err != nil || string(first) != "data: 0\n\n" {
		t.Errorf("the first event: %q, %v", first, err)
	}
	res.Body.Close()
	b.wantGone(t)
	for range 2 {
		if _, err := g.send("GET", "http://"+g.listen+"/svc/cut", ""); err == nil {
			t.Error("an answer that was cut came whole")
		}
	}
	if r := g.raw("GET", "/svc/gzip", ""); r.status != 200 {
		t.Errorf("gzip: %d", r.status)
	}
	for _, want := range []string{"miss", "hit"} {
		if r := g.raw("GET", "/svc/status/301", ""); r.status != 301 || r.body != "said by a" || r.header.Get("X-Sluice-Cache") != want {
			t.Errorf("a status: %d %q %v", r.status, r.body, r.header)
		}
	}
	if n := gjson.Get(g.api("GET", "cache", "").body, "routes.entries").Int(); n != 2 {
		t.Errorf("%d are kept", n)
	}
}

// What one caller was told is never another's, by whatever they sign in.
func TestRouteCacheCallers(t *testing.T) {
	o := startOrigin(t)
	g := start(t, `auth: {basic: {staff: {users: {ann: "`+hashOf(t, "a")+`", bob: "`+hashOf(t, "b")+`"}}}}
routes: [{name: r, match: {path: "/r/**"}, backend: {http: {targets: ["`+o.URL+`"]}}, auth: {require: [key, "basic:staff"]}, cache: {ttl: 60s}}]
`+team)
	callers := map[string][]string{"ann": {"Authorization", "Basic YW5uOmE="}, "bob": {"Authorization", "Basic Ym9iOmI="}, "key": {"X-Api-Key", teamKey}}
	told := map[string]string{}
	for _, want := range []string{"miss", "hit"} {
		for name, header := range callers {
			r := g.raw("GET", "/r/x", "", header...)
			if r.status != 200 || r.header.Get("X-Sluice-Cache") != want || want == "hit" && told[name] != r.body {
				t.Errorf("%s: %d %s %q after %q", name, r.status, r.header.Get("X-Sluice-Cache"), r.body, told[name])
			}
			told[name] = r.body
		}
	}
	if told["ann"] == told["bob"] || told["ann"] == told["key"] {
		t.Errorf("they share: %v", told)
	}
	if r := g.raw("GET", "/r/x", ""); r.status != 401 {
		t.Errorf("nobody: %d", r.status)
	}
}
