package router

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Check says how a place where targets are is asked whether it is well.
type Check struct {
	Every   time.Duration // between two checks, give or take a tenth
	Timeout time.Duration // of one
	Fails   int           // in a row, after which it is unhealthy,
	Passes  int           // and after which it is healthy again
	// Lone is of a place that is one target's, whose name it has.
	Lone bool
}

// news is how long it is news to others that a place is unhealthy: until their own
// checks have told.
func (c *Check) news() time.Duration { return time.Duration(c.Fails)*c.Every + c.Timeout }

// Ask makes one check. An error says that the place is not well.
type Ask func(context.Context) error

// Health is what checks tell of the place where one or more targets are, such
// as a provider: kept over reloads by a Registry. It is safe for concurrent
// use; a nil Health is that of a place that nobody checks.
//
// Candidates at an unhealthy place are passed over while another candidate of
// the route can be tried: where all that is left is unhealthy, checks may be
// what is wrong, and they are tried. Route.Panic says otherwise.
type Health struct {
	Name   string
	policy Check
	tell   func(Change) // nil: nobody wants to know
	down   atomic.Bool

	mu      sync.Mutex // of what follows
	heard   bool       // another replica has found it unhealthy
	okAt    time.Time  // when a check last went well
	badFrom time.Time  // when the first one failed since
	run     int        // checks in a row that speak against the state
	checks  int64
	since   time.Time // of the last change of state
	checked time.Time
	took    time.Duration
	trouble string // why the last check failed; empty: it did not
}

// Down tells whether the place is unhealthy.
func (h *Health) Down() bool { return h != nil && h.down.Load() }

// HealthStatus is how a place stands, as the admin API shows it.
type HealthStatus struct {
	State   string    `json:"state"` // healthy or unhealthy
	Since   time.Time `json:"since,omitzero"`
	Checks  int64     `json:"checks"`           // so far
	Checked time.Time `json:"checked,omitzero"` // the last one; zero: there was none
	TookMS  int64     `json:"took_ms"`
	Error   string    `json:"error,omitempty"` // of the last one; empty: it went well
	// Elsewhere tells that another replica has found it unhealthy.
	Elsewhere bool `json:"elsewhere,omitempty"`
}

// Status is the place as it stands; nil: nobody checks it.
func (h *Health) Status() *HealthStatus {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &HealthStatus{State: healthy, Since: h.since, Checks: h.checks, Checked: h.checked, TookMS: h.took.Milliseconds(), Error: h.trouble, Elsewhere: h.heard}
	if h.down.Load() {
		s.State = unhealthy
	}
	return s
}

// The states of a place.
const (
	healthy   = "healthy"
	unhealthy = "unhealthy"
)

// why says in words that the place is unhealthy, but not what its network or
// its own words tell: callers may read it.
func (h *Health) why() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	whose := "its health checks"
	if h.heard {
		whose = "its health checks by another replica"
	}
	return whose + " fail since " + h.since.UTC().Format(time.RFC3339)
}

// check asks once and takes in what comes of it; ended early, it says nothing.
// back tells that the place has become healthy by it.
func (h *Health) check(ctx context.Context, ask Ask) (back bool) {
	begin := time.Now()
	inTime, cancel := context.WithTimeout(ctx, h.policy.Timeout)
	defer cancel()
	err := ask(inTime)
	return ctx.Err() == nil && h.note(err, begin, time.Now())
}

// longestTrouble bounds, in bytes, what is kept of an error.
const longestTrouble = 300

func bounded(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), longestTrouble)], "")
}

