package gateway

import (
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/gateway/proxy"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// This file is the only writer of error statuses and bodies.

// fail answers the call with an error, in the dialect that the caller speaks.
func (c *Call) fail(err error) {
	e := c.wrong(schema.AsError(err))
	c.err = e
	if c.left() {
		c.entry.Disconnect = true
	}
	rc := c.rc
	rc.Response.Reset()
	rc.SetStatusCode(e.Status)
	c.commonHeaders()
	h := &rc.Response.Header
	if c.from.closes {
		h.SetConnectionClose()
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(e.RetryAfter.Seconds())), 10))
	}
	if e.Origin == schema.OriginPolicy && (e.Code == schema.CodeInsufficientQuota || e.Code == schema.CodeRateLimit && e.RetryAfter == 0) { // larger than a limit: it never fits
		h.Set("X-Should-Retry", "false")
	}
	var challenged *proxy.Challenged
	switch {
	case errors.As(err, &challenged):
		h.Set("WWW-Authenticate", challenged.Challenge)
	case e.Status == fasthttp.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="sluice"`)
	}
	var unsubscribed *proxy.Unsubscribed
	if errors.As(err, &unsubscribed) {
		h.Set("Link", "<"+unsubscribed.Link()+`>; rel="help"`)
	}
	if c.from.allowed != "" {
		h.Set("Allow", c.from.allowed)
	}
	if c.speaks != nil {
		h.SetContentType("application/json")
		rc.Response.SetBodyRaw(c.speaks.Client.Error(nil, e, c.entry.RequestID))
		return
	}
	h.SetContentType("application/problem+json")
	rc.Response.SetBodyRaw(problem(e, c.from.path, c.entry.RequestID, err))
}

// errInput lists the faults of an input.
func errInput(problems []proxy.Problem) error {
	return proxy.ErrUnfit("the input does not fit the schema", problems)
}

// problem is an RFC 9457 body; what else there is to be told of the error is in
// whole, if that is not nil.
func problem(e *schema.Error, instance, requestID string, whole error) []byte {
	b := append([]byte(nil), `{"type":"about:blank","title":`...)
	b = wire.AppendString(b, fasthttp.StatusMessage(e.Status))
	b = strconv.AppendInt(append(b, `,"status":`...), int64(e.Status), 10)
	b = wire.AppendString(append(b, `,"detail":`...), e.Message)
	b = wire.AppendString(append(b, `,"code":`...), string(e.Code))
	b = wire.AppendString(append(b, `,"origin":`...), string(e.Origin))
	b = wire.AppendString(append(b, `,"instance":`...), instance)
	b = wire.AppendString(append(b, `,"request_id":`...), requestID)
	var retired *proxy.Retired
	if errors.As(whole, &retired) {
		b = append(b, `,"sunset":"`...)
		b = append(retired.Sunset.UTC().AppendFormat(b, time.RFC3339), '"')
		if retired.Link != "" {
			b = wire.AppendString(append(b, `,"link":`...), retired.Link)
		}
	}
	var unsubscribed *proxy.Unsubscribed
	if errors.As(whole, &unsubscribed) {
		b = wire.AppendString(append(b, `,"subscription":`...), unsubscribed.Status)
		b = wire.AppendString(append(b, `,"link":`...), unsubscribed.Link())
	}
	var uncomposed *proxy.Uncomposed
	if errors.As(whole, &uncomposed) {
		b = appendCalls(b, uncomposed.Calls)
	}
	var unfit *proxy.Unfit
	if errors.As(whole, &unfit) {
		b = append(b, `,"errors":[`...)
		for i, f := range unfit.Problems {
			if i > 0 {
				b = append(b, ',')
			}
			b = wire.AppendString(append(b, `{"pointer":`...), f.Pointer)
			b = wire.AppendString(append(b, `,"message":`...), f.Message)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// appendCalls tells how far each call came of which one answer was to be.
func appendCalls(b []byte, calls []proxy.CallOutcome) []byte {
	b = append(b, `,"calls":[`...)
	for i := range calls {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendString(append(b, `{"call":`...), calls[i].Call)
		b = wire.AppendString(append(b, `,"state":`...), calls[i].State)
		if calls[i].Status != 0 {
			b = strconv.AppendInt(append(b, `,"status":`...), int64(calls[i].Status), 10)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// serverError answers what fasthttp itself could not read: a body over the
// limit, headers over theirs, a broken or too slow request.
func (g *Gateway) serverError(rc *fasthttp.RequestCtx, err error) {
	e := &schema.Error{Code: schema.CodeInvalidRequest, Status: 400, Origin: schema.OriginGateway,
		Message: "the request is not valid HTTP", Cause: err}
	var small *fasthttp.ErrSmallBuffer
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		e = errTooLarge(g.snap.Load().Settings.BodyLimit)
	case errors.As(err, &small):
		e.Status, e.Message = fasthttp.StatusRequestHeaderFieldsTooLarge, "the headers are too large"
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Status, e.Message = fasthttp.StatusRequestTimeout, "the request did not arrive in time"
	}
	if errors.Is(err, fasthttp.ErrBodyTooLarge) {
		drainBody(rc)
	}
	c := g.newCall(rc)
	if c.speaks = dialectOf(c.from.path); c.speaks == nil {
		c.prompt, _, _ = c.promptAt()
	}
	c.fail(e)
	c.finish()
	rc.SetConnectionClose()
}

// Bounds of what is read of a body that is refused.
const (
	drainBytes = 256 << 20
	drainTime  = 2 * time.Second
)

// drainBody reads on in a body that is too large. A caller that sees its
// connection close while it still writes never gets to read why.
func drainBody(rc *fasthttp.RequestCtx) {
	conn := rc.Conn()
	left := rc.Request.Header.ContentLength()
	if left < 0 || left > drainBytes {
		left = drainBytes
	}
	end := time.Now().Add(drainTime)
	buf := make([]byte, 64<<10)
	for left > 0 && time.Now().Before(end) {
		// What the server read ahead is missing from the count, so the last
		// bytes are those that do not come.
		if conn.SetReadDeadline(time.Now().Add(100*time.Millisecond)) != nil {
			return
		}
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		left -= n
	}
}

// Errors that several stages raise.

func errNotFound(path string) *schema.Error {
	return &schema.Error{Code: schema.CodeNotFound, Status: 404, Origin: schema.OriginGateway,
		Message: "nothing is served at " + path}
}

func errTooLarge(limit int64) *schema.Error { return proxy.ErrTooLarge(limit) }

func errMethod(c *Call, allow string) *schema.Error {
	c.from.allowed = allow
	return &schema.Error{Code: schema.CodeMethodNotAllowed, Status: 405, Origin: schema.OriginGateway,
		Message: "use " + allow + " here, not " + c.from.method}
}

func errInternal() *schema.Error {
	return &schema.Error{Code: schema.CodeInternal, Status: 500, Origin: schema.OriginGateway, Message: "internal error"}
}

func errDraining() *schema.Error {
	return &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginGateway,
		Message: "this replica is shutting down", RetryAfter: time.Second}
}
