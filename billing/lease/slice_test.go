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

// solo is a replica with one budget.
func solo(t *testing.T, p *purse, term time.Duration) (*Broker, *meter) {
	t.Helper()
	b := New(Options{Exchange: p.exchange, Up: func() bool { return true }, Term: term})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { b.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	soon(t, "running", b.Up)
	m := &meter{window: "w1"}
	m.slice = b.Slice(&m.mu, m.state)
	return b, m
}

// told waits until the place is told of a budget.
func (p *purse) told(t *testing.T, what string, is func(Budget) bool) {
	t.Helper()
	soon(t, what, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return is(p.last)
	})
}

// forget has the place lose all that it knows.
func (p *purse) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last, p.asked = Budget{}, 0
}

// What was spent is told again though nothing happens, for the place may have
// lost it; and so is what calls hold in a window that has begun, and no more when
// the budget is gone.
func TestToldAgain(t *testing.T) {
	p := &purse{room: 1000}
	b, m := solo(t, p, 300*time.Millisecond)
	if got, ok := m.hold(b, 30, 30); got != 30 || !ok {
		t.Fatal(got, ok)
	}
	m.settle(30, 30)
	p.told(t, "what was spent", func(b Budget) bool { return b.Spent == 30 && b.Base == 30 })
	for range 2 {
		p.forget()
		p.told(t, "what was spent, again", func(b Budget) bool { return b.Spent == 30 })
	}
	if got, ok := m.hold(b, 20, 20); got != 20 || !ok {
		t.Fatal(got, ok)
	}
	m.mu.Lock()
	m.window, m.spent = "w2", 0
	m.mu.Unlock()
	p.told(t, "what is held in the new window", func(b Budget) bool { return b.Spent == 0 && b.Base == 20 })
	m.mu.Lock()
	m.slice.End()
	m.mu.Unlock()
	soon(t, "nothing is left to say", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return !m.slice.queued && !m.slice.watched
	})
	m.settle(20, 20)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.slice.queued || m.slice.watched {
		t.Error("it is told of a budget that is gone")
	}
}

// What an exchange that failed was to tell is told by another, even if all that
// was held is given back.
func TestToldLater(t *testing.T) {
	p := &purse{room: 40}
	b, m := solo(t, p, time.Hour)
	for _, cost := range []int64{0, 7} {
		if got, ok := m.hold(b, 30, 30); got != 30 || !ok {
			t.Fatal(got, ok)
		}
		p.away.Store(true)
		failed := b.Figures().Failed
		m.settle(30, cost)
		soon(t, "an exchange that fails", func() bool { return b.Figures().Failed > failed })
		p.forget()
		p.away.Store(false)
		p.told(t, "what was given back", func(b Budget) bool { return b.Limit > 0 && b.Base == cost && b.Need == cost })
	}
}

// However many are queued, each exchange has only so many of them, and all have
// their turn.
func TestManyQueued(t *testing.T) {
	var most, asked atomic.Int64
	b := New(Options{Up: func() bool { return true }, Exchange: func(_ context.Context, asks []Ask) ([]Answer, error) {
		most.Store(max(most.Load(), int64(len(asks))))
		asked.Add(int64(len(asks)))
		return make([]Answer, len(asks)), nil
	}})
	const n = 3000
	for range n {
		m := &meter{window: "w"}
		m.slice = b.Slice(&m.mu, m.state)
		m.mu.Lock()
		m.slice.Changed()
		m.mu.Unlock()
	}
	b.exchange(t.Context())
	if asked.Load() != n || most.Load() != mostTogether {
		t.Errorf("%d in exchanges of up to %d", asked.Load(), most.Load())
	}
}
