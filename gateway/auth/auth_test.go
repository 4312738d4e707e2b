package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/valyala/fasthttp"
	"golang.org/x/crypto/bcrypt"

	"sluice/providers/schema"
)

var now = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// request is one with an Authorization header.
func request(authorization string) *Request {
	r := &fasthttp.Request{}
	r.Header.SetMethod("GET")
	r.SetRequestURI("/x")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return &Request{HTTP: r, Target: "/x", Scheme: "http", Now: now, Body: func() ([]byte, error) { return r.Body(), nil }}
}

// wants holds what a method says of a request to a status and words; 0: nobody
// is found, 200: user is.
func wants(t *testing.T, name string, m Method, r *Request, status int, words string) {
	t.Helper()
	who, err := m.Identify(r)
	switch {
	case err != nil:
		e := schema.AsError(err)
		if e.Status != status || !strings.Contains(e.Message, words) {
			t.Errorf("%s: %d %s; want %d %s", name, e.Status, e.Message, status, words)
		}
	case who == nil:
		if status != 0 {
			t.Errorf("%s: nobody; want %d %s", name, status, words)
		}
	case status != 200 || who.User != words:
		t.Errorf("%s: %+v; want %d %s", name, who, status, words)
	}
}

// issuer publishes keys, or does not answer.
type issuer struct {
	*httptest.Server
	mu   sync.Mutex
	keys jwkset.JWKSMarshal
	down bool
	hits atomic.Int64
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.hits.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		switch {
		case i.down:
			w.WriteHeader(500)
		case r.URL.Path == "/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
		default:
			_ = json.NewEncoder(w).Encode(i.keys)
		}
	}))
	t.Cleanup(i.Close)
	return i
}

// publish replaces the keys.
func (i *issuer) publish(t *testing.T, keys map[string]any) {
	t.Helper()
	var set jwkset.JWKSMarshal
	for id, key := range keys {
		k, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: id, USE: jwkset.UseSig},
			Marshal: jwkset.JWKMarshalOptions{Private: true}}) // so that even a secret would be there
		if err != nil {
			t.Fatal(err)
		}
		set.Keys = append(set.Keys, k.Marshal())
	}
	i.mu.Lock()
	i.keys = set
	i.mu.Unlock()
}

// token signs claims, which begin as good ones.
func token(t *testing.T, method jwt.SigningMethod, key any, kid string, change func(jwt.MapClaims)) string {
	t.Helper()
	c := jwt.MapClaims{"sub": "ann", "iss": "https://id", "aud": "sluice", "exp": now.Add(time.Minute).Unix()}
	if change != nil {
		change(c)
	}
	made := jwt.NewWithClaims(method, c)
	if kid != "" {
		made.Header["kid"] = kid
	}
	text, err := made.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + text
}

func pemOf(t *testing.T, key crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func newJWT(t *testing.T, o JWTOptions) *JWT {
	t.Helper()
	o.Name, o.Leeway = "corp", 30*time.Second
	j, err := NewJWT(o)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

type signer struct {
	method jwt.SigningMethod
	key    any
	public crypto.PublicKey
}

func signers(t *testing.T) map[string]signer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]signer{"RS256": {jwt.SigningMethodRS256, rsaKey, rsaKey.Public()}, "PS384": {jwt.SigningMethodPS384, rsaKey, rsaKey.Public()},
		"ES256": {jwt.SigningMethodES256, ecKey, ecKey.Public()}, "EdDSA": {jwt.SigningMethodEdDSA, edKey, edPublic}}
}

