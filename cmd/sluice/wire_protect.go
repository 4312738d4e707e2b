package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sluice/cmd/sluice/config"
	"sluice/gateway/limit"
	"sluice/gateway/proxy"
	"sluice/gateway/waf"
)

// protect is the steps that come before a caller is known.
func (m *routeBuilder) protect(c *config.Route) []proxy.Step {
	var steps []proxy.Step
	if c.IPs != nil {
		steps = append(steps, proxy.Addresses(c.IPs.Allow, c.IPs.Deny))
	}
	if c.Limits != nil && c.Limits.Failures.Requests > 0 {
		steps = append(steps, proxy.Guarded(proxy.GuessOptions{Guesses: m.guesses(c.Name, c.Limits.Failures), Counts: true}))
	}
	if m.signIns != nil && c.Auth != nil && slices.ContainsFunc(c.Auth.Require, isPassword) {
		steps = append(steps, proxy.Guarded(proxy.GuessOptions{Guesses: m.signIns}))
	}
	return steps
}

// isPassword tells whether what a route requires can be guessed.
func isPassword(way string) bool {
	return strings.HasPrefix(way, "basic:")
}

// firewall is the step that looks for attacks.
func (m *routeBuilder) firewall(c *config.RouteWAF) (proxy.Step, error) {
	o := waf.Options{Paranoia: int(c.Paranoia)}
	for _, id := range c.Exclude {
		o.Exclude = append(o.Exclude, int(id))
	}
	rules, err := waf.New(o)
	if err != nil {
		return nil, err
	}
	return proxy.Firewall(proxy.FirewallOptions{Rules: rules, Block: c.Mode == "block", Body: int64(c.Body), Log: m.log}), nil
}

// policies are the steps of a route's own rules.
func (m *routeBuilder) policies(list []config.RoutePolicy) []proxy.Step {
	var steps []proxy.Step
	for i := range list {
		if p := &list[i]; p.CEL != "" {
			steps = append(steps, proxy.Rule(p.Program(), int(cmp.Or(p.Else, 403))))
		} else {
			steps = append(steps, proxy.Module(proxy.ModuleOptions{Policy: p.Module(), Config: []byte(p.Config), Name: filepath.Base(p.WASM), Log: m.log}))
		}
	}
	return steps
}

// guessesKey names what counts wrong credentials: a route's own, or everybody's.
func guessesKey(route string, most config.Rate) string { return fmt.Sprint(route, " ", most) }

// guesses counts wrong credentials, on where the same were counted before; nil:
// nobody does.
func (m *routeBuilder) guesses(route string, most config.Rate) *limit.Guesses {
	if most.Requests == 0 {
		return nil
	}
	key := guessesKey(route, most)
	g := m.old.guesses[key]
	if g == nil {
		g = limit.NewGuesses(most.Requests, most.Per)
	}
	m.keep.guesses[key] = g
	return g
}
