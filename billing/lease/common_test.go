package lease

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// vault is a budget of 1000 whose base comes from a ledger.
type vault struct {
	mu    sync.Mutex
	base  Base
	rest  int64 // that nobody claims
	last  Budget
	takes bool // readings
}

func (v *vault) exchange(_ context.Context, asks []Ask) ([]Answer, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	b := *asks[0].Slice
	v.last = b
	taken := false
	switch r := b.Common.Reading; {
	case r != nil && r.Version == v.base.Version && v.takes:
		v.rest, v.base.Version, v.base.Exact, v.base.Turn, taken = r.Base, r.Version+1, r.Exact, b.Common.Turn, true
	case v.base.Version == 0 && b.Common.Sure:
		v.rest, v.base.Version, v.base.Exact, v.base.Turn = 0, 1, true, b.Common.Turn
	}
	base, room := v.base, b.Limit-v.rest
	if base.Taken = taken; base.Version == 0 {
		room = 0
	}
	mine := max(min(b.Need+b.Extra, room), b.Base)
	return []Answer{{Room: max(room-mine, 0), Slice: Share{Ceiling: mine, Others: v.rest, Base: base}}}, nil
}

// Nothing is lent before the ledger was read, and again when something may be
// lost; what others claim, and what the slice does, is no part of the base.
func TestCommon(t *testing.T) {
	v := &vault{takes: true, base: Base{Claims: 100, Open: true}}
	var lost, turn atomic.Int64
	b := New(Options{Exchange: v.exchange, Up: func() bool { return true }, Lost: lost.Load, Replica: "r"})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { b.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	soon(t, "running", b.Up)

	m := &meter{window: "w1"}
	wanted := make(chan struct{}, 100)
	m.slice = b.Common(&m.mu, func(now time.Time) State {
		s := m.state(now)
		s.Common.Claim, s.Common.Turn = m.spent, turn.Load()
		return s
	}, func(bool) { wanted <- struct{}{} })
	read := func(total int64) {
		t.Helper()
		<-wanted
		m.mu.Lock()
		look, ok := m.slice.Look(time.Now())
		m.mu.Unlock()
		m.mu.Lock()
		defer m.mu.Unlock()
		if !ok {
			t.Error("there is nothing to read")
		}
		m.slice.Read(&look, true, total, 0)
	}
	got := make(chan int64)
	hold := func(n int64) {
		go func() { n, _ := m.hold(b, n, 1); got <- n }()
	}
	lent := func(want int64) {
		t.Helper()
		if n := <-got; n != want {
			t.Errorf("%d are lent, want %d", n, want)
		}
	}

	hold(1000)
	read(500) // 100 of which others claim
	lent(600)
	v.mu.Lock()
	if r := v.last.Common; v.rest != 400 || v.base.Exact || r.Owner != "r." || len(v.last.Replica) < 3 || v.last.Replica[:2] != r.Owner {
		t.Errorf("%d %+v", v.rest, v.last)
	}
	v.mu.Unlock()
	m.settle(600, 50)
	hold(600)
	lent(550)
	m.settle(550, 0)

	v.mu.Lock()
	v.base = Base{} // all is lost
	v.mu.Unlock()
	lost.Add(1)
	hold(1000)
	read(350) // of which 50 are this replica's
	lent(650)
	m.settle(650, 0)

	m.mu.Lock()
	m.window, m.spent = "w2", 0
	m.mu.Unlock()
	v.mu.Lock()
	v.base = Base{}
	v.mu.Unlock()
	hold(1000) // a window that begins needs no ledger
	lent(1000)
	m.settle(1000, 0)

	turn.Add(1)
	m.mu.Lock()
	m.slice.Changed()
	m.mu.Unlock()
	read(0) // what was spent may have left the window
	soon(t, "it is of the new turn", func() bool { v.mu.Lock(); defer v.mu.Unlock(); return v.base.Turn == 1 })

	soon(t, "nothing is kept of it", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.slice.Changed()
		return m.slice.share.Ceiling == m.spent+m.held
	})

	// Another has read it meanwhile: this reading is nothing.
	v.mu.Lock()
	v.takes, v.base = false, Base{}
	v.mu.Unlock()
	lost.Add(1)
	hold(10)
	read(0)
	lent(0)
}
