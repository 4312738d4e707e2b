package config

import (
	"slices"
	"strconv"
	"strings"
)

// routeFallback checks who answers for a route while its breakers are open.
func (k *checker) routeFallback(path []string, r *Route) {
	f := r.Breaker.Fallback
	if f == nil {
		return
	}
	says, targets := f.Status != 0 || len(f.JSON) > 0 || f.Body != "", below(path, "targets")
	switch {
	case len(f.JSON) > 0 && f.Body != "":
		k.fault(path, "want json or body, not both")
	case says && (len(f.Targets) > 0 || f.Route != "") || len(f.Targets) > 0 && f.Route != "":
		k.fault(path, "want an answer, targets or a route, not several of them")
	case len(f.Targets) == 0 && k.origin.given(targets...):
		k.fault(targets, "want at least one target")
	}
	k.status(below(path, "status"), f.Status, 200, 599)
	if len(f.Targets) > 0 && k.targetURLs(targets, f.Targets) == 0 {
		k.fault(targets, "every weight is 0: no target would ever be used")
	}
	if b := r.Backend.HTTP; b != nil {
		own := slices.Clone(b.Targets)
		if b.Canary != nil {
			own = append(own, b.Canary.Targets...)
		}
		for i, t := range f.Targets {
			if slices.ContainsFunc(own, func(other BackendTarget) bool { return other.URL == t.URL }) {
				k.fault(below(targets, strconv.Itoa(i)), "%s is a target of the route itself", strconv.Quote(t.URL))
			}
		}
	}
	if f.Route != "" {
		k.fallbackRoute(below(path, "route"), r)
	}
}

// fallbackRoute checks that the route which takes over can, and that nobody
// takes over from itself in the end.
func (k *checker) fallbackRoute(path []string, r *Route) {
	to := k.config.Route(r.Breaker.Fallback.Route)
	switch {
	case to == nil:
		k.fault(path, "there is no route %s", strconv.Quote(r.Breaker.Fallback.Route))
		return
	case to.Backend.HTTP == nil && to.Backend.Static == nil:
		k.fault(path, "want a route with a backend of http or static")
		return
	}
	way := []string{r.Name}
	for at := r; at != nil && at.Breaker != nil && at.Breaker.Fallback != nil && at.Breaker.Fallback.Route != ""; at = k.config.Route(at.Breaker.Fallback.Route) {
		next := at.Breaker.Fallback.Route
		if again := slices.Contains(way, next); !again {
			way = append(way, next)
			continue
		}
		if next == r.Name { // else it is told of those that go in a circle
			k.fault(path, "leads back to itself: %s", strings.Join(append(way, next), " → "))
		}
		return
	}
}

// Route is the route of a name; nil: there is none.
func (c *Config) Route(name string) *Route {
	i := slices.IndexFunc(c.Routes, func(r Route) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Routes[i]
}
