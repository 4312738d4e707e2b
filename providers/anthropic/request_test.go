package anthropic

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/openai"
	"sluice/providers/schema"
)

func chatBody(req *schema.ChatRequest) ([]byte, error) {
	up, err := encode(req)
	if err != nil {
		return nil, err
	}
	return up.Body, nil
}

func countBody(req *schema.ChatRequest) ([]byte, error) {
	up, err := encodeCount(req)
	if err != nil {
		return nil, err
	}
	return up.Body, nil
}

func openaiBody(req *schema.ChatRequest) ([]byte, error) {
	up, err := openai.Dialect.Chat.Encode(req)
	if err != nil {
		return nil, err
	}
	return up.Body, nil
}

// asked wraps fields in a request.
func asked(fields string) []byte {
	if fields != "" {
		fields = "," + fields
	}
	return []byte(`{"model":"claude-opus-4-6","max_tokens":5000,"messages":[{"role":"user","content":"hi"}]` + fields + `}`)
}

// Whatever the unified form takes up comes out again for Anthropic's own API.
// Where the form is another, want says it.
func TestRequestsComeBack(t *testing.T) {
	for name, tc := range map[string]struct{ fields, want string }{
		"nothing":            {"", ""},
		"samplers":           {`"temperature":0,"top_k":5,"stop_sequences":["a","b"]`, ""},
		"system":             {`"system":"Be brief."`, `"system":[{"type":"text","text":"Be brief."}]`},
		"system, cached":     {`"system":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral","ttl":"1h"}}]`, ""},
		"stream and user":    {`"stream":true,"metadata":{"user_id":"u"}`, ""},
		"tier":               {`"service_tier":"standard_only"`, ""},
		"tools":              {`"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"x":{"type":"string"}}},"cache_control":{"type":"ephemeral"},"defer_loading":true,"input_examples":[{"x":"1"}]},{"type":"web_search_20250305","name":"web_search","max_uses":2}]`, ""},
		"any tool, one":      {`"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"any","disable_parallel_tool_use":true}`, ""},
		"this tool":          {`"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"f"}`, ""},
		"no tool":            {`"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"none"}`, ""},
		"budget":             {`"thinking":{"type":"enabled","budget_tokens":2000}`, ""},
		"hidden budget":      {`"thinking":{"type":"enabled","budget_tokens":2000,"display":"omitted"}`, ""},
		"adaptive":           {`"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"max"}`, ""},
		"hidden":             {`"thinking":{"type":"adaptive","display":"omitted"}`, ""},
		"effort alone":       {`"output_config":{"effort":"low"}`, ""},
		"effort, no thought": {`"thinking":{"type":"disabled"},"output_config":{"effort":"low","x":1}`, `"output_config":{"effort":"low","x":1}`},
		"a kind to come":     {`"thinking":{"type":"between_tools"}`, ""},
		"format":             {`"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}},"task_budget":{"type":"tokens","total":5}}`, ""},
		"the beta's format": {`"output_format":{"type":"json_schema","schema":{"type":"object","properties":{},"additionalProperties":false}}`,
			`"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{},"additionalProperties":false}}}`},
		"its own": {`"container":"c1","mcp_servers":[{"type":"url","url":"https://x.test","name":"x"}],"context_management":{"edits":[]},"cache_control":{"type":"ephemeral"},"speed":"fast"`, ""},
	} {
		req, err := decodeRequest(asked(tc.fields))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		up, err := encode(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := tc.want
		if want == "" {
			want = tc.fields
		}
		sameRequest(t, name, up.Body, asked(want))
		if len(up.Dropped) > 0 {
			t.Errorf("%s: %q are dropped", name, up.Dropped)
		}
	}
}

func TestMessagesComeBack(t *testing.T) {
	for name, messages := range map[string]string{
		"media": `[{"role":"user","content":[
			{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="},"cache_control":{"type":"ephemeral"}},
			{"type":"image","source":{"type":"url","url":"https://x.test/a.png"}},{"type":"image","source":{"type":"file","file_id":"file_1"}},
			{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="},"title":"T","context":"C","citations":{"enabled":true}},
			{"type":"document","source":{"type":"text","media_type":"text/plain","data":"é\n"}},
			{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},"title":"T"},
			{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"url","url":"https://x.test"}}]}},
			{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"x"}]},
			{"type":"container_upload","file_id":"f"}]}]`,
		"tools": `[{"role":"user","content":[{"type":"text","text":"go"}]},
			{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"I look."},
			{"type":"tool_use","id":"t1","name":"f","input":{"x":1.0},"cache_control":{"type":"ephemeral"}},{"type":"tool_use","id":"t2","name":"g","input":{},"caller":{"type":"code_execution_20250825","tool_id":"s"}}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":[{"type":"text","text":"bad"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},{"type":"tool_reference","tool_name":"f"}],"cache_control":{"type":"ephemeral"}},
			{"type":"tool_result","tool_use_id":"t2","toolset_name":"b","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"and?"}]}]`,
		"server tools": `[{"role":"user","content":[{"type":"text","text":"go"}]},
			{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"s1"},{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"q"}},
			{"type":"web_search_tool_result","tool_use_id":"s","content":[]},{"type":"thinking","thinking":"b","signature":"s2"},
			{"type":"text","text":"x","citations":[{"type":"web_search_result_location","url":"u","title":"t","cited_text":"c","encrypted_index":"e"}]}]},
			{"role":"user","content":[{"type":"text","text":"more","cache_control":{"type":"ephemeral"}}]}]`,
	} {
		raw := []byte(`{"model":"claude-opus-4-6","max_tokens":5000,"messages":` + messages + `}`)
		req, err := decodeRequest(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		up, err := encode(req)
		if err != nil || len(up.Dropped) > 0 {
			t.Errorf("%s: %v, %v", name, up, err)
			continue
		}
		sameRequest(t, name, up.Body, raw)
	}
}

// sameRequest compares two bodies by meaning: a content that is a string and
// one block of text are the same.
func sameRequest(t *testing.T, name string, got, want []byte) {
	t.Helper()
	var a, b any
	if err := errors.Join(json.Unmarshal(got, &a), json.Unmarshal(want, &b)); err != nil {
		t.Fatalf("%s: %v in %s", name, err, got)
	}
	if a, b = meaning(a), meaning(b); !reflect.DeepEqual(a, b) {
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		t.Errorf("%s: came back as\n%s\nwant\n%s", name, x, y)
	}
}

// meaning puts the forms that mean the same into one.
func meaning(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			text, isText := value.(string)
			switch {
			case (key == "content" || key == "system") && isText:
				v[key] = []any{map[string]any{"type": "text", "text": text}}
			case key == "is_error" && value == false, key == "stream" && value == false, key == "content" && value == nil,
				key == "type" && v["input_schema"] != nil && value == "custom", key == "description" && value == "",
				key == "caller" && reflect.DeepEqual(value, map[string]any{"type": "direct"}):
				delete(v, key)
			case key == "content" && reflect.DeepEqual(value, []any{}) && v["type"] == "tool_result":
				delete(v, key)
			default:
				v[key] = meaning(value)
			}
		}
	case []any:
		for i := range v {
			v[i] = meaning(v[i])
		}
	}
	return v
}

