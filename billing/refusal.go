package billing

import (
	"fmt"
	"math"
	"time"

	"sluice/providers/schema"
)

// parallelCalls is the Type of a refusal for too many calls at once.
const parallelCalls = "parallel"

// refusal is the limit that makes a call wait the longest.
type refusal struct {
	by   *limitLink
	team string // whose share of it is used up; empty: all of it is
	what string // requests, tokens or parallel
	unit string
	day  bool
	// limit, and what the call needs of it
	limit, need int64
	free        int64 // the second from which there is room; MaxInt64: never
}

// at keeps the refusal that is over last.
func (r *refusal) at(no refusal) {
	if r.by == nil || no.free > r.free {
		*r = no
	}
}

// check looks at one account's limits; its limiter is locked.
func (r *refusal) check(l *limitLink, u use) {
	lim := l.limiter
	if n := l.limits.Parallel; n > 0 && lim.parallel >= n {
		r.at(refusal{l, "", parallelCalls, "calls at once", false, n, 1, lim.second + 1})
	}
	bounds := l.limits.bounds()
	for i := range bounds {
		b := &bounds[i]
		need := b.of(u)
		switch w := lim.window(b); {
		case b.limit == 0:
		case need > b.limit:
			r.at(refusal{l, "", b.what, b.unit, b.day, b.limit, need, math.MaxInt64})
		case b.of(w.sum)+need > b.limit:
			r.at(refusal{l, "", b.what, b.unit, b.day, b.limit, need, w.freeAt(b.of, need, b.limit)})
		}
	}
}

// error tells of the refusal at a time of the Book's steady clock.
func (r *refusal) error(at int64) *schema.Error {
	e := &schema.Error{Code: schema.CodeRateLimit, Status: 429, Origin: schema.OriginPolicy, Type: r.what}
	who := r.by.owner.ownerName()
	if r.free == math.MaxInt64 {
		e.Message = fmt.Sprintf("this call may need %d tokens, more than the limit of %v, %d %s: send less or ask for a shorter answer", r.need, who, r.limit, r.unit)
		return e
	}
	wait := time.Duration(r.free*1e9 - at)
	e.RetryAfter = max((wait + time.Second - 1).Truncate(time.Second), time.Second)
	if r.team != "" {
		e.Message = fmt.Sprintf("the share of team %q in the rate limit of %v, %d %s, is used up; try again in %d s", r.team, who, r.limit, r.unit, e.RetryAfter/time.Second)
		return e
	}
	e.Message = fmt.Sprintf("rate limit of %v reached: %d %s; try again in %d s", who, r.limit, r.unit, e.RetryAfter/time.Second)
	return e
}