// note takes in how a check went, and tells whether the place has become healthy by it.
func (h *Health) note(err error, begin, end time.Time) (back bool) {
	h.mu.Lock()
	h.checks++
	h.checked, h.took, h.trouble = end, end.Sub(begin), ""
	if err == nil {
		h.okAt, h.badFrom = end, time.Time{}
	} else {
		h.trouble = bounded(err.Error())
		if h.badFrom.IsZero() {
			h.badFrom = begin
		}
	}
	down, need := h.down.Load(), h.policy.Fails
	if down {
		need = h.policy.Passes
	}
	if h.heard { // what another has found is not yet what this one has
		need, h.heard = 1, err == nil
	}
	turned := false
	if against := (err != nil) != down; !against {
		h.run = 0
	} else if h.run++; h.run >= need {
		turned = true
		h.turn(!down, end)
	}
	change := h.change(Found, end)
	h.mu.Unlock()
	if turned && h.tell != nil {
		h.tell(change)
	}
	return turned && down
}

// turn changes the state. The lock is held.
func (h *Health) turn(down bool, now time.Time) {
	h.run, h.since, h.heard = 0, now, false
	h.down.Store(down)
}

// change is that the state has become what it is, as it is told. The lock is held.
func (h *Health) change(by Source, now time.Time) Change {
	c := Change{Provider: h.Name, From: unhealthy, To: healthy, By: by}
	if h.down.Load() {
		c.From, c.To, c.Error = healthy, unhealthy, h.trouble
		c.Left, c.Failing = h.policy.news(), now.Sub(h.badFrom)
	}
	if h.policy.Lone {
		c.Provider, c.Target = "", h.Name
	}
	return c
}

// hear takes in what checks of another replica have found: that they failed for so
// long, or, if nothing is left of that, that they pass again. A check that has
// gone well here since counts for more, and the next one says whether it is so.
func (h *Health) hear(left, failing time.Duration, now time.Time) {
	h.mu.Lock()
	down := left > 0
	if down == h.down.Load() || down && h.okAt.After(now.Add(-failing)) {
		h.mu.Unlock()
		return
	}
	h.turn(down, now)
	h.heard = down
	change := h.change(Heard, now)
	change.Error = ""
	h.mu.Unlock()
	if h.tell != nil {
		h.tell(change)
	}
}

// asked is a place and how it is asked in one configuration.
type asked struct {
	health *Health
	ask    Ask
}

// Checks makes the health checks of the registry in force: one goroutine for
// each place, whatever the calls. It outlives registries: a place that stays
// is asked on at its own pace, and what is under way is not cut. Its zero value
// is ready.
type Checks struct {
	mu      sync.Mutex
	closed  bool
	running map[*Health]*checker
	done    sync.WaitGroup
}

type checker struct {
	ask  atomic.Pointer[Ask]
	of   atomic.Pointer[Registry] // the one in force
	stop context.CancelFunc
}

// Follow begins to check what the registry holds, and ends what it does not.
func (c *Checks) Follow(r *Registry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	places := r.asked()
	was := c.running
	c.running = make(map[*Health]*checker, len(places))
	for _, p := range places {
		k := was[p.health]
		delete(was, p.health)
		if k == nil {
			ctx, stop := context.WithCancel(context.Background())
			k = &checker{stop: stop}
			k.ask.Store(&p.ask)
			k.of.Store(r)
			c.done.Go(func() { k.run(ctx, p.health) })
		}
		k.ask.Store(&p.ask)
		k.of.Store(r)
		c.running[p.health] = k
	}
	for _, k := range was {
		k.stop()
	}
}

// Close ends all checks and waits for those under way to be cut.
func (c *Checks) Close() {
	c.mu.Lock()
	c.closed = true
	for _, k := range c.running {
		k.stop()
	}
	c.running = nil
	c.mu.Unlock()
	c.done.Wait()
}

// run checks a place until ctx ends: soon, then each Every. The times are
// drawn, lest all replicas ask at once.
func (k *checker) run(ctx context.Context, h *Health) {
	every := h.policy.Every
	wait := time.NewTimer(rand.N(every/10 + 1))
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		if h.check(ctx, *k.ask.Load()) {
			k.of.Load().back(h, time.Now())
		}
		wait.Reset(every - every/10 + rand.N(every/5+1))
	}
}
