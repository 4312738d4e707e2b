package mistral

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/providertest"
	"sluice/providers/schema"
)

func TestScenarios(t *testing.T) {
	providertest.Scenarios(t, &openai.Dialect, &Dialect, "testdata")
}

func TestRecorded(t *testing.T) {
	for _, endpoint := range []string{"chat", "embeddings"} {
		t.Run(endpoint, func(t *testing.T) {
			providertest.Recorded(t, os.Getenv("SLUICE_WIRE"), &Dialect, providertest.Options{Provider: "mistral", Endpoint: endpoint})
		})
	}
}

func TestCrossingAnthropic(t *testing.T) {
	providertest.Crossing(t, os.Getenv("SLUICE_WIRE"), providertest.Cross{
		Client: &anthropic.Dialect, Requests: providertest.Options{Provider: "anthropic", Endpoint: "messages"},
		Provider: &Dialect, Answers: providertest.Options{Provider: "mistral", Endpoint: "chat"}})
}

func TestCrossing(t *testing.T) {
	for _, host := range []string{"openai", "mistral", "deepseek", "openrouter"} {
		t.Run(host, func(t *testing.T) {
			providertest.Crossing(t, os.Getenv("SLUICE_WIRE"), providertest.Cross{
				Client: &openai.Dialect, Requests: providertest.Options{Provider: host, Endpoint: "chat"},
				Provider: &Dialect, Answers: providertest.Options{Provider: "mistral", Endpoint: "chat"}})
		})
	}
}

func noHeader(string) string { return "" }

func TestCallID(t *testing.T) {
	for _, id := range []string{"uH0tflcjA", "123456789"} {
		if got := callID(id); got != id {
			t.Errorf("callID(%q) = %q", id, got)
		}
	}
	seen := map[string]string{}
	for _, id := range []string{"", "call_1", "call_2", "toolu_01ABC", "12345678-", "1234567890", "äöüäö"} {
		got := callID(id)
		if len(got) != idLength || callID(id) != got || callID(got) != got {
			t.Errorf("callID(%q) = %q", id, got)
		}
		if other, taken := seen[got]; taken {
			t.Errorf("%q and %q have one id", id, other)
		}
		seen[got] = id
	}
}

func TestReasoning(t *testing.T) {
	budget := int64(4000)
	for _, tc := range []struct {
		model   string
		r       schema.Reasoning
		want    string
		dropped bool
	}{
		{"mistral-small-latest", schema.Reasoning{Effort: "low"}, "high", false},
		{"mistral-small-latest", schema.Reasoning{Effort: "minimal"}, "none", false},
		{"mistral-medium-3-5", schema.Reasoning{Budget: &budget}, "high", false},
		{"mistral-medium-3-5", schema.Reasoning{Off: true}, "none", false},
		{"mistral-small-2402", schema.Reasoning{Off: true}, "", false},
		{"mistral-small-2402", schema.Reasoning{Effort: "high"}, "", true},
		{"mistral-large-4-0", schema.Reasoning{Effort: "low"}, "low", false},
		{"magistral-medium-latest", schema.Reasoning{Effort: "high"}, "", true},
		{"magistral-medium-latest", schema.Reasoning{Off: true}, "", true},
		{"codestral-latest", schema.Reasoning{Effort: "high"}, "", true},
	} {
		up, err := encode(&schema.ChatRequest{Model: tc.model, Reasoning: &tc.r})
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Effort string `json:"reasoning_effort"`
		}
		if err := json.Unmarshal(up.Body, &body); err != nil || body.Effort != tc.want || slices.Contains(up.Dropped, "reasoning_effort") != tc.dropped {
			t.Errorf("%s with %+v gives %s, dropped %v", tc.model, tc.r, up.Body, up.Dropped)
		}
	}
}

func TestForeignWordsAreDropped(t *testing.T) {
	up, err := encode(&schema.ChatRequest{Model: "m", Dialect: "anthropic", Extra: map[string]json.RawMessage{"safe_prompt": json.RawMessage("true")},
		Messages: []schema.Message{{Role: "user", Parts: []schema.Part{{Type: schema.PartRaw, Raw: json.RawMessage(`{"type":"server_tool_use"}`)},
			{Type: schema.PartRaw, Text: "in words", Raw: json.RawMessage(`{"type":"search_result"}`)}}}}})
	want := `{"model":"m","messages":[{"role":"user","content":"in words"}]}`
	if err != nil || string(up.Body) != want || !slices.Equal(up.Dropped, []string{"messages.content.server_tool_use", "safe_prompt"}) {
		t.Errorf("%s %v %v", up.Body, up.Dropped, err)
	}
}

