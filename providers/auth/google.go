package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// GoogleScope is what tokens for Vertex AI are asked for.
const GoogleScope = "https://www.googleapis.com/auth/cloud-platform"

// GoogleOptions say where tokens come from. The zero value is right for
// Google's own services.
type GoogleOptions struct {
	Scope string // empty: GoogleScope
	// TokenURL replaces the token endpoint of service accounts and users.
	TokenURL string
	// Metadata is the base URL of the machine's metadata server, which gives
	// tokens where a call has no secret; empty: http://metadata.google.internal.
	Metadata string
	HTTP     *http.Client     // nil: one with Go's defaults
	Now      func() time.Time // nil: time.Now
}

// googleFile is a credentials file, as the console and gcloud write it.
type googleFile struct {
	Type string `json:"type"`

	// service_account
	ClientEmail  string `json:"client_email"`
	PrivateKey   string `json:"private_key"`
	PrivateKeyID string `json:"private_key_id"`
	TokenURI     string `json:"token_uri"`

	// authorized_user
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	RefreshToken string `json:"refresh_token"`

	external
}

// CheckGoogle tells whether a secret is a Google credentials file that Google
// can use: a JSON text of type service_account, authorized_user or
// external_account. An empty one is good: it stands for the metadata server.
// The error does not quote the secret.
func CheckGoogle(secret string) error {
	if secret == "" {
		return nil
	}
	_, err := readGoogle(secret)
	return err
}

func readGoogle(secret string) (*googleFile, error) {
	var f googleFile
	if json.Unmarshal([]byte(secret), &f) != nil {
		return nil, fmt.Errorf("cannot read Google credentials: they are not the JSON text of a credentials file")
	}
	missing := func(fields ...string) error {
		for i := 0; i < len(fields); i += 2 {
			if fields[i+1] == "" {
				return fmt.Errorf("cannot read Google credentials: %s is missing", fields[i])
			}
		}
		return nil
	}
	switch f.Type {
	case "service_account":
		if err := missing("client_email", f.ClientEmail, "private_key", f.PrivateKey); err != nil {
			return nil, err
		}
		if _, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(f.PrivateKey)); err != nil {
			return nil, fmt.Errorf("cannot read Google credentials: private_key is not an RSA key in PEM form")
		}
		return &f, nil
	case "authorized_user":
		return &f, missing("client_id", f.ClientID, "client_secret", f.ClientSecret, "refresh_token", f.RefreshToken)
	case "external_account":
		return &f, f.external.check()
	}
	return nil, fmt.Errorf("cannot read Google credentials: type %q is not one of service_account, authorized_user, external_account", f.Type)
}

// Google gets access tokens for Google Cloud. A call's secret is the text of a
// credentials file (see CheckGoogle); calls without one get the token of the
// machine's own service account.
func Google(o GoogleOptions) Sign {
	if o.Scope == "" {
		o.Scope = GoogleScope
	}
	if o.Metadata == "" {
		o.Metadata = "http://metadata.google.internal"
	}
	g := google{o, newClient(o.HTTP, o.Now)}
	return newTokens(o.Now, g.fetch).sign
}

type google struct {
	opt GoogleOptions
	client
}

func (g google) fetch(ctx context.Context, secret string) (token, error) {
	if secret == "" {
		return g.metadata(ctx)
	}
	f, err := readGoogle(secret)
	if err != nil {
		return token{}, refused("%s", err)
	}
	address := f.TokenURI
	if address == "" {
		address = "https://oauth2.googleapis.com/token"
	}
	if g.opt.TokenURL != "" {
		address = g.opt.TokenURL
	}
	switch f.Type {
	case "service_account":
		return g.serviceAccount(ctx, f, address)
	case "authorized_user":
		return g.form(ctx, "Google", address, url.Values{
			"grant_type":    {"refresh_token"},
			"client_id":     {f.ClientID},
			"client_secret": {f.ClientSecret},
			"refresh_token": {f.RefreshToken},
		})
	}
	return g.externalAccount(ctx, &f.external)
}

// serviceAccount exchanges a JWT signed with the account's key
// (developers.google.com/identity/protocols/oauth2/service-account; its claims
// and the hour that it may last were checked on 2026-11-24 as others quote
// that page).
func (g google) serviceAccount(ctx context.Context, f *googleFile, address string) (token, error) {
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(f.PrivateKey))
	if err != nil {
		return token{}, refused("the private key of the provider's service account cannot be read")
	}
	audience := f.TokenURI
	if audience == "" {
		audience = address
	}
	now := g.now()
	claim := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss":   f.ClientEmail,
		"scope": g.opt.Scope,
		"aud":   audience,
		"iat":   now.Add(-10 * time.Second).Unix(), // clocks differ
		"exp":   now.Add(50 * time.Minute).Unix(),
	})
	if f.PrivateKeyID != "" {
		claim.Header["kid"] = f.PrivateKeyID
	}
	signed, err := claim.SignedString(key)
	if err != nil {
		return token{}, refused("the private key of the provider's service account cannot sign")
	}
	return g.form(ctx, "Google", address, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"assertion":  {signed},
	})
}

// metadata asks the machine's metadata server, which Compute Engine, Cloud Run
// and GKE have (cloud.google.com/compute/docs/access/authenticate-workloads).
func (g google) metadata(ctx context.Context) (token, error) {
	address := g.opt.Metadata + "/computeMetadata/v1/instance/service-accounts/default/token?scopes=" + url.QueryEscape(g.opt.Scope)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return token{}, refused("the address of the metadata server is not a URL")
	}
	req.Header.Set("Metadata-Flavor", "Google")
	return g.token("Google's metadata server", req)
}
