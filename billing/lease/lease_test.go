package lease

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// place is what replicas share, with one pool of one name: permits of one slot
// that never ends.
type place struct {
	mu    sync.Mutex
	taken int64
	down  atomic.Bool
	slow  atomic.Bool
	asked int
}

func (p *place) exchange(ctx context.Context, asks []Ask) ([]Answer, error) {
	if p.down.Load() {
		return nil, errors.New("down")
	}
	if p.slow.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	answers := make([]Answer, len(asks))
	for i := range asks {
		a := &asks[i]
		for _, c := range a.Back {
			p.taken += c.By
		}
		n := min(a.Need, a.Limit-p.taken)
		if n == a.Need {
			n += min(a.Extra, (a.Limit-p.taken-n)/4)
		}
		p.taken += n
		answers[i] = Answer{Counted: n, Slot: 1, Left: time.Hour, Room: a.Limit - p.taken, Wait: time.Minute, Full: time.Hour}
	}
	return answers, nil
}

func (p *place) is(taken int64) func() bool {
	return func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.taken == taken
	}
}

func (p *place) replica(t *testing.T) (b *Broker, stop func()) {
	t.Helper()
	b = New(Options{Exchange: p.exchange, Up: func() bool { return true }})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { b.Run(ctx); close(ended) }()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	soon(t, "running", b.Up)
	return b, stop
}

func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("after 10 s still not: %s", what)
}

// Whatever replicas ask at once, they get all of the limit and no more, with
// fewer exchanges than there were calls; what they do not use is given back.
func TestExact(t *testing.T) {
	p := &place{}
	var passed, refused atomic.Int64
	var calls sync.WaitGroup
	for range 3 {
		b, _ := p.replica(t)
		pool := b.Pool("x", Window{Width: time.Second, Slots: 61})
		for range 400 {
			calls.Go(func() {
				permits, which, wait := b.Take([]Want{{pool, 1, 100}})
				switch {
				case which >= 0 && wait > 0 && wait <= time.Minute+time.Second:
					refused.Add(1)
				case len(permits) == 1 && permits[0].pool == pool:
					passed.Add(1)
				}
			})
		}
	}
	calls.Wait()
	if n := passed.Load(); n < 98 || n > 100 || n+refused.Load() != 1200 {
		t.Errorf("%d passed, %d refused", n, refused.Load())
	}
	soon(t, "all that is unused is given back", p.is(passed.Load()))
	if p.asked > 600 {
		t.Errorf("%d exchanges", p.asked)
	}
}

// All that a call wants of several pools it gets, or nothing; what is refused,
// cancelled or not used up is given back.
func TestTogether(t *testing.T) {
	p, q := &place{}, &place{}
	b := New(Options{Up: func() bool { return true }, Exchange: func(ctx context.Context, asks []Ask) ([]Answer, error) {
		answers := make([]Answer, len(asks))
		for i := range asks {
			of := p
			if asks[i].Name == "q" {
				of = q
			}
			a, err := of.exchange(ctx, asks[i:i+1])
			if err != nil {
				return nil, err
			}
			answers[i] = a[0]
		}
		return answers, nil
	}})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { b.Run(ctx); close(ended) }()
	soon(t, "running", b.Up)
	few, many := b.Pool("p", Window{Width: time.Second, Slots: 61}), b.Pool("q", Window{Width: time.Second, Slots: 61})
	take := func(n int64) ([]Permit, int) {
		permits, which, _ := b.Take([]Want{{many, n, 1000}, {few, 1, 3}})
		return permits, which
	}
	var held []Permit
	for range 3 {
		permits, which := take(100)
		if which >= 0 {
			t.Fatalf("refused by %d", which)
		}
		held = append(held, permits...)
	}
	if _, which := take(100); which != 1 {
		t.Errorf("refused by %d, want the one of three", which)
	}
	soon(t, "what was refused is given back", q.is(300))
	held[0].Change(-60) // it used less
	held[2].Change(50)  // it used more
	soon(t, "what was used is told", q.is(290))
	held[4].Return()
	held[5].Return()
	held[5].pool = nil
	held[5].Return()
	soon(t, "what was cancelled is given back", func() bool { return p.is(2)() && q.is(190)() })
	if _, which := take(100); which >= 0 {
		t.Error("refused although there is room")
	}
	cancel()
	<-ended
	if _, which := take(100); which >= 0 || b.Figures().Alone < 2 {
		t.Errorf("after the end: %d, %+v", which, b.Figures())
	}
}

// Where the place does not answer, calls go on without, and do not wait longer
// than they should.
func TestAlone(t *testing.T) {
	p := &place{}
	b, _ := p.replica(t)
	pool := b.Pool("x", Window{Width: time.Second, Slots: 61})
	want := []Want{{pool, 1, 1}}
	take := func() bool { _, which, _ := b.Take(want); return which < 0 }
	p.down.Store(true)
	for range 3 {
		if !take() {
			t.Error("refused by nobody")
		}
	}
	if f := b.Figures(); f.Alone != 3 || f.Failed == 0 || f.Answered != 0 {
		t.Errorf("%+v", f)
	}
	p.down.Store(false)
	if !take() || take() {
		t.Error("it is not asked when it is back")
	}
	p.slow.Store(true)
	other := []Want{{b.Pool("y", Window{Width: time.Second, Slots: 61}), 1, 1}}
	if _, which, _ := b.Take(other); which >= 0 || b.Figures().Alone != 4 {
		t.Errorf("refused by %d while nothing answers, %+v", which, b.Figures())
	}
}

// At random, with give-backs in between, never more are out than the limit.
func TestRandom(t *testing.T) {
	p := &place{}
	var out atomic.Int64
	var calls sync.WaitGroup
	const limit = 500
	for range 3 {
		b, _ := p.replica(t)
		pool := b.Pool("x", Window{Width: time.Second, Slots: 61})
		for range 20 {
			calls.Go(func() {
				for range 100 {
					n := 1 + rand.Int64N(60)
					permits, which, _ := b.Take([]Want{{pool, n, limit}})
					if which >= 0 || permits[0].pool == nil {
						continue
					}
					if now := out.Add(n); now > limit {
						t.Errorf("%d are out", now)
					}
					time.Sleep(time.Duration(rand.Int64N(int64(time.Millisecond))))
					out.Add(-n)
					permits[0].Return()
				}
			})
		}
	}
	calls.Wait()
	soon(t, "all is given back", p.is(0))
}
