package wire

import (
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

// StatusOf is the status that an error names in its body, for its head said
// 200.
func StatusOf(root gjson.Result, otherwise int) int {
	for _, path := range []string{"error.status_code", "error.code", "error.status", "status_code", "code"} {
		if n := root.Get(path).Int(); n >= 400 && n < 600 {
			return int(n)
		}
	}
	switch root.Get("error.type").Str {
	case "invalid_request_error":
		return 400
	case "rate_limit_error", "rate_limit_exceeded", "tokens", "requests", "insufficient_quota":
		return 429
	case "authentication_error":
		return 401
	case "overloaded_error":
		return 503
	}
	return otherwise
}

// AppendError writes an error's body for a client of one of OpenAI's APIs.
func AppendError(dst []byte, e *schema.Error, requestID string) []byte {
	dst = append(dst, `{"error":{"message":`...)
	dst = AppendString(dst, e.Message)
	dst = append(dst, `,"type":"`...)
	dst = append(dst, ErrorType(e)...)
	dst = append(dst, `","param":`...)
	dst = AppendOrNull(dst, e.Param)
	dst = append(dst, `,"code":`...)
	dst = AppendOrNull(dst, string(e.Code))
	dst = append(dst, `,"origin":`...)
	dst = AppendString(dst, string(e.Origin))
	dst = append(dst, `,"provider":`...)
	dst = AppendOrNull(dst, e.Provider)
	dst = append(dst, `,"request_id":`...)
	dst = AppendOrNull(dst, requestID)
	return append(dst, '}', '}')
}

// AppendOrNull appends a string, or null where it is empty.
func AppendOrNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return AppendString(dst, s)
}

// ErrorType is OpenAI's word for the kind of an error.
func ErrorType(e *schema.Error) string {
	switch {
	case e.Code == schema.CodeInsufficientQuota:
		return "insufficient_quota"
	case e.Status == 401:
		return "authentication_error"
	case e.Status == 403:
		return "permission_error"
	case e.Status == 404:
		return "not_found_error"
	case e.Status == 429:
		return "rate_limit_error"
	case e.Status >= 500 && e.Origin == schema.OriginProvider:
		return "api_error"
	case e.Status >= 500:
		return "server_error"
	}
	return "invalid_request_error"
}
