package anthropic

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

func p[T any](v T) *T { return &v }

func user(text string) schema.Message {
	return schema.Message{Role: schema.RoleUser, Parts: schema.TextParts(text)}
}

// ask is a request to a model, changed by f.
func ask(model string, f func(*schema.ChatRequest)) *schema.ChatRequest {
	req := &schema.ChatRequest{Model: model, Messages: []schema.Message{user("hi")}}
	if f != nil {
		f(req)
	}
	return req
}

// What a request's body holds, as gjson paths and raw values; an empty value
// means that the field must be absent.
func TestEncodeFields(t *testing.T) {
	type request = schema.ChatRequest
	for name, tc := range map[string]struct {
		req     *request
		want    map[string]string
		dropped []string
	}{
		"default limit": {ask("claude-haiku-4-5", nil), map[string]string{"max_tokens": "16384", "stream": "", "temperature": "", "thinking": ""}, nil},
		"old default":   {ask("claude-3-haiku-20240307", nil), map[string]string{"max_tokens": "4096"}, nil},
		"zeros stay":    {ask("claude-haiku-4-5", func(r *request) { r.Temperature = p(0.0); r.MaxTokens = p(int64(5)) }), map[string]string{"temperature": "0", "max_tokens": "5"}, nil},
		"too hot":       {ask("claude-haiku-4-5", func(r *request) { r.Temperature = p(1.7) }), map[string]string{"temperature": "1"}, []string{"temperature"}},
		"two samplers":  {ask("claude-haiku-4-5", func(r *request) { r.Temperature = p(0.5); r.TopP = p(0.9) }), map[string]string{"temperature": "0.5", "top_p": ""}, []string{"top_p"}},
		"old samplers":  {ask("claude-sonnet-4", func(r *request) { r.Temperature = p(0.5); r.TopP = p(0.9) }), map[string]string{"temperature": "0.5", "top_p": "0.9"}, nil},
		"top_k":         {ask("claude-sonnet-4", func(r *request) { r.TopK = p(int64(7)) }), map[string]string{"top_k": "7"}, nil},
		"default samplers are no loss": {ask("claude-opus-4-8", func(r *request) { r.Temperature = p(1.0); r.TopP = p(1.0) }),
			map[string]string{"temperature": "", "top_p": ""}, nil},
		"budget from effort": {ask("claude-sonnet-4", func(r *request) { r.Reasoning = &schema.Reasoning{Effort: "low"} }),
			map[string]string{"thinking": `{"type":"enabled","budget_tokens":2048}`, "max_tokens": "18432"}, nil},
		"budget asked for": {ask("claude-sonnet-4", func(r *request) {
			r.Reasoning = &schema.Reasoning{Budget: p(int64(5000))}
			r.MaxTokens = p(int64(3000))
		}), map[string]string{"thinking.budget_tokens": "2999", "max_tokens": "3000"}, nil},
		"budget too small": {ask("claude-sonnet-4", func(r *request) {
			r.Reasoning = &schema.Reasoning{Effort: "high"}
			r.MaxTokens = p(int64(500))
		}), map[string]string{"thinking": "", "max_tokens": "500"}, []string{"reasoning_effort"}},
		"high top_p with thinking": {ask("claude-sonnet-4", func(r *request) {
			r.Reasoning = &schema.Reasoning{Effort: "low"}
			r.TopP = p(0.97)
			r.TopK = p(int64(1))
		}), map[string]string{"top_p": "0.97", "top_k": ""}, []string{"top_k"}},
		"cannot think": {ask("claude-3-5-haiku-latest", func(r *request) { r.Reasoning = &schema.Reasoning{Effort: "low"} }),
			map[string]string{"thinking": ""}, []string{"reasoning_effort"}},
		"adaptive": {ask("claude-opus-4-6", func(r *request) { r.Reasoning = &schema.Reasoning{Effort: "xhigh"} }),
			map[string]string{"thinking": `{"type":"adaptive","display":"summarized"}`, "output_config.effort": `"high"`}, nil},
		"hidden thinking": {ask("claude-opus-4-7", func(r *request) { r.Reasoning = &schema.Reasoning{Effort: "low", Exclude: true} }),
			map[string]string{"thinking.display": `"omitted"`, "output_config.effort": `"low"`}, nil},
		"a budget where there is none": {ask("claude-opus-4-7", func(r *request) { r.Reasoning = &schema.Reasoning{Budget: p(int64(2000))} }),
			map[string]string{"thinking.type": `"adaptive"`, "output_config.effort": `"low"`}, []string{"reasoning.max_tokens"}},
		"deprecated budget": {ask("claude-opus-4-6", func(r *request) { r.Reasoning = &schema.Reasoning{Budget: p(int64(2000))} }),
			map[string]string{"thinking.budget_tokens": "2000", "output_config": ""}, nil},
		"off":           {ask("claude-sonnet-5", func(r *request) { r.Reasoning = &schema.Reasoning{Off: true} }), map[string]string{"thinking": `{"type":"disabled"}`}, nil},
		"off by itself": {ask("claude-haiku-4-5", func(r *request) { r.Reasoning = &schema.Reasoning{Effort: "none"} }), map[string]string{"thinking": ""}, nil},
		"cannot stop":   {ask("claude-fable-5", func(r *request) { r.Reasoning = &schema.Reasoning{Effort: "none"} }), map[string]string{"thinking": ""}, []string{"reasoning_effort"}},
		"own thinking":  {ask("claude-opus-4-5", func(r *request) { r.Extra = extra(`{"thinking":{"type":"enabled","budget_tokens":1500}}`) }), map[string]string{"thinking.budget_tokens": "1500"}, nil},
		"own output": {ask("claude-opus-4-6", func(r *request) {
			r.Reasoning = &schema.Reasoning{Effort: "low"}
			r.Extra = extra(`{"output_config":{"effort":"max"}}`)
		}), map[string]string{"output_config.effort": `"max"`}, nil},
		"user":           {ask("claude-haiku-4-5", func(r *request) { r.User = "u" }), map[string]string{"metadata.user_id": `"u"`}, nil},
		"safety id":      {ask("claude-haiku-4-5", func(r *request) { r.Extra = extra(`{"safety_identifier":"s"}`) }), map[string]string{"metadata.user_id": `"s"`, "safety_identifier": ""}, nil},
		"tier":           {ask("claude-haiku-4-5", func(r *request) { r.ServiceTier = "default" }), map[string]string{"service_tier": `"standard_only"`}, nil},
		"flex":           {ask("claude-haiku-4-5", func(r *request) { r.ServiceTier = "flex" }), map[string]string{"service_tier": ""}, []string{"service_tier"}},
		"own fields":     {ask("claude-haiku-4-5", func(r *request) { r.Extra = extra(`{"mcp_servers":[{"a": 1}],"stream_options":{}}`) }), map[string]string{"mcp_servers": `[{"a": 1}]`, "stream_options": ""}, nil},
		"foreign fields": {ask("claude-haiku-4-5", func(r *request) { r.Extra = extra(`{"web_search_options":{}}`) }), map[string]string{"web_search_options": ""}, []string{"web_search_options"}},
		"what it has not": {ask("claude-haiku-4-5", func(r *request) {
			r.N, r.Seed, r.Logprobs, r.TopLogprobs, r.Store, r.MinP = p(int64(2)), p(int64(1)), p(true), p(int64(3)), p(true), p(0.1)
			r.LogitBias, r.Audio, r.Prediction = json.RawMessage(`{"1":2}`), json.RawMessage(`{"voice":"a"}`), json.RawMessage(`{"type":"content"}`)
			r.FrequencyPenalty, r.PresencePenalty, r.Modalities = p(1.0), p(-1.0), []string{"text", "audio"}
			r.Verbosity, r.PromptCacheKey = "low", "k"
		}), nil, []string{"n", "seed", "logprobs", "top_logprobs", "logit_bias", "frequency_penalty", "presence_penalty", "min_p", "modalities", "audio", "prediction", "store", "verbosity", "prompt_cache_key"}},
		"what says nothing": {ask("claude-haiku-4-5", func(r *request) {
			r.N, r.Logprobs, r.Store, r.FrequencyPenalty, r.LogitBias, r.Modalities = p(int64(1)), p(false), p(false), p(0.0), json.RawMessage(`{}`), []string{"text"}
		}), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			up, err := encode(tc.req)
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(up.Body) {
				t.Fatalf("not JSON: %s", up.Body)
			}
			for path, want := range tc.want {
				if got := gjson.GetBytes(up.Body, path).Raw; got != want {
					t.Errorf("%s is %s, want %s\n%s", path, got, want, up.Body)
				}
			}
			if !slices.Equal(up.Dropped, tc.dropped) {
				t.Errorf("dropped %v, want %v", up.Dropped, tc.dropped)
			}
		})
	}
}

