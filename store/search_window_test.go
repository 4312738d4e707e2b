package store

import (
	"testing"
	"time"
)

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
