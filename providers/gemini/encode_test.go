package gemini

import (
	"fmt"
	"strings"
	"testing"

	"sluice/providers/schema"
)

func ask(model string, parts ...schema.Part) *schema.ChatRequest {
	return &schema.ChatRequest{Model: model, Messages: []schema.Message{{Role: schema.RoleUser, Parts: parts}}}
}

func TestEncodeMedia(t *testing.T) {
	image := func(m schema.Media) schema.Part { return schema.Part{Type: schema.PartImage, Media: &m} }
	for _, c := range []struct {
		part schema.Part
		want string // empty: refused
	}{
		{image(schema.Media{Data: "iVBORxx"}), `{"inlineData":{"mimeType":"image/png","data":"iVBORxx"}}`},
		{image(schema.Media{Data: "UklGRiQAAABXRUJQ", MIME: "image/*"}), `{"inlineData":{"mimeType":"image/webp","data":"UklGRiQAAABXRUJQ"}}`},
		{schema.Part{Type: schema.PartDocument, Media: &schema.Media{Data: "UklGRiQAAABXQVZF"}}, `{"inlineData":{"mimeType":"audio/wav","data":"UklGRiQAAABXQVZF"}}`},
		{image(schema.Media{URL: "DATA:image/gif;base64,R0lG"}), `{"inlineData":{"mimeType":"image/gif","data":"R0lG"}}`},
		{image(schema.Media{URL: "https://x.test/a.webp?x=1"}), `{"fileData":{"fileUri":"https://x.test/a.webp?x=1","mimeType":"image/webp"}}`},
		{image(schema.Media{URL: "https://x.test/a"}), `{"fileData":{"fileUri":"https://x.test/a","mimeType":"image/jpeg"}}`},
		{schema.Part{Type: schema.PartAudio, Media: &schema.Media{Data: "AAAA"}}, `{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}}`},
		{schema.Part{Type: schema.PartDocument, Media: &schema.Media{Data: "AAAA", Filename: "a.pdf"}}, `{"inlineData":{"mimeType":"application/pdf","data":"AAAA"}}`},
		{schema.Part{Type: schema.PartDocument, Media: &schema.Media{Data: "AAAA"}}, ``},
		{image(schema.Media{}), ``}, {image(schema.Media{URL: "data:,x"}), ``}, {schema.Part{Type: schema.PartImage}, ``},
		{schema.Part{Type: "odd"}, ``},
		{schema.Part{Type: schema.PartRaw, Raw: rawJSON(`{"executableCode":{"code":"1"}}`)}, `{"executableCode":{"code":"1"}}`},
		{schema.Part{Type: schema.PartRaw, Raw: rawJSON(`{"type":"x"}`), Text: "in words"}, `{"text":"in words"}`},
	} {
		up, err := Dialect.Chat.Encode(ask("gemini-2.5-flash", c.part))
		switch {
		case c.want == "" && err == nil:
			t.Errorf("%+v is not refused: %s", c.part, up.Body)
		case c.want != "" && (err != nil || !contains(string(up.Body), `"parts":[`+c.want+`]`)):
			t.Errorf("%+v: %v, %v, want %s", c.part, up, err, c.want)
		}
	}
	up, err := Dialect.Chat.Encode(ask("m", schema.Part{Type: schema.PartText, Text: "a"}, schema.Part{Type: schema.PartRaw, Raw: rawJSON(`{"type":"odd"}`)}, schema.Part{Type: schema.PartRaw, Raw: rawJSON(`x`)}))
	if err != nil || fmt.Sprint(up.Dropped) != "[content.odd content.part]" {
		t.Errorf("%+v, %v", up, err)
	}
}

// TestToolMedia has a picture in a tool's result: in it on new models, behind
// the results of all parallel calls on older ones, which refuse results in
// two turns.
func TestToolMedia(t *testing.T) {
	messages := []schema.Message{
		{Role: schema.RoleUser, Parts: schema.TextParts("go")},
		{Role: schema.RoleAssistant, ToolCalls: []schema.ToolCall{{ID: "1", Function: schema.FunctionCall{Name: "f"}}},
			CallExtra: map[string]rawJSON{"1": rawJSON(`{"extra_content":{"google":{"thought_signature":"c2ln"}}}`)}},
		{Role: schema.RoleTool, ToolCallID: "1", IsError: true, Parts: []schema.Part{{Type: schema.PartText, Text: `{"a":1}`}, {Type: schema.PartImage, Media: &schema.Media{MIME: "image/png", Data: "AA"}}}},
		{Role: schema.RoleTool, Name: "g", ToolCallID: "9"},
	}
	for model, want := range map[string][]string{
		"gemini-3-flash":   {`"thoughtSignature":"c2ln"`, `"response":{"error":{"a":1}},"parts":[{"inlineData":{"mimeType":"image/png","data":"AA"}}]}},{"functionResponse":{"id":"9","name":"g","response":{"output":""}}}]`},
		"gemini-2.5-flash": {`"response":{"error":{"a":1}}}},{"functionResponse":{"id":"9","name":"g","response":{"output":""}}}]},{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AA"}}]}]`},
	} {
		up, err := Dialect.Chat.Encode(&schema.ChatRequest{Model: model, Messages: messages})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !contains(string(up.Body), w) {
				t.Errorf("%s: %s lacks %s", model, up.Body, w)
			}
		}
	}
}

