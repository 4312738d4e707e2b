package console

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"sluice/gateway/admin"
	"sluice/gateway/audit"
)

const (
	cookieName   = "sluice_session"
	sessionLife  = 12 * time.Hour
	linkLife     = time.Hour
	mostSessions = 1000
)

// session is someone who signed in.
type session struct {
	token   [32]byte // hash of the admin token that was given; zero: a one-time link, or
	person  *person  // who signed in with OpenID Connect
	team    string   // that a person has chosen in the portal; empty: the first
	sealed  []byte   // the key that was given, for who has the session's secret; nil: none was
	keyTeam string   // that it is of
	expires time.Time
}

// sessions keeps who is signed in, and the links that are not used yet. Both
// are known by the hashes of their secrets only.
type sessions struct {
	mu    sync.Mutex
	open  map[[32]byte]session
	links map[[32]byte]time.Time // until when
}

// begin opens a session and gives its secret.
func (s *sessions) begin(one session, now time.Time) string {
	secret := rand.Text() + rand.Text() // 256 bits
	one.expires = now.Add(sessionLife)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[[32]byte]session{}
	}
	for len(s.open) >= mostSessions {
		s.drop(now)
	}
	s.open[sha256.Sum256([]byte(secret))] = one
	return secret
}

// drop ends all sessions that are over, or else the one that ends next.
func (s *sessions) drop(now time.Time) {
	var first [32]byte
	before := len(s.open)
	for hash, one := range s.open {
		if !now.Before(one.expires) {
			delete(s.open, hash)
		} else if next, ok := s.open[first]; !ok || one.expires.Before(next.expires) {
			first = hash
		}
	}
	if len(s.open) == before {
		delete(s.open, first)
	}
}

func (s *sessions) find(secret string, now time.Time) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.open[sha256.Sum256([]byte(secret))]
	return one, ok && now.Before(one.expires)
}

func (s *sessions) end(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(secret)))
}

// link makes a secret that opens one session.
func (s *sessions) link(now time.Time) string {
	secret := rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links == nil {
		s.links = map[[32]byte]time.Time{}
	}
	for hash, until := range s.links {
		if !now.Before(until) {
			delete(s.links, hash)
		}
	}
	s.links[sha256.Sum256([]byte(secret))] = now.Add(linkLife)
	return secret
}

// use tells whether a link's secret is good, and makes it worthless.
func (s *sessions) use(secret string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	hash := sha256.Sum256([]byte(secret))
	until, ok := s.links[hash]
	delete(s.links, hash)
	return ok && now.Before(until)
}

// OneTimeLink is the path and query of a link that signs an admin in, once and
// within the hour.
func (c *Console) OneTimeLink() string {
	return "/sign-in?token=" + url.QueryEscape(c.sessions.link(c.Now()))
}

// linked is who came by a one-time link.
var linked = admin.Identity{Role: admin.RoleAdmin, Name: "one-time link"}

// current is the session of a request, and its secret. That of a person ends
// when people no longer sign in with whom they did.
func (f *face) current(r *http.Request) (one session, secret string, ok bool) {
	cookie, err := r.Cookie(f.cookie)
	if err != nil {
		return session{}, "", false
	}
	one, ok = f.session(cookie.Value)
	return one, cookie.Value, ok
}

// session is that of a secret, unless its person's issuer is no longer believed.
func (f *face) session(secret string) (one session, ok bool) {
	if one, ok = f.sessions.find(secret, f.Now()); ok && one.person != nil {
		o := f.signOn()
		if o == nil || o.Issuer != one.person.issuer {
			return one, false
		}
		return f.renewed(secret, o, one)
	}
	return one, ok
}

// who is signed in; false: nobody. A session is worth no more than its token,
// which may have left the configuration since or changed its role.
func (c *Console) who(r *http.Request) (admin.Identity, bool) {
	s, _, ok := c.current(r)
	switch {
	case !ok:
		return admin.Identity{}, false
	case s.person != nil:
		who, refusal := identity(c.signOn(), s.person)
		return who, refusal == ""
	case s.token == [32]byte{}:
		return linked, true
	}
	for _, t := range c.Tokens() {
		if t.Hash == s.token {
			return admin.Identity{Role: t.Role, Team: t.Team, Name: t.Name}, true
		}
	}
	return admin.Identity{}, false
}

// signInPage takes a one-time link, or shows the form.
func (c *Console) signInPage(w http.ResponseWriter, r *http.Request) {
	secret := r.URL.Query().Get("token")
	if r.Method == http.MethodHead || secret == "" {
		if _, ok := c.who(r); ok {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		c.askToSignIn(w, http.StatusOK, "", "")
		return
	}
	if !c.sessions.use(secret, c.Now()) {
		c.failed(r, "link")
		c.askToSignIn(w, http.StatusUnauthorized, "This link was used already or is too old. Sign in with the admin token.", "")
		return
	}
	c.welcome(w, r, arrival{who: linked, next: "/"})
}

// signIn takes the form.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		c.fail(w, http.StatusBadRequest, "The form could not be read.")
		return
	}
	secret := r.PostForm.Get("token") // never from the URL, which is logged
	who, ok := admin.Authenticate(c.Tokens(), secret)
	if !ok {
		c.failed(r, "token")
		c.askToSignIn(w, http.StatusUnauthorized, "This token is not known.", "")
		return
	}
	c.welcome(w, r, arrival{session: session{token: sha256.Sum256([]byte(secret))}, who: who, next: "/"})
}

