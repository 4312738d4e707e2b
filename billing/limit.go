package billing

import (
	"fmt"
	"math"
	"sync"
	"time"

	"sluice/providers/schema"
)

// windowSlots is a minute's seconds and one more: the oldest counts whole until
// all of it is outside, so that no span of 60 s ever holds more than the limit.
const windowSlots = 61

// window counts what happened in the last minute, by the second modulo the
// number of slots.
type window struct {
	sum   int64
	slots [windowSlots]uint32
}

// add changes a second's count by n, as far as it can hold it.
func (w *window) add(second, n int64) {
	slot := &w.slots[second%windowSlots]
	n = min(max(n, -int64(*slot)), math.MaxUint32-int64(*slot))
	*slot = uint32(int64(*slot) + n)
	w.sum += n
}

// limiter is the use one account has made of its limits: half a KiB.
type limiter struct {
	mu       sync.Mutex
	second   int64 // the newest that the windows have
	requests window
	tokens   window
	parallel int64
}

func (l *limiter) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.parallel == 0
}

// advance moves the windows on to a second, never back.
func (l *limiter) advance(second int64) {
	if second-l.second >= windowSlots {
		l.requests, l.tokens, l.second = window{}, window{}, second
	}
	for l.second < second {
		l.second++
		for _, w := range []*window{&l.requests, &l.tokens} {
			slot := &w.slots[l.second%windowSlots]
			w.sum -= int64(*slot)
			*slot = 0
		}
	}
}

// freeAt is the second in which need more fit below limit.
func (l *limiter) freeAt(w *window, need, limit int64) int64 {
	sum := w.sum
	for second := l.second - windowSlots + 1; second <= l.second; second++ {
		if second >= 0 {
			sum -= int64(w.slots[second%windowSlots])
		}
		if sum+need <= limit {
			return second + windowSlots
		}
	}
	return l.second + windowSlots
}

// Ticket is one admitted call. The zero Ticket is of a caller without limits,
// and costs nothing.
type Ticket struct {
	owner  *Owner
	second int64
	tokens int64
	done   bool
}

// Admit counts a call of so many tokens (its input and what its answer may
// need) against the limits of the owner and of all above it, together or not
// at all. Otherwise the error is rate_limit_exceeded, of Type requests, tokens
// or parallel, with the whole seconds after which there is room; a call that
// is larger than a limit has none, for it never fits.
func (o *Owner) Admit(now time.Time, tokens int64) (Ticket, *schema.Error) {
	if len(o.limits) == 0 {
		return Ticket{}, nil
	}
	tokens = max(tokens, 0)
	second := now.Unix()
	for i := range o.limits {
		l := o.limits[i].limiter
		l.mu.Lock()
		second = max(second, l.second)
	}
	var no refusal
	for i := range o.limits {
		l := &o.limits[i]
		l.limiter.advance(second)
		no.check(l, tokens)
	}
	if no.by == nil {
		for i := range o.limits {
			l := o.limits[i].limiter
			l.requests.add(second, 1)
			l.tokens.add(second, tokens)
			l.parallel++
		}
	}
	for i := range o.limits {
		o.limits[i].limiter.mu.Unlock()
	}
	if no.by != nil {
		return Ticket{}, no.error(now, tokens)
	}
	return Ticket{owner: o, second: second, tokens: tokens}, nil
}

// refusal is the limit that makes a call wait the longest.
type refusal struct {
	by    *limitLink
	what  string // requests, tokens or parallel
	limit int64
	free  int64 // the second from which there is room; MaxInt64: never
}

// check looks at one account's limits; its limiter is locked.
func (r *refusal) check(l *limitLink, tokens int64) {
	at := func(what string, limit, free int64) {
		if r.by == nil || free > r.free {
			*r = refusal{l, what, limit, free}
		}
	}
	lim := l.limiter
	if n := l.limits.Parallel; n > 0 && lim.parallel >= n {
		at("parallel", n, lim.second+1)
	}
	if n := l.limits.RPM; n > 0 && lim.requests.sum >= n {
		at("requests", n, lim.freeAt(&lim.requests, 1, n))
	}
	if n := l.limits.TPM; n > 0 && tokens > n {
		at("tokens", n, math.MaxInt64)
	} else if n > 0 && lim.tokens.sum+tokens > n {
		at("tokens", n, lim.freeAt(&lim.tokens, tokens, n))
	}
}

