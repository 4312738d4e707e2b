package mock

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"
	"pgregory.net/rapid"

	"sluice/providers/schema"
)

func p[T any](v T) *T { return &v }

// wordsOf counts a token for every word.
func wordsOf(text string) int64 { return int64(len(strings.Fields(text))) }

func newMock(o Options) *Mock {
	if o.Count == nil {
		o.Count = wordsOf
	}
	o.Now = func() time.Time { return time.Unix(1767225600, 0) }
	return New(o)
}

func ask(model, text string, f func(*schema.ChatRequest)) *schema.ChatRequest {
	req := &schema.ChatRequest{Model: model, Messages: []schema.Message{
		{Role: schema.RoleSystem, Parts: schema.TextParts("be brief")},
		{Role: schema.RoleUser, Parts: schema.TextParts(text)},
	}}
	if f != nil {
		f(req)
	}
	return req
}

// told is a streamed answer put together.
type told struct {
	text, args, id, name string
	finish               openai.FinishReason
	usage                *schema.Usage
	chunks               int
}

func drain(t *testing.T, next func() (*schema.Chunk, error)) told {
	t.Helper()
	var w told
	for {
		c, err := next()
		if err == io.EOF {
			return w
		}
		if err != nil {
			t.Fatal(err)
		}
		w.chunks++
		if c.Usage != nil {
			u := *c.Usage
			w.usage = &u
		}
		for _, d := range c.Choices {
			if d.Index != 0 {
				continue
			}
			w.text += d.Text
			if d.FinishReason != "" {
				w.finish = d.FinishReason
			}
			for _, call := range d.ToolCalls {
				w.id, w.name, w.args = w.id+call.ID, w.name+call.Function.Name, w.args+call.Function.Arguments
			}
		}
	}
}

