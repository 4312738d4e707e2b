package openai

import (
	"encoding/json"
	"reflect"
	"testing"

	"sluice/providers/providertest"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// checkSplice compares a spliced body with its original by a parser of other
// make: they may differ in the edits only.
func checkSplice(t testing.TB, raw, spliced []byte, h *schema.Head, model string, limit int64) {
	t.Helper()
	var before, after map[string]any
	if err := json.Unmarshal(raw, &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(spliced, &after); err != nil {
		t.Fatalf("the spliced body is no JSON: %v\n%s", err, spliced)
	}
	before["model"] = model
	if limit > 0 {
		name := h.MaxTokensName
		if name == "" {
			name = fieldMaxTokens
		}
		before[name] = float64(limit)
	}
	if h.Stream {
		options, _ := before["stream_options"].(map[string]any)
		if options == nil {
			options = map[string]any{}
		}
		options["include_usage"] = true
		before["stream_options"] = options
	}
	if !reflect.DeepEqual(before, after) {
		t.Errorf("spliced %s\nto      %s", raw, spliced)
	}
}

func TestSplice(t *testing.T) {
	cases := []struct {
		name, raw   string
		model       string
		limit       int64
		want        string
		quirks      Quirks
		usageWanted bool
	}{
		{name: "nothing to do", raw: ` { "model" : "m", "messages":[1] } `, model: "m", want: ` { "model" : "m", "messages":[1] } `},
		{name: "model last", raw: `{"messages":[1],"x":"é\u00e9","model":"a/b"}`, model: "b\"", want: `{"messages":[1],"x":"é\u00e9","model":"b\""}`},
		{name: "limit inserted", raw: `{"model":"m","messages":[1]}`, model: "m", limit: 5, want: `{"max_completion_tokens":5,"model":"m","messages":[1]}`},
		{name: "limit inserted, elder host", quirks: Quirks{MaxTokensField: "max_tokens"}, raw: `{"model":"m","messages":[1]}`, model: "m", limit: 5,
			want: `{"max_tokens":5,"model":"m","messages":[1]}`},
		{name: "limit replaced", raw: `{"model":"m","max_tokens": 100 ,"messages":[1]}`, model: "n", limit: 5, want: `{"model":"n","max_tokens": 5 ,"messages":[1]}`},
		{name: "limit null", raw: `{"model":"m","max_tokens":null,"messages":[1]}`, model: "m", limit: 5, want: `{"model":"m","max_tokens":5,"messages":[1]}`},
		{name: "one limit null", raw: `{"max_tokens":null,"model":"m","max_completion_tokens":9,"messages":[1]}`, model: "m", limit: 5,
			want: `{"max_tokens":null,"model":"m","max_completion_tokens":5,"messages":[1]}`},
		{name: "usage inserted", raw: `{"model":"m","stream":true,"messages":[1]}`, model: "m", want: `{"stream_options":{"include_usage":true},"model":"m","stream":true,"messages":[1]}`},
		{name: "usage and limit", raw: `{"model":"m","stream":true,"messages":[1]}`, model: "m", limit: 7,
			want: `{"max_completion_tokens":7,"stream_options":{"include_usage":true},"model":"m","stream":true,"messages":[1]}`},
		{name: "usage off", raw: `{"model":"m","stream_options":{"a":1,"include_usage": false},"stream":true,"messages":[1]}`, model: "m",
			want: `{"model":"m","stream_options":{"a":1,"include_usage": true},"stream":true,"messages":[1]}`},
		{name: "options without usage", raw: `{"stream_options":{ "a":1},"model":"m","stream":true,"messages":[1]}`, model: "m",
			want: `{"stream_options":{"include_usage":true, "a":1},"model":"m","stream":true,"messages":[1]}`},
		{name: "options empty", raw: `{"stream_options":{ },"model":"m","stream":true,"messages":[1]}`, model: "m",
			want: `{"stream_options":{"include_usage":true },"model":"m","stream":true,"messages":[1]}`},
		{name: "options null", raw: `{"stream_options":null,"model":"m","stream":true,"messages":[1]}`, model: "m",
			want: `{"stream_options":{"include_usage":true},"model":"m","stream":true,"messages":[1]}`},
		{name: "usage on", raw: `{"stream_options":{"include_usage":true},"model":"m","stream":true,"messages":[1]}`, model: "m",
			want: `{"stream_options":{"include_usage":true},"model":"m","stream":true,"messages":[1]}`},
		{name: "host without options", quirks: Quirks{NoStreamOptions: true}, raw: `{"model":"m","stream":true,"messages":[1]}`, model: "m", want: `{"model":"m","stream":true,"messages":[1]}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h, err := head(schema.OpChat, []byte(c.raw))
			if err != nil {
				t.Fatal(err)
			}
			got := providertest.Spliced(New(c.quirks).Chat.Splice, []byte(c.raw), &h, c.model, c.limit)
			if string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func FuzzSplice(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[1],"stream":true,"stream_options":{"x":[]}}`), "n", int64(3))
	f.Add([]byte(` {"messages":[{}],"max_tokens":null,"mod\u0065l":"m"}`), "\x00\"", int64(0))
	f.Fuzz(func(t *testing.T, raw []byte, model string, limit int64) {
		h, err := head(schema.OpChat, raw)
		if err != nil {
			return
		}
		if h.Model == "" || h.ModelAt.From >= h.ModelAt.To || h.N < 1 {
			t.Fatalf("head is %+v", h)
		}
		spliced := providertest.Spliced(Quirks{MaxTokensField: fieldMaxTokens}.splice, raw, &h, model, limit)
		var name string
		if err := json.Unmarshal(mustJSON(t, model), &name); err != nil {
			t.Fatal(err)
		}
		checkSplice(t, raw, spliced, &h, name, limit)
	})
}

func mustJSON(t testing.TB, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func BenchmarkSplice(b *testing.B) {
	raw := benchBody()
	h, err := head(schema.OpChat, raw)
	if err != nil {
		b.Fatal(err)
	}
	var p wire.Patch
	b.ReportAllocs()
	for b.Loop() {
		p.Reset()
		Quirks{}.splice(&p, raw, &h, "upstream-model", 100)
		p.Pieces(raw)
	}
}
