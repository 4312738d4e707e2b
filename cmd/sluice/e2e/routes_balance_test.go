package e2e

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// sized is how many requests a test makes: fewer without the long forms.
func sized(n int) int {
	if full {
		return n
	}
	return n / 10
}

// What targets get, counted: by turns, by weight, by who is asking, and by how
// busy they are.
func TestRouteBalance(t *testing.T) {
	a, b, c, out := startCounter(t, "a"), startCounter(t, "b"), startCounter(t, "c"), startCounter(t, "out")
	targets := fmt.Sprintf(`[{url: %q, weight: 5}, {url: %q, weight: 3}, %q, {url: %q, weight: 0}]`, a.url, b.url, c.url, out.url)
	g := start(t, `routes:
  - {name: weighted, match: {path: "/weighted/**"}, backend: {http: {targets: `+targets+`}}}
  - {name: rr, match: {path: "/rr/**"}, backend: {http: {targets: `+targets+`, balance: round-robin}}}
  - {name: hash, match: {path: "/hash/**"}, backend: {http: {targets: `+targets+`, balance: hash, hash: {by: "header:X-User"}}}}
  - {name: least, match: {path: "/least/**"}, backend: {http: {targets: `+targets+`, balance: least-connections}}}
  - {name: fastest, match: {path: "/fastest/**"}, backend: {http: {targets: `+targets+`, balance: fastest}}}
`)
	callers := g.crowd("127.0.0.1", 64)
	for path, c := range map[string]struct {
		n      int
		shares [3]float64
		off    float64
	}{
		"/rr/x":       {sized(30_000), [3]float64{1. / 3, 1. / 3, 1. / 3}, 0.005},
		"/weighted/x": {sized(90_000), [3]float64{5. / 9, 3. / 9, 1. / 9}, 0.01},
	} {
		got := callers.answered(c.n, path)
		t.Logf("%s: %v of %d", path, got, c.n)
		for i, name := range []string{"a", "b", "c"} {
			if share := float64(got[name]) / float64(c.n); math.Abs(share-c.shares[i]) > c.off {
				t.Errorf("%s: %s has a share of %.4f, want %.4f; %v", path, name, share, c.shares[i], got)
			}
		}
		if got["a"]+got["b"]+got["c"] != c.n {
			t.Errorf("%s: %v answered, of %d requests", path, got, c.n)
		}
	}
	for _, path := range []string{"/least/x", "/fastest/x"} {
		if got := callers.answered(300, path); got["a"]+got["b"]+got["c"] != 300 {
			t.Errorf("%s: %v", path, got)
		}
	}
	one, all := g.crowd("127.0.0.1", 1), tally[string]{}
	for user := range 20 {
		var at tally[string]
		one.ask(3, "/hash/x", func(_ int, r *fasthttp.Request) { r.Header.Set("X-User", fmt.Sprint("user", user)) },
			func(_ int, r *fasthttp.Response) { at.add(string(r.Header.Peek("X-Backend"))) })
		if len(at.of) != 1 {
			t.Errorf("user %d went to %v", user, at.of)
		}
		for name := range at.of {
			all.add(name)
		}
	}
	if len(all.of) < 2 {
		t.Errorf("all users went to %v", all.of)
	}
	if n := out.hits.Load(); n > 0 {
		t.Errorf("a target without weight got %d requests", n)
	}
}

// A target that a reload takes out, under load, gets nothing that is asked
// afterwards, and what it has begun it ends.
func TestRouteWeightTakenAway(t *testing.T) {
	a, b, c := startCounter(t, "a"), startCounter(t, "b"), startCounter(t, "c")
	route := func(weight int) string {
		return head + fmt.Sprintf("routes: [{name: r, match: {path: \"/r/**\"}, backend: {http: {targets: [{url: %q, weight: %d}, {url: %q, weight: 3}, %q]}}}]\n",
			a.url, weight, b.url, c.url)
	}
	close(b.release)
	close(c.release)
	g := newGateway(t, "")
	g.configure(route(5))
	g.start()
	const underWay = 16
	held := g.crowd("127.0.0.1", underWay)
	var ended tally[string]
	var waits sync.WaitGroup
	waits.Go(func() {
		held.ask(underWay, "/r/hold", nil, func(_ int, r *fasthttp.Response) {
			ended.add(fmt.Sprintf("%d %s", r.StatusCode(), r.Body()))
		})
	})
	for range 8 { // 5 of 9 go there
		<-a.held
	}
	load := g.crowd("127.0.0.1", 16)
	var going sync.WaitGroup
	going.Go(func() { load.answered(sized(20_000), "/r/x") })
	if !eventually(20*time.Second, func() bool { return a.hits.Load() > 100 }) {
		t.Error("no load comes")
	}
	g.configure(route(0))
	if r := g.api("POST", "reload", ""); r.status != 200 {
		t.Fatal(r.body)
	}
	if got := g.crowd("127.0.0.1", 16).answered(sized(20_000), "/r/x"); got["a"] > 0 || got["b"]+got["c"] != sized(20_000) {
		t.Errorf("a drained target still gets requests: %v", got)
	}
	going.Wait()
	close(a.release)
	waits.Wait()
	if ended.of["200 whole"] != underWay {
		t.Errorf("what was under way ended as %v", ended.of)
	}
}

// Each of many addresses stays with one of ten servers, over connections; when
// one goes, those that were with it move, and nobody else.
func TestRouteSticky(t *testing.T) {
	var servers []*counter
	for i := range 10 {
		servers = append(servers, startCounter(t, fmt.Sprint("server", i)))
	}
	route := func(servers []*counter) string {
		var urls []string
		for _, s := range servers {
			urls = append(urls, `"`+s.url+`"`)
		}
		return head + `routes: [{name: r, match: {path: "/r"}, backend: {http: {targets: [` + strings.Join(urls, ", ") + "], balance: hash, hash: {by: ip}}}}]\n"
	}
	g := newGateway(t, "")
	g.configure(route(servers))
	g.start()
	const addresses, each = 500, 20
	stay := func(n int) (at [addresses]string) {
		for i := range at {
			got := g.crowd(fmt.Sprintf("127.1.%d.%d", i/250, 1+i%250), 2).answered(n, "/r")
			if len(got) != 1 {
				t.Errorf("the address %d went to %v", i, got)
			}
			for name := range got {
				at[i] = name
			}
		}
		return at
	}
	before, with := stay(each), map[string]int{}
	for _, name := range before {
		with[name]++
	}
	// Where many are by chance more move: one that has as many as others goes.
	slices.SortFunc(servers, func(a, b *counter) int { return with[a.name] - with[b.name] })
	gone := servers[5]
	g.configure(route(slices.Delete(slices.Clone(servers), 5, 6)))
	if r := g.api("POST", "reload", ""); r.status != 200 {
		t.Fatal(r.body)
	}
	moved := 0
	for i, name := range stay(2) {
		if name == before[i] {
			continue
		}
		if moved++; before[i] != gone.name {
			t.Errorf("the address %d moved from %s to %s, and %s went", i, before[i], name, gone.name)
		}
	}
	t.Logf("%v; %d of %d moved", with, moved, addresses)
	if moved != with[gone.name] || moved > addresses*15/100 {
		t.Errorf("%d of %d addresses moved, of %d that were with it", moved, addresses, with[gone.name])
	}
}
