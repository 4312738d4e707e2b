package billing

import "time"

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
			if s := l.limiter.shared(j, l.limiter.window(b).state(b, at)); !*ok || s.Remaining < least.Remaining {
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

// OwnLimits are the owner's own, not those above it; nil: it has none, or there
// is no owner.
func (o *Owner) OwnLimits() *Limits {
	if o == nil {
		return nil
	}
	for i := range o.limits {
		if o.limits[i].owner == o {
			return o.limits[i].limits
		}
	}
	return nil
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
