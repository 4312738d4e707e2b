package lease

import (
	"slices"
	"sync"
	"time"
)

// Budget is how a budget stands at one replica, and what that wants of it.
type Budget struct {
	Replica string
	Spent   int64 // in the budget's window, by this replica
	Base    int64 // that, and what calls hold
	Need    int64 // what it wants to be its own at least, Base and what it has spent included
	Extra   int64 // and more, if there is enough
	Limit   int64 // of all replicas, without what is carried over
	// Carry is how much of what the window before has left over is added to the
	// limit at most; 0: nothing.
	Carry  int64
	Former string // the name that the budget had then
	Before int64  // what this replica had spent then
	InUse  bool   // it had counted a call by then
	// Kept is how long what was spent is remembered; 0: for ever. Span is how long
	// a replica is remembered of which nothing is heard; 0: likewise.
	Kept, Span, Term time.Duration
	Common           Common
}

// Share is what came of it.
type Share struct {
	Ceiling int64 // what this replica may spend in the window: that is its own for Budget.Term
	Others  int64 // what all others have spent in it
	Before  int64 // and in the window before
	Base    Base
}

// State is how a budget stands at this replica.
type State struct {
	Name   string // of the budget and its window
	Budget        // but for Replica, Need, Extra and Term; of Common, what Owner says
}

// Slice is what a replica has of a budget of all: what it may spend before it has
// to ask for more. The lock that it was made with guards it, and what state tells.
type Slice struct {
	broker *Broker
	lock   sync.Locker
	state  func(now time.Time) State

	window   string // the name that the following are of
	share    Share
	plenty   bool      // more than a quarter of the budget is nobody's
	until    time.Time // when the ceiling is no longer this replica's
	renew    time.Time
	none     int64     // so much was not to be had, as was told last; 0: all was
	again    time.Time // when it is worth asking for that again
	reserved int64     // of loans
	loans    []*Loan   // that wait
	pledged  int64     // for those that the exchange under way is for
	untold   bool      // the last exchange failed
	ended    bool
	lost     int64 // the broker's, when the last exchange came back
	common   *common
	marks

	pace  pace
	last  time.Time // when something was used
	need  int64     // of the last call
	eased bool      // calls have ended, which was not told yet
}

// Loan is a part of a slice for one call, until that has noted what it holds.
type Loan struct {
	slice      *Slice
	n, least   int64
	got        int64
	state      state
	given, off bool // back; its caller does not wait any more
	done       chan struct{}
}

// Slice makes the slice of a budget. lock guards what state tells, and the slice.
func (b *Broker) Slice(lock sync.Locker, state func(now time.Time) State) *Slice {
	return &Slice{broker: b, lock: lock, state: state}
}

// turn begins anew where another window has begun.
func (s *Slice) turn(window string) {
	if s.window != window {
		s.window, s.share, s.plenty, s.none = window, Share{}, false, 0
		s.until, s.renew = time.Time{}, time.Time{}
		s.common.turn()
	}
}

// left is what is this replica's own and free. The lock is held.
func (s *Slice) left(st *State, now time.Time) int64 {
	if s.turn(st.Name); !now.Before(s.until) {
		return 0
	}
	return s.share.Ceiling - st.Base - s.reserved - s.pledged
}

// Others are what other replicas have spent, in the budget's window and in the
// one before, as far as it was told. The lock is held.
func (s *Slice) Others() (now, before int64) { return s.share.Others, s.share.Before }

// Forget tells that the budget's window has ended. The lock is held.
func (s *Slice) Forget() { s.turn("") }

// End tells that the budget is not kept here any more: what it is to say comes from
// another slice of its name, if from any. The lock is held.
func (s *Slice) End() {
	s.broker.queue(s) // a last time
	s.ended = true
}

// Borrow lends up to n, at least least, to a call. The lock is held, and must be
// let go before the loan is awaited.
func (s *Slice) Borrow(n, least int64, now time.Time) *Loan {
	l := &Loan{slice: s, n: n, least: max(min(least, n), 1)}
	st := s.state(now)
	now = time.Now() // the Book's clock may be another
	s.pace.use(n)
	s.last, s.need = now, n
	switch left := s.left(&st, now); {
	case len(s.loans) == 0 && left >= n:
		l.got, l.state = n, granted
		s.reserved += n
	case !s.broker.Up():
		s.lend(l, left, alone)
	case s.none > 0 && l.least >= s.none && now.Before(s.again):
		s.lend(l, left, refused)
	default:
		l.done = make(chan struct{})
		s.loans = append(s.loans, l)
		s.broker.queue(s)
	}
	return l
}

// lend gives a call what is left, if that is enough.
func (s *Slice) lend(l *Loan, left int64, otherwise state) {
	l.state = otherwise
	if left = min(left, l.n); left >= l.least {
		l.got, l.state = left, granted
		s.reserved += left
	}
	if l.done != nil {
		close(l.done)
	}
}

// Await waits until what calls are lent is known. Some of it may not be to be had
// because nobody could be asked: then ok is false.
func (b *Broker) Await(loans []*Loan) (ok bool) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	ok = true
	for _, l := range loans {
		if l.done != nil {
			select {
			case <-l.done:
			case <-timer.C:
				timer.Reset(0) // for the others
				l.leave()
			}
		}
		if l.state == alone {
			b.counts.alone.Add(1)
			ok = false
		}
	}
	return ok
}

