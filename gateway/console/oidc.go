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
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"sluice/gateway/admin"
)

// OIDC is whom people sign in with (OpenID Connect Core 1.0, code flow with
// PKCE).
type OIDC struct {
	Issuer, ClientID, ClientSecret string
	URL                            string   // of the face, as browsers reach it; empty: as they have asked for it
	GroupsClaim                    string   // with the groups of a person
	TeamClaim                      string   // with the team of a person, or several
	Scopes                         []string // asked for beside the usual ones, such as offline_access
	UserClaim                      string   // whose usage a person's calls are; empty: nobody's
	Roles                          map[admin.Role][]string
	Teams                          map[string][]string // the groups of each
}

// identity is what the groups of a person come to in the console: the most that
// one of them may.
func identity(o *OIDC, p *person) (who admin.Identity, refusal string) {
	who.Name = p.called()
	for _, role := range []admin.Role{admin.RoleAdmin, admin.RoleOperator, admin.RoleViewer, admin.RoleTeamOwner} {
		if !slices.ContainsFunc(o.Roles[role], func(group string) bool { return slices.Contains(p.groups, group) }) {
			continue
		}
		who.Role = role
		if role != admin.RoleTeamOwner {
			return who, ""
		}
		if len(p.teams) == 1 {
			who.Team = p.teams[0]
			return who, ""
		}
	}
	return admin.Identity{Name: who.Name}, "None of your groups has a role here."
}

// person is someone whom an issuer knows.
type person struct {
	issuer, subject, session string
	groups, teams            []string
	user                     string   // whose usage its calls are
	name                     string   // as the issuer calls it; empty: it does not
	renewal                  *renewal // nil: the issuer tells of them at the sign-in alone
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
	mostStates  = 10_000
	issuerTime  = 10 * time.Second
)

var issuerClient = &http.Client{Timeout: issuerTime}

// attempt is a sign-in that has begun.
type attempt struct {
	nonce, verifier, redirect string
	next                      string // the page that it was for
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
func (f *face) signOn() *OIDC {
	if f.OIDC == nil {
		return nil
	}
	return f.OIDC()
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
	for _, scope := range o.Scopes {
		if !slices.Contains(made.Scopes, scope) {
			made.Scopes = append(made.Scopes, scope)
		}
	}
	return made
}

// callback is where the issuer sends browsers back to.
func (f *face) callback(o *OIDC, r *http.Request) string {
	at := o.URL
	if at == "" {
		at = "http://" + r.Host
		if r.TLS != nil {
			at = "https://" + r.Host
		}
	}
	return strings.TrimRight(at, "/") + f.base + "/sign-in/callback"
}

// beginOIDC sends a browser to the issuer.
func (f *face) beginOIDC(w http.ResponseWriter, r *http.Request) {
	o := f.signOn()
	if o == nil {
		f.fail(w, http.StatusNotFound, "Nobody signs in with OpenID Connect here.")
		return
	}
	provider, err := f.attempts.of(o.Issuer)
	if err != nil {
		f.unanswered(w, err)
		return
	}
	one := attempt{nonce: rand.Text(), verifier: oauth2.GenerateVerifier(), redirect: f.callback(o, r), next: f.onward(r.URL.Query().Get("next")), until: f.Now().Add(stateLife)}
	state := f.attempts.begin(one, f.Now())
	// It comes back along a link from another site, which Strict would not let it.
	http.SetCookie(w, &http.Cookie{Name: stateCookie, Value: state, Path: f.base + "/sign-in", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(one.redirect, "https:"), MaxAge: int(stateLife.Seconds())})
	http.Redirect(w, r, o.client(provider, one.redirect).AuthCodeURL(state, oidc.Nonce(one.nonce), oauth2.S256ChallengeOption(one.verifier)), http.StatusSeeOther)
}

// unanswered tells that the issuer does not answer: nobody's credentials are bad.
func (f *face) unanswered(w http.ResponseWriter, err error) {
	f.Log.Warn("the OpenID Connect issuer does not answer", "error", err)
	w.Header().Set("Retry-After", "5")
	f.fail(w, http.StatusServiceUnavailable, "The identity provider does not answer. Try again in a moment, or sign in with a "+f.secret+".")
}

// endOIDC takes what a browser brings back from the issuer.
func (f *face) endOIDC(w http.ResponseWriter, r *http.Request) {
	o, q := f.signOn(), r.URL.Query()
	cookie, err := r.Cookie(stateCookie)
	if o == nil || err != nil || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(q.Get("state"))) != 1 {
		f.refuse(w, r, http.StatusUnauthorized, "This sign-in was not begun in this browser.", err)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: stateCookie, Path: f.base + "/sign-in", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1})
	one, ok := f.attempts.end(q.Get("state"), f.Now())
	if !ok || q.Get("code") == "" {
		f.refuse(w, r, http.StatusUnauthorized, "This sign-in was used already, is too old, or was refused by the identity provider.", errors.New(q.Get("error")))
		return
	}
	provider, err := f.attempts.of(o.Issuer)
	if err != nil {
		f.unanswered(w, err)
		return
	}
	p, err := o.exchange(r.Context(), provider, &one, q.Get("code"), f.Now())
	var told *oauth2.RetrieveError
	switch {
	case errors.Is(err, errToken) || errors.As(err, &told) && told.Response.StatusCode < 500:
		f.refuse(w, r, http.StatusUnauthorized, "The identity provider's answer is not good.", err)
		return
	case err != nil:
		f.unanswered(w, err)
		return
	}
	who, refusal := f.identify(o, p)
	if refusal != "" {
		f.refuse(w, r, http.StatusForbidden, refusal, nil)
		return
	}
	f.welcome(w, r, arrival{session: session{person: p}, who: who, next: one.next})
}

