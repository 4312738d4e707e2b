package responses

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/providertest"
	"sluice/providers/schema"
	"sluice/providers/sse"
)

// FuzzRequest reads a body as a client's: what is taken can be written for
// every dialect, and what is spliced is JSON.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(everything))
	f.Add([]byte(`{"model":"m","input":"x","max_output_tokens":null}`))
	f.Add([]byte(`{"prompt":{"id":"p","variables":{"a":{}}},"model":"gpt-5"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _, _, _, _ = PromptOf(raw)
		h, err := head(schema.OpChat, raw)
		if err != nil {
			if !errors.As(err, new(*schema.Error)) {
				t.Fatalf("%v is no *schema.Error", err)
			}
			return
		}
		if out := providertest.Spliced(splice, raw, &h, "other", 5); !json.Valid(out) || gjson.GetBytes(out, "model").Str != "other" {
			t.Fatalf("spliced to %s", out)
		}
		if _, err := Continue(Stored{Items: []json.RawMessage{[]byte(`{"type":"message"}`)}}, raw); err != nil && !errors.As(err, new(*schema.Error)) {
			t.Fatal(err)
		}
		req, err := decodeRequest(raw)
		if err != nil {
			return
		}
		for _, d := range []*dialect.Dialect{&Dialect, &openai.Dialect, &anthropic.Dialect} {
			if up, err := d.Chat.Encode(req); err == nil && !json.Valid(up.Body) {
				t.Fatalf("for %s: %s", d.Name, up.Body)
			}
		}
		if b := encodeFor(nil, req, &schema.ChatResponse{ID: "x"}); !json.Valid(b) {
			t.Fatalf("the answer is %s", b)
		}
	})
}

// FuzzAnswer reads a body as a provider's: what is taken can be written again.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"id":"r","status":"completed","output":[{"type":"reasoning","summary":[{"text":"a"}],"encrypted_content":"g"},
		{"type":"message","content":[{"type":"output_text","text":"b","annotations":[{"type":"url_citation","start_index":0}],"logprobs":[{"token":"b"}]}]},
		{"type":"function_call","name":"c","arguments":"{}"},{"type":"web_search_call"}],"usage":{"input_tokens":1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		_ = rawUsage(body, &dialect.Tally{})
		_, _ = NewStored([]byte(`{}`), body)
		resp, err := decode(body)
		if err != nil {
			return
		}
		out := encodeAnswer(nil, resp)
		if !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
		if _, err := decode(out); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	})
}

// FuzzStream reads a stream, as a scanner and as a decoder; what it says is
// written again, by the grammar.
func FuzzStream(f *testing.F) {
	f.Add([]byte("data: " + sparse))
	f.Add(bytes.ReplaceAll([]byte("data: "+sparse), []byte("\n"), []byte("\n\ndata: ")))
	f.Fuzz(func(t *testing.T, stream []byte) {
		s, d, w := &scanner{}, newStream(), newWriter(dialect.StreamOptions{ID: "x", Model: "m"})
		for frame := range bytes.SplitAfterSeq(stream, []byte("\n\n")) {
			_, _ = s.Scan(frame, &dialect.Tally{})
			_ = FinalResponse(frame)
		}
		var out []byte
		_ = sse.Events(stream, func(f dialect.Frame) error {
			chunks, err := d.Decode(f, nil)
			for i := range chunks {
				out = w.Chunk(out, &chunks[i])
			}
			return err
		})
		if _, err := checkStream(w.End(out, &schema.Usage{})); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}
