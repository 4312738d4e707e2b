package responses

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

func TestContinue(t *testing.T) {
	first := []byte(`{"model":"m","instructions":"old","input":"hello"}`)
	answer := []byte(`{"id":"resp_1","status":"completed","output":[
		{"type":"reasoning","id":"rs_1","summary":[]},
		{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"gAAA","status":"completed"},
		{"type":"reasoning","id":"rs_3","summary":[],"content":[{"type":"reasoning_text","text":"open"}]},
		{"type":"web_search_call","id":"ws_1","status":"completed"},
		{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"hi","annotations":[]}]},
		{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}","status":"completed"}]}`)
	s, err := NewStored(first, answer)
	if err != nil || s.ID != "resp_1" || len(s.Items) != 7 {
		t.Fatalf("%+v, %v", s, err)
	}
	raw, err := json.Marshal(s) // what is stored comes back the same
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	next := []byte(`{"previous_response_id":"resp_1","model":"m","odd":1,"input":[{"type":"function_call_output","call_id":"c1","output":"r"}]}`)
	if PreviousOf(next) != "resp_1" || PreviousOf(first) != "" {
		t.Error("the previous response is not found")
	}
	body, err := Continue(s, next)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"model":"m","odd":1,"input":[{"type":"message","role":"user","content":"hello"},{"type":"reasoning","summary":[],"encrypted_content":"gAAA"},` +
		`{"type":"reasoning","id":"rs_3","summary":[],"content":[{"type":"reasoning_text","text":"open"}]},{"type":"web_search_call","id":"ws_1","status":"completed"},` +
		`{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi","annotations":[]}]},` +
		`{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c1","output":"r"}]}`
	if string(body) != want {
		t.Errorf("the request is\n%s\nwant\n%s", body, want)
	}
	s, err = NewStored(body, []byte(`{"id":"resp_2","output":[]}`))
	if err != nil || s.ID != "resp_2" || len(s.Items) != 7 {
		t.Errorf("%d items, %v", len(s.Items), err)
	}
	if body, err = Continue(s, []byte(`{"model":"m","previous_response_id":"resp_2"}`)); err != nil || len(gjson.GetBytes(body, "input").Array()) != 7 {
		t.Errorf("without input: %s, %v", body, err)
	}
	if _, err := head(schema.OpChat, body); err != nil {
		t.Error(err)
	}
}

func TestStoredRefuses(t *testing.T) {
	for _, c := range [][2]string{{`{`, `{"output":[]}`}, {`{"input":1}`, `{"output":[]}`}, {`{}`, `{`}, {`{}`, `{}`}, {`{}`, `{"status":"failed","error":{"code":"server_error","message":"m"}}`}} {
		if _, err := NewStored([]byte(c[0]), []byte(c[1])); err == nil {
			t.Errorf("%s, %s: no error", c[0], c[1])
		}
	}
	for _, raw := range []string{`{`, `{"input":{}}`} {
		if _, err := Continue(Stored{}, []byte(raw)); schema.AsError(err).Status != 400 {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestAnswer(t *testing.T) {
	resp := &schema.ChatResponse{ID: "chatcmpl-1", Model: "m", Created: 7, ServiceTier: "flex", Usage: schema.Usage{Input: 9, CacheWrite: 4, Output: 2}, Choices: []schema.Choice{{
		Message: schema.Message{Parts: []schema.Part{
			{Type: schema.PartThinking, Text: "t", Signature: "EqQB"},
			{Type: schema.PartText, Text: "né"},
			{Type: schema.PartText, Text: "two", Citations: json.RawMessage(`[{"type":"web_search_result_location","url":"w","title":"W"}]`)},
			{Type: schema.PartRaw, Raw: json.RawMessage(`{"type":"web_search_call","id":"ws"}`)},
			{Type: schema.PartRaw, Raw: json.RawMessage(`{"type":"server_tool_use"}`)},
		}, ToolCalls: []schema.ToolCall{{ID: "c", Function: schema.FunctionCall{Name: "f", Arguments: "{}"}}, {Function: schema.FunctionCall{Name: "g", Arguments: "{}"}}}},
		Annotations:  json.RawMessage(`[{"type":"url_citation","url_citation":{"url":"u","start_index":0,"end_index":2}}]`),
		Logprobs:     json.RawMessage(`{"content":[{"token":"n","logprob":-1}]}`),
		FinishReason: "tool_calls",
	}}}
	r := gjson.ParseBytes(encodeAnswer(nil, resp))
	if err := checkResponse(r, "completed"); err != nil {
		t.Fatalf("%v: %s", err, r.Raw)
	}
	if got, want := kinds(r), `reasoning ["t"] sluice_ts_EqQB; message ["né","two"] completed; web_search_call; function_call f {} completed; function_call g {} completed`; got != want {
		t.Errorf("the answer is %s, want %s", got, want)
	}
	for path, want := range map[string]string{
		"output.1.content.#.annotations": `[[{"type":"url_citation","url":"u","start_index":0,"end_index":2}],[{"type":"url_citation","url":"w","title":"W","start_index":0,"end_index":3}]]`,
		"output.1.content.0.logprobs":    `[{"token":"n","logprob":-1}]`, "output.4.call_id": `"call_chatcmpl-1_1"`, "service_tier": `"flex"`,
		"usage.input_tokens_details": `{"cached_tokens":0,"cache_write_tokens":4}`,
	} {
		if got := r.Get(path).Raw; got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	again, err := decode([]byte(r.Raw))
	if err != nil {
		t.Fatal(err)
	}
	c := &again.Choices[0]
	want := `[{"type":"url_citation","url_citation":{"url":"u","start_index":0,"end_index":2}},{"type":"url_citation","url_citation":{"url":"w","title":"W","start_index":2,"end_index":5}}]`
	if string(c.Annotations) != want || string(c.Logprobs) != string(resp.Choices[0].Logprobs) || c.Message.Text() != "nétwo" || c.Message.Parts[0].Signature != "EqQB" {
		t.Errorf("read again it is %+v: %s %s", c, c.Annotations, c.Logprobs)
	}
	if err := checkResponse(gjson.ParseBytes(encodeAnswer(nil, &schema.ChatResponse{})), "completed"); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	e := &schema.Error{Code: schema.CodeUpstream, Status: 502, Origin: schema.OriginProvider, Message: "it \"broke\"", Param: "p"}
	stream := string(appendStreamError(nil, e, "req-1"))
	frames := strings.SplitAfter(strings.TrimSpace(stream), "\n\n")
	if len(frames) != 2 || !strings.HasPrefix(frames[0], "event: response.failed\n") || !strings.HasPrefix(frames[1], "event: error\n") {
		t.Fatalf("the end is %s", stream)
	}
	data := func(i int) gjson.Result { return gjson.Parse(frames[i][strings.Index(frames[i], "data: ")+6:]) }
	if r := data(0).Get("response"); r.Get("error.code").Str != "server_error" || r.Get("error.message").Str != e.Message || r.Get("status").Str != "failed" {
		t.Errorf("response.failed holds %s", r.Raw)
	}
	if v := data(1); v.Get("message").Str != e.Message || v.Get("error.message").Str != e.Message || v.Get("error.request_id").Str != "req-1" || v.Get("param").Str != "p" {
		t.Errorf("error holds %s", v.Raw)
	}
	for i := range frames {
		if keep, err := (&scanner{}).Scan([]byte(frames[i]), nil); keep || schema.AsError(err).Message != e.Message {
			t.Errorf("scanned %d: %v", i, err)
		}
	}
	for body, class := range map[string]schema.Class{`x`: schema.ClassInvalidOutput, `{}`: schema.ClassInvalidOutput, `[]`: schema.ClassInvalidOutput,
		`{"output":[],"status":"failed","error":{"code":"invalid_prompt","message":"m"}}`: schema.ClassInvalidRequest} {
		if _, err := decode([]byte(body)); schema.AsError(err).Class != class {
			t.Errorf("%s: %v", body, err)
		}
		if err := rawUsage([]byte(body), nil); schema.AsError(err).Class != class {
			t.Errorf("raw %s: %v", body, err)
		}
	}
}

func TestMeasure(t *testing.T) {
	var tally dialect.Tally
	err := rawUsage([]byte(`{"output":[{"type":"reasoning","summary":[{"text":"a"}]},{"type":"message","content":[{"text":"b"}]},{"type":"function_call","name":"c","arguments":"d"}]}`), &tally)
	if err != nil || string(tally.Text.Sample) != "abcd" || tally.Finish != "tool_calls" {
		t.Errorf("%+v, %v", tally, err)
	}
	if got := string(appendCount(nil, 7)); got != `{"object":"response.input_tokens","input_tokens":7}` {
		t.Errorf("the count is %s", got)
	}
}

// What a response answers is listed in whole items, without what it said itself.
func TestInputOf(t *testing.T) {
	response := `{"id":"resp_1","output":[{"type":"message","id":"m","role":"assistant","content":[]}]}`
	for request, want := range map[string]string{
		`{"input":"hi"}`: `{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}],"id":"item_1_0"}`,
		`{"input":[{"id":"x","role":"assistant","content":"yes"}]}`: `{"id":"x","role":"assistant","content":[{"type":"output_text","text":"yes"}],"type":"message"}`,
	} {
		s, err := NewStored([]byte(request), []byte(response))
		if err != nil {
			t.Fatal(err)
		}
		if items := InputOf(s, []byte(response)); len(items) != 1 || string(items[0]) != want {
			t.Errorf("%s: %s, want %s", request, items, want)
		}
	}
}
