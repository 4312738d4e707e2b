package billing

import (
	"math"
	"time"

	"sluice/providers/schema"
)

// Called is the model that a call is for: the name that was asked for, as the
// ledger has it, and the provider/model if that name can mean nothing else.
// Either may match the models of a budget.
type Called struct{ Model, Target string }

// Need is what a call may use, and the least with which it can be made.
type Need struct {
	Called
	USD       Nano
	MinUSD    Nano
	Tokens    int64
	MinTokens int64
	Requests  int64 // 1, or 0 for what belongs to a request that was counted
}

// Hold is what is set aside for one call, in every budget above its caller. The
// zero Hold is none, and its Settle does nothing.
type Hold struct {
	owner    *Owner
	called   Called
	usd      Nano
	tokens   int64
	requests int64
	bound    Bound
	held     bool // in the meters
	warned   bool
}

// Bound tells which budgets apply to the calls of a model.
type Bound struct {
	Any     bool // one does
	USD     bool // one of money
	Hard    bool // a hard one
	HardUSD bool // a hard one of money
	Clamps  bool // a hard one of money or tokens: it bounds how long answers may be
}

// Bound is that of the owner's calls of a model.
func (o *Owner) Bound(c Called) Bound {
	if !o.choosy {
		return o.bound
	}
	return o.boundOf(c)
}

func (o *Owner) boundOf(c Called) (b Bound) {
	for i := range o.links {
		for j := range o.links[i].budgets {
			at := &o.links[i].budgets[j]
			if !at.meter.counts(c) {
				continue
			}
			b.Any = true
			b.Hard = b.Hard || at.budget.Hard
			b.Clamps = b.Clamps || at.budget.Hard && at.meter.unit != UnitRequests
			if at.meter.unit == UnitUSD {
				b.USD, b.HardUSD = true, b.HardUSD || at.budget.Hard
			}
		}
	}
	return b
}

// Bound tells which budgets apply to the call.
func (h *Hold) Bound() Bound { return h.bound }

// USD is the money that is set aside, or as much as was wanted where no hard
// budget of money is.
func (h *Hold) USD() Nano { return h.usd }

// Tokens is USD's like for tokens.
func (h *Hold) Tokens() int64 { return h.tokens }

// Warned tells whether a budget of the caller had reached a level to warn at,
// when the call was held for or settled.
func (h *Hold) Warned() bool { return h.warned }

// Excess is the part of a cost that the hold does not cover; 0 where no hard
// budget is. It is what Settle will answer.
func (h *Hold) Excess(cost Nano) Nano {
	if !h.bound.HardUSD {
		return 0
	}
	return max(cost-h.usd, 0)
}

// Hold sets aside what a call needs in all hard budgets, of the owner and
// above it, together or not at all: what is wanted if each has that much left,
// else what the scarcest has if that is the minimum or more. Otherwise the
// error is insufficient_quota, naming the budget that is short and when it
// resets. Where there is no hard budget all that is wanted is granted, and
// nothing set aside. Every Hold must be settled, whatever became of the call.
func (o *Owner) Hold(n Need) (Hold, *schema.Error) {
	n.USD, n.Tokens = max(n.USD, 0), max(n.Tokens, 0)
	h := Hold{owner: o, called: n.Called, usd: n.USD, tokens: n.Tokens, requests: n.Requests, bound: o.Bound(n.Called)}
	if !h.bound.Any {
		return h, nil
	}
	now := o.book.now()
	var lent *loans
	if h.bound.Hard && o.book.leases != nil {
		lent = o.borrow(n, now)
	}
	o.lock()
	if h.bound.Hard {
		if short := h.grant(n, now, lent); short != nil {
			status := short.status(now)
			lent.giveBack()
			o.unlock()
			return Hold{}, lent.refusal(status)
		}
	}
	h.held = true
	for i := range o.links {
		for j := range o.links[i].budgets {
			if b := &o.links[i].budgets[j]; b.meter.counts(n.Called) {
				b.meter.held += h.part(b.meter.unit)
				h.warned = h.warned || b.meter.warned > 0
			}
		}
	}
	lent.giveBack()
	o.unlock()
	o.book.holds.add(1, h.usd)
	return h, nil
}

