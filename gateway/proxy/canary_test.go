package proxy

import (
	"fmt"
	"testing"

	"github.com/valyala/fasthttp"
)

func arm(o CanaryOptions, set func(*Exchange)) string {
	x := &Exchange{RC: new(fasthttp.RequestCtx), IP: "10.0.0.1"}
	set(x)
	_ = Canary(o)(func(*Exchange) error { return nil })(x)
	return x.Arm
}

// Callers are told apart by what is asked for, and by key or address where they
// have not got that.
func TestCanaryBy(t *testing.T) {
	who := map[string]func(x *Exchange, n int){
		"key":      func(x *Exchange, n int) { x.Caller.ID = fmt.Sprint("key", n) },
		"ip":       func(x *Exchange, n int) { x.IP = fmt.Sprint("10.0.0.", n) },
		"header:X": func(x *Exchange, n int) { x.RC.Request.Header.Set("X", fmt.Sprint(n)) },
		"cookie:c": func(x *Exchange, n int) { x.RC.Request.Header.SetCookie("c", fmt.Sprint(n)) },
	}
	for by := range who {
		for is, set := range who {
			count := map[string]int{}
			for n := range 1000 {
				count[arm(CanaryOptions{Route: "r", Share: 0.25, By: by}, func(x *Exchange) { set(x, n) })]++
			}
			differ := by == is || is == "key" && by != "ip" || is == "ip"
			if n := count[ArmCanary]; differ && (n < 200 || n > 300) || !differ && n != 0 && n != 1000 {
				t.Errorf("by %s, callers that differ in %s: %d of 1000", by, is, n)
			}
		}
	}
}

func TestCanaryShare(t *testing.T) {
	before := map[int]bool{}
	for _, share := range []float64{0, 0.01, 0.1, 0.5, 0.9, 1} {
		now := map[int]bool{}
		for n := range 2000 {
			now[n] = arm(CanaryOptions{Route: "r", Share: share}, func(x *Exchange) { x.Caller.ID = fmt.Sprint(n) }) == ArmCanary
			if before[n] && !now[n] {
				t.Fatalf("caller %d left as the share grew to %v", n, share)
			}
		}
		n := 0
		for _, is := range now {
			if is {
				n++
			}
		}
		if off := float64(n)/2000 - share; off < -0.03 || off > 0.03 {
			t.Errorf("share %v: %d of 2000", share, n)
		}
		before = now
	}
}

func TestCanaryMatch(t *testing.T) {
	o := CanaryOptions{Route: "r", Match: []Condition{{"X-A", "1"}, {"X-B", "*"}}}
	for _, c := range []struct{ a, b, want string }{{"1", "2", ArmCanary}, {"2", "2", ArmStable}, {"1", "", ArmStable}} {
		if got := arm(o, func(x *Exchange) {
			x.RC.Request.Header.Set("X-A", c.a)
			if c.b != "" {
				x.RC.Request.Header.Set("X-B", c.b)
			}
		}); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
