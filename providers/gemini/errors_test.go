package gemini

import (
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

func TestDecodeError(t *testing.T) {
	quota := func(id, value string) string {
		return `{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"` + id + `","quotaValue":"` + value + `"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"2s"}]}}`
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
		code   schema.Code
		class  schema.Class
		wait   time.Duration
	}{
		{"key", 400, `{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}`, schema.CodeUpstreamAuth, schema.ClassAuth, 0},
		{"permission", 403, `{"error":{"code":403,"message":"denied","status":"PERMISSION_DENIED"}}`, schema.CodeUpstreamAuth, schema.ClassAuth, 0},
		{"token", 401, `{"error":{"code":401,"message":"bad","status":"UNAUTHENTICATED"}}`, schema.CodeUpstreamAuth, schema.ClassAuth, 0},
		{"a minute's rate", 429, quota("GenerateRequestsPerMinutePerProjectPerModel", "10"), schema.CodeRateLimit, schema.ClassRateLimited, 2 * time.Second},
		{"a day's quota", 429, quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "50"), schema.CodeInsufficientQuota, schema.ClassQuota, 2 * time.Second},
		{"no quota at all", 429, quota("GenerateRequestsPerMinutePerProjectPerModel", "0"), schema.CodeInsufficientQuota, schema.ClassQuota, 2 * time.Second},
		{"spent", 429, `{"error":{"code":429,"message":"You exceeded your current quota, please check your plan","status":"RESOURCE_EXHAUSTED"}}`, schema.CodeInsufficientQuota, schema.ClassQuota, 0},
		{"busy", 429, `[{"error":{"code":429,"message":"Resource exhausted. Please try again later.","status":"RESOURCE_EXHAUSTED"}}]`, schema.CodeRateLimit, schema.ClassRateLimited, 0},
		{"too long", 400, `{"error":{"code":400,"message":"The input token count (1250074) exceeds the maximum number of tokens allowed (1048575).","status":"INVALID_ARGUMENT"}}`, schema.CodeContextLength, schema.ClassContextLength, 0},
		{"field", 400, `{"error":{"code":400,"message":"Invalid JSON payload","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"contents"}]}]}}`, schema.CodeInvalidRequest, schema.ClassInvalidRequest, 0},
		{"model", 404, `{"error":{"code":404,"message":"models/x is not found for API version v1beta","status":"NOT_FOUND"}}`, schema.CodeModelNotFound, schema.ClassNotFound, 0},
		{"overloaded", 503, `{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}`, schema.CodeUpstream, schema.ClassOverloaded, 0},
		{"deadline", 504, `{"error":{"code":504,"message":"Deadline expired","status":"DEADLINE_EXCEEDED"}}`, schema.CodeUpstreamTimeout, schema.ClassTimeout, 0},
		{"internal", 500, `{"error":{"code":500,"message":"Internal","status":"INTERNAL"}}`, schema.CodeUpstream, schema.ClassServerError, 0},
		{"page", 502, `<html>`, schema.CodeUpstream, schema.ClassServerError, 0},
		{"large", 413, ``, schema.CodeTooLarge, schema.ClassInvalidRequest, 0},
	} {
		e := decodeError(c.status, func(string) string { return "" }, []byte(c.body))
		if e.Code != c.code || e.Class != c.class || e.RetryAfter != c.wait || e.Message == "" || e.UpstreamStatus != c.status {
			t.Errorf("%s: %+v", c.name, e)
		}
	}
	e := bodyError([]byte(`{"error":{"status":"UNAVAILABLE","message":"m"}}`))
	if e.Status != 503 || e.UpstreamStatus != 200 || e.Class != schema.ClassOverloaded {
		t.Errorf("an error with status 200: %+v", e)
	}
}

func TestAppendError(t *testing.T) {
	for status, want := range map[int]string{400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
		408: "DEADLINE_EXCEEDED", 413: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 502: "UNAVAILABLE",
		503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"} {
		e := &schema.Error{Code: schema.CodeRateLimit, Status: status, Message: `say "hi"`, Origin: schema.OriginPolicy, RetryAfter: 1500 * time.Millisecond, Param: "p"}
		v := gjson.ParseBytes(appendError(nil, e, "req-1")).Get("error")
		if v.Get("code").Int() != int64(status) || v.Get("status").Str != want || v.Get("message").Str != e.Message {
			t.Errorf("%d: %s", status, v.Raw)
		}
		if v.Get("details.0.metadata.request_id").Str != "req-1" || v.Get("details.1.retryDelay").Str != "1.5s" {
			t.Errorf("details are %s", v.Get("details").Raw)
		}
		back := decodeError(status, func(string) string { return "" }, []byte(`{"error":`+v.Raw+`}`))
		if back.RetryAfter != e.RetryAfter || back.Message != e.Message {
			t.Errorf("read again it is %+v", back)
		}
	}
}
