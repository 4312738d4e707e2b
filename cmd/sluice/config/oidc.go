package config

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// OIDC is an identity provider that people sign in with.
type OIDC struct {
	Issuer       string   `json:"issuer"`
	ClientID     string   `json:"client_id"`
	ClientSecret Secret   `json:"client_secret"`
	URL          string   `json:"url"`        // of the pages, as browsers reach them; empty: as they have asked for them
	TeamClaim    string   `json:"team_claim"` // with the team of a person
	Scopes       []string `json:"scopes"`     // asked for beside openid, profile and groups, such as offline_access
}

// AdminOIDC is whom people sign in to the console with.
type AdminOIDC struct {
	OIDC
	RolesClaim string              `json:"roles_claim"` // with the groups of a person
	Roles      map[string][]string `json:"roles"`       // the groups of each role
}

// Portal is the developer portal.
type Portal struct {
	OIDC *PortalOIDC `json:"oidc"` // nil: people sign in with keys alone
}

// PortalOIDC is whom people sign in to the portal with.
type PortalOIDC struct {
	OIDC
	UserClaim   string              `json:"user_claim"`   // with the user that a person's keys belong to
	GroupsClaim string              `json:"groups_claim"` // with the groups of a person
	Teams       map[string][]string `json:"teams"`        // the groups of each team
}

func defaultPortalOIDC() PortalOIDC {
	return PortalOIDC{OIDC: OIDC{TeamClaim: "team"}, UserClaim: "sub", GroupsClaim: "groups"}
}

// oidc looks at what every provider of people has; false: none is meant.
func (k *checker) oidc(path []string, o *OIDC, more int) bool {
	if o.Issuer == "" && o.ClientID == "" && more == 0 {
		return false
	}
	k.service(below(path, "issuer"), o.Issuer, true)
	if o.ClientID == "" {
		k.fault(below(path, "client_id"), "is needed")
	}
	if u, err := url.Parse(o.URL); o.URL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "") {
		k.fault(below(path, "url"), "want an address such as https://console.example.com")
	}
	for i, scope := range o.Scopes {
		if scope == "" || strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }) {
			k.fault(below(below(path, "scopes"), strconv.Itoa(i)), "want the name of a scope, such as offline_access")
		}
	}
	return true
}

func (k *checker) adminOIDC(path []string, o *AdminOIDC) {
	if o == nil || !k.oidc(path, &o.OIDC, len(o.Roles)) {
		return
	}
	if len(o.Roles) == 0 {
		k.fault(below(path, "roles"), "is needed: which groups have which role, such as admin: [ops]")
	}
	for _, role := range sortedKeys(o.Roles) {
		if !slices.Contains([]string{"admin", "operator", "viewer", "team-owner"}, role) {
			k.fault(below(below(path, "roles"), role), "want admin, operator, viewer or team-owner")
		}
	}
}

func (k *checker) portalOIDC(path []string, o *PortalOIDC) {
	if o == nil || !k.oidc(path, &o.OIDC, len(o.Teams)) {
		return
	}
	if o.UserClaim == "" {
		k.fault(below(path, "user_claim"), "is needed: whose keys are a person's, such as sub or email")
	}
	if o.TeamClaim == "" && len(o.Teams) == 0 {
		k.fault(below(path, "teams"), "is needed where no team_claim is: which groups are in which team, such as research: [lab]")
	}
	for _, team := range sortedKeys(o.Teams) {
		if len(o.Teams[team]) == 0 {
			k.fault(below(below(path, "teams"), team), "want a list of groups")
		}
	}
}
