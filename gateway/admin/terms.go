package admin

import (
	"slices"

	"sluice/billing"
	"sluice/providers/schema"
)

// withinTerms lets a team-owner change its own team as far as that takes
// nothing from those above: it may narrow what it was given (budget, limits,
// models), not widen it, nor leave the parent whose budget it counts against.
func withinTerms(old, next *billing.Team) error {
	if next.Parent != old.Parent {
		return forbidden("a team-owner may not change the parent of its team")
	}
	if !budgetWithin(old.Budget, next.Budget) {
		return forbidden("a team-owner may lower the budget of its team, not raise or soften it")
	}
	if next.Weight > max(old.Weight, 1) {
		return forbidden("a team-owner may not raise the weight of its team")
	}
	for _, l := range []struct {
		name      string
		old, next int64
	}{
		{"rpm", old.Limits.RPM, next.Limits.RPM},
		{"tpm", old.Limits.TPM, next.Limits.TPM},
		{"input_tpm", old.Limits.InputTPM, next.Limits.InputTPM},
		{"output_tpm", old.Limits.OutputTPM, next.Limits.OutputTPM},
		{"rpd", old.Limits.RPD, next.Limits.RPD},
		{"tpd", old.Limits.TPD, next.Limits.TPD},
		{"parallel", old.Limits.Parallel, next.Limits.Parallel},
	} {
		if l.old > 0 && (l.next == 0 || l.next > l.old) {
			return forbidden("a team-owner may lower limits." + l.name + ", not raise it")
		}
	}
	if len(old.Models) == 0 {
		return nil
	}
	granted := func(name string) bool {
		return slices.Contains(old.Models, name) || billing.MatchModel(old.Models, name)
	}
	for _, name := range next.Models {
		if !granted(name) {
			return forbidden("a team-owner may not grant its team the model " + name)
		}
	}
	if len(next.Models) == 0 { // would be all
		return forbidden("a team-owner may not grant its team all models")
	}
	return nil
}

func budgetWithin(old, next *billing.Budget) bool {
	if old == nil {
		return true
	}
	return next != nil && next.Per == old.Per && next.USD <= old.USD && (next.Hard || !old.Hard)
}

// budgetIn is a budget as it is sent.
type budgetIn struct {
	USD    *billing.Nano `json:"usd"`
	Per    string        `json:"per"` // month if not given
	WarnAt []float64     `json:"warn_at"`
	Hard   *bool         `json:"hard"` // true if not given, as in the file
}

// budget is nil where none was sent.
func (in *budgetIn) budget() (*billing.Budget, error) {
	if in == nil {
		return nil, nil
	}
	if in.USD == nil {
		return nil, schema.Invalid("budget.usd", "budget.usd is required: the amount in dollars, such as \"20\"")
	}
	b := &billing.Budget{USD: *in.USD, Per: billing.PeriodMonth, WarnAt: in.WarnAt, Hard: in.Hard == nil || *in.Hard}
	if in.Per == "" {
		return b, nil
	}
	var err error
	if b.Per, err = billing.ParsePeriod(in.Per); err != nil {
		return nil, schema.Invalid("budget.per", "budget.per: %v", err)
	}
	return b, nil
}