func extra(object string) (fields map[string]json.RawMessage) {
	if err := json.Unmarshal([]byte(object), &fields); err != nil {
		panic(err)
	}
	return fields
}

func TestEncodeTools(t *testing.T) {
	type request = schema.ChatRequest
	fn := schema.Tool{Name: "f", Parameters: json.RawMessage(`{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"integer","minimum":1}}}`)}
	strict := fn
	strict.Strict = p(true)
	answer := &schema.ResponseFormat{Type: "json_schema", Schema: json.RawMessage(`{"type":"object","properties":{"x":{"type":"string"}}}`)}
	for name, tc := range map[string]struct {
		req     *request
		want    map[string]string
		dropped []string
	}{
		"no parameters": {ask("claude-haiku-4-5", func(r *request) { r.Tools = []schema.Tool{{Name: "f"}} }), map[string]string{"tools.0.input_schema": `{"type":"object"}`}, nil},
		"no type": {ask("claude-haiku-4-5", func(r *request) {
			r.Tools = []schema.Tool{{Name: "f", Parameters: json.RawMessage(`{"properties":{}}`)}}
		}), map[string]string{"tools.0.input_schema.type": `"object"`}, nil},
		"untouched": {ask("claude-haiku-4-5", func(r *request) { r.Tools = []schema.Tool{fn} }), map[string]string{"tools.0.input_schema": string(fn.Parameters), "tools.0.strict": ""}, nil},
		"strict": {ask("claude-haiku-4-5", func(r *request) { r.Tools = []schema.Tool{strict} }),
			map[string]string{"tools.0.strict": "true", "tools.0.input_schema": `{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"integer","description":"(minimum: 1)"}},"additionalProperties":false}`}, nil},
		"strict too early": {ask("claude-sonnet-4", func(r *request) { r.Tools = []schema.Tool{strict} }), map[string]string{"tools.0.strict": "", "tools.0.input_schema": string(fn.Parameters)}, []string{"tools.strict"}},
		"own server tool": {ask("claude-haiku-4-5", func(r *request) {
			r.Tools = []schema.Tool{{Type: "web_search_20250305", Raw: json.RawMessage(`{"type":"web_search_20250305","name":"web_search"}`)}}
		}), map[string]string{"tools.0.type": `"web_search_20250305"`}, nil},
		"foreign one": {ask("claude-haiku-4-5", func(r *request) {
			r.Tools = []schema.Tool{{Type: "web_search_preview", Raw: json.RawMessage(`{"type":"web_search_preview"}`)}}
		}), map[string]string{"tools": "", "tool_choice": ""}, []string{"tools"}},
		"cache mark": {ask("claude-haiku-4-5", func(r *request) {
			r.Tools = []schema.Tool{{Name: "f", CacheControl: json.RawMessage(`{"type":"ephemeral"}`)}}
		}),
			map[string]string{"tools.0.cache_control": `{"type":"ephemeral"}`}, nil},
		"required": {ask("claude-haiku-4-5", func(r *request) { r.Tools = []schema.Tool{fn}; r.ToolChoice = &schema.ToolChoice{Mode: "required"} }), map[string]string{"tool_choice": `{"type":"any"}`}, nil},
		"none": {ask("claude-haiku-4-5", func(r *request) {
			r.Tools = []schema.Tool{fn}
			r.ToolChoice = &schema.ToolChoice{Mode: "none"}
			r.ParallelToolCalls = p(false)
		}), map[string]string{"tool_choice": `{"type":"none"}`}, nil},
		"one by one": {ask("claude-haiku-4-5", func(r *request) { r.Tools = []schema.Tool{fn}; r.ParallelToolCalls = p(false) }), map[string]string{"tool_choice": `{"type":"auto","disable_parallel_tool_use":true}`}, nil},
		"forced and thinking": {ask("claude-sonnet-4", func(r *request) {
			r.Tools, r.ToolChoice, r.Reasoning = []schema.Tool{fn}, &schema.ToolChoice{Mode: "function", Name: "f"}, &schema.Reasoning{Effort: "high"}
		}), map[string]string{"tool_choice": `{"type":"tool","name":"f"}`, "thinking": ""}, []string{"reasoning_effort"}},
		"answer beside tools": {ask("claude-sonnet-4", func(r *request) { r.Tools = []schema.Tool{fn}; r.ResponseFormat = answer }),
			map[string]string{"tools.1.name": `"` + AnswerTool + `"`, "tool_choice": `{"type":"any"}`, "output_config": ""}, nil},
		"answer alone": {ask("claude-sonnet-4", func(r *request) { r.ResponseFormat = answer }),
			map[string]string{"tools.0.name": `"` + AnswerTool + `"`, "tool_choice": `{"type":"tool","name":"` + AnswerTool + `"}`}, nil},
		"answer against a forced tool": {ask("claude-sonnet-4", func(r *request) {
			r.Tools, r.ResponseFormat, r.ToolChoice = []schema.Tool{fn}, answer, &schema.ToolChoice{Mode: "function", Name: "f"}
		}), map[string]string{"tools.#": "1", "tool_choice.name": `"f"`}, []string{"response_format"}},
		"native answer": {ask("claude-opus-5", func(r *request) { r.ResponseFormat = answer }),
			map[string]string{"output_config.format.schema.additionalProperties": "false", "tools": ""}, nil},
		"open object": {ask("claude-opus-5", func(r *request) {
			r.ResponseFormat = &schema.ResponseFormat{Type: "json_schema", Schema: json.RawMessage(`{"type":"object","additionalProperties":{"type":"string"}}`)}
		}), map[string]string{"output_config": "", "tools.0.name": `"` + AnswerTool + `"`}, nil},
		"no object": {ask("claude-sonnet-4", func(r *request) {
			r.ResponseFormat = &schema.ResponseFormat{Type: "json_schema", Schema: json.RawMessage(`{"type":"array","items":{"type":"string"}}`)}
		}), map[string]string{"tools": "", "system.#": "1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			up, err := encode(tc.req)
			if err != nil {
				t.Fatal(err)
			}
			for path, want := range tc.want {
				if got := gjson.GetBytes(up.Body, path).Raw; got != want && !(strings.HasSuffix(path, "#") && gjson.GetBytes(up.Body, path).String() == want) {
					t.Errorf("%s is %s, want %s\n%s", path, got, want, up.Body)
				}
			}
			if !slices.Equal(up.Dropped, tc.dropped) {
				t.Errorf("dropped %v, want %v", up.Dropped, tc.dropped)
			}
		})
	}
}

