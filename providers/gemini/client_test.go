package gemini

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

type rawJSON = json.RawMessage

func contains(s, part string) bool { return strings.Contains(s, part) }

func TestDecodeRequest(t *testing.T) {
	req, err := decodeRequest([]byte(`{
		"system_instruction":{"parts":[{"text":"sys"}]},
		"contents":[
			{"role":"user","parts":[{"text":"look"},{"inlineData":{"mimeType":"image/png","data":"AA"}},{"fileData":{"fileUri":"gs://b/v.mp4","mimeType":"video/mp4"}},{"inline_data":{"mime_type":"audio/wav","data":"AA"}}]},
			{"role":"model","parts":[{"text":"thi","thought":true}]},
			{"role":"model","parts":[{"text":"nk","thought":true},{"text":"o"},{"text":"k","thoughtSignature":"c2ln"},
				{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"c2ln"},{"functionCall":{"name":"g"}}]},
			{"role":"user","parts":[{"functionResponse":{"name":"g","response":{"error":"no"}}},{"functionResponse":{"name":"f","response":{"x":1,"y":2},"parts":[{"inlineData":{"mimeType":"image/png","data":"BB"}}]}},{"text":"more"}]}],
		"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true,"format":"enum"},"type":{"type":"ARRAY","items":{"type":"INTEGER"},"minItems":"2"}},"propertyOrdering":["a"]}},
			{"name":"g","parametersJsonSchema":{"type":"object"}},{"name":"h"}]},{"google_search":{}}],
		"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f","g"]}},
		"generationConfig":{"temperature":0,"topP":1,"topK":2,"candidateCount":1,"seed":3,"stopSequences":["s"],"maxOutputTokens":4,"responseMimeType":"application/json","responseSchema":{"type":"OBJECT"},
			"thinkingConfig":{"thinkingBudget":100,"includeThoughts":true},"responseModalities":["TEXT","IMAGE"],"responseLogprobs":true,"logprobs":2,"speechConfig":{}},
		"labels":{"team":"a"},"serviceTier":"SERVICE_TIER_FLEX","safetySettings":[],"model":"models/m"}`))
	if err != nil {
		t.Fatal(err)
	}
	var roles []string
	for _, m := range req.Messages {
		roles = append(roles, m.Role)
	}
	if got := strings.Join(roles, " "); got != "system user assistant tool tool user" {
		t.Fatalf("roles are %s", got)
	}
	user, model, failed, result := req.Messages[1], req.Messages[2], req.Messages[3], req.Messages[4]
	if user.Parts[1].Type != schema.PartImage || user.Parts[2].Type != schema.PartDocument || user.Parts[2].Media.URL != "gs://b/v.mp4" || user.Parts[3].Type != schema.PartAudio {
		t.Errorf("the user said %+v", user.Parts)
	}
	if p := model.Parts; len(p) != 4 || p[0].Text != "think" || p[1].Text != "o" || p[2].Signature != wire.MarkGemini("c2ln") || p[3].Text != "k" {
		t.Errorf("the model said %+v", p)
	}
	if c := model.ToolCalls; len(c) != 2 || c[0].ID != "call_1__ts_c2ln" || c[1].ID != "call_2" || c[1].Function.Arguments != "{}" {
		t.Errorf("calls are %+v", c)
	}
	if failed.ToolCallID != "call_2" || !failed.IsError || failed.Text() != "no" {
		t.Errorf("the failure is %+v", failed)
	}
	if result.ToolCallID != model.ToolCalls[0].ID || result.Text() != `{"x":1,"y":2}` || result.Parts[1].Media.Data != "BB" {
		t.Errorf("the result is %+v", result)
	}
	if len(req.Tools) != 3 || req.ToolChoice.Mode != "required" || string(req.Tools[2].Raw) != `{"googleSearch":{}}` {
		t.Errorf("tools are %+v, %+v", req.Tools, req.ToolChoice)
	}
	if got, want := string(req.Tools[0].Parameters), `{"type":"object","properties":{"a":{"type":["string","null"],"format":"enum"},"type":{"type":"array","items":{"type":"integer"},"minItems":2}}}`; got != want {
		t.Errorf("the schema is %s, want %s", got, want)
	}
	if req.Reasoning == nil || *req.Reasoning.Budget != 100 || req.Reasoning.Exclude || req.ResponseFormat.Type != "json_schema" || *req.TopLogprobs != 2 || !*req.Logprobs {
		t.Errorf("settings are %+v", req)
	}
	if req.ServiceTier != "flex" || req.Metadata["team"] != "a" || fmt.Sprint(req.Modalities) != "[text image]" || len(req.Extra) != 2 || req.Dialect != Name {
		t.Errorf("the rest is %+v", req)
	}
}

