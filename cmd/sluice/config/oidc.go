package config

import (
	"net/url"
	"slices"
)

// AdminOIDC is whom people sign in to the console with.
type AdminOIDC struct {
	Issuer       string              `json:"issuer"`
	ClientID     string              `json:"client_id"`
	ClientSecret Secret              `json:"client_secret"`
	URL          string              `json:"url"`         // of the console, as browsers reach it; empty: as they have asked for it
	RolesClaim   string              `json:"roles_claim"` // with the groups of a person
	TeamClaim    string              `json:"team_claim"`  // with the team of a team-owner
	Roles        map[string][]string `json:"roles"`       // the groups of each role
}

func (k *checker) oidc(path []string, o *AdminOIDC) {
	if o == nil || o.Issuer == "" && o.ClientID == "" && len(o.Roles) == 0 {
		return
	}
	k.service(below(path, "issuer"), o.Issuer, true)
	if o.ClientID == "" {
		k.fault(below(path, "client_id"), "is needed")
	}
	if len(o.Roles) == 0 {
		k.fault(below(path, "roles"), "is needed: which groups have which role, such as admin: [ops]")
	}
	for _, role := range sortedKeys(o.Roles) {
		if !slices.Contains([]string{"admin", "operator", "viewer", "team-owner"}, role) {
			k.fault(below(below(path, "roles"), role), "want admin, operator, viewer or team-owner")
		}
	}
	if u, err := url.Parse(o.URL); o.URL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "") {
		k.fault(below(path, "url"), "want an address such as https://console.example.com")
	}
}
