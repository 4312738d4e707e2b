package proxy

import (
	"bytes"
	"strings"
	"testing"
)

func TestNormalise(t *testing.T) {
	for _, c := range []struct{ raw, sent, match string }{
		{"/", "/", "/"},
		{"/a/b", "/a/b", "/a/b"},
		{"/a/b/", "/a/b/", "/a/b"},
		{"//a///b", "/a/b", "/a/b"},
		{"/a//", "/a/", "/a"},
		{"/A/b", "/A/b", "/a/b"},
		{"/%61/%7e", "/a/~", "/a/~"},
		{"/a/./b/../c", "/a/c", "/a/c"},
		{"/a/b/..", "/a/", "/a"},
		{"/a/.", "/a/", "/a"},
		{"/a/%2e%2E/b", "/b", "/b"},
		{"/a/.%2e/b", "/b", "/b"},
		{"/a/..;/b", "/b", "/b"},
		{"/a/..;x=1/b", "/b", "/b"},
		{"/a/..%3b/b", "/b", "/b"},
		{"/a/;x/b", "/a/b", "/a/b"},
		{"/a;x=1/b;y", "/a;x=1/b;y", "/a/b"},
		{"/a%3bx/b", "/a%3Bx/b", "/a/b"},
		{"/a%2fb", "/a%2Fb", "/a%2fb"},
		{"/a%2525", "/a%2525", "/a%2525"},
		{"/a%20b", "/a%20b", "/a%20b"},
		{"/\xc3\x84", "/%C3%84", "/%c3%84"},
		{"/.well-known/x", "/.well-known/x", "/.well-known/x"},
		{"/a.b/...", "/a.b/...", "/a.b/..."},
		{"/a%3A%40", "/a:@", "/a:@"},
	} {
		var p Path
		if err := p.Normalise([]byte(c.raw)); err != nil || string(p.Sent) != c.sent || string(p.Match) != c.match {
			t.Errorf("%s: sent %s, matched %s, %v; want %s and %s", c.raw, p.Sent, p.Match, err, c.sent, c.match)
		}
	}
}

func TestNormaliseRefuses(t *testing.T) {
	for _, raw := range []string{"", "a", "/..", "/a/../..", "/%", "/%4", "/%zz", "/%00", "/a%0ab", "/a\\b", "/a%5cb", "/a b", "/a#b",
		"/a/..%2fb", "/a/%2e%2e%2Fb", "/a%2f..", "/a%2f..;x", "/\x7f"} {
		var p Path
		if err := p.Normalise([]byte(raw)); err == nil {
			t.Errorf("%q was let pass as %s", raw, p.Sent)
		}
	}
}

// decodeAll is what the most eager of backends makes of a path: it takes off
// parameters, reads every escape, and ignores case.
func decodeAll(path []byte) string {
	var out []string
	for segment := range strings.SplitSeq(string(path), "/") {
		segment, _, _ = strings.Cut(segment, ";")
		var b strings.Builder
		for i := 0; i < len(segment); i++ {
			if segment[i] == '%' && i+2 < len(segment) && unhex(segment[i+1]) < 16 && unhex(segment[i+2]) < 16 {
				b.WriteByte(unhex(segment[i+1])<<4 | unhex(segment[i+2]))
				i += 2
				continue
			}
			b.WriteByte(segment[i])
		}
		name, _, _ := strings.Cut(b.String(), ";")
		out = append(out, strings.ToLower(name))
	}
	return strings.Join(out, "/")
}

// FuzzNormalise: a path that passes is normal, stays as it is when it is made
// normal again, and holds nothing that a backend could resolve to another path.
func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"/a/../b", "/a/..;/b", "/%2e%2e/", "/a%2fb/../c", "/A;b/./%3b", "/%252e", "//", "/a/.;/"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p, again Path
		if p.Normalise(raw) != nil {
			return
		}
		sent, match := string(p.Sent), string(p.Match)
		if err := again.Normalise([]byte(sent)); err != nil || string(again.Sent) != sent || string(again.Match) != match {
			t.Fatalf("%q became %q, then %q (%q, then %q), %v", raw, sent, again.Sent, match, again.Match, err)
		}
		seen := decodeAll([]byte(sent))
		for segment := range strings.SplitSeq(strings.ReplaceAll(seen, "\\", "/"), "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q became %q, in which a backend sees %q", raw, sent, seen)
			}
		}
		if bytes.ContainsAny(p.Sent, " #?\\") || strings.Contains(sent, "//") {
			t.Fatalf("%q became %q", raw, sent)
		}
	})
}

// FuzzNoPathPasses: however a path below a rule is written, it is below the
// rule if it reaches the same resource at a backend.
func FuzzNoPathPasses(f *testing.F) {
	for _, s := range []string{"/admin/x", "/%61dmin/x", "/ADMIN;a/x", "//admin//x", "/x/..;/admin/x", "/admin;/%78/"} {
		f.Add([]byte(s))
	}
	tree := treeOf(f, "/admin/**", "/**")
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p Path
		if p.Normalise(raw) != nil {
			return
		}
		below := decodeAll(bytes.TrimRight(p.Sent, "/"))
		first, _, _ := strings.Cut(strings.TrimPrefix(below, "/"), "/")
		guarded := first == "admin"
		// An escaped slash stays one: what is behind it is of the same segment.
		found := tree.Find(nil, &p, nil)
		if guarded != (found.Name == "/admin/**") && !bytes.Contains(p.Sent, []byte("%2F")) {
			t.Fatalf("%q became %q: a backend sees %q, the route is %s", raw, p.Sent, below, found.Name)
		}
	})
}

func TestSegment(t *testing.T) {
	var p Path
	if err := p.Normalise([]byte("/Users/Bob;v=2/x/")); err != nil {
		t.Fatal(err)
	}
	for n, want := range []string{"Users", "Bob", "x", "", ""} {
		if got := p.Segment(n); string(got) != want {
			t.Errorf("segment %d is %q, want %q", n, got, want)
		}
	}
}

func TestNormaliseAllocates(t *testing.T) {
	var p Path
	for _, raw := range []string{"/orders/1/items", "/Orders//%61/../b;c/"} {
		path := []byte(raw)
		if n := testing.AllocsPerRun(100, func() { _ = p.Normalise(path) }); n > 0 {
			t.Errorf("%s: %v allocations", raw, n)
		}
	}
}
