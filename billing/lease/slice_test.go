package lease

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// purse is a budget that one slice is of; others have what is not in it.
type purse struct {
	mu    sync.Mutex
	room  int64 // for the slice
	last  Budget
	asked int
	away  atomic.Bool
}

func (p *purse) exchange(_ context.Context, asks []Ask) ([]Answer, error) {
	if p.away.Load() {
		return nil, errors.New("away")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	b := *asks[0].Slice
	p.last = b
	mine := max(min(b.Need+b.Extra, p.room), b.Base)
	return []Answer{{Room: max(p.room-mine, 0), Slice: Share{Ceiling: mine, Others: b.Limit - p.room}}}, nil
}

// meter is what a slice is told of.
type meter struct {
	mu          sync.Mutex
	spent, held int64
	window      string
	slice       *Slice
}

func (m *meter) state(time.Time) State {
	return State{Name: m.window, Budget: Budget{Spent: m.spent, Base: m.spent + m.held, Limit: 1000}}
}

// hold lends a call up to n, at least least, and holds it.
func (m *meter) hold(b *Broker, n, least int64) (got int64, ok bool) {
	m.mu.Lock()
	l := m.slice.Borrow(n, least, time.Now())
	m.mu.Unlock()
	ok = b.Await([]*Loan{l})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held += l.Got()
	l.Return()
	l.Return() // once is enough
	return l.Got(), ok
}

func (m *meter) settle(held, cost int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held, m.spent = m.held-held, m.spent+cost
	m.slice.Changed()
}

func TestSlice(t *testing.T) {
	p := &purse{room: 100}
	b := New(Options{Exchange: p.exchange, Up: func() bool { return !p.away.Load() }, Replica: "r"})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { b.Run(ctx); close(ended) }()
	soon(t, "running", b.Up)
	m := &meter{window: "w1"}
	m.slice = b.Slice(&m.mu, m.state)
	want := func(n, least, got int64, known bool) {
		t.Helper()
		if lent, ok := m.hold(b, n, least); lent != got || ok != known {
			t.Errorf("%d, at least %d: got %d, %v, want %d, %v", n, least, lent, ok, got, known)
		}
	}
	told := func(what string, spent, need int64) {
		t.Helper()
		soon(t, what, func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.last.Spent == spent && p.last.Need == need && p.last.Extra == 0
		})
	}
	want(60, 60, 60, true)
	want(60, 50, 0, true)
	want(60, 10, 40, true)
	want(1, 1, 0, true)
	m.settle(60, 20)
	told("what was spent, and that the rest is given back", 20, 60)
	want(30, 30, 30, true)
	m.settle(30, 30)
	m.settle(40, 0)
	told("all that is used", 50, 50)

	p.away.Store(true)
	want(10, 10, 0, false)
	p.away.Store(false)
	soon(t, "what was not to be asked for is there", func() bool { got, _ := m.hold(b, 10, 10); return got == 10 })
	p.away.Store(true)
	m.mu.Lock()
	m.window, m.spent, m.held = "w2", 0, 0 // another window, of which it has nothing
	m.mu.Unlock()
	want(1, 1, 0, false)
	p.away.Store(false)
	soon(t, "the window after it", func() bool { got, _ := m.hold(b, 100, 100); return got == 100 })
	m.settle(100, 5)
	cancel()
	<-ended
	told("at the end nothing is kept", 5, 5)
	if p.last.Replica != "r" || p.last.Term != 30*time.Second {
		t.Errorf("%+v", p.last)
	}
}
