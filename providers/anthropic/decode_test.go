package anthropic

import (
	"errors"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

func TestDecode(t *testing.T) {
	resp, err := decode([]byte(`{"id":"m","type":"message","role":"assistant","model":"claude-x","content":[
		{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"d"},
		{"type":"text","text":"a","citations":[{"type":"char_location"}]},
		{"type":"server_tool_use","id":"q","name":"web_search","input":{}},
		{"type":"tool_use","id":"t","name":"f","input":{"x": 1}},{"type":"tool_use","id":"u","name":"g"}],
		"stop_reason":"tool_use","usage":{"input_tokens":5,"cache_read_input_tokens":7,"cache_creation_input_tokens":3,
		"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":2},"output_tokens":9,"output_tokens_details":{"thinking_tokens":4},"service_tier":"priority"}}`))
	if err != nil {
		t.Fatal(err)
	}
	m := resp.Choices[0].Message
	if len(m.Parts) != 4 || m.Parts[0].Signature != "s" || m.Parts[1].Data != "d" || string(m.Parts[2].Citations) != `[{"type":"char_location"}]` || m.Parts[3].Type != schema.PartRaw {
		t.Errorf("parts are %+v", m.Parts)
	}
	if len(m.ToolCalls) != 2 || m.ToolCalls[0].Function.Arguments != `{"x": 1}` || m.ToolCalls[1].Function.Arguments != "{}" || m.ToolCalls[1].Type != openai.ToolTypeFunction {
		t.Errorf("calls are %+v", m.ToolCalls)
	}
	want := schema.Usage{Input: 15, CachedInput: 7, CacheWrite: 3, CacheWrite1h: 2, Output: 9, Reasoning: 4, Tier: "priority", Source: schema.UsageReported}
	if resp.Usage != want || resp.ServiceTier != "priority" || resp.Choices[0].FinishReason != openai.FinishReasonToolCalls {
		t.Errorf("usage %+v, tier %q, finish %q", resp.Usage, resp.ServiceTier, resp.Choices[0].FinishReason)
	}
}

func TestDecodeAnswerTool(t *testing.T) {
	resp, err := decode([]byte(`{"type":"message","content":[{"type":"text","text":"Here it is:"},{"type":"tool_use","id":"t","name":"` + AnswerTool + `","input":{"x":1}}],"stop_reason":"tool_use","usage":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	c := resp.Choices[0]
	if c.Message.Text() != `{"x":1}` || len(c.Message.ToolCalls) != 0 || c.FinishReason != openai.FinishReasonStop {
		t.Errorf("answer is %+v", c)
	}
}

func TestDecodeRefusesWhatIsNoAnswer(t *testing.T) {
	for body, class := range map[string]schema.Class{
		"":                                 schema.ClassInvalidOutput,
		"<html>":                           schema.ClassInvalidOutput,
		"{}":                               schema.ClassInvalidOutput,
		`{"type":"message"}`:               schema.ClassInvalidOutput,
		`{"type":"message","content":[1]}`: schema.ClassInvalidOutput,
		`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`: schema.ClassOverloaded,
	} {
		_, err := decode([]byte(body))
		var e *schema.Error
		if !errors.As(err, &e) || e.Class != class {
			t.Errorf("%q gives %v, want class %s", body, err, class)
		}
	}
}

func TestFinish(t *testing.T) {
	for reason, want := range map[string]openai.FinishReason{
		"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls", "refusal": "content_filter",
		"pause_turn": "stop", "model_context_window_exceeded": "length", "": "", "new_one": "stop",
	} {
		if got := Finish(reason, true); got != want {
			t.Errorf("finish(%q) = %q, want %q", reason, got, want)
		}
	}
}

func TestStreamWithWholeInput(t *testing.T) {
	s := newStream()
	out, err := s.Decode(dialect.Frame{Data: []byte(`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{"a":1}}}`)}, nil)
	if err != nil || len(out) != 2 || out[1].Choices[0].ToolCalls[0].Function.Arguments != `{"a":1}` {
		t.Fatalf("%+v %v", out, err)
	}
	if out, err = s.Decode(dialect.Frame{Data: []byte(`{"type":"content_block_stop","index":0}`)}, nil); err != nil || len(out) != 0 {
		t.Errorf("the end of the block says %+v %v", out, err)
	}
}

func TestStreamPassesOverWhatItDoesNotKnow(t *testing.T) {
	s := newStream()
	for _, data := range []string{"", `{"type":"ping"}`, `{"type":"something_new","x":1}`, `{"type":"content_block_delta","index":5,"delta":{"type":"new_delta"}}`, `{"type":"content_block_stop","index":9}`} {
		if out, err := s.Decode(dialect.Frame{Event: "x", Data: []byte(data)}, nil); err != nil || len(out) != 0 {
			t.Errorf("%s gives %+v %v", data, out, err)
		}
	}
	for _, data := range []string{"{", `{"type":"message_start"}`} {
		if _, err := s.Decode(dialect.Frame{Data: []byte(data)}, nil); schema.AsError(err).Class != schema.ClassInvalidOutput {
			t.Errorf("%s gives %v", data, err)
		}
	}
	if s.Done() {
		t.Error("the stream is done without its end")
	}
}

func TestErrors(t *testing.T) {
	header := func(h map[string]string) func(string) string { return func(name string) string { return h[name] } }
	body := func(kind, message string) string {
		return `{"type":"error","error":{"type":"` + kind + `","message":"` + message + `"},"request_id":"r"}`
	}
	for _, tc := range []struct {
		status int
		body   string
		want   int
		code   schema.Code
		class  schema.Class
	}{
		{400, body("invalid_request_error", "messages: field required"), 400, schema.CodeInvalidRequest, schema.ClassInvalidRequest},
		{400, body("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"), 400, schema.CodeContextLength, schema.ClassContextLength},
		{400, body("invalid_request_error", "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"), 400, schema.CodeContextLength, schema.ClassContextLength},
		{400, body("invalid_request_error", "Your credit balance is too low to access the Anthropic API."), 429, schema.CodeInsufficientQuota, schema.ClassQuota},
		{400, body("invalid_request_error", "You have reached your specified API usage limits."), 429, schema.CodeInsufficientQuota, schema.ClassQuota},
		{400, body("invalid_request_error", "Output blocked by content filtering policy"), 400, schema.CodeContentFilter, schema.ClassContentFilter},
		{401, body("authentication_error", "invalid x-api-key sk-ant-123"), 502, schema.CodeUpstreamAuth, schema.ClassAuth},
		{402, body("billing_error", "pay"), 429, schema.CodeInsufficientQuota, schema.ClassQuota},
		{403, body("permission_error", "no"), 502, schema.CodeUpstreamAuth, schema.ClassAuth},
		{404, body("not_found_error", "model: claude-99"), 404, schema.CodeModelNotFound, schema.ClassNotFound},
		{404, body("not_found_error", "file_1"), 404, schema.CodeNotFound, schema.ClassNotFound},
		{413, body("request_too_large", "big"), 413, schema.CodeTooLarge, schema.ClassInvalidRequest},
		{429, body("rate_limit_error", "slow down"), 429, schema.CodeRateLimit, schema.ClassRateLimited},
		{429, `{"error":{"type":"rate_limit_error","message":"spent","details":{"error_code":"enforced_spend_limit_reached"}}}`, 429, schema.CodeInsufficientQuota, schema.ClassQuota},
		{500, body("api_error", "oops"), 500, schema.CodeUpstream, schema.ClassServerError},
		{504, body("timeout_error", "late"), 504, schema.CodeUpstreamTimeout, schema.ClassTimeout},
		{529, body("overloaded_error", "Overloaded"), 503, schema.CodeUpstream, schema.ClassOverloaded},
		{503, "<html>nginx</html>", 503, schema.CodeUpstream, schema.ClassOverloaded},
		{502, "", 502, schema.CodeUpstream, schema.ClassServerError},
		{408, "", 504, schema.CodeUpstreamTimeout, schema.ClassTimeout},
		{418, body("teapot_error", "short and stout"), 418, schema.CodeInvalidRequest, schema.ClassInvalidRequest},
		{0, body("overloaded_error", "Overloaded"), 503, schema.CodeUpstream, schema.ClassOverloaded},
		{0, body("unheard_of", "x"), 500, schema.CodeUpstream, schema.ClassServerError},
	} {
		e := decodeError(tc.status, header(nil), []byte(tc.body))
		if e.Status != tc.want || e.Code != tc.code || e.Class != tc.class || e.Message == "" {
			t.Errorf("%d %s\ngives %d %s %s %q", tc.status, tc.body, e.Status, e.Code, e.Class, e.Message)
		}
		if e.Class == schema.ClassAuth && e.Message != "the provider refused the gateway's credential" {
			t.Errorf("the message may show a key: %q", e.Message)
		}
	}
	date := map[string]string{"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}
	if e := decodeError(429, header(date), nil); e.RetryAfter != 30*time.Second {
		t.Errorf("retry after is %s, want 30s", e.RetryAfter)
	}
	if e := decodeError(529, header(map[string]string{"Retry-After": "12"}), nil); e.RetryAfter != 12*time.Second {
		t.Errorf("retry after is %s, want 12s", e.RetryAfter)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"type":"message","content":[{"type":"text","text":"a"}],"usage":{}}`))
	f.Add([]byte(`{"type":"error","error":{"type":"api_error"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		resp, err := decode(body)
		if err == nil && len(resp.Choices) != 1 {
			t.Errorf("%d choices", len(resp.Choices))
		}
		if err != nil && !errors.As(err, new(*schema.Error)) {
			t.Errorf("%v is no *schema.Error", err)
		}
		decodeError(500, noHeader, body)
	})
}

func FuzzStream(f *testing.F) {
	f.Add("message_start", []byte(`{"type":"message_start","message":{"usage":{"input_tokens":1}}}`), []byte(`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","name":"f"}}`))
	f.Add("error", []byte(`{"type":"error","error":{}}`), []byte(`{"type":"content_block_stop","index":0}`))
	f.Fuzz(func(t *testing.T, name string, one, two []byte) {
		s := newStream()
		for _, data := range [][]byte{one, two, one} {
			if _, err := s.Decode(dialect.Frame{Event: name, Data: data}, nil); err != nil && !errors.As(err, new(*schema.Error)) {
				t.Errorf("%v is no *schema.Error", err)
			}
		}
	})
}
