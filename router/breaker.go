package router

import (
	"sync"
	"time"
)

// Breaker is the policy of a target's circuit breaker. A zero field means its
// default: {Failures: 5, Ratio: 0.5, MinCalls: 20, Within: 30s, OpenFor: 15s,
// Probes: 1}.
type Breaker struct {
	Failures int           // failures in a row, within Within, that open it
	Ratio    float64       // or this share of failures, 0 < Ratio ≤ 1,
	MinCalls int           // once so many calls ended within Within
	Within   time.Duration // how far back calls count
	OpenFor  time.Duration // how long it stays open before it is probed
	Probes   int           // calls let through when half open
	// Explicit tells that the user set it: then it takes a route's only
	// target out too.
	Explicit bool
}

func (b Breaker) withDefaults() Breaker {
	b.Failures = orElse(b.Failures, 5)
	b.MinCalls = orElse(b.MinCalls, 20)
	b.Probes = orElse(b.Probes, 1)
	b.Within = orElse(b.Within, 30*time.Second)
	b.OpenFor = orElse(b.OpenFor, 15*time.Second)
	b.Ratio = orElse(b.Ratio, 0.5)
	return b
}

// orElse is v, or what stands for it when v is not positive.
func orElse[T int | float64 | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// State is what a breaker does with calls.
type State uint8

// The states of a breaker.
const (
	Closed   State = iota // lets calls through
	HalfOpen              // lets Probes calls through, to see
	Open                  // lets none through
)

// String is the state in the words of the admin API.
func (s State) String() string {
	switch s {
	case HalfOpen:
		return "half_open"
	case Open:
		return "open"
	}
	return "closed"
}

// Mode is an operator's word about a breaker.
type Mode uint8

// The modes of a breaker.
const (
	Auto        Mode = iota // as its policy says
	ForceOpen               // no call passes
	ForceClosed             // every call passes
)

// outcome is how an attempt ended, in a breaker's eyes.
type outcome uint8

const (
	neutral outcome = iota // says nothing about the target's health
	success
	failure
)

// slots divide Within, so that what is too old drops out in tenths of it.
const slots = 10

type slot struct {
	at       int64 // number of the slot since the epoch
	ok, fail int32
	run      int32 // failures since the last success
}

// breaker is the state behind a Target. Its methods are safe for concurrent use.
type breaker struct {
	policy Breaker

	mu       sync.Mutex
	mode     Mode
	state    State
	changed  time.Time   // of the last change of state
	gen      uint32      // number of changes: an outcome from before one is void
	tell     func(swing) // nil: nobody wants to know
	moved    []swing     // changes that are still to be told
	heard    bool        // another replica has found it open
	okAt     time.Time   // when a call last went well
	badFrom  time.Time   // when the first call failed since; zero: none did
	window   [slots]slot
	admitted int // probes let through since half open
	passed   int // of them, those that succeeded
}

// swing is a change of a breaker's state.
type swing struct {
	from, to State
	by       Source
	failing  time.Duration // how long its calls had failed
	left     time.Duration // how long it lets none through
}

// change is the swing, as it is told.
func (m swing) change(t *Target) Change {
	return Change{Target: t.ID, Policy: t.breaker.policy, From: m.from.String(), To: m.to.String(), By: m.by, Failing: m.failing, Left: m.left}
}

// pass is a breaker's permission for one attempt.
type pass struct {
	gen    uint32
	probe  bool
	forced bool // let through whatever the state: the only target there is
}

// ready tells whether admit would let a call through, and if not, after what
// time it may.
func (b *breaker) ready(now time.Time, lone bool) (bool, time.Duration) {
	b.mu.Lock()
	defer b.unlock()
	switch {
	case b.mode == ForceOpen:
		return false, b.policy.OpenFor
	case b.mode == ForceClosed || b.state == Closed || b.spares(lone):
		return true, 0
	case b.state == Open:
		wait := b.policy.OpenFor - now.Sub(b.changed)
		return wait <= 0, wait
	}
	return b.admitted < b.policy.Probes, time.Second
}

// spares tells whether the breaker leaves the target in although it is open.
func (b *breaker) spares(lone bool) bool { return lone && !b.policy.Explicit }

// admit asks to let one call through. Each pass must come back by report.
func (b *breaker) admit(now time.Time, lone bool) (pass, bool) {
	b.mu.Lock()
	defer b.unlock()
	if b.mode != Auto {
		return pass{gen: b.gen, forced: true}, b.mode == ForceClosed
	}
	if b.state == Closed || b.spares(lone) {
		return pass{gen: b.gen, forced: b.spares(lone)}, true
	}
	if b.state == Open && now.Sub(b.changed) >= b.policy.OpenFor {
		b.become(HalfOpen, now, Found)
	}
	if b.state == HalfOpen && b.admitted < b.policy.Probes {
		b.admitted++
		return pass{gen: b.gen, probe: true}, true
	}
	return pass{}, false
}

// report takes in how an admitted call ended.
func (b *breaker) report(p pass, o outcome, now time.Time) {
	b.mu.Lock()
	defer b.unlock()
	b.remember(o, now)
	if p.gen != b.gen {
		return
	}
	switch {
	case p.probe:
		b.probed(o, now)
	case b.state != Closed:
		if o == success && p.forced { // it works again
			b.become(Closed, now, Found)
		} else if o == failure && !p.forced { // a probe that had begun well
			b.become(Open, now, Found)
		}
	case o == success:
		b.count(now).ok++
		b.endRun()
	case o == failure:
		s := b.count(now)
		s.fail++
		s.run++
		if !p.forced && b.tripped(s.at) {
			b.become(Open, now, Found)
		}
	}
}

// remember keeps what is held against what other replicas say.
func (b *breaker) remember(o outcome, now time.Time) {
	switch {
	case o == success:
		b.okAt, b.badFrom = now, time.Time{}
		if b.heard && b.state == Open { // a call that was under way knows better
			b.become(Closed, now, Found)
		}
	case o == failure && b.badFrom.IsZero():
		b.badFrom = now
	}
}

// failing is how long calls have failed, since the first that did after the last
// that went well; 0: the last did.
func (b *breaker) failing(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.unlock()
	if b.badFrom.IsZero() {
		return 0
	}
	return now.Sub(b.badFrom)
}

// wellSince tells whether a call went well after a time.
func (b *breaker) wellSince(at time.Time) bool {
	b.mu.Lock()
	defer b.unlock()
	return b.okAt.After(at)
}

// hear takes in what another replica has found: that its calls failed for so
// long and its breaker stays open for what is left, or, if nothing is, that it
// has closed. What calls have shown here since counts for more. A breaker that
// opened for that closes for it; one that opened by itself may be probed at once.
func (b *breaker) hear(left, failing time.Duration, now time.Time) {
	b.mu.Lock()
	defer b.unlock()
	switch {
	case b.mode != Auto:
	case left > 0 && b.state == Closed && !b.okAt.After(now.Add(-failing)):
		b.become(Open, now.Add(min(left, b.policy.OpenFor)-b.policy.OpenFor), Heard)
	case left <= 0 && b.state != Closed && b.heard:
		b.become(Closed, now, Heard)
	case left <= 0 && b.state == Open:
		b.changed = now.Add(-b.policy.OpenFor)
	}
}

// mayProbe ends the time for which an open breaker lets no call through.
func (b *breaker) mayProbe(now time.Time) {
	b.mu.Lock()
	defer b.unlock()
	if b.mode == Auto && b.state == Open {
		b.changed = now.Add(-b.policy.OpenFor)
	}
}

func (b *breaker) probed(o outcome, now time.Time) {
	switch o {
	case neutral:
		b.admitted--
	case failure:
		b.become(Open, now, Found)
	case success:
		if b.passed++; b.passed >= b.policy.Probes {
			b.become(Closed, now, Found)
		}
	}
}

// begun closes a half-open breaker whose probe is a stream that has begun:
// others need not wait for its end. The pass stays good for its report.
func (b *breaker) begun(p *pass, now time.Time) {
	if !p.probe {
		return
	}
	b.mu.Lock()
	defer b.unlock()
	if p.gen == b.gen {
		b.remember(success, now)
		b.probed(success, now)
		p.gen, p.probe = b.gen, false
	}
}

// unlock gives the lock back and then tells what changed under it.
func (b *breaker) unlock() {
	moved := b.moved
	b.moved = nil
	b.mu.Unlock()
	for _, m := range moved {
		b.tell(m)
	}
}

// become changes the state and forgets what was counted in the old one.
func (b *breaker) become(s State, now time.Time, by Source) {
	if s != b.state && b.tell != nil {
		m := swing{from: b.state, to: s, by: by}
		if s == Open {
			m.left = b.policy.OpenFor
			if !b.badFrom.IsZero() {
				m.failing = now.Sub(b.badFrom)
			}
		}
		b.moved = append(b.moved, m)
	}
	b.heard = s == Open && by == Heard || s == HalfOpen && b.heard
	b.state, b.changed = s, now
	b.gen++
	b.admitted, b.passed = 0, 0
	b.window = [slots]slot{}
}

// count is the slot of now, emptied if it last served an older time.
func (b *breaker) count(now time.Time) *slot {
	at := now.UnixNano() / int64(b.policy.Within/slots)
	s := &b.window[uint64(at)%slots]
	if s.at != at {
		*s = slot{at: at}
	}
	return s
}

func (b *breaker) endRun() {
	for i := range b.window {
		b.window[i].run = 0
	}
}

// tripped tells whether the calls of the last Within are too bad.
func (b *breaker) tripped(at int64) bool {
	var ok, fail, run int
	for i := range b.window {
		if s := &b.window[i]; at-s.at < slots {
			ok, fail, run = ok+int(s.ok), fail+int(s.fail), run+int(s.run)
		}
	}
	return run >= b.policy.Failures ||
		ok+fail >= b.policy.MinCalls && float64(fail) >= b.policy.Ratio*float64(ok+fail)
}

// set takes an operator's word; it also forgets what was counted, so that
// Auto starts from closed.
func (b *breaker) set(m Mode, now time.Time) {
	b.mu.Lock()
	defer b.unlock()
	b.mode = m
	b.become(Closed, now, Said)
}

// elsewhere tells whether the breaker lets no call through, or few, for what
// another replica has found.
func (b *breaker) elsewhere() bool {
	b.mu.Lock()
	defer b.unlock()
	return b.heard
}

// look is the state as it stands at now.
func (b *breaker) look(now time.Time) (State, Mode, time.Time) {
	b.mu.Lock()
	defer b.unlock()
	switch {
	case b.mode == ForceOpen:
		return Open, b.mode, b.changed
	case b.state == Open && now.Sub(b.changed) >= b.policy.OpenFor:
		return HalfOpen, b.mode, b.changed
	}
	return b.state, b.mode, b.changed
}
