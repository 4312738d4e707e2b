package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// issuer is an identity provider: it publishes its keys and is asked about
// tokens.
type issuer struct {
	*httptest.Server
	mu    sync.Mutex
	key   *ecdsa.PrivateKey
	kid   string
	down  bool
	asked map[string]int // tokens

	codes  map[string]map[string]string // what was asked for with each code
	claims map[string]any               // of the ID tokens, beside the usual; nil takes one out
	forged string                       // what signs them in place of the key; empty: the key does
	grants grants
}

func startIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{asked: map[string]int{}, codes: map[string]map[string]string{}}
	i.rotate(t, "k1")
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		switch {
		case i.down:
			w.WriteHeader(502)
		case r.URL.Path == "/jwks":
			point, err := i.key.PublicKey.Bytes() // 4, x, y
			if err != nil {
				w.WriteHeader(500)
				return
			}
			b64 := base64.RawURLEncoding.EncodeToString
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]string{"kty": "EC", "crv": "P-256", "kid": i.kid, "use": "sig",
				"x": b64(point[1:33]), "y": b64(point[33:])}}})
		case i.openID(w, r):
		case r.URL.Path == "/introspect":
			token := r.FormValue("token")
			i.asked[token]++
			answer := map[string]any{"active": strings.HasPrefix(token, "good"), "sub": "olaf", "scope": "orders:read", "exp": time.Now().Add(time.Hour).Unix()}
			if token == "good" {
				answer["team"] = "shop"
			}
			if id, secret, _ := r.BasicAuth(); id != "sluice" || secret != "pw" {
				w.WriteHeader(401)
				return
			}
			_ = json.NewEncoder(w).Encode(answer)
		}
	}))
	t.Cleanup(i.Close)
	return i
}

// rotate makes a new key in place of the old.
func (i *issuer) rotate(t *testing.T, kid string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	i.key, i.kid = key, kid
	i.mu.Unlock()
}

func (i *issuer) fail(down bool) {
	i.mu.Lock()
	i.down = down
	i.mu.Unlock()
}

// token is a good one but for what changes says; nil takes a claim out.
func (i *issuer) token(t *testing.T, changes map[string]any) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": i.URL, "sub": "ann", "aud": "sluice", "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	made := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	made.Header["kid"] = i.kid
	text, err := made.SignedString(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + text
}

func (i *issuer) config() string {
	return `auth:
  jwt: {corp: {issuer: "` + i.URL + `", jwks: "` + i.URL + `/jwks", audience: sluice, leeway: 10s}, own: {secret: own-secret}}
  oauth2: {idp: {introspect: "` + i.URL + `/introspect", client_id: sluice, client_secret: pw}}
  basic: {staff: {users: {alice: {hash: "BCRYPT", roles: [admin]}, bob: "BCRYPT"}}}
  hmac: {partners: {clients: {acme: signing-secret}, skew: 5m}}
roles: {reader: ["GET /roles/**"], admin: ["* /**"], lost: []}
teams:
  t: {keys: [{name: k, value: "` + teamKey + `"}, {name: r, value: sk-e2e-reader-0123456789, roles: [reader]}, {name: l, value: sk-e2e-lost-0123456789, roles: [lost]}]}
  shop: {limits: {rpm: 5}}
`
}

func startAuth(t *testing.T, routes string) (*gateway, *backend, *issuer) {
	t.Helper()
	b, i := startBackend(t, "a"), startIssuer(t)
	config := strings.NewReplacer("BCRYPT", hashOf(t, "pass"), "BACKEND", `backend: {http: {targets: ["`+b.URL+`"]}}`).Replace(i.config() + routes)
	return start(t, config), b, i
}

