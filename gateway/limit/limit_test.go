package limit

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var epoch = time.Unix(1_700_000_000, 0)

func TestWindow(t *testing.T) {
	l := New(Limit{Requests: 3, Per: time.Minute})
	take := func(after time.Duration) Verdict { return l.Take([]byte("a"), epoch.Add(after)) }
	for i, at := range []time.Duration{0, 10 * time.Second, 20 * time.Second} {
		if v := take(at); !v.OK || v.Remaining != int64(2-i) {
			t.Fatalf("request %d: %+v", i, v)
		}
	}
	v := take(30 * time.Second)
	if v.OK || v.Wait <= 30*time.Second || v.Wait > 31*time.Second {
		t.Fatalf("the fourth: %+v", v)
	}
	if take(60 * time.Second).OK {
		t.Error("let pass while the first may still count")
	}
	if !take(61 * time.Second).OK {
		t.Error("refused when the first is out of the window")
	}
	if !l.Take([]byte("b"), epoch).OK {
		t.Error("another's requests were counted")
	}
	if !take(10 * time.Minute).OK {
		t.Error("refused after a long time")
	}
	if !take(9 * time.Minute).OK { // a clock that went back counts at the time that was
		t.Error("refused when the clock went back")
	}
}

// Whatever comes when, no minute has more than the limit, and what waits as
// long as it was told passes.
func TestNoStretchHasMore(t *testing.T) {
	for range 20 {
		limit := 1 + rand.Int64N(20)
		l := New(Limit{Requests: limit, Per: time.Second})
		var passed []time.Time
		now := epoch
		for range 2000 {
			now = now.Add(time.Duration(rand.Int64N(int64(100 * time.Millisecond))))
			v := l.Take(nil, now)
			if !v.OK && rand.IntN(4) == 0 {
				if now = now.Add(v.Wait); !l.Take(nil, now).OK {
					t.Fatalf("limit %d: refused after the wait of %v", limit, v.Wait)
				}
				v.OK = true
			}
			if v.OK {
				passed = append(passed, now)
			}
			if n := len(passed) - int(limit) - 1; n >= 0 && passed[len(passed)-1].Sub(passed[n]) < time.Second {
				t.Fatalf("%d in %v", limit+1, passed[len(passed)-1].Sub(passed[n]))
			}
		}
	}
}

// A burst is saved up once, and comes back only from what is left unused.
func TestBurst(t *testing.T) {
	l := New(Limit{Requests: 10, Per: time.Minute, Burst: 5})
	count := func(at time.Time, tries int) (n int) {
		for range tries {
			if l.Take(nil, at).OK {
				n++
			}
		}
		return n
	}
	if n := count(epoch, 100); n != 15 {
		t.Fatalf("%d passed at once, want 15", n)
	}
	later := 0
	for i := range 1200 { // 20 minutes, much more than the limit
		later += count(epoch.Add(time.Duration(i+1)*time.Second), 3)
	}
	if later > 20*10+5 {
		t.Errorf("%d passed in twenty minutes at full load", later)
	}
	if n := count(epoch.Add(2*time.Hour), 100); n != 15 {
		t.Errorf("%d passed at once after quiet times, want 15", n)
	}
}

func TestParallel(t *testing.T) {
	l := New(Limit{Parallel: 2})
	a, b := l.Take(nil, epoch), l.Take(nil, epoch)
	if c := l.Take(nil, epoch); !a.OK || !b.OK || c.OK || c.Wait != 0 {
		t.Fatalf("%v %v %v", a.OK, b.OK, c)
	}
	a.Subject.Done()
	if !l.Take(nil, epoch).OK {
		t.Error("refused though one has ended")
	}
	var none *Subject
	none.Done()
}

func TestConcurrent(t *testing.T) {
	l := New(Limit{Requests: 100, Per: time.Minute})
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for range 20 {
				if l.Take([]byte("k"), epoch).OK {
					passed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if passed.Load() != 100 {
		t.Errorf("%d of 1000 passed, want 100", passed.Load())
	}
}

// However many callers there are, memory is bounded.
func TestManySubjects(t *testing.T) {
	l := New(Limit{Requests: 1, Per: time.Second, Parallel: 1})
	busy := l.Take([]byte("busy"), epoch)
	for i := range 2 * shards * mostSubjects {
		l.Take(fmt.Append(nil, i), epoch).Subject.Done()
	}
	n := 0
	for i := range l.shards {
		n += len(l.shards[i].subjects)
	}
	if n > shards*mostSubjects+shards {
		t.Errorf("%d subjects are kept", n)
	}
	if l.Take([]byte("busy"), epoch.Add(time.Hour)).OK {
		t.Error("a request that runs was forgotten")
	}
	busy.Subject.Done()
}

func TestTakeAllocates(t *testing.T) {
	l := New(Limit{Requests: 1 << 40, Per: time.Minute})
	name := []byte("key_17")
	if n := testing.AllocsPerRun(100, func() { l.Take(name, epoch) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
