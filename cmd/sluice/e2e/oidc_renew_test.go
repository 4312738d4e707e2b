package e2e

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// grants are the refresh tokens that an issuer has given. Each is good once: who
// brings one twice has lost all.
type grants struct {
	brief   bool              // access tokens live for a second: who has one asks anew soon
	given   map[string]string // clients; empty: it was used
	status  int               // that refreshes are refused with; 0: they are not
	code    string
	denied  int // so many were
	renewed int
	revoked int
	reused  int
}

// token makes a refresh token. The issuer's lock is held.
func (g *grants) token(client string) string {
	if g.given == nil {
		g.given = map[string]string{}
	}
	token := rand.Text()
	g.given[token] = client
	return token
}

// renew answers who brings a refresh token. The lock is held.
func (i *issuer) renew(w http.ResponseWriter, r *http.Request) {
	token := r.FormValue("refresh_token")
	client, known := i.grants.given[token]
	id, secret, _ := r.BasicAuth()
	if known && client == "" {
		i.grants.reused++
	}
	switch {
	case client == "" || client != id || secret != "pw":
		oauthError(w, 400, "invalid_grant")
		return
	case i.grants.status != 0:
		i.grants.denied++
		oauthError(w, i.grants.status, i.grants.code)
		return
	}
	i.grants.given[token] = ""
	i.grants.renewed++
	i.grant(w, client, "", true)
}

// revoke makes a refresh token worthless. The lock is held.
func (i *issuer) revoke(w http.ResponseWriter, r *http.Request) {
	token := r.PostFormValue("token")
	id, secret, _ := r.BasicAuth()
	if r.PostFormValue("token_type_hint") != "refresh_token" || secret != "pw" || id == "" || i.grants.given[token] != id {
		oauthError(w, 400, "invalid_request")
		return
	}
	delete(i.grants.given, token)
	i.grants.revoked++
}

// brief has access tokens live for a second. ID tokens live on: a machine that is
// slow must not find them too old.
func (i *issuer) brief() {
	i.mu.Lock()
	i.grants.brief = true
	i.mu.Unlock()
}

// denies sets what refreshes are refused with from now on; 0: they are not.
func (i *issuer) denies(status int, code string) {
	i.mu.Lock()
	i.grants.status, i.grants.code, i.grants.denied = status, code, 0
	i.mu.Unlock()
}

func (i *issuer) denied() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.grants.denied
}

// renewals is how many there were, and how many came with a token that was used.
func (i *issuer) renewals() (renewed, reused int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.grants.renewed, i.grants.reused
}

// shows waits until a page of a browser's session says something.
func (d *desk) shows(b *gateway, what string) {
	d.t.Helper()
	var body string
	if !eventually(30*time.Second, func() bool { body = d.page(b, "GET", d.home, "").body; return strings.Contains(body, what) }) {
		d.t.Fatalf("the page does not come to say %q: %s", what, body)
	}
}

