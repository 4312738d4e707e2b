package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestRouteSelf sends /users/me on as the caller's own path, whoever that is,
// and nowhere else.
func TestRouteSelf(t *testing.T) {
	i, b := startIssuer(t), startBackend(t, "a")
	b.says(nil)
	auth := `auth:
  jwt: {corp: {issuer: "` + i.URL + `", jwks: "` + i.URL + `/jwks", audience: sluice}}
`
	target := `backend: {http: {targets: ["` + b.URL + `"]}}`
	g := start(t, auth+`routes:
  - name: me
    match: {path: "/users/me/**"}
    `+target+`
    auth: {require: [key, "jwt:corp"]}
    cache: {ttl: 1m}
    transform: {request: {path: "/users/{caller.user}/{**}", headers: {set: {X-User: "{caller.user} of {caller.team}"}}, query: {set: {as: "{caller.user}"}}}}
  - {name: any, match: {path: "/users/{id}/**"}, `+target+`, auth: {require: [key, "jwt:corp"], allow: 'request.params.id == caller.user'}}
teams:
  shop: {keys: [{name: reader, value: sk-e2e-reader-0123456789}, {name: bob, user: bob, value: sk-e2e-bob-0123456789}]}
`)
	token := func(sub any) string { return i.token(t, map[string]any{"sub": sub, "team": "shop"}) }
	for _, c := range []struct{ target, authorization, uri string }{
		{"/users/me", token("ann"), "/users/ann?as=ann"},
		{"/users/me/", token("ann"), "/users/ann/?as=ann"},
		{"/users/me/orders/7?full=1&as=bob", token("ann"), "/users/ann/orders/7?full=1&as=ann"},
		{"//users/%6De/x", token("ann"), "/users/ann/x?as=ann"},
		{"/users/ME/x", token("Ann"), "/users/Ann/x?as=Ann"},
		{"/users/me/orders", "Bearer sk-e2e-bob-0123456789", "/users/bob/orders?as=bob"}, // after ann's, which is hers alone
		{"/users/me/orders", token("ann"), "/users/ann/orders?as=ann"},
		{"/users/me/x", token("a/b?c=1#d e%2f"), "/users/a%2Fb%3Fc=1%23d%20e%252f/x?as=a%2Fb%3Fc%3D1%23d+e%252f"},
		{"/users/me/x", token("mail|ann@example.com"), "/users/mail%7Cann@example.com/x?as=mail%7Cann%40example.com"},
	} {
		r := g.data("GET", c.target, "", "Authorization", c.authorization)
		if r.status != 200 || r.get("uri").Str != c.uri {
			t.Errorf("%s: %d %s, want %s", c.target, r.status, r.body, c.uri)
		}
	}
	if h, _ := b.heard(); h.Get("X-User") != "mail|ann@example.com of shop" {
		t.Errorf("the backend was told of %q", h.Get("X-User"))
	}
	hits := b.hits.Load()
	for _, sub := range []string{"..", ".", "../bob", "x/../../bob", "bob;x=1", `bob\..`, "a\r\nX-Admin: 1", "a\x00"} {
		r := g.data("GET", "/users/me/x", "", "Authorization", token(sub))
		if r.status != 403 || r.get("code").Str != "permission_denied" || !strings.Contains(r.body, "{caller.user}") {
			t.Errorf("%q: %d %s", sub, r.status, r.body)
		}
	}
	r := g.data("GET", "/users/me/x", "", "Authorization", "Bearer sk-e2e-reader-0123456789")
	if r.status != 403 || !strings.Contains(r.body, "the caller has none") {
		t.Errorf("a key that is nobody's: %d %s", r.status, r.body)
	}
	if r = g.data("GET", "/users/bob/x", "", "Authorization", token("ann")); r.status != 403 {
		t.Errorf("another's: %d %s", r.status, r.body)
	}
	if r = g.data("GET", "/users/me/x", ""); r.status != 401 {
		t.Errorf("nobody: %d %s", r.status, r.body)
	}
	if n := b.hits.Load(); n != hits {
		t.Errorf("the backend was asked %d times more", n-hits)
	}

	g.configure(head + auth + `routes:
  - {name: open, match: {path: "/a/**"}, ` + target + `, transform: {request: {path: "/users/{caller.user}"}}}
  - {name: shared, match: {path: "/b/**"}, ` + target + `, auth: {require: [key]}, cache: {rfc9111: true}, transform: {request: {path: "/users/{caller.user}"}}}
  - {name: unknown, match: {path: "/c/**"}, ` + target + `, auth: {require: [key]}, transform: {request: {path: "/users/{caller.mail}"}, response: {headers: {set: {X-User: "{caller.user}"}}}}}
`)
	out, _, code := g.sluice("check", "-c", g.file())
	for n, want := range []string{"routes[0].transform.request.path: {caller.user} is of callers who are known", "routes[1].transform.request.path: {caller.user} makes each caller's answers",
		"routes[2].transform.request.path: the route's path has no {caller.mail}", "routes[2].transform.response.headers.set.X-User: the route's path has no {caller.user}"} {
		if code != 2 || !strings.Contains(out, want) {
			t.Errorf("check, %s: %d %s", fmt.Sprint(n, " ", want), code, out)
		}
	}
}
