package ollama

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	sluiceopenai "sluice/providers/openai"
	"sluice/providers/providertest"
	"sluice/providers/schema"
)

func TestScenarios(t *testing.T) {
	providertest.Scenarios(t, &sluiceopenai.Dialect, &Dialect, "testdata")
}

func TestRecorded(t *testing.T) {
	for _, endpoint := range []string{"chat_native", "generate_native", "embeddings"} {
		t.Run(endpoint, func(t *testing.T) {
			providertest.Recorded(t, os.Getenv("SLUICE_WIRE"), &Dialect, providertest.Options{Provider: "ollama", Endpoint: endpoint})
		})
	}
}

func TestCrossingAnthropic(t *testing.T) {
	providertest.Crossing(t, os.Getenv("SLUICE_WIRE"), providertest.Cross{
		Client: &anthropic.Dialect, Requests: providertest.Options{Provider: "anthropic", Endpoint: "messages"},
		Provider: &Dialect, Answers: providertest.Options{Provider: "ollama", Endpoint: "chat_native"}})
}

func TestCrossing(t *testing.T) {
	const byURL = "its picture is a URL, which is fetched before (package providers)"
	skip := map[string]string{"openai-chat-truncated_vision": byURL, "openai-chat-tool_result_vision": byURL}
	for _, host := range []string{"openai", "mistral", "deepseek", "openrouter"} {
		t.Run(host, func(t *testing.T) {
			providertest.Crossing(t, os.Getenv("SLUICE_WIRE"), providertest.Cross{
				Client: &sluiceopenai.Dialect, Requests: providertest.Options{Provider: host, Endpoint: "chat", Skip: skip},
				Provider: &Dialect, Answers: providertest.Options{Provider: "ollama", Endpoint: "chat_native"}})
		})
	}
}

func noHeader(string) string { return "" }

func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		code   schema.Code
		class  schema.Class
	}{
		{400, `{"error":"registry.ollama.ai/library/llama3:latest does not support tools"}`, schema.CodeInvalidRequest, schema.ClassInvalidRequest},
		{400, `{"error":"prompt too long; exceeded max context length by 5 tokens"}`, schema.CodeContextLength, schema.ClassContextLength},
		{401, `{"error":"unauthorized"}`, schema.CodeUpstreamAuth, schema.ClassAuth},
		{404, `{"error":"model 'nope' not found"}`, schema.CodeModelNotFound, schema.ClassNotFound},
		{429, `{"error":"too many concurrent requests"}`, schema.CodeRateLimit, schema.ClassRateLimited},
		{500, `{"error":"llama runner process has terminated"}`, schema.CodeUpstream, schema.ClassServerError},
		{503, `{"error":"server busy, please try again. maximum pending requests exceeded"}`, schema.CodeUpstream, schema.ClassOverloaded},
	} {
		e := decodeError(tc.status, noHeader, []byte(tc.body))
		if e.Code != tc.code || e.Class != tc.class || e.Message == "" {
			t.Errorf("%d %s gives %+v", tc.status, tc.body, e)
		}
	}
}

func TestFaultsInAnswers(t *testing.T) {
	for body, class := range map[string]schema.Class{
		"": schema.ClassInvalidOutput, "{": schema.ClassInvalidOutput, "[]": schema.ClassInvalidOutput,
		`{"error":"an error was encountered while running the model"}`: schema.ClassServerError,
		`{"error":"the input exceeds the context length"}`:             schema.ClassContextLength,
		`{"error":"slow down","status_code":429}`:                      schema.ClassRateLimited,
	} {
		if _, err := decode([]byte(body)); schema.AsError(err).Class != class {
			t.Errorf("%q gives %v, want class %s", body, err, class)
		}
		s := &stream{}
		if _, err := s.Decode(dialect.Frame{Data: []byte(body)}, nil); schema.AsError(err).Class != class || s.Done() {
			t.Errorf("in a stream %q gives %v, want class %s", body, err, class)
		}
	}
	if _, err := decode([]byte(`{"done":true}`)); schema.AsError(err).Class != schema.ClassInvalidOutput {
		t.Errorf("an answer that says nothing gives %v", err)
	}
}

func TestUsage(t *testing.T) {
	r, err := decode([]byte(`{"message":{"content":"a"},"done":true,"prompt_eval_count":900,"prompt_eval_cached_count":850,"eval_count":3}`))
	want := schema.Usage{Input: 900, CachedInput: 850, Output: 3, Source: schema.UsageReported}
	if err != nil || r.Usage != want {
		t.Errorf("%+v %v", r, err)
	}
	if r, err = decode([]byte(`{"message":{"content":"a"},"done":true}`)); err != nil || r.Usage != (schema.Usage{}) {
		t.Errorf("without counts usage is %+v %v", r.Usage, err)
	}
}

