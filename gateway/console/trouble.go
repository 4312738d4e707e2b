package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
)

// trouble is something that is broken, and where to look.
type trouble struct {
	Text, Link string
	Bad        bool // else it is a warning
}

// troubles gathers what is broken: this process, alerts that fire, targets and keys of providers,
// calls that failed, and budgets that are spent.
func (g *glance) troubles(v *visit, from time.Time) error {
	var h admin.Health
	if err := v.get("health", nil, &h); err != nil {
		return err
	}
	if v.who.Role != admin.RoleTeamOwner {
		for _, r := range h.Replicas {
			for _, text := range r.Reasons {
				g.Trouble = append(g.Trouble, trouble{text, "/settings", true})
			}
			for _, text := range r.Warnings {
				g.Trouble = append(g.Trouble, trouble{text, "/settings", false})
			}
		}
	}
	if err := g.firing(v); err != nil {
		return err
	}
	for _, p := range g.Providers {
		for _, t := range p.Targets {
			if t.State != "closed" {
				g.Trouble = append(g.Trouble, trouble{"The breaker of " + t.ID + " is " + cmp.Or(map[string]string{"half_open": "half open"}[t.State], t.State), "/models", t.State == "open"})
			}
		}
		for _, k := range p.Keys {
			if k.State != "ready" {
				g.Trouble = append(g.Trouble, trouble{"Key " + k.Label + " of " + p.Name + " is " + k.State + ": " + string(k.Why), "/models", false})
			}
		}
	}
	for i := range g.Budgets {
		if b := &g.Budgets[i]; b.Share() >= 1000 {
			g.Trouble = append(g.Trouble, trouble{"The budget of " + b.Name() + " is spent: " + b.Limit().String() + b.Unit(), "/teams", b.Hard})
		}
	}
	return g.failures(v, from)
}

// failures adds the calls that failed, the most frequent first.
func (g *glance) failures(v *visit, from time.Time) error {
	r, err := v.usage(from, time.Time{}, "model,status")
	if err != nil {
		return err
	}
	rows := slices.DeleteFunc(r.Rows, func(row billing.Row) bool { return row.Errors == 0 })
	slices.SortStableFunc(rows, func(a, b billing.Row) int { return cmp.Compare(b.Errors, a.Errors) })
	for _, row := range rows[:min(len(rows), 5)] {
		query := url.Values{"model": {row.Values[0]}, "status": {row.Values[1]}, "from": {from.Format("2006-01-02T15:04")}}
		g.Trouble = append(g.Trouble, trouble{plural(row.Errors, "call") + " of " + cmp.Or(row.Values[0], "(no model)") + " failed with " + statusText(row.Values[1]),
			"/requests?" + query.Encode(), row.Values[1] >= "500"})
	}
	return nil
}

// statusText is a status with what HTTP calls it.
func statusText(text string) string {
	n, _ := strconv.Atoi(text)
	name := http.StatusText(n)
	if n == 499 { // nginx's number, of no standard
		name = "the caller left"
	}
	return strings.TrimSpace(text + " " + name)
}
