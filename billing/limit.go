package billing

import (
	"fmt"
	"math"
	"sync"
	"time"

	"sluice/providers/schema"
)

// limiter is the use one account has made of its limits.
type limiter struct {
	mu       sync.Mutex
	second   int64 // the newest that the windows have
	parallel int64
	minute   window  // without a span: there never was a limit of that length
	day      *window // nil: nor of that
}

func (l *limiter) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.parallel == 0
}

// ready makes the windows that limits need.
func (l *limiter) ready(limits Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.minute.span == nil && (limits.RPM > 0 || limits.TPM > 0 || limits.InputTPM > 0 || limits.OutputTPM > 0) {
		l.minute.span = &minuteSpan
	}
	if l.day == nil && (limits.RPD > 0 || limits.TPD > 0) {
		l.day = &window{span: &daySpan}
	}
}

// advance moves the windows on to a second, never back.
func (l *limiter) advance(second int64) {
	l.second = max(l.second, second)
	if l.minute.n > 0 {
		l.minute.advance(l.second)
	}
	if l.day != nil {
		l.day.advance(l.second)
	}
}

// bound is one limit of an account, with the window that it is of.
type bound struct {
	limit int64           // 0: none
	of    func(use) int64 // nil: it is of calls at once
	what  string          // requests or tokens, as the error's Type says
	unit  string          // as people read it
	day   bool
}

func requestsOf(u use) int64 { return u.requests }
func tokensOf(u use) int64   { return u.input + u.output }
func inputOf(u use) int64    { return u.input }
func outputOf(u use) int64   { return u.output }

func (l *Limits) bounds() [6]bound {
	return [...]bound{
		{l.RPM, requestsOf, "requests", "requests per minute", false},
		{l.TPM, tokensOf, "tokens", "tokens per minute", false},
		{l.InputTPM, inputOf, "tokens", "input tokens per minute", false},
		{l.OutputTPM, outputOf, "tokens", "output tokens per minute", false},
		{l.RPD, requestsOf, "requests", "requests per day", true},
		{l.TPD, tokensOf, "tokens", "tokens per day", true},
	}
}

func (l *limiter) window(b *bound) *window {
	if b.day {
		return l.day
	}
	return &l.minute
}

// Ask is the tokens that a call needs, or has used.
type Ask struct {
	Input  int64
	Output int64 // the most that its answers may need
}

// mostAsked bounds what is asked for, so that sums of it do not overflow.
const mostAsked = 1 << 50

func (a Ask) bounded() Ask {
	return Ask{min(max(a.Input, 0), mostAsked), min(max(a.Output, 0), mostAsked)}
}

// Ticket is one admitted call. The zero Ticket is of a caller without limits,
// and costs nothing.
type Ticket struct {
	owner   *Owner
	portion *portion // of the owner's limits, where they are shared
	second  int64
	ask     Ask
	done    bool
}

// Admit counts a call that asks for so many tokens against the limits of the
// owner and of all above it, together or not at all. Otherwise the error is rate_limit_exceeded, of Type requests, tokens
// or parallel, with the whole seconds after which there is room; a call that
// is larger than a limit has none, for it never fits.
func (o *Owner) Admit(now time.Time, ask Ask) (Ticket, *schema.Error) {
	if len(o.limits) == 0 {
		return Ticket{}, nil
	}
	ask = ask.bounded()
	u := use{1, ask.Input, ask.Output}
	at := o.book.steady(now)
	second := at / 1e9
	for i := range o.limits {
		l := o.limits[i].limiter
		l.mu.Lock()
		second = max(second, l.second)
	}
	var no refusal
	for i := range o.limits {
		l := &o.limits[i]
		l.limiter.advance(second)
		no.check(l, u)
	}
	if no.by == nil {
		for i := range o.limits {
			l := o.limits[i].limiter
			l.add(second, u)
			l.parallel++
		}
	}
	for i := range o.limits {
		o.limits[i].limiter.mu.Unlock()
	}
	if no.by != nil {
		return Ticket{}, no.error(at)
	}
	return Ticket{owner: o, second: second, ask: ask}, nil
}

// add counts in every window.
func (l *limiter) add(second int64, u use) {
	if l.minute.span != nil {
		l.minute.add(second, u)
	}
	if l.day != nil {
		l.day.add(second, u)
	}
}

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

// Done ends an admitted call: it no longer counts as running, and its tokens
// become the real numbers, at the time of its admission. Only the first call
// does anything.
func (t *Ticket) Done(actual Ask) {
	if t.owner == nil || t.done {
		return
	}
	actual = actual.bounded()
	t.end(use{0, actual.Input - t.ask.Input, actual.Output - t.ask.Output})
}

// Cancel takes an admission back: what refused the call was something else, and
// it counts in nothing. After Done, and more than once, it does nothing.
func (t *Ticket) Cancel() {
	if t.owner == nil || t.done {
		return
	}
	t.end(use{-1, -t.ask.Input, -t.ask.Output})
}

// end changes what was counted, and ends what is running.
func (t *Ticket) end(more use) {
	t.done = true
	for i := range t.owner.limits {
		l := t.owner.limits[i].limiter
		l.mu.Lock()
		l.settle(t.second, more)
		if t.portion != nil {
			t.portion.used.settle(t.second, more)
		}
		l.mu.Unlock()
	}
}

// settle changes what was counted at a second, for a call that has ended.
func (l *limiter) settle(second int64, more use) {
	l.parallel--
	l.minute.settle(second, more)
	if l.day != nil {
		l.day.settle(second, more)
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
	at := o.book.steady(now)
	for i := range o.limits {
		l := &o.limits[i]
		l.limiter.mu.Lock()
		l.limiter.advance(at / 1e9)
		bounds := l.limits.bounds()
		for j := range bounds {
			b := &bounds[j]
			if b.limit == 0 {
				continue
			}
			least, ok := &tokens, &okTokens
			if b.what == "requests" {
				least, ok = &requests, &okRequests
			}
			if s := l.limiter.window(b).state(b, at); !*ok || s.Remaining < least.Remaining {
				*least, *ok = s, true
			}
		}
		l.limiter.mu.Unlock()
	}
	return requests, tokens, okRequests, okTokens
}

func (w *window) state(b *bound, at int64) LimitState {
	s := LimitState{Limit: b.limit, Remaining: max(b.limit-b.of(w.sum), 0)}
	for i := w.n - 1; i >= 0; i-- {
		if slot := w.nth(i); b.of(slot.use) > 0 {
			s.Reset = max(time.Duration((slot.at+w.span.slots)*w.span.width*1e9-at), 0)
			break
		}
	}
	return s
}

// TokenLimits are the lowest limits that count input tokens and output tokens,
// of the owner and all above it; 0: there is none.
func (o *Owner) TokenLimits() (input, output int64) {
	lower := func(least *int64, limits ...int64) {
		for _, n := range limits {
			if n > 0 && (*least == 0 || n < *least) {
				*least = n
			}
		}
	}
	for i := range o.limits {
		l := o.limits[i].limits
		lower(&input, l.TPM, l.InputTPM, l.TPD)
		lower(&output, l.TPM, l.OutputTPM, l.TPD)
	}
	return input, output
}
