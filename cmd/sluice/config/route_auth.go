package config

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/gateway/auth"
	"sluice/gateway/cel"
	"sluice/gateway/proxy"
)

// Auth is how callers without a Sluice key tell who they are, each way by a
// name of its own.
type Auth struct {
	JWT    map[string]JWT    `json:"jwt"`
	OAuth2 map[string]OAuth2 `json:"oauth2"`
	Basic  map[string]Basic  `json:"basic"`
	HMAC   map[string]HMAC   `json:"hmac"`
	MTLS   *MTLS             `json:"mtls"` // as at the top
}

// TokenClaims are the names of claims; an empty one has its usual name.
type TokenClaims struct {
	Team  string `json:"team_claim"`
	Roles string `json:"roles_claim"`
	Scope string `json:"scope_claim"`
}

// JWT is who signs tokens: one of JWKS, Secret and PublicKey, or Issuer alone,
// who then says where its keys are.
type JWT struct {
	Issuer    string        `json:"issuer"` // empty: any
	JWKS      string        `json:"jwks"`   // URL
	Secret    Secret        `json:"secret"`
	PublicKey string        `json:"public_key"` // PEM
	Audience  Words         `json:"audience"`   // one, or a list of which one will do; none: any
	Leeway    time.Duration `json:"leeway"`
	TokenClaims
}

// OAuth2 is who is asked about tokens.
type OAuth2 struct {
	Introspect   string        `json:"introspect"` // URL
	ClientID     string        `json:"client_id"`
	ClientSecret Secret        `json:"client_secret"`
	Audience     Words         `json:"audience"`
	Cache        time.Duration `json:"cache"` // how long an answer is believed
	TokenClaims
}

// Basic is a list of users.
type Basic struct {
	Users map[string]BasicUser `json:"users"`
}

// BasicUser is one of them; its hash may stand for it.
type BasicUser struct {
	Hash Secret `json:"hash"` // bcrypt
	CertName
}

// HMAC is those who sign their requests.
type HMAC struct {
	Clients map[string]HMACClient `json:"clients"`
	Skew    time.Duration         `json:"skew"` // between their clocks and ours
}

// HMACClient is one of them; its secret may stand for it.
type HMACClient struct {
	Secret Secret `json:"secret"`
	CertName
}

// MTLS is who client certificates are of; no names: whoever has one.
type MTLS struct {
	Names map[string]CertName `json:"names"` // by CN=shop, the whole subject, or a DNS name, URI or address of mail
}

// CertName is what is known of someone who is declared by name.
type CertName struct {
	Team  string   `json:"team"`
	Roles []string `json:"roles"`
}

// Words are a list, for which one may stand.
type Words []string

// RouteAuth is who may use a route.
type RouteAuth struct {
	Require []string `json:"require"` // key, mtls, jwt:NAME, oauth2:NAME, basic:NAME or hmac:NAME
	All     bool     `json:"all"`     // of those required, instead of any
	Roles   []string `json:"roles"`   // one of which is needed; none: none is
	Scopes  []string `json:"scopes"`  // all of which are
	Allow   string   `json:"allow"`   // CEL that must be true; empty: it is
	// Subscribed: the caller's team must have subscribed to the route, and been
	// approved.
	Subscribed bool `json:"subscribed"`
}

// certificates are who certificates are of, wherever that is said; nil: it is
// not.
func (c *Config) certificates() *MTLS {
	if c.MTLS != nil {
		return c.MTLS
	}
	return c.Auth.MTLS
}

// CertNames are the names under mtls.
func (c *Config) CertNames() map[string]CertName {
	if m := c.certificates(); m != nil {
		return m.Names
	}
	return nil
}

