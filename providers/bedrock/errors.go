package bedrock

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// errorBody is AWS's error answer, and the body of an exception in a stream.
type errorBody struct {
	Message  string `json:"message"`
	Capital  string `json:"Message"`
	Type     string `json:"__type"`
	Original string `json:"originalMessage"` // the model's own words
}

// kind is what an exception means to us.
type kind struct {
	status int // what the caller gets
	code   schema.Code
	class  schema.Class
}

var (
	kindInvalid = kind{400, schema.CodeInvalidRequest, schema.ClassInvalidRequest}
	kindAuth    = kind{403, schema.CodeUpstreamAuth, schema.ClassAuth}
	kindBroken  = kind{500, schema.CodeUpstream, schema.ClassServerError}
)

// kinds are the exceptions of the runtime's API reference and of the page
// troubleshooting-api-error-codes, in lower case and without "exception".
var kinds = map[string]kind{
	"validation": kindInvalid, "validationerror": kindInvalid, "serialization": kindInvalid, "malformedquerystring": kindInvalid,
	"accessdenied": kindAuth, "expiredtoken": kindAuth, "unrecognizedclient": kindAuth, "invalidsignature": kindAuth, "signaturedoesnotmatch": kindAuth,
	"incompletesignature": kindAuth, "missingauthenticationtoken": kindAuth, "missingauthenticationtokenexception": kindAuth,
	"invalidclienttokenid": kindAuth, "notauthorized": kindAuth, "requestexpired": kindAuth, "optinrequired": kindAuth, "unauthorized": kindAuth,
	"resourcenotfound":     {404, schema.CodeModelNotFound, schema.ClassNotFound},
	"unknownoperation":     {404, schema.CodeNotFound, schema.ClassNotFound},
	"throttling":           {429, schema.CodeRateLimit, schema.ClassRateLimited},
	"toomanyrequests":      {429, schema.CodeRateLimit, schema.ClassRateLimited},
	"servicequotaexceeded": {429, schema.CodeRateLimit, schema.ClassRateLimited},
	"modelnotready":        {503, schema.CodeUpstream, schema.ClassOverloaded},
	"modeltimeout":         {504, schema.CodeUpstreamTimeout, schema.ClassTimeout},
	"modelerror":           {502, schema.CodeUpstream, schema.ClassServerError},
	"modelstreamerror":     {502, schema.CodeUpstream, schema.ClassServerError},
	"internalserver":       kindBroken, "internalfailure": kindBroken,
	"serviceunavailable": {503, schema.CodeUpstream, schema.ClassOverloaded},
}

// byStatus is for answers that name no exception.
func byStatus(status int) kind {
	switch {
	case status == 401 || status == 403:
		return kindAuth
	case status == 404:
		return kind{404, schema.CodeNotFound, schema.ClassNotFound}
	case status == 408 || status == 504:
		return kinds["modeltimeout"]
	case status == 413:
		return kind{413, schema.CodeTooLarge, schema.ClassInvalidRequest}
	case status == 429:
		return kinds["throttling"]
	case status == 503:
		return kinds["serviceunavailable"]
	case status >= 500 || status < 400 || status == 424:
		return kindBroken
	}
	return kindInvalid
}

func noHeader(string) string { return "" }

// decodeError is Dialect.Error. The exception is named by the header
// x-amzn-errortype, as Name:URL, or in the body, as namespace#Name.
func decodeError(status int, header func(string) string, body []byte) *schema.Error {
	return errorOf(status, header("X-Amzn-Errortype"), header, body)
}

// errorOf reads an error of a certain name. A status of 0 is an exception in a
// stream: the name says what it would have been.
func errorOf(status int, name string, header func(string) string, body []byte) *schema.Error {
	var b errorBody
	_ = json.Unmarshal(body, &b) // a body that is not AWS's is judged by its status
	if name == "" {
		name = b.Type
	}
	name, _, _ = strings.Cut(name, ":")
	name = name[strings.LastIndexByte(name, '#')+1:]
	k, known := kinds[strings.TrimSuffix(strings.ToLower(name), "exception")]
	if !known {
		k = byStatus(status)
	}
	e := &schema.Error{
		Code: k.code, Class: k.class, Status: k.status, UpstreamStatus: status, Origin: schema.OriginProvider,
		Type: name, Message: b.Message + b.Capital, RetryAfter: wire.RetryAfter(header, time.Time{}),
	}
	if e.UpstreamStatus == 0 {
		e.UpstreamStatus = k.status
	}
	if b.Original != "" && !strings.Contains(e.Message, b.Original) {
		e.Message = strings.TrimSpace(e.Message + " " + b.Original)
	}
	refine(e)
	if e.Class == schema.ClassAuth { // its own words name the account's roles and resources
		e.Status, e.Message = http.StatusBadGateway, "the provider refused the gateway's credentials"
	}
	if e.Message == "" {
		e.Message = "the provider answered " + strconv.Itoa(e.UpstreamStatus) + " " + http.StatusText(e.UpstreamStatus)
	}
	return e
}

// refine tells apart what AWS puts under one name.
func refine(e *schema.Error) {
	text := strings.ToLower(e.Message)
	switch {
	case e.Class == schema.ClassInvalidRequest && has(text, "too long", "too many input tokens", "input tokens exceed", "maximum context length",
		"context window", "context limit", "exceeds the maximum number of input tokens", "number of input tokens exceeds"):
		e.Code, e.Class, e.Status = schema.CodeContextLength, schema.ClassContextLength, 400
	case e.Class == schema.ClassInvalidRequest && has(text, "content filter", "content management policy", "blocked by guardrail"):
		e.Code, e.Class, e.Status = schema.CodeContentFilter, schema.ClassContentFilter, 400
	case e.Class == schema.ClassInvalidRequest && has(text, "model identifier is invalid", "marked by provider as legacy", "reached the end of its life"):
		e.Code, e.Class, e.Status = schema.CodeModelNotFound, schema.ClassNotFound, 404
	case e.Class == schema.ClassAuth && has(text, "access to the model with the specified model id"):
		e.Code, e.Class, e.Status = schema.CodeModelNotFound, schema.ClassNotFound, 404
	case e.Class == schema.ClassRateLimited && has(text, "per day"):
		e.Code, e.Class = schema.CodeInsufficientQuota, schema.ClassQuota
	}
}
