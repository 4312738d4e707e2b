package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sluice/providers/schema"
)

func TestHead(t *testing.T) {
	raw := " \n{\"messages\": [{\"role\":\"user\",\"content\":\"hi\"}], \"max_tokens\" : 12, \"mod\\u0065l\":\"a\\/b\", \"stream\":true," +
		"\"stream_options\":{\"include_usage\":true},\"n\":2,\"user\":\"u\",\"metadata\":{\"k\":\"v\"},\"tools\":[ ],\"other\":{\"model\":1}}"
	h, err := head(schema.OpChat, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if h.Model != "a/b" || !h.Stream || !h.WantsUsage || h.MaxTokens != 12 || h.N != 2 || h.User != "u" ||
		len(h.Tags) != 1 || h.Tags[0] != "k:v" || h.HasMedia || h.MaxTokensName != "max_tokens" {
		t.Errorf("head is %+v", h)
	}
	span := func(s schema.Span) string { return raw[s.From:s.To] }
	if span(h.ModelAt) != `"a\/b"` || span(h.MaxTokensAt) != "12" || span(h.StreamOptionsAt) != `{"include_usage":true}` || raw[h.BodyAt-1] != '{' {
		t.Errorf("spans are %q %q %q %d", span(h.ModelAt), span(h.MaxTokensAt), span(h.StreamOptionsAt), h.BodyAt)
	}
	if want := len(`[{"role":"user","content":"hi"}]`) + len(`[ ]`); h.PromptSize != want {
		t.Errorf("the prompt's size is %d, want %d", h.PromptSize, want)
	}
	media := `{"model":"m","messages":[{"content":[{"type":"image_url","image_url":{"url":"x"}}]}]}`
	if h, err = head(schema.OpChat, []byte(media)); err != nil || !h.HasMedia {
		t.Errorf("media: %+v, %v", h, err)
	}
	quoted := `{"model":"m","messages":[{"content":"say \"image_url\""}]}`
	if h, err = head(schema.OpChat, []byte(quoted)); err != nil || h.HasMedia {
		t.Errorf("text about media: %+v, %v", h, err)
	}
	if h, err = head(schema.OpEmbed, []byte(`{"input":"abc","model":"e"}`)); err != nil || h.PromptSize != 5 {
		t.Errorf("embed: %+v, %v", h, err)
	}
}

func TestHeadRefuses(t *testing.T) {
	const m = `"messages":[1]`
	cases := []struct {
		raw, param string
		code       schema.Code
	}{
		{raw: ``, code: schema.CodeInvalidJSON},
		{raw: `null`, code: schema.CodeInvalidJSON},
		{raw: `[1]`, code: schema.CodeInvalidJSON},
		{raw: `{"model":"m",` + m + `} x`, code: schema.CodeInvalidJSON},
		{raw: `{"model":"m",` + m + `,}`, code: schema.CodeInvalidJSON},
		{raw: `{"model":"m",` + m, code: schema.CodeInvalidJSON},
		{raw: `{"model":"m","messages":` + strings.Repeat("[", 1000000), code: schema.CodeInvalidJSON},
		{raw: `{"model":"m","x":` + strings.Repeat(`[{"a":`, 600) + "1" + strings.Repeat(`}]`, 600) + `,` + m + `}`, code: schema.CodeInvalidJSON},
		{raw: `{` + m + `}`, param: "model"},
		{raw: `{"model":7,` + m + `}`, param: "model"},
		{raw: `{"model":"",` + m + `}`, param: "model"},
		{raw: `{"model":"a","model":"b",` + m + `}`, param: "model"},
		{raw: `{"model":"a","mod\u0065l":"b",` + m + `}`, param: "model"},
		{raw: `{"model":"a","MODEL":"b",` + m + `}`, param: "model"},
		{raw: `{"model":"a","max_to\u212aens":5,` + m + `}`, param: "max_tokens"},
		{raw: `{"model":"a","messageſ":5,` + m + `}`, param: "messages"},
		{raw: `{"model":"a"}`, param: "messages"},
		{raw: `{"model":"a","messages":[ ]}`, param: "messages"},
		{raw: `{"model":"a","messages":"hi"}`, param: "messages"},
		{raw: `{"model":"a","stream":"yes",` + m + `}`, param: "stream"},
		{raw: `{"model":"a","stream_options":1,` + m + `}`, param: "stream_options"},
		{raw: `{"model":"a","stream_options":{"include_usage":1},` + m + `}`, param: "stream_options.include_usage"},
		{raw: `{"model":"a","stream_options":{"include_usage":false,"include_usage":true},` + m + `}`, param: "include_usage"},
		{raw: `{"model":"a","max_tokens":0,` + m + `}`, param: "max_tokens"},
		{raw: `{"model":"a","max_tokens":1.5,` + m + `}`, param: "max_tokens"},
		{raw: `{"model":"a","max_tokens":"5",` + m + `}`, param: "max_tokens"},
		{raw: `{"model":"a","max_tokens":99999999999999999999,` + m + `}`, param: "max_tokens"},
		{raw: `{"model":"a","max_tokens":1,"max_completion_tokens":2,` + m + `}`, param: "max_completion_tokens"},
		{raw: `{"model":"a","n":0,` + m + `}`, param: "n"},
		{raw: `{"model":"a","n":129,` + m + `}`, param: "n"},
		{raw: `{"model":"a","user":{},` + m + `}`, param: "user"},
		{raw: `{"model":"a","metadata":[],` + m + `}`, param: "metadata"},
		{raw: `{"model":"a","metadata":{"k":1},` + m + `}`, param: "metadata"},
		{raw: `{"model":"a","tools":{},` + m + `}`, param: "tools"},
	}
	for _, c := range cases {
		_, err := head(schema.OpChat, []byte(c.raw))
		var e *schema.Error
		if !errors.As(err, &e) {
			t.Errorf("%.80s was taken", c.raw)
			continue
		}
		if c.code == "" {
			c.code = schema.CodeInvalidRequest
		}
		if e.Code != c.code || e.Param != c.param || e.Status != 400 {
			t.Errorf("%.80s gave %+v, want %s of %q", c.raw, e, c.code, c.param)
		}
	}
	for _, raw := range []string{`{"model":"e"}`, `{"model":"e","input":""}`, `{"model":"e","input":[]}`, `{"model":"e","input":5}`} {
		if _, err := head(schema.OpEmbed, []byte(raw)); err == nil || schema.AsError(err).Param != "input" {
			t.Errorf("%s gave %v", raw, err)
		}
	}
}

// TestHeadAllocates holds the hot path to its budget: the model's string.
func TestHeadAllocates(t *testing.T) {
	raw := benchBody()
	if n := testing.AllocsPerRun(100, func() {
		if _, err := head(schema.OpChat, raw); err != nil {
			t.Fatal(err)
		}
	}); n > 2 {
		t.Errorf("head allocates %v times", n)
	}
}

func benchBody() []byte {
	var messages []string
	for i := range 40 {
		messages = append(messages, fmt.Sprintf(`{"role":"user","content":"%d %s"}`, i, strings.Repeat("some text with an \\n escape, ", 28)))
	}
	return []byte(`{"model":"gpt-4o","temperature":0.2,"messages":[` + strings.Join(messages, ",") + `],"stream":true}`)
}

func BenchmarkHead(b *testing.B) {
	raw := benchBody()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := head(schema.OpChat, raw); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzHead(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[1]}`))
	f.Add([]byte(`{"model":"m","input":["a"],"metadata":{"a":"b"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, op := range []schema.Operation{schema.OpChat, schema.OpEmbed} {
			if _, err := head(op, raw); err != nil {
				e := schema.AsError(err)
				if e.Status != 400 || e.Message == "" {
					t.Fatalf("%v", e)
				}
				var object map[string]any
				if e.Code == schema.CodeInvalidJSON && json.Unmarshal(raw, &object) == nil && object != nil && len(raw) < 1000 {
					t.Fatalf("%q is an object: %v", raw, e)
				}
			}
		}
	})
}
