package gateway

import (
	"net/http"
	"strings"
	"time"

	"sluice/billing"
	"sluice/gateway/limit"
	"sluice/prompts"
	"sluice/providers/schema"
)

// Portal is the developer portal: the pages at /portal and /docs, and the calls
// that people make from them.
type Portal struct {
	Pages http.Handler
	// Key is the key of a session, for a call from one of its pages: of the
	// session's secret, and of the word that its pages carry. Empty: there is no
	// such session, or another site's page asks.
	Key func(session, word string) string
}

// PortalCookie has the secret of a session, PortalWord, a header, the word of
// its pages. Neither goes on to a backend.
const (
	PortalCookie = "sluice_portal"
	PortalWord   = "X-Sluice-Portal"
)

const (
	portalPath = "/portal"
	docsPath   = "/docs"
	tryPath    = "/portal/try/" // before the path of a call
)

// SetPortal says what the portal is. Without it there is none.
func (g *Gateway) SetPortal(p Portal) { g.portal.Store(&p) }

// inPortal tells whether a path is the portal's.
func inPortal(path string) bool {
	rest, ok := strings.CutPrefix(path, portalPath)
	return ok && (rest == "" || rest[0] == '/') || path == docsPath
}

// servePortal shows a page, or makes the call that one asks for.
func (c *Call) servePortal() error {
	if strings.HasPrefix(c.from.path, tryPath) {
		return c.tryOut()
	}
	if err := c.takeBody(); err != nil {
		return err
	}
	c.open()
	return c.bridge(c.g.portal.Load().Pages)
}

// tryOut makes a call from a page: as the one to the path after /portal/try,
// with the key of the session.
func (c *Call) tryOut() error {
	h := &c.rc.Request.Header
	key := c.g.portal.Load().Key(string(h.Cookie(PortalCookie)), string(h.Peek(PortalWord)))
	if key == "" {
		return &schema.Error{Code: schema.CodePermissionDenied, Status: http.StatusForbidden, Origin: schema.OriginPolicy,
			Message: "the session is over, or this is no page of it: sign in to the portal again"}
	}
	path := strings.TrimPrefix(c.from.path, strings.TrimSuffix(tryPath, "/"))
	if inPortal(path) {
		return errNotFound(path)
	}
	for _, name := range keyHeaders {
		h.Del(name)
	}
	h.Del("Cookie")
	h.Del(PortalWord)
	h.Set("Authorization", "Bearer "+key)
	target := string(originForm(h.RequestURI()))
	rest, ok := strings.CutPrefix(target, strings.TrimSuffix(tryPath, "/"))
	if !ok { // written in another way than it is read
		return errNotFound(c.from.path)
	}
	c.from.path = path
	c.rc.Request.SetRequestURI(rest)
	return c.dispatch()
}

// Member is the caller with a key of this hash that may be used now and from
// this address; nil: there is none.
func (g *Gateway) Member(hash [32]byte, ip string) *Caller {
	c := g.snap.Load().Caller(hash, time.Now())
	if c == nil || len(c.Key.IPs) > 0 && !allowsIP(c.Key, ip) {
		return nil
	}
	return c
}

// WrongKey counts a wrong key that an address gave, and says how long it must
// wait before it is told about others; 0: not at all.
func (g *Gateway) WrongKey(ip string) time.Duration {
	guesses := g.snap.Load().Settings.Guesses
	if guesses == nil {
		return 0
	}
	return guesses.Failed(limit.Attempt{IP: ip}, time.Now())
}

// Offer is a prompt as it is offered to a caller.
type Offer struct {
	Prompt       *prompts.Live
	Refused      string                     // why the caller may not call it; empty: it may
	Subscription prompts.SubscriptionStatus // of the caller's team; empty: it has none
	Prices       *billing.Prices            // of its model's first target, for the caller; nil: none is known
}

// Offers are the prompts that a caller may call, and those that its team may
// subscribe to. nil is who has no key: the public ones.
func (g *Gateway) Offers(caller *Caller) []Offer {
	snap := g.snap.Load()
	var list []Offer
	for _, p := range g.prompts.Snapshot().All() {
		access := p.Template.Sluice.Access
		if caller == nil {
			if access == prompts.AccessPublic {
				list = append(list, Offer{Prompt: p, Prices: snap.offered(p, nil, nil)})
			}
			continue
		}
		_, why := caller.refusesPrompt(p)
		o := Offer{Prompt: p, Refused: strings.TrimPrefix(why, ": ")}
		if o.Refused != "" && (access != prompts.AccessSubscribed || len(caller.Key.Prompts) > 0) {
			continue // its key names what it may call
		}
		s := caller.Subscriptions[p.Name]
		if s != nil {
			o.Subscription = s.Status
		}
		o.Prices = snap.offered(p, caller, s)
		list = append(list, o)
	}
	return list
}

// offered is what a caller is charged for the tokens of a prompt's model.
func (s *Snapshot) offered(p *prompts.Live, caller *Caller, sub *Subscription) *billing.Prices {
	m, err := s.Resolve(p.Template.Model)
	if err != nil || len(m.Targets) == 0 {
		return nil
	}
	t := m.Targets[0]
	prices := t.PricesAt(time.Now())
	switch {
	case sub != nil && sub.Status == prompts.SubscriptionApproved && sub.Rates != nil:
		return sub.Rates.Of(prices, m.Name, t.Name, t.Model)
	case caller != nil:
		return caller.Rates.Of(prices, m.Name, t.Name, t.Model)
	}
	return prices
}
