package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
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

// Of those who want to keep something under one id, one does.
func TestReplaysSwapped(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, testAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	r, id, until := s.Replays(), [32]byte{1, 2, 3}, time.Unix(1_800_000_000, 0)
	for i, c := range []struct {
		was, data string
		want      bool
	}{{"", "a", true}, {"", "b", false}, {"b", "c", false}, {"a", "b", true}, {"a", "c", false}, {"b", "b", true}} {
		var was []byte
		if c.was != "" {
			was = []byte(c.was)
		}
		if ok, err := r.SwapReplay(ctx, id, until, was, []byte(c.data)); err != nil || ok != c.want {
			t.Errorf("%d: %v, %v", i, ok, err)
		}
	}
	var won atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if ok, err := r.SwapReplay(ctx, id, until, []byte("b"), []byte{'c', byte(i)}); err != nil {
				t.Error(err)
			} else if ok {
				won.Add(1)
			}
		})
	}
	if all.Wait(); won.Load() != 1 {
		t.Errorf("%d have kept something in the place of the same", won.Load())
	}
}
