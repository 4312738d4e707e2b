package cohere

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

func noHeader(string) string { return "" }

func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		code   schema.Code
		class  schema.Class
	}{
		{400, `{"message":"invalid request: list of documents must not be empty"}`, schema.CodeInvalidRequest, schema.ClassInvalidRequest},
		{401, `{"id":"x","message":"Incorrect API key provided"}`, schema.CodeUpstreamAuth, schema.ClassAuth},
		{402, `{"message":"Please add or update your payment method"}`, schema.CodeInsufficientQuota, schema.ClassQuota},
		{404, `{"message":"model 'nonexistent' not found, make sure the correct model ID was used"}`, schema.CodeModelNotFound, schema.ClassNotFound},
		{422, `{"message":"x"}`, schema.CodeInvalidRequest, schema.ClassInvalidRequest},
		{429, `{"message":"You are using a Trial key, which is limited to 40 API calls / minute."}`, schema.CodeRateLimit, schema.ClassRateLimited},
		{498, `{"message":"blocked"}`, schema.CodeContentFilter, schema.ClassContentFilter},
		{499, `{"message":"request cancelled"}`, schema.CodeUpstream, schema.ClassServerError},
		{500, `{}`, schema.CodeUpstream, schema.ClassServerError},
		{503, `<html>`, schema.CodeUpstream, schema.ClassOverloaded},
		{504, ``, schema.CodeUpstreamTimeout, schema.ClassTimeout},
	} {
		e := decodeError(tc.status, noHeader, []byte(tc.body))
		if e.Code != tc.code || e.Class != tc.class || e.Message == "" || e.UpstreamStatus != tc.status {
			t.Errorf("%d %s gives %+v", tc.status, tc.body, e)
		}
	}
}

func TestDecodeRefusesWhatIsNoAnswer(t *testing.T) {
	for body, class := range map[string]schema.Class{
		"": schema.ClassInvalidOutput, "<html>": schema.ClassInvalidOutput, "{}": schema.ClassInvalidOutput, "[]": schema.ClassInvalidOutput,
		`{"message":"oops"}`:                                schema.ClassServerError,
		`{"message":{},"finish_reason":"ERROR"}`:            schema.ClassServerError,
		`{"message":{},"finish_reason":"TIMEOUT"}`:          schema.ClassTimeout,
		strings.Repeat("[", 600) + strings.Repeat("]", 600): schema.ClassInvalidOutput,
	} {
		if _, err := decode([]byte(body)); schema.AsError(err).Class != class {
			t.Errorf("%.60q gives %v, want class %s", body, err, class)
		}
	}
	if r, err := decode([]byte(`{"message":{"content":"plain"},"finish_reason":"ERROR_TOXIC"}`)); err != nil ||
		r.Choices[0].Message.Text() != "plain" || r.Choices[0].FinishReason != "content_filter" || r.Usage.Source != schema.UsageNone {
		t.Errorf("%+v %v", r, err)
	}
}

func TestStreamFailures(t *testing.T) {
	for data, class := range map[string]schema.Class{
		`{`:                                 schema.ClassInvalidOutput,
		`{"id":"x","message":"overloaded"}`: schema.ClassOverloaded,
		`{"type":"message-end","delta":{"finish_reason":"ERROR"}}`:               schema.ClassServerError,
		`{"type":"message-end","delta":{"finish_reason":"TIMEOUT","error":"x"}}`: schema.ClassTimeout,
	} {
		s := &stream{}
		if _, err := s.Decode(dialect.Frame{Data: []byte(data)}, nil); schema.AsError(err).Class != class || s.Done() {
			t.Errorf("%s gives %v", data, err)
		}
	}
	s := &stream{}
	for _, data := range []string{"", "[DONE]", `{"type":"new"}`, `{"type":"tool-call-delta","delta":{"message":{"tool_calls":{"function":{"arguments":"x"}}}}}`} {
		if out, err := s.Decode(dialect.Frame{Data: []byte(data)}, nil); err != nil || len(out) != 0 {
			t.Errorf("%s gives %+v %v", data, out, err)
		}
	}
}