func (f *face) refuse(w http.ResponseWriter, r *http.Request, status int, message string, err error) {
	f.failed(r, "oidc")
	f.Log.Warn("a sign-in with OpenID Connect was refused", "why", message, "error", err)
	f.askToSignIn(w, status, message, f.onward(""))
}

var errToken = errors.New("the ID token is not good")

// exchange turns a code into who it is of.
func (o *OIDC) exchange(ctx context.Context, provider *oidc.Provider, one *attempt, code string, now time.Time) (*person, error) {
	ctx = oidc.ClientContext(ctx, issuerClient)
	client := o.client(provider, one.redirect)
	token, err := client.Exchange(ctx, code, oauth2.VerifierOption(one.verifier))
	if err != nil {
		return nil, err
	}
	raw, _ := token.Extra("id_token").(string)
	id, claims, err := o.verify(ctx, provider, raw)
	if err != nil {
		return nil, err
	}
	if id.Nonce != one.nonce {
		return nil, errors.Join(errToken, errors.New("its nonce is another's"))
	}
	p, err := o.person(id, claims)
	if err == nil && token.RefreshToken != "" {
		p.renewal = &renewal{nonce: one.nonce, client: client}
		p.renewal.take(token, id, now)
	}
	return p, err
}

// verify reads an ID token; errToken: it is not good.
func (o *OIDC) verify(ctx context.Context, provider *oidc.Provider, raw string) (*oidc.IDToken, map[string]any, error) {
	id, err := provider.Verifier(&oidc.Config{ClientID: o.ClientID}).Verify(ctx, raw)
	switch {
	case err != nil && strings.Contains(err.Error(), "fetching keys"): // it has no type
		return nil, nil, err
	case err != nil:
		return nil, nil, errors.Join(errToken, err)
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return nil, nil, errors.Join(errToken, err)
	}
	if azp, has := claims["azp"]; has && azp != o.ClientID {
		return nil, nil, errors.Join(errToken, errors.New("it is for another client"))
	}
	return id, claims, nil
}

// person is whom the claims of an ID token are of.
func (o *OIDC) person(id *oidc.IDToken, claims map[string]any) (*person, error) {
	p := &person{issuer: id.Issuer, subject: id.Subject, groups: texts(claims[o.GroupsClaim]), teams: texts(claims[o.TeamClaim])}
	p.session, _ = claims["sid"].(string)
	if p.user, _ = claims[o.UserClaim].(string); len(p.user) > mostUser || strings.ContainsFunc(p.user, unicode.IsControl) {
		return nil, errors.Join(errToken, errors.New("its user is no name"))
	}
	if verified := claims["email_verified"]; o.UserClaim == "email" && verified != true && verified != "true" {
		p.user = "" // anybody may say that an address is theirs
	}
	for _, claim := range []string{"email", "preferred_username"} { // the last that is there, for people to read
		if name, _ := claims[claim].(string); name != "" {
			p.name = name
		}
	}
	return p, nil
}

// mostUser bounds the name of a user, as the admin API does.
const mostUser = 200

// texts is a text, or a list of them.
func texts(claim any) (list []string) {
	switch claim := claim.(type) {
	case string:
		if claim != "" {
			list = []string{claim}
		}
	case []any:
		for _, one := range claim {
			if text, ok := one.(string); ok && text != "" {
				list = append(list, text)
			}
		}
	}
	return list
}

// logOut ends the sessions that the issuer says are over (OpenID Connect
// Back-Channel Logout 1.0).
func (f *face) logOut(w http.ResponseWriter, r *http.Request) {
	o := f.signOn()
	if o == nil {
		f.fail(w, http.StatusNotFound, "Nobody signs in with OpenID Connect here.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	provider, err := f.attempts.of(o.Issuer)
	if err != nil {
		f.unanswered(w, err)
		return
	}
	token, err := provider.Verifier(&oidc.Config{ClientID: o.ClientID}).VerifyLogout(oidc.ClientContext(r.Context(), issuerClient), r.PostFormValue("logout_token"))
	if err != nil || !f.attempts.fresh(token.TokenID, token.Expiry, f.Now()) {
		f.Log.Warn("a logout token was refused", "error", err)
		f.fail(w, http.StatusBadRequest, "The logout token is not good, or was used before.")
		return
	}
	for _, p := range f.sessions.endOf(token.Issuer, token.Subject, token.SessionID) {
		who, _ := f.identify(o, p)
		f.signedOut(r, who)
	}
	w.WriteHeader(http.StatusOK)
}

// endOf ends the sessions of a person, or one of these, and tells whose they
// were.
func (s *sessions) endOf(issuer, subject, sid string) (ended []*person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for hash, one := range s.open {
		p := one.person
		if p != nil && p.issuer == issuer && (sid != "" && p.session == sid || sid == "" && p.subject == subject) {
			delete(s.open, hash)
			ended = append(ended, p)
		}
	}
	return ended
}
