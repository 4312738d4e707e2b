package anthropic

import (
	"encoding/json"
	"testing"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

func answered(c schema.Choice) *schema.ChatResponse {
	return &schema.ChatResponse{ID: "chatcmpl-1", Model: "m", Choices: []schema.Choice{c}, Usage: schema.Usage{Input: 5, CachedInput: 5, Output: 2}, ServiceTier: "priority"}
}

func TestEncodeAnswer(t *testing.T) {
	message := schema.Message{
		Parts: []schema.Part{
			{Type: schema.PartThinking, Text: "hm", Signature: "sig"}, {Type: schema.PartRedactedThinking, Data: "d"},
			{Type: schema.PartText, Text: ""}, {Type: schema.PartText, Text: "a\"<", Citations: json.RawMessage(`[{"n":1}]`)},
			{Type: schema.PartRaw, Raw: json.RawMessage(`{"type":"web_search_tool_result","content":[]}`)},
			{Type: schema.PartRaw, Raw: json.RawMessage(`{"executableCode":{}}`), Text: "code"}, {Type: schema.PartRaw, Raw: json.RawMessage(`{}`)},
		},
		ToolCalls: []openai.ToolCall{
			{ID: "t", Function: openai.FunctionCall{Name: "f", Arguments: ` {"x": 1} `}}, {Function: openai.FunctionCall{Name: "g"}},
			{ID: "u", Function: openai.FunctionCall{Name: "h", Arguments: "[1]"}}, {ID: "v", Function: openai.FunctionCall{Name: "i", Arguments: `{"x`}},
		},
		CallExtra: map[string]json.RawMessage{"t": json.RawMessage(`{"caller":{"type":"c"},"extra_content":1}`)},
	}
	got := encodeAnswer([]byte("before"), answered(schema.Choice{Message: message, FinishReason: openai.FinishReasonStop}))
	want := `before{"id":"msg_chatcmpl-1","type":"message","role":"assistant","model":"m","content":[` +
		`{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"a\"<","citations":[{"n":1}]},` +
		`{"type":"web_search_tool_result","content":[]},{"type":"text","text":"code"},` +
		`{"type":"tool_use","id":"t","name":"f","input":{"x": 1},"caller":{"type":"c"}},{"type":"tool_use","id":"toolu_chatcmpl-1_1","name":"g","input":{}},` +
		`{"type":"tool_use","id":"u","name":"h","input":{"arguments":"[1]"}},{"type":"tool_use","id":"v","name":"i","input":{"arguments":"{\"x"}}],` +
		`"stop_reason":"tool_use","stop_sequence":null,"stop_details":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,` +
		`"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":2,"service_tier":"priority"}}`
	if string(got) != want {
		t.Errorf("answer is\n%s\nwant\n%s", got, want)
	}
}

func TestEncodeAnswerEnds(t *testing.T) {
	call := []openai.ToolCall{{ID: "t", Function: openai.FunctionCall{Name: "f"}}}
	for name, tc := range map[string]struct {
		choice schema.Choice
		want   string // stop_reason, stop_sequence, stop_details, first text
	}{
		"stop":         {schema.Choice{FinishReason: "stop"}, `["end_turn",null,null]`},
		"nothing told": {schema.Choice{}, `["end_turn",null,null]`},
		"length":       {schema.Choice{FinishReason: "length", Message: schema.Message{ToolCalls: call}}, `["max_tokens",null,null]`},
		"calls":        {schema.Choice{FinishReason: "tool_calls", Message: schema.Message{ToolCalls: call}}, `["tool_use",null,null]`},
		"sequence":     {schema.Choice{FinishReason: "stop", StopSequence: "X"}, `["stop_sequence","X",null]`},
		"filter":       {schema.Choice{FinishReason: "content_filter"}, `["refusal",null,{"type":"refusal","category":null,"explanation":null}]`},
		"explained":    {schema.Choice{FinishReason: "content_filter", Message: schema.Message{Refusal: "r"}}, `["refusal",null,{"type":"refusal","category":null,"explanation":"r"}]`},
		"refusal":      {schema.Choice{FinishReason: "stop", Message: schema.Message{Refusal: "no"}}, `["refusal",null,{"type":"refusal","category":null,"explanation":null},"no"]`},
	} {
		got := encodeAnswer(nil, answered(tc.choice))
		if list := gjson.GetBytes(got, "[stop_reason,stop_sequence,stop_details,content.0.text]").Raw; list != tc.want {
			t.Errorf("%s: %s, want %s", name, list, tc.want)
		}
	}
	if got := encodeAnswer(nil, &schema.ChatResponse{}); !json.Valid(got) || gjson.GetBytes(got, "content").Raw != "[]" {
		t.Errorf("an answer without choices is %s", got)
	}
}

func TestEncodeAnswerAnnotations(t *testing.T) {
	c := schema.Choice{Message: schema.Message{Parts: schema.TextParts("Süß is sweet.")}, FinishReason: "stop",
		Annotations: json.RawMessage(`[{"type":"url_citation","url_citation":{"url":"https://x.test","title":"X","start_index":0,"end_index":3}},{"type":"url_citation","url_citation":{"url":"u","start_index":9,"end_index":-4}},{"type":"file"}]`)}
	want := `[{"type":"web_search_result_location","url":"https://x.test","title":"X","cited_text":"Süß","encrypted_index":""},{"type":"web_search_result_location","url":"u","title":"","cited_text":"","encrypted_index":""}]`
	if got := gjson.GetBytes(encodeAnswer(nil, answered(c)), "content.0.citations").Raw; got != want {
		t.Errorf("citations are %s, want %s", got, want)
	}
}

func TestAppendError(t *testing.T) {
	for _, tc := range []struct {
		e    schema.Error
		want string
	}{
		{schema.Error{Status: 400, Message: "bad \"x\""}, `{"type":"error","error":{"type":"invalid_request_error","message":"bad \"x\""},"request_id":"r"}`},
		{schema.Error{Status: 400, Code: schema.CodeContextLength, Message: "maximum is 5"}, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: maximum is 5"},"request_id":"r"}`},
		{schema.Error{Status: 400, Code: schema.CodeContextLength, Message: "prompt is too long: 6 > 5"}, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 6 > 5"},"request_id":"r"}`},
	} {
		if got := string(appendError(nil, &tc.e, "r")); got != tc.want {
			t.Errorf("error is %s, want %s", got, tc.want)
		}
	}
	for status, want := range map[int]string{401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error", 405: "invalid_request_error", 409: "conflict_error",
		413: "request_too_large", 422: "invalid_request_error", 429: "rate_limit_error", 499: "invalid_request_error", 500: "api_error", 502: "api_error", 503: "overloaded_error", 504: "timeout_error", 529: "overloaded_error"} {
		e := &schema.Error{Status: status, Message: "m"}
		if got := gjson.GetBytes(appendError(nil, e, ""), "error.type").Str; got != want {
			t.Errorf("status %d is %q, want %q", status, got, want)
		}
		// What is written is what the provider side reads, and the other way round.
		if again := decodeError(status, noHeader, appendError(nil, e, "")); again.Type != want {
			t.Errorf("status %d is read as %q", status, again.Type)
		}
	}
	if got := string(appendStreamError(nil, &schema.Error{Status: 503, Message: "m"}, "r")); got != "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"},\"request_id\":\"r\"}\n\n" {
		t.Errorf("the event is %q", got)
	}
}

func TestCount(t *testing.T) {
	req, err := decodeRequest([]byte(`{"model":"claude-opus-4-6","stream":true,"temperature":1,"messages":[{"role":"user","content":"x"}],"system":"s","tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"},"container":"c","speed":"fast","metadata":{"user_id":"u"}}`))
	if err != nil {
		t.Fatal(err)
	}
	up, err := encodeCount(req)
	want := `{"model":"claude-opus-4-6","tool_choice":{"type":"any"},"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}],"speed":"fast"}`
	if err != nil || string(up.Body) != want || up.Path != "/v1/messages/count_tokens" || len(up.Dropped) > 0 {
		t.Errorf("count is %+v %v, want %s", up, err, want)
	}
	if _, err := encodeCount(&schema.ChatRequest{Model: "m"}); err == nil {
		t.Error("a count of nothing is encoded")
	}
	for body, want := range map[string]int64{`{"input_tokens":16}`: 16, `{"input_tokens":-1}`: -1, `{"input_tokens":"5"}`: -1, `{}`: -1, ``: -1, `{"type":"error","error":{"type":"api_error"}}`: -1} {
		n, err := decodeCount([]byte(body))
		if (err != nil) != (want < 0) || err == nil && n != want {
			t.Errorf("%s is %d, %v", body, n, err)
		}
	}
	if n, err := decodeCount(appendCount(nil, 77)); n != 77 || err != nil {
		t.Errorf("%d %v", n, err)
	}
}
