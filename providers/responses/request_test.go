package responses

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/anthropic"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

// everything is a request that uses all that the unified form carries.
const everything = `{"model":"gpt-5","instructions":"Be brief.","input":[
{"role":"developer","content":"Speak French."},
{"type":"message","role":"user","content":[{"type":"input_text","text":"See","prompt_cache_breakpoint":{"mode":"explicit"}},
 {"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"low"},{"type":"input_image","file_id":"file-1","detail":"auto"},
 {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="},{"type":"input_file","file_url":"https://x.test/b.pdf"},
 {"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}]},
{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"**Look**"},{"type":"summary_text","text":"again"}],"encrypted_content":"gAAA"},
{"role":"assistant","phase":"commentary","content":[{"type":"output_text","text":"Looking."}]},
{"type":"function_call","arguments":"{\"q\":1}","call_id":"call_1","name":"look"},
{"type":"custom_tool_call","input":"*** patch","call_id":"call_2","name":"patch"},
{"type":"function_call_output","call_id":"call_1","output":[{"type":"input_text","text":"seen"},{"type":"input_image","image_url":"https://x.test/c.png","detail":"auto"}]},
{"type":"custom_tool_call_output","call_id":"call_2","output":"patched"},
{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},
{"role":"assistant","content":[{"type":"refusal","refusal":"No."}]},
{"role":"user","content":"Well?"}],
"tools":[{"type":"function","name":"look","description":"Looks","parameters":{"type":"object","properties":{}},"strict":true,"defer_loading":true},
{"type":"custom","name":"patch","description":"Patches","format":{"type":"grammar","syntax":"lark","definition":"start: x"}},{"type":"web_search"}],
"tool_choice":{"type":"custom","name":"patch"},"parallel_tool_calls":false,
"text":{"format":{"type":"json_schema","name":"a","schema":{"type":"object"},"strict":true},"verbosity":"low"},
"reasoning":{"effort":"low","summary":"auto"},"include":["reasoning.encrypted_content","message.output_text.logprobs"],"top_logprobs":2,
"max_output_tokens":100,"temperature":0,"top_p":0.5,"store":false,"user":"u","service_tier":"flex","prompt_cache_key":"k",
"metadata":{"a":"b"},"truncation":"auto","previous_response_id":"resp_0","stream":true}`

