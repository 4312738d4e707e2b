package providers

import (
	"fmt"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

// fail finishes an error of the provider: whose it is, and the status and code
// that the caller gets.
func (p *Provider) fail(err error) *schema.Error {
	e := schema.AsError(err)
	if e.Class == schema.ClassCancelled || e.Origin == schema.OriginGateway && e.UpstreamStatus == 0 {
		return e
	}
	e.Origin, e.Provider = schema.OriginProvider, p.opt.Name
	switch {
	case e.Class == schema.ClassAuth:
		// The provider's words may quote the key.
		e.Code, e.Status, e.Param = schema.CodeUpstreamAuth, 502, ""
		e.Message = "the provider refused the gateway's credentials"
	case e.Class == schema.ClassQuota:
		e.Code, e.Status = schema.CodeInsufficientQuota, 429
	case e.Class == schema.ClassRateLimited:
		e.Code, e.Status = schema.CodeRateLimit, 429
	case e.Class == schema.ClassContextLength:
		e.Code, e.Status = schema.CodeContextLength, 400
	case e.Class == schema.ClassContentFilter:
		e.Code, e.Status = schema.CodeContentFilter, 400
	case e.UpstreamStatus == 408:
		e.Code, e.Status, e.Class = schema.CodeUpstreamTimeout, 504, schema.ClassTimeout
	case e.UpstreamStatus == 529:
		e.Code, e.Status = schema.CodeUpstream, 503
	case e.UpstreamStatus >= 500:
		e.Code, e.Status = schema.CodeUpstream, min(e.UpstreamStatus, 599)
	case e.Class == schema.ClassOverloaded:
		e.Code, e.Status = schema.CodeUpstream, 503
	case e.Class == schema.ClassServerError:
		e.Code, e.Status = schema.CodeUpstream, 502
	case e.Status < 400:
		e.Status = 502
	}
	if e.Code == "" {
		e.Code = schema.CodeUpstream
	}
	return e
}

func invalidOutput(format string, args ...any) *schema.Error {
	return &schema.Error{Code: schema.CodeUpstream, Status: 502, Origin: schema.OriginProvider,
		Class: schema.ClassInvalidOutput, Message: fmt.Sprintf(format, args...)}
}

func cut() *schema.Error {
	return &schema.Error{Code: schema.CodeUpstream, Status: 502, Origin: schema.OriginProvider,
		Class: schema.ClassConnection, Message: "the provider's stream ended before its end"}
}

func closed() *schema.Error {
	return &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway,
		Class: schema.ClassCancelled, Message: "the stream was closed"}
}

// holdsError tells whether a body is an object with an error in it, as all the
// dialects write it.
func holdsError(body []byte) bool {
	return gjson.GetBytes(body, "error").Exists() || gjson.GetBytes(body, "type").Str == "error"
}
