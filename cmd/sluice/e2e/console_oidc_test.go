package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// openID answers as an OpenID Connect provider that lets everybody in; false:
// the path is another. The lock is held.
func (i *issuer) openID(w http.ResponseWriter, r *http.Request) bool {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token",
			"jwks_uri": i.URL + "/jwks", "id_token_signing_alg_values_supported": []string{"ES256"}})
	case "/authorize":
		q := r.URL.Query()
		code := fmt.Sprint("code-", len(i.codes))
		i.codes[code] = map[string]string{"nonce": q.Get("nonce"), "challenge": q.Get("code_challenge"), "method": q.Get("code_challenge_method"), "redirect": q.Get("redirect_uri")}
		http.Redirect(w, r, q.Get("redirect_uri")+"?code="+code+"&state="+url.QueryEscape(q.Get("state")), http.StatusFound)
	case "/token":
		asked := i.codes[r.FormValue("code")]
		delete(i.codes, r.FormValue("code"))
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		id, secret, _ := r.BasicAuth()
		if asked == nil || asked["method"] != "S256" || asked["challenge"] != base64.RawURLEncoding.EncodeToString(sum[:]) ||
			asked["redirect"] != r.FormValue("redirect_uri") || id != "console" || secret != "pw" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":"invalid_grant"}`)
			return true
		}
		claims := jwt.MapClaims{"iss": i.URL, "sub": "ann", "aud": "console", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "nonce": asked["nonce"], "sid": "s1"}
		for name, value := range i.claims {
			claims[name] = value
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": i.sign(claims)})
	default:
		return false
	}
	return true
}

// sign makes a token of claims. The lock is held.
func (i *issuer) sign(claims jwt.MapClaims) string {
	made := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	made.Header["kid"] = i.kid
	text, err := made.SignedString(i.key)
	if err != nil {
		return err.Error()
	}
	return text
}

// says sets what is in ID tokens from now on.
func (i *issuer) says(claims map[string]any) {
	i.mu.Lock()
	i.claims = claims
	i.mu.Unlock()
}

// browse is a browser that has not signed in.
func (g *gateway) browse() *gateway {
	g.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.t.Fatal(err)
	}
	one := *g
	one.client = &http.Client{Jar: jar, Timeout: 20 * time.Second}
	return &one
}

func (g *gateway) page(method, path, body string, header ...string) answer {
	g.t.Helper()
	r, err := g.send(method, "http://"+g.admin+path, body, header...)
	if err != nil {
		g.t.Fatal(err)
	}
	return r
}

// TestConsoleOIDC: code and PKCE, groups to roles, a
// state and a nonce once, back-channel logout.
func TestConsoleOIDC(t *testing.T) {
	i := startIssuer(t)
	g := newGateway(t, "")
	g.configure(strings.Replace(head, "admin: {token:", `admin: {oidc: {issuer: "`+i.URL+`", client_id: console, client_secret: pw, roles: {admin: [ops], viewer: [dev], team-owner: [leads]}}, token:`, 1) + team)
	g.start()
	if r := g.browse().page("GET", "/sign-in", ""); !strings.Contains(r.body, "/sign-in/oidc") {
		t.Errorf("the page does not offer it: %s", r.body)
	}
	past := time.Now().Add(-time.Hour).Unix()
	for name, c := range map[string]struct {
		claims map[string]any
		status int
		role   string
	}{
		"admin":            {map[string]any{"groups": []string{"x", "ops"}}, 200, "admin"},
		"viewer":           {map[string]any{"groups": "dev"}, 200, "viewer"},
		"team-owner":       {map[string]any{"groups": []string{"leads"}, "team": "t"}, 200, "team-owner"},
		"owner of no team": {map[string]any{"groups": []string{"leads"}}, 403, ""},
		"no group":         {map[string]any{"groups": []string{"x"}}, 403, ""},
		"none":             {nil, 403, ""},
		"nonce":            {map[string]any{"groups": "ops", "nonce": "another"}, 401, ""},
		"audience":         {map[string]any{"groups": "ops", "aud": "another"}, 401, ""},
		"issuer":           {map[string]any{"groups": "ops", "iss": "https://evil"}, 401, ""},
		"expired":          {map[string]any{"groups": "ops", "exp": past}, 401, ""},
	} {
		i.says(c.claims)
		b := g.browse()
		if r := b.page("GET", "/sign-in/oidc", ""); r.status != c.status {
			t.Errorf("%s: %d %s; want %d", name, r.status, r.body, c.status)
		}
		body := b.page("GET", "/", "").body
		if signed := strings.Contains(body, "/sign-out"); signed != (c.status == 200) || !strings.Contains(body, c.role) {
			t.Errorf("%s: signed in: %v, as %s", name, signed, body)
		}
	}
	oidcAbuse(t, g, i)
	oidcLogout(t, g, i)
	i.fail(true)
	if r := g.browse().page("GET", "/sign-in/callback?code=a&state=b", ""); r.status != 401 {
		t.Errorf("%d", r.status)
	}
}

