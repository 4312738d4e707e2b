package main

import (
	"sluice/billing"
	"sluice/cmd/sluice/config"
	"sluice/gateway"
)

// callersOf are the keys with what their teams have.
func callersOf(cfg *config.Config, v *view) ([]*gateway.Caller, error) {
	m, err := newCallerMaker(cfg, v)
	if err != nil {
		return nil, err
	}
	callers := make([]*gateway.Caller, 0, len(v.keys))
	for i := range v.keys {
		callers = append(callers, m.caller(&v.keys[i], v.owners.Key(v.keys[i].ID)))
	}
	return callers, nil
}

// callerMaker makes callers of keys, with what their teams have.
type callerMaker struct {
	cfg           *config.Config
	v             *view
	rates         map[string]*billing.Rates
	subscriptions map[string]map[string]*gateway.Subscription
}

func newCallerMaker(cfg *config.Config, v *view) (*callerMaker, error) {
	rates, err := ratesOf(cfg)
	if err != nil {
		return nil, err
	}
	subscriptions, err := subscriptionsOf(cfg, v)
	return &callerMaker{cfg, v, rates, subscriptions}, err
}

func (m *callerMaker) caller(k *billing.Key, owner *billing.Owner) *gateway.Caller {
	c := &gateway.Caller{Key: k, Label: owner.Name, Owner: owner, Subscriptions: m.subscriptions[k.Team]}
	for t := m.v.owners.Team(k.Team); t != nil; t = t.Parent() {
		team := m.cfg.Teams[t.Name]
		if c.Leaving == nil {
			c.Leaving = leavingOf(team.OnDisconnect)
		}
		if c.WhenSpent == nil {
			c.WhenSpent = whenSpentOf(team.WhenSpent)
		}
		if c.Rates == nil {
			c.Rates = m.rates[t.Name]
		}
	}
	return c
}

// leavingOf is the gateway's form of on_disconnect; nil stays nil.
func leavingOf(o *config.OnDisconnect) *gateway.Leaving {
	if o == nil {
		return nil
	}
	return &gateway.Leaving{Drain: o.Policy != "abort", Tokens: o.Tokens, Time: o.Time}
}

// whenSpentOf is the gateway's form of when_spent; nil stays nil.
func whenSpentOf(w *config.WhenSpent) *gateway.WhenSpent {
	if w == nil {
		return nil
	}
	return &gateway.WhenSpent{Cut: w.Policy == "cut", Model: w.Model}
}
