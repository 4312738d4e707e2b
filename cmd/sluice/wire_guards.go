package main

import (
	"fmt"
	"net/url"
	"slices"

	"sluice/cmd/sluice/config"
	"sluice/gateway"
	"sluice/gateway/admin"
	"sluice/gateway/guard"
)

// guards makes the guards of a configuration, by name. What they counted before
// goes on.
func (b *builder) guards(cfg *config.Config) (map[string]*guard.Guard, error) {
	made := map[string]*guard.Guard{}
	for _, name := range sortedKeys(cfg.Guards) {
		c := cfg.Guards[name]
		g, err := guardOf(name, &c)
		if err != nil {
			return nil, fmt.Errorf("guards.%s: %w", name, err)
		}
		if g.Figures = b.figures[name]; g.Figures == nil {
			g.Figures = &guard.Figures{}
		}
		made[name] = g
	}
	return made, nil
}

func guardOf(name string, c *config.Guard) (g *guard.Guard, err error) {
	g = &guard.Guard{Name: name, DryRun: c.DryRun, Reversible: c.Reversible}
	if c.Has("request") {
		g.On |= guard.OnRequest
	}
	if c.Has("response") {
		g.On |= guard.OnResponse
	}
	if g.Deny, err = c.Deny.Matcher(); err != nil {
		return nil, err
	}
	if g.Mask, err = c.Mask.Matcher(); err != nil {
		return nil, err
	}
	if c.Schema != "" {
		if g.Check, err = guard.NewSchema(c.Schema); err != nil {
			return nil, err
		}
	}
	if h := c.Webhook; h != nil {
		g.Ask, g.Replaces, g.Timeout, g.FailOpen = gateway.AskWebhook(h.URL, h.Secret.Reveal()), true, h.Timeout, h.Fail == "open"
	}
	if m := c.Call; m != nil {
		g.Timeout, g.FailOpen = m.Timeout, m.Fail == "open"
		switch {
		case len(m.Topics) > 0:
			g.Ask = gateway.AskTopics(m.Model, m.Topics, false)
		case len(m.Only) > 0:
			g.Ask = gateway.AskTopics(m.Model, m.Only, true)
		default:
			g.Ask = gateway.AskModerator(m.Model)
		}
	}
	return g, nil
}

// giveGuards gives the models under models: their guards, and keeps what the
// guards count for the next configuration.
func (b *builder) giveGuards(v *view) error {
	var err error
	if v.guards, err = b.guards(v.cfg); err != nil {
		return err
	}
	for _, m := range v.models {
		var list []*guard.Guard
		for _, name := range v.cfg.Models[m.Name].Guard {
			list = append(list, v.guards[name])
		}
		m.Guards = guard.NewSet(list)
	}
	return nil
}

// keepFigures keeps what guards count, of those that are gone, too: they may
// come back.
func (b *builder) keepFigures(v *view) {
	figures := map[string]*guard.Figures{}
	for name, f := range b.figures {
		figures[name] = f
	}
	for name, g := range v.guards {
		figures[name] = g.Figures
	}
	b.figures = figures
}

// guardsShown is how the admin plane shows the guards.
func guardsShown(v *view) []admin.Guard {
	var list []admin.Guard
	for _, name := range sortedKeys(v.guards) {
		c, g := v.cfg.Guards[name], v.guards[name]
		f := g.Figures
		shown := admin.Guard{Name: name, Reversible: g.Reversible, Schema: c.Schema != "", DryRun: g.DryRun,
			Checked: f.Checked.Load(), Denied: f.Denied.Load(), Masked: f.Masked.Load(), Failed: f.Failed.Load()}
		if shown.Checked > 0 {
			shown.AvgUS = f.Nanos.Load() / shown.Checked / 1000
		}
		for _, stage := range []string{"request", "response"} {
			if c.Has(stage) {
				shown.On = append(shown.On, stage)
			}
		}
		for _, l := range c.Deny {
			shown.Deny = append(shown.Deny, l.String())
		}
		for _, l := range c.Mask {
			shown.Mask = append(shown.Mask, l.String())
		}
		if c.Webhook != nil {
			if u, err := url.Parse(c.Webhook.URL); err == nil {
				shown.Webhook = u.Host
			}
		}
		if c.Call != nil {
			shown.Call = c.Call.Model
		}
		for _, m := range sortedKeys(v.cfg.Models) {
			if slices.Contains(v.cfg.Models[m].Guard, name) {
				shown.Models = append(shown.Models, m)
			}
		}
		list = append(list, shown)
	}
	return list
}
