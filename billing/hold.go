package billing

import (
	"fmt"
	"math"
	"time"

	"sluice/providers/schema"
)

// Hold is money set aside for one call, in every budget above its caller. The
// zero Hold is none, and its Settle does nothing.
type Hold struct {
	owner  *Owner
	amount Nano
}

// Limited tells whether a hard budget bounds the call, so that Amount is the
// most that it may cost.
func (h *Hold) Limited() bool { return h.owner != nil && h.owner.hard }

// Amount is what is set aside; 0 where no hard budget is.
func (h *Hold) Amount() Nano { return h.amount }

// Excess is the part of a cost that the hold does not cover; 0 where no hard
// budget is. It is what Settle will answer.
func (h *Hold) Excess(cost Nano) Nano {
	if !h.Limited() {
		return 0
	}
	return max(cost-h.amount, 0)
}

// HoldUpTo sets money aside for a call in all hard budgets, of the owner and
// above it, together or not at all: want if each has that much left, else what
// the scarcest has if that is min or more. Otherwise the error is
// insufficient_quota, naming the budget that is short and when it resets.
// Where there is no hard budget all of want is granted, and nothing set aside.
// Every Hold must be settled, whatever became of the call.
func (o *Owner) HoldUpTo(want, min Nano) (Hold, Nano, *schema.Error) {
	want = max(want, 0)
	if !o.hard || want == 0 { // what costs nothing needs no money
		return Hold{owner: o}, want, nil
	}
	if min > want {
		min = want
	}
	min = max(min, 1)
	now := o.book.now()
	o.lock()
	granted := want
	var short *link
	for i := range o.links {
		l := &o.links[i]
		if l.budget == nil || !l.budget.Hard {
			continue
		}
		l.meter.roll(now, o.book.loc)
		if left := l.left(); left < granted {
			granted, short = left, l
		}
	}
	if granted < min {
		status := short.status()
		o.unlock()
		return Hold{}, 0, outOfMoney(status)
	}
	for i := range o.links {
		if l := &o.links[i]; l.budget != nil {
			l.account.held += granted
		}
	}
	o.unlock()
	return Hold{owner: o, amount: granted}, granted, nil
}

// lock takes the locks of all accounts with a budget, in the order of ids.
func (o *Owner) lock() {
	for i := range o.links {
		if l := &o.links[i]; l.budget != nil {
			l.account.mu.Lock()
		}
	}
}

func (o *Owner) unlock() {
	for i := range o.links {
		if l := &o.links[i]; l.budget != nil {
			l.account.mu.Unlock()
		}
	}
}

// left is what a budget has for new calls; less than nothing after an excess.
func (l *link) left() Nano { return l.budget.USD - l.meter.spent - l.account.held }

// Settle charges what the call cost, at the time of its ledger entry, to every
// budget above its caller, soft ones too, and gives the rest of the hold back.
// What goes beyond the hold is charged as well, and returned. Only the first
// call of Settle does anything; copies of a Hold must not be settled too.
func (h *Hold) Settle(cost Nano, at time.Time) (excess Nano) {
	o := h.owner
	if o == nil {
		return 0
	}
	cost = max(cost, 0)
	excess = h.Excess(cost)
	for i := range o.links {
		l := &o.links[i]
		a := l.account
		if !a.metered.Load() {
			continue
		}
		a.mu.Lock()
		if l.budget != nil {
			a.held -= h.amount
		}
		for _, m := range a.meters {
			m.charge(cost, at, o.book.loc)
		}
		a.mu.Unlock()
	}
	*h = Hold{}
	return excess
}

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
			return l.status(), true
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