func (r *refusal) error(now time.Time, tokens int64) *schema.Error {
	e := &schema.Error{Code: schema.CodeRateLimit, Status: 429, Origin: schema.OriginPolicy, Type: r.what}
	who := r.by.owner.ownerName()
	if r.free == math.MaxInt64 {
		e.Message = fmt.Sprintf("this call may need %d tokens, more than the %d per minute that %v may use: send less or ask for a shorter answer", tokens, r.limit, who)
		return e
	}
	wait := time.Unix(r.free, 0).Sub(now)
	e.RetryAfter = max((wait + time.Second - 1).Truncate(time.Second), time.Second)
	limit := fmt.Sprintf("%d %s per minute", r.limit, r.what)
	if r.what == "parallel" {
		limit = fmt.Sprintf("%d calls at once", r.limit)
	}
	e.Message = fmt.Sprintf("rate limit of %v reached: %s; try again in %d s", who, limit, e.RetryAfter/time.Second)
	return e
}

// Done ends an admitted call: it no longer counts as running, and its tokens
// become the real number, at the time of its admission. Only the first call
// does anything.
func (t *Ticket) Done(actualTokens int64) {
	if t.owner == nil || t.done {
		return
	}
	t.done = true
	more := max(actualTokens, 0) - t.tokens
	for i := range t.owner.limits {
		l := t.owner.limits[i].limiter
		l.mu.Lock()
		l.parallel--
		if l.second-t.second < windowSlots {
			l.tokens.add(t.second, more)
		}
		l.mu.Unlock()
	}
}

// LimitState is how one limit stands, for OpenAI's x-ratelimit headers.
type LimitState struct {
	Limit     int64
	Remaining int64         // never negative
	Reset     time.Duration // until all of Limit is there again; 0: it is
}

// State is LimitState of the ticket's owner, after the call was admitted; of a
// zero Ticket, no limits.
func (t *Ticket) State(now time.Time) (requests, tokens LimitState, okRequests, okTokens bool) {
	if t.owner == nil {
		return LimitState{}, LimitState{}, false, false
	}
	return t.owner.LimitState(now)
}

// LimitState is the limit of requests and that of tokens, of the owner and all
// above it, of which the least remains; false: there is no such limit.
func (o *Owner) LimitState(now time.Time) (requests, tokens LimitState, okRequests, okTokens bool) {
	for i := range o.limits {
		l := &o.limits[i]
		l.limiter.mu.Lock()
		l.limiter.advance(now.Unix())
		if s := l.limiter.state(&l.limiter.requests, l.limits.RPM, now); s.Limit > 0 && (!okRequests || s.Remaining < requests.Remaining) {
			requests, okRequests = s, true
		}
		if s := l.limiter.state(&l.limiter.tokens, l.limits.TPM, now); s.Limit > 0 && (!okTokens || s.Remaining < tokens.Remaining) {
			tokens, okTokens = s, true
		}
		l.limiter.mu.Unlock()
	}
	return requests, tokens, okRequests, okTokens
}

func (l *limiter) state(w *window, limit int64, now time.Time) LimitState {
	s := LimitState{Limit: limit, Remaining: max(limit-w.sum, 0)}
	if w.sum > 0 {
		second := l.second
		for w.slots[second%windowSlots] == 0 {
			second--
		}
		s.Reset = max(time.Unix(second+windowSlots, 0).Sub(now), 0)
	}
	return s
}

// TPM is the lowest limit of tokens per minute, of the owner and all above it;
// 0: there is none.
func (o *Owner) TPM() int64 {
	var least int64
	for i := range o.limits {
		if n := o.limits[i].limits.TPM; n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}
