package shared

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// listener is news, and what was heard.
type listener struct {
	*News
	mu   sync.Mutex
	list map[string][]time.Duration // by the text: how long each time
}

// last is how long what was heard last lasts, and how often it was heard.
func (l *listener) last(text string) (left time.Duration, times int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if times = len(l.list[text]); times > 0 {
		left = l.list[text][times-1]
	}
	return left, times
}

func listenOn(t *testing.T, o rueidis.ClientOption) *listener {
	t.Helper()
	l := &listener{list: map[string][]time.Duration{}}
	l.News = NewNews(o, func(text string, left, _ time.Duration) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.list[text] = append(l.list[text], left)
	}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { l.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return l
}

func (l *listener) there() bool { return l.Figures().Up }

func (l *listener) knows(text string) func() bool {
	return func() bool { _, times := l.last(text); return times > 0 }
}

// What one replica has found the others hear, and those that start later, as long
// as it lasts; nobody hears one's own words.
func TestRedisNews(t *testing.T) {
	o := testRedis(t)
	a, b := listenOn(t, o), listenOn(t, o)
	soon(t, "up", func() bool { return a.there() && b.there() })
	name := rand.Text()
	open, rest, short, closed := name+" is {open} 1", name+" rests", name+" rests for a moment", name+" is closed"
	a.Tell(name, open, time.Minute)
	soon(t, "heard", b.knows(open))
	if left, times := b.last(open); left <= 50*time.Second || left > time.Minute || times != 1 {
		t.Errorf("%v are left", left)
	}
	a.Tell(short, short, 30*time.Millisecond)
	a.Tell(rest, rest, time.Hour)
	soon(t, "heard", b.knows(rest))
	time.Sleep(50 * time.Millisecond) // the short one is over

	late := listenOn(t, o)
	soon(t, "up", late.there)
	if !late.knows(open)() || !late.knows(rest)() || late.knows(short)() {
		t.Errorf("a later replica knows of %+v", late.list)
	}
	b.Tell(name, closed, 0)
	soon(t, "closed", func() bool { return late.knows(closed)() && a.knows(closed)() })
	if left, _ := a.last(closed); left != 0 || b.knows(closed)() || a.knows(open)() {
		t.Errorf("it lasts %v, or is heard by who has told it", left)
	}
	if f := b.Figures(); f.Told != 1 || f.Heard < 3 {
		t.Errorf("%+v", f)
	}
	last := listenOn(t, o)
	soon(t, "up", last.there)
	if last.knows(open)() || last.knows(closed)() || !last.knows(rest)() {
		t.Error("what is over is heard of")
	}
	a.Tell(rest, rest, 0) // and no more of it in Redis
	soon(t, "over", func() bool { left, times := last.last(rest); return left == 0 && times == 2 })
}

// Without Redis nobody waits; what lasts still is told when it is back.
func TestRedisNewsAway(t *testing.T) {
	o := testRedis(t)
	p := startPipe(t, o.InitAddress[0])
	through := o
	through.InitAddress = []string{p.addr}
	a, b := listenOn(t, through), listenOn(t, o)
	soon(t, "up", func() bool { return a.there() && b.there() })
	p.cut()
	soon(t, "down", func() bool { return !a.there() })
	name := rand.Text()
	for range mostNews + 5 {
		a.Tell(name, name+" closed", 0)
	}
	if f := a.Figures(); f.Lost < 5 {
		t.Errorf("%+v", f)
	}
	a.Tell(name+"a", name+"a", 20*time.Second)
	a.Tell(name+"short", name+"short", time.Millisecond)
	b.Tell(name+"b", name+"b", 20*time.Second)
	p.mend()
	soon(t, "told", b.knows(name+"a"))
	soon(t, "heard", a.knows(name+"b"))
	if b.knows(name+"short")() || b.knows(name+" closed")() {
		t.Error("what is over is told")
	}
}

// What lasts no time that can be read is not heard, and what is kept is bounded.
func TestNewsBounded(t *testing.T) {
	heard := 0
	n := NewNews(rueidis.ClientOption{}, func(text string, left, ago time.Duration) {
		if heard++; left != longestNews || ago != time.Second {
			t.Errorf("%s lasts %v, told %v ago", text, left, ago)
		}
	}, slog.New(slog.DiscardHandler))
	for _, left := range []string{"", "x", "-1", "9000000000000000000"} {
		n.take(left, "1000", "text")
	}
	n.take("1000", "-1", "text")
	if heard != 1 {
		t.Errorf("%d are heard", heard)
	}
	for i := range 2 * mostNewsKept {
		n.keep(fact{name: rand.Text(), until: time.Now().Add(time.Duration(i%2) * time.Hour)})
	}
	if len(n.mine) > mostNewsKept {
		t.Errorf("%d facts are kept", len(n.mine))
	}
}
