package router

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/providers/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeClock is a clock that only moves when told, or by sleeping.
type fakeClock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func newClock() *fakeClock { return &fakeClock{now: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *fakeClock) clock() *Clock {
	return &Clock{Now: c.Now, Sleep: func(ctx context.Context, d time.Duration) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.slept = append(c.slept, d)
		c.now = c.now.Add(d)
		return ctx.Err()
	}}
}

// failed is an error of a class as a provider's client would make it.
func failed(c schema.Class) *schema.Error {
	return &schema.Error{Code: schema.CodeUpstream, Status: 502, Origin: schema.OriginProvider, Class: c,
		UpstreamStatus: 500, Message: string(c)}
}

// later is failed with a Retry-After.
func later(c schema.Class, d time.Duration) *schema.Error {
	e := failed(c)
	e.RetryAfter = d
	return e
}

// routeOf is a route over targets without secrets, prepared.
func routeOf(t testing.TB, name string, targets ...string) *Route {
	t.Helper()
	r := &Route{Name: name}
	for _, id := range targets {
		r.Candidates = append(r.Candidates, Candidate{Target: NewTarget(id, Breaker{}), Model: id})
	}
	prepared(t, r)
	return r
}

func prepared(t testing.TB, r *Route) {
	t.Helper()
	if err := r.Prepare(); err != nil {
		t.Fatal(err)
	}
}

// script answers attempts at targets: the errors of each in turn, its last
// one for ever; a target that is not named answers well.
type script struct {
	errors map[string][]*schema.Error
	seen   []string // target, or target/key
}

func (s *script) try(a *Attempt) error {
	id := a.Candidate.Target.ID
	at := id
	if a.Secret != nil {
		at += "/" + a.Secret.Label
	}
	s.seen = append(s.seen, at)
	for _, name := range []string{at, id} {
		if errs := s.errors[name]; len(errs) > 0 {
			err := errs[0]
			if len(errs) > 1 {
				s.errors[name] = errs[1:]
			}
			if err != nil {
				return fmt.Errorf("wrapped: %w", err)
			}
			return nil
		}
	}
	return nil
}
