package e2e

import (
	"strings"
	"testing"
)

// Of a query those parameters count that the route names, for what is kept, for
// purges, and for what a change makes void.
func TestRouteCacheQuery(t *testing.T) {
	o := startOrigin(t)
	target := `backend: {http: {targets: ["` + o.URL + `"]}}`
	g := start(t, `routes:
  - {name: some, match: {path: "/some/**"}, `+target+`, cache: {ttl: 60s, query: [size, page]}}
  - {name: none, match: {path: "/none/**"}, `+target+`, cache: {ttl: 60s, query: []}}
  - {name: keyed, match: {path: "/keyed/**"}, `+target+`, auth: {require: [key]}, cache: {ttl: 60s, query: [page]}}
teams:
  t: {keys: [{name: k, value: "`+teamKey+`"}, {name: other, value: "sk-e2e-other-0123456789"}]}
`)
	f := func(path, want string, header ...string) {
		t.Helper()
		if got := g.cached(t, path, header...); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	f("/some/x?page=1&size=5", "miss answer 1")
	f("/some/x?size=5&x=7&page=1", "hit answer 1")
	f("/some/x?size=5&%70age=1", "hit answer 1")
	f("/some/x?size=5&page=2", "miss answer 2")
	f("/some/x?size=5&page=1&page=2", "miss answer 3")
	f("/some/x?Page=1&size=5", "miss answer 4")
	f("/some/x", "miss answer 5")
	f("/some/x?x=1", "hit answer 5")
	f("/none/x?page=1", "miss answer 6")
	f("/none/x?page=2", "hit answer 6")
	f("/none/x", "hit answer 6")
	f("/keyed/x?page=1&x=1", "miss answer 7", "X-Api-Key", teamKey)
	f("/keyed/x?page=1&x=2", "miss answer 8", "X-Api-Key", "sk-e2e-other-0123456789")
	f("/keyed/x?page=1&x=3", "hit answer 7", "X-Api-Key", teamKey)
	if a := g.api("DELETE", "cache?key=/some/x%3Fpage%3D1%26size%3D5", ""); a.status >= 300 {
		t.Errorf("purge: %d %s", a.status, a.body)
	}
	f("/some/x?size=5&page=1", "miss answer 9")
	g.raw("POST", "/none/x?page=3", "")
	f("/none/x?page=1", "miss answer 1") // which is 11, cut: 10 was the change
	if r := g.api("GET", "routes/some", ""); r.get("cache.query.#").Int() != 2 {
		t.Errorf("the route shows %s", r.body)
	}
	g.configure(head + `routes:
  - {name: some, match: {path: "/some/**"}, ` + target + `, cache: {ttl: 60s, query: [page, "", page]}}
`)
	out, _, code := g.sluice("check", "-c", g.file())
	if code != 2 || !strings.Contains(out, "cache.query[1]: want the name") || !strings.Contains(out, `cache.query[2]: "page" is there already`) {
		t.Errorf("check: %d %s", code, out)
	}
}
