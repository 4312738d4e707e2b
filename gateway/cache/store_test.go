package cache

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func answer(name string, size int) *Answer {
	return &Answer{Key: Key{Name: name, Model: "m"}, Body: []byte(strings.Repeat("x", size)), Made: start, Until: start.Add(time.Minute)}
}

// However many answers are put at once, their bytes never go beyond the bound.
func TestBound(t *testing.T) {
	const most = 1 << 20
	s := New(most)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				s.Put(answer(fmt.Sprint(w, "/", i), i%3000), s.Purges())
				if _, bytes := s.Size(); bytes > most {
					t.Errorf("%d bytes", bytes)
				}
			}
		})
	}
	wg.Wait()
	n, bytes := s.Size()
	f := s.Figures(start)
	if f.Entries != n || f.Bytes != bytes || f.Kept != 16000 || f.Evicted != 16000-n || f.MaxBytes != most || bytes < most/2 {
		t.Errorf("%d entries of %d bytes: %+v", n, bytes, f)
	}
	if s.Put(answer("large", most/shards), s.Purges()) {
		t.Error("an answer larger than a shard is kept")
	}
	if f := s.Figures(start.Add(time.Hour)); f.Entries != 0 || f.Bytes != 0 || f.Expired != n {
		t.Errorf("%+v", f)
	}
}

func TestLifetime(t *testing.T) {
	s := New(1 << 20)
	s.Put(answer("a", 1), s.Purges())
	for _, c := range []struct {
		after, ttl time.Duration
		found      bool
	}{
		{59 * time.Second, time.Minute, true},
		{30 * time.Second, 20 * time.Second, false}, // the lifetime was made shorter
		{30 * time.Second, time.Hour, true},
		{time.Minute, time.Hour, false},
		{0, time.Hour, false}, // gone by now
	} {
		if a := s.Get("a", c.ttl, start.Add(c.after)); (a != nil) != c.found {
			t.Errorf("after %v with %v: %v", c.after, c.ttl, a)
		}
	}
}

// The least recently used goes first.
func TestOrderOfUse(t *testing.T) {
	s := New(16 * 3 * 2000)
	sh := s.shard("0")
	var names []string
	for i := 0; len(names) < 4; i++ {
		if name := fmt.Sprint(i); s.shard(name) == sh {
			names = append(names, name)
		}
	}
	for i, name := range names {
		if i == 3 {
			s.Get(names[0], time.Hour, start)
		}
		s.Put(answer(name, 1400), s.Purges())
	}
	for i, want := range []bool{true, false, true, true} {
		if a := s.Get(names[i], time.Hour, start); (a != nil) != want {
			t.Errorf("%d: %v", i, a)
		}
	}
}

func TestPurgesUnderWay(t *testing.T) {
	s := New(1 << 20)
	before := s.Purges()
	s.Purge(Selection{Tag: "x"})
	if s.Put(answer("a", 1), before) {
		t.Error("an answer from before a purge is kept")
	}
	if !s.Put(answer("a", 1), s.Purges()) {
		t.Error("it is not kept after")
	}
}

func TestIndex(t *testing.T) {
	s := New(64 << 20)
	here, there := [32]byte{1}, [32]byte{2}
	put := func(name string, group [32]byte, vector ...float32) {
		a := answer(name, 1)
		a.Point = NewPoint(group, vector)
		s.Put(a, s.Purges())
	}
	put("east", here, 2, 0)
	put("north", here, 0, 3)
	put("foreign", there, 1, 1)
	for _, c := range []struct {
		vector    []float32
		threshold float64
		want      string
	}{
		{[]float32{5, 0.1}, 0.99, "east"},
		{[]float32{0.1, 1}, 0.9, "north"},
		{[]float32{1, 1}, 0.8, ""},
		{[]float32{1.1, 1}, 0.7, "east"},
		{[]float32{1, 1, 1}, 0.1, ""},
	} {
		got := ""
		if a := s.Index.Nearest(NewPoint(here, c.vector), c.threshold, func(*Answer) bool { return true }); a != nil {
			got = a.Key.Name
		}
		if got != c.want {
			t.Errorf("%v: %q, want %q", c.vector, got, c.want)
		}
	}
	if NewPoint(here, []float32{0, 0}) != nil || NewPoint(here, nil) != nil {
		t.Error("nothing has a direction")
	}
	s.Purge(Selection{})
	if len(s.Index.groups) != 0 {
		t.Errorf("the index keeps %d groups of what is gone", len(s.Index.groups))
	}
	for i := range MaxPoints + 10 {
		put(fmt.Sprint(i), here, 1, float32(i))
	}
	if n := len(s.Index.groups[here]); n != MaxPoints {
		t.Errorf("%d points", n)
	}
}
