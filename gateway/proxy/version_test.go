package proxy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestAcceptedVersions(t *testing.T) {
	v := Versions{By: "accept", Name: "version", Known: []string{"1", "2"}, Default: "1", Reject: true}
	f := func(accept, want string) {
		t.Helper()
		got, err := v.choose(v.accepted(accept))
		if err != nil {
			got = "none"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", accept, got, want)
		}
	}
	f("", "1")
	f("*/*", "1")
	f("application/json; version=2", "2")
	f("application/json;VERSION=\"2\"", "2")
	f("application/vnd.example.shop.v2+json", "2")
	f("application/vnd.example.v2", "2")
	f("application/vnd.example+json", "1")
	f("a/b;version=1;q=0.1, a/b;version=2;q=0.2", "2")
	f("a/b;version=3, a/b;version=2;q=0.2", "2")
	f("a/b;version=3, a/b;q=0.2", "1")
	f("a/b;version=3", "none")
	f("a/b;version=2;q=0, a/b;version=3", "none")
	f("garbage;;;", "1")
}

// A version before the path makes a route no less particular than others.
func TestVersionPlaces(t *testing.T) {
	v := &Versions{By: "path", Known: []string{"1", "2"}, Default: "1", Reject: true}
	tree := mustTree(t, []*Route{
		{Name: "all", Match: Match{Path: "/**"}, Backend: &Static{}},
		{Name: "v1", Match: Match{Path: "/v1/**"}, Backend: &Static{}},
		{Name: "one", Match: Match{Path: "/a/{id}", Version: "1"}, Versions: v, Backend: &Static{}},
		{Name: "two", Match: Match{Path: "/a/{id}", Version: "2"}, Versions: v, Backend: &Static{}},
	})
	for path, want := range map[string]string{"/a/7": "one", "/v1/a/7": "one", "/v2/a/7": "two", "/v1/b": "v1", "/v3/a/7": "one", "/vx/a/7": "all", "/v1": "v1", "/": "all"} {
		if got := tree.name(t, "x", path, new(fasthttp.Request)); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	var names []string
	for _, r := range tree.Routes() {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, " "); got != "one two v1 all" {
		t.Errorf("the routes are %s", got)
	}
}

func TestPathCut(t *testing.T) {
	for path, want := range map[string]string{"/v1/a/b": "v1 /a/b /a/b", "/V1": "v1 / /", "/v1/": "v1 / /", "/V1;x/A": "v1 /A /a"} {
		var p Path
		if err := p.Normalise([]byte(path)); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s %s %s", p.cut(), p.Sent, p.Match); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