func TestDecodeRequestRefuses(t *testing.T) {
	for raw, param := range map[string]string{
		`[]`: "", `{"contents":[{"role":"bot"}]}`: "contents[0].role", `{"contents":["x"]}`: "contents[0]",
		`{"contents":[{"parts":[{}]}]}`:                                  "contents[0].parts[0]",
		`{"contents":[{"parts":[{"inlineData":{}}]}]}`:                   "contents[0].parts[0]",
		`{"contents":[{"parts":[{"functionResponse":{"name":"f"}}]}]}`:   "contents[0].parts[0]",
		`{"contents":[{"role":"model","parts":[{"functionCall":{}}]}]}`:  "contents[0]",
		`{"generationConfig":{"temperature":"x"}}`:                       "generationConfig.temperature",
		`{"generationConfig":{"stopSequences":"x"}}`:                     "generationConfig.stopSequences",
		`{"generationConfig":{"thinkingConfig":{"thinkingBudget":"x"}}}`: "generationConfig.thinkingConfig.thinkingBudget",
		`{"tools":[{"functionDeclarations":[{}]}]}`:                      "tools[0].functionDeclarations[0].name",
		`{"toolConfig":{"functionCallingConfig":{"mode":"SOMETIMES"}}}`:  "toolConfig.functionCallingConfig.mode",
		`{"systemInstruction":{"parts":[{"inlineData":{}}]}}`:            "systemInstruction.parts",
		`{"serviceTier":1}`:                                                     "serviceTier",
		`{"contents":"x"}`:                                                      "contents",
		`{"contents":[{"role":"user"}]}`:                                        "contents[0].parts",
		`{"contents":[{"parts":[]}]}`:                                           "contents[0].parts",
		`{"contents":[{"parts":"x"}]}`:                                          "contents[0].parts",
		`{"contents":[{"parts":["x"]}]}`:                                        "contents[0].parts[0]",
		`{"contents":[{"parts":[{"text":5}]}]}`:                                 "contents[0].parts[0].text",
		`{"contents":[{"role":"model","parts":"x"}]}`:                           "contents[0].parts",
		`{"contents":[{"role":"model","parts":[{"text":5}]}]}`:                  "contents[0].parts[0].text",
		`{"contents":[{"role":"model","parts":[{"functionCall":"x"}]}]}`:        "contents[0].parts[0].functionCall",
		`{"contents":[{"role":"model","parts":[{"text":"x","thought":1}]}]}`:    "contents[0].parts[0].thought",
		`{"systemInstruction":{"parts":"x"}}`:                                   "systemInstruction.parts",
		`{"systemInstruction":5}`:                                               "systemInstruction",
		`{"tools":["x"]}`:                                                       "tools[0]",
		`{"tools":[{"functionDeclarations":5}]}`:                                "tools[0].functionDeclarations",
		`{"tools":[{"functionDeclarations":["x"]}]}`:                            "tools[0].functionDeclarations[0]",
		`{"tools":[{"functionDeclarations":[{"name":5}]}]}`:                     "tools[0].functionDeclarations[0].name",
		`{"tools":[{"functionDeclarations":[{"name":"f","parameters":"x"}]}]}`:  "tools[0].functionDeclarations[0].parameters",
		`{"tools":[{"functionDeclarations":[{"name":"f","description":5}]}]}`:   "tools[0].functionDeclarations[0].description",
		`{"toolConfig":{"functionCallingConfig":"x"}}`:                          "toolConfig.functionCallingConfig",
		`{"toolConfig":{"functionCallingConfig":{"allowedFunctionNames":"x"}}}`: "toolConfig.functionCallingConfig.allowedFunctionNames",
		`{"generationConfig":{"responseSchema":"x"}}`:                           "generationConfig.responseSchema",
		`{"generationConfig":{"thinkingConfig":{"thinkingLevel":1}}}`:           "generationConfig.thinkingConfig.thinkingLevel",
	} {
		if _, err := decodeRequest([]byte(raw)); err == nil || schema.AsError(err).Param != param {
			t.Errorf("%s: %v, want an error of %q", raw, err, param)
		}
	}
}

