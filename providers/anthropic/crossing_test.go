package anthropic

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/providertest"
	"sluice/providers/schema"
	"sluice/providers/sse"
)

func TestRecordedRequests(t *testing.T) {
	for _, c := range providertest.Captures(t, os.Getenv("SLUICE_WIRE"), "messages", "anthropic") {
		if c.Asked == nil || strings.Contains(c.ID, "error_400") {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			h, err := head(schema.OpChat, c.Asked)
			if err != nil {
				t.Fatal(err)
			}
			req, err := decodeRequest(c.Asked)
			if err != nil {
				t.Fatal(err)
			}
			if h.Model != req.Model || h.Stream != req.Stream || h.MaxTokens != *req.MaxTokens {
				t.Errorf("head %+v of %+v", h, req)
			}
			up, err := encode(req)
			if err != nil || len(up.Dropped) > 0 {
				t.Fatalf("%v, dropped %q", err, up.Dropped)
			}
			sameRequest(t, "for Anthropic", withDefaults(up.Body), withDefaults(c.Asked))
			up, err = openai.Dialect.Chat.Encode(req)
			if err != nil || !json.Valid(up.Body) {
				t.Fatalf("for OpenAI: %s, %v", up.Body, err)
			}
			checkForOpenAI(t, c.Asked, up)
		})
	}
}

// withDefaults takes out of a body what says nothing: the display of adaptive
// thinking that is asked for everywhere, a temperature of 1 with thinking, a
// choice of tools where there are none.
func withDefaults(body []byte) []byte {
	var v map[string]any
	if json.Unmarshal(body, &v) != nil {
		return body
	}
	if thinking, ok := v["thinking"].(map[string]any); ok {
		if thinking["display"] == "summarized" {
			delete(thinking, "display")
		}
		delete(v, "temperature")
	}
	if tools, ok := v["tools"].([]any); ok && len(tools) == 0 {
		delete(v, "tools")
	}
	out, _ := json.Marshal(v)
	return out
}

// checkForOpenAI holds what crossed against the request: all texts, calls,
// results, tools.
func checkForOpenAI(t *testing.T, request []byte, up *dialect.Upstream) {
	t.Helper()
	var crossed []string
	gjson.ParseBytes(up.Body).Get("messages").ForEach(func(_, m gjson.Result) bool {
		crossed = append(crossed, m.Raw)
		return true
	})
	all := strings.Join(crossed, "\n")
	has := func(what string, v gjson.Result) {
		quoted, _ := json.Marshal(v.String())
		var plain bytes.Buffer
		enc := json.NewEncoder(&plain)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(v.String())
		if v.String() != "" && !strings.Contains(all, string(quoted)) && !strings.Contains(all, strings.Trim(plain.String(), "\"\n")) {
			t.Errorf("%s %s did not cross", what, v.Raw)
		}
	}
	gjson.GetBytes(request, "messages").ForEach(func(_, m gjson.Result) bool {
		each(m.Get("content"), func(b gjson.Result) {
			has("text", b.Get("text"))
			has("call", b.Get("id"))
			has("result of", b.Get("tool_use_id"))
			has("image or document", b.Get("source.data"))
		})
		return true
	})
	functions := 0
	each(gjson.GetBytes(request, "tools"), func(tool gjson.Result) {
		if tool.Get("input_schema").Exists() {
			functions++
		} else if !slices.Contains(up.Dropped, "tools") {
			t.Errorf("%s is not told as dropped", tool.Raw)
		}
	})
	if n := len(gjson.GetBytes(up.Body, "tools").Array()); n != functions {
		t.Errorf("%d tools crossed of %d", n, functions)
	}
}

func TestRecordedAnswersComeBack(t *testing.T) {
	for _, c := range providertest.Captures(t, os.Getenv("SLUICE_WIRE"), "messages", "anthropic") {
		if c.Stream != nil || c.Response.Status != 200 {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			resp, err := decode(c.Answered)
			if err != nil {
				t.Fatal(err)
			}
			sameMessage(t, encodeAnswer(nil, resp), c.Answered)
			var tally dialect.Tally
			if err := rawUsage(c.Answered, &tally); err != nil || tally.Usage != resp.Usage || tally.Finish != string(resp.Choices[0].FinishReason) {
				t.Errorf("raw, %+v, %v; decoded %+v", tally, err, resp.Usage)
			}
		})
	}
}