// auth checks how callers tell who they are, and what their roles may do.
func (k *checker) auth() {
	a := &k.config.Auth
	at := func(kind, name string) []string { return []string{"auth", kind, name} }
	for _, name := range sortedKeys(a.JWT) {
		if k.name(at("jwt", name), name) {
			k.jwt(at("jwt", name), a.JWT[name])
		}
	}
	for _, name := range sortedKeys(a.OAuth2) {
		path := at("oauth2", name)
		k.name(path, name)
		k.service(below(path, "introspect"), a.OAuth2[name].Introspect, true)
	}
	for _, name := range sortedKeys(a.Basic) {
		path := at("basic", name)
		k.name(path, name)
		for _, user := range sortedKeys(a.Basic[name].Users) {
			if err := auth.CheckPassword(a.Basic[name].Users[user].Hash.Reveal()); err != nil {
				k.fault(below(below(path, "users"), user), "want the bcrypt of a password, such as $2a$10$…")
			}
		}
	}
	for _, name := range sortedKeys(a.HMAC) {
		path := at("hmac", name)
		k.name(path, name)
		if a.HMAC[name].Skew < time.Second {
			k.fault(below(path, "skew"), "want at least 1s")
		}
		for _, client := range sortedKeys(a.HMAC[name].Clients) {
			if a.HMAC[name].Clients[client].Secret == "" {
				k.fault(below(below(path, "clients"), client), "want a secret")
			}
		}
	}
	if k.config.MTLS != nil && a.MTLS != nil {
		k.fault([]string{"auth", "mtls"}, "mtls stands at the top already")
	}
	k.roles()
}

func (k *checker) roles() {
	for _, role := range sortedKeys(k.config.Roles) {
		for i, grant := range k.config.Roles[role] {
			path := []string{"roles", role, strconv.Itoa(i)}
			if _, err := proxy.ParseGrant(grant); err != nil {
				k.fault(path, "%v", err)
			}
		}
	}
}

func (k *checker) jwt(path []string, j JWT) {
	given := 0
	for _, is := range []bool{j.JWKS != "", j.Secret != "", j.PublicKey != ""} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		k.fault(path, "want one of jwks, secret, public_key")
	case given == 0 && j.Issuer == "":
		k.fault(path, "want one of jwks, secret, public_key, or an issuer that says where its keys are")
	case given == 0:
		k.service(below(path, "issuer"), j.Issuer, true)
	}
	k.service(below(path, "jwks"), j.JWKS, false)
	if _, err := auth.NewJWT(auth.JWTOptions{PublicKey: j.PublicKey}); err != nil {
		k.fault(below(path, "public_key"), "%v", err)
	}
}

// service checks the address of an identity service.
func (k *checker) service(path []string, address string, needed bool) {
	u, err := url.Parse(address)
	switch {
	case address == "" && needed:
		k.fault(path, "is needed")
	case address != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == ""):
		k.fault(path, "want an address such as https://id.example.com/path%s", k.said(path, address))
	}
}

// routeAuth checks who may use a route.
func (k *checker) routeAuth(path []string, a *RouteAuth) {
	if len(a.Require) == 0 {
		k.fault(below(path, "require"), "is needed: who may use the route")
	}
	for i, method := range a.Require {
		at := below(below(path, "require"), strconv.Itoa(i))
		switch known := k.methods(); {
		case method == "mtls" && (k.config.Server.TLS == nil || k.config.Server.TLS.ClientCA == ""):
			k.fault(at, "certificates are asked for by server.tls.client_ca, which is not set")
		case !slices.Contains(known, method):
			k.fault(at, "want one of %s%s", strings.Join(known, ", "), k.said(at, method))
		}
	}
	if a.Allow != "" {
		if _, err := cel.Compile(a.Allow, cel.Options{}); err != nil {
			k.fault(below(path, "allow"), "%v", err)
		}
	}
}

// methods are all that a route may require.
func (k *checker) methods() []string {
	a, known := &k.config.Auth, []string{"key", "mtls"}
	add := func(kind string, names []string) {
		for _, name := range names {
			known = append(known, kind+":"+name)
		}
	}
	add("jwt", sortedKeys(a.JWT))
	add("oauth2", sortedKeys(a.OAuth2))
	add("basic", sortedKeys(a.Basic))
	add("hmac", sortedKeys(a.HMAC))
	return known
}
