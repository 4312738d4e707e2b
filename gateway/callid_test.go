package gateway

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestIDsAreUniqueAndSortByTime(t *testing.T) {
	s := newIDSource()
	begin := time.Unix(1_800_000_000, 0)
	var byTime []string
	for i := range 50 {
		byTime = append(byTime, s.next(begin.Add(time.Duration(i)*time.Millisecond)))
	}
	if !slices.IsSorted(byTime) {
		t.Fatalf("ids do not sort by time: %v", byTime)
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				id := s.next(begin)
				mu.Lock()
				if seen[id] {
					t.Errorf("id %s came twice", id)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id := range seen {
		if len(id) != 26 || !saneID([]byte(id)) {
			t.Fatalf("id %q is not 26 plain characters", id)
		}
	}
}

func TestIDsOfTwoProcessesDiffer(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	a, b := newIDSource(), newIDSource()
	b.count.Store(a.count.Load())
	if a.next(now) == b.next(now) {
		t.Fatal("two processes made the same id")
	}
}

func TestSaneID(t *testing.T) {
	for id, want := range map[string]bool{
		"abc-123_X.y:z": true, "": false, "a b": false, "a\nb": false, "ü": false, `a"b`: false,
		strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
	} {
		if got := saneID([]byte(id)); got != want {
			t.Errorf("saneID(%q) = %v", id, got)
		}
	}
}