// askToSignIn shows the form, and what was wrong if something was.
func (f *face) askToSignIn(w http.ResponseWriter, status int, wrong, next string) {
	f.render(w, status, "sign-in.html", page{Title: "Sign in", OIDC: f.signOn() != nil, Error: wrong, Data: next})
}

// onward is the page to go on to after a sign-in that was for another one: of
// this face, whatever is asked for.
func (f *face) onward(next string) string {
	if f.base == "" {
		return "/"
	}
	return local(next)
}

// arrival is somebody who signs in.
type arrival struct {
	session
	who  admin.Identity
	key  string // that was given, for the session to keep
	next string // the page to go on to
}

// welcome opens a session in place of the one that the browser has. It answers
// with a page that goes on rather than with a redirect: browsers do not send a
// SameSite=Strict cookie along a redirect that began on another site, as a link
// in a chat does.
func (f *face) welcome(w http.ResponseWriter, r *http.Request, a arrival) {
	if err := f.Trail.Note(r.Context(), f.entry(r, "sign-in", a.who, http.StatusOK)); err != nil {
		f.Log.Error("a sign-in was refused", "error", err)
		f.fail(w, http.StatusServiceUnavailable, "Nobody can sign in while the audit record of it cannot be written. The log tells why.")
		return
	}
	if cookie, err := r.Cookie(f.cookie); err == nil {
		f.sessions.end(cookie.Value)
	}
	secret := f.sessions.begin(a.session, f.Now())
	if a.key != "" {
		f.sessions.rekey(secret, a.key, a.who.Team)
	}
	f.setCookie(w, secret, int(sessionLife.Seconds()), r.TLS != nil || f.byTLS(a.session))
	f.render(w, http.StatusOK, "welcome.html", page{Title: "Signed in", Next: a.next})
}

// byTLS tells whether a session was begun at an address that is https, wherever
// TLS ends: the issuer sent the browser there.
func (f *face) byTLS(s session) bool {
	o := f.signOn()
	return s.person != nil && o != nil && strings.HasPrefix(o.URL, "https://")
}

// setCookie has the browser keep the secret of a session; maxAge -1: forget it.
func (f *face) setCookie(w http.ResponseWriter, secret string, maxAge int, secure bool) {
	for _, path := range f.paths {
		http.SetCookie(w, &http.Cookie{Name: f.cookie, Value: secret, Path: path, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: secure, MaxAge: maxAge})
	}
}

// entry is the audit record of a sign-in, or of its end, that somebody asked for.
func (f *face) entry(r *http.Request, action string, who admin.Identity, status int) audit.Record {
	e := f.record(action, who, status)
	e.IP = f.ClientIP(r)
	return e
}

// record is that of one which nobody asked for.
func (f *face) record(action string, who admin.Identity, status int) audit.Record {
	e := audit.Record{Actor: cmp.Or(who.Name, string(who.Role)), Role: string(who.Role), Action: action,
		Resource: cmp.Or(strings.TrimPrefix(f.base, "/"), "console"), Status: status}
	if who.IsPerson() {
		e.After = audit.State(map[string]string{"team": who.Team, "user": who.Key.User})
	}
	return e
}

// failed records a sign-in that failed, and with what.
func (f *face) failed(r *http.Request, with string) {
	e := f.entry(r, "sign-in", admin.Identity{}, http.StatusUnauthorized)
	e.Resource += "/" + with
	f.Trail.Failed(r.Context(), e)
}

// signedOut records the end of a session.
func (f *face) signedOut(r *http.Request, who admin.Identity) {
	if err := f.Trail.Note(r.Context(), f.entry(r, "sign-out", who, http.StatusOK)); err != nil {
		f.Log.Error("a sign-out has no record", "error", err)
	}
}

// signOut ends the session of who asks for it.
func (f *face) signOut(w http.ResponseWriter, r *http.Request, who admin.Identity) {
	if one, secret, ok := f.current(r); ok {
		f.sessions.end(secret)
		f.signedOut(r, who)
		if one.person != nil && one.person.renewal != nil {
			go f.revoke(one.person)
		}
	}
	f.setCookie(w, "", -1, false)
	http.Redirect(w, r, f.base+"/sign-in", http.StatusSeeOther)
}

func (v *visit) signOut() error {
	v.c.signOut(v.w, v.Request, v.who)
	return nil
}
