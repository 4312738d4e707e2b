package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"sluice/providers/schema"
)

// errStale says that the server had closed the reused connection before it
// took the request: nothing was done, so it may be sent again.
var errStale = errors.New("the server closed the idle connection")

// failure is an error that comes of the provider: no answer in time is 504,
// all else 502.
func failure(class schema.Class, cause error, format string, args []any) *schema.Error {
	e := &schema.Error{Code: schema.CodeUpstream, Status: 502, Origin: schema.OriginProvider, Class: class,
		Message: fmt.Sprintf(format, args...), Cause: cause}
	if class == schema.ClassTimeout {
		e.Code, e.Status = schema.CodeUpstreamTimeout, 504
	}
	return e
}

func timedOut(cause error, format string, args ...any) *schema.Error {
	return failure(schema.ClassTimeout, cause, format, args)
}

func broken(cause error, format string, args ...any) *schema.Error {
	return failure(schema.ClassConnection, cause, format, args)
}

func invalid(cause error, format string, args ...any) *schema.Error {
	return failure(schema.ClassInvalidOutput, cause, format, args)
}

func errTotal(cause error) *schema.Error {
	return timedOut(cause, "the provider's answer was not complete in the time allowed")
}

// cancelled is what a caller who left gets; a context that ran out of time is
// a timeout like others.
func cancelled(cause error) *schema.Error {
	if errors.Is(cause, context.DeadlineExceeded) {
		return errTotal(cause)
	}
	return &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway,
		Class: schema.ClassCancelled, Message: "the call was cancelled", Cause: cause}
}

// readError names what ended a read: head tells whether the head of the
// answer was still to come.
func (r *Response) readError(err error, head bool) error {
	if r.aborted.Load() {
		return cancelled(r.abortCause())
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		switch {
		case !r.until.IsZero() && !time.Now().Before(r.until):
			return errTotal(err)
		case !r.first.IsZero() && !time.Now().Before(r.first), head:
			return timedOut(err, "the provider did not begin to answer within %v", r.client.opt.FirstByte)
		}
		return timedOut(err, "the provider's answer stalled for %v", r.client.opt.Idle)
	case head && untrusted(err) != "": // of our own certificate, which TLS 1.3 looks at late
		return broken(err, "%s", untrusted(err))
	case head:
		return broken(err, "the provider closed the connection before it answered")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), isReset(err):
		return broken(err, "the provider's answer was cut")
	case isMalformed(err):
		return invalid(err, "the provider's answer is not well-formed HTTP")
	}
	return broken(err, "cannot read the provider's answer")
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

// isMalformed tells faults of the protocol from those of the network.
func isMalformed(err error) bool {
	var n net.Error
	return !asNetError(err, &n)
}

func asNetError(err error, n *net.Error) bool { return errors.As(err, n) }
