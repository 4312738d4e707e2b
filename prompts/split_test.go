package prompts

import (
	"context"
	"fmt"
	"maps"
	"math"
	"sync"
	"testing"
)

// splits is a Splits in memory.
type splits struct {
	mu      sync.Mutex
	state   map[string]SplitState
	stopped map[string]*SplitReport
	down    bool
}

func newSplits() *splits {
	return &splits{state: map[string]SplitState{}, stopped: map[string]*SplitReport{}}
}

func (s *splits) Split(_ context.Context, name string) (SplitState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return SplitState{}, errDown
	}
	return s.state[name], nil
}

func (s *splits) SetSplit(_ context.Context, name string, shares map[int]int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state[name] = SplitState{Since: s.state[name].Since + 1, Shares: maps.Clone(shares), Figures: map[int]ArmFigures{}}
	return nil
}

func (s *splits) StopSplit(_ context.Context, name string, r *SplitReport) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state[name], s.stopped[name] = SplitState{Since: s.state[name].Since + 1}, r
	return nil
}

func (s *splits) StoppedSplits(context.Context) (map[string]*SplitReport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errDown
	}
	return maps.Clone(s.stopped), nil
}

func (s *splits) CountJudged(_ context.Context, name string, since int64, version int, good bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.state[name]; st.Since == since {
		f := st.Figures[version]
		if f.Judged++; good {
			f.Good++
		}
		st.Figures[version] = f
	}
	return nil
}

// threeVersions has versions 1 to 3 of p.
func threeVersions(t *testing.T) (*shop, *splits) {
	t.Helper()
	s := newShop(t)
	sp := newSplits()
	s.Splits = sp
	for i := range 3 {
		source := fmt.Sprintf("---\nmodel: m/x\nsluice.path: /at%d\n---\nversion %d\n", i+1, i+1)
		if _, _, err := s.Publish(t.Context(), Publication{Name: "p", Source: []byte(source)}); err != nil {
			t.Fatal(err)
		}
	}
	return s, sp
}

func TestSplitShares(t *testing.T) {
	s, sp := threeVersions(t)
	live, _ := s.Snapshot().ByName("p")
	if got := s.Snapshot().Choose(live, "k"); got != live {
		t.Errorf("without a split version %d is chosen", got.Version)
	}
	for _, shares := range []map[int]int{{1: 90, 3: 10}, {1: 1, 2: 1, 3: 2}, {2: 5}} {
		if err := sp.SetSplit(t.Context(), "p", shares); err != nil {
			t.Fatal(err)
		}
		if err := s.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		set := s.Snapshot()
		if !maps.Equal(set.Split("p"), shares) {
			t.Errorf("split %v, want %v", set.Split("p"), shares)
		}
		s.store.down, sp.down = true, true // choosing asks no store
		const calls = 20_000
		counts, sum := map[int]int{}, 0
		for i := range calls {
			key := fmt.Sprintf("key_%d", i)
			l := set.Choose(live, key)
			counts[l.Version]++
			if again := set.Choose(live, key); again != l || l.Path != "/at3" {
				t.Fatalf("%s: version %d at %s, then %d", key, l.Version, l.Path, again.Version)
			}
		}
		for _, share := range shares {
			sum += share
		}
		for n, share := range shares {
			if got, want := float64(counts[n])/calls, float64(share)/float64(sum); math.Abs(got-want) > 0.007 {
				t.Errorf("%v: version %d has %.2f %%, want %.2f %%", shares, n, 100*got, 100*want)
			}
		}
		if len(counts) != len(shares) {
			t.Errorf("%v: versions %v were chosen", shares, counts)
		}
		s.store.down, sp.down = false, false
	}
}

func TestSplitComesAndGoes(t *testing.T) {
	s, sp := threeVersions(t)
	set := func(shares map[int]int) *Set {
		t.Helper()
		if err := sp.SetSplit(t.Context(), "p", shares); err != nil {
			t.Fatal(err)
		}
		if err := s.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s.Snapshot()
	}
	set(map[int]int{1: 1, 2: 1})
	sp.down = true
	if err := s.Refresh(t.Context()); err == nil || len(s.Snapshot().Split("p")) != 2 {
		t.Errorf("with the store down: %v, split %v", err, s.Snapshot().Split("p"))
	}
	sp.down = false
	if got := set(nil).Split("p"); got != nil {
		t.Errorf("after the end: %v", got)
	}
	set(map[int]int{1: 1})
	if err := s.Refresh(t.Context()); err != nil || len(s.Snapshot().Split("p")) != 1 {
		t.Errorf("refreshed: %v", err)
	}
	if _, _, err := s.Publish(t.Context(), Publication{Name: "p", Source: []byte("---\nmodel: m/x\n---\nfour\n")}); err != nil {
		t.Fatal(err)
	}
	live, _ := s.Snapshot().ByName("p")
	if got := s.Snapshot().Choose(live, "k"); got.Version != 4 {
		t.Errorf("after a publication version %d is served", got.Version)
	}
	if err := sp.SetSplit(t.Context(), "p", map[int]int{9: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Refresh(t.Context()); err == nil || s.Snapshot().Split("p") != nil {
		t.Errorf("a version that is not there: %v, split %v", err, s.Snapshot().Split("p"))
	}
}
