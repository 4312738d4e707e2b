package billing

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"sluice/providers/schema"
)

// OwnerName says whose a budget is: a team's, a key's, or that of a user or tag
// of a team.
type OwnerName struct {
	Team string `json:"team,omitempty"`
	Key  string `json:"key,omitempty"`  // team/name
	User string `json:"user,omitempty"` // of the team
	Tag  string `json:"tag,omitempty"`  // of the team
}

// String is the owner for messages: team "a", or key "a/b". A name with a space
// is that of no team, but tells what it is: model a.
func (n OwnerName) String() string {
	switch {
	case n.Key != "":
		return fmt.Sprintf("key %q", n.Key)
	case n.User != "":
		return fmt.Sprintf("user %q of team %q", n.User, n.Team)
	case n.Tag != "":
		return fmt.Sprintf("tag %q of team %q", n.Tag, n.Team)
	}
	if what, name, ok := strings.Cut(n.Team, " "); ok {
		return fmt.Sprintf("%s %q", what, name)
	}
	return fmt.Sprintf("team %q", n.Team)
}

// BudgetStatus is how a budget stands. Amounts are in its unit: of money, Nano.
type BudgetStatus struct {
	Owner     OwnerName
	Budget    Budget
	Limit     int64 // the amount, with what is raised and carried over
	Spent     int64
	Held      int64
	Remaining int64 // never negative
	Carried   int64 // of Limit, left over from the window before
	Raised    int64 // of Limit, until Budget.Raise ends
	// Since is when the window began; zero: of all time.
	Since time.Time
	// Resets is when the window ends; of a rolling period, when the first
	// of it comes back. Zero: never, or nothing was spent.
	Resets time.Time
	Warned float64 // the highest of WarnAt that was reached; 0: none

	// RunsOut is when the budget is gone if it is used as it was so far; nil:
	// not in this window, or that cannot be told. Forecast is what will have
	// been spent when the window ends, of a rolling period at Resets, and four
	// windows of five end between ForecastLow and ForecastHigh; nil: unknown (see
	// Book.Learn). Only OwnBudgets and Budgets fill them in.
	RunsOut                   *time.Time
	Forecast                  *int64
	ForecastLow, ForecastHigh *int64

	// What tells the owner from another that had the same name before: the ID of a
	// key's account, or when the team was made.
	account string
	made    int64
}

// MarshalJSON writes {owner, usd or tokens or requests, per, spent, held,
// remaining, resets, warn_at, hard, runs_out, forecast, forecast_low,
// forecast_high}, resets null for never, and what else was
// given: models, time_zone, warned, carried and raised. Money is decimal text,
// other amounts are numbers. usd is what the budget allows now.
func (s BudgetStatus) MarshalJSON() ([]byte, error) {
	b, unit := &s.Budget, s.Budget.Unit()
	out := struct {
		Owner     OwnerName  `json:"owner"`
		USD       any        `json:"usd,omitempty"`
		Tokens    any        `json:"tokens,omitempty"`
		Requests  any        `json:"requests,omitempty"`
		Per       Period     `json:"per"`
		Spent     any        `json:"spent"`
		Held      any        `json:"held"`
		Remaining any        `json:"remaining"`
		Carried   any        `json:"carried,omitempty"`
		Raised    any        `json:"raised,omitempty"`
		Since     *time.Time `json:"since,omitempty"`
		Resets    *time.Time `json:"resets"`
		Models    []string   `json:"models,omitempty"`
		TimeZone  string     `json:"time_zone,omitempty"`
		WarnAt    []float64  `json:"warn_at"`
		Warned    float64    `json:"warned,omitempty"`
		Hard      bool       `json:"hard"`
		RunsOut   *time.Time `json:"runs_out"` // at the rate so far; null: not before it resets, or unknown
		Forecast  any        `json:"forecast"` // spent when it resets, at that rate; null: unknown
		Low       any        `json:"forecast_low"`
		High      any        `json:"forecast_high"`
	}{Owner: s.Owner, Per: b.Per, Spent: unit.json(s.Spent), Held: unit.json(s.Held), Remaining: unit.json(s.Remaining),
		Models: b.Models, TimeZone: b.TimeZone, WarnAt: b.WarnAt, Warned: s.Warned, Hard: b.Hard, RunsOut: s.RunsOut}
	switch limit := unit.json(s.Limit); unit {
	case UnitUSD:
		out.USD = limit
	case UnitTokens:
		out.Tokens = limit
	case UnitRequests:
		out.Requests = limit
	}
	if s.Forecast != nil {
		out.Forecast = unit.json(*s.Forecast)
	}
	if s.ForecastLow != nil && s.ForecastHigh != nil {
		out.Low, out.High = unit.json(*s.ForecastLow), unit.json(*s.ForecastHigh)
	}
	if s.Carried > 0 {
		out.Carried = unit.json(s.Carried)
	}
	if s.Raised > 0 {
		out.Raised = unit.json(s.Raised)
	}
	if !s.Since.IsZero() {
		out.Since = &s.Since
	}
	if !s.Resets.IsZero() {
		out.Resets = &s.Resets
	}
	if out.WarnAt == nil {
		out.WarnAt = []float64{}
	}
	return json.Marshal(out)
}