// both asks for the answer whole and streamed; they must agree but for ids.
func both(t *testing.T, req *schema.ChatRequest) (*schema.ChatResponse, told) {
	t.Helper()
	m := newMock(Options{})
	resp, err := m.Chat(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	next, err := m.ChatStream(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	w := drain(t, next)
	c := resp.Choices[0]
	if w.text != c.Message.Text() || w.finish != c.FinishReason || w.usage == nil || *w.usage != resp.Usage {
		t.Errorf("streamed %+v (usage %+v), whole %+v (usage %+v)", w, w.usage, c, resp.Usage)
	}
	if len(c.Message.ToolCalls) > 0 {
		f := c.Message.ToolCalls[0].Function
		if w.name != f.Name || w.args != f.Arguments || w.id == "" {
			t.Errorf("streamed call %s %s(%s), whole %s(%s)", w.id, w.name, w.args, f.Name, f.Arguments)
		}
	}
	return resp, w
}

func TestEcho(t *testing.T) {
	resp, w := both(t, ask("echo", "hello  big\nworld ", nil))
	if got := resp.Choices[0].Message.Text(); got != "hello  big\nworld " {
		t.Errorf("echo says %q", got)
	}
	want := schema.Usage{Input: 3*2 + 3 + 2 + 3, Output: 3, Source: schema.UsageReported}
	if resp.Usage != want {
		t.Errorf("usage is %+v, want %+v", resp.Usage, want)
	}
	if w.chunks != 1+3+1+1 { // role, words, finish, usage
		t.Errorf("%d chunks", w.chunks)
	}
	if resp.ID == "" || resp.Model != "echo" || resp.Created != 1767225600 {
		t.Errorf("answer is %+v", resp)
	}
}

func TestEchoOfNothing(t *testing.T) {
	resp, _ := both(t, &schema.ChatRequest{Model: "echo", Messages: []schema.Message{{Role: schema.RoleSystem, Parts: schema.TextParts("x")}}})
	if c := resp.Choices[0]; c.Message.Text() != "" || c.FinishReason != "stop" || resp.Usage.Output != 0 {
		t.Errorf("answer is %+v", c)
	}
}

func TestLorem(t *testing.T) {
	resp, _ := both(t, ask("lorem-150", "go", nil))
	if n := wordsOf(resp.Choices[0].Message.Text()); n != 150 || resp.Usage.Output != 150 {
		t.Errorf("%d words, %d tokens", n, resp.Usage.Output)
	}
	for _, bad := range []string{"lorem-", "lorem--1", "lorem-1e3", "lorem-9999999", "gpt-4o", "", "embed", "fail-200", "fail-x"} {
		_, err := newMock(Options{}).Chat(context.Background(), ask(bad, "x", nil))
		if e := schema.AsError(err); err == nil || e.Status != 404 || e.Code != schema.CodeModelNotFound || e.Class != schema.ClassNotFound {
			t.Errorf("model %q: %v", bad, err)
		}
	}
}

func TestLimits(t *testing.T) {
	resp, _ := both(t, ask("echo", "one two three four", func(r *schema.ChatRequest) { r.MaxTokens = p(int64(2)) }))
	if c := resp.Choices[0]; wordsOf(c.Message.Text()) != 2 || c.FinishReason != "length" || resp.Usage.Output != 2 {
		t.Errorf("cut answer is %+v", c)
	}
	resp, _ = both(t, ask("echo", "one two three four", func(r *schema.ChatRequest) { r.MaxTokens = p(int64(4)) }))
	if c := resp.Choices[0]; c.Message.Text() != "one two three four" || c.FinishReason != "stop" {
		t.Errorf("an answer that fits is %+v", c)
	}
	resp, _ = both(t, ask("echo", "one two three four", func(r *schema.ChatRequest) { r.Stop = []string{"four", "", " three"} }))
	if c := resp.Choices[0]; c.Message.Text() != "one two" || c.FinishReason != "stop" || c.StopSequence != " three" {
		t.Errorf("stopped answer is %+v", c)
	}
	resp, _ = both(t, ask("echo", "a b", func(r *schema.ChatRequest) { r.N = p(int64(3)) }))
	if len(resp.Choices) != 3 || resp.Choices[2].Index != 2 || resp.Usage.Output != 6 {
		t.Errorf("three answers are %+v, usage %+v", resp.Choices, resp.Usage)
	}
}

// Whatever the limit, the answer is a beginning of the full one, whole in its
// runes, and no more tokens than allowed.
func TestCutIsABeginning(t *testing.T) {
	count := func(text string) int64 { return int64(len(text)+2) / 3 }
	m := newMock(Options{Count: count})
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		limit := rapid.Int64Range(1, 40).Draw(t, "limit")
		resp, err := m.Chat(context.Background(), ask("echo", text, func(r *schema.ChatRequest) { r.MaxTokens = &limit }))
		if err != nil {
			t.Fatal(err)
		}
		got := resp.Choices[0].Message.Text()
		if !strings.HasPrefix(text, got) || count(got) > limit || resp.Usage.Output != count(got) {
			t.Fatalf("%q cut at %d is %q, %d tokens", text, limit, got, resp.Usage.Output)
		}
		if cut := resp.Choices[0].FinishReason == "length"; cut != (got != text) {
			t.Fatalf("finish is %q for %q of %q", resp.Choices[0].FinishReason, got, text)
		}
	})
}

