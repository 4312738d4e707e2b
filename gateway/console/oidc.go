package console

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"sluice/gateway/admin"
)

// OIDC is whom people sign in with (OpenID Connect Core 1.0, code flow with
// PKCE).
type OIDC struct {
	Issuer, ClientID, ClientSecret string
	URL                            string // of the console, as browsers reach it; empty: as they have asked for it
	RolesClaim                     string // with the groups of a person
	TeamClaim                      string // with the team of a team-owner
	Roles                          map[admin.Role][]string
}

// identity is what the groups of a person come to: the most that one of them
// may. False: nothing.
func (o *OIDC) identity(p *person) (admin.Identity, bool) {
	for _, role := range []admin.Role{admin.RoleAdmin, admin.RoleOperator, admin.RoleViewer, admin.RoleTeamOwner} {
		for _, group := range o.Roles[role] {
			if !slices.Contains(p.groups, group) {
				continue
			}
			id := admin.Identity{Role: role, Name: p.called()}
			if role == admin.RoleTeamOwner {
				id.Team = p.team
			}
			return id, role != admin.RoleTeamOwner || p.team != ""
		}
	}
	return admin.Identity{}, false
}

// person is someone whom an issuer knows.
type person struct {
	issuer, subject, session string
	groups                   []string
	team                     string
	name                     string // as the issuer calls it; empty: it does not
}

// called is a person's name for the audit trail. What the issuer calls it may
// change, or be somebody else's next year: the subject may not.
func (p *person) called() string {
	if p.name == "" {
		return "oidc:" + p.subject
	}
	return "oidc:" + p.subject + " (" + p.name + ")"
}

const (
	stateCookie = "sluice_oidc"
	stateLife   = 10 * time.Minute
	mostStates  = 1000
	issuerTime  = 10 * time.Second
)

var issuerClient = &http.Client{Timeout: issuerTime}

// attempt is a sign-in that has begun.
type attempt struct {
	nonce, verifier, redirect string
	until                     time.Time
}

// attempts are those that have begun and not ended, by their states, and what
// is known of the issuer.
type attempts struct {
	mu        sync.Mutex
	open      map[string]attempt
	loggedOut map[string]time.Time // ids of logout tokens that were used
	provider  *oidc.Provider
	issuer    string
}

// begin notes an attempt and gives its state.
func (a *attempts) begin(one attempt, now time.Time) string {
	state := rand.Text()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		a.open = map[string]attempt{}
	}
	for s, old := range a.open {
		if !now.Before(old.until) || len(a.open) >= mostStates {
			delete(a.open, s)
		}
	}
	a.open[state] = one
	return state
}

// end takes an attempt, once.
func (a *attempts) end(state string, now time.Time) (attempt, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one, ok := a.open[state]
	delete(a.open, state)
	return one, ok && now.Before(one.until)
}

// fresh tells whether a logout token is used for the first time.
func (a *attempts) fresh(id string, until, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.loggedOut == nil {
		a.loggedOut = map[string]time.Time{}
	}
	for old, end := range a.loggedOut {
		if now.After(end) {
			delete(a.loggedOut, old)
		}
	}
	_, used := a.loggedOut[id]
	if id == "" || used || len(a.loggedOut) >= mostSessions {
		return false
	}
	a.loggedOut[id] = until
	return true
}

// of is what an issuer says of itself, asked for once.
func (a *attempts) of(issuer string) (*oidc.Provider, error) {
	a.mu.Lock()
	known := a.provider
	if a.issuer != issuer {
		known = nil
	}
	a.mu.Unlock()
	if known != nil {
		return known, nil
	}
	// Its keys are fetched with this context too, as long as the provider lives.
	made, err := oidc.NewProvider(oidc.ClientContext(context.Background(), issuerClient), issuer)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.provider, a.issuer = made, issuer
	return made, nil
}

// signOn is the OIDC in force; nil: there is none.
func (c *Console) signOn() *OIDC {
	if c.OIDC == nil {
		return nil
	}
	return c.OIDC()
}

func (o *OIDC) client(p *oidc.Provider, redirect string) *oauth2.Config {
	made := &oauth2.Config{ClientID: o.ClientID, ClientSecret: o.ClientSecret, Endpoint: p.Endpoint(), RedirectURL: redirect,
		Scopes: []string{oidc.ScopeOpenID, "profile"}}
	var about struct {
		Scopes []string `json:"scopes_supported"`
	}
	if err := p.Claims(&about); err == nil && slices.Contains(about.Scopes, "groups") { // those that do not know it refuse it
		made.Scopes = append(made.Scopes, "groups")
	}
	return made
}

func (o *OIDC) callback(r *http.Request) string {
	base := o.URL
	if base == "" {
		base = "http://" + r.Host
		if r.TLS != nil {
			base = "https://" + r.Host
		}
	}
	return strings.TrimRight(base, "/") + "/sign-in/callback"
}

// beginOIDC sends a browser to the issuer.
func (c *Console) beginOIDC(w http.ResponseWriter, r *http.Request) {
	o := c.signOn()
	if o == nil {
		c.fail(w, http.StatusNotFound, "Nobody signs in with OpenID Connect here.")
		return
	}
	provider, err := c.attempts.of(o.Issuer)
	if err != nil {
		c.unanswered(w, err)
		return
	}
	one := attempt{nonce: rand.Text(), verifier: oauth2.GenerateVerifier(), redirect: o.callback(r), until: c.Now().Add(stateLife)}
	state := c.attempts.begin(one, c.Now())
	// It comes back along a link from another site, which Strict would not let it.
	http.SetCookie(w, &http.Cookie{Name: stateCookie, Value: state, Path: "/sign-in", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(one.redirect, "https:"), MaxAge: int(stateLife.Seconds())})
	http.Redirect(w, r, o.client(provider, one.redirect).AuthCodeURL(state, oidc.Nonce(one.nonce), oauth2.S256ChallengeOption(one.verifier)), http.StatusSeeOther)
}