func TestEmbed(t *testing.T) {
	n := int64(256)
	up, err := encodeEmbed(&schema.EmbedRequest{Model: "embed-v4.0", Input: []string{"a", "b"}, EncodingFormat: "base64", Dimensions: &n, User: "u",
		Extra: map[string]json.RawMessage{"input_type": json.RawMessage(`"search_query"`), "truncate": json.RawMessage(`"END"`), "other": json.RawMessage(`1`)}})
	want := `{"model":"embed-v4.0","texts":["a","b"],"input_type":"search_query","embedding_types":["float"],"output_dimension":256,"truncate":"END"}`
	if err != nil || up.Path != "/v2/embed" || string(up.Body) != want || !slices.Equal(up.Dropped, []string{"other", "user"}) {
		t.Errorf("%s %v %v", up.Body, up.Dropped, err)
	}
	up, _ = encodeEmbed(&schema.EmbedRequest{Model: "m", Input: []string{"a"}})
	if !strings.Contains(string(up.Body), `"input_type":"search_document"`) {
		t.Errorf("%s", up.Body)
	}
	if _, err := encodeEmbed(&schema.EmbedRequest{Tokens: [][]int64{{1}}}); schema.AsError(err).Param != "input" {
		t.Errorf("token ids give %v", err)
	}
	for body, vector := range map[string]float32{
		`{"embeddings":[[0.5]]}`:                         0.5,
		`{"embeddings":{"int8":[[7]],"float":[[0.25]]}}`: 0.25,
		`{"embeddings":{"int8":[[7]],"float":null}}`:     7,
	} {
		r, err := decodeEmbed([]byte(body))
		if err != nil || len(r.Data) != 1 || r.Data[0].Vector[0] != vector {
			t.Errorf("%s gives %+v %v", body, r, err)
		}
	}
	r, err := decodeEmbed([]byte(`{"embeddings":{"base64":["AAAAPw=="]},"meta":{"billed_units":{"input_tokens":7,"image_tokens":2}}}`))
	if err != nil || r.Data[0].Base64 != "AAAAPw==" || r.Usage.Input != 9 {
		t.Errorf("%+v %v", r, err)
	}
}

func TestRerank(t *testing.T) {
	n := int64(2)
	up, err := encodeRerank(&schema.RerankRequest{Model: "rerank-v3.5", Query: "q", Documents: []string{"a", "b"}, TopN: &n, Return: true,
		Extra: map[string]json.RawMessage{"max_tokens_per_doc": json.RawMessage(`9`), "rank_fields": json.RawMessage(`[]`)}})
	want := `{"model":"rerank-v3.5","query":"q","documents":["a","b"],"top_n":2,"max_tokens_per_doc":9}`
	if err != nil || up.Path != "/v2/rerank" || string(up.Body) != want || !slices.Equal(up.Dropped, []string{"rank_fields"}) {
		t.Errorf("%s %v %v", up.Body, up.Dropped, err)
	}
	r, err := decodeRerank([]byte(`{"id":"i","results":[{"index":1,"relevance_score":0.5},{"index":0,"relevance_score":0.25,"document":{"text":"a"}}],"meta":{"billed_units":{"search_units":1}}}`))
	if err != nil || r.ID != "i" || len(r.Results) != 2 || r.Results[0].Index != 1 || r.Results[0].Score != 0.5 || r.Results[1].Document != "a" || r.Usage.Source != schema.UsageReported {
		t.Errorf("%+v %v", r, err)
	}
}

func TestTurnOfDocumentsAlone(t *testing.T) {
	document := schema.Part{Type: schema.PartDocument, Media: &schema.Media{MIME: "text/plain", Data: "aGk="}}
	up, err := encode(&schema.ChatRequest{Model: "m", Messages: []schema.Message{{Role: "user", Parts: []schema.Part{document, document}}}})
	if want := `{"model":"m","messages":[{"role":"user","content":"hi\nhi"}],"stream":false}`; err != nil || string(up.Body) != want {
		t.Errorf("%s %v, want %s", up.Body, err, want)
	}
}

func TestFinish(t *testing.T) {
	for reason, want := range map[string]string{"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls",
		"ERROR_TOXIC": "content_filter", "ERROR_LIMIT": "length", "": "", "NEW": "stop"} {
		if got := finish(reason); string(got) != want {
			t.Errorf("finish(%q) = %q, want %q", reason, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"message":{"content":[{"type":"text","text":"a"}],"citations":[{}],"tool_calls":[{}]},"logprobs":[{}],"usage":{"tokens":{}}}`))
	f.Add([]byte(`{"embeddings":{"float":[[1]]},"results":[{}],"meta":{"billed_units":{}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := decode(body)
		_, err2 := decodeEmbed(body)
		_, err3 := decodeRerank(body)
		for _, err := range []error{err, err2, err3} {
			if err != nil && !errors.As(err, new(*schema.Error)) {
				t.Errorf("%v is no *schema.Error", err)
			}
		}
		decodeError(498, noHeader, body)
	})
}

func FuzzEncode(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"assistant","reasoning_content":"a","tool_calls":[{"id":"x","function":{"name":"f"}}]},{"role":"tool","tool_call_id":"x","content":[{"type":"image_url","image_url":"data:image/png;base64,AA"}]},{"role":"user","content":[{"type":"file","file":{"file_data":"data:text/plain;base64,AAAA"}}]}],"documents":["a"],"thinking":{"budget_tokens":3}}`))
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
	f.Add([]byte(`{"type":"tool-call-start","delta":{"message":{"tool_calls":{"id":"x"}}}}`), []byte(`{"type":"tool-call-end"}`))
	f.Add([]byte(`{"type":"citation-start","delta":{"message":{"citations":[{}]}}}`), []byte(`{"type":"message-end","delta":{"usage":{"tokens":{}}}}`))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		s := &stream{}
		for _, data := range [][]byte{one, two, one} {
			if _, err := s.Decode(dialect.Frame{Data: data}, nil); err != nil && !errors.As(err, new(*schema.Error)) {
				t.Errorf("%v is no *schema.Error", err)
			}
		}
	})
}