// What an OpenAI-shaped provider gets: gjson paths into its body.
func TestRequestsForOpenAI(t *testing.T) {
	req, err := decodeRequest([]byte(`{"model":"m","max_tokens":10,"stream":true,"system":[{"type":"text","text":"S"}],"messages":[
		{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}]},
		{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"t"},{"type":"tool_use","id":"t1","name":"f","input":{"x": 1}},{"type":"tool_use","id":"t2","name":"g","input":{}}]},
		{"role":"user","content":[{"type":"text","text":"and?"},{"type":"tool_result","tool_use_id":"t1","content":"one"},{"type":"tool_result","tool_use_id":"t2","content":[{"type":"text","text":"two"},{"type":"image","source":{"type":"url","url":"https://x.test/i"}}]}]}],
		"tools":[{"name":"f","input_schema":{"type":"object"},"defer_loading":true},{"type":"web_search_20250305","name":"web_search"}],
		"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":20000},
		"stop_sequences":["x"],"top_k":3,"metadata":{"user_id":"u"},"service_tier":"standard_only","container":"c","temperature":0.5,
		"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	up, err := openai.Dialect.Chat.Encode(req)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"messages.0.role": "system", "messages.0.content": "S", "messages.1.content.1.image_url.url": "data:image/png;base64,AA==",
		"messages.2.content": "t", "messages.2.tool_calls.0.id": "t1", "messages.2.tool_calls.0.function.arguments": `{"x": 1}`,
		"messages.2.tool_calls.1.function.arguments": "{}", "messages.3.role": "tool", "messages.3.tool_call_id": "t1", "messages.3.content": "one",
		"messages.4.tool_call_id": "t2", "messages.4.content": "two", "messages.5.role": "user", "messages.5.content.0.image_url.url": "https://x.test/i",
		"messages.6.content": "and?", "tools.#": "1", "tools.0.function.name": "f", "tool_choice.function.name": "f", "parallel_tool_calls": "false",
		"reasoning_effort": "high", "stop": `["x"]`, "user": "u", "service_tier": "default", "container": "", "temperature": "0.5", "max_completion_tokens": "10",
		"response_format.json_schema.schema.type": "object", "stream": "true", "thinking": "", "tools.0.defer_loading": "",
	} {
		if got := gjson.GetBytes(up.Body, path).String(); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	for _, name := range []string{"container", "tools", "top_k"} {
		if !slices.Contains(up.Dropped, name) {
			t.Errorf("%s is not among the dropped %q", name, up.Dropped)
		}
	}
}

func TestRequestsRefused(t *testing.T) {
	turn := func(role, content string) string {
		return fmt.Sprintf(`{"model":"m","max_tokens":5,"messages":[{"role":%q,"content":%s}]}`, role, content)
	}
	for body, param := range map[string]string{
		`[]`:                                                                                   "",
		string(asked(`"temperature":"hot"`)):                                                   "temperature",
		string(asked(`"top_k":1.5`)):                                                           "top_k",
		string(asked(`"stop_sequences":"x"`)):                                                  "stop_sequences",
		string(asked(`"service_tier":1`)):                                                      "service_tier",
		string(asked(`"thinking":"much"`)):                                                     "thinking",
		string(asked(`"thinking":{}`)):                                                         "thinking.type",
		string(asked(`"thinking":{"type":"enabled"}`)):                                         "thinking.budget_tokens",
		string(asked(`"output_config":{"effort":5}`)):                                          "output_config.effort",
		string(asked(`"output_config":[]`)):                                                    "output_config",
		string(asked(`"output_config":{"format":{"type":"x"}}`)):                               "output_config.format",
		string(asked(`"output_format":{"type":"json_schema"}`)):                                "output_format",
		string(asked(`"tools":[1]`)):                                                           "tools[0]",
		string(asked(`"tools":[{"input_schema":{}}]`)):                                         "tools[0].name",
		string(asked(`"tools":[{"name":"f"}]`)):                                                "tools[0].input_schema",
		string(asked(`"tool_choice":"auto"`)):                                                  "tool_choice.type",
		string(asked(`"tool_choice":{"type":"tool"}`)):                                         "tool_choice.name",
		string(asked(`"system":[{"type":"image","source":{"type":"url","url":"u"}}]`)):         "system[0]",
		`{"model":"m","max_tokens":0,"messages":[{"role":"user","content":"x"}]}`:              "max_tokens",
		turn("tool", `"x"`):                                                                    "messages[0].role",
		turn("user", `5`):                                                                      "messages[0].content",
		turn("user", `["x"]`):                                                                  "messages[0].content[0]",
		turn("user", `[{"text":"x"}]`):                                                         "messages[0].content[0].type",
		turn("user", `[{"type":"text"}]`):                                                      "messages[0].content[0].text",
		turn("user", `[{"type":"image"}]`):                                                     "messages[0].content[0].source.type",
		turn("user", `[{"type":"image","source":{"type":"base64"}}]`):                          "messages[0].content[0].source.data",
		turn("user", `[{"type":"image","source":{"type":"url"}}]`):                             "messages[0].content[0].source.url",
		turn("user", `[{"type":"document","source":{"type":"file"}}]`):                         "messages[0].content[0].source.file_id",
		turn("user", `[{"type":"tool_result","content":"x"}]`):                                 "messages[0].content[0].tool_use_id",
		turn("user", `[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text"}]}]`): "messages[0].content[0].content[0].text",
		turn("assistant", `[{"type":"tool_use","id":"t"}]`):                                    "messages[0].content[0]",
		turn("assistant", `[{"type":"tool_use","id":"t","name":"f","input":[]}]`):              "messages[0].content[0].input",
		turn("system", `[{"type":"document","source":{"type":"text","data":"x"}}]`):            "messages[0].content[0]",
	} {
		_, err := decodeRequest([]byte(body))
		var e *schema.Error
		if !errors.As(err, &e) || e.Param != param || e.Status != 400 {
			t.Errorf("%s gives %v, want a fault of %q", body, err, param)
		}
	}
}

func TestEffortOfAnotherModel(t *testing.T) {
	req, err := decodeRequest([]byte(`{"model":"claude-haiku-4-5","max_tokens":9,"messages":[{"role":"user","content":"x"}],"output_config":{"effort":"low"}}`))
	if err != nil {
		t.Fatal(err)
	}
	up, err := encode(req)
	if err != nil || gjson.GetBytes(up.Body, "output_config").Exists() || gjson.GetBytes(up.Body, "thinking").Exists() || !slices.Equal(up.Dropped, []string{"reasoning_effort"}) {
		t.Errorf("a model without effort gets %s, dropped %q, %v", up.Body, up.Dropped, err)
	}
}
