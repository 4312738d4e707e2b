package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
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
			"jwks_uri": i.URL + "/jwks", "revocation_endpoint": i.URL + "/revoke", "id_token_signing_alg_values_supported": []string{"ES256"}})
	case "/authorize":
		q := r.URL.Query()
		code := fmt.Sprint("code-", len(i.codes))
		i.codes[code] = map[string]string{"client": q.Get("client_id"), "nonce": q.Get("nonce"), "challenge": q.Get("code_challenge"), "method": q.Get("code_challenge_method"), "redirect": q.Get("redirect_uri"), "scope": q.Get("scope")}
		http.Redirect(w, r, q.Get("redirect_uri")+"?code="+code+"&state="+url.QueryEscape(q.Get("state")), http.StatusFound)
	case "/token":
		if r.FormValue("grant_type") == "refresh_token" {
			i.renew(w, r)
			return true
		}
		asked := i.codes[r.FormValue("code")]
		delete(i.codes, r.FormValue("code"))
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		id, secret, _ := r.BasicAuth()
		if asked == nil || asked["method"] != "S256" || asked["challenge"] != base64.RawURLEncoding.EncodeToString(sum[:]) ||
			asked["redirect"] != r.FormValue("redirect_uri") || id != asked["client"] || secret != "pw" {
			oauthError(w, 400, "invalid_grant")
			return true
		}
		i.grant(w, asked["client"], asked["nonce"], strings.Contains(asked["scope"], "offline_access"))
	case "/revoke":
		i.revoke(w, r)
	default:
		return false
	}
	return true
}

