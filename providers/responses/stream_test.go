package responses

import (
	"fmt"
	"os"
	"strings"
	"testing"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/providertest"
	"sluice/providers/schema"
	"sluice/providers/sse"
)

// write puts deltas into a stream and holds it against the grammar.
func write(t *testing.T, req *schema.ChatRequest, deltas ...schema.ChoiceDelta) (response gjson.Result, stream string) {
	t.Helper()
	w := newWriter(dialect.StreamOptions{ID: "x", Model: "m", Created: 1, Request: req})
	var b []byte
	for i := range deltas {
		b = w.Chunk(b, &schema.Chunk{ID: "id", Choices: deltas[i : i+1]})
	}
	b = w.End(b, &schema.Usage{Input: 5, CachedInput: 2, Output: 3, Reasoning: 1})
	response, err := checkStream(b)
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return response, string(b)
}

func piece(index int, id, name, arguments string) schema.ChoiceDelta {
	return schema.ChoiceDelta{ToolCalls: []openai.ToolCall{{Index: &index, ID: id, Function: openai.FunctionCall{Name: name, Arguments: arguments}}}}
}

// kinds are the items of a response in short.
func kinds(response gjson.Result) string {
	var out []string
	for _, item := range response.Get("output").Array() {
		text := ""
		for _, field := range []string{"summary.#.text", "content.#.text", "content.#.refusal", "name", "arguments", "input", "encrypted_content", "status"} {
			if v := item.Get(field); v.Exists() && v.Raw != "[]" {
				text += " " + v.String()
			}
		}
		out = append(out, item.Get("type").Str+text)
	}
	return strings.Join(out, "; ")
}

func TestWriter(t *testing.T) {
	custom := &schema.ChatRequest{Tools: []schema.Tool{{Name: "patch", Type: toolCustom}}}
	raw := `{"id":"ws_1","type":"web_search_call",` + "\n" + `"status":"completed"}`
	for _, c := range []struct {
		name   string
		req    *schema.ChatRequest
		deltas []schema.ChoiceDelta
		want   string
	}{
		{"nothing", nil, nil, ""},
		{"text", nil, []schema.ChoiceDelta{{Role: "assistant"}, {Text: "a"}, {Text: "b"}, {FinishReason: "stop"}}, `message ["ab"] completed`},
		{"thinking", nil, []schema.ChoiceDelta{{Thinking: "t"}, {Thinking: "u"}, {Signature: "EqQB"}, {Redacted: "zz"}, {Text: "a"}},
			`reasoning ["tu"] sluice_ts_EqQB; reasoning sluice_rt_zz; message ["a"] completed`},
		{"own reasoning", nil, []schema.ChoiceDelta{{Signature: "b3BlbmFpgAAA"}, {Thinking: "t"}, {Thinking: "u", NewPart: true}}, `reasoning gAAA; reasoning ["t"]; reasoning ["u"]`},
		{"parallel calls", nil, []schema.ChoiceDelta{{Text: "a"}, piece(0, "c0", "f", ""), piece(1, "c1", "g", `{"x"`), piece(0, "", "", `{}`), piece(1, "", "", `:1}`), piece(0, "", "", " "),
			{FinishReason: "tool_calls"}}, `message ["a"] completed; function_call f {} completed; function_call g {"x":1} completed`},
		{"one call after another", nil, []schema.ChoiceDelta{piece(0, "c0", "f", `{}`), piece(1, "", "g", ""), {Text: "b"}, piece(0, "", "", " ")},
			`function_call f {} completed; function_call g {} completed; message ["b"] completed`},
		{"custom call", custom, []schema.ChoiceDelta{piece(0, "c0", "patch", `{"inp`), piece(0, "", "", `ut":"*** x\n"}`)}, "custom_tool_call patch *** x\n completed"},
		{"custom call of another form", custom, []schema.ChoiceDelta{piece(0, "c0", "patch", `***`)}, "custom_tool_call patch *** completed"},
		{"refusal", nil, []schema.ChoiceDelta{{Text: "a"}, {Refusal: "No"}, {Refusal: "."}, {FinishReason: "content_filter"}}, `message ["a"] ["No."] incomplete`},
		{"both at once", nil, []schema.ChoiceDelta{{Text: "a", Refusal: "No."}}, `message ["a"] ["No."] completed`},
		{"cut", nil, []schema.ChoiceDelta{{Text: "a"}, {FinishReason: "length"}}, `message ["a"] incomplete`},
		{"parts", nil, []schema.ChoiceDelta{{Text: "a"}, {Text: "b", NewPart: true}}, `message ["a","b"] completed`},
		{"own tools", nil, []schema.ChoiceDelta{{Text: "a"}, {Raw: []byte(raw)}, {Raw: []byte(`{"type":"server_tool_use"}`)}, {Text: "b"}},
			`message ["a"] completed; web_search_call completed; message ["b"] completed`},
		{"other choices", nil, []schema.ChoiceDelta{{Text: "a"}, {Index: 1, Text: "b"}}, `message ["a"] completed`},
	} {
		t.Run(c.name, func(t *testing.T) {
			response, stream := write(t, c.req, c.deltas...)
			if got := kinds(response); got != c.want {
				t.Errorf("the answer is %s, want %s\n%s", got, c.want, stream)
			}
		})
	}
}

