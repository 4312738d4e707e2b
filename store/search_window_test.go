package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sluice/billing"
)

// A list that has no time but for its first window is shorter, and its cursors
// lead through all that there is.
func TestSearchOutOfTime(t *testing.T) {
	was := longest
	longest = -1
	t.Cleanup(func() { longest = was })
	l := testStore(t).Ledger()
	var all []billing.Entry
	var want []string
	for i := range 40 {
		e := entry(fmt.Sprintf("c%02d", i), noon.Add(time.Duration(i/5)*time.Minute)) // five of each time
		if i%7 == 0 {
			e.RequestID = fmt.Sprintf("mine-%d", i)
			want = append(want, e.Call)
		}
		all = append(all, e)
	}
	add(t, l, all...)
	slices.Reverse(want)
	var got []string
	pages := 0
	for q := (billing.RequestQuery{Text: "mine", Limit: 2}); pages == 0 || q.After != ""; pages++ {
		list, next, err := l.Requests(t.Context(), q)
		if err != nil || pages > 40 {
			t.Fatalf("page %d: %v", pages, err)
		}
		got, q.After = append(got, calls(list)...), next
	}
	if !slices.Equal(got, want) || pages < 6 {
		t.Errorf("%d pages of %v, want %v", pages, got, want)
	}
}

// Windows grow while there is time, shrink to what is left of it, and end.
func TestNextWindow(t *testing.T) {
	for _, c := range []struct {
		took, left time.Duration
		want       int64
	}{
		{0, searchTime, 3000},
		{time.Millisecond, searchTime, 3000},
		{40 * time.Millisecond, 60 * time.Millisecond, 1500},
		{60 * time.Millisecond, 30 * time.Millisecond, 500},
		{time.Millisecond, searchTime/4 - 1, 0},
		{searchTime, -time.Second, 0},
	} {
		if got := nextWindow(1000, c.took, c.left); got != c.want {
			t.Errorf("after %v, with %v left: %d, want %d", c.took, c.left, got, c.want)
		}
	}
}
