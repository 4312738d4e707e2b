package openai

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/providertest"
	"sluice/providers/schema"
)

func TestCompletionHead(t *testing.T) {
	raw := `{"prompt":["a","bc"],"model":"m","n":2,"best_of":3,"max_tokens":5,"user":"u","stream":true,"stream_options":{"include_usage":true}}`
	h, err := completionHead(schema.OpChat, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if h.Model != "m" || h.N != 6 || h.MaxTokens != 5 || h.User != "u" || !h.Stream || !h.WantsUsage || h.PromptSize != len(`["a","bc"]`) {
		t.Errorf("head is %+v", h)
	}
	for prompt, n := range map[string]int64{`"x"`: 1, `[1,2,3]`: 1, `[[1],[2,3]]`: 2, `null`: 1} {
		if h, err := completionHead(schema.OpChat, []byte(`{"model":"m","prompt":`+prompt+`}`)); err != nil || h.N != n {
			t.Errorf("prompt %s: %d choices, %v; want %d", prompt, h.N, err, n)
		}
	}
	for raw, param := range map[string]string{
		`{"prompt":"x"}`:                                "model",
		`{"model":"m","prompt":7}`:                      "prompt",
		`{"model":"m","prompt":[]}`:                     "prompt",
		`{"model":"m","best_of":0}`:                     "best_of",
		`{"model":"m","n":0}`:                           "n",
		`{"model":"m","max_tokens":-1}`:                 "max_tokens",
		`{"model":"m","stream":1}`:                      "stream",
		`{"model":"m","user":1}`:                        "user",
		`{"model":"m","Prompt":"x"}`:                    "prompt",
		`{"model":"m","model":"n","prompt":""}`:         "model",
		`{"model":"m","prompt":"x","stream_options":1}`: "stream_options",
	} {
		_, err := completionHead(schema.OpChat, []byte(raw))
		var e *schema.Error
		if !errors.As(err, &e) || e.Param != param || e.Status != 400 {
			t.Errorf("%s: %v, want a 400 about %s", raw, err, param)
		}
	}
}

func TestCompletionSplice(t *testing.T) {
	raw := `{"model":"m","prompt":"x","stream":true,"logit_bias":{"1":2},"vendor":[1]}`
	h, err := completionHead(schema.OpChat, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	got := string(providertest.Spliced(Completions.Chat.Splice, []byte(raw), &h, "big", 7))
	for path, want := range map[string]string{"model": "big", "prompt": "x", "max_tokens": "7", "stream_options.include_usage": "true", "vendor.0": "1"} {
		if gjson.Get(got, path).String() != want {
			t.Errorf("%s is %s, want %s: %s", path, gjson.Get(got, path), want, got)
		}
	}
}

func TestDecodeCompletion(t *testing.T) {
	req, err := decodeCompletion([]byte(`{"model":"m","prompt":["once"],"max_tokens":9,"stop":"END","temperature":0,"logprobs":2,` +
		`"echo":true,"suffix":"tail","best_of":2,"n":1,"seed":null,"user":"u","repetition_penalty":1.5}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(req.Messages) != 1 || req.Messages[0].Text() != "once" || req.Messages[0].Role != schema.RoleUser || *req.MaxTokens != 9 ||
		len(req.Stop) != 1 || *req.Temperature != 0 || !*req.Logprobs || *req.TopLogprobs != 2 || req.Seed != nil || req.User != "u" {
		t.Errorf("request is %+v", req)
	}
	for _, name := range []string{"echo", "suffix", "best_of", "repetition_penalty"} {
		if req.Extra[name] == nil {
			t.Errorf("%s is not kept to be named", name)
		}
	}
	up, err := Dialect.Chat.Encode(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(up.Dropped, ","); got != "best_of,echo,repetition_penalty,suffix" {
		t.Errorf("dropped is %s: %s", got, up.Body)
	}
	silent, err := decodeCompletion([]byte(`{"model":"m","prompt":"x","echo":false,"suffix":"","best_of":1,"suffix":null}`))
	if err != nil || len(silent.Extra) != 0 {
		t.Errorf("what says nothing is kept: %v %v", silent.Extra, err)
	}
	for _, raw := range []string{`{"model":"m"}`, `{"model":"m","prompt":[1,2]}`, `{"model":"m","prompt":["a","b"]}`, `{"model":"m","prompt":{}}`,
		`{"model":"m","prompt":"x","logprobs":true}`, `{"model":"m","prompt":"x","echo":1}`, `{"model":"m","prompt":"x","suffix":1}`,
		`{"model":"m","prompt":"x","best_of":"1"}`, `[]`} {
		if _, err := decodeCompletion([]byte(raw)); err == nil {
			t.Errorf("%s is not refused", raw)
		}
	}
}

const chatLogprobs = `{"content":[{"token":"Hé","logprob":-0.5,"top_logprobs":[{"token":"Hé","logprob":-0.5},{"token":"H","logprob":-2}]},{"token":"y","logprob":-1,"top_logprobs":[]}]}`

func TestEncodeCompletion(t *testing.T) {
	resp := &schema.ChatResponse{ID: "i", Model: "m", Created: 7, SystemFingerprint: "fp",
		Choices: []schema.Choice{{Message: schema.Message{Parts: schema.TextParts("Héy")}, FinishReason: "stop", Logprobs: json.RawMessage(chatLogprobs)},
			{Index: 1, FinishReason: "tool_calls"}},
		Usage: schema.Usage{Input: 3, Output: 2}}
	want := `{"id":"i","object":"text_completion","created":7,"model":"m","system_fingerprint":"fp","choices":[` +
		`{"text":"Héy","index":0,"finish_reason":"stop","logprobs":{"tokens":["Hé","y"],"token_logprobs":[-0.5,-1],"top_logprobs":[{"Hé":-0.5,"H":-2},{}],"text_offset":[0,2]}},` +
		`{"text":"","index":1,"finish_reason":"stop","logprobs":null}],"usage":`
	got := string(encodeCompletion(nil, resp))
	if !strings.HasPrefix(got, want) || !json.Valid([]byte(got)) || gjson.Get(got, "usage.total_tokens").Int() != 5 {
		t.Errorf("answer is %s", got)
	}
}

func TestCompletionStream(t *testing.T) {
	for _, usage := range []bool{false, true} {
		e := newCompletionEncoder(dialect.StreamOptions{ID: "i", Model: "m", Created: 7, WantsUsage: usage})
		chunks := []schema.Chunk{
			{ID: "x", Choices: []schema.ChoiceDelta{{Role: "assistant", Thinking: "hm"}}},
			{Choices: []schema.ChoiceDelta{{Text: "Hé", Logprobs: json.RawMessage(`{"content":[{"token":"Hé","logprob":-1}]}`)}}},
			{Choices: []schema.ChoiceDelta{{Text: "y", Logprobs: json.RawMessage(`{"content":[{"token":"y","logprob":-1}]}`)}}},
			{Choices: []schema.ChoiceDelta{{FinishReason: "length"}}},
			{Usage: &schema.Usage{Input: 1}},
		}
		var b []byte
		for i := range chunks {
			b = e.Chunk(b, &chunks[i])
		}
		b = e.End(b, &schema.Usage{Input: 1, Output: 2})
		frames := cutFrames(t, b)
		if want := map[bool]int{false: 4, true: 5}[usage]; len(frames) != want {
			t.Fatalf("%d frames, want %d: %s", len(frames), want, b)
		}
		var tally dialect.Tally
		s := &scanner{wantsUsage: usage, texts: true}
		if err := scanAll(t, s, b, &tally); err != nil || !tally.Done || tally.Finish != "length" || string(tally.Text.Sample) != "Héy" {
			t.Errorf("read again: %+v %v", tally, err)
		}
		if usage && tally.Usage.Output != 2 {
			t.Errorf("usage is %+v", tally.Usage)
		}
		if !strings.Contains(string(b), `"text_offset":[2]`) || !strings.Contains(string(b), `"id":"x"`) {
			t.Errorf("stream is %s", b)
		}
	}
}

func TestRecordedCompletions(t *testing.T) {
	for _, c := range captures(t, "completions") {
		t.Run(c.ID, func(t *testing.T) {
			h, err := completionHead(schema.OpChat, c.request)
			if err != nil || h.Model == "" || h.PromptSize == 0 {
				t.Fatalf("head is %+v, %v", h, err)
			}
			checkSplice(t, c.request, providertest.Spliced(Completions.Chat.Splice, c.request, &h, "other", 9), &h, "other", 9)
			if req, err := decodeCompletion(c.request); err == nil {
				if up, err := Dialect.Chat.Encode(req); err != nil || !json.Valid(up.Body) {
					t.Errorf("as a chat: %v", err)
				}
			} else if schema.AsError(err).Param != "prompt" { // several, or token ids
				t.Errorf("as a chat: %v", err)
			}
			if c.Response.Status >= 400 {
				if e := Completions.Error(c.Response.Status, func(string) string { return "" }, c.body); e.Message == "" || e.Class == "" {
					t.Errorf("error is %+v", e)
				}
				return
			}
			var tally dialect.Tally
			if err := completionUsage(c.body, &tally); err != nil {
				t.Fatal(err)
			}
			if c.Expect != nil {
				c.checkUsage(t, tally.Usage)
				if c.Expect.Finish != nil && tally.Finish != *c.Expect.Finish {
					t.Errorf("finish is %s, want %s", tally.Finish, *c.Expect.Finish)
				}
			}
		})
	}
}

func FuzzDecodeCompletion(f *testing.F) {
	f.Add([]byte(`{"model":"m","prompt":["a"],"stop":["x"],"logprobs":1,"echo":true}`))
	f.Add([]byte(`{"model":"m","prompt":[[1,2]],"best_of":2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := completionHead(schema.OpChat, raw)
		if err != nil {
			return
		}
		if got := providertest.Spliced(Completions.Chat.Splice, raw, &h, "other", 3); !json.Valid(got) || gjson.GetBytes(got, "model").Str != "other" {
			t.Fatalf("spliced to %s", got)
		}
		req, err := decodeCompletion(raw)
		if err != nil {
			return
		}
		if up, err := Dialect.Chat.Encode(req); err == nil && !json.Valid(up.Body) {
			t.Fatalf("encoded to %s", up.Body)
		}
	})
}