// grant answers with tokens; a nonce that is empty is not in the ID token. The
// lock is held.
func (i *issuer) grant(w http.ResponseWriter, client, nonce string, refresh bool) {
	claims := jwt.MapClaims{"iss": i.URL, "sub": "ann", "aud": client, "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "sid": "s1"}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	for name, value := range i.claims {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	answer := map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": i.sign(claims)}
	if i.grants.brief {
		answer["expires_in"] = 1
	}
	if refresh {
		answer["refresh_token"] = i.grants.token(client)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func oauthError(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":%q}`, code)
}

// sign makes a token of claims. The lock is held.
func (i *issuer) sign(claims jwt.MapClaims) string {
	method, key := jwt.SigningMethod(jwt.SigningMethodES256), any(i.key)
	switch i.forged {
	case "none":
		method, key = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType
	case "secret": // the client's, which it has itself
		method, key = jwt.SigningMethodHS256, []byte("pw")
	case "key":
		other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err.Error()
		}
		key = other
	}
	made := jwt.NewWithClaims(method, claims)
	made.Header["kid"] = i.kid
	text, err := made.SignedString(key)
	if err != nil {
		return err.Error()
	}
	return text
}

// forges has tokens signed with what is not the issuer's key; empty: with it.
func (i *issuer) forges(how string) {
	i.mu.Lock()
	i.forged = how
	i.mu.Unlock()
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

// desk is where people sign in: of the console, or of the portal.
type desk struct {
	*gateway
	i      *issuer
	root   string         // http://host, and the path of the portal
	home   string         // the page that who is signed in gets
	client string         // at the issuer
	good   map[string]any // claims of somebody who may sign in
}

// page asks for a page below the root.
func (d *desk) page(b *gateway, method, path, body string, header ...string) answer {
	d.t.Helper()
	r, err := b.send(method, d.root+path, body, header...)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// in tells whether a browser is signed in.
func (d *desk) in(b *gateway) bool {
	d.t.Helper()
	return strings.Contains(d.page(b, "GET", d.home, "").body, "/sign-out")
}

// signedIn is a browser of somebody who may sign in.
func (d *desk) signedIn() *gateway {
	d.t.Helper()
	d.i.says(d.good)
	b := d.browse()
	if r := d.page(b, "GET", "/sign-in/oidc", ""); r.status != 200 || !d.in(b) {
		d.t.Fatalf("sign-in: %d %s", r.status, r.body)
	}
	return b
}

// TestConsoleOIDC: code and PKCE, groups to roles, a
// state and a nonce once, back-channel logout.
func TestConsoleOIDC(t *testing.T) {
	i := startIssuer(t)
	g := newGateway(t, "")
	g.configure(strings.Replace(head, "admin: {token:", `admin: {oidc: {issuer: "`+i.URL+`", client_id: console, client_secret: pw, roles: {admin: [ops], viewer: [dev], team-owner: [leads]}}, token:`, 1) + team)
	g.start()
	d := &desk{gateway: g, i: i, root: "http://" + g.admin, home: "/", client: "console", good: map[string]any{"groups": "ops"}}
	if r := d.page(g.browse(), "GET", "/sign-in", ""); !strings.Contains(r.body, "/sign-in/oidc") {
		t.Errorf("the page does not offer it: %s", r.body)
	}
	for name, c := range map[string]struct {
		claims map[string]any
		status int
		role   string
	}{
		"admin":            {map[string]any{"groups": []string{"x", "ops"}}, 200, "admin"},
		"viewer":           {map[string]any{"groups": "dev"}, 200, "viewer"},
		"team-owner":       {map[string]any{"groups": []string{"leads"}, "team": "t"}, 200, "team-owner"},
		"owner of no team": {map[string]any{"groups": []string{"leads"}}, 403, ""},
		"owner of two":     {map[string]any{"groups": []string{"leads"}, "team": []string{"t", "u"}}, 403, ""},
		"no group":         {map[string]any{"groups": []string{"x"}}, 403, ""},
		"none":             {nil, 403, ""},
	} {
		i.says(c.claims)
		b := g.browse()
		if r := d.page(b, "GET", "/sign-in/oidc", ""); r.status != c.status {
			t.Errorf("%s: %d %s; want %d", name, r.status, r.body, c.status)
		}
		body := d.page(b, "GET", "/", "").body
		if signed := strings.Contains(body, "/sign-out"); signed != (c.status == 200) || !strings.Contains(body, c.role) {
			t.Errorf("%s: signed in: %v, as %s", name, signed, body)
		}
	}
	d.badTokens()
	d.abuse()
	d.logout()
	d.dead()
}

// badTokens: an ID token that is not good opens nothing.
func (d *desk) badTokens() {
	d.t.Helper()
	refused := func(name string, claims map[string]any) {
		d.t.Helper()
		all := maps.Clone(d.good)
		maps.Copy(all, claims)
		d.i.says(all)
		b := d.browse()
		if r := d.page(b, "GET", "/sign-in/oidc", ""); r.status != 401 || !strings.Contains(r.body, "is not good") || d.in(b) {
			d.t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	past := time.Now().Add(-time.Hour).Unix()
	for name, claims := range map[string]map[string]any{
		"another nonce": {"nonce": "another"}, "no nonce": {"nonce": nil}, "another audience": {"aud": "another"}, "no audience": {"aud": nil},
		"for another client": {"aud": []string{d.client, "another"}, "azp": "another"}, "another issuer": {"iss": "https://evil"}, "no issuer": {"iss": nil},
		"expired": {"exp": past}, "without an end": {"exp": nil}, "not yet": {"nbf": time.Now().Add(time.Hour).Unix()},
	} {
		refused(name, claims)
	}
	for _, how := range []string{"none", "secret", "key"} {
		d.i.forges(how)
		refused("signed with "+how, nil)
	}
	d.i.forges("")
}

// abuse: what was begun in one browser ends there, once.
func (d *desk) abuse() {
	t := d.t
	t.Helper()
	d.i.says(d.good)
	host := strings.TrimPrefix(d.root, "http://")
	host, _, _ = strings.Cut(host, "/")
	begun := d.browse()
	begun.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == host {
			return http.ErrUseLastResponse // what the issuer sends back is kept
		}
		return nil
	}
	r := d.page(begun, "GET", "/sign-in/oidc", "")
	back, err := url.Parse(r.header.Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		t.Fatalf("%d %v %v", r.status, r.header, err)
	}
	end := func(b *gateway, query string) int { return d.page(b, "GET", "/sign-in/callback?"+query, "").status }
	if status := end(d.browse(), back.RawQuery); status != 401 {
		t.Errorf("in another browser: %d", status)
	}
	if status := end(begun, "code=x&state="+back.Query().Get("state")+"x"); status != 401 {
		t.Errorf("with another state: %d", status)
	}
	if status := end(begun, back.RawQuery); status != 200 {
		t.Errorf("where it was begun: %d", status)
	}
	if status := end(begun, back.RawQuery); status != 401 {
		t.Errorf("again: %d", status)
	}
	// A session's secret that somebody planted is not the one that is opened.
	old := cookiesOf(begun, d.root+d.home)
	d.page(begun, "GET", "/sign-in/callback", "")
	begun.client.CheckRedirect = nil
	if r := d.page(begun, "GET", "/sign-in/oidc", ""); r.status != 200 {
		t.Errorf("a second sign-in: %d", r.status)
	}
	if now := cookiesOf(begun, d.root+d.home); now == "" || now == old {
		t.Errorf("the session goes on as %s after a sign-in", now)
	}
	planted, err := d.send("GET", d.root+d.home, "", "Cookie", old)
	if err != nil || strings.Contains(planted.body, "/sign-out") {
		t.Errorf("the session before is still open: %v", err)
	}
}

// cookiesOf are those that a browser sends to an address.
func cookiesOf(b *gateway, address string) string {
	u, _ := url.Parse(address)
	var list []string
	for _, c := range b.client.Jar.Cookies(u) {
		list = append(list, c.String())
	}
	return strings.Join(list, "; ")
}

// logout: the issuer ends sessions, with a token that is good once.
func (d *desk) logout() {
	t := d.t
	t.Helper()
	token := func(id string, changes map[string]any) string {
		claims := jwt.MapClaims{"iss": d.i.URL, "aud": d.client, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "jti": id, "sub": "ann",
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
		maps.Copy(claims, changes)
		d.i.mu.Lock()
		defer d.i.mu.Unlock()
		return "logout_token=" + d.i.sign(claims)
	}
	post := func(body string) int {
		return d.page(d.browse(), "POST", "/sign-in/logout", body, "Content-Type", "application/x-www-form-urlencoded").status
	}
	b := d.signedIn()
	for name, body := range map[string]string{"nothing": "", "no token": "logout_token=x", "another audience": token("1", map[string]any{"aud": "x"}),
		"a nonce": token("2", map[string]any{"nonce": "n"}), "no event": token("3", map[string]any{"events": map[string]any{}})} {
		if status := post(body); status != 400 || !d.in(b) {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status := post(token("4", map[string]any{"sid": "another"})); status != 200 || !d.in(b) {
		t.Errorf("another session: %d", status)
	}
	good := token("5", map[string]any{"sid": "s1"})
	if status := post(good); status != 200 || d.in(b) {
		t.Errorf("its session: %d", status)
	}
	if status := post(good); status != 400 {
		t.Errorf("again: %d", status)
	}
	ended := d.audited("action=sign-out")
	if len(ended) == 0 || ended[0].Status != 200 || !strings.HasPrefix(ended[0].Resource, d.client) {
		t.Errorf("the end of the session has no record: %+v", ended)
	}
}

// dead: an issuer that does not answer is nobody's fault, and a page says so.
func (d *desk) dead() {
	t := d.t
	t.Helper()
	d.i.fail(true)
	defer d.i.fail(false)
	if r := d.page(d.browse(), "GET", "/sign-in/callback?code=a&state=b", ""); r.status != 401 {
		t.Errorf("what was not begun here: %d", r.status)
	}
	if code := d.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	d.start() // knows nothing of the issuer
	r := d.page(d.browse(), "GET", "/sign-in/oidc", "")
	if r.status != 503 || r.header.Get("Retry-After") == "" || !strings.Contains(r.body, "The identity provider does not answer") {
		t.Errorf("%d %v %s", r.status, r.header, r.body)
	}
}
