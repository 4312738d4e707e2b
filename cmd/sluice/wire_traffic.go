package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"sluice/cmd/sluice/config"
	"sluice/gateway/cel"
	"sluice/gateway/limit"
	"sluice/gateway/proxy"
	"sluice/gateway/telemetry"
	"sluice/router"
)

// trafficSteps are those which lead some requests elsewhere, or astray: behind
// all that may refuse, before the cache.
func (m *routeBuilder) trafficSteps(c *config.Route) ([]proxy.Step, error) {
	var steps []proxy.Step
	if h := c.Backend.HTTP; h != nil && h.Canary != nil {
		steps = append(steps, proxy.Canary(proxy.CanaryOptions{Route: c.Name, Share: h.Canary.Share, By: h.Canary.By, Match: wanted(h.Canary.Match.Headers)}))
	}
	if f := c.Faults; f != nil {
		o := proxy.FaultOptions{Delay: f.Delay, DelayShare: f.DelayShare, Status: int(f.Status), Share: f.Share, Series: m.series}
		if f.When != "" {
			var err error
			if o.When, err = cel.Compile(f.When, cel.Options{}); err != nil {
				return nil, fmt.Errorf("faults: %w", err)
			}
		}
		m.log.Warn("a route makes faults on purpose", "route", c.Name)
		steps = append(steps, proxy.Faults(o))
	}
	return steps, nil
}

// adaptive is the step of how many requests a backend gets at once. What was
// learned of it outlives reloads.
func (m *routeBuilder) adaptive(c *config.Route, r *proxy.Route) {
	if c.Limits == nil || c.Limits.Adaptive == nil {
		return
	}
	a, series := c.Limits.Adaptive, m.series
	made := fmt.Sprint(c.Name, " ", *a)
	b := m.old.bounds[made]
	if b == nil {
		b = &standingBound{route: c.Name, series: series, Adaptive: limit.NewAdaptive(a.Min, a.Max, series.Bound)}
	}
	m.keep.bounds[made] = b
	r.Bound = b.Adaptive
	r.Steps = append(r.Steps, proxy.Adaptive(c.Name, b.Adaptive, series))
}

// standingBound is one that is kept, and where it is told.
type standingBound struct {
	*limit.Adaptive
	route  string
	series *telemetry.Route
}

// tellBounds tells the bounds that are in force now, in the place of those
// before.
func (r *standingRoutes) tellBounds(before *standingRoutes) {
	told := map[string]bool{}
	for _, b := range r.bounds {
		told[b.route] = true
		b.series.Bound(b.Bound())
	}
	for _, b := range before.bounds {
		if !told[b.route] {
			b.series.Unbound()
		}
	}
}

// traffic adds to a backend how its requests are signed, who gets copies of
// them, and who answers some of them in its place.
func (m *routeBuilder) traffic(c *config.Route, o *proxy.HTTPOptions) error {
	b := c.Backend.HTTP
	switch s := b.Sign; {
	case s == nil:
	case s.HMAC != nil:
		o.Signing = proxy.SignHMAC(s.HMAC.KeyID, s.HMAC.Secret.Reveal())
	default:
		o.Signing = proxy.SignAWS(s.AWS.Options())
	}
	for i := range b.Mirror {
		mirror, err := m.mirror(c, &b.Mirror[i], o.Signing)
		if err != nil {
			return err
		}
		o.Mirrors = append(o.Mirrors, mirror)
	}
	if b.Canary == nil {
		return nil
	}
	canary := *o
	var err error
	if canary.Targets, err = m.targets(c, b.Canary.Targets); err != nil {
		return err
	}
	if canary.Balance == "" {
		canary.Balance = router.Weighted
	}
	o.Canary, err = proxy.NewHTTP(canary)
	return err
}

func (m *routeBuilder) mirror(c *config.Route, k *config.BackendMirror, signing *proxy.Signing) (*proxy.Mirror, error) {
	secure := c.Backend.HTTP.TLS
	if !strings.HasPrefix(strings.ToLower(k.URL), "https:") {
		secure = nil
	}
	client, err := m.client(k.URL, k.Timeout, secure)
	if err != nil {
		return nil, err
	}
	series := m.series
	made := &proxy.Mirror{URL: k.URL, Client: client, Share: k.Share, Timeout: k.Timeout,
		Count: func(result string) { series.Mirrored(k.URL, result) },
		Recovered: func(what any) {
			m.log.Error("a copy of a request went wrong", "route", c.Name, "panic", what, "stack", string(debug.Stack()))
		}}
	if signing != nil {
		made.Sign, err = signing.For(k.URL)
	}
	return made, err
}
