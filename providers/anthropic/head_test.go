package anthropic

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/providertest"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

func TestHead(t *testing.T) {
	raw := []byte(` {"max_tokens":100,"system":[{"type":"text","text":"s"}],"model":"claude-x","stream":true,
		"metadata":{"user_id":"u-1","team":"blue","none":null},"tools":[{"name":"f"}],
		"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"image"}]}]}]}`)
	h, err := head(schema.OpChat, raw)
	if err != nil {
		t.Fatal(err)
	}
	if h.Model != "claude-x" || !h.Stream || h.MaxTokens != 100 || h.User != "u-1" || h.N != 1 || !h.WantsUsage || !h.HasMedia {
		t.Errorf("head is %+v", h)
	}
	if len(h.Tags) != 1 || h.Tags[0] != "team:blue" {
		t.Errorf("tags are %q", h.Tags)
	}
	if at := h.ModelAt; string(raw[at.From:at.To]) != `"claude-x"` {
		t.Errorf("the model stands at %q", raw[at.From:at.To])
	}
	want := len(gjson.GetBytes(raw, "messages").Raw) + len(gjson.GetBytes(raw, "system").Raw) + len(gjson.GetBytes(raw, "tools").Raw)
	if h.PromptSize != want {
		t.Errorf("the prompt has %d bytes, want %d", h.PromptSize, want)
	}
}

