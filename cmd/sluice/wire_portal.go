package main

import (
	"net/http"
	"slices"
	"time"

	"sluice/billing"
	"sluice/cmd/sluice/config"
	"sluice/gateway"
	"sluice/gateway/admin"
	"sluice/gateway/console"
	"sluice/providers/schema"
)

// openPortal gives the data plane its pages, over the admin API.
func (s *server) openPortal(api http.Handler) {
	p := console.NewPortal(console.PortalOptions{Cookie: gateway.PortalCookie, Member: s.member, Person: s.person, Wrong: s.gateway.WrongKey,
		Face:     console.Face{API: api, OIDC: s.portalSignOn, Version: version, Trail: s.trail, Location: s.location, Log: s.log},
		Versions: s.store.Prompts().Versions,
		Public:   func() []console.Offer { return offersShown(s.gateway.Offers(nil)) }})
	s.gateway.SetPortal(gateway.Portal{Pages: p, Key: p.Key})
}

// portalSignOn is whom people sign in to the portal with; nil: nobody.
func (s *server) portalSignOn() *console.OIDC {
	c := s.build.view().cfg.Portal.OIDC
	if c == nil || c.Issuer == "" {
		return nil
	}
	o := signOnOf(&c.OIDC)
	o.GroupsClaim, o.UserClaim, o.Teams = c.GroupsClaim, c.UserClaim, c.Teams
	return o
}

func signOnOf(c *config.OIDC) *console.OIDC {
	return &console.OIDC{Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret.Reveal(), URL: c.URL, TeamClaim: c.TeamClaim, Scopes: c.Scopes}
}

// member is who has a key, for the portal; nil: nobody.
func (s *server) member(hash [32]byte, ip string) *console.Member {
	caller := s.gateway.Member(hash, ip)
	if caller == nil {
		return nil
	}
	return s.memberOf(caller)
}

// person is a user of a team, for the portal; nil: there is no such team.
func (s *server) person(team, user string) *console.Member {
	v := s.build.view()
	i := slices.IndexFunc(v.teams, func(t billing.Team) bool { return t.Name == team && t.Source != sourceBuiltIn })
	if i < 0 {
		return nil
	}
	m, err := newCallerMaker(v.cfg, v)
	if err != nil {
		s.log.Error("a person cannot be shown the portal", "team", team, "error", err)
		return nil
	}
	return s.memberOf(m.caller(&billing.Key{Team: team, User: user}, v.owners.Team(team)))
}

func (s *server) memberOf(caller *gateway.Caller) *console.Member {
	v := s.build.view()
	return &console.Member{Key: caller.Key, Plans: sortedKeys(v.cfg.Plans),
		Offers: func() []console.Offer { return offersShown(s.gateway.Offers(caller)) },
		Routes: func() []console.RouteOffer { return routesOffered(routesShown(v, time.Now()), caller) }}
}

func offersShown(list []gateway.Offer) []console.Offer {
	out := make([]console.Offer, len(list))
	for i, o := range list {
		out[i] = console.Offer{Prompt: o.Prompt, Refused: o.Refused, Subscription: string(o.Subscription)}
		if p := o.Prices; p != nil {
			out[i].Input, out[i].Output, out[i].Priced = p.Cost(schema.Usage{Input: 1000})*1000, p.Cost(schema.Usage{Output: 1000})*1000, true
		}
	}
	return out
}

// routesOffered are the routes that a key opens, or could with a subscription;
// those that want another way in are no business of who has a key.
func routesOffered(list []admin.Route, caller *gateway.Caller) []console.RouteOffer {
	var out []console.RouteOffer
	for _, r := range list {
		if len(r.Auth) > 0 && !slices.Contains(r.Auth, "key") {
			continue
		}
		o := console.RouteOffer{Route: r}
		if r.Subscribed {
			_, o.Refused = caller.RefusesRoute(r.Name)
			if sub := caller.Subscriptions[gateway.RouteSubject(r.Name)]; sub != nil {
				o.Subscription = string(sub.Status)
			}
		}
		out = append(out, o)
	}
	return out
}
