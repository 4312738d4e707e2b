package main

import (
	"cmp"

	"sluice/cmd/sluice/config"
	"sluice/gateway/admin"
	"sluice/gateway/proxy"
	"sluice/router"
)

// fallback adds to a backend who answers while its breakers are open, but for
// another route's backend, which may not be made yet.
func (m *routeBuilder) fallback(c *config.Route, o *proxy.HTTPOptions) error {
	if c.Breaker == nil || c.Breaker.Fallback == nil || c.Breaker.Fallback.Route != "" {
		return nil
	}
	f := c.Breaker.Fallback
	if len(f.Targets) == 0 {
		o.Fallback = &proxy.Fallback{Name: proxy.FallbackStatic, Backend: staticFallback(f)}
	} else {
		others := *o
		others.Canary, others.Mirrors = nil, nil
		others.Balance = cmp.Or(others.Balance, router.Weighted)
		var err error
		if others.Targets, err = m.targets(c, f.Targets); err != nil {
			return err
		}
		backend, err := proxy.NewHTTP(others)
		if err != nil {
			return err
		}
		o.Fallback = &proxy.Fallback{Name: proxy.FallbackTargets, Backend: backend}
	}
	if o.Canary != nil {
		o.Canary.Fallback = o.Fallback
	}
	return nil
}

func staticFallback(f *config.RouteFallback) *proxy.Static {
	s := &proxy.Static{Status: int(cmp.Or(f.Status, 503)), Body: f.Body}
	if len(f.JSON) > 0 {
		s.Body, s.Headers = string(f.JSON), []proxy.Condition{{Name: "Content-Type", Value: "application/json"}}
	}
	return s
}

// fallBack has the backends of routes take over for others. The configuration
// was checked: there is no circle.
func fallBack(cfg *config.Config, list []*proxy.Route) {
	backends := map[string]proxy.Backend{}
	for _, r := range list {
		backends[r.Name] = r.Backend
	}
	for i, r := range list { // in the order of the configuration
		b := cfg.Routes[i].Breaker
		h, ok := r.Backend.(*proxy.HTTP)
		if !ok || b == nil || b.Fallback == nil || b.Fallback.Route == "" {
			continue
		}
		h.Fallback = &proxy.Fallback{Name: proxy.FallbackRoute(b.Fallback.Route), Backend: backends[b.Fallback.Route]}
		if h.Canary != nil {
			h.Canary.Fallback = h.Fallback
		}
	}
}

// fallbackShown are the servers that a route has in reserve.
func fallbackShown(route string, h *proxy.HTTP, states map[string]router.TargetStatus) []admin.RouteTarget {
	if h.Fallback == nil || h.Fallback.Name != proxy.FallbackTargets {
		return nil
	}
	return targetsShown(route, h.Fallback.Backend.(*proxy.HTTP), states, "fallback")
}