func TestWriterCitations(t *testing.T) {
	response, stream := write(t, nil, schema.ChoiceDelta{Text: "né"},
		schema.ChoiceDelta{Citations: []byte(`{"type":"web_search_result_location","url":"https://x.test","title":"X"}`)},
		schema.ChoiceDelta{Text: "ab", NewPart: true},
		schema.ChoiceDelta{Citations: []byte(`{"type":"url_citation","url_citation":{"url":"u","start_index":2,"end_index":4}}`)},
		schema.ChoiceDelta{Citations: []byte(`{"type":"char_location"}`)})
	want := `[[{"type":"url_citation","url":"https://x.test","title":"X","start_index":0,"end_index":2}],[{"type":"url_citation","url":"u","start_index":0,"end_index":2}]]`
	if got := response.Get("output.0.content.#.annotations").Raw; got != want {
		t.Errorf("annotations are %s\n%s", got, stream)
	}
}

// TestEcho holds the fields that an answer repeats against the request.
func TestEcho(t *testing.T) {
	req, err := decodeRequest([]byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	response, _ := write(t, req, schema.ChoiceDelta{Text: "a"})
	for path, want := range map[string]string{
		"instructions": `"Be brief."`, "temperature": "0", "top_p": "0.5", "max_output_tokens": "100", "store": "false", "parallel_tool_calls": "false",
		"metadata": `{"a":"b"}`, "truncation": `"auto"`, "previous_response_id": `"resp_0"`, "user": `"u"`, "tools.#.type": `["function","custom","web_search"]`,
		"tool_choice": `{"type":"custom","name":"patch"}`, "text.verbosity": `"low"`, "text.format.name": `"a"`, "reasoning": `{"effort":"low","summary":"auto"}`,
		"usage": `{"input_tokens":5,"input_tokens_details":{"cached_tokens":2},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":8}`,
	} {
		if got := response.Get(path).Raw; got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

// TestThinkingGoesRound carries Anthropic's signed thinking to a client and back.
func TestThinkingGoesRound(t *testing.T) {
	response, _ := write(t, nil, schema.ChoiceDelta{Thinking: "t"}, schema.ChoiceDelta{Signature: "EqQB"}, schema.ChoiceDelta{Redacted: "zz"}, piece(0, "c0", "f", "{}"))
	body := `{"model":"claude-sonnet-4-5","input":[{"role":"user","content":"q"},` + strings.Trim(response.Get("output").Raw, "[]")
	body += `,{"type":"function_call_output","call_id":"c0","output":"r"}],"tools":[{"type":"function","name":"f"}]}`
	if !foreign([]byte(body)) {
		t.Error("the body is not told from OpenAI's own")
	}
	req, err := decodeRequest([]byte(body))
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	up, err := anthropic.Dialect.Chat.Encode(req)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"type":"thinking","thinking":"t","signature":"EqQB"},{"type":"redacted_thinking","data":"zz"},{"type":"tool_use","id":"c0","name":"f","input":{}}]`
	if got := gjson.GetBytes(up.Body, "messages.1.content").Raw; got != want {
		t.Errorf("the turn is %s", got)
	}
	req.Model = "gpt-5"
	if up, err = encode(req); err != nil || strings.Contains(string(up.Body), "EqQB") || strings.Contains(string(up.Body), `"zz"`) {
		t.Errorf("OpenAI is shown Anthropic's thinking: %s, %v", up.Body, err)
	}
}

// sparse is a stream of a host that sends items whole, without deltas.
const sparse = `{"type":"response.created","response":{"id":"r","model":"m","created_at":9}}
{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","summary":[{"text":"t"}],"encrypted_content":"g"}}
{"type":"response.output_item.done","output_index":1,"item":{"type":"message","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"n"}]}}
{"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","id":"fc","name":"f"}}
{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","id":"fc","name":"f","arguments":"{}"}}
{"type":"response.output_item.done","output_index":3,"item":{"type":"function_call","call_id":"c","name":"g","arguments":"{}"}}
{"type":"response.some_new_event"}
{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"service_tier":"flex"}}
[DONE]`

func TestSparseStream(t *testing.T) {
	d := newStream()
	var out []schema.Chunk
	for line := range strings.Lines(sparse) {
		var err error
		if out, err = d.Decode(dialect.Frame{Data: []byte(strings.TrimSpace(line))}, out); err != nil {
			t.Fatal(err)
		}
	}
	var got strings.Builder
	for _, c := range out {
		d := c.Choices[0]
		fmt.Fprint(&got, d.Thinking, d.Signature, d.Text, d.Refusal, d.FinishReason, c.ServiceTier)
		for _, call := range d.ToolCalls {
			fmt.Fprint(&got, *call.Index, call.ID, call.Function.Name, call.Function.Arguments)
		}
	}
	if want := "tb3BlbmFpgan0fcf0{}1cg1{}lengthflex"; got.String() != want || !d.Done() || out[0].ID != "r" || out[0].Created != 9 {
		t.Errorf("the stream says %s, want %s", got.String(), want)
	}
}

func TestStreamFailures(t *testing.T) {
	for body, class := range map[string]schema.Class{
		`{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"m"}}}`:                      schema.ClassServerError,
		`{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"m"}}}`:               schema.ClassRateLimited,
		`{"type":"response.failed","response":{"status":"failed","error":{"code":"context_length_exceeded","message":"m"}}}`:           schema.ClassContextLength,
		`{"type":"response.failed","response":{"status":"failed","error":{"code":"server_is_overloaded","message":"m"}}}`:              schema.ClassOverloaded,
		`{"type":"response.failed","response":{"status":"failed","error":{"code":"vector_store_timeout","message":"m"}}}`:              schema.ClassTimeout,
		`{"type":"error","code":"invalid_prompt","message":"m","param":null,"sequence_number":1}`:                                      schema.ClassInvalidRequest,
		`{"type":"error","sequence_number":2,"error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"m"}}`: schema.ClassContextLength,
		`{"error":{"type":"insufficient_quota","message":"m"}}`:                                                                        schema.ClassQuota,
		`{"type":"error","error":"m"}`: schema.ClassServerError,
		`{`:                            schema.ClassInvalidOutput,
	} {
		_, err := newStream().Decode(dialect.Frame{Data: []byte(body)}, nil)
		e := schema.AsError(err)
		if err == nil || e.Class != class || e.Code == "" || e.Status < 400 || class != schema.ClassInvalidOutput && (e.Message != "m" || e.UpstreamStatus != 200) {
			t.Errorf("%s: %+v, want %s", body, e, class)
		}
		if class == schema.ClassInvalidOutput || !strings.Contains(body, `"type":"`+"r") && !strings.Contains(body, `"type":"error"`) {
			continue
		}
		name := gjson.Get(body, "type").Str
		for _, frame := range []string{"event: " + name + "\ndata: " + body + "\n\n", "data: " + body + "\n\n"} {
			if keep, err := (&scanner{}).Scan([]byte(frame), &dialect.Tally{}); keep || schema.AsError(err).Class != class {
				t.Errorf("scanned %s: %v, %v", frame, keep, err)
			}
		}
	}
}