// Budgets is how the owner's own budgets and those above it stand, the owner's
// first, and before them those of the user and the tags that it is for.
func (o *Owner) Budgets(now time.Time) []BudgetStatus {
	var all []BudgetStatus
	for i := range o.links {
		if p := o.links[i].owner; p.isPerson() && p != o {
			all = append(all, p.OwnBudgets(now)...)
		}
	}
	for at := o; at != nil; at = at.parent {
		all = append(all, at.OwnBudgets(now)...)
	}
	return all
}

// OwnBudgets is how the owner's own budgets stand, in the order of the
// configuration.
func (o *Owner) OwnBudgets(now time.Time) []BudgetStatus {
	var all []BudgetStatus
	for i := range o.links {
		l := &o.links[i]
		if l.owner != o.self() || len(l.budgets) == 0 {
			continue
		}
		l.account.mu.Lock()
		for j := range l.budgets {
			l.budgets[j].meter.roll(now)
			s := l.budgets[j].status(now)
			s.foresee(l.budgets[j].meter.pace(s.Resets), l.budgets[j].meter.past, now)
			all = append(all, s)
		}
		l.account.mu.Unlock()
	}
	return all
}

// status is the state of a budget whose account is locked.
func (b *budgetLink) status(now time.Time) BudgetStatus {
	s := BudgetStatus{
		Owner: b.owner.ownerName(), Budget: *b.budget, Limit: b.limit(now), Spent: b.meter.total(), Held: b.meter.held,
		Remaining: max(b.left(now), 0), Raised: b.budget.raised(now), Since: b.meter.start(), Resets: b.meter.resets(), Warned: b.level(now),
	}
	if b.owner.Key != nil {
		s.account = b.owner.Key.account()
	} else {
		s.made = b.owner.more.made
	}
	if b.budget.CarryOver {
		s.Carried = b.meter.carried(b.budget.Amount())
	}
	return s
}

// reached tells whether spent is a share of a limit; the share counts to a
// millionth, so that what is money stays whole.
func reached(spent, limit int64, share float64) bool {
	var have, want wide
	have.addNano(1, max(spent, 0))
	want.product(int64(math.Round(share*1e6)), limit)
	return have.hi > want.hi || have.hi == want.hi && have.lo >= want.lo
}

func (o *Owner) ownerName() OwnerName {
	if o.Key != nil {
		return OwnerName{Key: o.Name}
	}
	if o.isPerson() {
		return OwnerName{Team: o.Team, User: o.more.user, Tag: o.more.tag}
	}
	return OwnerName{Team: o.Name}
}

// outOfBudget is the refusal by a budget. Trying again does not help: callers
// answer with x-should-retry: false.
func outOfBudget(s BudgetStatus) *schema.Error {
	b, unit := &s.Budget, s.Budget.Unit()
	per := " per " + string(b.Per)
	if b.Per == PeriodTotal {
		per = " in total"
	}
	if len(b.Models) > 0 {
		per += " for " + strings.Join(b.Models, ", ")
	}
	what := "is spent"
	if s.Remaining > 0 {
		what = fmt.Sprintf("has %s left, which does not cover this call", unit.Text(s.Remaining))
	} else if s.Spent < s.Limit {
		what = "is held by calls that are running"
	}
	when := ""
	if !s.Resets.IsZero() {
		when = "; it resets at " + s.Resets.Format(time.RFC3339)
	}
	return &schema.Error{
		Code: schema.CodeInsufficientQuota, Status: 429, Origin: schema.OriginPolicy, Type: "insufficient_quota",
		Message: fmt.Sprintf("the budget of %v (%s%s) %s%s", s.Owner, unit.Text(s.Limit), per, what, when),
	}
}
