package schema

import (
	"errors"
	"fmt"
	"time"
)

// Code is an error's machine-readable name: OpenAI's code field.
type Code string

// The codes that callers see.
const (
	CodeInvalidAPIKey     Code = "invalid_api_key"
	CodeModelNotAllowed   Code = "model_not_allowed"
	CodePermissionDenied  Code = "permission_denied"
	CodeModelNotFound     Code = "model_not_found"
	CodeNotFound          Code = "not_found"
	CodeMethodNotAllowed  Code = "method_not_allowed"
	CodeInvalidJSON       Code = "invalid_json"
	CodeInvalidRequest    Code = "invalid_request"
	CodeTooLarge          Code = "request_too_large"
	CodeRateLimit         Code = "rate_limit_exceeded"
	CodeInsufficientQuota Code = "insufficient_quota"
	CodeContentBlocked    Code = "content_blocked"
	CodeUpstreamAuth      Code = "upstream_auth"
	CodeUpstream          Code = "upstream_error"
	CodeUpstreamTimeout   Code = "upstream_timeout"
	CodeNoTarget          Code = "no_target"
	CodeModelUnpriced     Code = "model_unpriced"
	CodeContextLength     Code = "context_length_exceeded"
	CodeContentFilter     Code = "content_filter"
	CodeUnavailable       Code = "unavailable"
	CodeInvalidOutput     Code = "invalid_output"
	CodeUnsupported       Code = "unsupported_parameter"
	CodeClientClosed      Code = "client_closed"
	CodeHedgeLost         Code = "hedge_lost" // of an attempt: another of the call answered first
	CodeInternal          Code = "internal_error"
	CodeConflict          Code = "conflict"
	CodeGone              Code = "gone"
	CodeRequestBlocked    Code = "request_blocked" // by a route's firewall
	CodeFault             Code = "fault_injected"  // which a route was told to make
	CodeBrownOut          Code = "brown_out"       // of a route's version that is to go, and is switched off for a while
)

// Origin says who is at the root of an error.
type Origin string

// The origins.
const (
	OriginGateway  Origin = "gateway"
	OriginProvider Origin = "provider"
	OriginPolicy   Origin = "policy" // grants, limits, budgets, unpriced models, guards
)

// Class is how the router looks at a failed attempt.
type Class string

// The classes, in the words of the configuration's retry.on and fallback.on.
const (
	ClassRateLimited    Class = "rate_limited"
	ClassOverloaded     Class = "overloaded"
	ClassTimeout        Class = "timeout"
	ClassConnection     Class = "connection"
	ClassServerError    Class = "server_error"
	ClassContextLength  Class = "context_length"
	ClassContentFilter  Class = "content_filter"
	ClassAuth           Class = "auth"
	ClassQuota          Class = "quota" // the provider's own account is spent
	ClassInvalidRequest Class = "invalid_request"
	ClassNotFound       Class = "not_found"
	ClassInvalidOutput  Class = "invalid_output"
	ClassCancelled      Class = "cancelled" // the caller left; never retried
)

// Error is every failure that a caller can see. The zero RetryAfter says
// nothing. Message never holds a secret.
type Error struct {
	Code       Code
	Status     int // what the caller gets
	Origin     Origin
	Provider   string // whose error it is, where Origin is provider
	Message    string
	Param      string // the field at fault
	RetryAfter time.Duration
	Class      Class
	// UpstreamStatus is the provider's own status; 0: no answer came.
	UpstreamStatus int
	// Type is the provider's own word for the kind of error, where it gave one.
	Type  string
	Cause error
}

// Error is the message with its code and cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Cause }

// AsError finds the Error in err's chain; any other error becomes an internal
// one with status 500.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeInternal, Status: 500, Origin: OriginGateway, Message: "internal error", Cause: err}
}

// Invalid is a 400 about the caller's own request; param names the field.
func Invalid(param, format string, args ...any) *Error {
	return &Error{Code: CodeInvalidRequest, Status: 400, Origin: OriginGateway, Param: param,
		Message: fmt.Sprintf(format, args...), Class: ClassInvalidRequest}
}