func TestScan(t *testing.T) {
	var b []byte
	w := newWriter(dialect.StreamOptions{ID: "x", Model: "m"})
	for _, d := range []schema.ChoiceDelta{{Thinking: "ab"}, {Text: "c\"\n"}, piece(0, "c0", "f", "{}"), {FinishReason: "tool_calls"}} {
		b = w.Chunk(b, &schema.Chunk{Choices: []schema.ChoiceDelta{d}})
	}
	b = w.End(b, &schema.Usage{Input: 5, Output: 3})
	s, tally := &scanner{}, &dialect.Tally{}
	for frame := range strings.SplitAfterSeq(string(b)+": a comment\n\n", "\n\n") {
		if tally.Done {
			break
		}
		if keep, err := s.Scan([]byte(frame), tally); !keep || err != nil {
			t.Fatalf("%s: %v, %v", frame, keep, err)
		}
	}
	if !tally.Done || tally.Finish != "tool_calls" || tally.Usage.Input != 5 || tally.Usage.Output != 3 || string(tally.Text.Sample) != `abc\"\n{}` {
		t.Errorf("%+v %s", tally, tally.Text.Sample)
	}
	if keep, err := s.Scan([]byte("data: {\"type\":\ndata: \"response.in_progress\"}\n\n"), tally); !keep || err != nil {
		t.Errorf("lines: %v, %v", keep, err)
	}
	frame := "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\"}}\n\n"
	if got := FinalResponse([]byte(frame)); string(got) != `{"id":"r"}` {
		t.Errorf("the final response is %s", got)
	}
	if FinalResponse([]byte("data: {\"type\":\"response.created\",\"response\":{}}\n\n")) != nil {
		t.Error("a first event is taken for the last")
	}
}

