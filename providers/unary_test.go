package providers

import (
	"context"
	"io"
	"strings"
	"testing"

	openaisdk "github.com/sashabaranov/go-openai"

	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

const wholeAnswer = `{ "id":"a1","object":"chat.completion","model":"big-1","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12},"vendor":{"x":1.0} }`

func TestChatPassesBytes(t *testing.T) {
	for _, piece := range []int{0, 1, 64} {
		p, conn := fake{contentType: "application/json", body: wholeAnswer, piece: piece}.provider(t)
		a, err := p.Chat(context.Background(), chatCall(t, &openai.Dialect))
		if err != nil {
			t.Fatal(err)
		}
		if string(a.Body) != wholeAnswer || a.Chat != nil {
			t.Errorf("the answer is %s", a.Body)
		}
		if u := a.Tally.Usage; u.Input != 9 || u.Output != 3 || u.Source != schema.UsageReported || a.Tally.Finish != "stop" || !a.Tally.Done {
			t.Errorf("tally is %+v", a.Tally)
		}
		a.Release()
		a.Release()
		if got, want := conn.body(), `{"model":"big","messages":[{"role":"user","content":"hi"}],"vendor":[1]}`; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
		head := string(conn.sent)
		for _, want := range []string{"POST /v1/chat/completions HTTP/1.1\r\n", "Authorization: Bearer s3cret\r\n", "X-Team: a\r\n", "Content-Type: application/json\r\n"} {
			if !strings.Contains(head, want) {
				t.Errorf("the request has no %q:\n%s", want, head)
			}
		}
	}
}

func TestChatTranslates(t *testing.T) {
	p, conn := fake{contentType: "application/json", body: wholeAnswer}.provider(t)
	c := chatCall(t, other())
	c.MaxTokens = 5
	a, err := p.Chat(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	if !strings.Contains(string(a.Body), `"content":"hello"`) || strings.Contains(string(a.Body), "vendor") || a.Tally.Usage.Output != 3 {
		t.Errorf("answer %s, tally %+v", a.Body, a.Tally)
	}
	if want := `{"model":"big","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":5,"vendor":[1]}`; conn.body() != want {
		t.Errorf("sent %s, want %s", conn.body(), want)
	}
	if whole, _ := c.Request.Chat(); whole.Model != "m" || whole.MaxTokens != nil {
		t.Errorf("the request was changed: %+v", whole)
	}
}

func TestChatUnified(t *testing.T) {
	p, _ := fake{contentType: "application/json", body: `{"choices":[{"message":{"content":"hello"}}]}`}.provider(t)
	a, err := p.Chat(context.Background(), unifiedCall())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	if a.Body != nil || a.Chat.Choices[0].Message.Text() != "hello" || a.Chat.ID != "made" || a.Chat.Model != "big" {
		t.Errorf("the answer is %+v", a.Chat)
	}
	if string(a.Tally.Text.Sample) != "hello" || a.Tally.Usage.Source != schema.UsageNone {
		t.Errorf("the text was not measured: %+v", a.Tally)
	}
}

func TestChatRefused(t *testing.T) {
	const words = `{"error":{"message":"provider says sk-secret","type":"t","param":"x","code":null}}`
	cases := []struct {
		name, body string
		status     int
		header     string
		class      schema.Class
		want       int
		code       schema.Code
		hidden     bool
	}{
		{name: "key", status: 401, body: words, class: schema.ClassAuth, want: 502, code: schema.CodeUpstreamAuth, hidden: true},
		{name: "forbidden", status: 403, body: words, class: schema.ClassAuth, want: 502, code: schema.CodeUpstreamAuth, hidden: true},
		{name: "limited", status: 429, body: words, header: "Retry-After: 7\r\n", class: schema.ClassRateLimited, want: 429, code: schema.CodeRateLimit},
		{name: "quota", status: 429, body: `{"error":{"message":"q","code":"insufficient_quota"}}`, class: schema.ClassQuota, want: 429, code: schema.CodeInsufficientQuota},
		{name: "paid", status: 402, body: words, class: schema.ClassQuota, want: 429, code: schema.CodeInsufficientQuota},
		{name: "request", status: 400, body: words, class: schema.ClassInvalidRequest, want: 400, code: schema.CodeInvalidRequest},
		{name: "unprocessable", status: 422, body: `{"detail":[{"loc":["body","n"],"msg":"bad n"}]}`, class: schema.ClassInvalidRequest, want: 422, code: schema.CodeInvalidRequest},
		{name: "model", status: 404, body: `{"error":"no such model"}`, class: schema.ClassNotFound, want: 404, code: schema.CodeModelNotFound},
		{name: "long", status: 400, body: `{"error":{"message":"m","code":"context_length_exceeded"}}`, class: schema.ClassContextLength, want: 400, code: schema.CodeContextLength},
		{name: "filtered", status: 400, body: `{"error":{"message":"m","code":"content_filter"}}`, class: schema.ClassContentFilter, want: 400, code: schema.CodeContentFilter},
		{name: "broken", status: 500, body: "<html>oops</html>", class: schema.ClassServerError, want: 500, code: schema.CodeUpstream},
		{name: "overloaded", status: 529, class: schema.ClassOverloaded, want: 503, code: schema.CodeUpstream},
		{name: "down", status: 503, class: schema.ClassOverloaded, want: 503, code: schema.CodeUpstream},
		{name: "late", status: 408, class: schema.ClassTimeout, want: 504, code: schema.CodeUpstreamTimeout},
		{name: "moved", status: 302, class: schema.ClassInvalidOutput, want: 502, code: schema.CodeUpstream},
		{name: "error as success", status: 200, body: words, class: schema.ClassServerError, want: 502, code: schema.CodeUpstream},
		{name: "limit as success", status: 200, body: `{"error":{"message":"m","code":429}}`, class: schema.ClassRateLimited, want: 429, code: schema.CodeRateLimit},
		{name: "not JSON", status: 200, body: "<html>", class: schema.ClassInvalidOutput, want: 502, code: schema.CodeUpstream},
		{name: "not an answer", status: 200, body: `{"a":1}`, class: schema.ClassInvalidOutput, want: 502, code: schema.CodeUpstream},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := fake{contentType: "application/json", status: c.status, body: c.body, header: c.header}
			calls := map[string]*Call{"raw": chatCall(t, &openai.Dialect), "translated": chatCall(t, other()), "unified": unifiedCall()}
			for kind, call := range calls {
				p, _ := f.provider(t)
				_, err := p.Chat(context.Background(), call)
				e := wantError(t, err, c.class, c.want, c.code)
				if e.Origin != schema.OriginProvider || e.Provider != "lab" {
					t.Errorf("%s: origin %q, provider %q", kind, e.Origin, e.Provider)
				}
				if c.hidden && strings.Contains(e.Message, "sk-secret") {
					t.Errorf("%s: the message shows the key: %s", kind, e.Message)
				}
				if c.header != "" && e.RetryAfter.Seconds() != 7 {
					t.Errorf("%s: retry after %v", kind, e.RetryAfter)
				}
			}
			p, _ := f.provider(t)
			_, err := p.ChatStream(context.Background(), streamCall(t, &openai.Dialect, false))
			if c.status != 200 {
				wantError(t, err, c.class, c.want, c.code)
			} else if err == nil {
				t.Error("a stream was begun")
			}
		})
	}
}

