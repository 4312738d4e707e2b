package auth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// EntraScope is what a token for Azure OpenAI and Foundry is asked for (so
// Microsoft answers at learn.microsoft.com/answers/questions/2075104).
const EntraScope = "https://cognitiveservices.azure.com/.default"

// EntraOptions name an application in Microsoft Entra ID; its client secret is
// the secret of each call.
type EntraOptions struct {
	Tenant   string // id or domain
	ClientID string
	Scope    string           // empty: EntraScope
	Login    string           // empty: https://login.microsoftonline.com; others are the national clouds'
	HTTP     *http.Client     // nil: one with Go's defaults
	Now      func() time.Time // nil: time.Now
}

// Entra gets tokens by the client credentials flow (learn.microsoft.com/entra/
// identity-platform/v2-oauth2-client-creds-grant-flow). Checked on 2026-11-24:
// the flow, and the form of the scope (…/scenario-daemon-acquire-token). The
// parameters of the request are those of RFC 6749, section 4.4.
// An error names what is missing in o.
func Entra(o EntraOptions) (Sign, error) {
	if o.Tenant == "" || o.ClientID == "" {
		return nil, fmt.Errorf("cannot get tokens from Entra: tenant and client_id must both be set")
	}
	if strings.ContainsAny(o.Tenant, "/?#") {
		return nil, fmt.Errorf("cannot get tokens from Entra: tenant %q is neither an id nor a domain", o.Tenant)
	}
	if o.Scope == "" {
		o.Scope = EntraScope
	}
	if o.Login == "" {
		o.Login = "https://login.microsoftonline.com"
	}
	c := newClient(o.HTTP, o.Now)
	address := strings.TrimRight(o.Login, "/") + "/" + url.PathEscape(o.Tenant) + "/oauth2/v2.0/token"
	return newTokens(o.Now, func(ctx context.Context, secret string) (token, error) {
		if secret == "" {
			return token{}, refused("the provider has no client secret")
		}
		return c.form(ctx, "Microsoft Entra ID", address, url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {o.ClientID},
			"client_secret": {secret},
			"scope":         {o.Scope},
		})
	}).sign, nil
}
