package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/billing"
)

func TestResponses(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, testAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	r := s.Responses()
	old, now := time.Unix(1_700_000_000, 0), time.Unix(1_800_000_000, 0)
	put := func(team, id, body string, at time.Time) {
		t.Helper()
		if err := r.PutResponse(ctx, team, id, at, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(team, id, body string) {
		t.Helper()
		got, err := r.Response(ctx, team, id)
		if body == "" {
			if !errors.Is(err, billing.ErrNotFound) {
				t.Errorf("%s of %s: %q, %v", id, team, got, err)
			}
			return
		}
		if err != nil || string(got) != body {
			t.Errorf("%s of %s: %q, %v, want %q", id, team, got, err, body)
		}
	}
	put("a", "r1", "one", old)
	put("", "r1", "whose it is", old)
	put("a", "r2", "two", now)
	put("b", "r1", "another team's", now)
	put("a", "r2", "two again", now)
	want("a", "r1", "one")
	want("a", "r2", "two again")
	want("b", "r1", "another team's")
	want("b", "r2", "")
	if err := r.ForgetResponses(ctx, now); err != nil {
		t.Fatal(err)
	}
	want("a", "r1", "")
	want("", "r1", "whose it is")
	if err := r.DeleteResponse(ctx, "b", "r1"); err != nil {
		t.Fatal(err)
	}
	want("b", "r1", "")
	want("a", "r2", "two again")
	if err := r.DeleteResponse(ctx, "b", "none"); err != nil {
		t.Errorf("deleting nothing: %v", err)
	}
}
