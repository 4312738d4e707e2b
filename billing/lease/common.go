package lease

import (
	"strconv"
	"sync"
	"time"
)

// Common is how a budget stands at a replica that has one ledger with all others.
// That says what all have spent together, and not who has: so each tells what it
// has spent since its slice was made, and claims of that what the ledger has by
// now. What nobody claims is the base, which is as if one replica more had spent
// it. Who reads the ledger later than the claims, and takes them off, has never
// less than the base: at most what was on its way counts twice, until it is read
// again.
type Common struct {
	Shared             bool     // there is one ledger
	Owner              string   // what Replica begins with, in each slice that this replica has had
	Claim, ClaimBefore int64    // what the ledger has of Spent, and of Before
	Turn               int64    // counts how often a part of what is spent has left the window; 0: none does
	Sure               bool     // nothing is lost since the ledger was read: where there is no base, nothing was spent
	Reading            *Reading // what is to be the base; nil: what is
}

// Reading is what the ledger had that nobody claimed.
type Reading struct {
	Version      int64 // of the base that there was; another is not replaced
	Base, Before int64
	Exact        bool // nothing was on its way

	window string
	lost   int64
}

// Base is what the place knows of the base, and of claims on the ledger.
type Base struct {
	Version              int64 // counts how often it was read; 0: there is none
	Claims, ClaimsBefore int64 // of all other replicas
	Open                 bool  // others have spent more than they claim
	Exact                bool
	Age                  time.Duration
	Turn                 int64
	Taken                bool // what was read is the base
	Young                bool // the place has lost all, and waits for others: no reading is taken
}

// How often the base is read that is not exact: at first, and at last, and at
// least where something was refused for it.
const (
	readSoon    = 2 * time.Second
	readRefused = 10 * time.Second
	readLate    = 10 * time.Minute
)

// common is what a slice has beside of a budget in a ledger of all.
type common struct {
	id      string
	owner   string
	seek    func(urgent bool)
	sure    int64 // 1 more than the broker's lost when the ledger was read; 0: it is to be read
	seen    bool  // the window has a base
	seeking bool
	missed  bool // what was read last is not the base, so far
	reading *Reading
	last    Look
	wait    time.Duration
}

// Common makes the slice of a budget whose spending is in one ledger of all
// replicas. seek is called, under the lock, where that is to be read, and again where
// calls wait for it: Look tells how all stands before, and Read what came of it. Until it was read for the first
// time, and anew where the place may have lost something, nothing is lent but what
// the slice has.
func (b *Broker) Common(lock sync.Locker, state func(now time.Time) State, seek func(urgent bool)) *Slice {
	s := b.Slice(lock, state)
	owner := b.o.Replica + "."
	s.common = &common{id: owner + b.session + strconv.FormatInt(b.made.Add(1), 36), owner: owner, seek: seek, wait: readSoon}
	return s
}

// Look is how a budget stood in the place, and at this replica, at a time.
type Look struct {
	window        string
	turn          int64
	base          Base
	lost          int64
	claim, before int64 // this replica's
	open          bool
}

// Look tells how the budget stands before the ledger is read; false: there is no
// need to, now. The lock is held.
func (s *Slice) Look(now time.Time) (l Look, ok bool) {
	c := s.common
	st := s.state(now)
	l = c.last
	l.claim, l.before = st.Common.Claim, st.Common.ClaimBefore
	l.open = l.base.Open || st.Spent != l.claim
	if l.window == "" || l.window != st.Name || l.turn != st.Common.Turn { // others' claims are of another time
		c.seeking, c.missed = false, true
		s.broker.queue(s)
		return l, false
	}
	return l, true
}

// Read tells what the ledger says, later than a look, of the budget's window and of
// the one before; not ok: it could not be read. The lock is held.
func (s *Slice) Read(l *Look, ok bool, total, before int64) {
	c := s.common
	if c.seeking = false; !ok || s.ended {
		return
	}
	c.reading = &Reading{Version: l.base.Version, Base: total - l.base.Claims - l.claim, Before: before - l.base.ClaimsBefore - l.before,
		Exact: !l.open, window: l.window, lost: l.lost}
	s.broker.queue(s)
}

// Sure tells whether Others has all that others have spent. The lock is held.
func (s *Slice) Sure() bool { return s.common == nil || s.common.sure > 0 && s.common.seen }

// turn begins another window.
func (c *common) turn() {
	if c != nil {
		c.seen, c.last, c.wait = false, Look{}, readSoon
	}
}

// ask adds to what is asked; false: nothing may be lent before the ledger is read.
func (c *common) ask(a *Ask, lost int64) (lend bool) {
	if c == nil {
		return true
	}
	if c.sure != lost+1 {
		c.sure = 0
	}
	b := a.Slice
	b.Replica, b.Common.Shared, b.Common.Owner = c.id, true, c.owner
	b.Common.Sure = c.sure > 0 && !c.seen
	if c.reading != nil && c.reading.window == a.Name {
		b.Common.Reading = c.reading
	}
	c.missed = c.missed || c.reading != nil
	c.reading = nil
	return c.sure > 0
}

// answer takes in what came of it, and tells whether what the slice may have is
// sure.
func (c *common) answer(a *Ask, got *Base) (sure bool) {
	switch {
	case c == nil:
		return true
	case got.Version == 0:
		c.sure = 0
	case got.Taken:
		c.missed = false
		c.sure = a.Slice.Common.Reading.lost + 1
	}
	c.seen = got.Version > 0
	return c.sure > 0
}

// look has the ledger read where it is time.
func (s *Slice) look(got *Base, turn int64) {
	c := s.common
	if c == nil || s.ended {
		return
	}
	c.last = Look{window: s.window, turn: turn, base: *got, lost: s.broker.lost}
	if got.Young {
		s.untold = true // ask again
		s.broker.watch(s)
		return
	}
	wait := c.wait
	if s.none > 0 {
		wait = min(wait, readRefused)
	}
	if got.Exact {
		c.wait = readSoon
	}
	due := got.Turn < turn || !got.Exact && got.Age > wait
	if c.sure > 0 && (c.seeking || !due && !c.missed) {
		return
	}
	if c.sure > 0 && !got.Exact && !c.missed {
		c.wait = min(2*c.wait, readLate)
	}
	if !c.seeking || len(s.loans) > 0 {
		c.seeking = true
		c.seek(len(s.loans) > 0)
	}
}
