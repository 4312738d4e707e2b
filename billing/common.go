package billing

import (
	"cmp"
	"context"
	"sync"
	"time"
)

// Where all replicas have one ledger, that does not tell which of them has spent
// what: each counts what it has spent since it began to share a budget, and of that
// what it has brought into the ledger. The rest of the ledger is read for all: see
// lease.Common.

// commonLedger is the ledger that all replicas have, and what is to be read there.
type commonLedger struct {
	ledger Ledger // nil: each has its own
	wake   chan struct{}

	mu     sync.Mutex // taken after an account's
	wanted map[*meter]*account
	urgent map[*meter]*account // calls wait for it
}

// unclaimed is what a meter has beside of a budget of replicas with one ledger; of
// the window, and of the one before. The account's lock guards it.
type unclaimed struct {
	since int64    // of what was spent by calls that had begun earlier, some is not known here
	early [2]int64 // and so much of owed is
	owed  [2]int64 // what was spent here that the ledger has not yet
	read  [2]int64 // what the ledger had, when it was read last, that was not spent here
}

// common is nil where the meter has a ledger of this replica's own.
func (m *meter) common() *unclaimed {
	if m.shared == nil {
		return nil
	}
	return m.shared.common
}

// begin has a meter begin to share: all that it knows by now the ledger told, or
// will tell.
func (m *meter) begin() {
	m.shared.common.read = [2]int64{m.spent, m.before}
	m.spent, m.before = 0, 0
	clear(m.hours)
}

// turnShared begins another window, which follows that which was, or does not.
func (m *meter) turnShared(follows bool) {
	if m.shared == nil {
		return
	}
	if c := m.shared.common; c != nil {
		others, _ := m.others()
		was := *c
		*c = unclaimed{since: was.since}
		if follows {
			c.owed[1], c.early[1], c.read[1] = was.owed[0], was.early[0], others
		}
	}
	m.shared.slice.Forget()
}

// owe notes that something was spent in a part of the meter's time.
func (c *unclaimed) owe(n int64, part int, at time.Time) {
	c.owed[part] += n
	if at.UnixNano() < c.since {
		c.early[part] += n
	}
}

// pay notes that the ledger has something; false: it was not known here.
func (c *unclaimed) pay(n int64, part int, at time.Time) (known bool) {
	known = true
	if at.UnixNano() < c.since {
		known = n <= c.early[part]
		n = min(n, c.early[part])
		c.early[part] -= n
	}
	c.owed[part] -= n
	return known
}

// Noting is a ledger with which the Book notes what gets there.
func (b *Book) Noting(l Ledger) Ledger {
	if b.common.ledger == nil {
		return l
	}
	return noting{l, b}
}

type noting struct {
	Ledger
	book *Book
}

// Append appends, and notes it.
func (l noting) Append(ctx context.Context, entries []Entry) error {
	err := l.Ledger.Append(ctx, entries)
	if err == nil {
		l.book.appended(entries)
	}
	return err
}

// appended notes that the ledger has entries.
func (b *Book) appended(entries []Entry) {
	b.mu.Lock()
	view := b.latest
	b.mu.Unlock()
	for i := range entries {
		e := &entries[i]
		if o := cmp.Or(view.keys[e.KeyID], view.teams[e.Team]); o != nil && e.Attempt != Correction {
			b.paid(o.For(e.User, e.Tags), e)
		}
	}
}

// paid notes that the ledger has an entry of an owner.
func (b *Book) paid(o *Owner, e *Entry) {
	called, calls := calledAs(e.Model, e.Target), int64(0)
	if e.Attempt == 0 && !e.Refused {
		calls = 1
	}
	for i := range o.links {
		a := o.links[i].account
		if !a.metered.Load() {
			continue
		}
		a.mu.Lock()
		for _, m := range a.meters {
			c := m.common()
			if c == nil || !m.counts(called) {
				continue
			}
			part := m.part(e.Time)
			if part < 0 {
				continue
			}
			if !c.pay([...]int64{int64(e.Cost), e.Usage.Input + e.Usage.Output, calls}[m.unit], part, e.Time) {
				b.common.want(m, a, false)
			}
			m.changed() // or others would count it twice
		}
		a.mu.Unlock()
	}
}

// want has the ledger read for a meter, soon. Its account is locked.
func (l *commonLedger) want(m *meter, a *account, urgent bool) {
	l.mu.Lock()
	if urgent {
		l.urgent[m] = a
	} else {
		l.wanted[m] = a
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// next takes a meter that the ledger is to be read for; nil: there is none.
func (l *commonLedger) next() (*meter, *account) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, list := range []map[*meter]*account{l.urgent, l.wanted} {
		for m, a := range list {
			delete(l.urgent, m)
			delete(l.wanted, m)
			return m, a
		}
	}
	return nil, nil
}

// againTime is how long a ledger that could not be read is let alone.
const againTime = time.Second

// Follow reads the ledger of all replicas where that is needed, until ctx ends.
func (b *Book) Follow(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.common.wake:
		}
		for m, a := b.common.next(); m != nil; m, a = b.common.next() {
			if b.read(ctx, m, a) {
				continue
			}
			a.mu.Lock()
			b.common.want(m, a, false)
			a.mu.Unlock()
			select {
			case <-ctx.Done():
				return
			case <-time.After(againTime):
			}
		}
	}
}

// read reads the ledger for one meter; false: it is to be tried again.
func (b *Book) read(ctx context.Context, m *meter, a *account) bool {
	b.mu.Lock()
	view := b.latest
	a.mu.Lock()
	slice, c, budget, owner := m.shared.slice, m.shared.common, m.shared.budget, m.shared.owner
	look, ok := slice.Look(b.now())
	since, start, former, claims := m.since, m.start(), m.former, m.claims()
	a.mu.Unlock()
	b.mu.Unlock()
	if !ok || !view.has(owner) {
		return true
	}
	r := restoration{book: b, ledger: b.common.ledger, view: view, account: a, budgetLink: &budgetLink{owner: owner, budget: budget, meter: m}}
	now, err := r.used(ctx, Query{From: start})
	var before used
	if err == nil && budget.CarryOver {
		before, err = r.used(ctx, Query{From: time.Unix(0, former).UTC(), To: start})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	slice.Read(&look, err == nil, now.amount, before.amount)
	if err == nil && m.since == since {
		c.read[0] = now.amount - claims[0]
		if budget.CarryOver {
			c.read[1] = before.amount - claims[1]
		}
	}
	return err == nil
}

// has tells whether an owner's calls can be told from others' by the view.
func (v *Owners) has(o *Owner) bool {
	return o.Key != nil || v.teams[o.Team] == o || o.isPerson() && v.teams[o.Team] != nil
}

// claims is what the ledger has of what was spent here.
func (m *meter) claims() [2]int64 {
	c := m.shared.common
	return [2]int64{m.spent - max(c.owed[0], 0), m.before - max(c.owed[1], 0)}
}