func TestRequestSurvives(t *testing.T) {
	req, err := decodeRequest([]byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	up, err := encode(req)
	if err != nil || len(up.Dropped) > 0 {
		t.Fatalf("%v, dropped %q", err, up.Dropped)
	}
	sameRequest(t, []byte(everything), up.Body)
}

func TestRequestUnified(t *testing.T) {
	req, err := decodeRequest([]byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	var roles []string
	for _, m := range req.Messages {
		roles = append(roles, m.Role)
	}
	if got, want := strings.Join(roles, " "), "system developer user assistant tool tool assistant user"; got != want {
		t.Fatalf("roles are %s, want %s", got, want)
	}
	a := req.Messages[3]
	if len(a.Parts) != 2 || a.Parts[0].Text != "**Look**\n\nagain" || a.Parts[0].Signature != "b3BlbmFpgAAA" || a.Text() != "Looking." {
		t.Errorf("the turn is %+v", a)
	}
	if len(a.ToolCalls) != 2 || a.ToolCalls[1].Function.Arguments != `{"input":"*** patch"}` {
		t.Errorf("the calls are %+v", a.ToolCalls)
	}
	if req.Messages[6].Refusal != "No." || req.Messages[6].Parts[0].Type != schema.PartRaw {
		t.Errorf("the last turn is %+v", req.Messages[6])
	}
	if !*req.Logprobs || req.Reasoning.Exclude || *req.Temperature != 0 || *req.ParallelToolCalls {
		t.Errorf("the settings are %+v", req)
	}
	if _, kept := req.Extra["previous_response_id"]; !kept || req.Extra["include"] != nil {
		t.Errorf("extra is %s", req.Extra)
	}
}

// TestForOthers says what a request loses on its way to the others, by name.
func TestForOthers(t *testing.T) {
	req, err := decodeRequest([]byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	req.Messages[2].Parts = slices.DeleteFunc(slices.Clone(req.Messages[2].Parts), func(p schema.Part) bool {
		return p.Media != nil && (p.Media.FileID != "" || p.Type == schema.PartAudio)
	})
	up, err := openai.Dialect.Chat.Encode(req)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(up.Dropped, " "), "previous_response_id truncation tools messages.content"; got != want {
		t.Errorf("for OpenAI dropped %s, want %s", got, want)
	}
	if got := gjson.GetBytes(up.Body, `tools.#.function.name`).Raw; got != `["look","patch"]` {
		t.Errorf("the tools are %s", got)
	}
	req.Model, req.ToolChoice = "claude-sonnet-4-5", nil
	up, err = anthropic.Dialect.Chat.Encode(req)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(up.Body), "gAAA") {
		t.Errorf("OpenAI's reasoning reached Anthropic: %s", up.Body)
	}
	if !strings.Contains(string(up.Body), `"cache_control":{"type":"ephemeral"}`) {
		t.Errorf("the cache breakpoint is lost: %s", up.Body)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for body, param := range map[string]string{
		`{"input":5}`:                  "input",
		`{"input":[5]}`:                "input[0]",
		`{"input":[{}]}`:               "input[0].type",
		`{"input":[{"role":"robot"}]}`: "input[0].role",
		`{"input":[{"role":"user","content":[{"type":"input_text"}]}]}`:  "input[0].content[0]",
		`{"input":[{"role":"user","content":[{"type":"input_image"}]}]}`: "input[0].content[0]",
		`{"input":[{"role":"user","content":[{"type":"input_file"}]}]}`:  "input[0].content[0]",
		`{"input":[{"role":"user","content":[{"type":"input_audio"}]}]}`: "input[0].content[0]",
		`{"input":[{"role":"user","content":{}}]}`:                       "input[0].content",
		`{"input":[{"type":"function_call","name":"f"}]}`:                "input[0]",
		`{"input":[{"type":"function_call_output"}]}`:                    "input[0].call_id",
		`{"tools":{}}`:                    "tools",
		`{"tools":[{}]}`:                  "tools[0].type",
		`{"tools":[{"type":"function"}]}`: "tools[0].name",
		`{"tools":[{"type":"function","name":"f","parameters":1}]}`: "tools[0].parameters",
		`{"tool_choice":"some"}`:                                    "tool_choice",
		`{"tool_choice":{"type":"function"}}`:                       "tool_choice.name",
		`{"tool_choice":{"type":"allowed_tools"}}`:                  "tool_choice.mode",
		`{"tool_choice":{}}`:                                        "tool_choice.type",
		`{"text":[]}`:                                               "text",
		`{"text":{"format":{"type":"xml"}}}`:                        "text.format.type",
		`{"text":{"format":{"type":"json_schema"}}}`:                "text.format.schema",
		`{"text":{"verbosity":5}}`:                                  "text.verbosity",
		`{"reasoning":{"effort":5}}`:                                "reasoning.effort",
		`{"reasoning":{"summary":[]}}`:                              "reasoning.summary",
		`{"include":"x"}`:                                           "include",
		`{"include":[5]}`:                                           "include",
		`{"reasoning":"high"}`:                                      "reasoning",
		`{"temperature":"hot"}`:                                     "temperature",
		`{"max_output_tokens":1.5}`:                                 "max_output_tokens",
		`{"metadata":{"a":1}}`:                                      "metadata",
		`[]`:                                                        "",
	} {
		_, err := decodeRequest([]byte(body))
		if e := new(schema.Error); !errors.As(err, &e) || e.Param != param || e.Status != 400 {
			t.Errorf("%s: %v, want param %q", body, err, param)
		}
	}
}

func TestChoices(t *testing.T) {
	req, err := decodeRequest([]byte(`{"input":"x","tools":[{"type":"function","name":"a"},{"type":"function","name":"b"},{"type":"web_search"}],
		"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"b"},{"type":"web_search"}]}}`))
	if err != nil || req.ToolChoice.Mode != "required" || len(req.Tools) != 2 || req.Tools[0].Name != "b" {
		t.Errorf("%+v, %v", req, err)
	}
	hosted := `{"type":"file_search"}`
	req, err = decodeRequest([]byte(`{"model":"m","input":"x","tools":[{"type":"file_search"}],"tool_choice":` + hosted + `}`))
	if err != nil {
		t.Fatal(err)
	}
	up, err := encode(req)
	if err != nil || gjson.GetBytes(up.Body, "tool_choice").Raw != hosted {
		t.Errorf("%s, %v", up.Body, err)
	}
}

// TestFromChat says what a request of Chat Completions becomes here.
func TestFromChat(t *testing.T) {
	req, err := openai.Dialect.Client.DecodeChat([]byte(`{"model":"openai/gpt-5","messages":[{"role":"system","content":"S"},
		{"role":"user","name":"bob","content":[{"type":"text","text":"T"},{"type":"image_url","image_url":{"url":"https://x.test/a.png"}}]},
		{"role":"assistant","content":null,"tool_calls":[{"id":"c1__ts_sig","type":"function","function":{"name":"f","arguments":""}}]},
		{"role":"tool","tool_call_id":"c1__ts_sig","content":"R"}],
		"tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"c"}},{"type":"web_search"}],
		"tool_choice":{"type":"function","function":{"name":"f"}},
		"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object"}}},"stop":["x"],"seed":1,"n":1,"logprobs":true,
		"reasoning_effort":"high","max_completion_tokens":9,"truncation":"auto","odd":1,"user":"` + strings.Repeat("u", 65) + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	up, err := encode(req)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(up.Dropped, " "), "name tools odd seed stop"; got != want {
		t.Errorf("dropped %s, want %s", got, want)
	}
	if n := len(gjson.GetBytes(up.Body, "user").Str); n != 64 {
		t.Errorf("the user has %d characters", n)
	}
	var v map[string]any
	if err := json.Unmarshal(up.Body, &v); err != nil {
		t.Fatal(err)
	}
	delete(v, "user")
	got, _ := json.Marshal(v)
	want := `{"include":["reasoning.encrypted_content","message.output_text.logprobs"],` +
		`"input":[{"content":"S","role":"system"},{"content":[{"text":"T","type":"input_text"},{"detail":"auto","image_url":"https://x.test/a.png","type":"input_image"}],"role":"user"},` +
		`{"arguments":"{}","call_id":"c1","name":"f","type":"function_call"},{"call_id":"c1","output":"R","type":"function_call_output"}],` +
		`"max_output_tokens":9,"model":"openai/gpt-5","reasoning":{"effort":"high"},"store":false,` +
		`"text":{"format":{"name":"answer","schema":{"type":"object"},"type":"json_schema"}},"tool_choice":{"name":"f","type":"function"},` +
		`"tools":[{"name":"f","parameters":{"properties":{},"type":"object"},"strict":false,"type":"function"},{"type":"web_search"}],"truncation":"auto"}`
	if string(got) != want {
		t.Errorf("the request is\n%s\nwant\n%s", got, want)
	}
}

// TestFromAnthropic says what thinking, failures and documents become.
func TestFromAnthropic(t *testing.T) {
	req, err := anthropic.Dialect.Client.DecodeChat([]byte(`{"model":"gpt-4o","max_tokens":99,"thinking":{"type":"enabled","budget_tokens":9000},
		"tools":[{"type":"web_search_20250305","name":"web_search"},{"type":"bash_20250124","name":"bash"}],"top_k":5,
		"messages":[{"role":"user","content":[{"type":"document","title":"T","source":{"type":"text","media_type":"text/plain","data":"D"}}]},
		{"role":"assistant","content":[{"type":"thinking","thinking":"mine","signature":"b3BlbmFpgAAA"},{"type":"thinking","thinking":"theirs","signature":"EqQB"},
		{"type":"redacted_thinking","data":"zz"},{"type":"text","text":"A"},{"type":"tool_use","id":"t1","name":"f","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":"broken"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	up, err := encode(req)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"role":"user","content":"T\n\nD"},{"type":"reasoning","summary":[{"type":"summary_text","text":"mine"}],"encrypted_content":"gAAA"},` +
		`{"role":"assistant","content":[{"type":"output_text","text":"A"}]},{"type":"function_call","arguments":"{}","call_id":"t1","name":"f"},` +
		`{"type":"function_call_output","call_id":"t1","output":[{"type":"input_text","text":"Error: "},{"type":"input_text","text":"broken"}]}]`
	got := gjson.GetBytes(up.Body, "input").Raw
	got = strings.Replace(got, `[{"type":"input_text","text":"T\n\nD"}]`, `"T\n\nD"`, 1)
	if got != want {
		t.Errorf("the input is\n%s\nwant\n%s", got, want)
	}
	if got := gjson.GetBytes(up.Body, "tools").Raw; got != `[{"type":"web_search"}]` {
		t.Errorf("the tools are %s", got)
	}
	if got := gjson.GetBytes(up.Body, "reasoning").Raw; got != `{"effort":"medium","summary":"auto"}` {
		t.Errorf("the reasoning is %s", got)
	}
	if gjson.GetBytes(up.Body, "include").Exists() {
		t.Error("a model that does not reason is asked for reasoning")
	}
	if !slices.Contains(up.Dropped, "tools") || !slices.Contains(up.Dropped, "top_k") {
		t.Errorf("dropped %q", up.Dropped)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for param, m := range map[string]schema.Message{
		"messages[0].role":         {Role: "robot"},
		"messages[0].tool_call_id": {Role: schema.RoleTool},
		"messages[0].content[0]":   {Role: schema.RoleUser, Parts: []schema.Part{{Type: schema.PartImage}}},
	} {
		_, err := encode(&schema.ChatRequest{Messages: []schema.Message{m}})
		if e := new(schema.Error); !errors.As(err, &e) || e.Param != param {
			t.Errorf("%+v: %v, want param %q", m, err, param)
		}
	}
}
