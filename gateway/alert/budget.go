package alert

import (
	"context"
	"fmt"
	"strconv"

	"sluice/billing"
)

// Budget holds for each budget of which a share is used, or will be when its
// period ends if it goes on so.
type Budget struct {
	Used     float64 // share of the limit; 0: it does not matter
	Forecast float64 // likewise
}

// String is the condition in a few words.
func (b *Budget) String() string {
	used, forecast := "budget used to "+Share.Text(b.Used), "budget forecast to reach "+Share.Text(b.Forecast)
	switch {
	case b.Forecast == 0:
		return used
	case b.Used == 0:
		return forecast
	}
	return used + " or " + forecast
}

func (b *Budget) read(_ context.Context, r *reader, rule *Rule) ([]Reading, error) {
	var out []Reading
	seen := map[string]int{}
	for _, s := range r.Budgets(r.now) {
		if rule.Scope.Team != "" && s.Owner.Team != rule.Scope.Team && teamOf(s.Owner.Key) != rule.Scope.Team ||
			rule.Scope.Key != "" && s.Owner.Key != rule.Scope.Key || s.Limit <= 0 {
			continue
		}
		one := Reading{Labels: budgetLabels(&s), Value: float64(s.Spent) / float64(s.Limit)}
		unit := s.Budget.Unit()
		one.Text = fmt.Sprintf("%s of %s are spent (%s)", unit.Text(s.Spent), unit.Text(s.Limit), Share.Text(one.Value))
		one.Holds = b.Used > 0 && one.Value >= b.Used
		if s.Forecast != nil {
			forecast := float64(*s.Forecast) / float64(s.Limit)
			one.Text += fmt.Sprintf(", %s (%s) expected when it resets", unit.Text(*s.Forecast), Share.Text(forecast))
			one.Holds = one.Holds || b.Forecast > 0 && forecast >= b.Forecast
		}
		// Two budgets of an owner may be alike but for their place.
		at := labelText(one.Labels)
		if seen[at]++; seen[at] > 1 {
			one.Labels["budget"] = strconv.Itoa(seen[at])
		}
		out = append(out, one)
	}
	return out, nil
}

func budgetLabels(s *billing.BudgetStatus) map[string]string {
	labels := map[string]string{"per": string(s.Budget.Per)}
	for name, value := range map[string]string{"team": s.Owner.Team, "key": s.Owner.Key, "user": s.Owner.User, "tag": s.Owner.Tag} {
		if value != "" {
			labels[name] = value
		}
	}
	return labels
}

// teamOf is the team of a key's name, team/name.
func teamOf(key string) string {
	if key == "" {
		return ""
	}
	return providerOf(key)
}
