package proxy

import (
	"errors"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/gateway/auth"
	"sluice/providers/schema"
)

// AuthOptions say who may use a route.
type AuthOptions struct {
	// Methods are how a caller may tell who it is; nil in the list stands for a
	// Sluice key.
	Methods []auth.Method
	All     bool // of them are needed, instead of any
	// Permission is what a caller who is known may do; nil: everything.
	Permission *Permission
}

// RequireKey lets those pass who bring a Sluice key.
func RequireKey() Step { return Authenticate(AuthOptions{Methods: []auth.Method{nil}}) }

// Authenticate lets those pass who tell who they are, and may. A Sluice key is
// taken out of what a backend gets, and so is a password.
func Authenticate(o AuthOptions) Step {
	a := &authentication{AuthOptions: o}
	for _, m := range o.Methods {
		asks := `Bearer realm="sluice"`
		if m != nil {
			asks = m.Challenge()
		}
		if asks != "" && !strings.Contains(a.challenge, asks) {
			a.challenge += ", " + asks
		}
	}
	a.challenge = strings.TrimPrefix(a.challenge, ", ")
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			if err := a.find(x); err != nil {
				return err
			}
			if a.Permission != nil {
				if d := a.Permission.Decide(x); !d.Allowed {
					return d.refusal()
				}
			}
			return next(x)
		}
	}
}

type authentication struct {
	AuthOptions
	challenge string
}

// Challenged is a refusal that tells in WWW-Authenticate what would do.
type Challenged struct {
	Refusal   *schema.Error
	Challenge string
}

// Error is the refusal's.
func (c *Challenged) Error() string { return c.Refusal.Error() }

// Unwrap is the refusal.
func (c *Challenged) Unwrap() error { return c.Refusal }

// find fills in the caller, and counts its request in the limits that are its.
func (a *authentication) find(x *Exchange) error {
	var worst error
	found := false
	for _, m := range a.Methods {
		one, err := x.identify(m)
		if err != nil && isFinal(err) {
			return err
		}
		if err != nil && (worst == nil || weight(m, err) > weight(nil, worst)) {
			worst = err
		}
		found = found || one
		switch {
		case one && !a.All:
			return x.admit()
		case !one && a.All:
			return a.refuse(x, worst)
		}
	}
	if !found {
		return a.refuse(x, worst)
	}
	return x.admit()
}

// refuse is the answer to a caller of whom too little is known.
func (a *authentication) refuse(x *Exchange, why error) error {
	x.Caller = Caller{}
	if why == nil {
		why = auth.Refused("no credential was given, or not each that this route wants")
	}
	e := schema.AsError(why)
	if e.Status != fasthttp.StatusUnauthorized {
		return why
	}
	return &Challenged{e, a.challenge}
}

// identify asks one method; false: it finds nobody.
func (x *Exchange) identify(m auth.Method) (bool, error) {
	if m == nil {
		caller, err := x.Edge.Key()
		if err != nil {
			return false, err
		}
		x.join(caller)
		return true, nil
	}
	who, err := m.Identify(x.credentials())
	if err != nil || who == nil {
		return false, err
	}
	x.join(Caller{ID: who.ID, Team: who.Team, User: who.User, Roles: who.Roles, Scopes: who.Scopes, Claims: who.Claims})
	if _, password := m.(*auth.Basic); password {
		x.RC.Request.Header.Del("Authorization")
	}
	return true, nil
}

// join adds what another credential says of the caller. Whoever speaks first
// is believed.
func (x *Exchange) join(c Caller) {
	if x.Caller.ID == "" {
		x.Caller = c
		return
	}
	was := &x.Caller
	if was.Key == "" && c.Key != "" {
		was.ID, was.Key = c.ID, c.Key
	}
	if was.Team == "" {
		was.Team = c.Team
	}
	if was.User == "" {
		was.User = c.User
	}
	if was.Claims == nil {
		was.Claims = c.Claims
	}
	was.Roles = append(was.Roles[:len(was.Roles):len(was.Roles)], c.Roles...)
	was.Scopes = append(was.Scopes[:len(was.Scopes):len(was.Scopes)], c.Scopes...)
}

// admit counts the request for whoever came without a key; with one, it was
// counted when the key was found.
func (x *Exchange) admit() error {
	if x.Caller.Key != "" {
		return nil
	}
	return x.Edge.Admit(&x.Caller)
}

// credentials is the exchange as methods see it.
func (x *Exchange) credentials() *auth.Request {
	return &auth.Request{HTTP: &x.RC.Request, Target: originForm(x.RC.Request.Header.RequestURI()), Scheme: x.scheme(),
		TLS: x.RC.TLSConnectionState(), Now: x.Now, Body: x.WholeBody}
}

// scheme is that of the caller's own connection, as far as it is known.
func (x *Exchange) scheme() string {
	said := string(x.RC.Request.Header.Peek("X-Forwarded-Proto"))
	switch {
	case x.From.Trusted && (said == "http" || said == "https"):
		return said
	case x.From.TLS:
		return "https"
	}
	return "http"
}

// originForm is the path and query of a request's target.
func originForm(target []byte) string {
	text := string(target)
	if strings.HasPrefix(text, "/") {
		return text
	}
	_, rest, _ := strings.Cut(text, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}

// isFinal tells whether an error ends the search: it is about the caller that
// was found, or about its body, not about who it is.
func isFinal(err error) bool {
	switch schema.AsError(err).Status {
	case fasthttp.StatusUnauthorized, fasthttp.StatusForbidden, fasthttp.StatusServiceUnavailable:
		return false
	}
	return true
}

// weight orders errors by how much they tell: that nobody could be asked, that
// somebody is known who may not, that a credential is bad; last, that a
// credential for another method is none for this.
func weight(m auth.Method, err error) int {
	switch e := schema.AsError(err); {
	case e.Status == fasthttp.StatusServiceUnavailable:
		return 4
	case e.Status == fasthttp.StatusForbidden:
		return 3
	case m == nil, errors.Is(e.Cause, auth.ErrForeign):
		return 1
	}
	return 2
}
