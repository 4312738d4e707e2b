package proxy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// treeOf makes a tree of paths, each the name of its route. A host may stand
// before the path.
func treeOf(t testing.TB, paths ...string) *Tree {
	t.Helper()
	var routes []*Route
	for _, p := range paths {
		host, _, _ := strings.Cut(p, "/")
		routes = append(routes, &Route{Name: p, Match: Match{Host: host, Path: p[len(host):]}, Backend: &Static{}})
	}
	return mustTree(t, routes)
}

func mustTree(t testing.TB, routes []*Route) *Tree {
	t.Helper()
	tree, err := NewTree(routes)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func (t *Tree) name(tb testing.TB, host, path string, r *fasthttp.Request) string {
	tb.Helper()
	var p Path
	if err := p.Normalise([]byte(path)); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	if found := t.Find([]byte(host), &p, r); found != nil {
		return found.Name
	}
	return ""
}

func TestPathPrecedence(t *testing.T) {
	tree := treeOf(t, "/**", "/a/**", "/a/{x}/**", "/a/*", "/a/{id}", "/a/b", "/{x}/b/c", "/a/{x}/c", "/a/b/**", "/c/{x}/d/{y}", "/c/*/d/*", "/")
	for path, want := range map[string]string{
		"/": "/", "/z": "/**", "/a": "/a/**", "/a/": "/a/**", "/A": "/a/**", "/a/b": "/a/b", "/a/b/": "/a/b", "/a/B": "/a/b",
		"/a/z": "/a/{id}", "/a/z/y": "/a/{x}/**", "/a/b/c": "/a/{x}/c", "/z/b/c": "/{x}/b/c", "/a/b/d": "/a/b/**", "/a/b/d/e": "/a/b/**",
		"/a/z/c": "/a/{x}/c", "/c/1/d/2": "/c/{x}/d/{y}", "/c/1/e": "/**", "/a%2Fb": "/**", "/%61/%62": "/a/b",
	} {
		if got := tree.name(t, "h", path, nil); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// A parameter that must fit an expression comes before one that need not, and
// after words; where it does not fit, the next one is looked at.
func TestExpressions(t *testing.T) {
	tree := treeOf(t, `/**`, `/a/{id}`, `/a/{id:\d+}`, `/a/new`, `/a/{id:[a-f]{2,4}}`, `/a/{id:\d+}/**`, `/a/*/x`, `/a/{id:\d+}/{line:\d+}`, `/b/{v:v1|v2}/c`, `/b/{v}/c`, `/{lang:[a-z]{2}}/docs/**`)
	for path, want := range map[string]string{
		"/a/1": `/a/{id:\d+}`, "/a/12345": `/a/{id:\d+}`, "/a/1x": `/a/{id}`, "/a/x1": `/a/{id}`, "/a/new": `/a/new`, "/a/%31": `/a/{id:\d+}`,
		"/a/ab": `/a/{id:[a-f]{2,4}}`, "/a/AB": `/a/{id:[a-f]{2,4}}`, "/a/a": `/a/{id}`, "/a/abcde": `/a/{id}`, "/a/1/y": `/a/{id:\d+}/**`, "/a/z/y": `/**`,
		"/a/1/x": `/a/*/x`, "/a/1/2": `/a/{id:\d+}/{line:\d+}`, "/a/1/2/3": `/a/{id:\d+}/**`, "/a/1;x=2": `/a/{id:\d+}`, "/a/1%0A": "",
		"/b/v1/c": `/b/{v:v1|v2}/c`, "/b/v10/c": `/b/{v}/c`, "/b/xv1/c": `/b/{v}/c`, "/B/V2/C": `/b/{v:v1|v2}/c`,
		"/en/docs": `/{lang:[a-z]{2}}/docs/**`, "/eng/docs": `/**`, "/de/docs/x/y": `/{lang:[a-z]{2}}/docs/**`,
	} {
		var p Path
		if want == "" {
			if p.Normalise([]byte(path)) == nil {
				t.Errorf("%s is a path", path)
			}
			continue
		}
		if got := tree.name(t, "h", path, nil); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	var p Path
	if err := p.Normalise([]byte("/a/12/7")); err != nil {
		t.Fatal(err)
	}
	r := tree.Find([]byte("h"), &p, nil)
	if got := string(r.Param("id", &p)) + " " + string(r.Param("line", &p)) + " " + strings.Join(r.Params(), ","); got != "12 7 id,line" {
		t.Errorf("the parameters are %s", got)
	}
	for path, want := range map[string]string{
		"/{id:}": "{id}: want a regular", "/{id:(}": "{id}: error parsing", "/{id:a)|(b}": "{id}: error parsing", "/{id:a/b}": "without a slash", "/{:a}": "a segment is",
		"/{a:x}/{a}": "stands twice", "/{i d:x}": "a segment is", `/{id:(?=a)}`: "error parsing",
	} {
		if _, err := parsePattern(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got := PlainPath(`/a/{id:[a-f]{2,4}}/{x}/*/**`); got != "/a/{id}/{x}/*/**" {
		t.Errorf("without expressions it is %s", got)
	}
	if got := ExpressionOf(`/{x}/{id:\d{2}}`, "id") + ExpressionOf(`/{id}`, "id"); got != `\d{2}` {
		t.Errorf("the expression is %s", got)
	}
}

// Values by pattern are whole values.
func TestPatternsOfValues(t *testing.T) {
	fits := func(text string) []Pattern {
		e, err := Expression(text)
		if err != nil {
			t.Fatal(err)
		}
		return []Pattern{{"x", e}}
	}
	tree := mustTree(t, []*Route{
		{Name: "none", Match: Match{Path: "/o"}, Backend: &Static{}},
		{Name: "header", Match: Match{Path: "/o", HeaderPatterns: fits(`v\d+|next`)}, Backend: &Static{}},
		{Name: "query", Match: Match{Path: "/o", QueryPatterns: fits(`\d*`)}, Backend: &Static{}},
	})
	for _, c := range []struct{ target, header, want string }{
		{"/o", "", "none"}, {"/o", "v1", "header"}, {"/o", "next", "header"}, {"/o", "nextv1", "none"}, {"/o", "xv1", "none"}, {"/o", "V1", "none"},
		{"/o?x=12", "", "query"}, {"/o?x", "", "query"}, {"/o?y=1", "", "none"}, {"/o?x=a1", "", "none"}, {"/o?x=a&x=1", "", "query"}, {"/o?x=1", "v1", "header"}, {"/o?x=%31", "", "query"},
	} {
		var r fasthttp.Request
		r.SetRequestURI(c.target)
		if c.header != "" {
			r.Header.Set("X", c.header)
		}
		path, _, _ := strings.Cut(c.target, "?")
		if got := tree.name(t, "h", path, &r); got != c.want {
			t.Errorf("%s, header %q: %s, want %s", c.target, c.header, got, c.want)
		}
	}
}

func TestHostPrecedence(t *testing.T) {
	tree := treeOf(t, "/**", "*.example.com/**", "*.api.example.com/**", "api.example.com/x/**", "/x/y")
	for _, c := range []struct{ host, path, want string }{
		{"api.example.com", "/x/y", "api.example.com/x/**"},
		{"API.Example.com:8080", "/x", "api.example.com/x/**"},
		{"api.example.com.", "/x", "api.example.com/x/**"},
		{"api.example.com", "/z", "*.example.com/**"},
		{"a.api.example.com", "/z", "*.api.example.com/**"},
		{"a.b.example.com", "/x/y", "*.example.com/**"},
		{"example.com", "/x/y", "/x/y"},
		{"notexample.com", "/z", "/**"},
		{"[::1]:80", "/z", "/**"},
		{"", "/z", "/**"},
	} {
		if got := tree.name(t, c.host, c.path, nil); got != c.want {
			t.Errorf("%s%s: %s, want %s", c.host, c.path, got, c.want)
		}
	}
}

func TestConditionPrecedence(t *testing.T) {
	route := func(name string, m Match) *Route { return &Route{Name: name, Match: m, Backend: &Static{}} }
	tree := mustTree(t, []*Route{
		route("any", Match{Path: "/o"}),
		route("get", Match{Path: "/o", Methods: []string{"GET"}}),
		route("beta", Match{Path: "/o", Methods: []string{"GET"}, Headers: []Condition{{"X-Beta", "1"}}}),
		route("full", Match{Path: "/o", Methods: []string{"GET"}, Headers: []Condition{{"X-Beta", "1"}}, Query: []Condition{{"mode", "full"}}}),
		route("mode", Match{Path: "/o", Query: []Condition{{"mode", "*"}}}),
		route("later", Match{Path: "/o"}),
		route("posted", Match{Path: "/p", Methods: []string{"POST"}}),
	})
	for _, c := range []struct{ method, target, beta, want string }{
		{"GET", "/o", "", "get"}, {"HEAD", "/o", "", "get"}, {"POST", "/o", "", "any"}, {"GET", "/o", "1", "beta"}, {"GET", "/o", "2", "get"},
		{"GET", "/o?mode=full", "1", "full"}, {"GET", "/o?mode=x", "1", "beta"}, {"PUT", "/o?mode=x", "", "mode"}, {"GET", "/o?mode", "", "get"},
		{"POST", "/p", "", "posted"}, {"GET", "/p", "", ""},
	} {
		var r fasthttp.Request
		r.Header.SetMethod(c.method)
		r.SetRequestURI(c.target)
		if c.beta != "" {
			r.Header.Add("X-Beta", "0")
			r.Header.Add("X-Beta", c.beta)
		}
		path, _, _ := strings.Cut(c.target, "?")
		if got := tree.name(t, "h", path, &r); got != c.want {
			t.Errorf("%s %s, beta %q: %s, want %s", c.method, c.target, c.beta, got, c.want)
		}
	}
}

// However routes are ordered in the file, requests that only one of two equal
// routes is first for go to the same.
func TestSameTree(t *testing.T) {
	paths := []string{"/**", "/a/**", "/a/{x}/**", "/a/*", "/a/b", "/{x}/b/c", "/a/{x}/c", "x.com/a/**", "*.com/a/b"}
	want := treeOf(t, paths...)
	for range 50 {
		rand.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
		got := treeOf(t, paths...)
		for i, r := range got.Routes() {
			if r.Name != want.Routes()[i].Name {
				t.Fatalf("the order is %s at %d, was %s", r.Name, i, want.Routes()[i].Name)
			}
		}
	}
}

func TestMatchFaults(t *testing.T) {
	for _, c := range []struct {
		m    Match
		want string
	}{
		{Match{}, ""}, {Match{Host: "*.a.com", Path: "/a/{id}/**", Methods: []string{"GET"}}, ""}, {Match{Path: "/"}, ""}, {Match{Path: "/a/"}, ""},
		{Match{Host: "a.com:80"}, "host"}, {Match{Host: "*"}, "host"}, {Match{Host: "a.*"}, "host"}, {Match{Host: "*."}, "host"},
		{Match{Path: "a"}, "path"}, {Match{Path: "/a//b"}, "path"}, {Match{Path: "/**/a"}, "path"}, {Match{Path: "/a*"}, "path"},
		{Match{Path: "/{}"}, "path"}, {Match{Path: "/{a}/{a}"}, "path"}, {Match{Path: "/a/../b"}, "path"}, {Match{Path: "/a;b"}, "path"}, {Match{Path: "/%"}, "path"},
		{Match{Methods: []string{"get"}}, "methods"}, {Match{Methods: []string{""}}, "methods"},
	} {
		if field, err := c.m.Check(); field != c.want || (err != nil) != (c.want != "") {
			t.Errorf("%+v: fault in %q (%v), want %q", c.m, field, err, c.want)
		}
	}
}

// manyRoutes are n routes of all shapes, and requests that they serve.
func manyRoutes(n int) (routes []*Route, paths [][]byte) {
	for i := range n {
		var m Match
		switch i % 4 {
		case 0:
			m.Path = fmt.Sprintf("/service%d/orders/{id}", i)
		case 1:
			m.Path = fmt.Sprintf("/service%d/**", i)
		case 2:
			m = Match{Host: fmt.Sprintf("h%d.example.com", i%97), Path: fmt.Sprintf("/{tenant}/items%d/*", i)}
		case 3:
			m = Match{Path: fmt.Sprintf("/service%d/users/{id}/address", i), Methods: []string{"GET"}}
		}
		routes = append(routes, &Route{Name: m.Host + m.Path, Match: m, Backend: &Static{}})
		path := strings.NewReplacer("{id}", "17", "{tenant}", "acme", "**", "a/b/c", "*", "z").Replace(m.Path)
		paths = append(paths, []byte(m.Host+path))
	}
	return routes, paths
}

func TestManyRoutes(t *testing.T) {
	routes, paths := manyRoutes(2000)
	tree := mustTree(t, routes)
	var r fasthttp.Request
	for i, hostPath := range paths {
		host, path, _ := strings.Cut(string(hostPath), "/")
		if got := tree.name(t, host, "/"+path, &r); got != routes[i].Name {
			t.Fatalf("%s: %s, want %s", hostPath, got, routes[i].Name)
		}
	}
}

func TestFindAllocates(t *testing.T) {
	routes, _ := manyRoutes(1000)
	tree := mustTree(t, routes)
	var p Path
	host, path := []byte("h10.Example.com:80"), []byte("/acme/items10/z")
	if n := testing.AllocsPerRun(100, func() {
		if p.Normalise(path) != nil || tree.Find(host, &p, nil) == nil {
			t.Fatal("not found")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFind(b *testing.B) {
	routes, paths := manyRoutes(10_000)
	tree := mustTree(b, routes)
	var r fasthttp.Request
	var p Path
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		hostPath := paths[i*7919%len(paths)]
		at := strings.IndexByte(string(hostPath), '/')
		if p.Normalise(hostPath[at:]) != nil || tree.Find(hostPath[:at], &p, &r) == nil {
			b.Fatalf("%s is not found", hostPath)
		}
	}
}

// How long one lookup in a hundred takes at the least, of 10,000 routes, some
// with expressions.
func BenchmarkFindSlowest(b *testing.B) {
	routes, paths := manyRoutes(10_000)
	for i := range 100 {
		routes = append(routes, &Route{Name: fmt.Sprint("fits", i), Match: Match{Path: fmt.Sprintf(`/acme/items%d/{id:\d+}`, i)}, Backend: &Static{}})
	}
	tree := mustTree(b, routes)
	var r fasthttp.Request
	var p Path
	took := make([]time.Duration, 0, 1<<20)
	for i := 0; b.Loop(); i++ {
		hostPath := paths[i*7919%len(paths)]
		at := strings.IndexByte(string(hostPath), '/')
		began := time.Now()
		if p.Normalise(hostPath[at:]) != nil || tree.Find(hostPath[:at], &p, &r) == nil {
			b.Fatalf("%s is not found", hostPath)
		}
		if len(took) < cap(took) {
			took = append(took, time.Since(began))
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
}

// fits is what a pattern matches, said in the plainest way.
func fits(pattern, path string) bool {
	want, got := strings.Split(pattern, "/")[1:], strings.Split(path, "/")[1:]
	for i, w := range want {
		switch {
		case w == "**":
			return true
		case i >= len(got), w != "*" && w[0] != '{' && w != got[i]:
			return false
		}
	}
	return len(want) == len(got)
}

// What is found is the first in the order of precedence that fits.
func TestFindIsTheFirst(t *testing.T) {
	words := []string{"a", "b", "c", "{x}", "{y}", "{z}", "*"}
	for range 300 {
		seen := map[string]bool{}
		var paths []string
		for range 1 + rand.IntN(40) {
			pattern := ""
			for n := range rand.IntN(4) + 1 {
				w := words[rand.IntN(len(words))]
				if w[0] == '{' {
					w = words[3+n%3]
				}
				if n == 3 || strings.Contains(pattern, w) && w[0] == '{' {
					w = "a"
				}
				pattern += "/" + w
			}
			if rand.IntN(3) == 0 {
				pattern += "/**"
			}
			if !seen[pattern] {
				seen[pattern] = true
				paths = append(paths, pattern)
			}
		}
		tree := treeOf(t, paths...)
		for range 100 {
			path := ""
			for range rand.IntN(5) + 1 {
				path += "/" + string("abcd"[rand.IntN(4)])
			}
			want := ""
			for _, r := range tree.Routes() {
				if fits(r.Match.Path, path) {
					want = r.Name
					break
				}
			}
			if got := tree.name(t, "h", path, nil); got != want {
				t.Fatalf("%s: %s, want %s of %v", path, got, want, paths)
			}
		}
	}
}
