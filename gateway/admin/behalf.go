package admin

import (
	"context"

	"sluice/billing"
)

// behalf is the context in which the store is read for a request: a team-owner
// is given nothing but what its own team has, of the other teams that are named
// (those below it), and of subscriptions to the prompts that it publishes,
// whatever is asked for. Requests that read have it from the beginning; those
// that change something do what takes effect for all in their own.
func (a *api) behalf(q *request, others ...string) context.Context {
	if q.id.Role != RoleTeamOwner {
		return q.Context()
	}
	b := billing.Behalf{Teams: append([]string{q.id.Team}, others...)}
	if q.id.Key == nil {
		for _, p := range a.View().Prompts {
			if p.Team != "" && p.Team == q.id.Team {
				b.Prompts = append(b.Prompts, p.Name)
			}
		}
	}
	return billing.OnBehalf(q.Context(), b)
}

// below are the names of a team and of those below it.
func (v *View) below(team string) []string {
	names := []string{team}
	for i := range v.Teams {
		if name := v.Teams[i].Name; name != team && isBelow(v, name, team) {
			names = append(names, name)
		}
	}
	return names
}