// TestConsoleOIDCRenewed: while a session lasts its groups are those of the newest
// ID token; a refresh that is refused ends it, an issuer that is dead does not.
func TestConsoleOIDCRenewed(t *testing.T) {
	t.Parallel() // it waits most of its time
	i := startIssuer(t)
	g := newGateway(t, "")
	const roles = "roles: {admin: [ops], viewer: [dev]}"
	config := strings.Replace(head, "admin: {token:", `admin: {oidc: {issuer: "`+i.URL+`", client_id: console, client_secret: pw, `+roles+`, scopes: [offline_access]}, token:`, 1) + team
	g.configure(config)
	g.start()
	d := &desk{gateway: g, i: i, root: "http://" + g.admin, home: "/", client: "console", good: map[string]any{"groups": "ops"}}
	i.brief()
	b := d.signedIn()
	d.shows(b, "admin")
	i.says(map[string]any{"groups": "dev"})
	d.shows(b, "viewer")
	i.says(map[string]any{"groups": "nobody"})
	if !eventually(30*time.Second, func() bool { return !d.in(b) }) {
		t.Error("signed in without a group that has a role")
	}
	i.says(map[string]any{"groups": "ops"}) // the session is there still: a group is given back
	d.shows(b, "/sign-out")
	d.atOnce(b)
	d.deadIssuer(b)
	i.says(map[string]any{"groups": "ops", "sub": "eve"})
	d.ends(b, "an ID token of somebody else")
	b = d.signedIn()
	i.says(map[string]any{"groups": "ops", "sub": "eve", "nonce": "another"})
	d.ends(b, "an ID token with the nonce of another sign-in")
	b = d.signedIn()
	d.refusals(b)
	d.revokes(d.signedIn())
	// Without a refresh token a session lasts as long as it lasts.
	g.configure(strings.Replace(config, ", scopes: [offline_access]", "", 1))
	if a := g.api("POST", "reload", ""); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	b = d.signedIn()
	before, _ := i.renewals()
	over := time.Now().Add(1500 * time.Millisecond)
	if !eventually(30*time.Second, func() bool { return time.Now().After(over) && d.in(b) }) {
		t.Error("the session has ended with its access token")
	}
	if after, _ := i.renewals(); after != before {
		t.Error("what was not given was renewed")
	}
	g.configure(strings.Replace(config, "offline_access", `"two words"`, 1))
	if a := g.api("POST", "reload", ""); a.status < 400 || !strings.Contains(a.body, "admin.oidc.scopes[0]") {
		t.Errorf("a scope that is none: %d %s", a.status, a.body)
	}
}

// refusals: an issuer that refuses ends a session, one that cannot answer now does
// not.
func (d *desk) refusals(b *gateway) {
	d.t.Helper()
	for code, status := range map[string]int{"slow_down": 400, "invalid_request": 429, "server_error": 500} {
		d.i.denies(status, code)
		if !eventually(30*time.Second, func() bool { return !d.in(b) || d.i.denied() > 0 }) || !d.in(b) {
			d.t.Errorf("%d %s: the session has ended, or was not renewed", status, code)
		}
		d.i.denies(0, "")
		b = d.signedIn()
	}
	for code, status := range map[string]int{"invalid_grant": 400, "access_denied": 403, "interaction_required": 400, "invalid_client": 401} {
		d.i.denies(status, code)
		d.ends(b, code)
		d.i.denies(0, "")
		if d.in(b) {
			d.t.Errorf("%s: a session that was ended is there again", code)
		}
		b = d.signedIn()
	}
}

// revokes: who signs out leaves no refresh token behind.
func (d *desk) revokes(b *gateway) {
	d.t.Helper()
	if r := d.submit(b, "/sign-out", nil); r.status != 200 || d.in(b) {
		d.t.Errorf("sign-out: %d %s", r.status, r.body)
	}
	if !eventually(30*time.Second, func() bool {
		d.i.mu.Lock()
		defer d.i.mu.Unlock()
		return d.i.grants.revoked == 1
	}) {
		d.t.Errorf("the refresh token is not revoked:\n%s", tail(d.stderr.String(), 1000))
	}
}

// atOnce asks for many pages at once, for several lives of a token: each refresh
// token is brought once.
func (d *desk) atOnce(b *gateway) {
	d.t.Helper()
	before, _ := d.i.renewals()
	ended := eventually(30*time.Second, func() bool {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if r, err := b.send("GET", d.root+d.home, ""); err != nil || !strings.Contains(r.body, "/sign-out") {
					d.t.Errorf("a page of many: %d %v", r.status, err)
				}
			})
		}
		all.Wait()
		now, _ := d.i.renewals()
		return now >= before+3
	})
	if _, reused := d.i.renewals(); !ended || reused != 0 {
		d.t.Errorf("renewed thrice: %v, %d tokens were brought again", ended, reused)
	}
}