// TestJWT: what is taken, and what is refused and why.
func TestJWT(t *testing.T) {
	all := signers(t)
	secret := newJWT(t, JWTOptions{Issuer: "https://id", Audience: []string{"other", "sluice"}, Secret: "shared"})
	wants(t, "HS256", secret, request(token(t, jwt.SigningMethodHS256, []byte("shared"), "", nil)), 200, "ann")
	for name, s := range all {
		m := newJWT(t, JWTOptions{Issuer: "https://id", PublicKey: pemOf(t, s.public)})
		wants(t, name, m, request(token(t, s.method, s.key, "", nil)), 200, "ann")
		// The public key as a shared secret: the old confusion.
		for _, key := range []string{pemOf(t, s.public), strings.TrimSpace(pemOf(t, s.public))} {
			wants(t, name+" confused", m, request(token(t, jwt.SigningMethodHS256, []byte(key), "", nil)), 401, "algorithm")
		}
		wants(t, name+" none", m, request(token(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "", nil)), 401, "algorithm")
		wants(t, name+" with a secret", secret, request(token(t, s.method, s.key, "", nil)), 401, "algorithm")
	}
	hs := func(change func(jwt.MapClaims)) *Request {
		return request(token(t, jwt.SigningMethodHS256, []byte("shared"), "", change))
	}
	set := func(name string, value any) func(jwt.MapClaims) { return func(c jwt.MapClaims) { c[name] = value } }
	for name, c := range map[string]struct {
		request *Request
		status  int
		words   string
	}{
		"nothing":            {request(""), 0, ""},
		"basic":              {request("Basic YTpi"), 0, ""},
		"a key":              {request("Bearer sk-sl-abc"), 0, ""},
		"none":               {request(token(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "", nil)), 401, "algorithm"},
		"none in capitals":   {request("Bearer " + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"NONE"}`)) + ".e30."), 401, ""},
		"another secret":     {request(token(t, jwt.SigningMethodHS256, []byte("x"), "", nil)), 401, "signature"},
		"not base64":         {request("Bearer a.b.c"), 401, "malformed"},
		"expired":            {hs(set("exp", now.Add(-time.Minute).Unix())), 401, "expired"},
		"within the leeway":  {hs(set("exp", now.Add(-20*time.Second).Unix())), 200, "ann"},
		"no exp":             {hs(func(c jwt.MapClaims) { delete(c, "exp") }), 401, "exp"},
		"exp is a word":      {hs(set("exp", "tomorrow")), 401, ""},
		"not yet":            {hs(set("nbf", now.Add(time.Minute).Unix())), 401, "not valid yet"},
		"soon":               {hs(set("nbf", now.Add(20*time.Second).Unix())), 200, "ann"},
		"another issuer":     {hs(set("iss", "https://id/")), 401, "issuer"},
		"no issuer":          {hs(func(c jwt.MapClaims) { delete(c, "iss") }), 401, "issuer"},
		"another audience":   {hs(set("aud", "sluice2")), 401, "audience"},
		"no audience":        {hs(func(c jwt.MapClaims) { delete(c, "aud") }), 401, "audience"},
		"audiences":          {hs(set("aud", []string{"x", "sluice"})), 200, "ann"},
		"audience in a word": {hs(set("aud", "x sluice")), 401, "audience"},
		"critical extension": {request(critical(t)), 401, "extensions"},
	} {
		wants(t, name, secret, c.request, c.status, c.words)
	}
}

func critical(t *testing.T) string {
	made := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": "https://id", "exp": now.Add(time.Minute).Unix()})
	made.Header["crit"] = []string{"b64"}
	text, err := made.SignedString([]byte("shared"))
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + text
}

// TestJWTClaims: what a token says of teams, roles and scopes.
func TestJWTClaims(t *testing.T) {
	j := newJWT(t, JWTOptions{Secret: "s", Claims: Claims{Roles: "realm_access.roles"}})
	who, err := j.Identify(request(token(t, jwt.SigningMethodHS256, []byte("s"), "", func(c jwt.MapClaims) {
		c["team"], c["scope"], c["realm_access"] = "shop", "a b", map[string]any{"roles": []string{"reader", "x"}}
	})))
	if err != nil {
		t.Fatal(err)
	}
	if who.ID != "jwt:corp/ann" || who.Team != "shop" || strings.Join(who.Roles, ",") != "reader,x" || strings.Join(who.Scopes, ",") != "a,b" || who.Claims["aud"] != "sluice" {
		t.Errorf("%+v", who)
	}
}

// TestJWKS: rotation without a restart, cached keys while the issuer
// is down, and a dead issuer is no 401.
func TestJWKS(t *testing.T) {
	all, i := signers(t), newIssuer(t)
	rs, es := all["RS256"], all["ES256"]
	old, fresh := token(t, rs.method, rs.key, "old", nil), token(t, es.method, es.key, "new", nil)
	i.down = true
	j := newJWT(t, JWTOptions{KeySet: i.URL + "/keys"})
	wants(t, "dead from the start", j, request(old), 503, "does not answer")
	i.down = false
	i.publish(t, map[string]any{"old": rs.key, "hmac": []byte("published")})
	eventually(t, func() bool { who, err := j.Identify(request(old)); return err == nil && who.User == "ann" })
	wants(t, "a published secret", j, request(token(t, jwt.SigningMethodHS256, []byte("published"), "hmac", nil)), 401, "algorithm")
	wants(t, "the id of another key", j, request(token(t, es.method, es.key, "old", nil)), 401, "does not have")
	i.publish(t, map[string]any{"new": es.key})
	wants(t, "rotated", j, request(fresh), 200, "ann")
	wants(t, "withdrawn", j, request(old), 401, "does not have")
	wants(t, "without an id", j, request(token(t, es.method, es.key, "", nil)), 200, "ann")
	i.mu.Lock()
	i.down = true
	i.mu.Unlock()
	wants(t, "cached", j, request(fresh), 200, "ann")
	hits := i.hits.Load()
	for range 50 {
		_, _ = j.Identify(request(token(t, rs.method, rs.key, "unknown", nil)))
	}
	if n := i.hits.Load() - hits; n > 6 {
		t.Errorf("50 unknown keys asked the issuer %d times", n)
	}
	late := request(fresh)
	late.Now = now.Add(staleKeys + time.Minute)
	wants(t, "stale", j, late, 503, "does not answer")
}

// TestDiscovery: an issuer alone says where its keys are.
func TestDiscovery(t *testing.T) {
	all, i := signers(t), newIssuer(t)
	s := all["EdDSA"]
	i.publish(t, map[string]any{"k": s.key})
	j := newJWT(t, JWTOptions{Issuer: i.URL})
	mine := func(c jwt.MapClaims) { c["iss"] = i.URL }
	wants(t, "discovered", j, request(token(t, s.method, s.key, "k", mine)), 200, "ann")
	wants(t, "of another", j, request(token(t, s.method, s.key, "k", nil)), 401, "issuer")
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come to be")
		}
	}
}

func TestOAuth2(t *testing.T) {
	var hits atomic.Int64
	var status atomic.Int64
	status.Store(200)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		id, secret, _ := r.BasicAuth()
		if id != "sluice" || secret != "a%2Fb" || r.FormValue("token_type_hint") != "access_token" {
			w.WriteHeader(401)
			return
		}
		time.Sleep(20 * time.Millisecond) // so that others come meanwhile
		w.WriteHeader(int(status.Load()))
		answer := map[string]any{"active": true, "sub": "ann", "scope": "read write", "team": "shop", "exp": now.Add(time.Hour).Unix(), "aud": "sluice"}
		switch r.FormValue("token") {
		case "inactive":
			answer = map[string]any{"active": false}
		case "expired":
			answer["exp"] = now.Add(-time.Second).Unix()
		case "elsewhere":
			answer["aud"] = []string{"x"}
		case "later":
			answer["nbf"] = now.Add(time.Hour).Unix()
		case "odd":
			answer = map[string]any{"error": "x"}
		case "machine":
			answer = map[string]any{"active": true, "client_id": "robot", "aud": "sluice"}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(s.Close)
	o := OAuth2Options{Name: "idp", Introspect: s.URL, ClientID: "sluice", Secret: "a/b", Audience: []string{"sluice"}}
	m := NewOAuth2(o)
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() { wants(t, "good", m, request("Bearer good"), 200, "ann") })
	}
	all.Wait()
	if hits.Load() != 1 {
		t.Errorf("200 calls at once asked %d times", hits.Load())
	}
	for token, c := range map[string]struct {
		status int
		words  string
	}{"inactive": {401, "not active"}, "expired": {401, "expired"}, "elsewhere": {401, "audience"}, "later": {401, "not valid yet"},
		"odd": {503, "does not answer"}, "machine": {200, "robot"}} {
		wants(t, token, m, request("Bearer "+token), c.status, c.words)
	}
	wants(t, "none", m, request(""), 0, "")
	wants(t, "a key of ours", m, request("Bearer sk-sl-ABCDEFGHIJKL-x"), 0, "")
	status.Store(500)
	wants(t, "dead", m, request("Bearer other"), 503, "does not answer")
	wants(t, "known while dead", m, request("Bearer good"), 200, "ann")
	late := request("Bearer good")
	late.Now = now.Add(2 * time.Hour)
	wants(t, "no longer known", m, late, 503, "does not answer")
	o.Secret = "wrong"
	wants(t, "we are refused", NewOAuth2(o), request("Bearer good"), 503, "does not answer")
}

// TestOAuth2Bound: what is remembered is bounded.
func TestOAuth2Bound(t *testing.T) {
	m := NewOAuth2(OAuth2Options{})
	for i := range maxTokens + 50 {
		m.remember([32]byte{byte(i), byte(i >> 8), byte(i >> 16)}, introspected{until: now.Add(time.Minute)}, now)
	}
	if len(m.known) > maxTokens {
		t.Errorf("%d tokens are remembered", len(m.known))
	}
}

func TestBasic(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("p:w"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	m := NewBasic("staff", map[string]Account{"alice": {Secret: string(hash), Team: "shop", Roles: []string{"reader"}}})
	pair := func(text string) *Request {
		return request("basic " + base64.StdEncoding.EncodeToString([]byte(text)))
	}
	for range 2 { // the second is remembered
		wants(t, "right", m, pair("alice:p:w"), 200, "alice")
	}
	wants(t, "wrong", m, pair("alice:x"), 401, "wrong")
	wants(t, "case", m, pair("Alice:p:w"), 401, "wrong")
	wants(t, "nobody's", m, pair("bob:nobody"), 401, "wrong")
	wants(t, "empty", m, pair(":"), 401, "wrong")
	wants(t, "long", m, pair("alice:"+strings.Repeat("x", 5000)), 401, "wrong")
	wants(t, "no colon", m, pair("alice"), 401, "malformed")
	wants(t, "not base64", m, request("Basic ???"), 401, "malformed")
	wants(t, "bearer", m, request("Bearer x"), 0, "")
	if CheckPassword("secret") == nil || CheckPassword(string(hash)) != nil {
		t.Error("a hash is not told from what is none")
	}
}
