package cache

import (
	"strings"
	"testing"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

func keyOf(t *testing.T, d *dialect.Dialect, a Ask, body string) (string, bool) {
	t.Helper()
	req, err := d.Client.DecodeChat([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	k, ok := a.Chat(req)
	return k.Name, ok
}

func TestKeys(t *testing.T) {
	ask := Ask{Op: schema.OpChat, Model: "m", Scope: ScopeTeam, Owner: "t"}
	const plain = `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]`
	base, ok := keyOf(t, &openai.Dialect, ask, plain+`}`)
	if !ok || !strings.HasPrefix(base, "m/t/") {
		t.Fatal(base, ok)
	}
	for _, more := range []string{`,"stream":true`, `,"user":"u"`, `,"metadata":{"a":"b"}`, `,"n":1`, `,"store":false`, `,"service_tier":"flex"`,
		`,"safety_identifier":"x"`, `,"stream":true,"stream_options":{"include_usage":true}`, `,"prompt_cache_key":"p"`} {
		if k, ok := keyOf(t, &openai.Dialect, ask, plain+more+`}`); !ok || k != base {
			t.Errorf("%s: %s, want %s", more, k, base)
		}
	}
	if k, _ := keyOf(t, &anthropic.Dialect, ask, strings.ReplaceAll(plain, `"hi"`, `[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]`)+`}`); k != base {
		t.Errorf("Anthropic's: %s, want %s", k, base)
	}
	req, err := openai.Dialect.Client.DecodeChat([]byte(plain + `}`))
	if err != nil {
		t.Fatal(err)
	}
	req.LogitBias, req.Messages[0].Parts[0].Raw, req.Messages[0].Parts[0].Citations = []byte{}, []byte{}, []byte{}
	if k, ok := ask.Chat(req); !ok || k.Name != base {
		t.Errorf("with empty values: %v %s, want %s", ok, k.Name, base)
	}
	seen := map[string]string{base: ""}
	for _, more := range []string{`,"n":2`, `,"temperature":0`, `,"top_p":0`, `,"seed":0`, `,"stop":"x"`, `,"tools":[{"type":"function","function":{"name":"f"}}]`,
		`,"response_format":{"type":"json_object"}`, `,"x_own":1`, `,"x_own":2`, `,"reasoning_effort":"low"`, `,"logit_bias":{"1":2}`, `,"verbosity":"low"`} {
		k, ok := keyOf(t, &openai.Dialect, ask, plain+more+`}`)
		if before, twice := seen[k]; twice || !ok {
			t.Errorf("%s has the key of %s", more, before)
		}
		seen[k] = more
	}
	for _, more := range []string{`,"store":true`, `,"web_search_options":{}`, `,"modalities":["text","audio"],"audio":{"voice":"a"}`} {
		if _, ok := keyOf(t, &openai.Dialect, ask, plain+more+`}`); ok {
			t.Errorf("%s has a key", more)
		}
	}
	if _, ok := keyOf(t, &anthropic.Dialect, ask, plain+`,"tools":[{"type":"web_search_20250305","name":"web_search"}]}`); ok {
		t.Error("a search has a key")
	}
	for name, other := range map[string]Ask{
		"owner": {Op: schema.OpChat, Model: "m", Scope: ScopeTeam, Owner: "u"}, "scope": {Op: schema.OpChat, Model: "m", Scope: ScopeKey, Owner: "t"},
		"model": {Op: schema.OpChat, Model: "n", Scope: ScopeTeam, Owner: "t"}, "context": {Op: schema.OpChat, Model: "m", Scope: ScopeTeam, Owner: "t", Context: []string{"x"}},
	} {
		k, _ := keyOf(t, &openai.Dialect, other, plain+`}`)
		if _, twice := seen[k]; twice {
			t.Errorf("another %s has the same key", name)
		}
		seen[k] = name
	}
}

func TestQuestions(t *testing.T) {
	ask := Ask{Op: schema.OpChat, Model: "m", Scope: ScopeTeam, Owner: "t"}
	of := func(body string) (string, [32]byte, bool) {
		req, err := openai.Dialect.Client.DecodeChat([]byte(`{"model":"m","messages":[` + body + `}`))
		if err != nil {
			t.Fatal(err)
		}
		return ask.Question(req)
	}
	text, group, ok := of(`{"role":"system","content":"be kind"},{"role":"user","content":"hi"}]`)
	if !ok || text != "hi" {
		t.Fatal(text, ok)
	}
	if text, g, ok := of(`{"role":"system","content":"be kind"},{"role":"user","content":"hello"}]`); !ok || text != "hello" || g != group {
		t.Error("other words are of another group")
	}
	for _, body := range []string{`{"role":"system","content":"be rude"},{"role":"user","content":"hi"}]`,
		`{"role":"system","content":"be kind"},{"role":"user","content":"hi"}],"temperature":0`} {
		if _, g, ok := of(body); !ok || g == group {
			t.Errorf("%s is of the same group", body)
		}
	}
	for _, body := range []string{`{"role":"assistant","content":"hi"}]`, `{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]`, `{"role":"user","content":""}]`} {
		if _, _, ok := of(body); ok {
			t.Errorf("%s is a question", body)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	body := []byte(`{"model":"m","messages":[{"role":"system","content":"be kind"},{"role":"user","content":"` + strings.Repeat("all that was said before; ", 80) + `"}],"temperature":0.5}`)
	ask := Ask{Op: schema.OpChat, Model: "m", Scope: ScopeTeam, Owner: "t", Context: []string{"up/echo"}}
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := openai.Dialect.Client.DecodeChat(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	req, err := openai.Dialect.Client.DecodeChat(body)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("key", func(b *testing.B) {
		for b.Loop() {
			ask.Chat(req)
		}
	})
}
