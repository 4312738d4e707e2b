package billing

import (
	"fmt"
	"math"
	"time"

	"sluice/providers/schema"
)

// OwnerName says whose a budget is; one of the two is set.
type OwnerName struct {
	Team string `json:"team,omitempty"`
	Key  string `json:"key,omitempty"` // team/name
}

// String is the owner for messages: team "a", or key "a/b".
func (n OwnerName) String() string {
	if n.Key != "" {
		return fmt.Sprintf("key %q", n.Key)
	}
	return fmt.Sprintf("team %q", n.Team)
}

// BudgetStatus is how a budget stands.
type BudgetStatus struct {
	Owner     OwnerName `json:"owner"`
	USD       Nano      `json:"usd"`
	Per       Period    `json:"per"`
	Spent     Nano      `json:"spent"`
	Held      Nano      `json:"held"`
	Remaining Nano      `json:"remaining"` // never negative
	// Resets is when the window ends; of a rolling period, when the first
	// money comes back. Zero: never, or nothing was spent.
	Resets time.Time `json:"resets,omitzero"`
	WarnAt []float64 `json:"warn_at,omitempty"`
	Hard   bool      `json:"hard"`
	Warned float64   `json:"warned,omitempty"` // the highest of WarnAt that was reached; 0: none

	// RunsOut is when the money is gone if it is spent as it was so far; nil:
	// not in this window, or that cannot be told. Forecast is what will have
	// been spent when the window ends, of a rolling period at Resets. Only
	// Budget and Budgets fill them in.
	RunsOut  *time.Time `json:"runs_out"`
	Forecast *Nano      `json:"forecast"`
}

// Budgets is how the owner's own budget and those above it stand, the owner's
// first.
func (o *Owner) Budgets(now time.Time) []BudgetStatus {
	var all []BudgetStatus
	for at := o; at != nil; at = at.parent {
		if s, ok := at.Budget(now); ok {
			all = append(all, s)
		}
	}
	return all
}

// Budget is how the owner's own budget stands; false: it has none.
func (o *Owner) Budget(now time.Time) (BudgetStatus, bool) {
	for i := range o.links {
		if l := &o.links[i]; l.owner == o && l.budget != nil {
			l.account.mu.Lock()
			defer l.account.mu.Unlock()
			l.meter.roll(now, o.book.loc)
			s := l.status()
			s.foresee(l.meter.pace(s.Resets), now)
			return s, true
		}
	}
	return BudgetStatus{}, false
}

// status is the state of a link with a budget, whose account is locked.
func (l *link) status() BudgetStatus {
	s := BudgetStatus{
		Owner: l.owner.ownerName(), USD: l.budget.USD, Per: l.budget.Per,
		Spent: l.meter.spent, Held: l.account.held, Remaining: max(l.left(), 0),
		Resets: l.meter.resets(), WarnAt: l.budget.WarnAt, Hard: l.budget.Hard,
	}
	for _, share := range s.WarnAt {
		if share > s.Warned && reached(s.Spent, s.USD, share) {
			s.Warned = share
		}
	}
	return s
}

// reached tells whether spent is a share of usd; the share counts to a
// millionth, so that what is money stays whole.
func reached(spent, usd Nano, share float64) bool {
	var have, want wide
	have.addNano(1, int64(spent))
	want.product(int64(math.Round(share*1e6)), int64(usd))
	return have.hi > want.hi || have.hi == want.hi && have.lo >= want.lo
}

func (o *Owner) ownerName() OwnerName {
	if o.Key != nil {
		return OwnerName{Key: o.Name}
	}
	return OwnerName{Team: o.Name}
}

// outOfMoney is the refusal by a budget. Trying again does not help: callers
// answer with x-should-retry: false.
func outOfMoney(s BudgetStatus) *schema.Error {
	per := " per " + string(s.Per)
	if s.Per == PeriodTotal {
		per = " in total"
	}
	what := "is spent"
	if s.Remaining > 0 {
		what = fmt.Sprintf("has %v USD left, which does not cover this call", s.Remaining)
	} else if s.Spent < s.USD {
		what = "is held by calls that are running"
	}
	when := ""
	if !s.Resets.IsZero() {
		when = "; it resets at " + s.Resets.Format(time.RFC3339)
	}
	return &schema.Error{
		Code: schema.CodeInsufficientQuota, Status: 429, Origin: schema.OriginPolicy, Type: "insufficient_quota",
		Message: fmt.Sprintf("the budget of %v (%v USD%s) %s%s", s.Owner, s.USD, per, what, when),
	}
}
