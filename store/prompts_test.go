package store

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/billing"
	"sluice/prompts"
)

func version(digest string) prompts.Version {
	return prompts.Version{Name: "sum", Digest: digest, Source: []byte("body of " + digest), Message: "m", Author: "ann", Created: noon}
}

func publish(t *testing.T, p *Prompts, digest string, want int, wantNew bool) {
	t.Helper()
	n, created, err := p.Publish(context.Background(), version(digest))
	if err != nil || n != want || created != wantNew {
		t.Fatalf("Publish(%s) = %d, %v, %v; want %d, %v", digest, n, created, err, want, wantNew)
	}
}

func TestPublish(t *testing.T) {
	ctx, p := context.Background(), testStore(t).Prompts()
	publish(t, p, "d1", 1, true)
	publish(t, p, "d1", 1, false)
	publish(t, p, "d2", 2, true)
	publish(t, p, "d1", 3, true) // what came back is a version of its own
	got, err := p.Versions(ctx, "sum")
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	want := version("d2")
	want.N, want.Parent = 2, 1
	if !reflect.DeepEqual(got[1], want) {
		t.Errorf("version 2 is %+v, want %+v", got[1], want)
	}
	labels, err := p.Labels(ctx, "sum")
	if err != nil || !reflect.DeepEqual(labels, map[string]int{"production": 3}) {
		t.Errorf("Labels = %v, %v", labels, err)
	}
}

func TestRollbackAndRepublish(t *testing.T) {
	ctx := context.Background()
	s := testStore(t)
	s.now = func() time.Time { return noon.Add(time.Hour) }
	p := s.Prompts()
	publish(t, p, "d1", 1, true)
	publish(t, p, "d2", 2, true)
	for _, err := range []error{p.MoveLabel(ctx, "sum", prompts.LabelMove{Label: "production", To: 1}), p.MoveLabel(ctx, "sum", prompts.LabelMove{Label: "staging", To: 2}), p.MoveLabel(ctx, "sum", prompts.LabelMove{Label: "staging", To: 2})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	publish(t, p, "d1", 1, false)
	publish(t, p, "d3", 3, true)
	versions, err := p.Versions(ctx, "sum")
	if err != nil || versions[2].Parent != 1 {
		t.Errorf("parent of 3 is %d, %v, want 1: what was production", versions[2].Parent, err)
	}
	if err := p.MoveLabel(ctx, "sum", prompts.LabelMove{Label: "staging", By: "admin"}); err != nil {
		t.Error(err)
	}
	if err := p.MoveLabel(ctx, "sum", prompts.LabelMove{Label: "staging"}); !errors.Is(err, billing.ErrNotFound) {
		t.Errorf("taken away twice: %v", err)
	}
	moves, err := p.Moves(ctx, "sum")
	move := func(label string, from, to int, at time.Time, by string) prompts.LabelMove {
		return prompts.LabelMove{Label: label, From: from, To: to, Time: at, By: by}
	}
	want := []prompts.LabelMove{move("production", 0, 1, noon, "ann"), move("production", 1, 2, noon, "ann"), move("production", 2, 1, s.now(), ""),
		move("staging", 0, 2, s.now(), ""), move("production", 1, 3, noon, "ann"), move("staging", 2, 0, s.now(), "admin")}
	if err != nil || !reflect.DeepEqual(moves, want) {
		t.Errorf("Moves = %v, %v; want %v", moves, err, want)
	}
}

func TestMoveLabelNeedsAVersion(t *testing.T) {
	ctx, p := context.Background(), testStore(t).Prompts()
	publish(t, p, "d1", 1, true)
	for _, c := range []struct {
		name string
		n    int
	}{{"sum", 2}, {"sum", 0}, {"other", 1}} {
		if err := p.MoveLabel(ctx, c.name, prompts.LabelMove{Label: "staging", To: c.n}); !errors.Is(err, billing.ErrNotFound) {
			t.Errorf("MoveLabel(%s, %d) = %v, want ErrNotFound", c.name, c.n, err)
		}
	}
}

func TestNames(t *testing.T) {
	ctx, p := context.Background(), testStore(t).Prompts()
	for _, name := range []string{"b", "a", "b"} {
		v := version("of " + name)
		v.Name = name
		if _, _, err := p.Publish(ctx, v); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := p.Names(ctx); err != nil || !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("Names = %v, %v", names, err)
	}
	if versions, err := p.Versions(ctx, "none"); err != nil || len(versions) != 0 {
		t.Errorf("Versions of none = %v, %v", versions, err)
	}
}

func TestPublishAtOnce(t *testing.T) {
	p := testStore(t).Prompts()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, _, err := p.Publish(context.Background(), version(string(rune('a'+i)))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	versions, err := p.Versions(context.Background(), "sum")
	if err != nil || len(versions) != 20 {
		t.Fatalf("%d versions, %v", len(versions), err)
	}
	for i, v := range versions {
		if v.N != i+1 || v.Parent != i {
			t.Errorf("version %d has number %d and parent %d", i+1, v.N, v.Parent)
		}
	}
}
