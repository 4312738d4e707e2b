package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"time"

	"sluice/billing"
	"sluice/cmd/sluice/config"
	"sluice/gateway/alert"
	"sluice/store/address"
)

// newAlerts makes the engine of alerts, which has no rules yet.
func (s *server) newAlerts() *alert.Engine {
	source := alert.Source{Usage: s.store.Ledger().Usage, Gather: s.metrics.Gather, Location: s.location,
		Budgets: func(now time.Time) []billing.BudgetStatus { return budgetsOf(s.build.view(), now) }}
	e := alert.New(source, s.alertShelf(), s.log)
	s.metrics.Add(e)
	return e
}

// alertShelf is where alerts are kept: with one store of all replicas, there, and
// first from what this one kept when it had none.
func (s *server) alertShelf() alert.Shelf {
	file := alert.File(filepath.Join(s.dataDir, "alerts.json"))
	if !address.OnPostgres(s.started.Store) {
		return file
	}
	id, replays := sha256.Sum256([]byte("alerts")), s.store.Replays()
	return alert.Shelf{Shared: true, Before: file.Read,
		Read: func(ctx context.Context) ([]byte, error) {
			b, _, err := replays.Replay(ctx, id)
			if errors.Is(err, billing.ErrNotFound) {
				return nil, nil
			}
			return b, err
		},
		Swap: func(ctx context.Context, was, now []byte) (bool, error) {
			return replays.SwapReplay(ctx, id, time.Now().AddDate(10, 0, 0), was, now)
		}}
}

// setAlerts puts the configuration's rules in force.
func (s *server) setAlerts(cfg *config.Config) {
	if s.alerts == nil { // not yet: the first snapshot
		return
	}
	s.alerts.Set(rulesOf(&cfg.Alerts), receiversOf(&cfg.Alerts))
}

// budgetsOf are all teams' and keys' own budgets, as they stand.
func budgetsOf(v *view, now time.Time) (out []billing.BudgetStatus) {
	if v.owners == nil {
		return nil
	}
	for o := range v.owners.All() {
		// A key that was rotated counts in the budget of the one after it, whose
		// terms may be others by now.
		if o.Key != nil && !o.Key.Revoked.IsZero() {
			continue
		}
		out = append(out, o.OwnBudgets(now)...)
	}
	return append(out, v.owners.People(now)...)
}

func rulesOf(a *config.Alerts) []alert.Rule {
	everybody := sortedKeys(a.Receivers)
	var out []alert.Rule
	for _, name := range sortedKeys(a.Rules) {
		c := a.Rules[name]
		r := alert.Rule{Name: name, Severity: c.Severity, Summary: c.Summary, Each: c.Each, For: c.For, Repeat: c.Repeat, Deliver: c.Receivers, MuteUntil: c.MuteUntil,
			Scope: alert.Scope{Team: c.Team, Key: c.Key, Model: c.Model, Provider: c.Provider, Target: c.Target, Prompt: c.Prompt, Route: c.Route}}
		if len(r.Deliver) == 0 {
			r.Deliver = everybody
		}
		r.Kind, r.Condition = conditionOf(&c)
		out = append(out, r)
	}
	return out
}

// conditionOf is what a rule looks for; the check has seen that it is one thing.
func conditionOf(c *config.AlertRule) (kind string, _ alert.Condition) {
	switch {
	case c.Threshold != nil:
		t := &alert.Threshold{Figure: c.Threshold.Figure, Over: c.Threshold.Over, Calls: c.Threshold.Calls}
		if l := c.Threshold.Below; l != nil {
			t.Bound, t.Below = l.Value, true
		} else {
			t.Bound = c.Threshold.Above.Value
		}
		return "threshold", t
	case c.BurnRate != nil:
		b := &alert.Burn{Objective: c.BurnRate.Objective, Windows: alert.BurnWindows, Calls: c.BurnRate.Calls}
		if len(c.BurnRate.Windows) > 0 {
			b.Windows = nil
		}
		for _, w := range c.BurnRate.Windows {
			b.Windows = append(b.Windows, alert.BurnWindow(w))
		}
		return "burn_rate", b
	case c.Budget != nil:
		return "budget", &alert.Budget{Used: c.Budget.Used, Forecast: c.Budget.Forecast}
	}
	a := c.Anomaly
	return "anomaly", &alert.Anomaly{Figure: a.Figure, Days: int(a.Days), Deviations: a.Deviations, Least: a.Least, Drops: a.Drops}
}

func receiversOf(a *config.Alerts) map[string]alert.Receiver {
	out := map[string]alert.Receiver{}
	for name, c := range a.Receivers {
		r := alert.Receiver{Webhook: webhookOf(c.Webhook), Slack: c.Slack.Reveal()}
		if m := c.Email; m != nil {
			r.Email = &alert.Email{Server: m.Server, TLS: m.TLS, User: m.User, Password: m.Password.Reveal(), From: m.From, To: m.To}
		}
		out[name] = r
	}
	return out
}

// alertsEvery is how often rules are looked at.
func (s *server) alertsEvery() time.Duration { return s.build.view().cfg.Alerts.Every }
