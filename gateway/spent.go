package gateway

import (
	"sluice/billing"
	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// WhenSpent is what happens when a budget has no money left: the next call is
// refused, and running ones were clamped beforehand; or running streams are
// cut, which are then not clamped; or another model is asked.
type WhenSpent struct {
	Cut   bool
	Model string // to ask instead; empty: none
}

// whenSpent is the caller's, or that of the settings.
func (c *Call) whenSpent() WhenSpent {
	if c.caller != nil && c.caller.WhenSpent != nil {
		return *c.caller.WhenSpent
	}
	return c.snap.Settings.WhenSpent
}

// Of a stream that may be cut, so many output tokens are held for at a time,
// and so many may be on their way when it is looked at.
const (
	sliceTokens = 256
	onTheWay    = 32
)

// installments are the state of a stream whose money is held slice by slice.
type installments struct {
	in     int64 // input tokens that are held for
	out    int64 // output tokens that are held for, over all choices; 0: the stream is not cut
	tokens int64 // of output, when they were last counted
	bytes  int64 // of the text then
}

// sliced tells whether the call is a stream that is cut when the money ends.
func (c *Call) sliced() bool {
	return c.req.Op == schema.OpChat && c.req.Head.Stream && c.req.Unified == nil && c.passed == nil && c.whenSpent().Cut
}

// holdSlice is reserve for a stream that may be cut: the input and the first of
// the output.
func (c *Call) holdSlice(in, out int64) error {
	first := min(out, sliceTokens*c.choices())
	least := min(first, c.choices())
	err := c.hold(billing.Need{USD: c.dearest(in, first), MinUSD: c.dearest(in, least), Tokens: in + first, MinTokens: in + least})
	if err != nil {
		return err
	}
	c.money.slices = installments{in: in, out: c.covered(in)}
	c.req.Translate = true // only a stream that we write can be ended early
	return nil
}

// covered is how much output the hold covers.
func (c *Call) covered(in int64) int64 {
	n := c.money.hold.Tokens() - in
	for _, t := range c.model.Targets {
		n = min(n, t.mayCost(c).AffordableOutput(c.money.hold.USD(), in))
	}
	return max(n, 1)
}

// afford holds for what a stream is about to use. The error says why it must
// end here.
func (c *Call) afford(t *dialect.Tally) *schema.Error {
	s := &c.money.slices
	if s.out == 0 {
		return nil
	}
	margin := onTheWay * c.choices()
	if s.tokens+(t.Text.Bytes-s.bytes+1)/2+margin <= s.out { // few tokens are shorter than two bytes
		return nil
	}
	s.tokens, s.bytes = c.g.counter.Count(c.target.Model, string(t.Text.Sample)), t.Text.Bytes
	if !t.Text.Whole() {
		s.tokens = s.tokens*t.Text.Bytes/int64(len(t.Text.Sample)) + 1
	}
	need := s.tokens + margin
	if need <= s.out {
		return nil
	}
	goal := need + sliceTokens*c.choices()
	short := c.money.hold.Grow(billing.Need{USD: c.dearest(s.in, goal) - c.money.hold.USD(), Tokens: s.in + goal - c.money.hold.Tokens()})
	if s.out = c.covered(s.in); need <= s.out {
		return nil
	}
	if short == nil { // it was granted, yet it does not cover: prices have no room
		return nil
	}
	short.Message = "the answer was cut here: " + short.Message
	return short
}

// turn asks another model where the budget has nothing left for the one that
// was asked for, if the policy is so; else it gives the refusal back.
func (c *Call) turn(refusal error) error {
	name := c.whenSpent().Model
	e := schema.AsError(refusal)
	if name == "" || name == c.model.Name || e.Code != schema.CodeInsufficientQuota || c.done.admitted || c.passed != nil || c.req.Op != schema.OpChat {
		return refusal
	}
	instead, err := c.snap.Resolve(name)
	if err != nil {
		return refusal
	}
	c.model, c.entry.Model = instead, name
	c.money = money{owner: c.money.owner, steps: c.money.steps, unpriced: c.money.unpriced}
	c.tickets.cancel()
	if err := c.takeTickets(); err != nil { // the other model has limits of its own
		return err
	}
	return c.reserve()
}

// ender is a stream that can be ended early by the event that an answer ends
// with which has reached its limit.
type ender interface {
	EndEarly(choices int, used schema.Usage) []byte
}

// cut ends a stream for want of money: with the reason for which an answer ends
// that has reached its limit, and an error that says which limit it was.
func (s *streamBody) cut(p []byte, n int, e *schema.Error) int {
	s.c.err = e
	if f, ok := s.from.(ender); ok {
		s.last = f.EndEarly(int(s.c.choices()), s.c.countUsage(s.from.Tally()))
	}
	s.end()
	s.over = true
	s.last = s.fail(s.last, e)
	gave := copy(p[n:], s.last)
	s.last = s.last[gave:]
	return n + gave
}