// TestThinkingThere has another model's thinking go to a Gemini client and
// come back as it was, signed and redacted.
func TestThinkingThere(t *testing.T) {
	parts := []schema.Part{{Type: schema.PartThinking, Text: "hm", Signature: "QW50aA=="}, {Type: schema.PartRedactedThinking, Data: "c2VjcmV0"},
		{Type: schema.PartText, Text: "ok"}}
	resp := &schema.ChatResponse{Choices: []schema.Choice{{Message: schema.Message{Parts: parts}, FinishReason: "stop"}}}
	body := encodeResponse(nil, resp)
	history := `{"contents":[` + string(jsonPath(t, body, "content")) + `]}`
	req, err := decodeRequest([]byte(history))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%+v", req.Messages[0].Parts); got != fmt.Sprintf("%+v", parts) {
		t.Errorf("parts are %s, want %+v", got, parts)
	}
	up, err := Dialect.Chat.Encode(&schema.ChatRequest{Model: "gemini-3-flash", Messages: req.Messages})
	if err != nil || contains(string(up.Body), "QW50aA") || contains(string(up.Body), "c2VjcmV0") {
		t.Errorf("Gemini is shown another's signature: %s, %v", up.Body, err)
	}
}

func jsonPath(t *testing.T, body []byte, name string) rawJSON {
	t.Helper()
	var v struct {
		Candidates []map[string]rawJSON `json:"candidates"`
	}
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return v.Candidates[0][name]
}

