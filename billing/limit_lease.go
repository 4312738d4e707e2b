package billing

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"sluice/billing/lease"
	"sluice/providers/schema"
)

// Share has limits of requests and tokens, and hard budgets, be those of all
// replicas together. Set it before the first Rebuild.
func (b *Book) Share(leases *lease.Broker) { b.leases = leases }

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

// lease takes the permits of a call that the replica's own limits have let pass.
// If there are none, the call counts in nothing.
func (t *Ticket) lease(now time.Time) *schema.Error {
	o := t.owner
	if o == nil || o.book.leases == nil {
		return nil
	}
	u := use{1, t.ask.Input, t.ask.Output}
	var wants []lease.Want
	var of []*limitLink
	var by []bound
	for i := range o.limits {
		l := &o.limits[i]
		bounds := l.limits.bounds()
		for j := range bounds {
			if b := &bounds[j]; b.limit > 0 && b.of(u) > 0 {
				wants = append(wants, lease.Want{Pool: l.limiter.rare.pools[j], N: b.of(u), Limit: b.limit})
				of, by = append(of, l), append(by, *b)
			}
		}
	}
	if len(wants) == 0 {
		return nil
	}
	permits, which, wait := o.book.leases.Take(wants)
	if which < 0 {
		for i := range permits {
			t.leased = append(t.leased, leased{permits[i], by[i].of})
		}
		return nil
	}
	t.Cancel()
	b, at := &by[which], o.book.steady(now)
	no := refusal{by: of[which], what: b.what, unit: b.unit, day: b.day, limit: b.limit, need: wants[which].N, free: (at+int64(wait))/1e9 + 1}
	return no.error(at)
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
