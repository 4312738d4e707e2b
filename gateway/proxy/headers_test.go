package proxy

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"sluice/router"
)

// sent is what a target gets of a request's headers.
func sent(t *testing.T, raw string, from Origin) string {
	t.Helper()
	x := &Exchange{RC: &fasthttp.RequestCtx{}, From: from}
	for line := range strings.SplitSeq(raw, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			x.RC.Request.Header.Add(name, value)
		}
	}
	return strings.ReplaceAll(string(x.appendRequest(nil)), "\r\n", "\n")
}

func TestRequestHeaders(t *testing.T) {
	const origin = "X-Forwarded-For: 1.1.1.1\nX-Forwarded-Proto: http\nX-Forwarded-Host: h\nForwarded: for=1.1.1.1;host=\"h\";proto=http\n"
	for name, c := range map[string]struct {
		raw  string
		from Origin
		want string
	}{
		"plain":            {"Host: h\nX-A: 1\nX-A: 2", Origin{Peer: "1.1.1.1"}, "X-A: 1\nX-A: 2\n" + origin},
		"hop by hop":       {"Host: h\nConnection: x-a, close\nX-A: 1\nKeep-Alive: 5\nTe: trailers\nUpgrade: h2c\nProxy-Authorization: x", Origin{Peer: "1.1.1.1"}, origin},
		"from nobody":      {"Host: h\nX-Forwarded-For: 2.2.2.2\nForwarded: for=2.2.2.2\nX-Real-Ip: 2.2.2.2\nX_Real_Ip: 2.2.2.2\nX-Forwarded_Host: e", Origin{Peer: "1.1.1.1"}, origin},
		"to a strange one": {"Host: h\nX-Forwarded-Host: a\"b\nX-Forwarded-Proto: gopher", Origin{Peer: "1.1.1.1", Trusted: true}, origin},
		"from a proxy": {"Host: h\nX-Forwarded-For: 2.2.2.2\nX-Forwarded-For: 3.3.3.3\nForwarded: for=2.2.2.2\nX-Forwarded-Host: o\nX-Forwarded-Proto: https", Origin{Peer: "1.1.1.1", Trusted: true},
			"X-Forwarded-For: 2.2.2.2, 3.3.3.3, 1.1.1.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: o\nForwarded: for=2.2.2.2, for=1.1.1.1;host=\"o\";proto=https\n"},
		"over TLS, IPv6": {"Host: h", Origin{Peer: "::1", TLS: true}, "X-Forwarded-For: ::1\nX-Forwarded-Proto: https\nX-Forwarded-Host: h\nForwarded: for=\"[::1]\";host=\"h\";proto=https\n"},
	} {
		if got := sent(t, c.raw, c.from); got != c.want {
			t.Errorf("%s:\n%swant\n%s", name, got, c.want)
		}
	}
}

func TestOwnPath(t *testing.T) {
	x := &target{authority: "http://10.0.0.1:9001", base: "/base", strip: "/svc"}
	for location, want := range map[string]string{
		"http://10.0.0.1:9001/base/a?b": "/svc/a?b", "HTTP://10.0.0.1:9001/base": "/svc/", "http://10.0.0.1:9001": "/svc/", "http://10.0.0.1:9001?a": "/svc/?a",
		"http://10.0.0.1:9001/bases": "/svc/bases", "http://10.0.0.1:90011/a": "http://10.0.0.1:90011/a", "https://other/a": "https://other/a", "/a": "/a", "": "",
	} {
		if got := string(x.ownPath([]byte(location))); got != want {
			t.Errorf("%s leads to %s, want %s", location, got, want)
		}
	}
}

func TestStrip(t *testing.T) {
	for _, c := range []struct{ strip, path, want string }{
		{"/svc", "/svc/a/b", "/a/b"}, {"/svc", "/svc", "/"}, {"/svc", "/svc/", "/"}, {"/svc", "/SVC;x/a/", "/a/"}, {"/svc", "/svcs/a", "/svcs/a"},
		{"/a/b", "/a/b/c", "/c"}, {"/a/b", "/a/c", "/a/c"}, {"", "/a", "/a"}, {"/", "/a", "/a"}, {"/svc/", "/svc/a", "/a"},
	} {
		h, err := NewHTTP(HTTPOptions{Strip: c.strip, Targets: []HTTPTarget{{URL: "http://h"}}, Registry: router.NewRegistry(nil)})
		if err != nil {
			t.Fatal(err)
		}
		x := &Exchange{}
		if err := x.Path.Normalise([]byte(c.path)); err != nil {
			t.Fatal(err)
		}
		if got := h.path(x); got != c.want {
			t.Errorf("%s without %q is %s, want %s", c.path, c.strip, got, c.want)
		}
	}
}
