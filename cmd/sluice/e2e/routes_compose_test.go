package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRouteCompose(t *testing.T) {
	hanging := make(chan struct{}, 8)
	b := startBackend(t, "a")
	b.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.hits.Add(1)
		b.mu.Lock()
		b.last = r.Header.Clone()
		b.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch path := r.URL.EscapedPath(); {
		case strings.HasPrefix(path, "/users/"):
			fmt.Fprintf(w, `{"id":12345678901234567890,"name":"Ann","secret":1,"path":%q}`, path)
		case path == "/orders":
			fmt.Fprintf(w, `[{"id":1,"price":2.50,"of":%q}]`, r.URL.RawQuery)
		case path == "/echo":
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, `{"method":%q,"body":%s,"by":%q}`, r.Method, body, r.Header.Get("X-By"))
		case path == "/text":
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprint(w, "hello")
		case path == "/large":
			fmt.Fprintf(w, `"%s"`, strings.Repeat("x", 5000))
		case path == "/hang":
			hanging <- struct{}{}
			<-r.Context().Done()
			b.left <- struct{}{}
		case path == "/bad": // once the other call is under way
			<-hanging
			w.WriteHeader(500)
		default:
			w.WriteHeader(500)
		}
	})
	u := b.URL
	g := start(t, `routes:
  - name: view
    match: {path: "/view/{id}"}
    backend:
      compose:
        calls:
          - {as: orders, get: "`+u+`/orders?u={user.id}&q={query.q}"}
          - {as: user, get: "`+u+`/users/{id}", deny: [secret]}
          - {as: news, get: "`+u+`/none", optional: true}
          - {as: more, get: "`+u+`/more/{news.id}", optional: true}
        answer: {name: "{user.name}", text: "Hello {user.name}, {user.id}{news}", orders: "{orders}", news: "{news}", first: "{orders.0.price}", path: "{user.path}", fixed: [1, {a: "{"}]}
  - {name: fails, match: {path: /fails}, backend: {compose: {calls: [{as: slow, get: "`+u+`/hang"}, {as: bad, get: "`+u+`/bad"}]}}}
  - {name: late, match: {path: /late}, backend: {compose: {calls: [{as: user, get: "`+u+`/users/1"}, {as: slow, get: "`+u+`/hang"}], deadline: 1s}}}
  - {name: part, match: {path: /part}, backend: {compose: {calls: [{as: text, get: "`+u+`/text"}, {as: slow, get: "`+u+`/hang", optional: true}], deadline: 1s}}}
  - {name: large, match: {path: /large}, backend: {compose: {calls: [{as: big, get: "`+u+`/large", max: 1KiB}]}}}
  - {name: post, match: {path: /post}, backend: {compose: {calls: [{as: it, post: "`+u+`/echo", headers: {X-By: "{headers.x-user}"}, body: {v: "{body.a}", t: "{body.a.b}!"}}], answer: "{it}"}}}
`+team)
	f := func(path string, status int, want string, header ...string) answer {
		t.Helper()
		r := g.data("GET", path, "", header...)
		if r.status != status || !strings.Contains(r.body, want) {
			t.Errorf("%s: %d %s, want %d %s", path, r.status, r.body, status, want)
		}
		return r
	}
	r := f("/view/7?q=a%26b=c", 200, `{"first":2.50,"fixed":[1,{"a":"{"}],"name":"Ann","news":null,"orders":[{"id":1,"price":2.50,"of":"u=12345678901234567890&q=a%26b%3Dc"}],"path":"/users/7","text":"Hello Ann, 12345678901234567890"}`)
	if r.header.Get("X-Sluice-Partial") != "news, more" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers: %v", r.header)
	}
	h, _ := b.heard()
	if h.Get("Authorization") != "" || h.Get("X-Request-Id") != r.header.Get("X-Request-Id") || h.Get("X-Forwarded-For") == "" {
		t.Errorf("a call carries %v", h)
	}
	// What a caller puts in stays in its place.
	f("/view/..%2f..%2fadmin%3fx=1%23", 400, "dot segment")
	f("/view/a%2fb%3fx=1%23y%25", 200, `"path":"/users/a%2Fb%3Fx=1%23y%25"`)
	r = f("/fails", 502, `the call \"bad\" failed: the backend answered with status 500`)
	b.wantGone(t)
	begun := time.Now()
	if r = f("/late", 504, `the call \"slow\" did not end within 1s`); r.get("code").Str != "upstream_timeout" || time.Since(begun) > 5*time.Second {
		t.Errorf("late: %s after %v", r.body, time.Since(begun))
	}
	b.wantGone(t)
	if r = f("/part", 200, `{"text":"hello","slow":null}`); r.header.Get("X-Sluice-Partial") != "slow" {
		t.Errorf("headers: %v", r.header)
	}
	f("/large", 502, `the call \"big\" failed`)
	if r = g.data("POST", "/post", `{"a":{"b":[1]}}`, "X-User", "ann"); r.body != `{"method":"POST","body":{"t":"[1]!","v":{"b":[1]}},"by":"ann"}` {
		t.Errorf("post: %d %s", r.status, r.body)
	}
	if r = g.data("POST", "/post", `{"a":`); r.status != 400 || r.get("code").Str != "invalid_json" {
		t.Errorf("post: %d %s", r.status, r.body)
	}

	g.configure(head + `routes:
  - {name: loop, match: {path: /a}, backend: {compose: {calls: [{as: a, get: "http://h/{b.x}"}, {as: b, get: "http://h/?c={c}"}, {as: c, post: "http://h/", body: {x: "{a}"}}]}}}
  - {name: unknown, match: {path: "/a/{id}"}, backend: {compose: {calls: [{as: a, get: "http://h/{idd}"}]}}}
  - {name: host, match: {path: "/b/{id}"}, backend: {compose: {calls: [{as: a, get: "http://{id}/x"}]}}}
  - {name: twice, match: {path: "/c/{id}"}, backend: {compose: {calls: [{as: id, get: "http://h/x"}]}}}
  - {name: answer, match: {path: "/d"}, backend: {compose: {calls: [{as: a, get: "http://h/x"}], answer: {b: "{b}"}}}}
`)
	out, _, code := g.sluice("check", "-c", g.file())
	for _, want := range []string{"the calls wait for each other: a needs b needs c needs a", `routes[1].backend.compose.calls[0]: {idd}: there is no parameter and no call "idd"`,
		"routes[2].backend.compose.calls[0]: want an address", `"id" stands for something else`, `routes[4].backend.compose.answer: {b}: there is`} {
		if code != 2 || !strings.Contains(out, want) {
			t.Errorf("check says nothing of %q: %s", want, out)
		}
	}
}
