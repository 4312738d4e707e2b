package router

import (
	"sync"
	"sync/atomic"
	"time"

	"sluice/providers/schema"
)

// How long a secret or a target rests after an error about a key that names no
// time itself.
const (
	restRateLimited = time.Second // doubled by each further one in a row,
	restLongest     = 30 * time.Second
	restRefused     = 5 * time.Minute // 401, 403, no quota; doubled likewise,
	restRefusedMost = time.Hour
	restBound       = time.Hour      // whatever the provider says of its rate limits,
	restQuota       = 24 * time.Hour // and of its quota
)

// rest is how long something is left alone, and why.
type rest struct {
	until   time.Time
	why     schema.Class
	strikes int // errors in a row
}

// note takes in an error about a key, or, if e is nil, a success; it tells
// whether the rest became longer. A success shortens none: it may have begun
// before the error.
func (r *rest) note(e *schema.Error, now time.Time) bool {
	if e == nil {
		r.strikes = 0
		return false
	}
	d, bound := e.RetryAfter, restBound
	switch e.Class {
	case schema.ClassRateLimited:
		if d <= 0 {
			d = min(restRateLimited<<min(r.strikes, 5), restLongest)
		}
	case schema.ClassQuota:
		bound = restQuota
		fallthrough
	default:
		if d <= 0 {
			d = min(restRefused<<min(r.strikes, 5), restRefusedMost)
		}
	}
	r.strikes++
	return r.extend(now.Add(min(d, bound)), e.Class)
}

// extend lets the rest last until a time, if it would end sooner.
func (r *rest) extend(until time.Time, why schema.Class) bool {
	if !until.After(r.until) {
		return false
	}
	r.until, r.why = until, why
	return true
}

// left is how long the rest still lasts; 0: it is over.
func (r *rest) left(now time.Time) time.Duration { return max(r.until.Sub(now), 0) }

// lane is one secret at one target. Where a target may be asked with several
// secrets, each has a breaker of its own there, so that a bad one is passed
// over before it opens the target's; and what a provider tells of its limits
// is of both together.
type lane struct {
	key     string // the secret's label
	breaker breaker
	proof

	mu    sync.Mutex
	rest  rest
	quick atomic.Int64 // Unix nanoseconds of rest.until, to look at without the lock
}

// wait is how long the lane is out; 0: it may be tried.
func (l *lane) wait(now time.Time) time.Duration {
	if l == nil {
		return 0
	}
	if at := l.quick.Load(); at != 0 && at > now.UnixNano() {
		return time.Duration(at - now.UnixNano())
	}
	if ok, wait := l.breaker.ready(now, false); !ok {
		return max(wait, 1)
	}
	return 0
}

func (l *lane) spent(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rest.extend(until, schema.ClassRateLimited) {
		l.quick.Store(l.rest.until.UnixNano())
	}
}

// limited takes in a refusal for the rate, which is of the model and the secret
// together, or, if e is nil, a success.
func (l *lane) limited(e *schema.Error, now time.Time) (until time.Time, longer bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if longer = l.rest.note(e, now); longer {
		l.quick.Store(l.rest.until.UnixNano())
	}
	return l.rest.until, longer
}

// cooling is until when the lane rests; zero: it does not.
func (l *lane) cooling(now time.Time) time.Time {
	if l == nil {
		return time.Time{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rest.left(now) == 0 {
		return time.Time{}
	}
	return l.rest.until
}

// look finds the lane of a secret; nil: nothing is known of it yet.
func (t *Target) look(s *Secret) *lane {
	if t == nil {
		return nil
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.lanes[s.Value]
}

// lane is that of a secret, made at its first use.
func (t *Target) lane(s *Secret) *lane {
	if l := t.look(s); l != nil {
		return l
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lanes[s.Value]
	if l == nil {
		l = &lane{key: s.Label, breaker: breaker{policy: t.breaker.policy}}
		if tell := t.tell; tell != nil {
			l.breaker.tell = func(from, to State) { tell(Change{Target: t.ID, Key: l.key, From: from.String(), To: to.String()}) }
		}
		if t.lanes == nil {
			t.lanes = map[string]*lane{}
		}
		t.lanes[s.Value] = l
	}
	return l
}

// rested is how long the target rests, for the limits of the only secret that
// it can be asked with. A route's only target never does.
func (t *Target) rested(now time.Time, lone bool) time.Duration {
	at := t.resting.Load()
	if lone || at == 0 {
		return 0
	}
	return max(time.Duration(at-now.UnixNano()), 0)
}

// limited takes in a refusal for the rate of the only secret, or, if e is nil,
// a success.
func (t *Target) limited(e *schema.Error, now time.Time) {
	if e == nil && t.resting.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.rest.note(e, now):
		t.resting.Store(t.rest.until.UnixNano())
	case e == nil && t.rest.left(now) == 0:
		t.resting.Store(0)
	}
}

// Spent tells what the provider said about its limits beside an answer: of
// what the attempt used, nothing is left for d. The secret is passed over at
// this target for so long, or, where it is the only one, the target is.
func (a *Attempt) Spent(d time.Duration) {
	if d <= 0 {
		return
	}
	until := a.plan.Clock.Now().Add(min(d, restBound))
	if a.lane != nil {
		a.lane.spent(until)
		return
	}
	a.Candidate.Target.rests(until, schema.ClassRateLimited)
}

// rests lets the target rest until a time.
func (t *Target) rests(until time.Time, why schema.Class) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rest.extend(until, why) {
		t.resting.Store(t.rest.until.UnixNano())
	}
}

// noteKey takes in what an attempt's end says of its secret. A rate limit is
// that of one model and counts at its target alone, all else everywhere.
func (a *Attempt) noteKey(e *schema.Error, now time.Time) {
	t := a.Candidate.Target
	switch {
	case e == nil || e.Class == schema.ClassRateLimited:
	case e.Class == schema.ClassOverloaded && e.RetryAfter > 0: // which is no key's fault
		t.rests(now.Add(min(e.RetryAfter, restBound)), e.Class)
		return
	default:
		a.Candidate.Pool.note(a.Secret, e, now)
		return
	}
	if a.lane == nil {
		t.limited(e, now)
	} else if until, longer := a.lane.limited(e, now); longer && t.tell != nil {
		t.tell(Change{Target: t.ID, Key: a.lane.key, From: "ready", To: "cooling", Until: until, Why: e.Class})
	}
	if e == nil {
		a.Candidate.Pool.note(a.Secret, nil, now)
	}
}

// Change is a turn for the worse or the better of a target, of one of the
// secrets that it is asked with, or of the place where targets are.
type Change struct {
	Target   string // empty: the secret is out at every target of the provider
	Provider string // where Target is empty
	Key      string // the secret's label; empty: the target itself
	From, To string // closed, half_open, open; or ready, cooling; or healthy, unhealthy
	Until    time.Time
	Why      schema.Class
	Error    string // of the health check that failed
}
