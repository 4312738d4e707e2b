package console

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sluice/gateway/audit"
)

// trailStore is the audit chain of the tests.
type trailStore struct {
	audit.Store // what is not written here is not asked
	records     []audit.Record
	bad         int64 // the first record that is not good; 0: all are
	broken      bool
}

var errTrail = errors.New("no space left")

func (s *trailStore) Open(context.Context, audit.Record) (int64, error) {
	if s.broken {
		return 0, errTrail
	}
	return 1, nil
}

func (s *trailStore) Append(_ context.Context, _ int64, r audit.Record) (audit.Record, error) {
	if s.broken {
		return r, errTrail
	}
	_, err := r.Seal(int64(len(s.records)+1), "")
	s.records = append(s.records, r)
	return r, err
}

func (s *trailStore) Records(_ context.Context, q audit.Query) ([]audit.Record, error) {
	out := slices.Clone(s.records)
	slices.Reverse(out)
	out = slices.DeleteFunc(out, func(r audit.Record) bool {
		return q.Before > 0 && r.Seq >= q.Before || q.Actor != "" && q.Actor != r.Actor || !strings.HasPrefix(r.Action, q.Action)
	})
	return out[:min(len(out), q.Limit)], nil
}

func (s *trailStore) Verify(context.Context) (audit.Verdict, error) {
	v := audit.Verdict{OK: s.bad == 0, Count: int64(len(s.records)), Head: "abcdef"}
	if s.bad > 0 {
		v.Broken, v.Count, v.Why = &s.bad, s.bad-1, "its hash is not that of its content"
	}
	return v, nil
}
