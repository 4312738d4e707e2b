package bedrock

import (
	"encoding/json"
	"errors"
	"testing"

	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"output":{"message":{"content":[{"text":"a"},{"toolUse":{"toolUseId":"t","name":"f","input":{}}},{"reasoningContent":{"redactedContent":"!"}},{"citationsContent":{"content":[{"text":"x"}],"citations":[]}},{"x":1}]}},"stopReason":"tool_use","usage":{"inputTokens":1},"additionalModelResponseFields":[1]}`,
		`{"embeddings":{"float":[[1]]}}`, `{"embedding":[1]}`, `{"results":[{"index":0,"relevanceScore":1}]}`, `{"inputTokens":1}`, `{"__type":"a#ValidationException","message":"m"}`,
	} {
		f.Add([]byte(s), "ThrottlingException:x")
	}
	f.Fuzz(func(t *testing.T, body []byte, name string) {
		isError := func(err error) {
			if err != nil && !errors.As(err, new(*schema.Error)) {
				t.Errorf("%v is no *schema.Error", err)
			}
		}
		resp, err := decode(body)
		isError(err)
		if err == nil {
			for _, c := range resp.Choices[0].Message.ToolCalls {
				if !json.Valid([]byte(c.Function.Arguments)) {
					t.Errorf("arguments %q", c.Function.Arguments)
				}
			}
		}
		_, err = decodeEmbed(body)
		isError(err)
		_, err = decodeRerank(body)
		isError(err)
		_, err = decodeCount(body)
		isError(err)
		for _, status := range []int{0, 200, 400, 429, 599} {
			if e := errorOf(status, name, noHeader, body); e.Class == "" || e.Code == "" || e.Message == "" || e.Status < 400 {
				t.Errorf("status %d gives %+v", status, e)
			}
		}
	})
}

// The events of a stream, a line each: name and data.
func FuzzStream(f *testing.F) {
	f.Add("contentBlockStart", []byte(`{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}`), "contentBlockDelta", []byte(`{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{"},"text":"x"}}`))
	f.Add("messageStop", []byte(`{"stopReason":"end_turn"}`), "metadata", []byte(`{"usage":{"inputTokens":1}}`))
	f.Add("contentBlockStart", []byte(`{"start":{"toolUse":{"name":"sluice_structured_answer"}}}`), "contentBlockStop", []byte(`{}`))
	f.Fuzz(func(t *testing.T, name1 string, data1 []byte, name2 string, data2 []byte) {
		s := newStream()
		var out []schema.Chunk
		var err error
		for range 2 {
			for _, frame := range []dialect.Frame{{Event: name1, Data: data1}, {Event: name2, Data: data2}, {Event: name1, Data: data2, Failed: len(data2)%7 == 6}} {
				if out, err = s.Decode(frame, out); err != nil && !errors.As(err, new(*schema.Error)) {
					t.Errorf("%v is no *schema.Error", err)
				}
			}
		}
		if s.Done() && !s.(dialect.Ender).Ended() {
			t.Error("done before the answer stopped")
		}
	})
}

// Whatever a client sends becomes JSON or an error.
func FuzzEncode(f *testing.F) {
	f.Add("amazon.nova-2-lite-v1:0", []byte(`{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}],"metadata":{"a":"b"},"top_k":1,"additionalModelRequestFields":{"a":1}}`))
	f.Add("anthropic.claude-opus-4-6-v1", []byte(`{"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"x"}],"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object","properties":{}}}}],"tool_choice":"none","parallel_tool_calls":false,"response_format":{"type":"json_object"},"reasoning_effort":"low"}`))
	f.Fuzz(func(t *testing.T, model string, raw []byte) {
		if !json.Valid(raw) { // the head is read before, and sees to that
			return
		}
		req, err := openai.Dialect.Client.DecodeChat(raw)
		if err != nil {
			return
		}
		req.Model = model
		up, err := encode(req)
		if err != nil {
			if !errors.As(err, new(*schema.Error)) {
				t.Errorf("%v is no *schema.Error", err)
			}
			return
		}
		if !json.Valid(up.Body) {
			t.Errorf("not JSON: %s", up.Body)
		}
	})
}
