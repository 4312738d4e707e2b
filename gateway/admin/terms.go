package admin

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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
	if !budgetsWithin(old.Budgets, next.Budgets) {
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

// budgetsWithin tells whether each of the old budgets is still there, or a
// narrower one in its place.
func budgetsWithin(old, next billing.Budgets) bool {
	for i := range old {
		if !slices.ContainsFunc(next, func(b billing.Budget) bool { return budgetWithin(&old[i], &b) }) {
			return false
		}
	}
	return true
}

func budgetWithin(old, next *billing.Budget) bool {
	return next.Unit() == old.Unit() && next.Per == old.Per && next.TimeZone == old.TimeZone && slices.Equal(next.Models, old.Models) &&
		next.Amount() <= old.Amount() && (next.Hard || !old.Hard) && (old.CarryOver || !next.CarryOver) &&
		(next.Raise == nil || old.Raise != nil && *next.Raise == *old.Raise)
}

// budgetsIn are the budgets of a team or key as they are sent: one, or a list.
type budgetsIn []budgetIn

func (l *budgetsIn) UnmarshalJSON(b []byte) error {
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '{' {
		b = append(append([]byte{'['}, b...), ']')
	}
	return json.Unmarshal(b, (*[]budgetIn)(l))
}

// budgetIn is a budget as it is sent.
type budgetIn struct {
	USD       *billing.Nano  `json:"usd"`
	Tokens    int64          `json:"tokens"`
	Requests  int64          `json:"requests"`
	Per       string         `json:"per"` // month if not given
	WarnAt    []float64      `json:"warn_at"`
	Hard      *bool          `json:"hard"` // true if not given, as in the file
	Models    []string       `json:"models"`
	CarryOver bool           `json:"carry_over"`
	TimeZone  string         `json:"time_zone"`
	Raise     *billing.Raise `json:"raise"`
}

// budgets is none where none was sent.
func (l budgetsIn) budgets(path string) (billing.Budgets, error) {
	var out billing.Budgets
	for i := range l {
		field := path + "."
		if len(l) > 1 {
			field = fmt.Sprintf("%s.%d.", path, i)
		}
		in := &l[i]
		if in.USD == nil && in.Tokens == 0 && in.Requests == 0 {
			return nil, schema.Invalid(field+"usd", "%susd is required: the amount in dollars, such as \"20\"; or else tokens or requests", field)
		}
		b := billing.Budget{Tokens: in.Tokens, Requests: in.Requests, Per: billing.Period(cmp.Or(in.Per, string(billing.PeriodMonth))),
			WarnAt: in.WarnAt, Hard: in.Hard == nil || *in.Hard, Models: in.Models, CarryOver: in.CarryOver, TimeZone: in.TimeZone, Raise: in.Raise}
		if in.USD != nil {
			b.USD = *in.USD
		}
		for _, share := range b.WarnAt {
			if !(share > 0 && share <= 1) { // as in the file; NaN too
				return nil, schema.Invalid(field+"warn_at", "%swarn_at: %v is not a share above 0 and at most 1, such as 0.8", field, share)
			}
		}
		if err := b.Check(); err != nil {
			name, _, _ := strings.Cut(err.Error(), ":")
			return nil, schema.Invalid(field+name, "%s%v", field, err)
		}
		out = append(out, b)
	}
	return out, nil
}

// peopleIn are the terms of users or tags as they are sent.
type peopleIn map[string]personIn

type personIn struct {
	Budget budgetsIn      `json:"budget"`
	Limits billing.Limits `json:"limits"`
}

func (in peopleIn) people(path string) (billing.People, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(billing.People, len(in))
	for name, p := range in {
		budgets, err := p.Budget.budgets(path + "." + name + ".budget")
		if err != nil {
			return nil, err
		}
		out[name] = billing.Terms{Budgets: budgets, Limits: p.Limits}
	}
	return out, nil
}
