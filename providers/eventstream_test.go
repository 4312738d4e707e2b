package providers

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"sluice/providers/auth"
	"sluice/providers/bedrock"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

// messages is a stream of binary messages: name and body, name and body.
func messages(t *testing.T, kind string, pairs ...string) string {
	t.Helper()
	var out bytes.Buffer
	for i := 0; i < len(pairs); i += 2 {
		m := eventstream.Message{Payload: []byte(pairs[i+1])}
		m.Headers.Set(":message-type", eventstream.StringValue(kind))
		m.Headers.Set(":"+kind+"-type", eventstream.StringValue(pairs[i]))
		if err := eventstream.NewEncoder().Encode(&out, m); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func bedrockFake(body string, piece int) fake {
	return fake{dialect: &bedrock.Dialect, contentType: "application/vnd.amazon.eventstream", body: body, piece: piece}
}

func TestEventStream(t *testing.T) {
	head := messages(t, "event", "messageStart", `{"role":"assistant"}`, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"hé\n\ndata: "}}`)
	stop := messages(t, "event", "messageStop", `{"stopReason":"end_turn"}`)
	usage := messages(t, "event", "metadata", `{"usage":{"inputTokens":2,"outputTokens":3,"totalTokens":5}}`)
	for name, c := range map[string]struct {
		body   string
		tokens int64
		class  schema.Class // of the failure; empty: none
	}{
		"whole":         {head + stop + usage, 3, ""},
		"without usage": {head + stop, 0, ""},
		"cut":           {head, 0, schema.ClassConnection},
		"cut within":    {head + stop + usage[:20], 0, schema.ClassConnection},
		"failed":        {head + messages(t, "exception", "throttlingException", `{"message":"m"}`), 0, schema.ClassRateLimited},
		"damaged":       {head + strings.Replace(stop, "end_turn", "end-turn", 1), 0, schema.ClassInvalidOutput},
		"not messages":  {head + "HTTP/1.1 200 OK and so on", 0, schema.ClassInvalidOutput},
	} {
		for _, piece := range []int{0, 1, 7} {
			p, conn := bedrockFake(c.body, piece).provider(t)
			s, err := p.ChatStream(context.Background(), streamCall(t, &openai.Dialect, true))
			if err != nil { // it came with the first read, when another attempt could still be made
				if c.class == "" || schema.AsError(err).Class != c.class {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			got, err := readStream(s, 100)
			switch {
			case c.class == "" && (err != nil || !strings.HasSuffix(got, "data: [DONE]\n\n") || !strings.Contains(got, `"content":"hé\n\ndata: "`)):
				t.Errorf("%s in pieces of %d: %v\n%s", name, piece, err, got)
			case c.class != "" && (err == nil || schema.AsError(err).Class != c.class || strings.Contains(got, "[DONE]")):
				t.Errorf("%s in pieces of %d: %v\n%s", name, piece, err, got)
			}
			if tally := s.Tally(); tally.Usage.Output != c.tokens || tally.Done != (c.class == "") {
				t.Errorf("%s: tally is %+v", name, tally)
			}
			_ = s.Close()
			if !strings.HasPrefix(string(conn.sent), "POST /v1/model/big/converse-stream ") {
				t.Errorf("sent %.80q", conn.sent)
			}
		}
	}
}

// What fails before the first chunk can be tried elsewhere.
func TestEventStreamRefused(t *testing.T) {
	for name, f := range map[string]fake{
		"exception": bedrockFake(messages(t, "exception", "serviceUnavailableException", `{"message":"m"}`), 0),
		"cut":       bedrockFake("\x00\x00\x00\x90", 0),
		"JSON":      {dialect: &bedrock.Dialect, contentType: "application/json", body: `{"output":{}}`},
		"a page":    {dialect: &bedrock.Dialect, contentType: "text/html", body: `<html>`},
		"refused":   {dialect: &bedrock.Dialect, contentType: "application/json", status: 403, header: "x-amzn-errortype: ExpiredTokenException:http://x\r\n", body: `{"message":"expired"}`},
	} {
		p, _ := f.provider(t)
		s, err := p.ChatStream(context.Background(), streamCall(t, &openai.Dialect, false))
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: a stream was begun", name)
		}
		if e := schema.AsError(err); e.Provider != "lab" || e.Status < 500 {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestSign(t *testing.T) {
	p, conn := fake{dialect: &bedrock.Dialect, contentType: "application/json", body: `{"output":{"message":{"content":[{"text":"hello"}]}},"stopReason":"end_turn"}`}.provider(t)
	p.opt.Auth = nil
	p.opt.Sign = func(ctx context.Context, r *auth.Request, secret string) ([]auth.Field, error) {
		if at, ok := ctx.Deadline(); !ok || at.IsZero() {
			t.Error("a signer may wait longer than the call")
		}
		if secret != "s3cret" || r.Method != http.MethodPost || r.Path != "/model/big/converse" || !strings.Contains(string(r.Body), `"hi"`) {
			t.Errorf("signed %q %+v %s", secret, r, r.Body)
		}
		if len(r.Header) != 3 || r.Header[0] != (auth.Field{Name: "Content-Type", Value: "application/json"}) || r.Header[2].Name != "X-Team" {
			t.Errorf("signed headers %v", r.Header)
		}
		return []auth.Field{{Name: "Authorization", Value: "signed"}}, nil
	}
	call := chatCall(t, &openai.Dialect)
	call.Deadline = time.Now().Add(time.Hour)
	a, err := p.Chat(context.Background(), call)
	if err != nil {
		t.Fatal(err)
	}
	a.Release()
	if sent := string(conn.sent); !strings.Contains(sent, "\r\nAuthorization: signed\r\n") || strings.Contains(sent, "s3cret") {
		t.Errorf("sent %s", sent)
	}
}

// A signer's failure keeps its status; that of a bad secret is told like a
// refused one.
func TestSignFails(t *testing.T) {
	for class, c := range map[schema.Class]struct {
		err  error
		want int
		code schema.Code
	}{
		schema.ClassConnection: {&schema.Error{Class: schema.ClassConnection, Status: 503, Code: schema.CodeUnavailable, Origin: schema.OriginProvider}, 503, schema.CodeUnavailable},
		schema.ClassAuth:       {&schema.Error{Class: schema.ClassAuth, Status: 502, Code: schema.CodeUpstreamAuth, Origin: schema.OriginProvider, Message: "secret is bad"}, 502, schema.CodeUpstreamAuth},
		schema.ClassCancelled:  {&schema.Error{Class: schema.ClassCancelled, Status: 499, Code: schema.CodeClientClosed, Origin: schema.OriginGateway}, 499, schema.CodeClientClosed},
	} {
		p, conn := fake{}.provider(t)
		p.opt.Sign = func(context.Context, *auth.Request, string) ([]auth.Field, error) { return nil, c.err }
		_, err := p.Chat(context.Background(), chatCall(t, &openai.Dialect))
		if e := wantError(t, err, class, c.want, c.code); strings.Contains(e.Message, "bad") {
			t.Errorf("told %q", e.Message)
		}
		if len(conn.sent) > 0 {
			t.Errorf("sent %s", conn.sent)
		}
	}
	p := New(Options{Name: "x", Dialect: &bedrock.Dialect})
	_, err := p.ChatStream(context.Background(), &Call{Request: &Request{Unified: &schema.ChatRequest{}}})
	if err == nil || err == io.EOF {
		t.Errorf("got %v", err)
	}
}
