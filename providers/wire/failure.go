package wire

import (
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

// DecodeError reads an error answer. Beside OpenAI's {"error":{…}} it takes
// {"error":"…"} (xAI, Ollama), {"detail":…} (FastAPI: vLLM, Mistral),
// {"message":…} (Cohere, vLLM), the same in an array (Google), and bodies that
// are no JSON at all.
func DecodeError(status int, header func(string) string, body []byte) *schema.Error {
	root := gjson.ParseBytes(body)
	if root.IsArray() {
		root = root.Get("0")
	}
	f := failure{status: status}
	inner := root.Get("error")
	switch {
	case inner.IsObject():
		f.read(inner)
	case inner.Type == gjson.String:
		f.read(root)
		f.message = inner.Str
	case root.Get("detail").Exists():
		f.read(root)
		if d := root.Get("detail"); d.IsArray() {
			f.message = d.Get("0.msg").Str
			f.param = lastOf(d.Get("0.loc"))
		} else {
			f.message = d.String()
		}
	default:
		f.read(root)
	}
	if f.message == "" {
		f.message = "the provider answered with status " + strconv.Itoa(status)
	}
	e := &schema.Error{Status: status, UpstreamStatus: status, Message: Clip(f.message), Param: f.param, Type: f.kind}
	e.Code, e.Class = f.classify()
	e.RetryAfter = RetryAfter(header, time.Time{})
	return e
}

// failure is what an error body says.
type failure struct {
	status                     int
	message, kind, code, param string
	more                       string // a nested provider's words
}

func (f *failure) read(o gjson.Result) {
	f.message = o.Get("message").String()
	f.kind = o.Get("type").Str
	f.code = o.Get("code").String()
	f.param = o.Get("param").Str
	f.more = o.Get("metadata.raw").String()
	if inner := o.Get("innererror.code").Str; inner != "" { // Azure
		f.more += " " + inner
	}
}

func lastOf(loc gjson.Result) string {
	parts := loc.Array()
	if len(parts) == 0 {
		return ""
	}
	return parts[len(parts)-1].String()
}

// Clip bounds an error message: some hosts send whole pages, some quote the request.
func Clip(s string) string {
	const most = 2000
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// Mentions tells whether text holds one of words, which are in small letters,
// in whatever case.
func Mentions(text string, words ...string) bool {
	text = strings.ToLower(text)
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

func (f *failure) says(words ...string) bool {
	return Mentions(f.message+" "+f.kind+" "+f.code+" "+f.more, words...)
}

// classify finds code and class. Codes and types come before the status, and
// words come last: they are the only sign that some hosts give.
func (f *failure) classify() (schema.Code, schema.Class) {
	request := f.status >= 400 && f.status < 500
	switch {
	case f.code == "invalid_api_key", f.status == 401,
		request && f.says("incorrect api key", "invalid api key"):
		return schema.CodeUpstreamAuth, schema.ClassAuth
	case f.status == 402, f.code == "insufficient_quota", f.kind == "insufficient_quota",
		f.status == 429 && f.says("exceeded your current quota", "insufficient balance", "insufficient_balance", "billing"):
		return schema.CodeInsufficientQuota, schema.ClassQuota
	case f.status == 529, f.status == 503, f.status == 498,
		(f.status == 429 || f.status >= 500) && f.says("overloaded"):
		return schema.CodeUpstream, schema.ClassOverloaded
	case f.status == 429, f.code == "rate_limit_exceeded":
		return schema.CodeRateLimit, schema.ClassRateLimited
	case request && f.tooLong():
		return schema.CodeContextLength, schema.ClassContextLength
	case request && f.says("content_filter", "content_policy", "content policy", "responsibleaipolicyviolation",
		"content management policy", "flagged"):
		return schema.CodeContentFilter, schema.ClassContentFilter
	case f.status == 403:
		return schema.CodeUpstreamAuth, schema.ClassAuth
	case f.status == 404:
		if f.says("model", "deployment") {
			return schema.CodeModelNotFound, schema.ClassNotFound
		}
		return schema.CodeNotFound, schema.ClassNotFound
	case f.status == 408, f.status == 504:
		return schema.CodeUpstreamTimeout, schema.ClassTimeout
	case f.status == 413:
		return schema.CodeTooLarge, schema.ClassInvalidRequest
	case request:
		return schema.CodeInvalidRequest, schema.ClassInvalidRequest
	}
	return schema.CodeUpstream, schema.ClassServerError
}

func (f *failure) tooLong() bool {
	return f.code == "context_length_exceeded" || f.kind == "too_many_prompt_tokens" ||
		f.says("context_length", "context length", "context window", "prompt is too long", "prompt too long", "input is too long",
			"messages is too long", "too many tokens", "maximum number of tokens")
}
