package gateway

import (
	"testing"
	"time"
)

// Attempts that overlap are waited for once; what stands between them is not.
func TestUpstreamTime(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	var u upstreamTime
	u.begin(at(10))
	u.end(at(30)) // 20 of one that failed
	u.begin(at(50))
	u.begin(at(60)) // beside it
	u.end(at(80))
	u.end(at(90))    // 40 of both
	u.begin(at(100)) // a stream
	if got := u.all(at(150)); got != 110*time.Millisecond {
		t.Errorf("%v", got)
	}
	if got := u.all(at(200)); got != 110*time.Millisecond {
		t.Errorf("the end came twice: %v", got)
	}
}
