package limit

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// service answers in 10 ms while it has at most room requests, and in
// proportion later with more.
type service struct {
	mu   sync.Mutex
	open int
	room int
}

func (s *service) serve() {
	s.mu.Lock()
	s.open++
	wait := 10 * time.Millisecond
	if s.open > s.room {
		wait = wait * time.Duration(s.open) / time.Duration(s.room)
	}
	s.mu.Unlock()
	time.Sleep(wait)
	s.mu.Lock()
	s.open--
	s.mu.Unlock()
}

// load has callers ask one after the other for some time, and tells how many
// requests were let through and how many were not.
func load(a *Adaptive, s *service, callers int, lasts time.Duration) (through, shed int) {
	var all sync.WaitGroup
	var mu sync.Mutex
	until := time.Now().Add(lasts)
	for range callers {
		all.Go(func() {
			for time.Now().Before(until) {
				p, ok := a.Take()
				if ok {
					s.serve()
					p.Record()
				} else {
					time.Sleep(10 * time.Millisecond)
				}
				mu.Lock()
				if ok {
					through++
				} else {
					shed++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return through, shed
}

// The bound rises while a service is as quick as ever, and falls as it slows
// down. Time is not the real one.
func TestAdaptive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told int64
		var mu sync.Mutex
		a := NewAdaptive(5, 200, func(n int64) { mu.Lock(); told = n; mu.Unlock() })
		if a.Bound() != 20 {
			t.Fatalf("it begins with %d", a.Bound())
		}
		s := &service{room: 1000}
		load(a, s, 60, time.Minute)
		quick := a.Bound()
		if quick < 60 {
			t.Errorf("a quick service gets %d at once, and 60 ask", quick)
		}
		if _, shed := load(a, s, 60, 10*time.Second); shed > 0 {
			t.Errorf("%d requests to a quick service were refused", shed)
		}
		s.room = 2
		load(a, s, 150, 5*time.Minute)
		if slow := a.Bound(); slow >= quick/2 {
			t.Errorf("a slow service gets %d at once, a quick one %d", slow, quick)
		}
		if _, shed := load(a, s, 150, 10*time.Second); shed == 0 {
			t.Error("nothing is refused")
		}
		if a.Open() != 0 || told != a.Bound() {
			t.Errorf("%d are open in the end; bound %d, told %d", a.Open(), a.Bound(), told)
		}
	})
}

// The bound stays within its own bounds.
func TestAdaptiveBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAdaptive(8, 12, func(int64) {})
		s := &service{room: 1000}
		load(a, s, 50, time.Minute)
		if a.Bound() != 12 {
			t.Errorf("bound %d, want at most 12", a.Bound())
		}
		load(a, s, 1, 10*time.Minute)
		if a.Bound() != 8 {
			t.Errorf("bound %d, want at least 8", a.Bound())
		}
		var out []Permit
		for range 20 {
			if p, ok := a.Take(); ok {
				out = append(out, p)
			}
		}
		if len(out) != 8 {
			t.Errorf("%d at once", len(out))
		}
		for _, p := range out {
			p.Drop()
		}
		if a.Open() != 0 {
			t.Errorf("%d are open", a.Open())
		}
	})
}