// sameMessage compares answers but for what the unified form has no word for:
// the place of the work, the category of a refusal and counts of searches.
func sameMessage(t *testing.T, got, want []byte) {
	t.Helper()
	var a, b map[string]any
	if err := errors.Join(json.Unmarshal(got, &a), json.Unmarshal(want, &b)); err != nil {
		t.Fatal(err)
	}
	for _, m := range []map[string]any{a, b} {
		for name, v := range m {
			if v == nil || name == "container" || name == "context_management" || name == "diagnostics" {
				delete(m, name)
			}
		}
		usage := m["usage"].(map[string]any)
		for name, v := range usage {
			zero := v == 0.0 || v == nil || name == "cache_creation" && reflect.DeepEqual(v, map[string]any{"ephemeral_5m_input_tokens": 0.0, "ephemeral_1h_input_tokens": 0.0})
			if zero || name == "inference_geo" || name == "server_tool_use" || name == "iterations" {
				delete(usage, name)
			}
		}
		if details, ok := m["stop_details"].(map[string]any); ok {
			delete(details, "category")
			delete(details, "recommended_model")
			if details["explanation"] == nil {
				delete(m, "stop_details")
			}
		}
		for _, block := range m["content"].([]any) {
			if cited, ok := block.(map[string]any)["citations"].([]any); ok && len(cited) == 0 {
				delete(block.(map[string]any), "citations")
			}
		}
	}
	if _, told := b["usage"].(map[string]any)["cache_creation"]; !told { // older answers give the sum alone
		delete(a["usage"].(map[string]any), "cache_creation")
	}
	if a, b := meaning(a), meaning(b); !reflect.DeepEqual(a, b) {
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		t.Errorf("came back as\n%s\nwant\n%s", x, y)
	}
}

// chunksOf decodes a whole stream.
func chunksOf(t testing.TB, d dialect.StreamDecoder, stream []byte) (out []schema.Chunk) {
	t.Helper()
	err := sse.Events(stream, func(f dialect.Frame) (err error) {
		out, err = d.Decode(f, out)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRecordedStreamsComeBack(t *testing.T) {
	for _, c := range providertest.Captures(t, os.Getenv("SLUICE_WIRE"), "messages", "anthropic") {
		if c.Stream == nil || c.ID == "anthropic-messages-stream-parallel_tool_calls_server_tool" { // several streams in one
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			chunks := chunksOf(t, newStream(), c.Answered)
			got, want := message(t, written(chunks)), message(t, c.Answered)
			sameMessage(t, got, want)
			again := chunksOf(t, newStream(), written(chunks))
			if one, two := message(t, written(chunks)), message(t, written(again)); !bytes.Equal(one, two) {
				t.Errorf("written again it is\n%s\nwant\n%s", two, one)
			}
			checkScan(t, c.Answered, chunks)
			checkScan(t, bytes.ReplaceAll(c.Answered, []byte("\n"), []byte("\r\n")), chunks)
		})
	}
}

// checkScan holds the raw side's scan against the decoder.
func checkScan(t *testing.T, stream []byte, chunks []schema.Chunk) {
	t.Helper()
	var tally, want dialect.Tally
	var split sse.Splitter
	s := newScanner(true)
	for rest := stream; len(rest) > 0; {
		n, err := split.Next(rest)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break // blank lines after the end
		}
		if keep, err := s.Scan(rest[:n], &tally); !keep || err != nil {
			t.Fatalf("%v %v for %s", keep, err, rest[:n])
		}
		rest = rest[n:]
	}
	texts := int64(0)
	for _, c := range chunks {
		if c.Usage != nil {
			want.Usage.Merge(*c.Usage)
		}
		for _, d := range c.Choices {
			texts += int64(len(d.Text) + len(d.Thinking))
			if d.FinishReason != "" {
				want.Finish = string(d.FinishReason)
			}
		}
	}
	if tally.Usage != want.Usage || tally.Finish != want.Finish || !tally.Done || tally.Text.Bytes < texts {
		t.Errorf("scanned %+v, want %+v and %d bytes", tally, want, texts)
	}
}

// OpenAI-shaped hosts answer a client of this API: what arrives is well formed
// and says the same.
func TestOpenAIStreamsForClients(t *testing.T) {
	hosts := []string{"openai", "azure", "groq", "deepseek", "mistral", "openrouter", "xai", "together", "cerebras", "moonshot", "perplexity", "huggingface", "alibaba", "zai"}
	for _, c := range providertest.Captures(t, os.Getenv("SLUICE_WIRE"), "chat", hosts...) {
		if c.Stream == nil || slices.Contains(c.Features, "error_in_stream") {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			chunks := chunksOf(t, openai.Dialect.Chat.Stream(), c.Answered)
			msg := message(t, written(chunks))
			want := map[string]string{}
			inputs := map[int]string{}
			var usage schema.Usage
			for _, ch := range chunks {
				if ch.Usage != nil {
					usage.Merge(*ch.Usage)
				}
				for _, d := range ch.Choices {
					if d.Index != 0 {
						continue
					}
					want["text"] += d.Text + d.Refusal
					want["thinking"] += d.Thinking
					for _, call := range d.ToolCalls {
						want["tool_use"] += call.ID + call.Function.Name
						inputs[*call.Index] += call.Function.Arguments
					}
				}
			}
			got := map[string]string{}
			call := 0
			gjson.GetBytes(msg, "content").ForEach(func(_, b gjson.Result) bool {
				kind := b.Get("type").Str
				if got[kind] += b.Get("text").Str + b.Get("thinking").Str + b.Get("id").Str + b.Get("name").Str; kind == "tool_use" {
					if input := string(toolInput(inputs[call])); canonicalJSON(t, input) != canonicalJSON(t, b.Get("input").Raw) {
						t.Errorf("call %d has input %s, want %s", call, b.Get("input").Raw, input)
					}
					call++
				}
				return true
			})
			for kind := range want {
				if got[kind] != want[kind] {
					t.Errorf("%s is %q, want %q", kind, got[kind], want[kind])
				}
			}
			if reason := gjson.GetBytes(msg, "stop_reason").Str; (reason == "tool_use") != (call > 0 && reason != "max_tokens") {
				t.Errorf("stop_reason is %q with %d calls", reason, call)
			}
			u := gjson.GetBytes(msg, "usage")
			if u.Get("input_tokens").Int()+u.Get("cache_read_input_tokens").Int()+u.Get("cache_creation_input_tokens").Int() != usage.Input || u.Get("output_tokens").Int() != usage.Output {
				t.Errorf("usage is %s, want %+v", u.Raw, usage)
			}
		})
	}
}