// deadIssuer: who is signed in stays so while the issuer does not answer, and is
// renewed when it does.
func (d *desk) deadIssuer(b *gateway) {
	d.t.Helper()
	d.i.fail(true)
	const told = "a session goes on without being renewed"
	if !eventually(30*time.Second, func() bool {
		if !d.in(b) {
			d.t.Fatal("a dead issuer has ended the session")
		}
		return strings.Contains(d.stderr.String(), told)
	}) {
		d.t.Error("the log does not tell that the issuer is dead")
	}
	before, _ := d.i.renewals()
	d.i.fail(false)
	if !eventually(30*time.Second, func() bool { now, _ := d.i.renewals(); return d.in(b) && now > before }) {
		d.t.Error("the session is not renewed when the issuer is back")
	}
}

// ends waits for the end of a session, which has a record.
func (d *desk) ends(b *gateway, why string) {
	d.t.Helper()
	before := len(d.audited("action=sign-out"))
	if !eventually(30*time.Second, func() bool { return !d.in(b) }) {
		d.t.Fatalf("%s does not end the session", why)
	}
	if ended := d.audited("action=sign-out"); len(ended) != before+1 || ended[0].Status != 200 {
		d.t.Errorf("%s: the end of the session has no record: %+v", why, ended)
	}
}

// TestPortalOIDCRenewed: likewise in the portal, for the teams of a person.
func TestPortalOIDCRenewed(t *testing.T) {
	t.Parallel() // it waits most of its time
	i := startIssuer(t)
	g := newGateway(t, "")
	config := strings.Replace(portalOIDC(i), "client_id: portal,", "client_id: portal, scopes: [offline_access],", 1)
	g.configure(config)
	g.start()
	d := &desk{gateway: g, i: i, root: "http://" + g.listen + "/portal", home: "/keys", client: "portal",
		good: map[string]any{"email": "ann@example.com", "email_verified": true, "groups": []string{"researchers"}}}
	i.brief()
	b := d.signedIn()
	d.shows(b, `ann@example.com of </span>lab</span>`)
	d.makesKey(b, "mine")
	i.says(map[string]any{"email": "ann@example.com", "email_verified": true, "groups": []string{"everybody"}})
	d.shows(b, `ann@example.com of </span>t</span>`)
	d.tries(b, 403, "with the key of a team that was left")
	d.makesKey(b, "other")
	for _, c := range []struct {
		config, why string
		status      int
	}{{strings.Replace(config, "t: [everybody]", "t: [nobody]", 1), "with the key of a team that has lost its group", 403}, {config, "when the group is back", 200}} {
		if g.configure(c.config); g.api("POST", "reload", "").status != 200 {
			t.Fatal("no reload")
		}
		d.tries(b, c.status, c.why)
	}
	d.atOnce(b)
	d.deadIssuer(b)
	i.denies(403, "access_denied")
	d.ends(b, "a refresh that is refused")
	d.noUsers("ann@")
}

// makesKey: a person makes a key, and a page may call with it.
func (d *desk) makesKey(b *gateway, name string) {
	d.t.Helper()
	if r := d.submit(b, "/keys", url.Values{"name": {name}}); r.status != 201 {
		d.t.Fatalf("%d %s", r.status, r.body)
	}
	d.tries(b, 200, "with a key that was just made")
}

// tries makes a call from a page.
func (d *desk) tries(b *gateway, status int, why string) {
	d.t.Helper()
	_, session, _ := strings.Cut(cookiesOf(b, d.root+d.home), "=")
	if r := d.page(b, "GET", "/try/v1/models", "", "X-Sluice-Portal", csrfOf(session)); r.status != status {
		d.t.Errorf("trying it %s: %d %s", why, r.status, r.body)
	}
}

// noUsers looks for names of people in the audit trail and the log.
func (d *desk) noUsers(names ...string) {
	d.t.Helper()
	trail := d.api("GET", "audit?limit=1000", "").body
	for _, name := range names {
		if strings.Contains(trail, name) || strings.Contains(d.stderr.String(), name) {
			d.t.Errorf("the trail or the log names %s", name)
		}
	}
}