func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		status  int
		body    string
		code    schema.Code
		class   schema.Class
		message string
		param   string
	}{
		{422, `{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","store"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error"}`,
			schema.CodeInvalidRequest, schema.ClassInvalidRequest, "Extra inputs are not permitted", "store"},
		{422, `{"object":"Error","message":[{"loc":["body","tools"],"msg":"no"}]}`, schema.CodeInvalidRequest, schema.ClassInvalidRequest, "no", "tools"},
		{422, `{"detail":[{"loc":["body","seed"],"msg":"no"}]}`, schema.CodeInvalidRequest, schema.ClassInvalidRequest, "no", "seed"},
		{400, `{"object":"error","message":"Invalid model: x","type":"invalid_model","param":null,"code":"1500"}`, schema.CodeInvalidRequest, schema.ClassInvalidRequest, "Invalid model: x", ""},
		{400, `{"object":"error","message":"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_prompt"}`,
			schema.CodeContextLength, schema.ClassContextLength, "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length", ""},
		{401, `{"detail":"Unauthorized"}`, schema.CodeUpstreamAuth, schema.ClassAuth, "Unauthorized", ""},
		{429, `{"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","code":"3505"}`,
			schema.CodeRateLimit, schema.ClassRateLimited, "Service tier capacity exceeded for this model.", ""},
		{503, ``, schema.CodeUpstream, schema.ClassOverloaded, "the provider answered with status 503", ""},
	} {
		e := decodeError(tc.status, noHeader, []byte(tc.body))
		if e.Code != tc.code || e.Class != tc.class || e.Message != tc.message || e.Param != tc.param {
			t.Errorf("%d %s gives %+v", tc.status, tc.body, e)
		}
	}
}

func TestBrokenOff(t *testing.T) {
	if _, err := decode([]byte(`{"choices":[{"message":{"content":"x"},"finish_reason":"error"}]}`)); schema.AsError(err).Class != schema.ClassServerError {
		t.Errorf("%v", err)
	}
	s := Dialect.Chat.Stream()
	if out, err := s.Decode(dialect.Frame{Data: []byte(`{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}`)}, nil); schema.AsError(err).Class != schema.ClassServerError || len(out) != 0 {
		t.Errorf("%v %v", out, err)
	}
	if s.(dialect.Ender).Ended() != true || s.Done() {
		t.Error("the wrapped decoder's state is not told")
	}
}

func TestEmbed(t *testing.T) {
	n := int64(256)
	up, err := encodeEmbed(&schema.EmbedRequest{Model: "codestral-embed", Input: []string{"a"}, Dimensions: &n, EncodingFormat: "base64", User: "u",
		Extra: map[string]json.RawMessage{"output_dtype": json.RawMessage(`"float"`), "other": json.RawMessage("1")}})
	want := `{"model":"codestral-embed","input":["a"],"encoding_format":"base64","output_dimension":256,"output_dtype":"float"}`
	if err != nil || string(up.Body) != want || !slices.Equal(up.Dropped, []string{"other", "user"}) {
		t.Errorf("%s %v %v", up.Body, up.Dropped, err)
	}
	if _, err := encodeEmbed(&schema.EmbedRequest{Tokens: [][]int64{{1}}}); schema.AsError(err).Param != "input" {
		t.Errorf("token ids give %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"choices":[{"message":{"content":[{"type":"reference","reference_ids":[1]},{"type":"text","text":"a"},{"type":"reference"},{"type":"reference"}]}}]}`))
	f.Add([]byte(`{"message":{"detail":[]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		resp, err := decode(body)
		if err != nil && !errors.As(err, new(*schema.Error)) {
			t.Errorf("%v is no *schema.Error", err)
		}
		if err == nil {
			for _, c := range resp.Choices {
				for _, p := range c.Message.Parts {
					if p.Citations != nil && !json.Valid(p.Citations) {
						t.Errorf("citations are not JSON: %s", p.Citations)
					}
				}
			}
		}
		decodeError(422, noHeader, body)
	})
}

func FuzzEncode(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"assistant","reasoning_content":"a","tool_calls":[{"id":"x","function":{"name":"f"}}]},{"role":"tool","tool_call_id":"x","content":[{"type":"image_url","image_url":"data:image/png;base64,AA"}]},{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}],"seed":3}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) {
			return
		}
		req, err := openai.Dialect.Client.DecodeChat(body)
		if err != nil {
			return
		}
		if up, err := encode(req); err == nil && !json.Valid(up.Body) {
			t.Errorf("not JSON: %s", up.Body)
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(`{"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]}]},"finish_reason":"error"}]}`), []byte("[DONE]"))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		s := Dialect.Chat.Stream()
		for _, data := range [][]byte{one, two, one} {
			if _, err := s.Decode(dialect.Frame{Data: data}, nil); err != nil && !errors.As(err, new(*schema.Error)) {
				t.Errorf("%v is no *schema.Error", err)
			}
		}
	})
}
