package anthropic

import (
	"strings"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// tooLong begins the message by which Claude Code and other clients of this
// API know that a conversation must be made shorter.
const tooLong = "prompt is too long"

// appendError is Client.Error.
func appendError(dst []byte, e *schema.Error, requestID string) []byte {
	message := e.Message
	if e.Code == schema.CodeContextLength && !strings.Contains(message, tooLong) {
		message = tooLong + ": " + message
	}
	dst = append(dst, `{"type":"error","error":{"type":"`...)
	dst = append(dst, errorType(e)...)
	dst = append(dst, `","message":`...)
	dst = append(wire.AppendString(dst, message), '}')
	if requestID != "" {
		dst = wire.AppendString(wire.AppendKey(dst, "request_id"), requestID)
	}
	return append(dst, '}')
}

// appendStreamError is Client.StreamError.
func appendStreamError(dst []byte, e *schema.Error, requestID string) []byte {
	dst = append(dst, "event: error\ndata: "...)
	return append(appendError(dst, e, requestID), "\n\n"...)
}

// errorType is the API's word for an error's kind, by the status that the
// caller gets (page api/errors).
func errorType(e *schema.Error) string {
	switch e.Status {
	case 401:
		return "authentication_error"
	case 402:
		return "billing_error"
	case 403:
		return "permission_error"
	case 404:
		return "not_found_error"
	case 409:
		return "conflict_error"
	case 413:
		return "request_too_large"
	case 429:
		return "rate_limit_error"
	case 408, 504:
		return "timeout_error"
	case 503, 529:
		return "overloaded_error"
	}
	if e.Status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}