func TestEmbed(t *testing.T) {
	const answer = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,-2.5]}],"model":"e","usage":{"prompt_tokens":4,"total_tokens":4}}`
	raw := `{"model":"m","input":["a"],"encoding_format":"base64"}`
	p, conn := fake{contentType: "application/json", body: answer}.provider(t)
	a, err := p.Embed(context.Background(), callOf(t, &openai.Dialect, schema.OpEmbed, raw))
	if err != nil {
		t.Fatal(err)
	}
	if string(a.Body) != answer || a.Tally.Usage.Input != 4 {
		t.Errorf("%s %+v", a.Body, a.Tally)
	}
	a.Release()
	if want := `{"model":"big","input":["a"],"encoding_format":"base64"}`; conn.body() != want || !strings.Contains(string(conn.sent), " /v1/embeddings ") {
		t.Errorf("sent %s", conn.sent)
	}
	for _, p := range []*Provider{first(fake{contentType: "application/json", body: answer}.provider(t)), New(Options{Name: "local", Local: local{}})} {
		a, err := p.Embed(context.Background(), callOf(t, other(), schema.OpEmbed, raw))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(a.Body), `"embedding":"AACAPwAAIMA="`) {
			t.Errorf("%s", a.Body)
		}
		a.Release()
	}
}

func first(p *Provider, _ *answerConn) *Provider { return p }

// local is a provider within the process.
type local struct{ fail error }

func (l local) Chat(context.Context, *schema.ChatRequest) (*schema.ChatResponse, error) {
	if l.fail != nil {
		return nil, l.fail
	}
	return &schema.ChatResponse{Choices: []schema.Choice{{FinishReason: openaisdk.FinishReasonStop,
		Message: schema.Message{Role: "assistant", Parts: schema.TextParts("hello")}}}}, nil
}

func (l local) ChatStream(ctx context.Context, _ *schema.ChatRequest) (func() (*schema.Chunk, error), error) {
	n := 0
	return func() (*schema.Chunk, error) {
		n++
		switch {
		case n <= 3:
			return &schema.Chunk{Choices: []schema.ChoiceDelta{{Text: "hey "}}}, nil
		case n == 4:
			return &schema.Chunk{Choices: []schema.ChoiceDelta{{FinishReason: "stop"}}, Usage: &schema.Usage{Input: 1, Output: 3}}, nil
		case l.fail == io.ErrNoProgress:
			<-ctx.Done()
			return nil, ctx.Err()
		case l.fail != nil:
			return nil, l.fail
		}
		return nil, io.EOF
	}, nil
}

func (local) Embed(context.Context, *schema.EmbedRequest) (*schema.EmbedResponse, error) {
	return &schema.EmbedResponse{Data: []schema.Embedding{{Vector: []float32{1, -2.5}}}}, nil
}

func TestLocalChat(t *testing.T) {
	p := New(Options{Name: "mock", Local: local{}})
	a, err := p.Chat(context.Background(), chatCall(t, &openai.Dialect))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	want := `{"id":"made","object":"chat.completion","created":77,"model":"big","choices":[{"index":0,"message":{"role":"assistant","content":"hello","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}`
	if string(a.Body) != want {
		t.Errorf("got  %s\nwant %s", a.Body, want)
	}
}

// TestRefusesWhatItCannotCarry holds a call that wants no parameter dropped.
func TestRefusesWhatItCannotCarry(t *testing.T) {
	d := other()
	chat := *d.Chat
	encode := chat.Encode
	chat.Encode = func(req *schema.ChatRequest) (*dialect.Upstream, error) {
		up, err := encode(req)
		up.Dropped = []string{"seed"}
		return up, err
	}
	d.Chat = &chat
	p, conn := fake{contentType: "application/json", body: wholeAnswer}.provider(t)
	p.opt.Dialect = d
	c := chatCall(t, other())
	c.Request.Client.Name = "another"
	c.Refuse = true
	_, err := p.Chat(context.Background(), c)
	if e := schema.AsError(err); err == nil || e.Status != 400 || e.Param != "seed" || e.Code != schema.CodeUnsupported {
		t.Errorf("error %v", err)
	}
	if len(conn.sent) > 0 {
		t.Errorf("the request was sent: %s", conn.sent)
	}
}
