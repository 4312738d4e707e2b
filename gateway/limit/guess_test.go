package limit

import (
	"fmt"
	"testing"
	"time"
)

// tries makes so many wrong attempts, and tells how many were looked at.
func tries(g *Guesses, n int, who func(i int) Attempt) (looked int) {
	for i := range n {
		now := epoch.Add(time.Duration(i) * time.Millisecond)
		if a := who(i); g.Blocked(a, now) == 0 {
			looked++
			g.Failed(a, now)
		}
	}
	return looked
}

// 10,000 wrong passwords from 200 addresses for one account, and from one
// address for 10,000 accounts.
func TestGuesses(t *testing.T) {
	later := epoch.Add(11 * time.Second)
	g := NewGuesses(50, time.Hour)
	g.Succeeded(Attempt{"9.9.9.9", "alice"}, epoch)
	if n := tries(g, 10_000, func(i int) Attempt { return Attempt{fmt.Sprintf("10.0.0.%d", i%200), "alice"} }); n != 50 {
		t.Errorf("%d guesses at one account", n)
	}
	for a, blocked := range map[Attempt]bool{
		{"10.1.1.1", "alice"}: true, {"9.9.9.9", "alice"}: false, {"9.9.9.9", "bob"}: false, {"10.0.0.7", "bob"}: false, {"10.1.1.1", ""}: false,
	} {
		if wait := g.Blocked(a, later); (wait > 0) != blocked {
			t.Errorf("%v: blocked for %v", a, wait)
		}
	}
	g = NewGuesses(50, time.Hour)
	if n := tries(g, 10_000, func(i int) Attempt { return Attempt{"10.0.0.1", fmt.Sprint("user", i)} }); n != 50 {
		t.Errorf("%d guesses from one address", n)
	}
	if g.Blocked(Attempt{"10.0.0.2", "user1"}, later) > 0 {
		t.Error("another address is blocked")
	}
	if wait := g.Blocked(Attempt{"10.0.0.1", ""}, later); wait < 59*time.Minute || g.Blocked(Attempt{"10.0.0.1", ""}, later.Add(wait)) > 0 {
		t.Errorf("blocked for %v", wait)
	}
	g = NewGuesses(50, time.Hour)
	if n := tries(g, 1000, func(i int) Attempt { return Attempt{IP: fmt.Sprintf("2001:db8:0:1::%x", i)} }); n != 50 {
		t.Errorf("%d guesses from one network of IPv6", n)
	}
	if g.Blocked(Attempt{IP: "2001:db8:0:2::1"}, later) > 0 {
		t.Error("another network is blocked")
	}
}
