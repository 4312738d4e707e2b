package router

import (
	"fmt"
	"math"
	"testing"
)

// owners is which target each of many keys is given.
func owners(t testing.TB, r *Route, keys int) []string {
	t.Helper()
	at := make([]string, keys)
	for k := range keys {
		at[k] = first(t, &Plan{Route: r, Subject: &fakeCall{key: mix(uint64(k)) | 1}})
	}
	return at
}

func TestStickyStays(t *testing.T) {
	r := balanced(t, Sticky, 1, 2, 3)
	again := balanced(t, Sticky, 1, 2, 3) // another process
	a, b, c := owners(t, r, 2000), owners(t, r, 2000), owners(t, again, 2000)
	for k := range a {
		if a[k] != b[k] || a[k] != c[k] {
			t.Fatalf("key %d went to %s, %s and %s", k, a[k], b[k], c[k])
		}
	}
}

func TestStickyWeights(t *testing.T) {
	weights := []int{1, 2, 3, 4}
	got := map[string]float64{}
	const keys = 40_000
	for _, o := range owners(t, balanced(t, Sticky, weights...), keys) {
		got[o]++
	}
	for i, w := range weights {
		if share := got[fmt.Sprintf("t%d", i)] / keys; math.Abs(share-float64(w)/10) > 0.01 {
			t.Errorf("weight %d of 10 has %v of the keys", w, share)
		}
	}
}

// Of ten targets each has about a tenth of the keys; when one leaves, or is
// out, no others move, and they spread over all that are left.
func TestStickyMovesFew(t *testing.T) {
	ten := []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	const keys = 10_000
	before := owners(t, balanced(t, Sticky, ten...), keys)
	gone := balanced(t, Sticky, ten...)
	gone.Candidates = append(gone.Candidates[:4], gone.Candidates[5:]...)
	prepared(t, gone)
	out := balanced(t, Sticky, ten...)
	out.Candidates[4].Target.SetBreaker(ForceOpen, newClock().Now())
	for name, r := range map[string]*Route{"gone": gone, "out": out} {
		moved, to := 0, map[string]int{}
		for k, o := range owners(t, r, keys) {
			if o == before[k] {
				continue
			}
			moved++
			to[o]++
			if before[k] != "t4" {
				t.Fatalf("%s: key %d moved from %s", name, k, before[k])
			}
		}
		if moved > keys*15/100 || moved < keys*7/100 {
			t.Errorf("%s: %d of %d keys moved", name, moved, keys)
		}
		for o, n := range to {
			if n > moved/4 {
				t.Errorf("%s: %s took over %d of %d", name, o, n, moved)
			}
		}
	}
}

// A call without a key is balanced, by weight or as the route says.
func TestStickyWithoutKey(t *testing.T) {
	for b, want := range map[Balance]string{Sticky: "t1 t0 t1 t1 t0 t1", RoundRobin: "t0 t1 t0 t1 t0 t1"} {
		r := balanced(t, b, 1, 2)
		r.Sticky = "session"
		got := ""
		for range 6 {
			got += " " + first(t, &Plan{Route: r, Subject: &fakeCall{}})
		}
		if got[1:] != want {
			t.Errorf("%s without a key: %s, want %s", b, got[1:], want)
		}
		stay := first(t, &Plan{Route: r, Subject: &fakeCall{key: 9}})
		for range 5 {
			if at := first(t, &Plan{Route: r, Subject: &fakeCall{key: 9}}); at != stay {
				t.Errorf("%s with a key: %s, then %s", b, stay, at)
			}
		}
	}
}

// The same target twice has the weight of both.
func TestStickyTargetTwice(t *testing.T) {
	r := &Route{Name: "r", Balance: Sticky, Sticky: "user"}
	for _, id := range []string{"a", "b", "a"} {
		r.Candidates = append(r.Candidates, Candidate{Target: NewTarget(id, Breaker{})})
	}
	prepared(t, r)
	got := map[string]float64{}
	for _, o := range owners(t, r, 20_000) {
		got[o]++
	}
	if share := got["a"] / 20_000; math.Abs(share-2.0/3) > 0.02 {
		t.Errorf("a has %v", share)
	}
}

// A split by weight has its shares over many callers, each of whom stays at its
// arm. When weights change, only those move who must: between 9:1 and 7:3 a
// fifth, all of them to the arm that grows.
func TestSplits(t *testing.T) {
	split := func(weights ...int) *Route {
		r := balanced(t, Weighted, weights...)
		r.Sticky = "user"
		return r
	}
	const keys = 40_000
	before, again, after := owners(t, split(9, 1), keys), owners(t, split(9, 1), keys), owners(t, split(7, 3), keys)
	second, moved := 0.0, 0.0
	for k, at := range before {
		if at != again[k] {
			t.Fatalf("key %d went to %s, then to %s", k, at, again[k])
		}
		if at == "t1" {
			second++
		}
		if at != after[k] {
			moved++
			if at != "t0" {
				t.Fatalf("key %d moved from %s, which grew", k, at)
			}
		}
	}
	if share := second / keys; math.Abs(share-0.1) > 0.01 {
		t.Errorf("weight 1 of 10 has %v of the callers", share)
	}
	if share := moved / keys; math.Abs(share-0.2) > 0.01 {
		t.Errorf("%v of the callers moved", share)
	}
}
