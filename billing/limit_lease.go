package billing

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"sluice/billing/lease"
	"sluice/providers/schema"
)

// Share has limits of requests and tokens, and hard budgets, be those of all
// replicas together. ledger is the one that they all have; nil: each has its own,
// and what that holds counts as spent by this one. With one ledger, have Noting
// write to it, and Follow run. Set it before the first Rebuild.
func (b *Book) Share(leases *lease.Broker, ledger Ledger) { b.leases, b.common.ledger = leases, ledger }

// pools are the limits of one account that replicas share, in the order of
// Limits.bounds; nil where there was no such limit.
type pools [6]*lease.Pool

// share makes the pools that limits need.
func (l *limiter) share(leases *lease.Broker, o *Owner, limits *Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pools := &l.needRare().pools
	bounds := limits.bounds()
	for i := range bounds {
		b := &bounds[i]
		if b.limit == 0 || pools[i] != nil {
			continue
		}
		span := minuteSpan
		if b.day {
			span = daySpan
		}
		pools[i] = leases.Pool(o.sharedName(b.unit), lease.Window{Width: time.Duration(span.width) * time.Second, Slots: span.slots})
	}
	if limits.Parallel > 0 {
		r := l.needRare()
		if r.atOnce == nil {
			r.atOnce = leases.Slice(&l.mu, r.tell(o.sharedName(parallelCalls)))
		}
		r.most = limits.Parallel
	}
}

// tell tells replicas how many calls run here: a budget of which nothing is ever
// spent.
func (r *rare) tell(name string) func(time.Time) lease.State {
	return func(time.Time) lease.State {
		return lease.State{Name: name, Budget: lease.Budget{Base: r.running, Limit: r.most, Kept: time.Hour, Span: time.Hour}}
	}
}

// sharedName is what replicas know something of the owner by. Whoever reads it
// does not learn who that is.
func (o *Owner) sharedName(what string) string {
	kind, name := "team", o.Name
	switch {
	case o.Key != nil:
		kind, name = "key", o.Key.account()
	case o.isPerson():
		kind, name = o.more.kind(), o.Team+"\x00"+o.more.name()
	}
	sum := sha256.Sum256([]byte(kind + "\x00" + name + "\x00" + what))
	return hex.EncodeToString(sum[:16])
}

// leased is a permit of a call, and what it counts.
type leased struct {
	lease.Permit
	of func(use) int64
}

// lease takes what a call needs of all replicas' limits, where the replica's own
// have let it pass. If there is not enough, the call counts in nothing.
func (t *Ticket) lease(now time.Time) *schema.Error {
	o := t.owner
	if o == nil || o.book.leases == nil {
		return nil
	}
	atOnce := o.beginAtOnce(now) // so that one exchange is for all
	no := t.permits()
	if full := atOnce.end(no.by == nil); full != nil {
		no = refusal{by: full, what: parallelCalls, unit: "calls at once", limit: full.limits.Parallel, need: 1}
	}
	if no.by == nil {
		t.running = len(atOnce.of) > 0
		return nil
	}
	t.Cancel()
	at := o.book.steady(now)
	no.free += at/1e9 + 1
	return no.error(at)
}

// permits takes those of requests and tokens. free in the refusal is the seconds
// until there is room.
func (t *Ticket) permits() (no refusal) {
	u := use{1, t.ask.Input, t.ask.Output}
	var wants []lease.Want
	var of []*limitLink
	var by []bound
	for i := range t.owner.limits {
		l := &t.owner.limits[i]
		bounds := l.limits.bounds()
		for j := range bounds {
			if b := &bounds[j]; b.limit > 0 && b.of(u) > 0 {
				wants = append(wants, lease.Want{Pool: l.limiter.rare.pools[j], N: b.of(u), Limit: b.limit})
				of, by = append(of, l), append(by, *b)
			}
		}
	}
	if len(wants) == 0 {
		return no
	}
	permits, which, wait := t.owner.book.leases.Take(wants)
	if which >= 0 {
		b := &by[which]
		return refusal{by: of[which], what: b.what, unit: b.unit, day: b.day, limit: b.limit, need: wants[which].N, free: int64(wait / time.Second)}
	}
	for i := range permits {
		t.leased = append(t.leased, leased{permits[i], by[i].of})
	}
	return no
}

// atOnce is what a call is lent of how many may run at once.
type atOnce struct {
	leases *lease.Broker
	loans  []*lease.Loan
	of     []*limitLink
}

// beginAtOnce asks for a place among the calls of all replicas.
func (o *Owner) beginAtOnce(now time.Time) (a atOnce) {
	a.leases = o.book.leases
	for i := range o.limits {
		l := &o.limits[i]
		if l.limits.Parallel == 0 {
			continue
		}
		l.limiter.mu.Lock()
		a.loans = append(a.loans, l.limiter.rare.atOnce.Borrow(1, 1, now))
		l.limiter.mu.Unlock()
		a.of = append(a.of, l)
	}
	return a
}

// end waits for that, and has the call count if there was a place everywhere and
// it may run; else it tells where there was none.
func (a *atOnce) end(may bool) (full *limitLink) {
	if len(a.loans) == 0 {
		return nil
	}
	a.leases.Await(a.loans)
	for i, loan := range a.loans {
		if loan.Refused() {
			full = a.of[i]
		}
	}
	for i, loan := range a.loans {
		l := a.of[i].limiter
		l.mu.Lock()
		if may && full == nil {
			l.rare.running++
		}
		loan.Return()
		l.mu.Unlock()
	}
	return full
}

// settle changes what was counted for all replicas.
func (l *leased) settle(more use) { l.Change(l.of(more)) }

// shared is how a limit stands for all replicas together, where that is less
// than this one knows.
func (l *limiter) shared(i int, s LimitState) LimitState {
	if l.rare == nil || l.rare.pools[i] == nil {
		return s
	}
	left, full, ok := l.rare.pools[i].State(time.Now())
	if !ok {
		return s
	}
	s.Remaining, s.Reset = min(s.Remaining, max(left, 0)), max(s.Reset, full)
	return s
}
