package gateway

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/billing"
	"sluice/gateway/proxy"
	"sluice/gateway/telemetry/otlp"
	"sluice/providers/schema"
)

// claims tells whether a path is the gateway's own, or a prompt's, and so no
// route's.
func (c *Call) claims(path string) bool {
	if strings.HasPrefix(path, "/v1") {
		for _, own := range [...]string{"/v1beta/models/", "/v1/responses/", "/v1/models/"} {
			if strings.HasPrefix(path, own) {
				return true
			}
		}
		if passingsAt(path) != nil {
			return true
		}
	}
	_, _, ok := c.promptAt()
	return ok
}

// serveRoute leads the call through the route that it matches; false: it
// matches none.
func (c *Call) serveRoute() (found bool, err error) {
	x := proxy.NewExchange()
	target := originForm(c.rc.Request.Header.RequestURI())
	raw, query, _ := bytes.Cut(target, []byte{'?'})
	if err := x.Path.Normalise(raw); err != nil {
		x.Release()
		c.speaks, c.from.closes = dialectOf(c.from.path), true
		return true, &schema.Error{Code: schema.CodeInvalidRequest, Status: fasthttp.StatusBadRequest, Origin: schema.OriginGateway,
			Class: schema.ClassInvalidRequest, Message: err.Error(), Cause: err}
	}
	if x.Route = c.snap.routes.Find(c.rc.Host(), &x.Path, &c.rc.Request); x.Route == nil {
		x.Release()
		return false, nil
	}
	c.speaks, c.from.route = nil, x
	c.ready(x, query)
	c.passTrace()
	err = x.Serve()
	c.entry.Cache = x.Cached
	if err != nil {
		c.recognise(err)
		c.leaveBody(err)
		return true, err
	}
	c.entry.Status = c.rc.Response.StatusCode() // a stream outlives rc
	c.commonHeaders()
	return true, nil
}

// recognise finds out whose call it is that was refused for its version, before
// anybody had asked for its key: who still asks for what is to go is to be told.
// It lets nobody in. A route that is open to all asks nobody.
func (c *Call) recognise(err error) {
	var retired *proxy.Retired
	if errors.As(err, &retired) && c.from.route.Route.Permission != nil && c.caller == nil && c.authenticate() != nil {
		c.caller = nil
	}
}

// ready fills in what the steps of a route may ask for.
func (c *Call) ready(x *proxy.Exchange, query []byte) {
	x.RC, x.Edge, x.Plan, x.Method, x.Now, x.IP, x.Query = c.rc, (*routeEdge)(c), &c.plan, c.from.method, c.now, c.from.ip, query
	peer, trusted := c.peer()
	x.From = proxy.Origin{Peer: peer, Trusted: trusted, TLS: c.rc.IsTLS(), Body: c.snap.Settings.BodyLimit, Idle: c.g.bodyPause, Rate: c.snap.Settings.BodyRate}
	if !c.rc.Request.IsBodyStream() {
		x.From.Here = int64(len(c.rc.Request.Body()))
	}
	var id [64]byte
	c.rc.Request.Header.SetCanonical(headerRequestID, append(id[:0], c.entry.RequestID...))
}

// leaveBody deals with the body of a request that was refused before it was
// read: a caller that sees its connection close while it still writes never
// gets to read why.
func (c *Call) leaveBody(err error) {
	n := c.rc.Request.Header.ContentLength()
	if c.rc.Request.BodyStream() == nil || n >= 0 && n < 64<<10 || c.left() {
		return
	}
	if e := schema.AsError(err); e.Code == schema.CodeClientClosed || e.Origin == schema.OriginProvider {
		return
	}
	drainBody(c.rc)
	c.from.closes = true
}

// originForm is the path and query of a request's target.
func originForm(target []byte) []byte {
	if len(target) > 0 && target[0] == '/' {
		return target
	}
	_, rest, _ := bytes.Cut(target, []byte("://"))
	if i := bytes.IndexAny(rest, "/?"); i >= 0 {
		if rest[i] == '/' {
			return rest[i:]
		}
		return append([]byte{'/'}, rest[i:]...)
	}
	return []byte{'/'}
}

// routeEdge is what a call is to the steps of its route.
type routeEdge Call

// Context ends when the caller leaves.
func (e *routeEdge) Context() context.Context {
	if e.ctx == nil {
		(*Call)(e).open()
	}
	return e.ctx
}

// Key authenticates the call, counts it in the limits of its key, and hides the
// key from what a backend is sent.
func (e *routeEdge) Key() (proxy.Caller, error) {
	c := (*Call)(e)
	if c.caller == nil { // else it is a step of a prompt, and its caller is known
		if err := c.authenticate(); err != nil {
			return proxy.Caller{}, err
		}
		c.hideKey()
	}
	if !c.done.admitted {
		c.money.owner = c.caller.Owner.For(c.entry.User, c.routeTags())
		ticket, refused := c.owner().Admit(c.now, billing.Ask{})
		if refused != nil {
			c.tickets.refused = c.owner()
			return proxy.Caller{}, refused
		}
		c.tickets.key, c.done.admitted = ticket, true
	}
	k := c.caller.Key
	return proxy.Caller{ID: k.ID, Key: c.caller.Label, Team: k.Team, User: k.User, Roles: k.Roles, Member: c.caller}, nil
}