// grant lowers what is held to what the hard budgets have; the one that has
// less than the minimum is returned.
func (h *Hold) grant(n Need, now time.Time, lent *loans) (short *budgetLink) {
	var usd, tokens *budgetLink // the scarcest
	for i := range h.owner.links {
		for j := range h.owner.links[i].budgets {
			b := &h.owner.links[i].budgets[j]
			if !b.budget.Hard || !b.meter.counts(n.Called) {
				continue
			}
			b.meter.roll(now)
			left := b.left(now)
			if lent != nil {
				left = lent.bound(b.meter, left)
			}
			switch b.meter.unit {
			case UnitUSD:
				if n.USD > 0 && left < int64(h.usd) { // what costs nothing needs no money
					h.usd, usd = Nano(left), b
				}
			case UnitTokens:
				if n.Tokens > 0 && left < h.tokens {
					h.tokens, tokens = left, b
				}
			case UnitRequests:
				if left < n.Requests {
					return b
				}
			}
		}
	}
	if usd != nil && h.usd < max(min(n.MinUSD, n.USD), 1) {
		return usd
	}
	if tokens != nil && h.tokens < max(min(n.MinTokens, n.Tokens), 1) {
		return tokens
	}
	return nil
}

// part is what is held in one unit.
func (h *Hold) part(u Unit) int64 {
	switch u {
	case UnitUSD:
		return int64(h.usd)
	case UnitTokens:
		return h.tokens
	}
	return h.requests
}

// lock takes the locks of all accounts with a budget, in the order of ids.
func (o *Owner) lock() {
	for i := range o.links {
		if l := &o.links[i]; len(l.budgets) > 0 {
			l.account.mu.Lock()
		}
	}
}

func (o *Owner) unlock() {
	for i := range o.links {
		if l := &o.links[i]; len(l.budgets) > 0 {
			l.account.mu.Unlock()
		}
	}
}

// limit is what the budget allows in the meter's window, with what is raised
// and carried over.
func (b *budgetLink) limit(now time.Time) int64 {
	n := plus(b.budget.Amount(), b.budget.raised(now))
	if b.budget.CarryOver {
		n = plus(n, b.meter.carried(b.budget.Amount()))
	}
	return n
}

// left is what a budget has for new calls; less than nothing after an excess.
func (b *budgetLink) left(now time.Time) int64 {
	return b.limit(now) - max(b.meter.total(), 0) - b.meter.held // what was credited is no budget
}

// Charge is what a call has used.
type Charge struct {
	USD    Nano
	Tokens int64 // input and output
}

// Grow sets aside more for a call that is running, as much as all hard budgets
// have of it; n.Requests and the minimums are not looked at. Where that is less
// than n the error is that of Hold.
func (h *Hold) Grow(n Need) *schema.Error {
	n.USD, n.Tokens = max(n.USD, 0), max(n.Tokens, 0)
	o := h.owner
	if !h.held || n.USD == 0 && n.Tokens == 0 {
		return nil
	}
	now := o.book.now()
	more := Hold{owner: o, called: h.called, usd: n.USD, tokens: n.Tokens}
	n.Called, n.Requests = h.called, 0
	var refusal *schema.Error
	var lent *loans
	if h.bound.Hard && o.book.leases != nil {
		lent = o.borrow(n, now) // as much as there is
	}
	o.lock()
	if h.bound.Hard {
		n.MinUSD, n.MinTokens = n.USD, n.Tokens
		if short := more.grant(n, now, lent); short != nil {
			status := short.status(now)
			status.Spent, status.Remaining = status.Limit, 0 // what is held is this call's, too
			refusal = lent.refusal(status)
			more.usd, more.tokens = max(more.usd, 0), max(more.tokens, 0)
		}
	}
	for i := range o.links {
		for j := range o.links[i].budgets {
			if b := &o.links[i].budgets[j]; b.meter.counts(h.called) {
				b.meter.held += more.part(b.meter.unit)
			}
		}
	}
	lent.giveBack()
	o.unlock()
	o.book.holds.add(0, more.usd)
	h.usd, h.tokens = h.usd+more.usd, h.tokens+more.tokens
	return refusal
}

