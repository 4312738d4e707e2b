package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"
)

// halves are two hosts of OpenAI's API: the first tells half a sentence and is
// cut, the second goes on as a model does that is told to in words, which
// repeats the last words.
type halves struct {
	mu    sync.Mutex
	asked []string // the second
}

const firstHalf, secondHalf = "The quick brown fox jumps over", "fox jumps over the lazy dog."

func (h *halves) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "text/event-stream")
	delta := func(text string) {
		fmt.Fprintf(w, `data: {"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":%q},"finish_reason":null}]}`+"\n\n", text)
		w.(http.Flusher).Flush()
	}
	if strings.HasPrefix(r.URL.Path, "/first") {
		delta(firstHalf[:10])
		delta(firstHalf[10:])
		fmt.Fprint(w, `data: {"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"con`)
		panic(http.ErrAbortHandler)
	}
	h.mu.Lock()
	h.asked = append(h.asked, string(body))
	h.mu.Unlock()
	delta(secondHalf[:7])
	delta(secondHalf[7:])
	fmt.Fprint(w, `data: {"id":"d","created":2,"model":"n","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\n"+
		`data: {"id":"d","created":2,"model":"n","choices":[],"usage":{"prompt_tokens":40,"completion_tokens":9,"total_tokens":49}}`+"\n\ndata: [DONE]\n\n")
}

// A stream that is cut in a frame goes on at the next target: one text, one id,
// one end; two entries whose sums are the report's.
func TestResumedStream(t *testing.T) {
	h := &halves{}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	provider := func(name string) string {
		return "  " + name + `: {kind: openai-compatible, base_url: "` + s.URL + "/" + name + `/v1", keys: [sk-x], prices: {m: {input: 1, output: 2}}}` + "\n"
	}
	g := start(t, providers+provider("first")+provider("second")+
		"models:\n  whole: {targets: [{model: first/m}, {model: second/m}], resume: true}\n  half: {targets: [{model: first/m}, {model: second/m}]}\n"+team)
	a := g.chat(chatBody("whole", "tell", `,"stream":true,"max_tokens":50,"stream_options":{"include_usage":true}`), "X-Sluice-Explain", "1")
	text, ids, dones, output := "", map[string]bool{}, 0, int64(0)
	for line := range strings.Lines(a.body) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if data == "[DONE]" {
			dones++
		}
		if e := gjson.Parse(data); ok && e.IsObject() {
			text += e.Get("choices.0.delta.content").Str
			ids[e.Get("id").Str+e.Get("model").Str] = true
			output += e.Get("usage.completion_tokens").Int()
		}
	}
	if text != "The quick brown fox jumps over the lazy dog." || len(ids) != 1 || dones != 1 {
		t.Errorf("%q, %d ids, %d ends: %s", text, len(ids), dones, a.body)
	}
	if !strings.Contains(a.body, ": sluice model=second/m attempts=2 cost=") {
		t.Errorf("the note is missing: %s", a.body)
	}
	ask := h.asked[0]
	if last := gjson.Get(ask, "messages.@reverse.0.role").Str; gjson.Get(ask, "messages.1.content").Str != firstHalf || last != "user" {
		t.Errorf("the second was asked: %s", ask)
	}
	if n := gjson.Get(ask, "max_tokens").Int(); n <= 0 || n >= 50 {
		t.Errorf("the second may say %d tokens", n)
	}
	if b := g.chat(chatBody("half", "tell", `,"stream":true`)); strings.Contains(b.body, "[DONE]") || !strings.Contains(b.body, `"error"`) || len(h.asked) != 1 {
		t.Errorf("without resume: %s", b.body)
	}
	g.waitCalls(2)
	rows := g.api("GET", "usage?group_by=model,target", "").get("rows").Array()
	sum := int64(0)
	for _, row := range rows {
		if row.Get("model").Str == "whole" {
			sum += row.Get("output_tokens").Int()
		}
	}
	if sum != output || output <= 9 {
		t.Errorf("told %d tokens, reported are %d: %v", output, sum, rows)
	}
	if out, errs, code := g.sluice("report", "--verify"); code != 0 {
		t.Errorf("report --verify: %d %s %s", code, out, errs)
	}
}
