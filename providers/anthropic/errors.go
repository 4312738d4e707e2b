package anthropic

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// errorBody is the API's error answer, and the data of a stream's error event.
type errorBody struct {
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
		Details struct {
			Code string `json:"error_code"`
		} `json:"details"`
	} `json:"error"`
}

// kind is what an error type means to us.
type kind struct {
	status int // what the API sends it with
	code   schema.Code
	class  schema.Class
}

// kinds are the types of the page api/errors.
var kinds = map[string]kind{
	"invalid_request_error": {400, schema.CodeInvalidRequest, schema.ClassInvalidRequest},
	"authentication_error":  {401, schema.CodeUpstreamAuth, schema.ClassAuth},
	"billing_error":         {402, schema.CodeInsufficientQuota, schema.ClassQuota},
	"permission_error":      {403, schema.CodeUpstreamAuth, schema.ClassAuth},
	"not_found_error":       {404, schema.CodeNotFound, schema.ClassNotFound},
	"conflict_error":        {409, schema.CodeUpstream, schema.ClassServerError},
	"request_too_large":     {413, schema.CodeTooLarge, schema.ClassInvalidRequest},
	"rate_limit_error":      {429, schema.CodeRateLimit, schema.ClassRateLimited},
	"api_error":             {500, schema.CodeUpstream, schema.ClassServerError},
	"timeout_error":         {504, schema.CodeUpstreamTimeout, schema.ClassTimeout},
	"overloaded_error":      {529, schema.CodeUpstream, schema.ClassOverloaded},
}

// byStatus is for bodies that are not the API's, such as a proxy's page.
func byStatus(status int) string {
	for name, k := range kinds {
		if k.status == status {
			return name
		}
	}
	switch {
	case status == http.StatusRequestTimeout:
		return "timeout_error"
	case status == http.StatusServiceUnavailable:
		return "overloaded_error"
	case status >= 500 || status < 400:
		return "api_error"
	}
	return "invalid_request_error"
}

func noHeader(string) string { return "" }

// decodeError is Dialect.Error. A status of 0 is an error told inside an
// answer of status 200 or a stream: the type says what it would have been.
func decodeError(status int, header func(string) string, body []byte) *schema.Error {
	var b errorBody
	_ = json.Unmarshal(body, &b) // a body that is not the API's is judged by its status
	k, known := kinds[b.Error.Type]
	if !known {
		k = kinds[byStatus(status)]
	}
	if status == 0 {
		status = k.status
	}
	e := &schema.Error{
		Code: k.code, Class: k.class, Status: status, UpstreamStatus: status, Origin: schema.OriginProvider,
		Type: b.Error.Type, Message: b.Error.Message, RetryAfter: wire.RetryAfter(header, time.Time{}),
	}
	refine(e, b.Error.Details.Code)
	switch e.Class {
	case schema.ClassAuth: // its own words may show a part of the key
		e.Status, e.Message = http.StatusBadGateway, "the provider refused the gateway's credential"
	case schema.ClassQuota:
		e.Status = http.StatusTooManyRequests
	case schema.ClassOverloaded:
		e.Status = http.StatusServiceUnavailable
	case schema.ClassTimeout:
		e.Status = http.StatusGatewayTimeout
	case schema.ClassContextLength, schema.ClassContentFilter:
		e.Status = http.StatusBadRequest
	}
	if e.Message == "" {
		e.Message = "the provider answered " + strconv.Itoa(status) + " " + http.StatusText(status)
	}
	return e
}

// refine tells apart what the API puts under one type.
func refine(e *schema.Error, detail string) {
	has := func(words ...string) bool { return wire.Mentions(e.Message, words...) }
	switch e.Type {
	case "invalid_request_error":
		switch {
		case has("prompt is too long", "exceed context limit", "context window"):
			e.Code, e.Class = schema.CodeContextLength, schema.ClassContextLength
		case has("credit balance is too low", "usage limits", "spend limit"):
			e.Code, e.Class = schema.CodeInsufficientQuota, schema.ClassQuota
		case has("content filtering policy"):
			e.Code, e.Class = schema.CodeContentFilter, schema.ClassContentFilter
		}
	case "not_found_error":
		if has("model") {
			e.Code = schema.CodeModelNotFound
		}
	case "rate_limit_error":
		if detail == "enforced_spend_limit_reached" {
			e.Code, e.Class = schema.CodeInsufficientQuota, schema.ClassQuota
		}
	}
}
