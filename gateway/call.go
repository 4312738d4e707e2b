package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/billing"
	"sluice/gateway/guard"
	"sluice/gateway/proxy"
	"sluice/prompts"
	"sluice/providers"
	"sluice/providers/dialect"
	"sluice/providers/lifetime"
	"sluice/providers/schema"
	"sluice/router"
)

// Call is one client request on its way through the gateway: what the stages
// tell each other. It is pooled, passed explicitly, and belongs to one
// goroutine at a time. Its fields are set in the order in which they stand.
type Call struct {
	g     *Gateway
	rc    *fasthttp.RequestCtx // gone once a stream's head is out; see stream
	snap  *Snapshot
	now   time.Time // when it came
	ctx   context.Context
	watch watched

	from   origin
	speaks *dialect.Dialect // what errors and answers are written in; nil: problem+json

	caller *Caller
	prompt *prompts.Live
	model  *Model
	req    providers.Request
	passed *passedBody // of a request that is passed on; nil: it is none

	tickets tickets
	money   money
	until   deadline
	plan    router.Plan
	attempt *router.Attempt // a stream's, until it is over
	target  *Target         // that was tried last
	stream  *streamBody
	session *session      // a realtime session's, which then finishes the call
	err     *schema.Error // why it failed
	entry   billing.Entry
	done    progress
	trail   []billing.AttemptLog
}

// origin is where a call came from and went to.
type origin struct {
	method, path, ip string
	within           context.Context   // of the call that makes this one; nil: a client does
	life             *lifetime.Context // of the client's call; nil: there is none, or it is not open yet
	depth            int               // of steps that call prompts with steps
	keyAt            int               // where its key was sent: see keyPlaces
	allowed          string            // the methods of a path that was called with another
	continues        string            // the kept answer that it goes on from
	guards           *guard.Session    // of the model that it went to; nil: it has none
	unguarded        bool              // it is made for a guard
	explain          bool              // it wants to know how it was decided
	arm              *prompts.Arm      // of the split that chose the prompt's version; nil: none did
	subscription     *Subscription     // that it counts in; nil: none
	cache            string            // what the call that makes this one said of the cache
	route            *proxy.Exchange   // that it is; nil: it goes to no route
	body             *[]byte           // memory of its request's body
	closes           bool              // its connection is not read any further
	trace            *trace            // nil: it is in none
	content          *content          // what is told of its bodies; nil: nothing
}

// inside is the origin of a call that is made within this one. What belongs to
// the client's request stays with this one: its memory is given back once.
func (o origin) inside(ctx context.Context) origin {
	o.within, o.guards, o.route, o.body, o.closes, o.content = ctx, nil, nil, nil, false, nil
	o.trace = o.trace.within()
	return o
}

// money is what a call may cost.
type money struct {
	owner    *billing.Owner // nil: the caller's
	hold     billing.Hold
	clamped  int64 // output limit that the budget allows; 0: the caller's stands
	counted  int64 // input tokens, once counted
	unpriced bool  // some of it has no price: what it costs is not known
	warned   bool  // a budget has reached a level to warn at
	cut      bool  // the caller gave up on a request that was at the provider
	lowered  int64 // the limit that was sent instead of the caller's; 0: none
	slices   installments
	tried    billing.Nano   // what attempts have cost that were given up
	beyond   billing.Charge // of that, what no budget had room for: settled with the hold
	steps    spent          // by the steps of a prompt, each a call of its own
}

// deadline is the caller's own time limit; zero: it set none.
type deadline struct {
	at   time.Time
	stop context.CancelFunc
}

// progress is how far the money has got, and whom the answer is for beside the
// caller.
type progress struct {
	admitted, charged, recorded bool
	masked                      bool        // a guard has changed the request
	reuse                       *reuse      // nil: no cache applies
	resume                      *resumption // nil: a stream that breaks stays broken
	judging                     *judging    // nil: no judge is to see the answer
	upstream                    upstreamTime
}

var callPool = sync.Pool{New: func() any { return new(Call) }}

// newCall begins a call: clock, id, snapshot.
func (g *Gateway) newCall(rc *fasthttp.RequestCtx) *Call {
	g.open.Add(1)
	c := callPool.Get().(*Call)
	c.g, c.rc, c.snap, c.now = g, rc, g.snap.Load(), time.Now()
	c.from = origin{method: methodName(rc.Method()), path: string(rc.Path()), ip: c.callerIP()}
	e := &c.entry
	e.Call = g.ids.next(c.now)
	e.Time, e.Delivered = c.now, -1
	e.RequestID = e.Call
	if id := rc.Request.Header.Peek("X-Request-Id"); saneID(id) {
		e.RequestID = string(id)
	}
	c.from.explain = string(rc.Request.Header.Peek("X-Sluice-Explain")) == "1"
	return c
}

// open makes the context that ends when the caller leaves or the gateway
// gives up on draining, and starts the watch for it.
func (c *Call) open() {
	var cancel context.CancelCauseFunc
	if c.from.within != nil {
		c.ctx, cancel = context.WithCancelCause(c.from.within)
	} else {
		c.from.life = &lifetime.Context{}
		c.ctx, cancel = c.from.life, c.from.life.End
	}
	c.watch.leaving = c.leaving()
	c.g.watch.add(&c.watch, bare(c.rc.Conn()), c.rc.ConnID(), cancel)
	if c.g.draining.Load() && c.g.ctx.Err() != nil { // it gave up before the watch knew of this call
		cancel(nil)
	}
}

// leaving is what happens when the caller leaves: what the model says of it,
// else its team, else the settings.
func (c *Call) leaving() Leaving {
	switch {
	case c.from.route != nil: // there is nothing to be charged for
		return Leaving{}
	case c.model != nil && c.model.Leaving != nil:
		return *c.model.Leaving
	case c.caller != nil && c.caller.Leaving != nil:
		return *c.caller.Leaving
	}
	return c.snap.Settings.Leaving
}

// close ends the watch and the context; nothing of the call goes on after it.
func (c *Call) close() {
	if cancel := c.watch.cancel; cancel != nil {
		c.g.watch.remove(&c.watch)
		cancel(nil)
	}
	if c.until.stop != nil {
		c.until.stop()
	}
}

// release gives the call back; nobody may hold it any more.
func (c *Call) release() {
	trail, plan := c.trail[:0], c.plan
	plan.Reset()
	giveBody(c.from.body)
	c.from.trace.release()
	*c = Call{trail: trail, plan: plan}
	callPool.Put(c)
}

// left tells whether the caller has gone.
func (c *Call) left() bool {
	return c.ctx != nil && (context.Cause(c.ctx) == errCallerLeft || c.from.life != nil && c.from.life.Over() == errCallerLeft)
}

// methodName avoids an allocation for the methods that matter.
func methodName(m []byte) string {
	switch string(m) {
	case fasthttp.MethodGet:
		return fasthttp.MethodGet
	case fasthttp.MethodPost:
		return fasthttp.MethodPost
	}
	return string(m)
}