// unanswered tells that the issuer does not answer: nobody's credentials are bad.
func (c *Console) unanswered(w http.ResponseWriter, err error) {
	c.Log.Warn("the OpenID Connect issuer does not answer", "error", err)
	w.Header().Set("Retry-After", "5")
	c.fail(w, http.StatusServiceUnavailable, "The identity provider does not answer. Try again in a moment, or sign in with a token.")
}

// endOIDC takes what a browser brings back from the issuer.
func (c *Console) endOIDC(w http.ResponseWriter, r *http.Request) {
	o, q := c.signOn(), r.URL.Query()
	cookie, err := r.Cookie(stateCookie)
	if o == nil || err != nil || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(q.Get("state"))) != 1 {
		c.refuse(w, r, "This sign-in was not begun in this browser.", err)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: stateCookie, Path: "/sign-in", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1})
	one, ok := c.attempts.end(q.Get("state"), c.Now())
	if !ok || q.Get("code") == "" {
		c.refuse(w, r, "This sign-in was used already, is too old, or was refused by the identity provider.", errors.New(q.Get("error")))
		return
	}
	provider, err := c.attempts.of(o.Issuer)
	if err != nil {
		c.unanswered(w, err)
		return
	}
	p, err := o.exchange(r.Context(), provider, &one, q.Get("code"))
	var told *oauth2.RetrieveError
	switch {
	case errors.Is(err, errToken) || errors.As(err, &told) && told.Response.StatusCode < 500:
		c.refuse(w, r, "The identity provider's answer is not good.", err)
		return
	case err != nil:
		c.unanswered(w, err)
		return
	}
	who, may := o.identity(p)
	if !may {
		c.failed(r, "oidc")
		c.render(w, http.StatusForbidden, "sign-in.html", page{Title: "Sign in", OIDC: true, Error: "None of your groups has a role here."})
		return
	}
	c.welcome(w, r, session{person: p}, who)
}

func (c *Console) refuse(w http.ResponseWriter, r *http.Request, message string, err error) {
	c.failed(r, "oidc")
	c.Log.Warn("a sign-in with OpenID Connect was refused", "why", message, "error", err)
	c.render(w, http.StatusUnauthorized, "sign-in.html", page{Title: "Sign in", OIDC: true, Error: message})
}

var errToken = errors.New("the ID token is not good")

// exchange turns a code into who it is of.
func (o *OIDC) exchange(ctx context.Context, provider *oidc.Provider, one *attempt, code string) (*person, error) {
	ctx = oidc.ClientContext(ctx, issuerClient)
	token, err := o.client(provider, one.redirect).Exchange(ctx, code, oauth2.VerifierOption(one.verifier))
	if err != nil {
		return nil, err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: o.ClientID}).Verify(ctx, raw)
	switch {
	case err != nil && strings.Contains(err.Error(), "fetching keys"): // it has no type
		return nil, err
	case err != nil:
		return nil, errors.Join(errToken, err)
	}
	if id.Nonce != one.nonce {
		return nil, errors.Join(errToken, errors.New("its nonce is another's"))
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return nil, errors.Join(errToken, err)
	}
	p := &person{issuer: id.Issuer, subject: id.Subject}
	p.session, _ = claims["sid"].(string)
	p.team, _ = claims[o.TeamClaim].(string)
	for _, claim := range []string{"email", "preferred_username"} { // the last that is there, for people to read
		if name, _ := claims[claim].(string); name != "" {
			p.name = name
		}
	}
	switch groups := claims[o.RolesClaim].(type) {
	case string:
		p.groups = []string{groups}
	case []any:
		for _, g := range groups {
			if text, ok := g.(string); ok {
				p.groups = append(p.groups, text)
			}
		}
	}
	return p, nil
}

// logOut ends the sessions that the issuer says are over (OpenID Connect
// Back-Channel Logout 1.0).
func (c *Console) logOut(w http.ResponseWriter, r *http.Request) {
	o := c.signOn()
	if o == nil {
		c.fail(w, http.StatusNotFound, "Nobody signs in with OpenID Connect here.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	provider, err := c.attempts.of(o.Issuer)
	if err != nil {
		c.unanswered(w, err)
		return
	}
	token, err := provider.Verifier(&oidc.Config{ClientID: o.ClientID}).VerifyLogout(oidc.ClientContext(r.Context(), issuerClient), r.PostFormValue("logout_token"))
	if err != nil || !c.attempts.fresh(token.TokenID, token.Expiry, c.Now()) {
		c.Log.Warn("a logout token was refused", "error", err)
		c.fail(w, http.StatusBadRequest, "The logout token is not good, or was used before.")
		return
	}
	c.sessions.endOf(token.Issuer, token.Subject, token.SessionID)
	w.WriteHeader(http.StatusOK)
}

// endOf ends the sessions of a person, or one of these.
func (s *sessions) endOf(issuer, subject, sid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for hash, one := range s.open {
		p := one.person
		if p != nil && p.issuer == issuer && (sid != "" && p.session == sid || sid == "" && p.subject == subject) {
			delete(s.open, hash)
		}
	}
}