// leave ends a loan that is not known yet.
func (l *Loan) leave() {
	l.slice.lock.Lock()
	defer l.slice.lock.Unlock()
	if l.state == waiting {
		l.state, l.off = alone, true
	}
}

// Got is what was lent.
func (l *Loan) Got() int64 { return l.got }

// Refused tells that nothing was lent, and that this is for good.
func (l *Loan) Refused() bool { return l.state == refused }

// Return ends a loan; what the call holds is noted by now. The lock is held.
func (l *Loan) Return() {
	if l.given {
		return
	}
	l.given = true
	if l.slice.reserved -= l.got; l.got > 0 {
		l.slice.broker.watch(l.slice)
	}
}

// Changed tells that something was spent or given back. The lock is held.
func (s *Slice) Changed() {
	switch {
	case s.ended:
	case s.plenty:
		s.broker.queueSoon(s)
	default:
		s.broker.queue(s)
	}
}

// Eased tells that a call has ended which has spent nothing, where something may be
// spent by none. While there is much left, that can wait until what lies unused is
// looked for. The lock is held.
func (s *Slice) Eased() {
	if !s.plenty || s.ended {
		s.Changed()
		return
	}
	s.eased = true
	s.broker.watch(s)
}

// ask is what the next exchange asks. What it gives back is given back here and
// now, before it is told.
func (s *Slice) ask(now time.Time) Ask {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.queued = false
	st := s.state(now)
	left := max(s.left(&st, now), 0)
	b := st.Budget
	b.Replica, b.Term = s.broker.o.Replica, s.broker.o.Term
	b.Base += s.reserved
	b.Need = b.Base
	a := Ask{Name: st.Name, Slice: &b}
	s.loans = slices.DeleteFunc(s.loans, func(l *Loan) bool { return l.off })
	lend := s.common.ask(&a, s.broker.lost)
	if lend {
		a.loans, s.loans = s.loans, nil
	}
	for _, l := range a.loans {
		b.Need += l.n
	}
	b.Extra = min(s.pace.ahead(now), b.Limit/100)
	if s.plenty && now.Sub(s.last) < s.broker.o.Term/3 { // there is enough for one call more
		b.Extra = max(b.Extra, min(left, s.need, b.Limit/100))
	}
	if !lend {
		b.Extra = 0
	}
	s.eased, s.pledged = false, b.Need-b.Base
	s.share.Ceiling = min(s.share.Ceiling, b.Need+b.Extra)
	return a
}

// answer takes in what came of an exchange that began at a time.
func (s *Slice) answer(a *Ask, got *Answer, began time.Time) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.pledged = 0
	now := time.Now()
	st := s.state(now)
	if s.turn(st.Name); s.window != a.Name { // it has ended meanwhile
		s.loans = append(a.loans, s.loans...)
		s.broker.queue(s)
		return
	}
	s.share, s.plenty, s.untold = got.Slice, got.Room > a.Slice.Limit/4, false
	s.lost = s.broker.lost
	s.until, s.renew = began.Add(s.broker.o.Term), began.Add(s.broker.o.Term/3)
	s.none, s.again = 0, began.Add(askAgain)
	if !s.common.answer(a, &got.Slice.Base) {
		s.loans = append(a.loans, s.loans...)
		a.loans = nil
	} else if len(s.loans) > 0 { // they have waited for that
		s.broker.queue(s)
	}
	for _, l := range a.loans {
		if l.off {
			continue
		}
		if s.lend(l, s.left(&st, now), refused); l.state == refused && (s.none == 0 || l.least < s.none) {
			s.none = l.least
		}
	}
	if s.none > 0 && s.left(&st, now) > 0 { // it is of no use here
		s.pace = pace{}
		s.broker.queue(s)
	} else if s.lasts(&st) {
		s.broker.watch(s)
	}
	s.look(&got.Slice.Base, a.Slice.Common.Turn)
}

// lasts tells whether there is something to say again and again: what is this
// replica's own, or what it has spent, which the place may have lost.
func (s *Slice) lasts(st *State) bool {
	return !s.ended && (st.Spent != 0 || st.Base != 0 || st.Before != 0 || s.share.Ceiling > st.Spent)
}

// fail tells those that wait that there is no answer: they get what there is.
func (s *Slice) fail(a *Ask) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.pledged = 0
	now := time.Now()
	st := s.state(now)
	for _, l := range a.loans {
		if !l.off {
			s.lend(l, s.left(&st, now), alone)
		}
	}
	s.untold = !s.ended // until it can be told
	s.broker.watch(s)
}

// sweep tells anew what the place is to know, and gives back what lies unused. Of
// a window that has just begun others are to know at once what calls hold.
func (s *Slice) sweep(now time.Time, all bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.watched = false
	st := s.state(now)
	idle := s.left(&st, now) > 0 && now.Sub(s.last) > idleTime && !s.plenty
	if all {
		s.plenty = false
	}
	if all || idle {
		s.pace = pace{} // nothing is kept
	}
	switch lasts := s.lasts(&st); {
	case all || idle || s.untold || s.eased || lasts && (now.After(s.renew) || s.lost != s.broker.lost):
		s.broker.queue(s)
	case lasts:
		s.broker.watch(s)
	}
}