func TestTools(t *testing.T) {
	city := json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":2}},"required":["city"]}`)
	with := func(f func(*schema.ChatRequest)) *schema.ChatRequest {
		return ask("echo", "weather?", func(r *schema.ChatRequest) {
			r.Tools = []schema.Tool{{Raw: json.RawMessage(`{"type":"web_search"}`), Type: "web_search"}, {Name: "weather", Parameters: city}, {Name: "now"}}
			if f != nil {
				f(r)
			}
		})
	}
	resp, _ := both(t, with(nil))
	c := resp.Choices[0]
	if c.FinishReason != "tool_calls" || c.Message.ToolCalls[0].Function.Name != "weather" || c.Message.Text() != "" {
		t.Fatalf("answer is %+v", c)
	}
	check(t, string(city), []byte(c.Message.ToolCalls[0].Function.Arguments))
	resp, _ = both(t, with(func(r *schema.ChatRequest) { r.ToolChoice = &schema.ToolChoice{Mode: "function", Name: "now"} }))
	if f := resp.Choices[0].Message.ToolCalls[0].Function; f.Name != "now" || f.Arguments != "{}" {
		t.Errorf("forced call is %+v", f)
	}
	resp, _ = both(t, with(func(r *schema.ChatRequest) { r.ToolChoice = &schema.ToolChoice{Mode: "none"} }))
	if got := resp.Choices[0].Message.Text(); got != "weather?" {
		t.Errorf("without tools it says %q", got)
	}
	resp, _ = both(t, with(func(r *schema.ChatRequest) {
		r.Messages = append(r.Messages, schema.Message{Role: schema.RoleAssistant, ToolCalls: []openai.ToolCall{{ID: "1", Function: openai.FunctionCall{Name: "weather", Arguments: `{}`}}}},
			schema.Message{Role: schema.RoleTool, ToolCallID: "1", Parts: schema.TextParts("15 degrees")})
	}))
	if got := resp.Choices[0].Message.Text(); got != "15 degrees" {
		t.Errorf("after the result it says %q", got)
	}
	resp, _ = both(t, with(func(r *schema.ChatRequest) { r.MaxTokens = p(int64(1)) }))
	if c := resp.Choices[0]; c.FinishReason != "length" || resp.Usage.Output > 1 {
		t.Errorf("a cut call is %+v", c)
	}
	_, err := newMock(Options{}).Chat(context.Background(), with(func(r *schema.ChatRequest) { r.ToolChoice = &schema.ToolChoice{Mode: "function", Name: "gone"} }))
	if schema.AsError(err).Param != "tool_choice" {
		t.Errorf("an unknown tool: %v", err)
	}
}

func TestResponseFormats(t *testing.T) {
	mood := json.RawMessage(`{"type":"object","properties":{"mood":{"enum":["good","bad"]}},"required":["mood"],"additionalProperties":false}`)
	resp, _ := both(t, ask("lorem-3", "x", func(r *schema.ChatRequest) {
		r.ResponseFormat = &schema.ResponseFormat{Type: "json_schema", Schema: mood}
	}))
	if got := resp.Choices[0].Message.Text(); got != `{"mood":"good"}` {
		t.Errorf("answer is %s", got)
	}
	resp, _ = both(t, ask("echo", `say "hi"`, func(r *schema.ChatRequest) { r.ResponseFormat = &schema.ResponseFormat{Type: "json_object"} }))
	if got := resp.Choices[0].Message.Text(); got != `{"text":"say \"hi\""}` {
		t.Errorf("answer is %s", got)
	}
}

// verbatim says what it is given, whatever else is asked for.
func TestVerbatim(t *testing.T) {
	const text = `{"mood": "so \"so\""}`
	resp, _ := both(t, ask("verbatim", text, func(r *schema.ChatRequest) {
		r.Tools = []schema.Tool{{Type: "function", Name: "t"}}
		r.ResponseFormat = &schema.ResponseFormat{Type: "json_schema", Schema: json.RawMessage(`{"type":"object"}`)}
	}))
	if got := resp.Choices[0].Message; got.Text() != text || len(got.ToolCalls) > 0 {
		t.Errorf("answer is %+v", got)
	}
}

