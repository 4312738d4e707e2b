package store

import (
	"context"
	"errors"
	"maps"
	"testing"

	"sluice/billing"
	"sluice/prompts"
)

func TestSplits(t *testing.T) {
	ctx, p := context.Background(), testStore(t).Prompts()
	for i, d := range []string{"d1", "d2", "d3"} {
		publish(t, p, d, i+1, true)
	}
	want := func(shares map[int]int) {
		t.Helper()
		if got, err := p.Split(ctx, "sum"); err != nil || !maps.Equal(got, shares) {
			t.Errorf("Split = %v, %v; want %v", got, err, shares)
		}
	}
	set := func(shares map[int]int) {
		t.Helper()
		if err := p.SetSplit(ctx, "sum", shares); err != nil {
			t.Fatal(err)
		}
		want(shares)
	}
	want(map[int]int{})
	set(map[int]int{1: 90, 3: 10})
	set(map[int]int{2: 1})
	if err := p.SetSplit(ctx, "sum", map[int]int{1: 1, 4: 1}); !errors.Is(err, billing.ErrNotFound) {
		t.Errorf("a version that is not there: %v", err)
	}
	want(map[int]int{2: 1})
	if err := p.MoveLabel(ctx, "sum", prompts.LabelMove{Label: "staging", To: 1}); err != nil {
		t.Fatal(err)
	}
	want(map[int]int{2: 1})
	if err := p.MoveLabel(ctx, "sum", prompts.LabelMove{Label: "production", To: 3}); err != nil { // where it is already
		t.Fatal(err)
	}
	want(map[int]int{})
	set(map[int]int{2: 1, 1: 1})
	publish(t, p, "d3", 3, false)
	want(map[int]int{1: 1, 2: 1})
	publish(t, p, "d4", 4, true)
	want(map[int]int{})
	set(map[int]int{})
}