func TestHeadRefuses(t *testing.T) {
	const messages = `"messages":[{"role":"user","content":"hi"}]`
	for body, want := range map[string]string{
		`{`:                                 "invalid_json ",
		`[]`:                                "invalid_json ",
		`{"max_tokens":1,` + messages + `}`: "invalid_request model",
		`{"model":"","max_tokens":1,` + messages + `}`:                           "invalid_request model",
		`{"model":5,"max_tokens":1,` + messages + `}`:                            "invalid_request model",
		`{"model":"m",` + messages + `}`:                                         "invalid_request max_tokens",
		`{"model":"m","max_tokens":"5",` + messages + `}`:                        "invalid_request max_tokens",
		`{"model":"m","max_tokens":-1,` + messages + `}`:                         "invalid_request max_tokens",
		`{"model":"m","max_tokens":1.5,` + messages + `}`:                        "invalid_request max_tokens",
		`{"model":"m","max_tokens":null,` + messages + `}`:                       "invalid_request max_tokens",
		`{"model":"m","max_tokens":1}`:                                           "invalid_request messages",
		`{"model":"m","max_tokens":1,"messages":[ ]}`:                            "invalid_request messages",
		`{"model":"m","max_tokens":1,"messages":"hi"}`:                           "invalid_request messages",
		`{"model":"m","max_tokens":1,"system":{},` + messages + `}`:              "invalid_request system",
		`{"model":"m","max_tokens":1,"tools":{},` + messages + `}`:               "invalid_request tools",
		`{"model":"m","max_tokens":1,"stream":"yes",` + messages + `}`:           "invalid_request stream",
		`{"model":"m","max_tokens":1,"metadata":"u",` + messages + `}`:           "invalid_request metadata",
		`{"model":"m","max_tokens":1,"metadata":{"user_id":1},` + messages + `}`: "invalid_request metadata",
		`{"model":"m","max_tokens":1,"max_tokens":9,` + messages + `}`:           "invalid_request max_tokens",
		`{"model":"m","max_tokens":1,"Model":"n",` + messages + `}`:              "invalid_request model",
	} {
		_, err := head(schema.OpChat, []byte(body))
		var e *schema.Error
		if !errors.As(err, &e) || string(e.Code)+" "+e.Param != want || e.Status != 400 {
			t.Errorf("%s gives %v, want %s", body, err, want)
		}
	}
	for _, body := range []string{
		`{"model":"m","max_tokens":0,` + messages + `}`,
		`{"model":"m","max_tokens":1,"stream":null,"system":null,"tools":null,"metadata":null,` + messages + `}`,
	} {
		if _, err := head(schema.OpChat, []byte(body)); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
	if _, err := head(schema.OpCount, []byte(`{"model":"m",`+messages+`}`)); err != nil {
		t.Errorf("a count needs no max_tokens: %v", err)
	}
}

func TestHasMedia(t *testing.T) {
	for content, want := range map[string]bool{
		`"an \"image\" in words"`:                               false,
		`[{"type":"text","text":"image"}]`:                      false,
		`[{"type":"text","text":"x","kind":"image"}]`:           false,
		`[{"type":"image"}]`:                                    true,
		`[{"type":"text","text":"a"},{"type" : "document"}]`:    true,
		`[{"type":"tool_result","content":"image"}]`:            false,
		`[{"type":"tool_result","content":[{"type":"image"}]}]`: true,
	} {
		if got := hasMedia(gjson.Parse(`[{"role":"user","content":` + content + `}]`)); got != want {
			t.Errorf("%s: %v, want %v", content, got, want)
		}
	}
}

func TestSplice(t *testing.T) {
	const tail = `,"messages":[{"role":"user","content":"\u00e9 hi"}],"x":  1.0}`
	for _, tc := range []struct {
		body, model string
		limit       int64
		want        string
	}{
		{`{"model":"a","max_tokens":100` + tail, "a", 0, `{"model":"a","max_tokens":100` + tail},
		{`{"model":"a","max_tokens":100` + tail, "b\"", 7, `{"model":"b\"","max_tokens":7` + tail},
		{`{"max_tokens" : 100, "model":"a"` + tail, "b", 7, `{"max_tokens" : 7, "model":"b"` + tail},
		{`{"max_tokens":100,"model":"a"` + tail, "a", 7, `{"max_tokens":7,"model":"a"` + tail},
		{`{"model":"a","max_tokens":0` + tail, "b", 7, `{"model":"b","max_tokens":0` + tail},
	} {
		h, err := head(schema.OpChat, []byte(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		if got := providertest.Spliced(splice, []byte(tc.body), &h, tc.model, tc.limit); string(got) != tc.want {
			t.Errorf("%s\ngives %s\nwant  %s", tc.body, got, tc.want)
		}
	}
	body := []byte(`{"model":"a"` + tail)
	h, err := head(schema.OpCount, body)
	if err != nil {
		t.Fatal(err)
	}
	if got := providertest.SplicedCount(spliceCount, body, &h, "b"); string(got) != `{"model":"b"`+tail {
		t.Errorf("the count's body is %s", got)
	}
}

func TestForeign(t *testing.T) {
	for body, want := range map[string]bool{
		`{"messages":[]}`: false,
		`{"type":"thinking","thinking":"a","signature":"c2ln"}`:                            false,
		`{"type":"thinking","thinking":"a","signature":"c2ln"},{"signature": "" }`:         true,
		`{"type":"thinking","thinking":"a","signature":"` + wire.MarkGemini("c2ln") + `"}`: true,
		`{"type":"text","text":"\"signature\":\"\""}`:                                      false,
		`{"signature":5,"signature":`:                                                      false,
		`{"type":"tool_use","id":"` + wire.SignCall("c", "c2ln") + `"}`:                    true,
	} {
		if got := foreign([]byte(body)); got != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
}

func FuzzHead(f *testing.F) {
	f.Add([]byte(`{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"image"}]}],"system":"s","tools":[],"metadata":{"user_id":"u"}}`))
	f.Add([]byte(`{"max_tokens":0,"messages":[{}],"model":"\u0041"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, op := range []schema.Operation{schema.OpChat, schema.OpCount} {
			h, err := head(op, raw)
			if err != nil {
				if !errors.As(err, new(*schema.Error)) {
					t.Fatalf("%v is no *schema.Error", err)
				}
				continue
			}
			out := providertest.Spliced(splice, raw, &h, "other/model", 3)
			if !json.Valid(out) {
				t.Fatalf("%s is spliced to %s", raw, out)
			}
			if got, err := head(op, out); err != nil || got.Model != "other/model" || h.MaxTokens > 0 && got.MaxTokens != 3 {
				t.Fatalf("%s is spliced to %s: %v", raw, out, err)
			}
			foreign(raw)
		}
	})
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add([]byte(`{"model":"m","max_tokens":5,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"document","source":{"type":"content","content":"x"}}],"is_error":true},{"type":"image","source":{"type":"base64","data":"AA==","media_type":"image/png"}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"s"},{"type":"tool_use","id":"t","name":"n","input":{}}]}],"tools":[{"name":"n","input_schema":{},"strict":true,"x":1}],"tool_choice":{"type":"any","disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":1e3},"output_config":{"effort":"max","format":{"type":"json_schema","schema":{}},"x":1},"container":"c"}`))
	f.Add([]byte(`{"model":"m","max_tokens":5,"messages":[{"role":"system","content":"x"},{"role":"user","content":""}],"thinking":{"type":"disabled"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := head(schema.OpCount, raw); err != nil {
			return
		}
		req, err := decodeRequest(raw)
		if err != nil {
			if !errors.As(err, new(*schema.Error)) {
				t.Fatalf("%v is no *schema.Error", err)
			}
			return
		}
		for name, encode := range map[string]func(*schema.ChatRequest) ([]byte, error){"chat": chatBody, "count": countBody, "openai": openaiBody} {
			body, err := encode(req)
			if err == nil && !json.Valid(body) {
				t.Fatalf("%s becomes %s for %s", raw, body, name)
			}
		}
	})
}
