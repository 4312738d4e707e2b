package proxy

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/gateway/limit"
	"sluice/gateway/telemetry"
	"sluice/router"
)

// Handler answers an exchange, or says why not: with a *schema.Error, of which
// the gateway makes the answer.
type Handler func(*Exchange) error

// Step is one policy: it makes, of what comes after it, a handler that lets an
// exchange go on, changed or not, or answers it itself.
type Step func(next Handler) Handler

// Route is what is done with the requests that it matches. Its exported fields
// are set first; NewTree makes it ready, and it is not changed after that.
type Route struct {
	Name    string
	Match   Match
	Steps   []Step // the first is passed first
	Backend Backend
	Series  *telemetry.Route // nil: it is not counted
	// Preflight lets it answer what browsers ask of the methods that it matches.
	Preflight bool
	Versions  *Versions // nil: it has none
	// Permission is what its callers must be allowed, for those who ask what
	// would be decided; nil: it is open to all.
	Permission *Permission
	// Bound is how many requests its backend gets at once; nil: any number.
	Bound *limit.Adaptive

	pattern pattern
	place   place
	order   int
	handle  Handler
}

// Backend is what answers in the end.
type Backend interface {
	// Serve answers the exchange.
	Serve(*Exchange) error
	// Kind is how the backend is named in the configuration.
	Kind() string
}

func (r *Route) compile() {
	r.handle = r.Backend.Serve
	steps := r.Steps
	if r.Versions != nil {
		steps = slices.Concat([]Step{r.Versions.step()}, steps)
	}
	for _, step := range slices.Backward(steps) {
		r.handle = step(r.handle)
	}
}

// Param is the value of a parameter of the route's path in a request; nil: the
// route has none of that name.
func (r *Route) Param(name string, path *Path) []byte {
	for i, s := range r.own() {
		if s.named() && s.text == name {
			return path.Segment(i)
		}
	}
	return nil
}

// own is the pattern without the version before it, which is taken out of the
// path.
func (r *Route) own() []segment {
	if r.place.cut {
		return r.pattern.segments[1:]
	}
	return r.pattern.segments
}

// Params are the names of the parameters in the route's path.
func (r *Route) Params() []string { return params(r.own()) }

// ParamsOf are the names of the parameters in a path such as /orders/{id}; none
// of one that cannot be read.
func ParamsOf(path string) []string {
	p, err := parsePattern(path)
	if err != nil {
		return nil
	}
	return params(p.segments)
}

func params(list []segment) []string {
	var names []string
	for _, s := range list {
		if s.named() {
			names = append(names, s.text)
		}
	}
	return names
}

// Callers is what the gateway knows of those who call.
type Callers interface {
	// Key finds the caller by the Sluice key that the request carries, and counts
	// the request in its limits. It does so once; the answer stays.
	Key() (Caller, error)
	// Admit counts the request of a caller without a key in the limits of its
	// team.
	Admit(*Caller) error
}

// Try is an attempt at a target that has ended, or whose answer has begun.
type Try struct {
	Target string
	Status int   // 0: it has not answered
	Err    error // nil: it went well
	Took   time.Duration
	Ended  time.Time // zero: just now
	// Call is which of a composed answer's calls it was made for, and Method that
	// call's; both are empty of other backends.
	Call, Method string
}

// Edge is the gateway around an exchange.
type Edge interface {
	Callers
	// Context ends when the caller leaves. The first use of it begins the watch
	// for that.
	Context() context.Context
	// Tried notes how an attempt at a target ended.
	Tried(Try)
	// Over ends the exchange whose answer is written by a stream, or was to be:
	// the last thing that is done to it.
	Over(err error)
	// Switch hands the connection over to t, once head is written to it.
	Switch(t Tunnel, head []byte)
}

// Caller is who an exchange comes from.
type Caller struct {
	ID     string // of the key, or of another identity: jwt:corp/alice
	Key    string // team/name; empty: it came without one
	Team   string // empty: it is of none
	User   string
	Roles  []string
	Scopes []string
	Claims map[string]any // of its token
	// Member tells what the team of a key has subscribed to; nil: it came without one.
	Member Member
}

