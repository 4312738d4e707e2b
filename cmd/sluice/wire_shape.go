package main

import (
	"sluice/cmd/sluice/config"
	"sluice/gateway/proxy"
)

// corsStep lets pages of other origins use a route. It comes before sign-in: a
// preflight carries none.
func (m *routeBuilder) corsStep(c *config.Route, r *proxy.Route) {
	o := c.CORS
	if o == nil {
		return
	}
	rule := proxy.CORS{Origins: o.Origins, Methods: o.Methods, Headers: o.Headers, Expose: o.Expose, Credentials: o.Credentials, MaxAge: o.MaxAge}
	if len(rule.Methods) == 0 {
		rule.Methods = c.Match.Methods
	}
	r.Preflight = true
	r.Steps = append(r.Steps, rule.Step())
}
