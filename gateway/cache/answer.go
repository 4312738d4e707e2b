package cache

import (
	"time"

	"sluice/billing"
	"sluice/providers/dialect"
)

// Answer is a whole answer that is kept. It is not changed once it was put.
type Answer struct {
	Key     Key
	Tags    []string         // of the call that it was made for
	Dialect *dialect.Dialect // that Body is written in
	Body    []byte
	Target  string // provider/model that gave it
	Cost    billing.Nano
	Made    time.Time
	Until   time.Time // it is not given from then on
	// Point is where the question lies among those that mean nearly the same;
	// nil: the answer is found by its key alone.
	Point *Point
}

// Fresh tells whether the answer may be given where answers live for ttl.
func (a *Answer) Fresh(ttl time.Duration, now time.Time) bool {
	return now.Before(a.Until) && now.Sub(a.Made) < ttl
}

// overhead is what an answer takes beside its bytes: the struct, its place in
// the map and in the order of use.
const overhead = 512

// Size is the bytes that the answer counts for.
func (a *Answer) Size() int64 {
	n := overhead + len(a.Body) + len(a.Key.Name) + len(a.Target)
	for _, tag := range a.Tags {
		n += len(tag) + 16
	}
	if a.Point != nil {
		n += overhead + 4*len(a.Point.Vector)
	}
	return int64(n)
}
