package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// renewal is what the claims of a person are asked for anew with (OpenID Connect
// Core 1.0, section 12), as long as the session lasts.
type renewal struct {
	asking  sync.Mutex
	refresh string         // the token, for which the issuer may give another each time
	nonce   string         // of the sign-in
	client  *oauth2.Config // of the sign-in: it knows how the issuer has a client tell its secret
	due     time.Time      // when they are asked for
}

// renewAgain is how long an issuer that did not answer is left alone.
const renewAgain = 10 * time.Second

// take notes what a token brought; id is nil if it came without an ID token. The
// claims are due before the first of both ends: a tenth of its life, or a minute.
func (r *renewal) take(token *oauth2.Token, id *oidc.IDToken, now time.Time) {
	r.refresh = token.RefreshToken
	ends := now.Add(sessionLife)
	if id != nil && id.Expiry.Before(ends) {
		ends = id.Expiry
	}
	if !token.Expiry.IsZero() && token.Expiry.Before(ends) {
		ends = token.Expiry
	}
	r.due = ends.Add(-min(ends.Sub(now)/10, time.Minute))
}

// renewed is a session as its issuer sees it now; false: the issuer has ended
// it. One that does not answer ends nothing, and is asked again later.
func (f *face) renewed(secret string, o *OIDC, one session) (session, bool) {
	r := one.person.renewal
	if r == nil || !r.asking.TryLock() { // while one page asks, the others go on with what is known
		return one, true
	}
	defer r.asking.Unlock()
	now := f.Now()
	one, ok := f.sessions.find(secret, now) // another page may have asked just now
	if !ok || now.Before(r.due) {
		return one, ok
	}
	p, err := f.renew(o, one.person, now)
	switch {
	case err == nil:
		f.sessions.alter(secret, func(s *session) { s.become(o, p) })
		return f.sessions.find(secret, now)
	case errors.Is(err, errToken) || refusedBy(err):
		f.sessions.end(secret)
		who, _ := f.identify(o, one.person)
		f.Log.Info("a session has ended: the OpenID Connect issuer does not renew it", "error", err)
		if err := f.Trail.Note(context.Background(), f.record("sign-out", who, http.StatusOK)); err != nil {
			f.Log.Error("a sign-out has no record", "error", err)
		}
		return session{}, false
	}
	r.due = now.Add(renewAgain)
	f.Log.Warn("a session goes on without being renewed: the OpenID Connect issuer does not answer", "error", err)
	return one, true
}

// refusedBy tells whether an issuer has refused (RFC 6749, section 5.2) what was
// asked of it, rather than that it cannot answer now.
func refusedBy(err error) bool {
	var told *oauth2.RetrieveError
	if !errors.As(err, &told) || told.ErrorCode == "" || told.Response.StatusCode >= 500 || told.Response.StatusCode == http.StatusTooManyRequests {
		return false
	}
	return !slices.Contains([]string{"temporarily_unavailable", "slow_down", "server_error"}, told.ErrorCode)
}

// renew asks the issuer about a person again. What it says must be of the same
// one, and needs no nonce. Where it says nothing the claims stay what they were.
func (f *face) renew(o *OIDC, p *person, now time.Time) (*person, error) {
	provider, err := f.attempts.of(o.Issuer)
	if err != nil {
		return nil, err
	}
	ctx, r := oidc.ClientContext(context.Background(), issuerClient), p.renewal
	r.client.ClientID, r.client.ClientSecret, r.client.Endpoint = o.ClientID, o.ClientSecret, provider.Endpoint()
	token, err := r.client.TokenSource(ctx, &oauth2.Token{RefreshToken: r.refresh}).Token()
	if err != nil {
		return nil, err
	}
	r.refresh = token.RefreshToken // the one before may be worthless already
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		r.take(token, nil, now)
		return p, nil
	}
	id, claims, err := o.verify(ctx, provider, raw)
	if err != nil {
		return nil, err
	}
	if id.Subject != p.subject || id.Nonce != "" && id.Nonce != r.nonce {
		return nil, errors.Join(errToken, errors.New("it is of another sign-in"))
	}
	fresh, err := o.person(id, claims)
	if err != nil {
		return nil, err
	}
	r.take(token, id, now)
	if fresh.renewal = r; fresh.session == "" {
		fresh.session = p.session
	}
	return fresh, nil
}

// revoke makes the refresh token of who has signed out worthless, where the issuer
// has a place for that.
func (f *face) revoke(p *person) {
	p.renewal.asking.Lock() // a renewal under way may bring another one
	defer p.renewal.asking.Unlock()
	o := f.signOn()
	if o == nil || o.Issuer != p.issuer {
		return
	}
	provider, err := f.attempts.of(o.Issuer)
	if err == nil {
		err = o.revoke(provider, p.renewal.refresh)
	}
	if err != nil {
		f.Log.Warn("the refresh token of who has signed out is not revoked", "error", err)
	}
}

// revoke asks for it as RFC 7009, section 2.1, has it. RFC 8414, section 2, tells
// how a client says who it is: with basic authentication, unless the issuer names
// other ways only.
func (o *OIDC) revoke(provider *oidc.Provider, token string) error {
	var about struct {
		At   string   `json:"revocation_endpoint"`
		Ways []string `json:"revocation_endpoint_auth_methods_supported"`
	}
	if err := provider.Claims(&about); err != nil || about.At == "" {
		return err
	}
	form := url.Values{"token": {token}, "token_type_hint": {"refresh_token"}}
	basic := o.ClientSecret != "" && (len(about.Ways) == 0 || slices.Contains(about.Ways, "client_secret_basic"))
	if !basic {
		form.Set("client_id", o.ClientID)
		if o.ClientSecret != "" {
			form.Set("client_secret", o.ClientSecret)
		}
	}
	q, err := http.NewRequest(http.MethodPost, about.At, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic {
		q.SetBasicAuth(url.QueryEscape(o.ClientID), url.QueryEscape(o.ClientSecret))
	}
	answer, err := issuerClient.Do(q)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the issuer answers %d", answer.StatusCode)
	}
	return nil
}
