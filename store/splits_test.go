package store

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"testing"
	"time"

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
		if got, err := p.Split(ctx, "sum"); err != nil || !maps.Equal(got.Shares, shares) {
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

// The figures of a split's versions are those of its entries in the ledger,
// each once, and go with the split; why it was stopped stays until the next.
func TestSplitFigures(t *testing.T) {
	ctx, s := context.Background(), testStore(t)
	p := s.Prompts()
	for i, d := range []string{"d1", "d2"} {
		publish(t, p, d, i+1, true)
	}
	at := time.Unix(1_800_000_000, 0)
	s.now = func() time.Time { return at }
	split := func() {
		t.Helper()
		if err := p.SetSplit(ctx, "sum", map[int]int{1: 1, 2: 1}); err != nil {
			t.Fatal(err)
		}
	}
	split()
	entry := func(call string, version int, mark billing.SplitMark) billing.Entry {
		return billing.Entry{Call: call, Time: at, Team: "t", Prompt: "sum", Version: version, Split: mark, Cost: 1, Status: 200}
	}
	since := at.UnixNano()
	list := []billing.Entry{
		entry("a", 1, billing.SplitMark{Since: since, Cost: 10}),
		entry("b", 2, billing.SplitMark{Since: since, Cost: 20, Failed: true}),
		entry("c", 2, billing.SplitMark{Since: since, Cost: 30}),
		entry("d", 2, billing.SplitMark{}),                          // by its number
		entry("e", 2, billing.SplitMark{Since: since - 1, Cost: 1}), // of an earlier split
	}
	for range 2 { // as after a crash
		if err := s.Ledger().Append(ctx, list); err != nil {
			t.Fatal(err)
		}
	}
	for i, good := range []bool{true, false, true} {
		if err := p.CountJudged(ctx, "sum", since-int64(i/2), 2, good); err != nil {
			t.Fatal(err)
		}
	}
	want := map[int]prompts.ArmFigures{1: {Version: 1, Calls: 1, Nanos: 10}, 2: {Version: 2, Calls: 2, Errors: 1, Nanos: 50, Judged: 2, Good: 1}}
	if got, err := p.Split(ctx, "sum"); err != nil || got.Since != since || !reflect.DeepEqual(got.Figures, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if has, err := p.HasSplits(ctx); err != nil || !has {
		t.Errorf("HasSplits: %v, %v", has, err)
	}
	report := &prompts.SplitReport{Shares: map[int]int{1: 1, 2: 1}, Arms: []prompts.ArmFigures{want[1], want[2]}, Stopped: "worse", By: "judge"}
	if err := p.StopSplit(ctx, "sum", report); err != nil {
		t.Fatal(err)
	}
	stopped := func() map[string]*prompts.SplitReport {
		t.Helper()
		got, err := p.StoppedSplits(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := stopped(); !reflect.DeepEqual(got["sum"], report) {
		t.Errorf("%+v, want %+v", got["sum"], report)
	}
	if got, err := p.Split(ctx, "sum"); err != nil || len(got.Shares) != 0 {
		t.Errorf("after the stop: %+v, %v", got, err)
	}
	at = at.Add(time.Second)
	split()
	if got, err := p.Split(ctx, "sum"); err != nil || got.Figures[2].Calls != 0 || got.Since == since || len(stopped()) != 0 {
		t.Errorf("a new split: %+v, %v", got, err)
	}
}
