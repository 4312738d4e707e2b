package proxy

import (
	"bytes"
	"fmt"

	"github.com/valyala/fasthttp"

	"sluice/providers/schema"
)

// Uncomposed is why there is no answer of several calls, and how far each came.
type Uncomposed struct {
	Fault *schema.Error
	Calls []CallOutcome // in the order of the configuration
}

// CallOutcome is how far a call came.
type CallOutcome struct {
	Call   string
	State  string // answered, failed, given up (when another had failed, or the time was over), or not made
	Status int    // of the last answer; 0: there was none
}

// Error is the fault without the calls.
func (u *Uncomposed) Error() string { return u.Fault.Error() }

// Unwrap is the fault.
func (u *Uncomposed) Unwrap() error { return u.Fault }

func (c *Compose) outcomes(results []made) []CallOutcome {
	list := make([]CallOutcome, len(results))
	for i := range results {
		r := &results[i]
		o := CallOutcome{Call: c.Calls[i].As, State: "failed"}
		switch {
		case r.err == nil:
			o.State = "answered"
		case r.err.Class == schema.ClassCancelled && len(r.tried) == 0:
			o.State = "not made"
		case r.err.Class == schema.ClassCancelled:
			o.State = "given up"
		}
		if n := len(r.tried); n > 0 {
			o.Status = r.tried[n-1].Status
		}
		list[i] = o
	}
	return list
}

// headerLoop tells gateways that a request has come through them before
// (RFC 8586), and loopName is what it calls this one.
const (
	headerLoop = "Cdn-Loop"
	loopName   = "sluice"
)

// composeLines are the headers that every call carries. Calls that lead back to
// a gateway, which calls again, end where prompts' steps do.
func (x *Exchange) composeLines() ([]byte, error) {
	h := &x.RC.Request.Header
	var dst []byte
	for _, name := range [...]string{"X-Request-Id", "Traceparent", "Tracestate", "Accept-Language"} {
		if value := h.Peek(name); len(value) > 0 {
			dst = appendLine(dst, []byte(name), value)
		}
	}
	way := bytes.Join(h.PeekAll(headerLoop), []byte(", "))
	times := 0
	for name := range bytes.SplitSeq(way, []byte{','}) {
		name, _, _ = bytes.Cut(name, []byte{';'})
		if string(bytes.TrimSpace(name)) == loopName {
			times++
		}
	}
	if times >= mostDeep {
		return nil, &schema.Error{Code: schema.CodeInvalidRequest, Status: fasthttp.StatusLoopDetected, Origin: schema.OriginGateway, Class: schema.ClassInvalidRequest,
			Message: fmt.Sprintf("calls of routes lead to routes with calls more than %d deep: do they go in a circle?", mostDeep)}
	}
	if len(way) > 0 {
		way = append(way, ", "...)
	}
	dst = appendLine(dst, []byte(headerLoop), append(way, loopName...))
	return x.appendOrigin(append(dst, "Accept: application/json\r\n"...)), nil
}
