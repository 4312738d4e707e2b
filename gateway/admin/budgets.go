package admin

import (
	"cmp"
	"net/http"
	"strings"

	"sluice/billing"
)

// budgetsOf are an owner's own budgets.
func budgetsOf(view *View, owner billing.OwnerName) []billing.BudgetStatus {
	var own []billing.BudgetStatus
	for i := range view.Budgets {
		if view.Budgets[i].Owner == owner {
			own = append(own, view.Budgets[i])
		}
	}
	return own
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
	budgets, seen := []billing.BudgetStatus{}, map[string]bool{}
	for _, s := range a.View().Budgets {
		team := TeamOf(s.Owner)
		if seen[BudgetID(&s)] || !q.id.Owns(team) || values.Get("team") != "" && values.Get("team") != team {
			continue
		}
		seen[BudgetID(&s)] = true // a key and the one that it was rotated to share a budget
		budgets = append(budgets, s)
	}
	// A team comes before its keys.
	l, err := page(values, budgets, BudgetID)
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, l)
}

// BudgetID tells budgets apart: by their owner, and what they count.
func BudgetID(s *billing.BudgetStatus) string {
	b := &s.Budget
	return cmp.Or(s.Owner.Key, s.Owner.Team) + " " + s.Owner.User + " " + s.Owner.Tag + " " + b.Unit().Name() + " " + string(b.Per) + " " + b.TimeZone + " " + strings.Join(b.Models, ",")
}

// mayAsk refuses a team-owner's question about another team; an empty name
// asks about none in particular.
func (q *request) mayAsk(team string) error {
	if team == "" || q.id.Owns(team) {
		return nil
	}
	return forbidden("a team-owner may ask about its own team only")
}