func TestExtra(t *testing.T) {
	req := ask("gemini-3-flash", schema.TextParts("x")...)
	req.Tools = []schema.Tool{{Name: "f", Strict: new(bool)}, {Raw: rawJSON(`{"google_maps":{}}`)}}
	*req.Tools[0].Strict = true
	req.Extra = map[string]rawJSON{"generation_config": rawJSON(`{"media_resolution":"LOW","topK":9}`), "toolConfig": rawJSON(`{"retrievalConfig":{}}`),
		"speech_config": rawJSON(`{"a":1}`), "safety_settings": rawJSON(`[]`), "odd": rawJSON(`1`), "stream_options": rawJSON(`{}`)}
	up, err := Dialect.Chat.Encode(req)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"mediaResolution":"LOW","speechConfig":{"a":1},"topK":9},"safetySettings":[],` +
		`"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"},"retrievalConfig":{}},"tools":[{"functionDeclarations":[{"name":"f"}]},{"google_maps":{}}]}`
	if string(up.Body) != want || strings.Join(up.Dropped, " ") != "odd" {
		t.Errorf("%s, dropped %v, want %s", up.Body, up.Dropped, want)
	}
	req.Extra = map[string]rawJSON{"generationConfig": rawJSON(`[]`)}
	if _, err := Dialect.Chat.Encode(req); schema.AsError(err).Param != "generationConfig" {
		t.Errorf("a list for generationConfig gives %v", err)
	}
}

func TestVertexLabels(t *testing.T) {
	vertex := New(Quirks{Vertex: true, Path: VertexPath("p", "l")})
	req := ask("gemini-2.5-flash", schema.TextParts("x")...)
	req.Metadata, req.ServiceTier = map[string]string{"team": "a_b-1"}, "flex"
	up, err := vertex.Chat.Encode(req)
	if err != nil || !contains(string(up.Body), `"labels":{"team":"a_b-1"}`) || fmt.Sprint(up.Dropped) != "[service_tier]" {
		t.Errorf("%s, %v, %v", up.Body, up.Dropped, err)
	}
	req.Metadata["Team"] = "A"
	if up, err = vertex.Chat.Encode(req); err != nil || contains(string(up.Body), "labels") || fmt.Sprint(up.Dropped) != "[service_tier metadata]" {
		t.Errorf("%s, %v, %v", up.Body, up.Dropped, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	call := schema.Message{Role: schema.RoleAssistant, ToolCalls: []schema.ToolCall{{ID: "1", Function: schema.FunctionCall{Name: "f", Arguments: "[]"}}}}
	for param, req := range map[string]*schema.ChatRequest{
		"messages":            {},
		"messages[0].role":    {Messages: []schema.Message{{Role: "odd"}}},
		"messages[0].content": {Messages: []schema.Message{{Role: schema.RoleSystem, Parts: []schema.Part{{Type: schema.PartImage, Media: &schema.Media{MIME: "image/png", Data: "AA"}}}}}},
		"messages[0].tool_calls[0].function.arguments": {Messages: []schema.Message{call}},
		"response_format.type":                         {Messages: ask("").Messages, ResponseFormat: &schema.ResponseFormat{Type: "xml"}},
		"response_format.json_schema.schema":           {Messages: ask("").Messages, ResponseFormat: &schema.ResponseFormat{Type: "json_schema"}},
	} {
		if _, err := Dialect.Chat.Encode(req); err == nil || schema.AsError(err).Param != param {
			t.Errorf("%s: error is %v", param, err)
		}
	}
}

// TestSpeech reads an answer that is spoken, and gives it to a Gemini client.
func TestSpeech(t *testing.T) {
	resp, err := decode([]byte(`{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"audio/L16;codec=pcm;rate=24000","data":"AAAA"}}]},"finishReason":"STOP"}],"responseId":"r","usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":5,"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":5}]}}`))
	if err != nil || string(resp.Choices[0].Audio) != `{"id":"audio_r","data":"AAAA","expires_at":0,"transcript":""}` || resp.Usage.AudioOutput != 5 {
		t.Fatalf("%+v, %v", resp, err)
	}
	if out := string(encodeResponse(nil, resp)); !contains(out, `"data":"AAAA"`) {
		t.Error(out)
	}
}