func basicAuth(pair string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

// TestRouteSignIn: who is taken, and all that is refused.
func TestRouteSignIn(t *testing.T) {
	g, b, i := startAuth(t, `routes:
  - {name: jwt, match: {path: "/jwt/**"}, BACKEND, auth: {require: ["jwt:corp"]}}
  - {name: oauth, match: {path: "/oauth/**"}, BACKEND, auth: {require: ["oauth2:idp"]}}
  - {name: basic, match: {path: "/basic/**"}, BACKEND, auth: {require: ["basic:staff"]}}
  - {name: any, match: {path: "/any/**"}, BACKEND, auth: {require: [key, "jwt:own", "jwt:corp", "basic:staff"]}}
  - {name: both, match: {path: "/both/**"}, BACKEND, auth: {require: [key, "jwt:corp"], all: true}}
`)
	good := i.token(t, nil)
	none := "Bearer " + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + strings.Split(good, ".")[1] + "."
	confused, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": i.URL, "aud": "sluice", "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "o", "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte("own-secret"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path, authorization string
		status                    int
		detail, challenge         string
	}{
		{"jwt", "/jwt/x", good, 200, "", ""},
		{"nothing", "/jwt/x", "", 401, "no credential", `Bearer realm="sluice"`},
		{"none", "/jwt/x", none, 401, "algorithm", "Bearer"},
		{"confused", "/jwt/x", "Bearer " + confused, 401, "algorithm", "Bearer"},
		{"expired", "/jwt/x", i.token(t, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), 401, "expired", "Bearer"},
		{"no exp", "/jwt/x", i.token(t, map[string]any{"exp": nil}), 401, "exp", "Bearer"},
		{"skew", "/jwt/x", i.token(t, map[string]any{"nbf": time.Now().Add(time.Minute).Unix()}), 401, "not valid yet", "Bearer"},
		{"audience", "/jwt/x", i.token(t, map[string]any{"aud": "other"}), 401, "audience", "Bearer"},
		{"issuer", "/jwt/x", i.token(t, map[string]any{"iss": "https://evil"}), 401, "issuer", "Bearer"},
		{"a key", "/jwt/x", "Bearer " + teamKey, 401, "no credential", "Bearer"},
		{"oauth", "/oauth/x", "Bearer good-1", 200, "", ""},
		{"inactive", "/oauth/x", "Bearer bad", 401, "not active", "Bearer"},
		{"basic", "/basic/x", basicAuth("alice:pass"), 200, "", ""},
		{"wrong password", "/basic/x", basicAuth("alice:no"), 401, "wrong", `Basic realm="sluice"`},
		{"unknown user", "/basic/x", basicAuth("eve:pass"), 401, "wrong", "Basic"},
		{"any by key", "/any/x", "Bearer " + teamKey, 200, "", ""},
		{"any by jwt", "/any/x", good, 200, "", ""},
		{"any by the other jwt", "/any/x", "Bearer " + own, 200, "", ""},
		{"any by basic", "/any/x", basicAuth("bob:pass"), 200, "", ""},
		{"any by none", "/any/x", "", 401, "no API key", `Bearer realm="sluice", Basic`},
		{"any by a bad one", "/any/x", i.token(t, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), 401, "expired", "Bearer"},
		{"both, one", "/both/x", good, 401, "", "Bearer"},
		{"both, the other", "/both/x", "Bearer " + teamKey, 401, "no credential", "Bearer"},
	} {
		r, err := g.send("GET", "http://"+g.listen+c.path, "", "Authorization", c.authorization)
		if err != nil {
			t.Fatal(err)
		}
		if r.status != c.status || !strings.Contains(r.get("detail").String(), c.detail) || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), c.challenge) {
			t.Errorf("%s: %d %s %q; want %d %s", c.name, r.status, r.body, r.header.Get("WWW-Authenticate"), c.status, c.detail)
		}
	}
	r, _ := g.send("GET", "http://"+g.listen+"/both/x", "", "Authorization", good, "X-Api-Key", teamKey)
	if h, _ := b.heard(); r.status != 200 || h.Get("X-Api-Key") != "" || h.Get("Authorization") != good {
		t.Errorf("both: %d %s, the backend got %v", r.status, r.body, h)
	}
	_, _ = g.send("GET", "http://"+g.listen+"/basic/x", "", "Authorization", basicAuth("alice:pass"))
	if h, _ := b.heard(); h.Get("Authorization") != "" {
		t.Errorf("the backend got a password: %v", h)
	}
	signInLives(t, g, i, good)
}

