package gemini

import (
	"net/http"
	"strconv"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// appendError is Client.Error: a google.rpc.Status. An ErrorInfo has the
// gateway's own code and whose error it is, a RetryInfo when to try again.
func appendError(b []byte, e *schema.Error, requestID string) []byte {
	b = strconv.AppendInt(append(b, `{"error":{"code":`...), int64(e.Status), 10)
	b = wire.AppendString(append(b, `,"message":`...), e.Message)
	b = wire.AppendString(append(b, `,"status":`...), statusName(e))
	b = append(b, `,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":`...)
	b = wire.AppendString(b, string(e.Code))
	b = append(b, `,"domain":"sluice","metadata":{`...)
	for _, f := range []struct{ name, value string }{
		{"origin", string(e.Origin)}, {"provider", e.Provider}, {"param", e.Param}, {"request_id", requestID},
	} {
		if f.value != "" {
			b = wire.AppendString(wire.AppendKey(b, f.name), f.value)
		}
	}
	b = append(b, '}', '}')
	if e.RetryAfter > 0 {
		b = append(b, `,{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"`...)
		b = strconv.AppendFloat(b, e.RetryAfter.Seconds(), 'f', -1, 64)
		b = append(b, `s"}`...)
	}
	return append(b, `]}}`...)
}

// appendStreamError is Client.StreamError. The failure stands in the stream
// without "data:", and no blank line follows: this is how Google's servers
// break off, and the only form that its SDKs raise an error for.
func appendStreamError(b []byte, e *schema.Error, requestID string) []byte {
	return append(appendError(b, e, requestID), '\n')
}

// statusName is the google.rpc.Code of an error.
func statusName(e *schema.Error) string {
	switch e.Status {
	case http.StatusUnauthorized:
		return "UNAUTHENTICATED"
	case http.StatusForbidden:
		return "PERMISSION_DENIED"
	case http.StatusNotFound:
		return "NOT_FOUND"
	case http.StatusConflict:
		return "ABORTED"
	case http.StatusTooManyRequests, http.StatusPaymentRequired:
		return "RESOURCE_EXHAUSTED"
	case 499:
		return "CANCELLED"
	case http.StatusNotImplemented:
		return "UNIMPLEMENTED"
	case http.StatusServiceUnavailable, http.StatusBadGateway:
		return "UNAVAILABLE"
	case http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return "DEADLINE_EXCEEDED"
	}
	if e.Status >= 500 {
		return "INTERNAL"
	}
	return "INVALID_ARGUMENT"
}