func TestEncodeMessages(t *testing.T) {
	ephemeral := json.RawMessage(`{"type":"ephemeral"}`)
	req := &schema.ChatRequest{Model: "claude-haiku-4-5", Stream: true, Messages: []schema.Message{
		{Role: schema.RoleSystem, Parts: []schema.Part{{Type: schema.PartText, Text: "S", CacheControl: ephemeral}}},
		user("one"),
		user("two"),
		{Role: schema.RoleAssistant, Parts: []schema.Part{
			{Type: schema.PartText, Text: "text"},
			{Type: schema.PartThinking, Text: "", Signature: "sig"},
			{Type: schema.PartThinking, Text: "unsigned"},
			{Type: schema.PartRedactedThinking, Data: "opaque"},
			{Type: schema.PartRaw, Raw: json.RawMessage(`{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`)},
		}, ToolCalls: []openai.ToolCall{{ID: "c1", Function: openai.FunctionCall{Name: "f", Arguments: `{"a":"<b>"}`}}}},
		user("meanwhile"),
		{Role: schema.RoleTool, ToolCallID: "c1", IsError: true, Parts: []schema.Part{
			{Type: schema.PartText, Text: "bad", CacheControl: ephemeral},
			{Type: schema.PartImage, Media: &schema.Media{Data: "iVBORw0KGgo="}},
		}},
		{Role: schema.RoleAssistant, Parts: schema.TextParts("prefill \n")},
	}}
	up, err := encode(req)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"model":"claude-haiku-4-5","max_tokens":16384,"stream":true,` +
		`"system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral"}}],"messages":[` +
		`{"role":"user","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"sig"},{"type":"redacted_thinking","data":"opaque"},{"type":"text","text":"text"},` +
		`{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"tool_use","id":"c1","name":"f","input":{"a":"<b>"}}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"text","text":"bad"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}],"is_error":true,"cache_control":{"type":"ephemeral"}},{"type":"text","text":"meanwhile"}]},` +
		`{"role":"assistant","content":[{"type":"text","text":"prefill"}]}]}`
	if string(up.Body) != want {
		t.Errorf("body is\n%s\nwant\n%s", up.Body, want)
	}
	if up.Path != "/v1/messages" || len(up.Header) != 1 || up.Header[0].Value != Version {
		t.Errorf("path %q, header %v", up.Path, up.Header)
	}
}

func TestEncodeRefuses(t *testing.T) {
	media := func(kind schema.PartType, m *schema.Media) []schema.Message {
		return []schema.Message{{Role: schema.RoleUser, Parts: []schema.Part{{Type: kind, Media: m}}}}
	}
	for param, messages := range map[string][]schema.Message{
		"messages":                                     {{Role: schema.RoleUser, Parts: schema.TextParts("  ")}},
		"messages[1].role":                             {user("a"), {Role: "wizard"}},
		"messages[0].tool_call_id":                     {{Role: schema.RoleTool, Parts: schema.TextParts("x")}},
		"messages[0].content":                          {{Role: schema.RoleSystem, Parts: []schema.Part{{Type: schema.PartImage, Media: &schema.Media{Data: "iVBO"}}}}},
		"messages[0].content[0]":                       media(schema.PartImage, nil),
		"messages[0].tool_calls[0].id":                 {{Role: schema.RoleAssistant, ToolCalls: []openai.ToolCall{{Function: openai.FunctionCall{Name: "f"}}}}},
		"messages[0].tool_calls[0].function.arguments": {{Role: schema.RoleAssistant, ToolCalls: []openai.ToolCall{{ID: "a", Function: openai.FunctionCall{Name: "f", Arguments: "[1]"}}}}},
	} {
		_, err := encode(&schema.ChatRequest{Model: "claude-haiku-4-5", Messages: messages})
		if e := schema.AsError(err); err == nil || e.Param != param || e.Status != 400 {
			t.Errorf("%s: %v (param %q)", param, err, e.Param)
		}
	}
	for name, m := range map[string]schema.Media{
		"no scheme":  {URL: "gs://bucket/x"},
		"not base64": {URL: "data:image/png,raw"},
		"nothing":    {},
	} {
		if _, err := encode(&schema.ChatRequest{Model: "claude-haiku-4-5", Messages: media(schema.PartImage, &m)}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	word := schema.Media{MIME: "application/msword", Data: "AAAA"}
	if _, err := encode(&schema.ChatRequest{Model: "claude-haiku-4-5", Messages: media(schema.PartDocument, &word)}); err == nil || !strings.Contains(err.Error(), "msword") {
		t.Errorf("a Word document: %v", err)
	}
}

func TestEncodeDocuments(t *testing.T) {
	for name, tc := range map[string]struct {
		media schema.Media
		want  string
	}{
		"pdf":      {schema.Media{MIME: "application/pdf", Data: "JVBERi0=", Filename: "a.pdf"}, `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="},"title":"a.pdf"}`},
		"text":     {schema.Media{MIME: "text/csv", Data: "YSxi"}, `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a,b"}}`},
		"untyped":  {schema.Media{Data: "JVBERi0="}, `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}}`},
		"a url":    {schema.Media{URL: "https://x.test/a.pdf"}, `{"type":"document","source":{"type":"url","url":"https://x.test/a.pdf"}}`},
		"a file":   {schema.Media{FileID: "file_1"}, `{"type":"document","source":{"type":"file","file_id":"file_1"}}`},
		"an image": {schema.Media{MIME: "image/gif", Data: "R0lGOD"}, `{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"R0lGOD"}}`},
	} {
		up, err := encode(&schema.ChatRequest{Model: "claude-haiku-4-5", Messages: []schema.Message{{Role: schema.RoleUser, Parts: []schema.Part{{Type: schema.PartDocument, Media: &tc.media}}}}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := gjson.GetBytes(up.Body, "messages.0.content.0").Raw; got != tc.want {
			t.Errorf("%s is %s, want %s", name, got, tc.want)
		}
		if beta := len(up.Header) > 1; beta != (name == "a file") {
			t.Errorf("%s: header %v", name, up.Header)
		}
	}
}

// Thinking by a budget is off where the calls of the turn have none.
func TestThinkingInTheMiddle(t *testing.T) {
	call := schema.ToolCall{ID: "1", Function: schema.FunctionCall{Name: "f", Arguments: "{}"}}
	result := schema.Message{Role: schema.RoleTool, ToolCallID: "1", Parts: schema.TextParts("r")}
	user := schema.Message{Role: schema.RoleUser, Parts: schema.TextParts("x")}
	thought := []schema.Part{{Type: schema.PartThinking, Text: "t", Signature: "c2ln"}}
	turn := func(parts []schema.Part) []schema.Message {
		return []schema.Message{user, {Role: schema.RoleAssistant, Parts: parts, ToolCalls: []schema.ToolCall{call}}, result}
	}
	for _, c := range []struct {
		name     string
		messages []schema.Message
		thinks   bool
	}{
		{"thoughts came back", turn(thought), true},
		{"they did not", turn(nil), false},
		{"nor with words", turn(schema.TextParts("let me see")), false},
		{"of an earlier turn", append(turn(nil), schema.Message{Role: schema.RoleAssistant, Parts: schema.TextParts("done")}, user), true},
		{"with a word of the user's", append(turn(nil), user), false},
		{"in a later step", append(turn(thought), schema.Message{Role: schema.RoleAssistant, ToolCalls: []schema.ToolCall{call}}, result), false},
	} {
		up, err := Dialect.Chat.Encode(&schema.ChatRequest{Model: "claude-sonnet-4-5", Messages: c.messages, Reasoning: &schema.Reasoning{Effort: "high"}})
		if err != nil || strings.Contains(string(up.Body), `"thinking":{"type":"enabled"`) != c.thinks || slices.Contains(up.Dropped, "reasoning_effort") == c.thinks {
			t.Errorf("%s: %v, %+v", c.name, err, up)
		}
	}
}
