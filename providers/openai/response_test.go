package openai

import (
	"encoding/json"
	"strings"
	"testing"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

func TestAnswer(t *testing.T) {
	resp := &schema.ChatResponse{
		ID: "r1", Model: "m", Created: 5, ServiceTier: "flex", SystemFingerprint: "fp",
		Choices: []schema.Choice{
			{FinishReason: openai.FinishReasonToolCalls, Message: schema.Message{
				Parts: []schema.Part{{Type: schema.PartThinking, Text: "a\"", Signature: "s"}, {Type: schema.PartRedactedThinking, Data: "d"},
					{Type: schema.PartText, Text: "x"}, {Type: schema.PartText, Text: "y", Citations: json.RawMessage(`[{"n":1}]`)}},
				ToolCalls: []openai.ToolCall{{ID: "c", Function: openai.FunctionCall{Name: "f", Arguments: `{"a":1}`}}}}},
			{Index: 1, FinishReason: openai.FinishReasonStop, Message: schema.Message{Refusal: "no"}, Logprobs: json.RawMessage(`{"content":[]}`),
				Annotations: json.RawMessage(`[{"type":"url_citation"}]`)},
			{Index: 2},
		},
		Usage: schema.Usage{Input: 10, CachedInput: 4, CacheWrite: 2, Output: 6, Reasoning: 3, AudioInput: 1, AudioOutput: 1, Source: schema.UsageReported},
	}
	raw := encodeResponse(nil, resp)
	golden(t, "answer.json", pretty(t, raw))
	// The official types must be able to read it.
	var typed openai.ChatCompletionResponse
	if err := json.Unmarshal(raw, &typed); err != nil || typed.Choices[0].Message.Content != "xy" || typed.Usage.TotalTokens != 16 {
		t.Errorf("%v %+v", err, typed)
	}
	again, err := decodeResponse(raw)
	if err != nil {
		t.Fatal(err)
	}
	m := again.Choices[0].Message
	if len(m.Parts) != 3 || m.Parts[0].Signature != "s" || m.Parts[1].Data != "d" || m.ToolCalls[0].ID != "c" || again.Choices[1].Message.Refusal != "no" {
		t.Errorf("%+v", again)
	}
	resp.Usage.Tier = "flex" // as the answer says beside its usage
	if again.Usage != resp.Usage {
		t.Errorf("usage is %+v", again.Usage)
	}
}

func TestAnswerRefused(t *testing.T) {
	for body, class := range map[string]schema.Class{
		``:                  schema.ClassInvalidOutput,
		`{"choices":[`:      schema.ClassInvalidOutput,
		`{"object":"list"}`: schema.ClassInvalidOutput,
		`{"choices":[{"message":{"content":5}}]}`: schema.ClassInvalidOutput,
		`{"error":{"message":"m","code":503}}`:    schema.ClassOverloaded,
	} {
		if _, err := decodeResponse([]byte(body)); err == nil || schema.AsError(err).Class != class {
			t.Errorf("%s gave %v", body, err)
		}
	}
}

func TestLegacyAnswer(t *testing.T) {
	resp, err := decodeResponse([]byte(`{"choices":[{"index":0,"message":{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},"finish_reason":"function_call"}]}`))
	if err != nil || resp.Choices[0].Message.ToolCalls[0].Function.Name != "f" || resp.Choices[0].FinishReason != openai.FinishReasonToolCalls {
		t.Errorf("%+v, %v", resp, err)
	}
}

// TestUsage: what hosts count beside their sums is added up.
func TestUsage(t *testing.T) {
	for usage, want := range map[string]schema.Usage{
		`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}`:                                                          {Input: 10, Output: 5},
		`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":null,"completion_tokens_details":null}`:              {Input: 10, Output: 5},
		`{"prompt_tokens":12,"completion_tokens":1,"total_tokens":241,"completion_tokens_details":{"reasoning_tokens":228}}`:    {Input: 12, Output: 229, Reasoning: 228},
		`{"prompt_tokens":9,"completion_tokens":201,"total_tokens":585,"prompt_tokens_details":{"audio_tokens":375}}`:           {Input: 384, Output: 201, AudioInput: 375},
		`{"prompt_tokens":7,"completion_tokens":8,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":161}}`:             {Input: 168, Output: 8, CachedInput: 161},
		`{"prompt_tokens":20,"completion_tokens":5,"total_tokens":25,"prompt_cache_hit_tokens":16}`:                             {Input: 20, Output: 5, CachedInput: 16},
		`{"prompt_tokens":20,"completion_tokens":5,"total_tokens":25,"cached_tokens":10}`:                                       {Input: 20, Output: 5, CachedInput: 10},
		`{"prompt_tokens":20,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":15,"cache_write_tokens":15}}`:       {Input: 20, Output: 5, CachedInput: 15, CacheWrite: 5},
		`{"prompt_tokens":-4,"completion_tokens":"x","total_tokens":1e30,"completion_tokens_details":{"reasoning_tokens":900}}`: {},
	} {
		var tally dialect.Tally
		if err := chatUsage([]byte(`{"choices":[],"usage":`+usage+`}`), &tally); err != nil {
			t.Fatal(err)
		}
		want.Source = schema.UsageReported
		if tally.Usage != want {
			t.Errorf("%s is %+v, want %+v", usage, tally.Usage, want)
		}
	}
	var tally dialect.Tally
	err := chatUsage([]byte(`{"choices":[{"message":{"content":"a\nb","reasoning":"c","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]},"finish_reason":"eos"}]}`), &tally)
	if err != nil || string(tally.Text.Sample) != "a\nbcf{}" || tally.Finish != "stop" {
		t.Errorf("%+v, %v", tally, err)
	}
}

func TestStreamEncoder(t *testing.T) {
	zero, one := 0, 1
	chunks := []schema.Chunk{
		{ID: "c1", Model: "m", Created: 5, Fingerprint: "fp", Choices: []schema.ChoiceDelta{{Role: "assistant"}}},
		{Choices: []schema.ChoiceDelta{{Thinking: "hm\n"}}},
		{Choices: []schema.ChoiceDelta{{Signature: "s"}, {Redacted: "d"}}},
		{Choices: []schema.ChoiceDelta{{Text: "é\""}, {Index: 1, Refusal: "no"}}},
		{Choices: []schema.ChoiceDelta{{ToolCalls: []openai.ToolCall{{Index: &zero, ID: "c", Function: openai.FunctionCall{Name: "f"}}}}}},
		{Choices: []schema.ChoiceDelta{{ToolCalls: []openai.ToolCall{{Index: &zero, Function: openai.FunctionCall{Arguments: `{"a"`}}, {Index: &one, ID: "d", Function: openai.FunctionCall{Name: "g", Arguments: "{}"}}}}}},
		{Usage: &schema.Usage{Input: 1}},
		{Choices: []schema.ChoiceDelta{{Citations: json.RawMessage(`{"n":1}`), Logprobs: json.RawMessage(`{"content":null}`)}}},
		{Choices: []schema.ChoiceDelta{{FinishReason: "tool_calls"}, {Index: 1, FinishReason: "stop"}}},
	}
	for name, wants := range map[string]bool{"stream_usage.sse": true, "stream_plain.sse": false} {
		e := newEncoder(dialect.StreamOptions{ID: "made", Model: "asked", Created: 1, WantsUsage: wants})
		var out []byte
		for i := range chunks {
			out = e.Chunk(out, &chunks[i])
		}
		out = e.End(out, &schema.Usage{Input: 9, Output: 4})
		golden(t, name, out)
		for _, frame := range cutFrames(t, out) {
			data := strings.TrimSpace(strings.TrimPrefix(string(frame), "data: "))
			var typed openai.ChatCompletionStreamResponse
			if data != "[DONE]" && json.Unmarshal([]byte(data), &typed) != nil {
				t.Errorf("not readable: %s", frame)
			}
		}
	}
	e := newEncoder(dialect.StreamOptions{ID: "made", Model: "asked", Created: 1})
	if out := string(e.Chunk(nil, &schema.Chunk{Choices: []schema.ChoiceDelta{{Text: "x"}}})); !strings.Contains(out, `"id":"made"`) || !strings.Contains(out, `"model":"asked"`) {
		t.Errorf("%s", out)
	}
}

// decodeAll reads frames given as data lines.
func decodeAll(t *testing.T, d *decoder, lines ...string) []schema.Chunk {
	t.Helper()
	var out []schema.Chunk
	for _, line := range lines {
		var err error
		if out, err = d.Decode(dialect.Frame{Data: []byte(line)}, out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestStreamDecoder(t *testing.T) {
	delta := func(s string) string { return `{"choices":[{"index":0,"delta":` + s + `}]}` }
	for _, c := range []struct {
		name  string
		lines []string
		want  answer
	}{
		{"repeated id and name", []string{
			delta(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}`),
			delta(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}]}`)}, answer{calls: []string{"a f {}"}}},
		{"no index", []string{
			delta(`{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"}}]}`),
			delta(`{"tool_calls":[{"function":{"arguments":"}"}}]}`),
			delta(`{"tool_calls":[{"id":"b","function":{"name":"g","arguments":"{}"}}]}`)}, answer{calls: []string{"a f {}", "b g {}"}}},
		{"arguments as an object", []string{delta(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":{"x":1}}}]}`)}, answer{calls: []string{`a f {"x":1}`}}},
		{"legacy call", []string{delta(`{"function_call":{"name":"f","arguments":""}}`), delta(`{"function_call":{"arguments":"{}"}}`),
			`{"choices":[{"index":0,"delta":{},"finish_reason":"function_call"}]}`}, answer{calls: []string{"call_function_1 f {}"}, finish: "tool_calls"}},
		{"both words for thinking", []string{delta(`{"reasoning":"a","reasoning_content":"a","content":"b"}`)}, answer{text: "b", thinking: "a"}},
		{"parts", []string{delta(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]},{"type":"text","text":"b"},{"type":"reference","reference_ids":[1]}]}`)}, answer{text: "b", thinking: "a"}},
		{"nulls", []string{delta(`{"content":null,"tool_calls":null,"reasoning_details":null,"refusal":null,"audio":null}`), delta(`null`), `{"choices":null}`}, answer{}},
	} {
		got := joinChunks(decodeAll(t, &decoder{}, c.lines...))
		if got.text != c.want.text || got.thinking != c.want.thinking || got.finish != c.want.finish || strings.Join(got.calls, "|") != strings.Join(c.want.calls, "|") {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
	signed := decodeAll(t, &decoder{}, delta(`{"reasoning_details":[{"type":"reasoning.text","text":"","signature":"s"}]}`),
		delta(`{"thinking_blocks":[{"type":"redacted_thinking","data":"d"}]}`))
	if signed[0].Choices[0].Signature != "s" || signed[1].Choices[0].Redacted != "d" {
		t.Errorf("%+v", signed)
	}
	d := &decoder{}
	decodeAll(t, d, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{"content":"x"}}]}`)
	if d.Ended() || d.Done() {
		t.Error("one of two choices is open")
	}
	decodeAll(t, d, `{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}`)
	if !d.Ended() || d.Done() {
		t.Error("both choices are over")
	}
	if decodeAll(t, d, " [DONE] "); !d.Done() {
		t.Error("the end was not seen")
	}
	for _, bad := range []string{`{"a"`, `{"error":"x"}`, `{"error":{"message":"m"},"choices":[]}`} {
		if _, err := (&decoder{}).Decode(dialect.Frame{Data: []byte(bad)}, nil); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if _, err := (&decoder{}).Decode(dialect.Frame{Event: "error", Data: []byte(`{"message":"m"}`)}, nil); err == nil || schema.AsError(err).Message != "m" {
		t.Errorf("%v", err)
	}
}

func TestScan(t *testing.T) {
	for _, c := range []struct {
		name, frame string
		wants, keep bool
		check       func(*dialect.Tally) bool
		fails       bool
	}{
		{name: "comment", frame: ": x\n\n", keep: true},
		{name: "text", frame: `data: {"choices":[{"index":0,"delta":{"content":"a\"b"}}],"usage":null,"error":null}` + "\n\n", keep: true,
			check: func(t *dialect.Tally) bool { return string(t.Text.Sample) == `a\"b` && t.Usage.IsZero() }},
		{name: "spaces", frame: `data: {"choices": [{"index": 0, "delta": {"content": "ab", "reasoning": "c"}, "finish_reason": "stop"}]}` + "\r\n\r\n", keep: true,
			check: func(t *dialect.Tally) bool { return string(t.Text.Sample) == "abc" && t.Finish == "stop" }},
		{name: "words in a string", frame: `data: {"choices":[{"index":0,"delta":{"content":"\"usage\":{\"prompt_tokens\":5},\"finish_reason\":\"stop\",\"error\":{}"}}]}` + "\n\n", keep: true,
			check: func(t *dialect.Tally) bool { return t.Usage.IsZero() && t.Finish == "" }},
		{name: "usage unasked", frame: `data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1}}` + "\n\n", keep: false,
			check: func(t *dialect.Tally) bool { return t.Usage.Input == 5 }},
		{name: "usage asked", frame: `data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1}}` + "\n\n", wants: true, keep: true},
		{name: "usage with a choice", frame: `data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":5}}` + "\n\n", keep: true,
			check: func(t *dialect.Tally) bool { return t.Usage.Input == 5 }},
		{name: "usage of Groq", frame: `data: {"choices":[{"index":0,"delta":{}}],"x_groq":{"usage":{"prompt_tokens":5}}}` + "\n\n", keep: true,
			check: func(t *dialect.Tally) bool { return t.Usage.Input == 5 }},
		{name: "filter results", frame: `data: {"choices":[],"prompt_filter_results":[{"prompt_index":0}]}` + "\n\n", keep: true},
		{name: "two lines", frame: "data: {\"choices\":[],\ndata: \"usage\":{\"prompt_tokens\":5}}\n\n", keep: false,
			check: func(t *dialect.Tally) bool { return t.Usage.Input == 5 }},
		{name: "end", frame: "data:[DONE]\n\n", keep: true, check: func(t *dialect.Tally) bool { return t.Done }},
		{name: "error", frame: `data: {"error":{"message":"m","code":502}}` + "\n\n", fails: true},
		{name: "error by name", frame: "event: error\ndata: {\"message\":\"m\"}\n\n", fails: true},
		{name: "another event", frame: "event: completion\ndata: {\"choices\":[]}\n\n", keep: true},
	} {
		var tally dialect.Tally
		keep, err := (&scanner{wantsUsage: c.wants}).Scan([]byte(c.frame), &tally)
		if (err != nil) != c.fails || keep != c.keep || c.check != nil && !c.check(&tally) {
			t.Errorf("%s: %v, %v, %+v", c.name, keep, err, tally)
		}
	}
}

// FuzzScan compares the scanner with the decoder: they must tell the same of a
// frame.
func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5}}`))
	f.Add([]byte(`{"error":{"message":"m"}}`))
	f.Add([]byte(`[DONE]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		frame := append(append([]byte("data: "), data...), "\n\n"...)
		if strings.ContainsAny(string(data), "\r\n") || !json.Valid(data) {
			_, _ = (&scanner{}).Scan(frame, &dialect.Tally{})
			return
		}
		var tally dialect.Tally
		s := &scanner{wantsUsage: true}
		_, scanErr := s.Scan(frame, &tally)
		d := &decoder{}
		chunks, err := d.Decode(dialect.Frame{Data: data}, nil)
		if strings.ContainsAny(string(data), "\\\t") || strings.Count(string(data), `"choices"`) > 1 {
			return // escaped keys and keys that stand twice are read by one of them only
		}
		if (scanErr != nil) != (err != nil) {
			t.Fatalf("%s: scanned %v, decoded %v", data, scanErr, err)
		}
		if err == nil && len(chunks) > 0 && s.Ended() != d.Ended() {
			t.Errorf("%s: scanned %+v, decoded %+v", data, s.ends, d.ends)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	frame := []byte(`data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}` + "\n\n")
	s, tally := &scanner{}, &dialect.Tally{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Scan(frame, tally); err != nil {
			b.Fatal(err)
		}
	}
}
