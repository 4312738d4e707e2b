package upstream

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// fasthttp's pool cleaner sleeps its interval out after Shutdown.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// post sends a body and gives status, head and text of the answer.
func post(t *testing.T, url, body string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer sk-one")
	req.Header.Set("X-Api-Key", "sk-one")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res, string(b), err
}

func TestPlan(t *testing.T) {
	p := parsePlan("echo_chunks-20_pace-10_gpt-4o_in-7")
	want := plan{echo: true, chunks: 20, pace: 10 * time.Millisecond, in: 7, out: unset, times: unset, after: unset, hang: unset, cut: unset, spent: unset, broken: unset}
	if p != want {
		t.Fatalf("got %+v, want %+v", p, want)
	}
	if got := keyFailure("sk-fail-429"); got != 429 {
		t.Fatalf("key failure is %d", got)
	}
}

func TestUnary(t *testing.T) {
	s := Start(t)
	tools := `"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}}}}}]`
	for _, c := range []struct{ name, path, body, at, want string }{
		{"small", "/v1/chat/completions", `{"model":"small","messages":[{"role":"user","content":"hi there"}]}`, "usage.prompt_tokens", "3"},
		{"big", "/v1/chat/completions", `{"model":"big","messages":[]}`, "choices.0.finish_reason", "stop"},
		{"echo", "/v1/chat/completions", `{"model":"echo","messages":[{"role":"user","content":"mark 7"}]}`, "choices.0.message.content", "mark 7"},
		{"image", "/v1/chat/completions", `{"model":"echo","messages":[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`, "choices.0.message.content", "see [image image/png 4]"},
		{"bound", "/v1/chat/completions", `{"model":"out-100","max_tokens":10,"messages":[]}`, "usage.completion_tokens", "10"},
		{"tools", "/v1/chat/completions", `{"model":"small",` + tools + `,"messages":[{"role":"user","content":"x"}]}`, "choices.0.message.tool_calls.1.function.arguments", `{"city":"text","days":1}`},
		{"schema", "/v1/chat/completions", `{"model":"small","response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"ok":{"type":"boolean"}}}}},"messages":[]}`, "choices.0.message.content", `{"ok":true}`},
		{"message", "/v1/messages", `{"model":"echo","max_tokens":50,"messages":[{"role":"user","content":"mark 8"}]}`, "content.0.text", "mark 8"},
		{"thinking", "/v1/messages", `{"model":"echo","max_tokens":50,"thinking":{"type":"enabled"},"messages":[{"role":"user","content":"m"}]}`, "content.0.type", "thinking"},
		{"tool use", "/v1/messages", `{"model":"echo","max_tokens":50,"tools":[{"name":"a","input_schema":{"type":"object","properties":{"n":{"type":"number"}}}}],"messages":[{"role":"user","content":"m"}]}`, "content.1.input.n", "0.5"},
		{"count", "/v1/messages/count_tokens", `{"model":"echo","messages":[{"role":"user","content":"a b c"}]}`, "input_tokens", "4"},
		{"embedding", "/v1/embeddings", `{"model":"e","input":["a","b"],"dimensions":3}`, "data.1.embedding.#", "3"},
		{"error", "/v1/chat/completions", `{"model":"fail-429_after-3","messages":[]}`, "error.code", "rate_limit_exceeded"},
		{"anthropic error", "/v1/messages", `{"model":"fail-529","max_tokens":1,"messages":[]}`, "error.type", "overloaded_error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, body, err := post(t, s.URL()+c.path, c.body)
			if got := gjson.Get(body, c.at).String(); got != c.want || err != nil {
				t.Fatalf("%s is %q, want %q (%v) in %s", c.at, got, c.want, err, body)
			}
		})
	}
	if got := s.Last(1)[0].Path; got != "/v1/messages" {
		t.Fatalf("the last request went to %s", got)
	}
}

