package lease

import "time"

const (
	// foresight is for how long a block should do. It is longer than what lies
	// between two exchanges, so that the next is not waited for.
	foresight = 200 * time.Millisecond
	// quiet is how long the last use may be ago for more to be likely.
	quiet = time.Second
)

// pace is how fast something is used.
type pace struct {
	used  int64 // since
	since time.Time
	soon  int64 // what is used in the time of foresight, as the stretch before since was
}

func (p *pace) use(n int64) { p.used += n }

// ahead is what will be used in the time of foresight. However often it is asked
// for, it tells of a stretch that is as long: what was used since the last exchange
// alone would be the less the more exchanges there are, and so bring more of them.
func (p *pace) ahead(now time.Time) int64 {
	switch past := now.Sub(p.since); {
	case past < 0 || past > quiet:
		*p = pace{since: now}
	case past >= foresight:
		*p = pace{since: now, soon: int64(float64(p.used) * float64(foresight) / float64(past))}
	}
	return max(p.soon, p.used)
}
