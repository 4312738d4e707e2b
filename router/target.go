package router

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"sluice/providers/schema"
)

// Target is the standing state of one candidate, such as "openai/gpt-4o":
// shared by all calls, kept over reloads by a Registry. It is safe for
// concurrent use.
type Target struct {
	// ID names the target, such as provider/model.
	ID string

	breaker  breaker
	inFlight atomic.Int64
	proof
	calls    atomic.Int64
	failures atomic.Int64
	learnt   learnt
	resting  atomic.Int64 // Unix nanoseconds of rest.until, to look at without the lock

	tell  func(Change) // nil: nobody wants to know
	mu    sync.RWMutex // of what follows
	rest  rest
	lanes map[string]*lane // by the secret's value
}

// NewTarget is a target of its own, outside any Registry.
func NewTarget(id string, policy Breaker) *Target { return newTarget(id, policy, nil) }

func newTarget(id string, policy Breaker, tell func(Change)) *Target {
	t := &Target{ID: id, breaker: breaker{policy: policy.withDefaults()}, tell: tell}
	if tell != nil {
		t.breaker.tell = func(m swing) { tell(m.change(t)) }
	}
	return t
}

// InFlight is the number of attempts under way.
func (t *Target) InFlight() int64 { return t.inFlight.Load() }

// SetBreaker takes an operator's word about the target.
// What its secrets have failed there is forgotten.
func (t *Target) SetBreaker(m Mode, now time.Time) {
	t.breaker.set(m, now)
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, l := range t.lanes {
		l.breaker.set(Auto, now)
	}
}

// TargetStatus is a target as the admin API shows it.
type TargetStatus struct {
	ID       string    `json:"target"`
	State    string    `json:"state"` // closed, half_open or open
	Mode     string    `json:"mode"`  // auto, or forced
	Since    time.Time `json:"since,omitzero"`
	InFlight int64     `json:"in_flight"`
	Calls    int64     `json:"calls"`
	Failures int64     `json:"failures"`
	// Cooling is until when it is passed over, where there are other targets,
	// for the provider's rate limit; zero: it is not.
	Cooling time.Time `json:"cooling_until,omitzero"`
	// Elsewhere tells that another replica has found what takes it out.
	Elsewhere bool         `json:"elsewhere,omitempty"`
	Keys      []LaneStatus `json:"keys,omitempty"` // where it is asked with several
	// Health is that of its place, healthy or unhealthy, as whoever knows where
	// it is fills in; empty: nobody checks it.
	Health string `json:"health,omitempty"`
}

// LaneStatus is one secret at one target.
type LaneStatus struct {
	Label   string    `json:"key"`
	State   string    `json:"state"` // of its breaker
	Cooling time.Time `json:"cooling_until,omitzero"`
	// Elsewhere tells that another replica has found what takes it out.
	Elsewhere bool `json:"elsewhere,omitempty"`
}

// Status is the target as it stands at now.
func (t *Target) Status(now time.Time) TargetStatus {
	state, mode, since := t.breaker.look(now)
	s := TargetStatus{ID: t.ID, State: state.String(), Mode: "auto", Since: since,
		InFlight: t.inFlight.Load(), Calls: t.calls.Load(), Failures: t.failures.Load()}
	if mode != Auto {
		s.Mode = "forced"
	}
	s.Elsewhere = t.breaker.elsewhere()
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.rest.left(now) > 0 {
		s.Cooling, s.Elsewhere = t.rest.until, s.Elsewhere || t.rest.heard
	}
	for _, l := range t.lanes {
		state, _, _ := l.breaker.look(now)
		until, heard := l.cooling(now)
		s.Keys = append(s.Keys, LaneStatus{Label: l.key, State: state.String(), Cooling: until, Elsewhere: heard || l.breaker.elsewhere()})
	}
	sort.Slice(s.Keys, func(i, j int) bool { return s.Keys[i].Label < s.Keys[j].Label })
	return s
}

// judge tells what an error says about a target's health. What the provider
// says about the request (4xx) proves that it answers, what cannot be understood
// that it is not well; what it says about a key (401, 429, quota) proves
// nothing either way.
func judge(e *schema.Error) outcome {
	if e == nil {
		return success
	}
	switch e.Class {
	case schema.ClassConnection, schema.ClassTimeout, schema.ClassOverloaded, schema.ClassServerError:
		return failure
	case schema.ClassInvalidOutput:
		if e.Code != schema.CodeInvalidOutput { // else the model missed a prompt's schema: its target is well
			return failure
		}
	case schema.ClassCancelled, schema.ClassRateLimited, schema.ClassAuth, schema.ClassQuota, "":
		return neutral
	}
	return success
}

// note keeps the figures and whether the target's last attempt failed.
func (t *Target) note(e *schema.Error, health outcome, now time.Time) {
	if e == nil {
		t.wentWell(now)
		return
	}
	if health == failure {
		t.failures.Add(1)
	}
	if health == failure || aboutKey(e.Class) {
		t.failing.Store(true)
	}
}

// aboutKey tells whether an error is about the secret that was used: such
// errors move on to another secret, then to another target.
func aboutKey(c schema.Class) bool {
	return c == schema.ClassAuth || c == schema.ClassRateLimited || c == schema.ClassQuota
}