func TestMadeIDs(t *testing.T) {
	body := func(at string) []byte {
		return []byte(`{"created_at":"` + at + `","message":{"tool_calls":[{"function":{"name":"a","arguments":{"x": 1}}},{"id":"own","function":{"name":"b"}}]},"done":true,"done_reason":"stop"}`)
	}
	one, _ := decode(body("2026-01-01T00:00:00.000000001Z"))
	two, _ := decode(body("2026-01-01T00:00:00.000000002Z"))
	a, b := one.Choices[0].Message.ToolCalls, two.Choices[0].Message.ToolCalls
	if a[0].ID == "" || a[0].ID == b[0].ID || a[1].ID != "own" || a[0].Function.Arguments != `{"x": 1}` || a[1].Function.Arguments != "{}" || a[0].Index != nil {
		t.Errorf("%+v %+v", a, b)
	}
	if one.Choices[0].FinishReason != "tool_calls" || one.Created != 1767225600 {
		t.Errorf("%+v", one)
	}
	if r, err := decode(body("never")); err != nil || r.Choices[0].Message.ToolCalls[0].ID != "call_0" || r.Created != 0 {
		t.Errorf("%+v %v", r, err)
	}
}

func TestThink(t *testing.T) {
	for _, tc := range []struct {
		model string
		r     *schema.Reasoning
		want  string
	}{
		{"qwen3", nil, ""}, {"qwen3", &schema.Reasoning{Off: true}, "false"}, {"qwen3", &schema.Reasoning{Effort: "low"}, "true"},
		{"gpt-oss:20b", &schema.Reasoning{Effort: "minimal"}, `"low"`}, {"gpt-oss:20b", &schema.Reasoning{Effort: "xhigh"}, `"high"`},
		{"gpt-oss:20b", &schema.Reasoning{}, `"medium"`}, {"gpt-oss:20b", &schema.Reasoning{Off: true}, "false"},
	} {
		up, err := encode(&schema.ChatRequest{Model: tc.model, Reasoning: tc.r})
		var body struct{ Think json.RawMessage }
		if err != nil || json.Unmarshal(up.Body, &body) != nil || string(body.Think) != tc.want {
			t.Errorf("%s %+v gives %s %v", tc.model, tc.r, up.Body, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for param, m := range map[string]schema.Message{
		"messages[0].content[0]":                       {Role: "user", Parts: []schema.Part{{Type: schema.PartImage, Media: &schema.Media{URL: "https://x.test/a.png"}}}},
		"messages[0].tool_calls[0].function.arguments": {Role: "assistant", ToolCalls: []schema.ToolCall{{Function: schema.FunctionCall{Arguments: "[1]"}}}},
	} {
		if _, err := encode(&schema.ChatRequest{Messages: []schema.Message{m}}); schema.AsError(err).Param != param {
			t.Errorf("%v, want param %s", err, param)
		}
	}
}

func TestEmbed(t *testing.T) {
	n := int64(128)
	up, err := encodeEmbed(&schema.EmbedRequest{Model: "m", Input: []string{"a"}, Dimensions: &n, EncodingFormat: "base64", User: "u",
		Extra: map[string]json.RawMessage{"truncate": json.RawMessage("true"), "other": json.RawMessage("1")}})
	if err != nil || string(up.Body) != `{"model":"m","input":["a"],"dimensions":128,"truncate":true}` || !slices.Equal(up.Dropped, []string{"other", "user"}) {
		t.Errorf("%s %v %v", up.Body, up.Dropped, err)
	}
	if _, err := encodeEmbed(&schema.EmbedRequest{Tokens: [][]int64{{1}}}); schema.AsError(err).Param != "input" {
		t.Errorf("token ids give %v", err)
	}
	r, err := decodeEmbed([]byte(`{"model":"m","embeddings":[[0.5],[1,2]],"prompt_eval_count":8}`))
	if err != nil || len(r.Data) != 2 || r.Data[1].Index != 1 || len(r.Data[1].Vector) != 2 || r.Usage.Input != 8 {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := decodeEmbed([]byte(`{"model":"m"}`)); schema.AsError(err).Class != schema.ClassInvalidOutput {
		t.Errorf("%v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"created_at":"2026-01-01T00:00:00Z","message":{"content":"a","thinking":"b","tool_calls":[{"function":{"arguments":{}}}]},"logprobs":[{}],"done":true,"prompt_eval_count":1}`))
	f.Add([]byte(`{"error":{"message":1},"status_code":500}`))
	f.Add([]byte(`{"embeddings":[[1]],"embedding":[1]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := decode(body)
		_, err2 := decodeEmbed(body)
		s := &stream{}
		_, err3 := s.Decode(dialect.Frame{Data: body}, nil)
		out, err4 := s.Decode(dialect.Frame{Data: body}, nil)
		for _, err := range []error{err, err2, err3, err4} {
			if err != nil && !errors.As(err, new(*schema.Error)) {
				t.Errorf("%v is no *schema.Error", err)
			}
		}
		for _, c := range out {
			if l := c.Choices[0].Logprobs; l != nil && !json.Valid(l) {
				t.Errorf("log probabilities are not JSON: %s", l)
			}
		}
	})
}

func FuzzEncode(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":"data:image/png;base64,AA"}]}],"options":{"a.b":1,"seed":2},"seed":3,"num_ctx":4}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) {
			return
		}
		req, err := sluiceopenai.Dialect.Client.DecodeChat(body)
		if err != nil {
			return
		}
		if up, err := encode(req); err == nil && !json.Valid(up.Body) {
			t.Errorf("not JSON: %s", strings.ToValidUTF8(string(up.Body), "?"))
		}
	})
}
