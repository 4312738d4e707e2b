package gemini

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// statuses are Google's words for kinds of error (google.rpc.Code) with the
// HTTP statuses that they come with.
var statuses = map[string]int{
	"INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400, "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403,
	"NOT_FOUND": 404, "ABORTED": 409, "ALREADY_EXISTS": 409, "RESOURCE_EXHAUSTED": 429, "CANCELLED": 499, "INTERNAL": 500,
	"UNKNOWN": 500, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504,
}

// failure is what an error body says.
type failure struct {
	status  int
	kind    string // google.rpc.Code
	message string
	param   string
	reason  string // of an ErrorInfo
	quota   string // ids and values of the quotas that were exceeded
	retry   time.Duration
	retries bool // the body names a time
}

// decodeError is Dialect.Error. The error may stand in a list of one, as an
// answer to a call for a stream does.
func decodeError(status int, header func(string) string, body []byte) *schema.Error {
	f := failure{status: status}
	if wire.Valid(body) {
		root := gjson.ParseBytes(body)
		if root.IsArray() {
			root = root.Get("0")
		}
		f.read(root.Get("error"))
	}
	e := &schema.Error{Status: f.status, UpstreamStatus: status, Origin: schema.OriginProvider, Message: wire.Clip(f.message), Param: f.param, Type: f.kind}
	e.Code, e.Class = f.classify()
	if e.RetryAfter = wire.RetryAfter(header, time.Time{}); e.RetryAfter == 0 {
		e.RetryAfter = f.retry
	}
	if e.Message == "" {
		e.Message = "the provider answered " + strconv.Itoa(f.status) + " " + http.StatusText(f.status)
	}
	return e
}

// read takes an error apart. Its own code counts where the answer's head told
// nothing.
func (f *failure) read(v gjson.Result) {
	f.kind, f.message = v.Get("status").String(), v.Get("message").String()
	if f.status < 400 {
		if f.status = int(v.Get("code").Int()); f.status < 400 || f.status > 599 {
			f.status = statuses[f.kind]
		}
		if f.status == 0 {
			f.status = http.StatusBadGateway
		}
	}
	each(v.Get("details"), func(d gjson.Result) {
		_, kind, _ := strings.Cut(d.Get("@type").String(), "google.rpc.")
		switch kind {
		case "ErrorInfo":
			f.reason = d.Get("reason").String()
		case "BadRequest":
			f.param = d.Get("fieldViolations.0.field").String()
		case "QuotaFailure":
			each(d.Get("violations"), func(q gjson.Result) {
				f.quota += " " + q.Get("quotaId").String() + "=" + q.Get("quotaValue").String()
			})
		case "RetryInfo":
			if wait, err := time.ParseDuration(d.Get("retryDelay").String()); err == nil && wait >= 0 {
				f.retry, f.retries = min(wait, 24*time.Hour), true
			}
		}
	})
}

func (f *failure) says(words ...string) bool { return wire.Mentions(f.message, words...) }

// classify finds code and class.
func (f *failure) classify() (schema.Code, schema.Class) {
	switch {
	case f.status == 401, f.status == 403, f.kind == "UNAUTHENTICATED", strings.HasPrefix(f.reason, "API_KEY_"),
		f.status == 400 && f.says("api key not valid", "api key expired", "api key not found"):
		return schema.CodeUpstreamAuth, schema.ClassAuth
	case f.status == 429:
		if f.spent() {
			return schema.CodeInsufficientQuota, schema.ClassQuota
		}
		return schema.CodeRateLimit, schema.ClassRateLimited
	case f.status == 402, f.status == 400 && f.says("billing"):
		return schema.CodeInsufficientQuota, schema.ClassQuota
	case f.status == 404:
		if f.says("model") {
			return schema.CodeModelNotFound, schema.ClassNotFound
		}
		return schema.CodeNotFound, schema.ClassNotFound
	case f.status == 408, f.status == 504:
		return schema.CodeUpstreamTimeout, schema.ClassTimeout
	case f.status == 503, f.status == 529, f.status >= 500 && f.says("overloaded"):
		return schema.CodeUpstream, schema.ClassOverloaded
	case f.status == 409, f.status == 499, f.status >= 500:
		return schema.CodeUpstream, schema.ClassServerError
	case f.says("token count") && f.says("exceed"), f.says("context window", "context length"):
		return schema.CodeContextLength, schema.ClassContextLength
	case f.status == 413, f.says("payload size exceeds"):
		return schema.CodeTooLarge, schema.ClassInvalidRequest
	case f.says("safety filter", "prohibited content", "responsible ai"):
		return schema.CodeContentFilter, schema.ClassContentFilter
	}
	return schema.CodeInvalidRequest, schema.ClassInvalidRequest
}

// spent tells a quota that waiting a minute does not fill again from a rate.
// The message is the same for both; the quota's id tells (…PerDay…,
// …PerMinute…), or that no time to try again is named.
func (f *failure) spent() bool {
	switch {
	case f.says("prepayment", "credits are depleted", "spending cap", "spend cap", "billing account"):
		return true
	case f.quota != "":
		return strings.Contains(f.quota, "PerDay") || strings.Contains(f.quota+" ", "=0 ")
	}
	return f.says("exceeded your current quota") && !f.retries
}

// bodyError is an error that came with a status of success.
func bodyError(body []byte) *schema.Error {
	e := decodeError(0, func(string) string { return "" }, body)
	e.UpstreamStatus = http.StatusOK // what the answer's head said
	return e
}
