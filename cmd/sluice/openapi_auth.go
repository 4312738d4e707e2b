package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// security carries over who may use an operation. What has no like here asks
// for a key instead: a route is never more open than the document says.
func (a *importedAPI) security(op *openapi3.Operation, r *importedRoute) {
	wanted := a.doc.Security
	if op.Security != nil {
		wanted = *op.Security
	}
	if len(wanted) == 0 || slices.ContainsFunc(wanted, func(s openapi3.SecurityRequirement) bool { return len(s) == 0 }) {
		return
	}
	if len(wanted) > 1 && slices.ContainsFunc(wanted, func(s openapi3.SecurityRequirement) bool { return len(s) > 1 }) {
		r.notes = append(r.notes, fmt.Sprintf("%d more ways to sign in: one of several alternatives asks for two things at once", len(wanted)-1))
		wanted = wanted[:1]
	}
	var require, scopes []string
	for _, alternative := range wanted {
		for _, name := range sortedKeys(alternative) {
			method := a.scheme(name, r)
			if !slices.Contains(require, method) {
				require = append(require, method)
			}
			for _, scope := range alternative[name] {
				if !slices.Contains(scopes, scope) {
					scopes = append(scopes, scope)
				}
			}
		}
	}
	kind, _, _ := strings.Cut(require[0], ":")
	r.auth = "require: " + flow(require)
	if len(wanted) == 1 && len(require) > 1 {
		r.auth += ", all: true"
	}
	switch {
	case len(scopes) == 0:
	case len(wanted) == 1 && (kind == "jwt" || kind == "oauth2" || len(require) > 1):
		r.auth += ", scopes: " + flow(scopes)
	default:
		r.notes = append(r.notes, "the scopes "+strings.Join(scopes, ", ")+": not all of its ways to sign in know scopes")
	}
}

// scheme is how a security scheme is called under auth.require.
func (a *importedAPI) scheme(name string, r *importedRoute) string {
	ref := a.doc.Components.SecuritySchemes[name]
	s := ref.Value
	slug := strings.Trim(notInName.ReplaceAllString(name, "-"), "-")
	env := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(slug))
	declare := func(kind, says string) string {
		a.schemes[kind+":"+slug] = says
		return kind + ":" + slug
	}
	http := strings.ToLower(s.Scheme)
	switch {
	case s.Type == "openIdConnect":
		if issuer, ok := strings.CutSuffix(s.OpenIdConnectUrl, "/.well-known/openid-configuration"); ok {
			return declare("jwt", "{issuer: "+quoted(issuer)+"}")
		}
		return declare("jwt", fmt.Sprintf(`{issuer: "${%s_ISSUER:-https://issuer.invalid}"}   # say who issues its tokens, here or in the environment`, env))
	case s.Type == "oauth2":
		return declare("oauth2", fmt.Sprintf(`{introspect: "${%s_INTROSPECT:-https://issuer.invalid/introspect}"}   # say who is asked about its tokens; JWTs need no asking: jwt`, env))
	case s.Type == "http" && http == "bearer" && strings.EqualFold(s.BearerFormat, "jwt"):
		return declare("jwt", fmt.Sprintf(`{jwks: "${%s_JWKS:-https://issuer.invalid/jwks}"}   # say where the keys of its tokens are, here or in the environment`, env))
	case s.Type == "http" && http == "basic":
		return declare("basic", `{users: {}}   # name: bcrypt of the password`)
	case s.Type == "http" && http == "bearer":
		return "key"
	case s.Type == "apiKey":
		if s.In != "header" || !slices.Contains([]string{"authorization", "x-api-key", "api-key", "x-goog-api-key"}, strings.ToLower(s.Name)) {
			r.notes = append(r.notes, fmt.Sprintf("%s in %s: a key comes in Authorization: Bearer or x-api-key", s.Name, s.In))
		}
		return "key"
	case s.Type == "mutualTLS":
		r.notes = append(r.notes, "mutualTLS: a key stands for it; with server.tls.client_ca, require: [mtls]")
		return "key"
	}
	r.notes = append(r.notes, fmt.Sprintf("the sign-in %s (%s %s): a key stands for it", name, s.Type, s.Scheme))
	return "key"
}
