package main

import (
	"net/http"
	"slices"
	"time"

	"sluice/gateway"
	"sluice/gateway/admin"
	"sluice/gateway/console"
	"sluice/providers/schema"
)

// openPortal gives the data plane its pages, over the admin API.
func (s *server) openPortal(api http.Handler) {
	p := console.NewPortal(console.PortalOptions{API: api, Cookie: gateway.PortalCookie, Member: s.member, Wrong: s.gateway.WrongKey,
		Versions: s.store.Prompts().Versions, Location: s.location, Version: version, Log: s.log,
		Public: func() []console.Offer { return offersShown(s.gateway.Offers(nil)) }})
	s.gateway.SetPortal(gateway.Portal{Pages: p, Key: p.Key})
}

// member is who has a key, for the portal; nil: nobody.
func (s *server) member(hash [32]byte, ip string) *console.Member {
	caller := s.gateway.Member(hash, ip)
	if caller == nil {
		return nil
	}
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
			o.Refused = caller.RefusesRoute(r.Name)
			if sub := caller.Subscriptions[gateway.RouteSubject(r.Name)]; sub != nil {
				o.Subscription = string(sub.Status)
			}
		}
		out = append(out, o)
	}
	return out
}
