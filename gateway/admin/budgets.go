package admin

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"sluice/billing"
)

// budgetOut is a budget as it is shown.
type budgetOut struct {
	Owner     billing.OwnerName `json:"owner"`
	USD       billing.Nano      `json:"usd"`
	Per       billing.Period    `json:"per"`
	Spent     billing.Nano      `json:"spent"`
	Held      billing.Nano      `json:"held"`
	Remaining billing.Nano      `json:"remaining"`
	Resets    *time.Time        `json:"resets"` // null: never
	WarnAt    []float64         `json:"warn_at"`
	Warned    float64           `json:"warned,omitempty"`
	Hard      bool              `json:"hard"`
	RunsOut   *time.Time        `json:"runs_out"` // at the rate so far; null: not before it resets, or unknown
	Forecast  *billing.Nano     `json:"forecast"` // spent when it resets, at that rate; null: unknown
}

func showBudget(s billing.BudgetStatus) budgetOut {
	out := budgetOut{Owner: s.Owner, USD: s.USD, Per: s.Per, Spent: s.Spent, Held: s.Held,
		Remaining: s.Remaining, WarnAt: s.WarnAt, Warned: s.Warned, Hard: s.Hard,
		RunsOut: s.RunsOut, Forecast: s.Forecast}
	if !s.Resets.IsZero() {
		out.Resets = &s.Resets
	}
	if out.WarnAt == nil {
		out.WarnAt = []float64{}
	}
	return out
}

// budgetOf is an owner's own budget; nil: it has none.
func budgetOf(view *View, owner billing.OwnerName) *billing.BudgetStatus {
	for i := range view.Budgets {
		if view.Budgets[i].Owner == owner {
			return &view.Budgets[i]
		}
	}
	return nil
}

// TeamOf is the team that a budget belongs to.
func TeamOf(owner billing.OwnerName) string {
	team, _, _ := strings.Cut(owner.Key, "/")
	return cmp.Or(owner.Team, team)
}

func (a *api) listBudgets(q *request) error {
	values, err := q.query("team", "limit", "after")
	if err != nil {
		return err
	}
	if err := q.mayAsk(values.Get("team")); err != nil {
		return err
	}
	budgets, seen := []budgetOut{}, map[billing.OwnerName]bool{}
	for _, s := range a.View().Budgets {
		team := TeamOf(s.Owner)
		if seen[s.Owner] || !q.id.Owns(team) || values.Get("team") != "" && values.Get("team") != team {
			continue
		}
		seen[s.Owner] = true // a key and the one that it was rotated to share a budget
		budgets = append(budgets, showBudget(s))
	}
	// A team comes before its keys.
	l, err := page(values, budgets, func(b *budgetOut) string { return cmp.Or(b.Owner.Key, b.Owner.Team) })
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, l)
}

// mayAsk refuses a team-owner's question about another team; an empty name
// asks about none in particular.
func (q *request) mayAsk(team string) error {
	if team == "" || q.id.Owns(team) {
		return nil
	}
	return forbidden("a team-owner may ask about its own team only")
}
