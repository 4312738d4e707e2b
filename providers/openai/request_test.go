package openai

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"sluice/providers/dialect"
	"sluice/providers/providertest"
	"sluice/providers/schema"
)

func pretty(t testing.TB, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return append(b.Bytes(), '\n')
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = "testdata/" + name
	if *providertest.Update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s", name, got)
	}
}

func everything(t testing.TB) *schema.ChatRequest {
	t.Helper()
	raw, err := os.ReadFile("testdata/everything.json")
	if err != nil {
		t.Fatal(err)
	}
	req, err := decodeRequest(raw)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// TestRequest decodes a request that has everything, and writes it for two
// hosts.
func TestRequest(t *testing.T) {
	req := everything(t)
	if p := req.Messages[2].Parts; p[2].Media.MIME != "image/png" || p[2].Media.Data != "AAAA" || p[3].Media.MIME != "audio/mpeg" ||
		p[0].CacheControl == nil || req.Messages[1].Parts[0].CacheControl == nil || req.Tools[0].CacheControl == nil {
		t.Errorf("parts are %+v", p)
	}
	if m := req.Messages[3]; m.Parts[0].Type != schema.PartThinking || m.Parts[0].Text != "hm" || len(m.ToolCalls) != 2 || m.Extra["vendor"] == nil {
		t.Errorf("the call is %+v", m)
	}
	if p := req.Messages[7].Parts; len(p) != 3 || p[0].Signature != "s" || p[1].Data != "d" || p[2].Text != "yes" {
		t.Errorf("the thinking is %+v", p)
	}
	up, err := Quirks{MaxTokensField: fieldMaxCompletionTokens}.encodeRequest(req)
	if err != nil || !slices.Equal(up.Dropped, []string{"top_k", "min_p"}) {
		t.Errorf("dropped %v, %v", up.Dropped, err)
	}
	golden(t, "everything.openai.json", pretty(t, up.Body))
	up, err = Quirks{MaxTokensField: fieldMaxTokens, MoreSampling: true, NoDeveloperRole: true, NoStreamOptions: true}.encodeRequest(req)
	if err != nil || len(up.Dropped) != 0 {
		t.Errorf("dropped %v, %v", up.Dropped, err)
	}
	for _, want := range []string{`"max_tokens":100`, `"top_k":40`, `"min_p":0.05`, `{"role":"system","name":"boss"`} {
		if !strings.Contains(string(up.Body), want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(string(up.Body), "stream_options") {
		t.Error("stream_options were sent")
	}
}

func TestRequestOfAnotherDialect(t *testing.T) {
	req := everything(t)
	req.Dialect = "anthropic"
	req.Messages[2].Parts[6].Text = "a video"
	req.Messages[4].Parts = append(req.Messages[4].Parts, schema.Part{Type: schema.PartRaw, Raw: json.RawMessage(`{}`)})
	up, err := Quirks{MaxTokensField: fieldMaxTokens, MoreSampling: true}.encodeRequest(req)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"chat_template_kwargs", "web_search_options", "tools", "messages.content"}; !slices.Equal(up.Dropped, want) {
		t.Errorf("dropped %v, want %v", up.Dropped, want)
	}
	body := string(up.Body)
	if strings.Contains(body, "video_url") || strings.Contains(body, "vendor") || !strings.Contains(body, `"a video"`) {
		t.Errorf("%s", body)
	}
	if len(req.Extra) != 2 || len(req.Tools) != 2 || req.Messages[3].Extra == nil {
		t.Error("the request was changed")
	}
}

func TestLegacyFunctions(t *testing.T) {
	req, err := decodeRequest([]byte(`{"model":"m","messages":[
		{"role":"user","content":"hi"},
		{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
		{"role":"function","name":"f","content":"1"},
		{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
		{"role":"function","name":"f","content":"2"}],
		"functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if m := req.Messages; m[1].ToolCalls[0].ID != m[2].ToolCallID || m[3].ToolCalls[0].ID != m[4].ToolCallID || m[2].ToolCallID == m[4].ToolCallID || m[2].Role != "tool" {
		t.Errorf("%+v", m)
	}
	if req.Tools[0].Name != "f" || req.ToolChoice.Name != "f" {
		t.Errorf("%+v %+v", req.Tools, req.ToolChoice)
	}
}

func TestReasoning(t *testing.T) {
	for _, c := range []struct {
		field  string
		check  func(r *schema.Reasoning) bool
		effort string // written again
	}{
		{`"reasoning_effort":"high"`, func(r *schema.Reasoning) bool { return r.Effort == "high" && !r.Off }, "high"},
		{`"reasoning_effort":"none"`, func(r *schema.Reasoning) bool { return r.Off }, "none"},
		{`"reasoning":{"effort":"low","exclude":true}`, func(r *schema.Reasoning) bool { return r.Effort == "low" && r.Exclude }, "low"},
		{`"reasoning":{"enabled":false}`, func(r *schema.Reasoning) bool { return r.Off }, ""},
		{`"reasoning":{"max_tokens":2000}`, func(r *schema.Reasoning) bool { return *r.Budget == 2000 }, "low"},
		{`"thinking":{"type":"enabled","budget_tokens":10000}`, func(r *schema.Reasoning) bool { return *r.Budget == 10000 && !r.Off }, "medium"},
		{`"thinking":{"type":"enabled","budget_tokens":32000}`, func(r *schema.Reasoning) bool { return *r.Budget == 32000 }, "high"},
		{`"thinking":{"type":"disabled"}`, func(r *schema.Reasoning) bool { return r.Off }, ""},
	} {
		req, err := decodeRequest([]byte(`{"model":"m","messages":[],` + c.field + `}`))
		if err != nil || !c.check(req.Reasoning) {
			t.Errorf("%s gave %+v, %v", c.field, req.Reasoning, err)
			continue
		}
		up, _ := Quirks{}.encodeRequest(req)
		if want := `"reasoning_effort":"` + c.effort + `"`; strings.Contains(string(up.Body), "reasoning_effort") != (c.effort != "") || c.effort != "" && !strings.Contains(string(up.Body), want) {
			t.Errorf("%s became %s", c.field, up.Body)
		}
	}
}

func TestRequestRefused(t *testing.T) {
	for field, param := range map[string]string{
		`"messages":{}`:    "messages",
		`"messages":["x"]`: "messages[0]",
		`"messages":[{"role":"robot","content":""}]`:                         "messages[0].role",
		`"messages":[{"role":"user","content":5}]`:                           "messages[0].content",
		`"messages":[{"role":"user","content":["x"]}]`:                       "messages[0].content[0]",
		`"messages":[{"role":"user","content":[{"type":"text"}]}]`:           "messages[0].content[0]",
		`"messages":[{"role":"user","content":[{"type":"image_url"}]}]`:      "messages[0].content[0]",
		`"messages":[{"role":"user","content":[{"type":"input_audio"}]}]`:    "messages[0].content[0]",
		`"messages":[{"role":"user","content":[{"type":"file","file":{}}]}]`: "messages[0].content[0]",
		`"messages":[{"role":"user","content":"","name":5}]`:                 "messages[0].name",
		`"messages":[{"role":"tool","content":"","tool_call_id":5}]`:         "messages[0].tool_call_id",
		`"messages":[{"role":"assistant","tool_calls":"x"}]`:                 "messages[0].tool_calls",
		`"messages":[{"role":"assistant","tool_calls":["x"]}]`:               "messages[0].tool_calls[0].function",
		`"messages":[{"role":"assistant","refusal":{}}]`:                     "messages[0].refusal",
		`"tools":["x"]`:        "tools[0]",
		`"tools":[{"type":5}]`: "tools[0].type",
		`"tools":[{"type":"function","function":{"name":"f","description":5}}]`: "tools[0].function.description",
		`"tools":{}`: "tools",
		`"tools":[{"type":"function","function":{}}]`:                          "tools[0].function.name",
		`"tools":[{"type":"function","function":{"name":"f","parameters":1}}]`: "tools[0].function.parameters",
		`"functions":[{"name":""}]`:                                            "functions[0].name",
		`"tool_choice":"maybe"`:                                                "tool_choice",
		`"tool_choice":{"type":"function"}`:                                    "tool_choice",
		`"response_format":"json"`:                                             "response_format",
		`"response_format":{"type":"xml"}`:                                     "response_format.type",
		`"response_format":{"type":"json_schema","json_schema":{"name":"x"}}`:  "response_format.json_schema",
		`"temperature":"hot"`:                                                  "temperature",
		`"seed":1.5`:                                                           "seed",
		`"logprobs":1`:                                                         "logprobs",
		`"stop":[1]`:                                                           "stop",
		`"metadata":[]`:                                                        "metadata",
		`"reasoning_effort":3`:                                                 "reasoning_effort",
		`"reasoning":"high"`:                                                   "reasoning",
		`"thinking":{"budget_tokens":"many"}`:                                  "thinking.budget",
		`"verbosity":{}`:                                                       "verbosity",
	} {
		_, err := decodeRequest([]byte(`{"model":"m",` + field + `}`))
		if err == nil {
			t.Errorf("%s was taken", field)
			continue
		}
		if e := schema.AsError(err); e.Param != param || e.Code != schema.CodeInvalidRequest || !strings.Contains(e.Message, strings.TrimSuffix(param, ".budget")) {
			t.Errorf("%s gave %q of %q, want %q", field, e.Message, e.Param, param)
		}
	}
}

func FuzzDecodeChat(f *testing.F) {
	raw, err := os.ReadFile("testdata/everything.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":[{"text":"x"}]}],"tool_calls":[{"custom":{}}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := head(schema.OpChat, raw)
		if err != nil {
			return
		}
		req, err := decodeRequest(raw)
		if err != nil {
			if e := schema.AsError(err); e.Status != 400 {
				t.Fatal(err)
			}
			return
		}
		if req.Model != h.Model {
			t.Errorf("the head's model is %q, the request's %q", h.Model, req.Model)
		}
		up, err := Quirks{MaxTokensField: fieldMaxTokens}.encodeRequest(req)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(up.Body) {
			t.Errorf("%s became %s", raw, up.Body)
		}
	})
}

func TestEmbedRequest(t *testing.T) {
	for input, want := range map[string]string{
		`"a"`:         `["a"]`,
		`["a","b"]`:   `["a","b"]`,
		`[1,2]`:       `[[1,2]]`,
		`[[1,2],[3]]`: `[[1,2],[3]]`,
	} {
		req, err := decodeEmbedRequest([]byte(`{"model":"e","input":` + input + `,"encoding_format":"base64","dimensions":3,"user":"u","x":[1],"y":null}`))
		if err != nil {
			t.Errorf("%s: %v", input, err)
			continue
		}
		up, err := encodeEmbedRequest(req)
		if got := `{"model":"e","input":` + want + `,"encoding_format":"base64","dimensions":3,"user":"u","x":[1]}`; err != nil || string(up.Body) != got || up.Path != "/embeddings" {
			t.Errorf("%s became %s, %v", input, up.Body, err)
		}
	}
	for _, input := range []string{`[1,"a"]`, `["a",1]`, `[[1],"a"]`, `[["a"]]`, `[{}]`, `[null]`} {
		if _, err := decodeEmbedRequest([]byte(`{"model":"e","input":` + input + `}`)); err == nil {
			t.Errorf("%s was taken", input)
		}
	}
	if _, err := decodeEmbedRequest([]byte(`{"model":"e","input":"a","encoding_format":"int8"}`)); err == nil {
		t.Error("int8 was taken")
	}
}

func TestEmbedAnswer(t *testing.T) {
	var tally dialect.Tally
	body := []byte(`{"object":"list","data":[{"embedding":[1,-2.5e-7],"index":0},{"embedding":"AACAPwAAIMA=","index":1}],"model":"e","usage":{"prompt_tokens":4,"total_tokens":4}}`)
	resp, err := decodeEmbedResponse(body)
	if err != nil || embedUsage(body, &tally) != nil || tally.Usage.Input != 4 {
		t.Fatal(err, tally)
	}
	got := string(encodeEmbedResponse(nil, &schema.EmbedRequest{}, resp))
	if want := `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,-2.5e-07]},{"object":"embedding","index":1,"embedding":[1,-2.5]}],"model":"e","usage":{"prompt_tokens":4,"total_tokens":4}}`; got != want {
		t.Errorf("%s", got)
	}
	for _, body := range []string{`{"data":`, `[]`, `{"data":{}}`, `{"error":{"message":"m"}}`} {
		if _, err := decodeEmbedResponse([]byte(body)); err == nil {
			t.Errorf("%s was taken", body)
		}
	}
}
