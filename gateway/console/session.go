package console

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/url"
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
	sealed  []byte   // the key that was given, for who has the session's secret; nil: none was
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

// who is signed in; false: nobody. A session is worth no more than its token,
// which may have left the configuration since or changed its role.
func (c *Console) who(r *http.Request) (admin.Identity, bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return admin.Identity{}, false
	}
	s, ok := c.sessions.find(cookie.Value, c.Now())
	if !ok {
		return admin.Identity{}, false
	}
	if s.person != nil {
		o := c.signOn()
		if o == nil || o.Issuer != s.person.issuer {
			return admin.Identity{}, false
		}
		return o.identity(s.person)
	}
	if s.token == [32]byte{} {
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
		c.render(w, http.StatusOK, "sign-in.html", page{Title: "Sign in", OIDC: c.signOn() != nil})
		return
	}
	if !c.sessions.use(secret, c.Now()) {
		c.failed(r, "link")
		c.render(w, http.StatusUnauthorized, "sign-in.html", page{Title: "Sign in",
			Error: "This link was used already or is too old. Sign in with the admin token."})
		return
	}
	c.welcome(w, r, session{}, linked)
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
		c.render(w, http.StatusUnauthorized, "sign-in.html", page{Title: "Sign in", Error: "This token is not known."})
		return
	}
	c.welcome(w, r, session{token: sha256.Sum256([]byte(secret))}, who)
}

// welcome opens a session. It answers with a page that goes on to the overview
// rather than with a redirect: browsers do not send a SameSite=Strict cookie
// along a redirect that began on another site, as a link in a chat does.
func (c *Console) welcome(w http.ResponseWriter, r *http.Request, one session, who admin.Identity) {
	if err := c.Trail.Note(r.Context(), c.entry(r, "sign-in", who, http.StatusOK)); err != nil {
		c.Log.Error("a sign-in was refused", "error", err)
		c.fail(w, http.StatusServiceUnavailable, "Nobody can sign in while the audit record of it cannot be written. The log tells why.")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: c.sessions.begin(one, c.Now()), Path: "/",
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil, MaxAge: int(sessionLife.Seconds())})
	c.render(w, http.StatusOK, "welcome.html", page{Title: "Signed in", Next: "/"})
}

// entry is the audit record of a sign-in, or of its end.
func (c *Console) entry(r *http.Request, action string, who admin.Identity, status int) audit.Record {
	return audit.Record{Actor: cmp.Or(who.Name, string(who.Role)), Role: string(who.Role), IP: c.ClientIP(r), Action: action, Resource: "console", Status: status}
}

// failed records a sign-in that failed, and with what.
func (c *Console) failed(r *http.Request, with string) {
	e := c.entry(r, "sign-in", admin.Identity{}, http.StatusUnauthorized)
	e.Resource += "/" + with
	c.Trail.Failed(r.Context(), e)
}

func (v *visit) signOut() error {
	if cookie, err := v.Cookie(cookieName); err == nil {
		v.c.sessions.end(cookie.Value)
		if err := v.c.Trail.Note(v.Context(), v.c.entry(v.Request, "sign-out", v.who, http.StatusOK)); err != nil {
			v.c.Log.Error("a sign-out has no record", "error", err)
		}
	}
	http.SetCookie(v.w, &http.Cookie{Name: cookieName, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	http.Redirect(v.w, v.Request, "/sign-in", http.StatusSeeOther)
	return nil
}
