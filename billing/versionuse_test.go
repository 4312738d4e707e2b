package billing

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// versionShelf keeps uses in memory.
type versionShelf struct {
	mu     sync.Mutex
	kept   []VersionUse
	writes int
	broken error
}

func (s *versionShelf) AddVersionUses(_ context.Context, uses []VersionUse) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.broken == nil {
		s.kept = append(s.kept, uses...)
	}
	return s.broken
}

func (s *versionShelf) VersionUses(context.Context, VersionQuery) ([]VersionUse, error) {
	return s.kept, nil
}

func TestVersionUsesAreWrittenTogether(t *testing.T) {
	shelf := &versionShelf{}
	u := NewVersionUses(shelf, slog.New(slog.DiscardHandler))
	at := time.Date(2026, 11, 24, 12, 59, 59, 0, time.UTC)
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for i := range 250 {
				u.Count(VersionUse{Route: "r", Version: "1", Team: "t", Key: "t/k", Requests: 1, Refused: int64(i % 2), Last: at})
			}
		})
	}
	callers.Wait()
	u.Count(VersionUse{Route: "r", Version: "1", Team: "t", Key: "t/k", Requests: 1, Last: at.Add(time.Second)})
	shelf.broken = errors.New("locked")
	if err := u.Flush(t.Context()); err == nil {
		t.Error("a store that takes nothing is no error")
	}
	shelf.broken = nil
	got, err := u.Sum(t.Context(), VersionQuery{})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b VersionUse) int { return a.Last.Compare(b.Last) })
	want := []VersionUse{{"r", "1", "t", "t/k", 1000, 500, at}, {"r", "1", "t", "t/k", 1, 0, at.Add(time.Second)}}
	if !slices.Equal(got, want) || shelf.writes != 2 {
		t.Errorf("kept %+v by %d writes, want %+v by 2", got, shelf.writes, want)
	}
	if err := u.Flush(t.Context()); err != nil || shelf.writes != 2 {
		t.Errorf("nothing was written again: %v, %d writes", err, shelf.writes)
	}
	(*VersionUses)(nil).Count(VersionUse{})
}

func TestVersionUsesAreBounded(t *testing.T) {
	shelf := &versionShelf{}
	u := NewVersionUses(shelf, slog.New(slog.DiscardHandler))
	now := time.Now()
	for i := range mostVersionSeats + 10 {
		u.Count(VersionUse{Route: "r", Version: "1", Team: "t", Key: strconv.Itoa(i), Requests: 1, Last: now})
	}
	got, _ := u.Sum(t.Context(), VersionQuery{})
	i := slices.IndexFunc(got, func(v VersionUse) bool { return v.Team == "" })
	if len(got) != mostVersionSeats+1 || i < 0 || got[i].Requests != 10 {
		t.Errorf("%d rows, without a name %d", len(got), i)
	}
}
