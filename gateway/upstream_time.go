package gateway

import "time"

// upstreamTime is what a call has waited for providers: while at least one
// attempt was under way, and to a stream's end.
type upstreamTime struct {
	under int       // attempts, streams among them
	since time.Time // when the first of them began
	took  time.Duration
}

func (u *upstreamTime) begin(now time.Time) {
	if u.under++; u.under == 1 {
		u.since = now
	}
}

func (u *upstreamTime) end(now time.Time) {
	if u.under--; u.under == 0 {
		u.took += now.Sub(u.since)
	}
}

// all is what was waited when the call ends, whatever is still under way.
func (u *upstreamTime) all(end time.Time) time.Duration {
	if u.under > 0 {
		u.under, u.took = 0, u.took+end.Sub(u.since)
	}
	return u.took
}

// endAttempt ends the attempt of a stream, if it is not over yet; err is what
// the stream's end says of its target.
func (c *Call) endAttempt(err error) {
	if c.attempt != nil {
		c.attempt.Done(err)
		c.attempt = nil
		c.done.upstream.end(time.Now())
	}
}
