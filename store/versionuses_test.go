package store

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"sluice/billing"
)

func TestVersionUses(t *testing.T) {
	ctx := context.Background()
	path := testAddress(t)
	s, err := Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 24, 12, 30, 0, 0, time.UTC)
	use := func(route, version, team, key string, requests, refused int64, last time.Time) billing.VersionUse {
		return billing.VersionUse{Route: route, Version: version, Team: team, Key: key, Requests: requests, Refused: refused, Last: last}
	}
	for _, list := range [][]billing.VersionUse{
		{use("orders", "1", "a", "a/x", 2, 1, at), use("orders", "1", "b", "b/y", 9, 0, at), use("orders", "", "", "", 1, 0, at)},
		{use("orders", "1", "a", "a/x", 3, 0, at.Add(-time.Minute)), use("orders", "1", "a", "a/x", 4, 4, at.Add(2*time.Hour)), use("users", "2", "a", "a/x", 1, 0, at)},
	} {
		if err := s.VersionUses().AddVersionUses(ctx, list); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil { // it outlives the process
		t.Fatal(err)
	}
	if s, err = Open(ctx, path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := func(q billing.VersionQuery, uses ...billing.VersionUse) {
		t.Helper()
		got, err := s.VersionUses().VersionUses(ctx, q)
		if err != nil || !slices.Equal(got, uses) {
			t.Errorf("%+v: %+v, %v; want %+v", q, got, err, uses)
		}
	}
	unknown, mine := use("orders", "", "", "", 1, 0, at), use("orders", "1", "a", "a/x", 9, 5, at.Add(2*time.Hour))
	theirs, users := use("orders", "1", "b", "b/y", 9, 0, at), use("users", "2", "a", "a/x", 1, 0, at)
	want(billing.VersionQuery{}, unknown, mine, theirs, users)
	want(billing.VersionQuery{Route: "orders", Team: "a"}, mine)
	want(billing.VersionQuery{Key: "b/y"}, theirs)
	want(billing.VersionQuery{From: at, To: at.Add(time.Minute), Route: "orders", Team: "a"}, use("orders", "1", "a", "a/x", 5, 1, at))
	want(billing.VersionQuery{From: at.Add(time.Hour)}, use("orders", "1", "a", "a/x", 4, 4, at.Add(2*time.Hour)))
	want(billing.VersionQuery{To: at.Truncate(time.Hour)})
	if _, err := s.VersionUses().VersionUses(ctx, billing.VersionQuery{Most: 3}); !errors.As(err, new(billing.BadQuery)) {
		t.Errorf("more rows than may be: %v", err)
	}
	if err := s.VersionUses().ForgetVersionUses(ctx, at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	want(billing.VersionQuery{}, use("orders", "1", "a", "a/x", 4, 4, at.Add(2*time.Hour)))
}
