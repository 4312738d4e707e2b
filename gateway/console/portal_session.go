package console

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sluice/billing"
)

// portalPaths are where browsers send the session's cookie: to the portal, and
// to no prompt and no backend.
var portalPaths = []string{"/portal", "/docs"}

// who is signed in; nil: nobody. A session is worth no more than its key, which
// may have been revoked since or may not be used from here.
func (p *Portal) who(r *http.Request) *Member {
	cookie, err := r.Cookie(p.Cookie)
	if err != nil {
		return nil
	}
	s, ok := p.sessions.find(cookie.Value, p.Now())
	if !ok {
		return nil
	}
	return p.Member(s.token, r.RemoteAddr)
}

// Key is the key of a session, for a call that one of its pages makes: word is
// the one that its forms carry. Empty: there is no such session.
func (p *Portal) Key(session, word string) string {
	s, ok := p.sessions.find(session, p.Now())
	if !ok || !sameWord(word, csrfWord(session)) {
		return ""
	}
	return unseal(session, s.sealed)
}

func sameWord(a, b string) bool {
	return b != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

func (p *Portal) signInPage(w http.ResponseWriter, r *http.Request) {
	next := local(r.URL.Query().Get("next"))
	if p.who(r) != nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	p.render(w, http.StatusOK, "portal-sign-in.html", page{Title: "Sign in", Data: next})
}

// signIn takes the form.
func (p *Portal) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		p.fail(w, http.StatusBadRequest, "The form could not be read.")
		return
	}
	key, next := strings.TrimSpace(r.PostForm.Get("key")), local(r.PostForm.Get("next")) // never from the URL, which is logged
	if key == "" || p.Member(billing.HashKey(key), r.RemoteAddr) == nil {
		p.refuse(w, r.RemoteAddr, next)
		return
	}
	if cookie, err := r.Cookie(p.Cookie); err == nil {
		p.sessions.end(cookie.Value)
	}
	secret := p.sessions.beginWith(key, p.Now())
	for _, path := range portalPaths {
		http.SetCookie(w, &http.Cookie{Name: p.Cookie, Value: secret, Path: path, HttpOnly: true, SameSite: http.SameSiteStrictMode,
			Secure: r.TLS != nil, MaxAge: int(sessionLife.Seconds())})
	}
	// As in the console, a page goes on: a redirect that began on another site
	// would be without the cookie.
	p.render(w, http.StatusOK, "portal-welcome.html", page{Title: "Signed in", Next: next})
}

// refuse answers a wrong key.
func (p *Portal) refuse(w http.ResponseWriter, ip, next string) {
	status, message := http.StatusUnauthorized, "This key is unknown, expired or revoked, or may not be used from here."
	if wait := p.Wrong(ip); wait > 0 {
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", fmt.Sprint(int64((wait+time.Second-1)/time.Second)))
		message = "Too many wrong keys came from your address. Wait " + ago(wait) + ", then try again."
	}
	p.render(w, status, "portal-sign-in.html", page{Title: "Sign in", Error: message, Data: next})
}

func (v *portalVisit) signOut() error {
	if cookie, err := v.Cookie(v.p.Cookie); err == nil {
		v.p.sessions.end(cookie.Value)
	}
	for _, path := range portalPaths {
		http.SetCookie(v.w, &http.Cookie{Name: v.p.Cookie, Path: path, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	}
	http.Redirect(v.w, v.Request, "/portal/sign-in", http.StatusSeeOther)
	return nil
}

// beginWith opens a session of who gave a key, and gives its secret. The key is
// kept so that this secret alone opens it: pages fill it in, and their calls
// are made with it.
func (s *sessions) beginWith(key string, now time.Time) string {
	secret := s.begin(session{token: billing.HashKey(key)}, now)
	hash := sha256.Sum256([]byte(secret))
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.open[hash]
	one.sealed = seal(secret, key)
	s.open[hash] = one
	return secret
}

// sealer follows from the secret of a session, which nothing else is told.
func sealer(secret string) cipher.AEAD {
	key := sha256.Sum256([]byte("key " + secret))
	block, err := aes.NewCipher(key[:])
	if err == nil {
		var aead cipher.AEAD
		if aead, err = cipher.NewGCM(block); err == nil {
			return aead
		}
	}
	panic(err) // a key of 32 bytes always fits
}

func seal(secret, text string) []byte {
	aead := sealer(secret)
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, []byte(text), nil)
}

func unseal(secret string, sealed []byte) string {
	aead := sealer(secret)
	if len(sealed) < aead.NonceSize() {
		return ""
	}
	text, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
	if err != nil {
		return ""
	}
	return string(text)
}

// rekey puts another key into a session that is open.
func (s *sessions) rekey(secret, key string) {
	hash := sha256.Sum256([]byte(secret))
	s.mu.Lock()
	defer s.mu.Unlock()
	if one, ok := s.open[hash]; ok {
		one.token, one.sealed = billing.HashKey(key), seal(secret, key)
		s.open[hash] = one
	}
}