// signInLives: keys rotate without a restart, and a dead service is no 401.
func signInLives(t *testing.T, g *gateway, i *issuer, good string) {
	t.Helper()
	get := func(path, authorization string) answer {
		r, err := g.send("GET", "http://"+g.listen+path, "", "Authorization", authorization)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if r := get("/oauth/x", "Bearer good-2"); r.status != 200 {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
	all.Wait()
	i.mu.Lock()
	asked := i.asked["good-2"]
	i.mu.Unlock()
	if asked != 1 {
		t.Errorf("100 calls asked %d times", asked)
	}
	i.rotate(t, "k2")
	if r := get("/jwt/x", i.token(t, nil)); r.status != 200 {
		t.Errorf("rotated: %d %s", r.status, r.body)
	}
	if r := get("/jwt/x", good); r.status != 401 {
		t.Errorf("withdrawn: %d %s", r.status, r.body)
	}
	i.fail(true)
	if r := get("/jwt/x", i.token(t, nil)); r.status != 200 {
		t.Errorf("cached: %d %s", r.status, r.body)
	}
	if r := get("/oauth/x", "Bearer good-3"); r.status != 503 || r.get("code").String() != "unavailable" || r.header.Get("Retry-After") == "" {
		t.Errorf("dead: %d %s %v", r.status, r.body, r.header)
	}
	i.rotate(t, "k3")
	if r := get("/jwt/x", i.token(t, nil)); r.status != 503 || r.header.Get("Retry-After") == "" {
		t.Errorf("a new key of a dead issuer: %d %s", r.status, r.body)
	}
}

// sign signs a request as RFC 9421 says.
func sign(method, target, body, secret string, created time.Time, covers ...string) []string {
	path, query, _ := strings.Cut(target, "?")
	sum := sha256.Sum256([]byte(body))
	values := map[string]string{"@method": method, "@path": path, "@query": "?" + query,
		"content-digest": "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"}
	var base, names strings.Builder
	for i, name := range covers {
		fmt.Fprintf(&base, "%q: %s\n", name, values[name])
		fmt.Fprintf(&names, "%s%q", " "[:min(i, 1)], name)
	}
	params := fmt.Sprintf(`(%s);created=%d;keyid="acme"`, names.String(), created.Unix())
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(base.String() + `"@signature-params": ` + params))
	return []string{"Content-Digest", values["content-digest"], "Signature-Input", "s=" + params,
		"Signature", "s=:" + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + ":"}
}

// TestRouteSignatures: HMAC-signed requests, each taken once, also over a reload.
func TestRouteSignatures(t *testing.T) {
	g, _, _ := startAuth(t, `routes:
  - {name: hmac, match: {path: "/hmac/**"}, BACKEND, auth: {require: ["hmac:partners"], allow: 'caller.user == "acme"'}}
`)
	all := []string{"@method", "@path", "@query", "content-digest"}
	large := strings.Repeat("x", 200<<10) // more than is kept by itself
	for _, c := range []struct {
		name, target, body string
		header             []string
		status             int
	}{
		{"good", "/hmac/a?b=1", "hi", sign("POST", "/hmac/a?b=1", "hi", "signing-secret", time.Now(), all...), 200},
		{"large", "/hmac/large-body", large, sign("POST", "/hmac/large-body", large, "signing-secret", time.Now(), all...), 200},
		{"another path", "/hmac/b?b=1", "hi", sign("POST", "/hmac/a?b=1", "hi", "signing-secret", time.Now(), all...), 401},
		{"another query", "/hmac/a?b=2", "hi", sign("POST", "/hmac/a?b=1", "hi", "signing-secret", time.Now(), all...), 401},
		{"another body", "/hmac/a", "ho", sign("POST", "/hmac/a", "hi", "signing-secret", time.Now(), all...), 401},
		{"another method", "/hmac/a", "hi", sign("PUT", "/hmac/a", "hi", "signing-secret", time.Now(), all...), 401},
		{"body not covered", "/hmac/a", "hi", sign("POST", "/hmac/a", "hi", "signing-secret", time.Now(), all[:3]...), 401},
		{"query not covered", "/hmac/a", "hi", sign("POST", "/hmac/a", "hi", "signing-secret", time.Now(), "@method", "@path", "content-digest"), 401},
		{"old", "/hmac/a", "hi", sign("POST", "/hmac/a", "hi", "signing-secret", time.Now().Add(-6*time.Minute), all...), 401},
		{"future", "/hmac/a", "hi", sign("POST", "/hmac/a", "hi", "signing-secret", time.Now().Add(6*time.Minute), all...), 401},
		{"another secret", "/hmac/a", "hi", sign("POST", "/hmac/a", "hi", "x", time.Now(), all...), 401},
		{"none", "/hmac/a", "hi", nil, 401},
	} {
		if r, err := g.send("POST", "http://"+g.listen+c.target, c.body, c.header...); err != nil || r.status != c.status {
			t.Errorf("%s: %d %.300s %v; want %d", c.name, r.status, r.body, err, c.status)
		}
	}
	header := sign("POST", "/hmac/once", "hi", "signing-secret", time.Now(), all...)
	for _, status := range []int{200, 401, 401} {
		if r, _ := g.send("POST", "http://"+g.listen+"/hmac/once", "hi", header...); r.status != status {
			t.Errorf("once: %d %s; want %d", r.status, r.body, status)
		}
		if r := g.api("POST", "reload", ""); r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
}

// TestRoutePermissions: roles by method and path,
// scopes, rules, own paths, and which rule decides.
func TestRoutePermissions(t *testing.T) {
	g, _, i := startAuth(t, `routes:
  - {name: roles, match: {path: "/roles/**"}, BACKEND, auth: {require: [key, "jwt:corp", "basic:staff"], roles: [reader, admin]}}
  - {name: open, match: {path: "/open/**"}, BACKEND, auth: {require: [key, "jwt:corp"]}}
  - {name: scopes, match: {path: "/scopes/**"}, BACKEND, auth: {require: ["oauth2:idp", "jwt:corp"], scopes: ["orders:read"]}}
  - {name: users, match: {path: "/users/{id}/**"}, BACKEND, auth: {require: ["jwt:corp"], allow: 'request.params.id == caller.user || request.params.id == "me"'}}
  - {name: office, match: {path: "/office/**"}, BACKEND, auth: {require: ["jwt:corp"], allow: 'cidr("10.0.0.0/8").containsIP(caller.ip) && now.getDayOfWeek("Europe/Berlin") in [1, 2, 3, 4, 5] && now.getHours("Europe/Berlin") >= 8 && now.getHours("Europe/Berlin") < 18'}}
  - {name: claims, match: {path: "/claims/**"}, BACKEND, auth: {require: ["jwt:corp"], allow: 'caller.claims.dept == "sales"'}}
`)
	reader, admin := i.token(t, map[string]any{"roles": []string{"reader", "unknown"}}), i.token(t, map[string]any{"roles": "admin"})
	const readerKey, lostKey = "Bearer sk-e2e-reader-0123456789", "Bearer sk-e2e-lost-0123456789"
	for _, c := range []struct {
		name, method, target, authorization string
		status                              int
	}{
		{"reader reads", "GET", "/roles/1", reader, 200},
		{"reader's head", "HEAD", "/roles/1", reader, 200},
		{"reader writes", "POST", "/roles/1", reader, 403},
		{"a key reads", "GET", "/roles/1", readerKey, 200},
		{"a key writes", "DELETE", "/roles/1", readerKey, 403},
		{"tricks", "POST", "//roles//1", readerKey, 403},
		{"more tricks", "POST", "/%72oles/%31/../1/", readerKey, 403},
		{"and case", "POST", "/ROLES/1;x=1", readerKey, 403},
		{"no role", "GET", "/roles/1", "Bearer " + teamKey, 403},
		{"no role, no token's", "GET", "/roles/1", i.token(t, nil), 403},
		{"admin", "POST", "/roles/1", admin, 200},
		{"admin by password", "POST", "/roles/1", basicAuth("alice:pass"), 200},
		{"bob", "GET", "/roles/1", basicAuth("bob:pass"), 403},
		{"a role bounds", "GET", "/open/1", readerKey, 403},
		{"a role without grants", "GET", "/open/1", lostKey, 403},
		{"none does not", "GET", "/open/1", "Bearer " + teamKey, 200},
		{"nor one that is not declared", "GET", "/open/1", i.token(t, map[string]any{"roles": []string{"x"}}), 200},
		{"scope", "GET", "/scopes/1", "Bearer good", 200},
		{"no scope", "GET", "/scopes/1", i.token(t, map[string]any{"scope": "orders:write"}), 403},
		{"own", "GET", "/users/ann/x", i.token(t, nil), 200},
		{"me", "GET", "/users/me/x", i.token(t, nil), 200},
		{"another's", "GET", "/users/bob/x", i.token(t, nil), 403},
		{"another's in disguise", "GET", "/users/%61nn/../bob/x", i.token(t, nil), 403},
		{"claim", "GET", "/claims/x", i.token(t, map[string]any{"dept": "sales"}), 200},
		{"no claim", "GET", "/claims/x", i.token(t, nil), 403},
		{"not from the office", "GET", "/office/x", i.token(t, nil), 403},
	} {
		r := g.raw(c.method, c.target, "", "Authorization", c.authorization)
		if r.status != c.status || c.status == 403 && !strings.Contains(r.body, `"permission_denied"`) {
			t.Errorf("%s: %d %s; want %d", c.name, r.status, r.body, c.status)
		}
		if c.name == "no scope" && r.header.Get("WWW-Authenticate") != `Bearer realm="sluice", error="insufficient_scope", scope="orders:read"` {
			t.Errorf("no scope: %v", r.header)
		}
	}
	for query, want := range map[string]string{
		"path=/roles/1&roles=reader":                                   "true roles.reader: \"GET /roles/**\"",
		"path=/ROLES/1&roles=reader&method=POST":                       "false roles: none of reader may POST /roles/1",
		"path=/roles/1&roles=x":                                        "false routes.roles.auth.roles: reader, admin",
		"path=/open/1":                                                 "true routes.open.auth: whoever is known",
		"path=/scopes/1&scopes=a":                                      "false routes.scopes.auth.scopes: orders:read",
		"path=/users/ann/x&user=ann":                                   "true routes.users.auth.allow: request.params.id == caller.user || request.params.id == \"me\"",
		"path=/office/x&ip=10.1.2.3&at=2026-11-30T09:00:00Z":           "true ",
		"path=/office/x&ip=10.1.2.3&at=2026-11-30T18:00:00Z":           "false ",
		"path=/office/x&ip=11.1.2.3&at=2026-11-30T09:00:00Z":           "false ",
		"path=/office/x&ip=10.1.2.3&at=2026-11-29T09:00:00%2B01:00":    "false ",
		"path=/office/x&ip=10.1.2.3&at=2026-11-30T08:30:00%2B01:00":    "true ",
		"path=/office/x&ip=10.1.2.3&at=2026-11-30T07:59:59%2B01:00":    "false ",
		"path=/office/x&ip=::ffff:10.1.2.3&at=2026-11-30T09:00:00Z":    "false ",
		"path=/claims/x&roles=reader&user=ann&team=shop&method=DELETE": "false ",
	} {
		r := g.api("GET", "explain?"+query, "")
		if got := r.get("permission.allowed").String() + " " + r.get("permission.rule").String(); r.status != 200 || !strings.HasPrefix(got, want) {
			t.Errorf("explain %s: %d %s; want %s", query, r.status, r.body, want)
		}
	}
	if r := g.api("GET", "explain?path=/open/1&at=noon", ""); r.status != 400 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// TestRouteTeamOfToken: who comes with a token that names a team counts in that
// team's limits.
func TestRouteTeamOfToken(t *testing.T) {
	g, _, i := startAuth(t, `routes:
  - {name: a, match: {path: "/a/**"}, BACKEND, auth: {require: ["jwt:corp", "oauth2:idp"], allow: 'caller.team == "shop"'}}
`)
	shop, passed := i.token(t, map[string]any{"team": "shop"}), 0
	for n := range 8 {
		authorization := []string{shop, "Bearer good"}[n%2]
		r, err := g.send("GET", "http://"+g.listen+"/a/x", "", "Authorization", authorization)
		switch {
		case err == nil && r.status == 200:
			passed++
		case err != nil || r.status != 429 || r.header.Get("Retry-After") == "" || r.header.Get("X-Ratelimit-Limit-Requests") != "5":
			t.Errorf("%d %s %v %v", r.status, r.body, r.header, err)
		}
	}
	if passed != 5 {
		t.Errorf("%d passed, the team may 5 a minute", passed)
	}
	for team, status := range map[string]int{"other": 403, "provider up": 403} {
		if r, _ := g.send("GET", "http://"+g.listen+"/a/x", "", "Authorization", i.token(t, map[string]any{"team": team})); r.status != status {
			t.Errorf("%s: %d %s", team, r.status, r.body)
		}
	}
}
