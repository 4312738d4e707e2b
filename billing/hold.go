package billing

import (
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
	o.book.holds.add(1, granted)
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
	if h.amount > 0 {
		o.book.holds.add(-1, -h.amount)
	}
	*h = Hold{}
	return excess
}

// Available is the least that any hard budget of the owner, or above it, has
// left for new calls: less than nothing after an excess. ok is false where there is
// no hard budget.
func (o *Owner) Available() (least Nano, ok bool) {
	if !o.hard {
		return 0, false
	}
	now := o.book.now()
	o.lock()
	defer o.unlock()
	for i := range o.links {
		l := &o.links[i]
		if l.budget == nil || !l.budget.Hard {
			continue
		}
		l.meter.roll(now, o.book.loc)
		if left := l.left(); !ok || left < least {
			least, ok = left, true
		}
	}
	return least, ok
}