// Member is one of a team.
type Member interface {
	// RefusesRoute says how the team's subscription to a route stands, and why it
	// may not use one that wants a
	// subscription; empty: it may.
	RefusesRoute(name string) (status, why string)
}

// Exchange is one request on its way through a route. It is pooled, and belongs
// to one goroutine at a time.
type Exchange struct {
	RC     *fasthttp.RequestCtx // gone once a stream's head is out
	Edge   Edge
	Route  *Route
	Plan   *router.Plan // for a backend with targets
	Method string
	Now    time.Time // when the request came
	IP     string    // the caller's address
	From   Origin
	Path   Path
	Query  []byte  // as it came, without the question mark
	Caller Caller  // without an ID until a step has found who calls
	Limit  Limited // the route's own
	// Told are headers of the answer, be it the backend's or an error.
	Told []Condition
	// Version is the one of the API that is asked for, where there are several.
	Version string
	Cached  string // hit, stale or miss; empty: no cache applies
	Arm     string // of a route with a canary; empty: it has none

	running *limit.Subject // whose request this is, where those at once are counted
	ask     ask
	body    body
	http    *HTTP // the backend that is under way, for its balance
	answer  *answer
	said    answer // the memory of it
	try     func(*router.Attempt) error
	begins  begins
	passage
}

// passage is how a request is getting on with a backend.
type passage struct {
	// Fallback is who answered in the place of the route's targets, as
	// Fallback.Name; empty: nobody.
	Fallback string

	attempt  *router.Attempt
	streams  bool  // its answer
	switched bool  // it has become another protocol's
	sent     int64 // of an answer that streams
}

// ask is what a backend is asked for.
type ask struct {
	path   []byte // nil: that of Path
	before []byte // it
	head   []byte // what is sent before the body
}

// Origin is what is known of how a request came.
type Origin struct {
	Peer    string // the address of the connection
	Trusted bool   // the peer is a proxy that is believed
	TLS     bool
	// Body is the most that a request's body may hold, Idle the longest that its
	// caller may pause within it, Rate how many bytes a second must come on
	// average after a first pause; 0: no bound.
	Body int64
	Idle time.Duration
	Rate int64
	// Here is how many bytes of the body were there before it was asked for.
	Here int64
}

var exchanges = sync.Pool{New: func() any {
	x := new(Exchange)
	x.try = func(a *router.Attempt) error { return x.http.try(x, a) } // made once for all that x will be
	return x
}}

// NewExchange is an empty one from the pool.
func NewExchange() *Exchange { return exchanges.Get().(*Exchange) }

// Release ends what the steps have begun and gives the exchange back.
func (x *Exchange) Release() {
	x.running.Done()
	clean := Exchange{try: x.try, ask: ask{head: x.ask.head[:0]}, Path: Path{sent: x.Path.sent, match: x.Path.match}}
	clean.body.memory = x.body.memory
	*x = clean
	exchanges.Put(x)
}

// Serve leads the exchange through its route.
func (x *Exchange) Serve() error { return x.Route.handle(x) }

// Sizes are how many bytes of the request's body were read, and how many the body of
// the answer has, before it is packed. What a connection that was handed over
// carries is not among them.
func (x *Exchange) Sizes() (in, out int64) {
	in = x.From.Here + x.body.read + int64(len(x.body.ahead))
	switch { // of a stream RC is gone
	case x.streams:
		out = x.sent
	case !x.switched && !x.RC.Response.IsBodyStream():
		out = int64(len(x.RC.Response.Body()))
	}
	return in, out
}

// Held tells whether the exchange goes on after Serve has returned: Edge.Over,
// or the end of the tunnel, ends it.
func (x *Exchange) Held() bool { return x != nil && (x.streams || x.switched) }

// GiveUp ends an exchange that goes on, but for Edge.Over: something went wrong
// after its answer was begun.
func (x *Exchange) GiveUp(err error) {
	if x == nil {
		return
	}
	if x.answer != nil {
		x.answer.x = nil
	}
	x.Ended(err)
	x.drop()
	x.streams, x.switched = false, false
}
