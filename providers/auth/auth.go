package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/providers/schema"
)

// Field is one header.
type Field struct{ Name, Value string }

// Request is what a signature may cover.
type Request struct {
	Method string
	Path   string  // escaped, begins with "/", below the provider's base URL; may hold a query
	Header []Field // as they will be sent, but for Host and Content-Length
	Body   []byte
}

// Sign gives the headers to add to a request. secret is the provider's key
// that the router chose, or empty. It is called from many goroutines.
type Sign func(ctx context.Context, r *Request, secret string) ([]Field, error)

// refused is a secret that cannot be used, or that the identity service does
// not take. The words must be our own; the cause repeats them, for callers see
// one message for all faults of this class.
func refused(format string, args ...any) *schema.Error {
	message := fmt.Sprintf(format, args...)
	return &schema.Error{Code: schema.CodeUpstreamAuth, Status: 502, Origin: schema.OriginProvider,
		Class: schema.ClassAuth, Message: message, Cause: errors.New(message)}
}

// unavailable is an identity service that gave no token though it might have.
func unavailable(cause error, format string, args ...any) *schema.Error {
	return &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginProvider,
		Class: schema.ClassConnection, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// cancelled is a caller who did not wait for a token.
func cancelled(cause error) *schema.Error {
	if cause == context.DeadlineExceeded {
		return &schema.Error{Code: schema.CodeUpstreamTimeout, Status: 504, Origin: schema.OriginProvider,
			Class: schema.ClassTimeout, Message: "the provider's credentials did not come in the time allowed", Cause: cause}
	}
	return &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway,
		Class: schema.ClassCancelled, Message: "the call was cancelled", Cause: cause}
}

func clock(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}

func bearer(token string) []Field {
	return []Field{{Name: "Authorization", Value: "Bearer " + token}}
}