func TestSizes(t *testing.T) {
	s := Start(t)
	for model, within := range map[string][2]int{"small": {500, 900}, "big": {9_000, 11_500}} {
		_, body, _ := post(t, s.URL()+"/v1/chat/completions", `{"model":"`+model+`","messages":[]}`)
		if n := len(body); n < within[0] || n > within[1] || !strings.Contains(body, Marker) {
			t.Errorf("%s has %d bytes", model, n)
		}
	}
}

func TestStreams(t *testing.T) {
	s := Start(t)
	for _, model := range []string{"small", "chunks-60", "chunks-60_pace-1", "small_in-5"} {
		body := `{"model":"` + model + `","stream":true,"stream_options":{"include_usage":true},"messages":[]}`
		_, text, err := post(t, s.URL()+"/v1/chat/completions", body)
		frames := strings.Split(strings.TrimSuffix(text, "\n\n"), "\n\n")
		if err != nil || len(frames) != 64 || frames[63] != "data: [DONE]" {
			t.Fatalf("%s: %d frames, the last %q, %v", model, len(frames), frames[len(frames)-1], err)
		}
		if got := gjson.Get(frames[62][6:], "usage.completion_tokens").Int(); got != 60 {
			t.Fatalf("%s: usage says %d", model, got)
		}
	}
	_, text, err := post(t, s.URL()+"/v1/messages", `{"model":"echo_think","stream":true,"max_tokens":99,"messages":[{"role":"user","content":"a b"}]}`)
	var events []string
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			events = append(events, strings.TrimSpace(name))
		}
	}
	if err != nil || events[0] != "message_start" || events[len(events)-1] != "message_stop" || !strings.Contains(text, "signature_delta") {
		t.Fatalf("events %v, %v", events, err)
	}
}

func TestCut(t *testing.T) {
	s := Start(t)
	for _, stream := range []bool{true, false} {
		_, text, err := post(t, s.URL()+"/v1/chat/completions", fmt.Sprintf(`{"model":"cut-5","stream":%v,"messages":[]}`, stream))
		if err == nil || strings.Contains(text, "[DONE]") || text == "" {
			t.Fatalf("stream %v: a cut answer ended cleanly: %q, %v", stream, text, err)
		}
	}
	if got := s.Stats(); got.Cut != 2 || got.Open != 0 {
		t.Fatalf("%+v", got)
	}
}

func TestTimes(t *testing.T) {
	s := Start(t)
	for i, want := range []int{503, 503, 200} {
		res, _, _ := post(t, s.URL()+"/v1/chat/completions", `{"model":"fail-503_times-2","messages":[]}`)
		if res.StatusCode != want {
			t.Fatalf("call %d: %d, want %d", i, res.StatusCode, want)
		}
	}
}

// A call whose peer leaves is counted as cancelled: before the head, in a
// pause between chunks, and in silence after some.
func TestCancelled(t *testing.T) {
	s := Start(t)
	for i, model := range []string{"silent", "chunks-1000_pace-50", "hang-2"} {
		ready := model != "silent"
		body := `{"model":"` + model + `","stream":true,"messages":[]}`
		ctx, leave := context.WithCancel(context.Background())
		req, _ := http.NewRequestWithContext(ctx, "POST", s.URL()+"/v1/chat/completions", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer x")
		tr := &http.Transport{}
		left := make(chan struct{})
		go func() {
			defer close(left)
			if !ready {
				waitFor(t, func() bool { return s.Stats().Open == 1 })
				leave()
			}
		}()
		res, err := tr.RoundTrip(req)
		if ready {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		}
		<-left
		leave()
		tr.CloseIdleConnections()
		waitFor(t, func() bool { st := s.Stats(); return st.Cancelled == int64(i+1) && st.Open == 0 })
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(look)
	}
	t.Error("it did not happen within 5 s")
}

func TestEndpoints(t *testing.T) {
	s := Start(t)
	res, err := http.Get(s.URL() + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var st Stats
	if err := json.NewDecoder(res.Body).Decode(&st); err != nil || st.Open != 0 {
		t.Fatalf("%+v, %v", st, err)
	}
	http.DefaultClient.CloseIdleConnections()
}
