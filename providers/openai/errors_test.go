package openai

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

func TestDecodeError(t *testing.T) {
	for _, c := range []struct {
		status  int
		body    string
		class   schema.Class
		code    schema.Code
		message string
		param   string
	}{
		{400, `{"error":{"message":"bad","type":"invalid_request_error","param":"n","code":null}}`, schema.ClassInvalidRequest, schema.CodeInvalidRequest, "bad", "n"},
		{400, `{"code":"invalid-argument","error":"Incorrect API key provided."}`, schema.ClassAuth, schema.CodeUpstreamAuth, "Incorrect API key provided.", ""},
		{422, `{"detail":[{"loc":["body","messages"],"msg":"field required","type":"missing"}]}`, schema.ClassInvalidRequest, schema.CodeInvalidRequest, "field required", "messages"},
		{404, `{"detail":"Not Found"}`, schema.ClassNotFound, schema.CodeNotFound, "Not Found", ""},
		{404, `{"error":{"code":"DeploymentNotFound","message":"gone"}}`, schema.ClassNotFound, schema.CodeModelNotFound, "gone", ""},
		{400, `[{"error":{"code":400,"message":"from Google","status":"INVALID_ARGUMENT"}}]`, schema.ClassInvalidRequest, schema.CodeInvalidRequest, "from Google", ""},
		{400, `{"object":"error","message":"This model's maximum context length is 10 tokens","code":400}`, schema.ClassContextLength, schema.CodeContextLength, "maximum context", ""},
		{400, `{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"prompt is too long: 9 > 8"}}}`, schema.ClassContextLength, schema.CodeContextLength, "Provider", ""},
		{400, `{"error":{"message":"filtered","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}`, schema.ClassContentFilter, schema.CodeContentFilter, "filtered", ""},
		{403, `{"error":{"message":"Your input was flagged","code":403}}`, schema.ClassContentFilter, schema.CodeContentFilter, "flagged", ""},
		{403, `{"error":{"message":"Country not supported"}}`, schema.ClassAuth, schema.CodeUpstreamAuth, "Country", ""},
		{429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota"}}`, schema.ClassQuota, schema.CodeInsufficientQuota, "quota", ""},
		{402, `{"error":{"message":"Insufficient Balance"}}`, schema.ClassQuota, schema.CodeInsufficientQuota, "Balance", ""},
		{429, `{"error":{"message":"slow down"}}`, schema.ClassRateLimited, schema.CodeRateLimit, "slow", ""},
		{429, `{"error":{"message":"The engine is currently overloaded","type":"engine_overloaded_error"}}`, schema.ClassOverloaded, schema.CodeUpstream, "engine", ""},
		{413, `{"error":{"message":"Request too large","code":"rate_limit_exceeded"}}`, schema.ClassRateLimited, schema.CodeRateLimit, "large", ""},
		{413, ``, schema.ClassInvalidRequest, schema.CodeTooLarge, "status 413", ""},
		{500, `<html><h1>Internal</h1></html>`, schema.ClassServerError, schema.CodeUpstream, "status 500", ""},
		{503, `{"message":"down"}`, schema.ClassOverloaded, schema.CodeUpstream, "down", ""},
		{529, `null`, schema.ClassOverloaded, schema.CodeUpstream, "status 529", ""},
		{504, `{"error":null}`, schema.ClassTimeout, schema.CodeUpstreamTimeout, "status 504", ""},
		{500, `{"error":{"message":"` + strings.Repeat("é", 5000) + `"}}`, schema.ClassServerError, schema.CodeUpstream, "…", ""},
	} {
		e := wire.DecodeError(c.status, http.Header{"Retry-After": {"3"}}.Get, []byte(c.body))
		if e.Class != c.class || e.Code != c.code || !strings.Contains(e.Message, c.message) || e.Param != c.param ||
			e.Status != c.status || e.UpstreamStatus != c.status || e.RetryAfter != 3*time.Second || len(e.Message) > 2100 {
			t.Errorf("%d %.80s gave %+v", c.status, c.body, e)
		}
	}
}

func TestAppendError(t *testing.T) {
	for _, c := range []struct {
		e    schema.Error
		kind string
	}{
		{schema.Error{Status: 400, Code: schema.CodeInvalidRequest}, "invalid_request_error"},
		{schema.Error{Status: 413, Code: schema.CodeTooLarge}, "invalid_request_error"},
		{schema.Error{Status: 401, Code: schema.CodeInvalidAPIKey}, "authentication_error"},
		{schema.Error{Status: 403, Code: schema.CodeModelNotAllowed}, "permission_error"},
		{schema.Error{Status: 404, Code: schema.CodeModelNotFound}, "not_found_error"},
		{schema.Error{Status: 429, Code: schema.CodeRateLimit}, "rate_limit_error"},
		{schema.Error{Status: 429, Code: schema.CodeInsufficientQuota}, "insufficient_quota"},
		{schema.Error{Status: 502, Code: schema.CodeUpstream, Origin: schema.OriginProvider}, "api_error"},
		{schema.Error{Status: 500, Code: schema.CodeInternal, Origin: schema.OriginGateway}, "server_error"},
	} {
		var got struct{ Error struct{ Type, Code string } }
		if err := json.Unmarshal(wire.AppendError(nil, &c.e, "r"), &got); err != nil || got.Error.Type != c.kind || got.Error.Code != string(c.e.Code) {
			t.Errorf("%+v gave %+v, %v; want %s", c.e, got, err, c.kind)
		}
	}
	e := schema.Error{Status: 502, Code: schema.CodeUpstream, Origin: schema.OriginProvider, Provider: "lab", Message: "a \"b\"\n", Param: "n"}
	want := `data: {"error":{"message":"a \"b\"\n","type":"api_error","param":"n","code":"upstream_error","origin":"provider","provider":"lab","request_id":"r1"}}` + "\n\n"
	if got := string(appendStreamError(nil, &e, "r1")); got != want {
		t.Errorf("%s", got)
	}
	want = `{"error":{"message":"","type":"invalid_request_error","param":null,"code":null,"origin":"gateway","provider":null,"request_id":null}}`
	if got := string(wire.AppendError(nil, &schema.Error{Origin: schema.OriginGateway}, "")); got != want {
		t.Errorf("%s", got)
	}
}