// Settle charges what the call has used, at the time of its ledger entry, to
// every budget above its caller, soft ones too, and gives the rest of the hold
// back. Money beyond the hold is charged as well, and returned. Only the first
// call of Settle does anything; copies of a Hold must not be settled too.
func (h *Hold) Settle(used Charge, at time.Time) (excess Nano) {
	o := h.owner
	if o == nil {
		return 0
	}
	used.USD, used.Tokens = max(used.USD, 0), max(used.Tokens, 0)
	excess = h.Excess(used.USD)
	var warn []BudgetStatus
	for i := range o.links {
		l := &o.links[i]
		a := l.account
		if !a.metered.Load() {
			continue
		}
		a.mu.Lock()
		for _, m := range a.meters {
			if m.counts(h.called) {
				m.charge([...]int64{int64(used.USD), used.Tokens, h.requests}[m.unit], at)
				if h.requests > 0 || used != (Charge{}) {
					m.called(at)
				}
				m.changed()
			}
		}
		for j := range l.budgets {
			b := &l.budgets[j]
			if !b.meter.counts(h.called) {
				continue
			}
			if h.held {
				b.meter.held -= h.part(b.meter.unit)
			}
			b.meter.changed() // it need not be the account's any more
			if b.passesLevel(at) {
				warn = append(warn, b.status(at))
			}
			h.warned = h.warned || b.meter.warned > 0
		}
		a.mu.Unlock()
	}
	for i := range warn {
		o.book.warn(warn[i])
	}
	if h.held {
		o.book.holds.add(-1, -h.usd)
	}
	*h = Hold{warned: h.warned}
	return excess
}

// Release gives the hold back for a call that was refused after all: not even
// the request counts.
func (h *Hold) Release(at time.Time) {
	if h.owner != nil {
		h.owner.unrequest(h)
	}
	h.Settle(Charge{}, at)
}

// unrequest takes the request out of what is held.
func (o *Owner) unrequest(h *Hold) {
	if h.held && h.requests > 0 {
		o.lock()
		for i := range o.links {
			for j := range o.links[i].budgets {
				if b := &o.links[i].budgets[j]; b.meter.unit == UnitRequests && b.meter.counts(h.called) {
					b.meter.held -= h.requests
				}
			}
		}
		o.unlock()
	}
	h.requests = 0
}

// passesLevel notes the highest level to warn at that is reached, and tells
// whether it is a new one.
func (b *budgetLink) passesLevel(now time.Time) bool {
	if len(b.budget.WarnAt) == 0 {
		return false
	}
	was := b.meter.warned
	b.meter.warned = b.level(now)
	return b.meter.warned > was
}

// level is the highest level to warn at that is reached; 0: none.
func (b *budgetLink) level(now time.Time) (highest float64) {
	limit := b.limit(now)
	for _, share := range b.budget.WarnAt {
		if share > highest && reached(b.meter.total(), limit, share) {
			highest = share
		}
	}
	return highest
}

// Left is the least that hard budgets have left for new calls of a model: less
// than nothing after an excess, math.MaxInt64 where none is.
func (o *Owner) Left(c Called) (usd Nano, tokens int64) {
	usd, tokens = math.MaxInt64, math.MaxInt64
	if !o.hard {
		return usd, tokens
	}
	now := o.book.now()
	o.lock()
	defer o.unlock()
	for i := range o.links {
		for j := range o.links[i].budgets {
			b := &o.links[i].budgets[j]
			if !b.budget.Hard || !b.meter.counts(c) {
				continue
			}
			b.meter.roll(now)
			switch left := b.left(now); b.meter.unit {
			case UnitUSD:
				usd = min(usd, Nano(left))
			case UnitTokens:
				tokens = min(tokens, left)
			}
		}
	}
	return usd, tokens
}
