package shared

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// replica is a level, and what it was told to purge from memory.
type replica struct {
	*Level
	mu     sync.Mutex
	purged []Purge
}

func (r *replica) heard(p Purge) func() bool {
	return func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.Contains(r.purged, p)
	}
}

// forget forgets what was heard so far.
func (r *replica) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.purged = nil
}

// testRedis is the Redis that SLUICE_TEST_REDIS names. What tests write there has
// a name of its own, and a time.
func testRedis(t *testing.T) rueidis.ClientOption {
	t.Helper()
	text := os.Getenv("SLUICE_TEST_REDIS")
	if text == "" {
		t.Skip("SLUICE_TEST_REDIS is not set")
	}
	o, err := ParseURL(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func startReplica(t *testing.T, o rueidis.ClientOption) *replica {
	t.Helper()
	return startOn(t, Options{Redis: o})
}

func startOn(t *testing.T, o Options) *replica {
	t.Helper()
	r := &replica{}
	o.Log, o.Purge = slog.New(slog.NewTextHandler(io.Discard, nil)), func(p Purge) int64 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.purged = append(r.purged, p)
		return 1
	}
	r.Level = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { r.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return r
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

func (r *replica) up() bool { return r.Figures().Up }

func (r *replica) keep(mark Mark, key, value string, ttl time.Duration) {
	r.Put(mark, key, ttl, int64(len(value)), func() ([]byte, error) { return []byte(value), nil })
}

func (r *replica) has(key, want string) func() bool {
	return func() bool {
		list, ok := r.Get(key)
		return ok && string(list[0]) == want
	}
}

// A purge that was heard of elsewhere is logged, and told once Redis is there.
func TestRedisHeardElsewhere(t *testing.T) {
	o := testRedis(t)
	a := startReplica(t, o)
	x, y := rand.Text(), rand.Text()
	soon(t, "up", a.up)
	before := a.Mark()
	if n := a.Hear(context.Background(), Purge{Tag: x}); n != 1 || !a.Purged(before.ID, ofTag(x)) || a.Purged(a.Mark().ID, ofTag(x)) {
		t.Errorf("%d purged, or it is not known", n)
	}
	later := New(Options{Redis: o, Log: slog.New(slog.DiscardHandler), Purge: func(Purge) int64 { return 1 }})
	if n := later.Hear(context.Background(), Purge{Tag: y}); n != 1 || later.Figures().Pending != 1 {
		t.Errorf("without Redis: %d purged, %+v", n, later.Figures())
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { later.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	soon(t, "it is told to the other", a.heard(Purge{Tag: y}))
	soon(t, "up", func() bool { return later.Figures().Up })
	if !later.Purged(before.ID, ofTag(x)) || !later.Purged(before.ID, ofTag(y)) {
		t.Error("the log does not know it")
	}
}

// What one replica keeps another finds, until it is purged by anyone.
func TestRedisShared(t *testing.T) {
	o := testRedis(t)
	a, b := startReplica(t, o), startReplica(t, o)
	soon(t, "up", func() bool { return a.up() && b.up() })
	before, k := a.Mark(), "sluice:test:"+rand.Text()
	x, y, host := rand.Text(), rand.Text(), rand.Text()
	a.keep(before, k, "v", time.Minute)
	soon(t, "shared", b.has(k, "v"))
	a.keep(before, k+"brief", "v", 50*time.Millisecond)
	soon(t, "stored", func() bool { return a.Figures().Stored == 2 })
	soon(t, "its time is over", b.has(k+"brief", ""))

	if b.Purged(before.ID, ofTag(x)) {
		t.Error("purged before anything was")
	}
	if told := a.Purge(context.Background(), Purge{Tag: x}); told.Replicas != 2 || told.Purged != 1 {
		t.Errorf("told: %+v", told)
	}
	if !a.Purged(before.ID, ofTag(x)) || a.Purged(before.ID, ofTag(y)) || a.Purged(a.Mark().ID, ofTag(x)) {
		t.Error("who purges does not know it at once")
	}
	soon(t, "heard", b.heard(Purge{Tag: x}))
	if !b.Purged(before.ID, ofTag(x)) {
		t.Error("the other does not know it")
	}

	b.Change(k+"turn", host, "/path")
	soon(t, "the change is heard", a.heard(Purge{Host: host, Key: "/path"}))
	if b.heard(Purge{Host: host, Key: "/path"})() {
		t.Error("it hears its own change")
	}
	if list, ok := a.Get(k + "turn"); !ok || len(list[0]) == 0 {
		t.Error("a change has no turn")
	}

	for _, text := range []string{"nonsense", `{"tag":""}`, `{"tag":"` + y + `"}`} {
		c := a.session.Load().link.(*inRedis).client
		if err := c.Do(context.Background(), c.B().Publish().Channel(a.eventChannel()).Message(text).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	for name, r := range map[string]*replica{"a": a, "b": b} {
		soon(t, name+" heard the event", func() bool { return r.Purged(before.ID, ofTag(y)) && r.heard(Purge{Tag: y})() })
		if f := r.Figures(); f.Refused != 2 {
			t.Errorf("%s: %+v", name, f)
		}
	}
	late := startReplica(t, o)
	soon(t, "up", late.up)
	if !late.Purged(before.ID, ofTag(x)) || !late.Purged(before.ID, ofTag(y)) || late.Purged(before.ID, ofTag("others")) {
		t.Error("who comes later does not know what was purged")
	}
}

// While Redis is not there or does not answer, nothing is asked; what was purged
// meanwhile is told when it is back.
func TestRedisAway(t *testing.T) {
	o := testRedis(t)
	there := o.InitAddress[0]
	p := startPipe(t, there)
	away := o
	away.InitAddress = []string{p.addr}
	a, b := startReplica(t, away), startReplica(t, o)
	soon(t, "up", func() bool { return a.up() && b.up() })
	before, k := b.Mark(), "sluice:test:"+rand.Text()
	x, y, host := rand.Text(), rand.Text(), rand.Text()
	b.keep(before, k, "v", time.Minute)
	soon(t, "shared", a.has(k, "v"))

	p.cut()
	soon(t, "down", func() bool { return !a.up() })
	if _, ok := a.Get(k); ok || a.Mark() != (Mark{}) {
		t.Error("it is asked while it is away")
	}
	if told := a.Purge(context.Background(), Purge{Tag: x}); told.Replicas != 0 || a.Figures().Pending != 1 {
		t.Errorf("told: %+v, %+v", told, a.Figures())
	}
	a.Change(k+"turn", host, "/path")
	b.Purge(context.Background(), Purge{Tag: y})
	if b.Purged(before.ID, ofTag(x)) {
		t.Error("known before it was told")
	}
	a.forget()
	p.mend()
	soon(t, "up again", a.up)
	soon(t, "the purge is told", b.heard(Purge{Tag: x}))
	soon(t, "the change is told", b.heard(Purge{Host: host, Key: "/path"}))
	if !a.heard(Purge{})() || !a.Purged(before.ID, ofTag(y)) || a.Figures().Pending != 0 {
		t.Errorf("what was missed: %v, %+v", a.purged, a.Figures())
	}

	p.hold(true)
	for range mostSlow {
		if _, ok := a.Get(k); ok {
			t.Error("it answers")
		}
	}
	if a.up() || a.Figures().Errors < mostSlow {
		t.Errorf("it is asked although it does not answer: %+v", a.Figures())
	}
	p.hold(false)
}

// What waits to be written is bounded, and what finds no room is counted.
func TestWritesBounded(t *testing.T) {
	l := New(Options{Log: slog.New(slog.DiscardHandler)})
	mark := Mark{session: &session{}}
	for range mostWrites + 5 {
		l.Put(mark, "k", time.Minute, 1, nil)
	}
	if f := l.Figures(); f.Lost != 5 {
		t.Errorf("many: %+v", f)
	}
	l = New(Options{Log: slog.New(slog.DiscardHandler)})
	for range mostWriteBytes/MaxValue + 3 {
		l.Put(mark, "k", time.Minute, MaxValue, nil)
	}
	l.Put(mark, "k", time.Minute, MaxValue+1, nil) // not counted: it is never kept
	l.Put(Mark{}, "k", time.Minute, 1, nil)
	l.Put(mark, "k", 0, 1, nil)
	if f := l.Figures(); f.Lost != 3 {
		t.Errorf("large: %+v", f)
	}
	l.o.Purge = func(Purge) int64 { return 0 }
	for range mostPending + 1 {
		l.Purge(context.Background(), Purge{Tag: "x"})
	}
	if p, ok := l.takePending(); !ok || p != (Purge{}) || l.Figures().Pending != 0 {
		t.Errorf("many purges: %+v", p)
	}
}

// pipe is what stands between a replica and Redis.
type pipe struct {
	addr, to string
	ln       net.Listener
	mu       sync.Mutex
	conns    []net.Conn
	away     bool
	held     chan struct{} // nil: bytes pass
}

func startPipe(t *testing.T, to string) *pipe {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pipe{addr: ln.Addr().String(), to: to, ln: ln}
	t.Cleanup(func() { ln.Close(); p.cut() })
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			p.mu.Lock()
			if err != nil || p.away {
				in.Close()
			} else {
				p.conns = append(p.conns, in, out)
				go p.copy(out, in)
				go p.copy(in, out)
			}
			p.mu.Unlock()
		}
	}()
	return p
}

func (p *pipe) copy(to, from net.Conn) {
	defer to.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		p.mu.Lock()
		held := p.held
		p.mu.Unlock()
		if held != nil {
			<-held
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// cut breaks every connection and takes no other; mend takes them again.
func (p *pipe) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = true
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *pipe) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = false
}

// hold lets no byte pass while it is on.
func (p *pipe) hold(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on {
		p.held = make(chan struct{})
		return
	}
	close(p.held)
	p.held = nil
}