// TestStreamPieces puts calls together that come in pieces, as OpenAI's do.
func TestStreamPieces(t *testing.T) {
	zero, one := 0, 1
	chunks := []schema.Chunk{
		{ID: "a", Model: "m", Choices: []schema.ChoiceDelta{{Role: "assistant"}}},
		{Choices: []schema.ChoiceDelta{{Thinking: "t"}, {Signature: "QQ=="}, {Text: "hi"}}},
		{Choices: []schema.ChoiceDelta{{ToolCalls: []schema.ToolCall{{Index: &zero, ID: "1", Function: schema.FunctionCall{Name: "f"}}}}}},
		{Choices: []schema.ChoiceDelta{{ToolCalls: []schema.ToolCall{{Index: &zero, Function: schema.FunctionCall{Arguments: `{"a"`}}}}}},
		{Choices: []schema.ChoiceDelta{{ToolCalls: []schema.ToolCall{{Index: &one, ID: "2", Function: schema.FunctionCall{Name: "g", Arguments: `not json`}}}}}},
		{Choices: []schema.ChoiceDelta{{ToolCalls: []schema.ToolCall{{Index: &zero, Function: schema.FunctionCall{Arguments: `:1}`}}}}}},
		{Choices: []schema.ChoiceDelta{{FinishReason: "tool_calls"}, {Index: 1, Text: "x"}, {Index: 1, FinishReason: "length"}}},
		{ServiceTier: "default", Choices: []schema.ChoiceDelta{{Citations: rawJSON(`{"type":"url_citation","url_citation":{"url":"u","title":"t"}}`)}}},
	}
	e := newEncoder(dialect.StreamOptions{ID: "made", Model: "asked"})
	var out []byte
	for i := range chunks {
		out = e.Chunk(out, &chunks[i])
	}
	out = e.End(out, &schema.Usage{Input: 3, Output: 9, Reasoning: 4, CachedInput: 2, AudioInput: 1})
	const tail = `],"modelVersion":"m","responseId":"a"}` + "\n\n"
	want := `data: {"candidates":[{"content":{"parts":[{"text":"t","thought":true}],"role":"model"},"index":0}` + tail +
		`data: {"candidates":[{"content":{"parts":[{"text":"","thought":true,"thoughtSignature":"QQ=="}],"role":"model"},"index":0}` + tail +
		`data: {"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"model"},"index":0}` + tail +
		`data: {"candidates":[{"content":{"parts":[{"text":"x"}],"role":"model"},"index":1}` + tail +
		`data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"1","name":"f","args":{"a":1}}},{"functionCall":{"id":"2","name":"g","args":{"arguments":"not json"}}}],"role":"model"},"finishReason":"STOP","index":0,"citationMetadata":{"citationSources":[{"startIndex":0,"endIndex":0,"uri":"u","title":"t"}]}},` +
		`{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"MAX_TOKENS","index":1}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":5,"totalTokenCount":12,"cachedContentTokenCount":2,"thoughtsTokenCount":4,"promptTokensDetails":[{"modality":"TEXT","tokenCount":2},{"modality":"AUDIO","tokenCount":1}],"serviceTier":"standard"},"modelVersion":"m","responseId":"a"}` + "\n\n"
	if string(out) != want {
		t.Errorf("the stream is\n%s\nwant\n%s", out, want)
	}
}

func TestSources(t *testing.T) {
	c := &schema.Choice{Message: schema.Message{Parts: []schema.Part{{Type: schema.PartText, Text: "é ok", Citations: rawJSON(`[{"type":"web_search_result_location","url":"w"}]`)}}},
		Annotations: rawJSON(`[{"type":"url_citation","url_citation":{"start_index":1,"end_index":4,"url":"u"}}]`)}
	want := `{,"citationMetadata":{"citationSources":[{"startIndex":2,"endIndex":5,"uri":"u"},{"startIndex":0,"endIndex":5,"uri":"w"}]}`
	if got := string(appendCitations([]byte("{,")[:1], c)); "{,"+got[1:] != want {
		t.Errorf("sources are %s, want %s", got, want)
	}
}

func TestTraits(t *testing.T) {
	for model, want := range map[string]string{
		"gemini-2.0-flash": "0 [] 0-24576 false false", "gemini-2.5-flash": "1 [] 0-24576 true false", "gemini-2.5-pro": "1 [] 128-32768 false false",
		"gemini-2.5-flash-lite": "1 [] 512-24576 true false", "gemini-2.5-flash-image": "0 [] 0-24576 false false",
		"models/gemini-3-pro-preview": "2 [low high] 0-24576 false true", "gemini-3.1-pro-preview": "2 [low medium high] 0-24576 false true",
		"google/gemini-3.5-flash": "2 [minimal low medium high] 0-24576 false true", "gemini-3.8-flash": "2 [low medium high] 0-24576 false true",
		"gemini-flash-latest": "2 [low medium high] 0-24576 false true", "gemma-3-27b-it": "0 [] 0-0 false false",
	} {
		tr := traitsOf(model)
		if got := fmt.Sprintf("%d %v %d-%d %v %v", tr.thinking, tr.levels, tr.budgetMin, tr.budgetMax, tr.canDisable, tr.signed); got != want {
			t.Errorf("%s: %s, want %s", model, got, want)
		}
	}
}

