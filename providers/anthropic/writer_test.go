package anthropic

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"
	"pgregory.net/rapid"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

func TestWriter(t *testing.T) {
	type d = schema.ChoiceDelta
	usage := schema.Usage{Input: 30, CachedInput: 10, CacheWrite: 5, CacheWrite1h: 2, Output: 7, Reasoning: 3}
	for name, tc := range map[string]struct {
		chunks []schema.Chunk
		blocks string // the message's content
		reason string
	}{
		"nothing":  {nil, `[]`, "end_turn"},
		"text":     {[]schema.Chunk{delta(d{Role: "assistant"}), text("a"), text("b"), ends("stop")}, `[{"type":"text","text":"ab"}]`, "end_turn"},
		"thinking": {[]schema.Chunk{delta(d{Thinking: "a"}), delta(d{Thinking: "b"}), text("c"), ends("length")}, `[{"type":"thinking","thinking":"ab","signature":""},{"type":"text","text":"c"}]`, "max_tokens"},
		"signed": {[]schema.Chunk{delta(d{Thinking: "a", Signature: "s"}), delta(d{Thinking: "b"}), delta(d{Signature: "t"}), delta(d{Signature: "u"}), delta(d{Redacted: "r"}), text("c")},
			`[{"type":"thinking","thinking":"a","signature":"s"},{"type":"thinking","thinking":"b","signature":"t"},{"type":"thinking","thinking":"","signature":"u"},{"type":"redacted_thinking","data":"r"},{"type":"text","text":"c"}]`, "end_turn"},
		"one chunk": {[]schema.Chunk{delta(d{Thinking: "a", Text: "b", ToolCalls: []openai.ToolCall{piece(0, "t", "f", `{"x":1}`)}, FinishReason: "tool_calls"})},
			`[{"type":"thinking","thinking":"a","signature":""},{"type":"text","text":"b"},{"type":"tool_use","id":"t","name":"f","input":{"x":1}}]`, "tool_use"},
		"calls in turn": {[]schema.Chunk{text("a"), calls(piece(0, "t", "f", "")), calls(piece(0, "", "", `{"x":`)), calls(piece(0, "", "", `"}"}`)), calls(piece(1, "u", "g", "{}")), ends("tool_calls")},
			`[{"type":"text","text":"a"},{"type":"tool_use","id":"t","name":"f","input":{"x":"}"}},{"type":"tool_use","id":"u","name":"g","input":{}}]`, "tool_use"},
		"calls at once": {[]schema.Chunk{calls(piece(0, "t", "f", ""), piece(1, "u", "g", ""), piece(2, "v", "h", "")), calls(piece(1, "", "", `{"y"`), piece(0, "", "", `{"x"`)), calls(piece(2, "", "", `{}`)),
			calls(piece(1, "", "", `:2}`)), calls(piece(0, "", "", `:1}`)), ends("tool_calls")},
			`[{"type":"tool_use","id":"t","name":"f","input":{"x":1}},{"type":"tool_use","id":"u","name":"g","input":{"y":2}},{"type":"tool_use","id":"v","name":"h","input":{}}]`, "tool_use"},
		"text among calls": {[]schema.Chunk{calls(piece(0, "t", "f", `{"x"`)), text("a"), text("b"), delta(d{Thinking: "h"}), calls(piece(1, "u", "g", `{"y":`)), calls(piece(0, "", "", `:1}`)), text("c"), calls(piece(1, "", "", `2}`)), text("d")},
			`[{"type":"tool_use","id":"t","name":"f","input":{"x":1}},{"type":"text","text":"ab"},{"type":"thinking","thinking":"h","signature":""},{"type":"tool_use","id":"u","name":"g","input":{"y":2}},{"type":"text","text":"cd"}]`, "tool_use"},
		"calls without input": {[]schema.Chunk{calls(piece(0, "t", "f", "")), calls(piece(1, "u", "g", "")), ends("stop")},
			`[{"type":"tool_use","id":"t","name":"f","input":{}},{"type":"tool_use","id":"u","name":"g","input":{}}]`, "tool_use"},
		"space after a call": {[]schema.Chunk{calls(piece(0, "t", "f", "{}")), calls(piece(1, "u", "g", "{}")), calls(piece(0, "", "", "\n"))},
			`[{"type":"tool_use","id":"t","name":"f","input":{}},{"type":"tool_use","id":"u","name":"g","input":{}}]`, "tool_use"},
		"cut off": {[]schema.Chunk{calls(piece(0, "t", "f", `{"x":"y`)), calls(piece(1, "u", "g", `{"a":1}`)), ends("length")},
			`[{"type":"tool_use","id":"t","name":"f","input":{"arguments":"{\"x\":\"y"}},{"type":"tool_use","id":"u","name":"g","input":{"a":1}}]`, "max_tokens"},
		"no id": {[]schema.Chunk{calls(piece(0, "", "f", "{}"))}, `[{"type":"tool_use","id":"toolu_chatcmpl-1_0","name":"f","input":{}}]`, "tool_use"},
		"citations": {[]schema.Chunk{text("a"), delta(d{Text: "b", NewPart: true}), delta(d{Citations: json.RawMessage("{\"n\":\n1}")}), delta(d{Citations: json.RawMessage(`{"n":2}`)}), delta(d{Citations: json.RawMessage(`{"n":3}`), NewPart: true}), text("c")},
			`[{"type":"text","text":"a"},{"type":"text","text":"b","citations":[{"n":1},{"n":2}]},{"type":"text","text":"c","citations":[{"n":3}]}]`, "end_turn"},
		"a part of its own": {[]schema.Chunk{text("a"), delta(d{Raw: json.RawMessage("{\"type\":\"server_tool_use\",\n\"id\":\"s\"}")}), delta(d{Raw: json.RawMessage(`{"executableCode":{}}`)}), text("b")},
			`[{"type":"text","text":"a"},{"type":"server_tool_use","id":"s"},{"type":"text","text":"b"}]`, "end_turn"},
		"a refusal":         {[]schema.Chunk{delta(d{Refusal: "I can"}), delta(d{Refusal: "not."}), ends("stop")}, `[{"type":"text","text":"I cannot."}]`, "refusal"},
		"a filter":          {[]schema.Chunk{text("a"), ends("content_filter")}, `[{"type":"text","text":"a"}]`, "refusal"},
		"a filter's reason": {[]schema.Chunk{delta(d{Refusal: "why", FinishReason: "content_filter"})}, `[]`, "refusal"},
		"a stop":            {[]schema.Chunk{text("a"), delta(d{FinishReason: "stop", StopSequence: "END"})}, `[{"type":"text","text":"a"}]`, "stop_sequence"},
		"other choices":     {[]schema.Chunk{text("a"), delta(d{Index: 1, Text: "b"})}, `[{"type":"text","text":"a"}]`, "end_turn"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWriter(dialect.StreamOptions{ID: "made", Model: "asked"})
			var out []byte
			for i := range tc.chunks {
				out = w.Chunk(out, &tc.chunks[i])
			}
			msg := message(t, w.End(out, &usage))
			if got := gjson.GetBytes(msg, "content").Raw; canonicalJSON(t, got) != canonicalJSON(t, tc.blocks) {
				t.Errorf("content is\n%s\nwant\n%s", got, tc.blocks)
			}
			if got := gjson.GetBytes(msg, "stop_reason").Str; got != tc.reason {
				t.Errorf("stop_reason is %q, want %q", got, tc.reason)
			}
			if why := gjson.GetBytes(msg, "stop_details.explanation").Str; why != "" && why != "why" || (gjson.GetBytes(msg, "stop_details").IsObject() != (tc.reason == "refusal")) {
				t.Errorf("stop_details are %s", gjson.GetBytes(msg, "stop_details"))
			}
			want := `{"input_tokens":15,"cache_creation_input_tokens":5,"cache_read_input_tokens":10,"cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":2},"output_tokens":7,"output_tokens_details":{"thinking_tokens":3}}`
			if got := gjson.GetBytes(msg, "usage").Raw; got != want {
				t.Errorf("usage is %s, want %s", got, want)
			}
		})
	}
}

