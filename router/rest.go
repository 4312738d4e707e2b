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
	strikes int       // errors in a row
	heard   bool      // another replica has found it,
	untried bool      // and no call here has ended since
	told    time.Time // until when others were told that it lasts
	okAt    time.Time // when a call last went well
	badFrom time.Time // when the first one was refused since
}

// note takes in an error about a key, or, if e is nil, a success; it tells
// whether the rest became longer. A success shortens none: it may have begun
// before the error.
func (r *rest) note(e *schema.Error, now time.Time) bool {
	r.untried = false
	if e == nil {
		r.strikes, r.okAt, r.badFrom = 0, now, time.Time{}
		return false
	}
	if r.badFrom.IsZero() {
		r.badFrom = now
	}
	d := e.RetryAfter
	switch {
	case d > 0:
	case e.Class == schema.ClassRateLimited:
		d = min(restRateLimited<<min(r.strikes, 5), restLongest)
	default:
		d = min(restRefused<<min(r.strikes, 5), restRefusedMost)
	}
	r.strikes++
	return r.extend(now.Add(min(d, longestRest(e.Class))), e.Class)
}

// extend lets the rest last until a time, if it would end sooner.
func (r *rest) extend(until time.Time, why schema.Class) bool {
	if !until.After(r.until) {
		return false
	}
	r.until, r.why, r.heard, r.untried = until, why, false, false
	return true
}

// longestRest is how long a rest may last for a reason, whoever says so.
func longestRest(why schema.Class) time.Duration {
	if why == schema.ClassQuota {
		return restQuota
	}
	return restBound
}

// hear takes in a rest that another replica has found, and tells whether it became
// longer. News follows no news: once such a rest is over a call here shows what is
// so, lest one that always fails first has others never try.
func (r *rest) hear(left time.Duration, why schema.Class, now time.Time) bool {
	until := now.Add(min(left, longestRest(why)))
	if r.untried || until.Sub(r.until) < leastLonger || !r.extend(until, why) { // it may be one's own, told back
		return false
	}
	r.heard, r.untried = true, true
	return true
}

// leastLonger is by how much a rest must be longer than was told to be worth
// telling, or hearing, of again: what a provider says beside each answer is off by a little.
const leastLonger = 100 * time.Millisecond

// news is that the rest has become longer, for whoever adds of what; nil: it has
// been told.
func (r *rest) news(now time.Time) *Change {
	if r.until.Sub(r.told) < leastLonger {
		return nil
	}
	r.told = r.until
	c := &Change{From: "ready", To: "cooling", Until: r.until, Left: r.left(now), Why: r.why}
	if r.heard {
		c.By = Heard
	} else if !r.badFrom.IsZero() {
		c.Failing = now.Sub(r.badFrom)
	}
	return c
}

// left is how long the rest still lasts; 0: it is over.
func (r *rest) left(now time.Time) time.Duration { return max(r.until.Sub(now), 0) }

// lane is one secret at one target. Where a target may be asked with several
// secrets, each has a breaker of its own there, so that a bad one is passed
// over before it opens the target's; and what a provider tells of its limits
// is of both together.
type lane struct {
	key     string // the secret's label,
	secret  string // and its digest
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

// rests takes in what makes the lane rest longer, if it does: as a refusal for
// the rate, which is of the model and the secret together. Others are told.
func (l *lane) rests(t *Target, longer func(*rest) bool, now time.Time) {
	l.mu.Lock()
	if longer(&l.rest) {
		l.quick.Store(l.rest.until.UnixNano())
	}
	news := l.rest.news(now)
	l.mu.Unlock()
	if news != nil && t.tell != nil {
		news.Target, news.Policy, news.Key, news.Secret = t.ID, t.breaker.policy, l.key, l.secret
		news.Failing = max(news.Failing, l.breaker.failing(now))
		t.tell(*news)
	}
}

// cooling is until when the lane rests, and whether another replica has found
// that; zero: it does not rest.
func (l *lane) cooling(now time.Time) (until time.Time, heard bool) {
	if l == nil {
		return time.Time{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rest.left(now) == 0 {
		return time.Time{}, false
	}
	return l.rest.until, l.rest.heard
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
		l = &lane{key: s.Label, secret: s.digest(), breaker: breaker{policy: t.breaker.policy}}
		if tell := t.tell; tell != nil {
			l.breaker.tell = func(m swing) {
				c := m.change(t)
				c.Key, c.Secret = l.key, l.secret
				tell(c)
			}
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
	t.rests(func(r *rest) bool { return r.note(e, now) }, now)
	t.mu.Lock()
	defer t.mu.Unlock()
	if e == nil && t.rest.left(now) == 0 {
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
	now := a.plan.Clock.Now()
	longer := func(r *rest) bool { return r.extend(now.Add(min(d, restBound)), schema.ClassRateLimited) }
	if a.lane != nil {
		a.lane.rests(a.Candidate.Target, longer, now)
		return
	}
	a.Candidate.Target.rests(longer, now)
}

// rests takes in what makes the target rest longer, if it does. Others are told.
func (t *Target) rests(longer func(*rest) bool, now time.Time) {
	t.mu.Lock()
	if longer(&t.rest) {
		t.resting.Store(t.rest.until.UnixNano())
	}
	news := t.rest.news(now)
	t.mu.Unlock()
	if news != nil && t.tell != nil {
		news.Target, news.Policy = t.ID, t.breaker.policy
		news.Failing = max(news.Failing, t.breaker.failing(now))
		t.tell(*news)
	}
}

// noteKey takes in what an attempt's end says of its secret. A rate limit is
// that of one model and counts at its target alone, all else everywhere.
func (a *Attempt) noteKey(e *schema.Error, now time.Time) {
	t := a.Candidate.Target
	switch {
	case e == nil || e.Class == schema.ClassRateLimited:
	case e.Class == schema.ClassOverloaded && e.RetryAfter > 0: // which is no key's fault
		t.rests(func(r *rest) bool { return r.extend(now.Add(min(e.RetryAfter, restBound)), e.Class) }, now)
		return
	default:
		a.Candidate.Pool.note(a.Secret, e, now)
		return
	}
	if a.lane == nil {
		t.limited(e, now)
	} else {
		a.lane.rests(t, func(r *rest) bool { return r.note(e, now) }, now)
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
	By       Source
	Until    time.Time
	Why      schema.Class
	Error    string // of the health check that failed

	// What other replicas need to know beside: see Registry.Hear.
	Policy  Breaker       // of the target, which may have several
	Secret  string        // the digest of the secret, for labels may be alike
	Failing time.Duration // how long calls or checks had failed
	Left    time.Duration // how long it is out; 0: it is not
}

// Source is who has found a Change.
type Source uint8

// Who finds changes.
const (
	Found Source = iota // calls and checks of this replica
	Said                // an operator
	Heard               // another replica
)