func TestThinkingConfig(t *testing.T) {
	n := func(i int64) *int64 { return &i }
	for _, c := range []struct {
		model string
		r     schema.Reasoning
		want  string
		drops int
	}{
		{"gemini-2.5-flash", schema.Reasoning{Off: true}, `{"thinkingBudget":0}`, 0},
		{"gemini-2.5-flash", schema.Reasoning{Effort: "low"}, `{"includeThoughts":true,"thinkingBudget":1024}`, 0},
		{"gemini-2.5-flash", schema.Reasoning{Budget: n(99999), Exclude: true}, `{"thinkingBudget":24576}`, 0},
		{"gemini-2.5-flash", schema.Reasoning{}, `{"includeThoughts":true,"thinkingBudget":-1}`, 0},
		{"gemini-3-pro-preview", schema.Reasoning{Effort: "medium"}, `{"includeThoughts":true,"thinkingLevel":"high"}`, 0},
		{"gemini-3.5-flash", schema.Reasoning{Effort: "xhigh"}, `{"includeThoughts":true,"thinkingLevel":"high"}`, 0},
		{"gemini-3.5-flash", schema.Reasoning{Off: true}, `{"thinkingLevel":"minimal"}`, 0},
		{"gemini-3.8-flash", schema.Reasoning{Off: true}, `{"thinkingLevel":"low"}`, 1},
		{"gemini-3.5-flash", schema.Reasoning{Budget: n(4000)}, `{"includeThoughts":true,"thinkingLevel":"medium"}`, 1},
		{"gemini-3.5-flash", schema.Reasoning{Exclude: true}, `null`, 0},
		{"gemini-2.0-flash", schema.Reasoning{Effort: "high"}, `null`, 1},
	} {
		e, err := Quirks{Path: developerPath}.translate(&schema.ChatRequest{Model: c.model, Reasoning: &c.r, Messages: []schema.Message{{Role: "user", Parts: schema.TextParts("x")}}})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := wire.Marshal(e.config["thinkingConfig"]); string(got) != c.want || len(e.dropped) != c.drops {
			t.Errorf("%s %+v: %s, dropped %v, want %s", c.model, c.r, got, e.dropped, c.want)
		}
	}
}

// An event of a stream is one line, whatever line breaks arguments hold; and
// what a provider says of its refusal is told beside the content.
func TestStreamEvents(t *testing.T) {
	e := newEncoder(dialect.StreamOptions{ID: "r", Model: "m"})
	zero := 0
	call := schema.ToolCall{Index: &zero, ID: "1", Function: schema.FunctionCall{Name: "f", Arguments: "{\n\t\"a\":\r\n 1}"}}
	out := e.Chunk(nil, &schema.Chunk{Choices: []schema.ChoiceDelta{{Raw: rawJSON("{\"executableCode\":\n{}}")}, {ToolCalls: []schema.ToolCall{call}, FinishReason: "tool_calls"}}})
	out = e.End(out, nil)
	for frame := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n\n"), "\n\n") {
		if data, ok := strings.CutPrefix(frame, "data: "); !ok || strings.ContainsAny(data, "\r\n") || !json.Valid([]byte(data)) {
			t.Errorf("frame %q", frame)
		}
	}
	for _, c := range []struct {
		finish openai.FinishReason
		want   string
	}{
		{"content_filter", `"parts":[{"text":""}],"role":"model"},"finishReason":"SAFETY","finishMessage":"no"`},
		{"stop", `"parts":[{"text":"no"}],"role":"model"},"finishReason":"STOP"`},
	} {
		e := newEncoder(dialect.StreamOptions{})
		out := e.Chunk(nil, &schema.Chunk{Choices: []schema.ChoiceDelta{{Refusal: "n"}, {Refusal: "o", FinishReason: c.finish}}})
		if out = e.End(out, nil); !contains(string(out), c.want) {
			t.Errorf("%s: %s", c.finish, out)
		}
		whole := string(encodeResponse(nil, &schema.ChatResponse{Choices: []schema.Choice{{Message: schema.Message{Refusal: "no"}, FinishReason: c.finish}}}))
		if want := strings.Replace(c.want, `{"text":""}`, "", 1); !contains(whole, want) {
			t.Errorf("%s: %s", c.finish, whole)
		}
	}
}