func TestFailures(t *testing.T) {
	for status, want := range map[int]struct {
		status int
		code   schema.Code
		class  schema.Class
	}{
		400: {400, schema.CodeInvalidRequest, schema.ClassInvalidRequest},
		401: {502, schema.CodeUpstreamAuth, schema.ClassAuth},
		402: {429, schema.CodeInsufficientQuota, schema.ClassQuota},
		403: {502, schema.CodeUpstreamAuth, schema.ClassAuth},
		404: {404, schema.CodeModelNotFound, schema.ClassNotFound},
		408: {504, schema.CodeUpstreamTimeout, schema.ClassTimeout},
		413: {413, schema.CodeTooLarge, schema.ClassInvalidRequest},
		429: {429, schema.CodeRateLimit, schema.ClassRateLimited},
		500: {500, schema.CodeUpstream, schema.ClassServerError},
		502: {502, schema.CodeUpstream, schema.ClassServerError},
		503: {503, schema.CodeUpstream, schema.ClassOverloaded},
		504: {504, schema.CodeUpstreamTimeout, schema.ClassTimeout},
		529: {503, schema.CodeUpstream, schema.ClassOverloaded},
	} {
		m := newMock(Options{})
		model := "fail-" + itoa(status)
		_, err := m.Chat(context.Background(), ask(model, "x", nil))
		_, err2 := m.ChatStream(context.Background(), ask(model, "x", nil))
		_, err3 := m.Embed(context.Background(), &schema.EmbedRequest{Model: model, Input: []string{"x"}})
		for _, err := range []error{err, err2, err3} {
			e := schema.AsError(err)
			if e.Status != want.status || e.Code != want.code || e.Class != want.class || e.UpstreamStatus != status || e.Origin != schema.OriginProvider {
				t.Errorf("%s gives %+v", model, e)
			}
			if (e.RetryAfter > 0) != (status == 429) {
				t.Errorf("%s asks to wait %s", model, e.RetryAfter)
			}
		}
	}
}

func itoa(n int) string { raw, _ := json.Marshal(n); return string(raw) }

func TestShareOfFailuresIsExact(t *testing.T) {
	m := newMock(Options{Fail: Fail{Status: 503, Share: 0.1}})
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := 0
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, err := m.Chat(context.Background(), ask("echo", "x", nil)); err != nil {
					mu.Lock()
					failed++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if failed != 40 {
		t.Errorf("%d of 400 failed, want 40", failed)
	}
}

func TestPaceAndLatency(t *testing.T) {
	now := time.Unix(0, 0)
	var slept []time.Duration
	m := New(Options{Latency: 20 * time.Millisecond, Rate: 100, Count: wordsOf, Now: func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error { slept = append(slept, d); now = now.Add(d); return nil }})
	next, err := m.ChatStream(context.Background(), ask("echo", "a b c", nil))
	if err != nil {
		t.Fatal(err)
	}
	drain(t, next)
	if want := []time.Duration{20 * time.Millisecond, 10 * time.Millisecond, 10 * time.Millisecond}; len(slept) != 3 || slept[0] != want[0] || slept[1] != want[1] || slept[2] != want[2] {
		t.Errorf("slept %v, want %v", slept, want)
	}
}

func TestStreamEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	next, err := New(Options{Rate: 0.001}).ChatStream(ctx, ask("echo", "a b c", nil))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the role and the first word come at once
		if _, err := next(); err != nil {
			t.Fatal(err)
		}
	}
	result := make(chan error)
	go func() { _, err := next(); result <- err }() // waits for the second word
	cancel()
	if e := schema.AsError(<-result); e.Class != schema.ClassCancelled {
		t.Errorf("the stream ends with %v", e)
	}
	if _, err := next(); schema.AsError(err).Class != schema.ClassCancelled {
		t.Errorf("then with %v", err)
	}
	if _, err := New(Options{Latency: time.Hour}).Chat(ctx, ask("echo", "a", nil)); schema.AsError(err).Class != schema.ClassCancelled {
		t.Errorf("a call that never began: %v", err)
	}
	late, stop := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer stop()
	if _, err := New(Options{}).Chat(late, ask("echo", "a", nil)); schema.AsError(err).Class != schema.ClassTimeout {
		t.Errorf("a call after its deadline: %v", err)
	}
}