// oidcAbuse: what was begun in one browser ends there, once.
func oidcAbuse(t *testing.T, g *gateway, i *issuer) {
	t.Helper()
	i.says(map[string]any{"groups": "ops"})
	begun := g.browse()
	begun.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == g.admin {
			return http.ErrUseLastResponse // what the issuer sends back is kept
		}
		return nil
	}
	r := begun.page("GET", "/sign-in/oidc", "")
	back, err := url.Parse(r.header.Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		t.Fatalf("%d %v %v", r.status, r.header, err)
	}
	if r := g.browse().page("GET", back.RequestURI(), ""); r.status != 401 {
		t.Errorf("in another browser: %d", r.status)
	}
	if r := begun.page("GET", "/sign-in/callback?code=x&state="+back.Query().Get("state")+"x", ""); r.status != 401 {
		t.Errorf("with another state: %d", r.status)
	}
	if r := begun.page("GET", back.RequestURI(), ""); r.status != 200 {
		t.Errorf("where it was begun: %d %s", r.status, r.body)
	}
	if r := begun.page("GET", back.RequestURI(), ""); r.status != 401 {
		t.Errorf("again: %d", r.status)
	}
}

// oidcLogout: the issuer ends sessions, with a token that is good once.
func oidcLogout(t *testing.T, g *gateway, i *issuer) {
	t.Helper()
	token := func(id string, changes map[string]any) string {
		claims := jwt.MapClaims{"iss": i.URL, "aud": "console", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "jti": id, "sub": "ann",
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
		for name, value := range changes {
			claims[name] = value
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		return "logout_token=" + i.sign(claims)
	}
	post := func(body string) int {
		return g.browse().page("POST", "/sign-in/logout", body, "Content-Type", "application/x-www-form-urlencoded").status
	}
	b := g.browse()
	b.page("GET", "/sign-in/oidc", "")
	in := func() bool { return strings.Contains(b.page("GET", "/", "").body, "/sign-out") }
	if !in() {
		t.Fatal("not signed in")
	}
	for name, body := range map[string]string{"nothing": "", "no token": "logout_token=x", "another audience": token("1", map[string]any{"aud": "x"}),
		"a nonce": token("2", map[string]any{"nonce": "n"}), "no event": token("3", map[string]any{"events": map[string]any{}})} {
		if status := post(body); status != 400 || !in() {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status := post(token("4", map[string]any{"sid": "another"})); status != 200 || !in() {
		t.Errorf("another session: %d", status)
	}
	good := token("5", map[string]any{"sid": "s1"})
	if status := post(good); status != 200 || in() {
		t.Errorf("its session: %d", status)
	}
	if status := post(good); status != 400 {
		t.Errorf("again: %d", status)
	}
}