func TestOpenAIAnswersForClients(t *testing.T) {
	for _, c := range providertest.Captures(t, os.Getenv("SLUICE_WIRE"), "chat", "openai", "azure", "groq", "deepseek", "mistral", "openrouter", "xai") {
		if c.Stream != nil || c.Response.Status != 200 {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			resp, err := openai.Dialect.Chat.Decode(c.Answered)
			if err != nil {
				t.Fatal(err)
			}
			out := encodeAnswer(nil, resp)
			again, err := decode(out)
			if err != nil || len(resp.Choices) == 0 {
				t.Fatalf("%v in %s", err, out)
			}
			got, want := again.Choices[0], resp.Choices[0]
			if got.Message.Text() != want.Message.Text()+want.Message.Refusal || len(got.Message.ToolCalls) != len(want.Message.ToolCalls) {
				t.Errorf("message is %+v, want %+v", got.Message, want.Message)
			}
			for i, call := range got.Message.ToolCalls {
				if w := want.Message.ToolCalls[i]; call.Function.Name != w.Function.Name || canonicalJSON(t, call.Function.Arguments) != canonicalJSON(t, string(toolInput(w.Function.Arguments))) {
					t.Errorf("call %d is %+v, want %+v", i, call, w)
				}
			}
			if again.Usage.Input != resp.Usage.Input || again.Usage.Output != resp.Usage.Output || again.Usage.CachedInput != resp.Usage.CachedInput {
				t.Errorf("usage is %+v, want %+v", again.Usage, resp.Usage)
			}
		})
	}
}

func TestRecordedCounts(t *testing.T) {
	for _, c := range providertest.Captures(t, os.Getenv("SLUICE_WIRE"), "count_tokens", "anthropic") {
		if _, err := head(schema.OpCount, c.Asked); err != nil {
			t.Error(err)
		}
		req, err := decodeRequest(c.Asked)
		if err != nil {
			t.Fatal(err)
		}
		up, err := encodeCount(req)
		if err != nil {
			t.Fatal(err)
		}
		sameRequest(t, c.ID, up.Body, c.Asked)
		if n, err := decodeCount(c.Answered); err != nil || string(appendCount(nil, n)) != strings.TrimSpace(string(c.Answered)) {
			t.Errorf("%s: %d, %v", c.ID, n, err)
		}
	}
}
