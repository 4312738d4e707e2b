package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/billing"
)

func TestReplays(t *testing.T) {
	ctx := context.Background()
	path := testAddress(t)
	open := func() *Store {
		s, err := Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	at := time.Unix(1_800_000_000, 0).UTC()
	put := func(id byte, expires time.Time, data string) {
		t.Helper()
		if err := s.Replays().PutReplay(ctx, [32]byte{id}, expires, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(id byte, data string, expires time.Time) {
		t.Helper()
		got, until, err := s.Replays().Replay(ctx, [32]byte{id})
		if data == "" {
			if !errors.Is(err, billing.ErrNotFound) {
				t.Errorf("%d: %q, %v; want none", id, got, err)
			}
			return
		}
		if err != nil || string(got) != data || !until.Equal(expires) {
			t.Errorf("%d: %q until %v, %v; want %q until %v", id, got, until, err, data, expires)
		}
	}
	for id := range byte(6) {
		put(id, at.Add(time.Duration(id)*time.Second), "old")
	}
	put(4, at.Add(4*time.Second), "new")
	want(4, "new", at.Add(4*time.Second))
	want(9, "", at)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer func() { _ = s.Close() }()
	if err := s.Replays().ForgetReplays(ctx, at.Add(time.Second), 100); err != nil {
		t.Fatal(err)
	}
	for id := range byte(6) {
		data := map[byte]string{0: "", 1: "", 4: "new"}
		if d, ok := data[id]; ok {
			want(id, d, at.Add(time.Duration(id)*time.Second))
		} else {
			want(id, "old", at.Add(time.Duration(id)*time.Second))
		}
	}
	if err := s.Replays().ForgetReplays(ctx, at, 2); err != nil {
		t.Fatal(err)
	}
	want(3, "", at)
	want(4, "new", at.Add(4*time.Second))
	want(5, "old", at.Add(5*time.Second))
}
