package responses

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/providertest"
	"sluice/providers/schema"
)

func TestHead(t *testing.T) {
	body := `{"instructions":"i","model":"m","stream":true,"max_output_tokens":7,"input":[{"role":"user","content":[{"type":"input_image"}]}],
		"tools":[],"metadata":{"a":"b"},"safety_identifier":"s","store":false}`
	h, err := head(schema.OpChat, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if h.Model != "m" || !h.Stream || !h.WantsUsage || h.MaxTokens != 7 || h.N != 1 || h.User != "s" || !h.HasMedia || len(h.Tags) != 1 || h.Tags[0] != "a:b" ||
		h.PromptSize != 57 || body[h.ModelAt.From:h.ModelAt.To] != `"m"` {
		t.Errorf("%+v", h)
	}
	for _, ok := range []string{
		`{"model":"m","previous_response_id":"resp_1"}`, `{"prompt":{"id":"p"}}`, `{"model":"m","conversation":"c"}`,
		`{"model":"m","input":"x","user":null,"stream":null,"max_output_tokens":null,"tools":null,"metadata":null,"prompt":null}`,
		`{"model":"m","input":[{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"x"}]}]}`,
	} {
		if h, err := head(schema.OpChat, []byte(ok)); err != nil || h.HasMedia {
			t.Errorf("%s: %+v, %v", ok, h, err)
		}
	}
}

func TestHeadRefuses(t *testing.T) {
	for body, param := range map[string]string{
		`{"input":"x"}`:                                   "model",
		`{"model":"","input":"x"}`:                        "model",
		`{"model":"m"}`:                                   "input",
		`{"model":"m","input":{}}`:                        "input",
		`{"model":"m","Model":"n","input":"x"}`:           "model",
		`{"model":"m","model":"n","input":"x"}`:           "model",
		`{"model":"m","input":"x","instructions":[]}`:     "instructions",
		`{"model":"m","input":"x","stream":"yes"}`:        "stream",
		`{"model":"m","input":"x","store":1}`:             "store",
		`{"model":"m","input":"x","max_output_tokens":0}`: "max_output_tokens",
		`{"model":"m","input":"x","tools":{}}`:            "tools",
		`{"model":"m","input":"x","metadata":[]}`:         "metadata",
		`{"model":"m","input":"x","metadata":{"a":1}}`:    "metadata",
		`{"model":"m","input":"x","user":1}`:              "user",
		`{"model":"m","previous_response_id":1}`:          "previous_response_id",
		`{"prompt":{}}`:                                   "prompt",
	} {
		_, err := head(schema.OpChat, []byte(body))
		if e := new(schema.Error); !errors.As(err, &e) || e.Param != param || e.Status != 400 {
			t.Errorf("%s: %v, want param %q", body, err, param)
		}
	}
	if _, err := head(schema.OpChat, []byte(`{`)); schema.AsError(err).Code != schema.CodeInvalidJSON {
		t.Errorf("not JSON: %v", err)
	}
}

func TestSplice(t *testing.T) {
	for _, c := range []struct {
		body, model string
		limit       int64
		want        string
	}{
		{`{"model":"m","input":"x"}`, "m", 0, `{"model":"m","input":"x"}`},
		{`{"model":"m","input":"x"}`, "n", 0, `{"model":"n","input":"x"}`},
		{`{"model":"m","input":"x"}`, "n", 5, `{"max_output_tokens":5,"model":"n","input":"x"}`},
		{`{"model":"m","max_output_tokens":9,"input":"x"}`, "n", 5, `{"model":"n","max_output_tokens":5,"input":"x"}`},
		{`{ "max_output_tokens": 9, "model":"m","input":"x"}`, "m", 5, `{ "max_output_tokens": 5, "model":"m","input":"x"}`},
		{`{"max_output_tokens":null,"model":"m","input":"x"}`, "n", 0, `{"max_output_tokens":null,"model":"n","input":"x"}`},
		{`{"prompt":{"id":"p"}}`, "n", 5, `{"model":"n","max_output_tokens":5,"prompt":{"id":"p"}}`},
	} {
		h, err := head(schema.OpChat, []byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(providertest.Spliced(splice, []byte(c.body), &h, c.model, c.limit)); got != c.want {
			t.Errorf("%s: %s, want %s", c.body, got, c.want)
		}
	}
}

func TestSpliceNull(t *testing.T) {
	body := []byte(`{"max_output_tokens":null,"model":"m","input":"x"}`)
	h, err := head(schema.OpChat, body)
	if err != nil {
		t.Fatal(err)
	}
	out := providertest.Spliced(splice, body, &h, "m", 5)
	var all []string
	gjson.ParseBytes(out).ForEach(func(key, _ gjson.Result) bool { all = append(all, key.Str); return true })
	if !json.Valid(out) || len(all) != 3 || gjson.GetBytes(out, fieldMaxTokens).Int() != 5 {
		t.Errorf("%s", out)
	}
}

func TestPromptOf(t *testing.T) {
	id, version, vars, ok, err := PromptOf([]byte(`{"prompt":{"id":"p","version":2,"variables":{"a":"b","c":{"type":"input_text","text":"t"}}}}`))
	if id != "p" || version != "2" || vars["a"] != "b" || vars["c"].(map[string]any)["text"] != "t" || !ok || err != nil {
		t.Errorf("%q %q %v %v %v", id, version, vars, ok, err)
	}
	for _, none := range []string{`{}`, `{"prompt":null}`} {
		if _, _, _, ok, err := PromptOf([]byte(none)); ok || err != nil {
			t.Errorf("%s: %v %v", none, ok, err)
		}
	}
	for body, param := range map[string]string{`{`: "", `{"prompt":"p"}`: "prompt", `{"prompt":{"id":"p","version":[]}}`: "prompt.version",
		`{"prompt":{"id":"p","variables":[]}}`: "prompt.variables"} {
		if _, _, _, _, err := PromptOf([]byte(body)); schema.AsError(err).Param != param || schema.AsError(err).Status != 400 {
			t.Errorf("%s: %v", body, err)
		}
	}
}
