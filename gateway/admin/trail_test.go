package admin

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"sluice/gateway/audit"
)

// trailStore is the audit chain of the tests.
type trailStore struct {
	opened  map[int64]audit.Record
	records []audit.Record // oldest first
	n       int64
	broken  error
}

func (s *trailStore) Open(_ context.Context, r audit.Record) (int64, error) {
	if s.broken != nil {
		return 0, s.broken
	}
	if s.opened == nil {
		s.opened = map[int64]audit.Record{}
	}
	s.n++
	s.opened[s.n] = r
	return s.n, nil
}

func (s *trailStore) Opened(context.Context) (map[int64]audit.Record, error) {
	return s.opened, s.broken
}

func (s *trailStore) Append(_ context.Context, open int64, r audit.Record) (audit.Record, error) {
	if s.broken != nil {
		return r, s.broken
	}
	prev := ""
	if n := len(s.records); n > 0 {
		prev = s.records[n-1].Hash
	}
	if _, err := r.Seal(int64(len(s.records)+1), prev); err != nil {
		return r, err
	}
	delete(s.opened, open)
	s.records = append(s.records, r)
	return r, nil
}

func (s *trailStore) Records(_ context.Context, q audit.Query) ([]audit.Record, error) {
	out := slices.Clone(s.records)
	slices.Reverse(out)
	out = slices.DeleteFunc(out, func(r audit.Record) bool {
		return q.Before > 0 && r.Seq >= q.Before || q.Actor != "" && q.Actor != r.Actor || q.Action != "" && !strings.HasPrefix(r.Action, q.Action)
	})
	return out[:min(len(out), q.Limit)], s.broken
}

func (s *trailStore) Verify(context.Context) (audit.Verdict, error) {
	return audit.Verdict{OK: true, Count: int64(len(s.records))}, s.broken
}

var errTrail = errors.New("no space left")

// last is the newest record.
func (s *trailStore) last() audit.Record { return s.records[len(s.records)-1] }

func (s *trailStore) text() string {
	b, _ := json.Marshal(s.records)
	return string(b)
}
