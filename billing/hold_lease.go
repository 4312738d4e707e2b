package billing

import (
	"fmt"
	"strconv"
	"time"

	"sluice/billing/lease"
	"sluice/providers/schema"
)

// sharedMeter is what a meter has of a budget that replicas share. The account's
// lock guards it.
type sharedMeter struct {
	slice  *lease.Slice
	name   string
	budget *Budget    // as the last view has it
	owner  *Owner     // likewise
	common *unclaimed // nil: the ledger is this replica's own
}

// shares tells whether replicas share a budget. Those of users and tags that there
// is no more room for are one account here, of which no ledger knows.
func (b *Book) shares(o *Owner, budget *Budget) bool {
	return b.leases != nil && budget.Hard && (b.common.ledger == nil || !o.isPerson() || o.more.name() != Everyone)
}

// shareBudget has replicas share a hard budget of an owner.
func (a *account) shareBudget(m *meter, o *Owner, budget *Budget) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m.shared == nil {
		k := m.meterKey
		m.shared = &sharedMeter{name: o.sharedName(fmt.Sprintf("budget\x00%d\x00%s\x00%s\x00%s", k.unit, k.per, k.zone, k.models))}
		if b := o.book; b.common.ledger != nil {
			m.shared.common = &unclaimed{since: b.now().UnixNano()}
			m.shared.slice = b.leases.Common(&a.mu, m.state, func(urgent bool) { b.common.want(m, a, urgent) })
			m.begin()
		} else {
			m.shared.slice = b.leases.Slice(&a.mu, m.state)
		}
	}
	m.shared.budget, m.shared.owner = budget, o
}

// mostShared bounds amounts so that sums of them do not overflow.
const mostShared = 1 << 60

// state tells replicas how the budget stands here.
func (m *meter) state(now time.Time) lease.State {
	m.roll(now)
	b := m.shared.budget
	s := lease.State{Name: m.shared.name}
	s.Spent, s.Base, s.Limit = m.spent, m.spent+m.held, min(plus(b.Amount(), b.raised(now)), mostShared)
	if m.shared.common != nil {
		claims := m.claims()
		s.Common.Claim, s.Common.ClaimBefore = claims[0], claims[1]
	}
	const day = 24 * time.Hour
	switch {
	case m.hours != nil:
		s.Common.Turn = m.hour
		s.Span = time.Duration(len(m.hours)) * time.Hour
		s.Kept = 2 * s.Span
	case m.per != PeriodTotal:
		s.Name += ":" + strconv.FormatInt(m.since/1e9, 10)
		s.Kept = 2*time.Duration(m.until-m.since) + day
		if b.CarryOver {
			s.Former = m.shared.name + ":" + strconv.FormatInt(m.former/1e9, 10)
			s.Carry, s.Before, s.InUse = min(b.Amount(), mostShared), m.before, m.inUse
		}
	}
	return s
}

// others is what other replicas have spent, in the window and in the one before, as
// far as they have told.
func (m *meter) others() (now, before int64) {
	if m.shared == nil {
		return 0, 0
	}
	now, before = m.shared.slice.Others()
	if c := m.shared.common; c != nil {
		if !m.shared.slice.Sure() {
			return max(now, c.read[0]), max(before, c.read[1])
		}
		if !m.shared.budget.CarryOver { // nobody is asked for it
			before = c.read[1]
		}
	}
	return now, before
}

// total is what all replicas have spent, as far as they have told.
func (m *meter) total() int64 {
	others, _ := m.others()
	return m.spent + others
}

// othersBefore is what other replicas have spent in the window before.
func (m *meter) othersBefore() int64 {
	_, before := m.others()
	return before
}

// changed tells other replicas, soon.
func (m *meter) changed() {
	if m.shared != nil {
		m.shared.slice.Changed()
	}
}

// end tells that nothing is counted here any more.
func (m *meter) end() {
	if m.shared != nil {
		m.shared.slice.End()
	}
}

// loans are what a call is lent of the budgets that replicas share; nil: they share
// none.
type loans struct {
	list []*lease.Loan
	of   []*meter
	away bool // some of it could not be asked for
}

// borrow lends a call what it needs of all hard budgets that replicas share, or as
// much of it as there is. It may wait for that.
func (o *Owner) borrow(n Need, now time.Time) *loans {
	lent := &loans{}
	for i := range o.links {
		l := &o.links[i]
		for j := range l.budgets {
			b := &l.budgets[j]
			if !b.budget.Hard || b.meter.shared == nil || !b.meter.counts(n.Called) {
				continue
			}
			var want, least int64
			switch b.meter.unit {
			case UnitUSD:
				want, least = int64(n.USD), int64(n.MinUSD)
			case UnitTokens:
				want, least = n.Tokens, n.MinTokens
			case UnitRequests:
				want, least = n.Requests, n.Requests
			}
			if want <= 0 {
				continue
			}
			l.account.mu.Lock()
			lent.list = append(lent.list, b.meter.shared.slice.Borrow(min(want, mostShared), least, now))
			l.account.mu.Unlock()
			lent.of = append(lent.of, b.meter)
		}
	}
	if len(lent.list) > 0 {
		lent.away = !o.book.leases.Await(lent.list)
	}
	return lent
}

// bound is what a call may hold of a budget of which so much is left.
func (l *loans) bound(m *meter, left int64) int64 {
	for i := range l.of {
		if l.of[i] == m {
			return min(left, l.list[i].Got())
		}
	}
	return left
}

// giveBack ends the loans, when what is held is noted. The accounts are locked.
func (l *loans) giveBack() {
	if l == nil {
		return
	}
	for _, loan := range l.list {
		loan.Return()
	}
}

// refusal says why a budget has not enough for a call.
func (l *loans) refusal(s BudgetStatus) *schema.Error {
	if l == nil || !l.away {
		return outOfBudget(s)
	}
	return &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginGateway, RetryAfter: time.Second,
		Message: fmt.Sprintf("it cannot be told now what is left of the budget of %v, which replicas share; try again", s.Owner)}
}