func TestEmbed(t *testing.T) {
	m := newMock(Options{})
	embed := func(req schema.EmbedRequest) *schema.EmbedResponse {
		req.Model = "embed"
		resp, err := m.Embed(context.Background(), &req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	resp := embed(schema.EmbedRequest{Input: []string{"the cat sat on the mat", "the cat sat on a mat", "quantum flux capacitor", ""}})
	if len(resp.Data) != 4 || resp.Data[2].Index != 2 || resp.Usage.Input != 6+6+3 || resp.Usage.Output != 0 || resp.Usage.Source != schema.UsageReported {
		t.Errorf("answer is %d vectors, usage %+v", len(resp.Data), resp.Usage)
	}
	for _, e := range resp.Data {
		if len(e.Vector) != DefaultDimensions || math.Abs(dot(e.Vector, e.Vector)-1) > 1e-5 {
			t.Errorf("vector %d: %d dimensions, length² %v", e.Index, len(e.Vector), dot(e.Vector, e.Vector))
		}
	}
	if near, far := dot(resp.Data[0].Vector, resp.Data[1].Vector), dot(resp.Data[0].Vector, resp.Data[2].Vector); near < 0.8 || far > 0.3 {
		t.Errorf("like texts are %v near, unlike ones %v", near, far)
	}
	if again := embed(schema.EmbedRequest{Input: []string{"The cat sat on the mat"}, Dimensions: p(int64(8))}); len(again.Data[0].Vector) != 8 {
		t.Errorf("%d dimensions, want 8", len(again.Data[0].Vector))
	}
	if tokens := embed(schema.EmbedRequest{Tokens: [][]int64{{1, 2, 3}, {}}}); len(tokens.Data) != 2 || tokens.Usage.Input != 3 {
		t.Errorf("tokens give %d vectors, usage %+v", len(tokens.Data), tokens.Usage)
	}
	for param, req := range map[string]schema.EmbedRequest{
		"input": {Model: "embed"}, "dimensions": {Model: "embed", Input: []string{"a"}, Dimensions: p(int64(0))}, "model": {Model: "echo", Input: []string{"a"}},
	} {
		if _, err := m.Embed(context.Background(), &req); schema.AsError(err).Param != param {
			t.Errorf("%s: %v", param, err)
		}
	}
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestPromptTokens(t *testing.T) {
	req := &schema.ChatRequest{
		Messages: []schema.Message{
			{Role: schema.RoleUser, Parts: []schema.Part{{Type: schema.PartText, Text: "a b"}, {Type: schema.PartImage, Media: &schema.Media{Data: "x"}}, {Type: schema.PartDocument, Media: &schema.Media{Data: "x"}}}},
			{Role: schema.RoleAssistant, Refusal: "no", Parts: []schema.Part{{Type: schema.PartThinking, Text: "c d e"}, {Type: schema.PartRedactedThinking, Data: "z z"}, {Type: schema.PartRaw, Raw: json.RawMessage(`"f"`)}},
				ToolCalls: []openai.ToolCall{{Function: openai.FunctionCall{Name: "n", Arguments: "{ }"}}}},
		},
		Tools:          []schema.Tool{{Name: "t", Description: "u v", Parameters: json.RawMessage(`{ }`)}},
		ResponseFormat: &schema.ResponseFormat{Schema: json.RawMessage(`{ }`)},
	}
	want := int64(schema.ReplyTokens + 2*schema.MessageTokens + 2 + 2*schema.MediaTokens + 1 + 3 + 1 + 1 + 2 + schema.ToolTokens + 1 + 2 + 2 + 2)
	if got := schema.PromptTokens(req, wordsOf); got != want {
		t.Errorf("%d tokens, want %d", got, want)
	}
}