// TestScanRecorded holds the scanner against the decoder.
func TestScanRecorded(t *testing.T) {
	for _, c := range providertest.Captures(t, os.Getenv("SLUICE_WIRE"), "responses") {
		if c.Response.Status != 200 {
			continue
		}
		var got dialect.Tally
		var want schema.Usage
		var finish openai.FinishReason
		if c.Stream == nil {
			if err := rawUsage(c.Answered, &got); err != nil {
				t.Errorf("%s: %v", c.ID, err)
			}
			resp, err := decode(c.Answered)
			if err != nil {
				t.Fatal(err)
			}
			want, finish = resp.Usage, resp.Choices[0].FinishReason
			if _, err := NewStored([]byte(`{"input":"x"}`), c.Answered); err != nil {
				t.Errorf("%s: %v", c.ID, err)
			}
		} else {
			s, d := &scanner{}, newStream()
			for frame := range strings.SplitAfterSeq(string(c.Answered), "\n\n") {
				if keep, err := s.Scan([]byte(frame), &got); !keep || err != nil {
					t.Errorf("%s: %v", c.ID, err)
				}
			}
			_ = sse.Events(c.Answered, func(f dialect.Frame) error {
				chunks, err := d.Decode(f, nil)
				for i := range chunks {
					if chunks[i].Usage != nil {
						want.Merge(*chunks[i].Usage)
					}
					if f := chunks[i].Choices[0].FinishReason; f != "" {
						finish = f
					}
				}
				return err
			})
			if !got.Done {
				t.Errorf("%s: the end was not seen", c.ID)
			}
		}
		if got.Usage != want || got.Finish != string(finish) {
			t.Errorf("%s: scanned %+v %s, decoded %+v %s", c.ID, got.Usage, got.Finish, want, finish)
		}
	}
}

// What was asked may hold line breaks; an event is one line of data.
func TestWriterLines(t *testing.T) {
	req, err := decodeRequest([]byte("{\"model\":\"m\",\"input\":\"x\",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\n\t\"type\":\r\n\"object\"}}]}"))
	if err != nil {
		t.Fatal(err)
	}
	w := Dialect.Client.Stream(dialect.StreamOptions{ID: "1", Model: "m", Request: req})
	out := w.Chunk(nil, &schema.Chunk{Choices: []schema.ChoiceDelta{{Text: "a\nb", FinishReason: "stop"}}})
	out = w.End(out, nil)
	for frame := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n\n"), "\n\n") {
		_, data, ok := strings.Cut(frame, "\ndata: ")
		if !ok || strings.ContainsAny(data, "\r\n") || !gjson.Valid(data) {
			t.Errorf("frame %q", frame)
		}
	}
	if !strings.Contains(string(out), `"type":  "object"`) {
		t.Errorf("the tool is not told again: %s", out)
	}
}
