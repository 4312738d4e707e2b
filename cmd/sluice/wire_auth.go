package main

import (
	"fmt"
	"reflect"
	"strings"

	"sluice/cmd/sluice/config"
	"sluice/gateway/auth"
	"sluice/gateway/cel"
	"sluice/gateway/proxy"
)

// standingAuth is what ways to sign in keep over reloads: keys of issuers,
// tokens that were asked about, signatures that were used.
type standingAuth struct {
	methods map[string]standingMethod
	replays map[string]*auth.Replays
}

type standingMethod struct {
	made auth.Method
	from any // the part of the configuration
}

// signIn makes the methods of a configuration and what roles may do, for all
// routes.
type signIn struct {
	old, keep standingAuth
	roles     proxy.RoleTable
}

func newSignIn(c *config.Config, old standingAuth) (*signIn, error) {
	s := &signIn{old: old, keep: standingAuth{map[string]standingMethod{}, map[string]*auth.Replays{}}, roles: proxy.RoleTable{}}
	for role, texts := range c.Roles {
		s.roles[role] = []proxy.Grant{}
		for _, text := range texts {
			g, err := proxy.ParseGrant(text)
			if err != nil {
				return nil, fmt.Errorf("roles.%s: %w", role, err)
			}
			s.roles[role] = append(s.roles[role], g)
		}
	}
	for name, j := range c.Auth.JWT {
		made, err := auth.NewJWT(auth.JWTOptions{Name: name, Issuer: j.Issuer, Audience: j.Audience, Leeway: j.Leeway, Secret: j.Secret.Reveal(),
			PublicKey: j.PublicKey, KeySet: j.JWKS, Claims: auth.Claims(j.TokenClaims)})
		if err != nil {
			return nil, fmt.Errorf("auth.jwt.%s: %w", name, err)
		}
		s.stand("jwt:"+name, made, j)
	}
	for name, o := range c.Auth.OAuth2 {
		s.stand("oauth2:"+name, auth.NewOAuth2(auth.OAuth2Options{Name: name, Introspect: o.Introspect, ClientID: o.ClientID,
			Secret: o.ClientSecret.Reveal(), Audience: o.Audience, Cache: o.Cache, Claims: auth.Claims(o.TokenClaims)}), o)
	}
	for name, b := range c.Auth.Basic {
		users := map[string]auth.Account{}
		for user, u := range b.Users {
			users[user] = auth.Account{Secret: u.Hash.Reveal(), Team: u.Team, Roles: u.Roles}
		}
		s.stand("basic:"+name, auth.NewBasic(name, users), b)
	}
	for name, h := range c.Auth.HMAC {
		s.stand("hmac:"+name, s.signatures(name, h), h)
	}
	names := map[string]auth.Account{}
	for name, n := range c.CertNames() {
		names[name] = auth.Account{Team: n.Team, Roles: n.Roles}
	}
	s.stand("mtls", auth.NewCert(names), names)
	return s, nil
}

// stand keeps a method, the one that stood before if nothing of it has changed.
func (s *signIn) stand(name string, made auth.Method, from any) {
	if was, ok := s.old.methods[name]; ok && reflect.DeepEqual(was.from, from) {
		made = was.made
	}
	s.keep.methods[name] = standingMethod{made, from}
}

// signatures keep in mind what was used, whoever else may sign now.
func (s *signIn) signatures(name string, h config.HMAC) auth.Method {
	seen := s.old.replays[name]
	if seen == nil {
		seen = auth.NewReplays()
	}
	s.keep.replays[name] = seen
	clients := map[string]auth.Account{}
	for id, c := range h.Clients {
		clients[id] = auth.Account{Secret: c.Secret.Reveal(), Team: c.Team, Roles: c.Roles}
	}
	return auth.NewSignatures(name, clients, h.Skew, seen)
}

// of gives a route the step of its auth.
func (s *signIn) of(r *proxy.Route, c *config.RouteAuth) error {
	p := &proxy.Permission{Route: r.Name, Roles: c.Roles, Scopes: c.Scopes, Table: s.roles}
	if c.Allow != "" {
		var err error
		if p.Allow, err = cel.Compile(c.Allow, cel.Options{}); err != nil {
			return err
		}
	}
	o := proxy.AuthOptions{All: c.All}
	if r.Permission = p; len(s.roles) > 0 || len(c.Roles) > 0 || len(c.Scopes) > 0 || p.Allow != nil {
		o.Permission = p
	}
	for _, name := range c.Require {
		if name == "key" {
			o.Methods = append(o.Methods, nil)
			continue
		}
		m, ok := s.keep.methods[name]
		if !ok {
			return fmt.Errorf("auth.require: there is no %s", name)
		}
		o.Methods = append(o.Methods, m.made)
	}
	r.Steps = append(r.Steps, proxy.Authenticate(o))
	return nil
}

// list splits words at commas.
func list(text string) []string {
	var words []string
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}
