package billing

import (
	"sync"
	"time"

	"sluice/billing/lease"
	"sluice/providers/schema"
)

// limiter is the use one account has made of its limits.
type limiter struct {
	mu       sync.Mutex
	second   int64 // the newest that the windows have
	parallel int64
	minute   window // without a span: there never was a limit of that length
	rare     *rare  // nil: nothing
}

// rare is what few limiters have.
type rare struct {
	day   dayWindow // without a span: there never was a limit of that length
	pools pools     // what replicas share

	// Of calls at once, what replicas share: nil, where there was no such limit.
	atOnce  *lease.Slice
	running int64 // that it has been told of, or is to be
	most    int64 // as the last view has it
}

// day is the window of a day; nil: there never was a limit of that length.
func (l *limiter) day() *dayWindow {
	if l.rare == nil || l.rare.day.span == nil {
		return nil
	}
	return &l.rare.day
}

// needRare makes what few limiters have.
func (l *limiter) needRare() *rare {
	if l.rare == nil {
		l.rare = &rare{}
	}
	return l.rare
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
	if limits.RPD > 0 || limits.TPD > 0 {
		l.needRare().day.span = &daySpan
	}
}

// advance moves the windows on to a second, never back.
func (l *limiter) advance(second int64) {
	l.second = max(l.second, second)
	if l.minute.n > 0 {
		l.minute.advance(l.second)
	}
	if day := l.day(); day != nil {
		day.advance(l.second)
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
	if !b.day {
		return &l.minute
	}
	if day := l.day(); day != nil {
		return &day.window
	}
	return nil
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
	leased  []leased // of all replicas' limits
	running bool     // it counts in how many calls all replicas have at once
}

// Admit counts a call that asks for so many tokens against the limits of the
// owner and of all above it, together or not at all. Otherwise the error is rate_limit_exceeded, of Type requests, tokens
// or parallel, with the whole seconds after which there is room; a call that
// is larger than a limit has none, for it never fits. Where replicas share
// limits, it may wait for what they know.
func (o *Owner) Admit(now time.Time, ask Ask) (Ticket, *schema.Error) {
	t, err := o.admit(now, ask)
	if err == nil {
		err = t.lease(now)
	}
	return t, err
}

// admit is Admit by what this replica has counted.
func (o *Owner) admit(now time.Time, ask Ask) (Ticket, *schema.Error) {
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
	if day := l.day(); day != nil {
		day.add(second, u)
	}
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
		if t.running && t.owner.limits[i].limits.Parallel > 0 {
			l.rare.running--
			l.rare.atOnce.Eased()
		}
		l.mu.Unlock()
	}
	for i := range t.leased {
		t.leased[i].settle(more)
	}
}

// settle changes what was counted at a second, for a call that has ended.
func (l *limiter) settle(second int64, more use) {
	l.parallel--
	l.minute.settle(second, more)
	if day := l.day(); day != nil {
		day.settle(second, more)
	}
}