func canonicalJSON(t testing.TB, raw string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The first call's input must not wait for anything.
func TestWriterDoesNotWait(t *testing.T) {
	w := newWriter(dialect.StreamOptions{})
	start := calls(piece(0, "t", "f", `{"x"`))
	usage := schema.Usage{Input: 9, Output: 1}
	start.Usage, start.ServiceTier = &usage, "default"
	out := string(w.Chunk(nil, &start))
	for _, part := range []string{`"input_tokens":9`, `"service_tier":"standard"`, `"id":"msg_chatcmpl-1"`, `"model":"m"`, `"partial_json":"{\"x\""`} {
		if !strings.Contains(out, part) {
			t.Errorf("%s is not in\n%s", part, out)
		}
	}
	second := calls(piece(0, "", "", `:1`))
	if out := w.Chunk(nil, &second); !strings.Contains(string(out), `"partial_json":":1"`) {
		t.Errorf("the second piece gives %q", out)
	}
}

// However deltas of several calls, texts and thoughts are mixed, the stream is
// well formed and tells every call with its whole input.
func TestWriterMixes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(0, 4).Draw(r, "calls")
		left := make([]string, n)
		want := make([]string, n)
		begun := make([]bool, n)
		for i := range left {
			v := rapid.StringMatching(`[a-z{}\[\]"\\ é]{0,6}`).Draw(r, "value")
			raw, err := json.Marshal(map[string]any{"v": v, "w": []int{i}})
			if err != nil {
				r.Fatal(err)
			}
			left[i], want[i] = string(raw), string(raw)
		}
		var chunks []schema.Chunk
		wantText := ""
		next := 0
		for range rapid.IntRange(0, 40).Draw(r, "steps") {
			switch rapid.IntRange(0, 5).Draw(r, "step") {
			case 0:
				chunks = append(chunks, text("t"))
				wantText += "t"
			case 1:
				chunks = append(chunks, delta(schema.ChoiceDelta{Thinking: "h"}))
			default:
				if n == 0 {
					continue
				}
				i := rapid.IntRange(0, min(next, n-1)).Draw(r, "call")
				cut := rapid.IntRange(0, len(left[i])).Draw(r, "cut")
				for cut < len(left[i]) && !utf8.RuneStart(left[i][cut]) { // pieces are JSON strings
					cut++
				}
				p := piece(i, "", "", left[i][:cut])
				if !begun[i] {
					p.ID, p.Function.Name = fmt.Sprint("id", i), "f"
					begun[i], next = true, next+1
				}
				left[i] = left[i][cut:]
				chunks = append(chunks, calls(p))
			}
		}
		for i := range left {
			p := piece(i, "", "", left[i])
			if !begun[i] {
				p.ID, p.Function.Name = fmt.Sprint("id", i), "f"
			}
			chunks = append(chunks, calls(p))
		}
		msg := message(t, written(chunks))
		got, gotText := map[string]string{}, ""
		gjson.GetBytes(msg, "content").ForEach(func(_, b gjson.Result) bool {
			switch b.Get("type").Str {
			case "tool_use":
				got[b.Get("id").Str] = b.Get("input").Raw
			case "text":
				gotText += b.Get("text").Str
			}
			return true
		})
		for i := range want {
			if id := fmt.Sprint("id", i); got[id] != want[i] {
				r.Errorf("call %s has input %s, want %s", id, got[id], want[i])
			}
		}
		if gotText != wantText || len(got) != n {
			r.Errorf("text is %q, want %q; %d calls, want %d", gotText, wantText, len(got), n)
		}
	})
}

func TestProgress(t *testing.T) {
	for text, want := range map[string]bool{
		``: false, ` `: false, `{`: false, `{}`: true, `{"a":{}`: false, `{"a":"}"`: false, `{"a":"\"}`: false, `{"a":"\\"}`: true, `5`: false, `[{}]`: true,
	} {
		var whole, bits progress
		whole.add(text)
		for i := range text {
			bits.add(text[i : i+1])
		}
		if whole.whole() != want || bits != whole {
			t.Errorf("%q: whole is %v, by bytes %v, want %v", text, whole.whole(), bits.whole(), want)
		}
	}
}
