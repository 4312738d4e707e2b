package router

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/providers/schema"
)

// Route is a name with its candidates and how to try them. Its fields are set
// first, then Prepare is called once; after that it is safe for concurrent use
// and must not be changed.
type Route struct {
	Name    string
	Balance Balance // empty: Ordered
	// Sticky is what of a call its Subject makes the key of that keeps calls
	// together, in the caller's words; empty: nothing. A call without a key is
	// balanced as Balance says, and by weight if that is Sticky.
	Sticky     string
	Candidates []Candidate
	Retry      Retry
	Fallback   []Fallback
	Hedge      Hedge  // of calls that are made by DoHedged
	Queue      *Queue // where calls wait while all targets are at their limits; nil: they do not
	// Panic is the share of the candidates that must be healthy, lest the checks
	// are not believed and all are tried; 0: one is enough. Negative: they are
	// always believed, and where nothing healthy is left, nothing is tried.
	Panic float64

	budget budget
	hedges hedgeBudget
	races  sync.Pool    // of hedged calls that are over,
	heats  sync.Pool    // and of their attempts
	calls  atomic.Int64 // that were balanced by what is learnt
	mu     sync.Mutex   // guards what follows, and the candidates' own
	pulls  tally        // times that any candidate was chosen
}

// Candidate is one target that can serve a route.
type Candidate struct {
	Target *Target
	Weight int     // 0 means 1
	Pool   *Pool   // nil: it takes no secret
	Health *Health // of the place where it is; nil: nobody checks it
	Model  string  // what a secret's model patterns are compared with
	// Payload is what the caller needs to attempt it.
	Payload any

	id uint64 // hash of the target's ID, and of how many before it have the same

	// Under the route's lock.
	current int   // smooth weighted round robin
	pulls   tally // times that it was chosen
}

func (c *Candidate) weight() int { return max(c.Weight, 1) }

// Retry is what to do when an attempt fails. A zero field means its default.
type Retry struct {
	Attempts int            // tries per target, the first included: 2
	Backoff  time.Duration  // before the second try, doubled for each further one: 100ms
	On       []schema.Class // classes that are tried again: DefaultRetryOn
	// Budget bounds what is tried beyond a call's first attempt, as a share
	// of the route's calls: 0.2. Three a second are always allowed. A move
	// to another target, or another key, that goes well costs nothing.
	// Negative: no more than those three.
	Budget float64
	// MaxWait is the longest Retry-After that is waited for at the same
	// target; after a longer one the call moves on: 2s.
	MaxWait time.Duration
}

// DefaultRetryOn are the classes that are tried again unless set otherwise.
var DefaultRetryOn = []schema.Class{schema.ClassRateLimited, schema.ClassOverloaded, schema.ClassTimeout,
	schema.ClassConnection, schema.ClassServerError}

// Fallback is another route to try when one has failed.
type Fallback struct {
	Route *Route
	// On are the classes that lead there; nil: all but context_length,
	// content_filter and invalid_request.
	On []schema.Class
}

// takes tells whether an error of class c leads to the fallback.
func (f *Fallback) takes(c schema.Class) bool {
	if f.On != nil {
		return slices.Contains(f.On, c)
	}
	switch c {
	case schema.ClassContextLength, schema.ClassContentFilter, schema.ClassInvalidRequest, schema.ClassCancelled:
		return false
	}
	return true
}

// ends tells whether an error of class c ends the route's attempts: another
// target would say the same.
func (r *Route) ends(c schema.Class) bool { return !slices.Contains(r.Retry.On, c) && !aboutKey(c) }

// FallbackFor is the first fallback that serves an error of class c and is not
// skipped; nil: there is none.
func (r *Route) FallbackFor(c schema.Class, skip func(*Route) bool) *Route {
	for i := range r.Fallback {
		if f := &r.Fallback[i]; f.takes(c) && !skip(f.Route) {
			return f.Route
		}
	}
	return nil
}

// Prepare checks the route and fills in defaults. Fallbacks may still be added
// until the first call.
func (r *Route) Prepare() error {
	if len(r.Candidates) == 0 {
		return fmt.Errorf("route %q has no target", r.Name)
	}
	if r.Balance == "" {
		r.Balance = Ordered
	}
	if !slices.Contains(Balances, r.Balance) {
		return fmt.Errorf("route %q: balance %q is not known; known are %v", r.Name, r.Balance, Balances)
	}
	if r.Balance == Sticky && r.Sticky == "" {
		return fmt.Errorf("route %q: balance sticky wants to know by what", r.Name)
	}
	for i := range r.Candidates {
		if r.Candidates[i].Target == nil {
			return fmt.Errorf("route %q: candidate %d has no target", r.Name, i)
		}
		if r.Candidates[i].Weight < 0 {
			return fmt.Errorf("route %q: weight of %q is negative", r.Name, r.Candidates[i].Target.ID)
		}
		r.Candidates[i].id = r.identity(i)
		if r.Hedge.Learned {
			r.Candidates[i].Target.learnt.keepTails()
		}
	}
	r.Retry.Attempts = orElse(r.Retry.Attempts, 2)
	r.Retry.Backoff = orElse(r.Retry.Backoff, 100*time.Millisecond)
	r.Retry.MaxWait = orElse(r.Retry.MaxWait, 2*time.Second)
	if r.Retry.Budget == 0 {
		r.Retry.Budget = 0.2
	}
	if r.Retry.On == nil {
		r.Retry.On = DefaultRetryOn
	}
	r.budget.share = int64(max(r.Retry.Budget, 0) * wholeTry)
	return nil
}