// Admit counts the call of someone without a key in the limits of its team, if
// that is one of ours.
func (e *routeEdge) Admit(who *proxy.Caller) error {
	c := (*Call)(e)
	c.entry.Team, c.entry.User = label(who.Team), label(who.User)
	team := c.snap.owners.Team(who.Team)
	if team == nil || strings.Contains(who.Team, " ") || c.done.admitted { // with a space it is no team's: see PromptOwner
		return nil
	}
	c.money.owner = team.For(c.entry.User, nil)
	ticket, refused := c.owner().Admit(c.now, billing.Ask{})
	if refused != nil {
		c.tickets.refused = c.owner()
		return refused
	}
	c.tickets.key, c.done.admitted = ticket, true
	return nil
}

// Tried notes an attempt.
func (e *routeEdge) Tried(t proxy.Try) {
	l := billing.AttemptLog{Call: t.Call, Target: t.Target, Status: t.Status, LatencyMS: t.Took.Milliseconds()}
	if t.Err != nil {
		l.Code = string(schema.AsError(t.Err).Code)
	}
	e.trail = append(e.trail, l)
	e.entry.Target = t.Target
	if series := e.from.route.Route.Series; series != nil {
		series.Upstream(t.Took)
	}
	if t.Ended.IsZero() {
		t.Ended = time.Now()
	}
	e.from.trace.tried(try{span: otlp.NewSpanID(), method: cmp.Or(t.Method, e.from.method), begin: t.Ended.Add(-t.Took), end: t.Ended})
}

// Over ends the call after its answer was written as a stream, or was cut.
func (e *routeEdge) Over(err error) {
	c := (*Call)(e)
	if err != nil && c.err == nil {
		c.err = schema.AsError(err)
		c.entry.Disconnect = c.err.Code == schema.CodeClientClosed
	}
	c.finish()
}

// Switch hands the connection to the target over to a session, which finishes
// the call.
func (e *routeEdge) Switch(t proxy.Tunnel, head []byte) {
	c := (*Call)(e)
	c.entry.Stream = true
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	answer := string(line) + "\r\nX-Request-Id: " + c.entry.RequestID + "\r\n" + string(rest)
	c.session = &session{c: c, host: t, head: answer}
	c.take(c.session)
}

// pipe gives the caller what a route's target sends, until that ends.
func (s *session) pipe() error {
	buf := make([]byte, 32<<10)
	for {
		n, readErr := s.host.Read(buf)
		if err := s.write(buf[:n]); err != nil {
			return err
		}
		if readErr != nil {
			return readErr
		}
	}
}

// endRoute notes how a session through a route ended. Either side may end it,
// as the frames say between them.
func (s *session) endRoute(error) {
	s.c.entry.Disconnect = s.gone.Load()
	s.c.from.route.Ended(nil)
}

var (
	headerLimit       = []byte("Ratelimit")
	headerLimitPolicy = []byte("Ratelimit-Policy")
)

// routeLimitHeaders tell of the route's own limit: in OpenAI's headers, like
// all others, and in those of draft-ietf-httpapi-ratelimit-headers-10.
func (c *Call) routeLimitHeaders(x *proxy.Exchange) {
	l, h := &x.Limit, &c.rc.Response.Header
	c.limitHeader(requestLimits, billing.LimitState{Limit: l.Limit, Remaining: l.Remaining, Reset: l.Reset})
	h.SetCanonical(headerLimitPolicy, l.Policy)
	var memory [64]byte
	b := strconv.AppendInt(append(memory[:0], `"route";r=`...), max(l.Remaining, 0), 10)
	b = strconv.AppendInt(append(b, ";t="...), int64((l.Reset+time.Second-1)/time.Second), 10)
	h.SetCanonical(headerLimit, b)
}

// Supposed is a request that might come, and who it would be from.
type Supposed struct {
	Method, Host, Target string
	Caller               proxy.Caller
	IP                   string
	At                   time.Time
}

// Foreseen is what would become of a request.
type Foreseen struct {
	Path     string          // in the form in which it is matched
	Route    *proxy.Route    // nil: none, or the path is the gateway's own
	Decision *proxy.Decision // nil: the route is open to all
}

// Foresee tells what would become of a request. The error is about the path.
func (s *Snapshot) Foresee(q Supposed) (Foreseen, error) {
	x := proxy.NewExchange()
	defer x.Release()
	x.RC = new(fasthttp.RequestCtx)
	x.Method, x.Now, x.IP, x.Caller = q.Method, q.At, q.IP, q.Caller
	r := &x.RC.Request
	r.Header.SetMethod(q.Method)
	r.SetRequestURI(q.Target)
	r.Header.SetHost(q.Host)
	raw, _, _ := strings.Cut(q.Target, "?")
	if err := x.Path.Normalise([]byte(raw)); err != nil {
		return Foreseen{}, err
	}
	f := Foreseen{Path: string(x.Path.Match)}
	if _, own := endpoints[raw]; own {
		return f, nil
	}
	if x.Route = s.routes.Find([]byte(q.Host), &x.Path, r); x.Route == nil {
		return f, nil
	}
	if f.Route = x.Route; f.Route.Permission != nil {
		d := f.Route.Permission.Decide(x)
		f.Decision = &d
	}
	return f, nil
}
