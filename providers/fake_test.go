package providers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/providers/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answerConn is a connection with one answer ready, given in pieces.
type answerConn struct {
	answer []byte
	piece  int   // bytes a Read; 0: all
	end    error // after the answer
	sent   []byte
}

func (c *answerConn) Read(p []byte) (int, error) {
	if len(c.answer) == 0 {
		return 0, c.end
	}
	n := len(c.answer)
	if c.piece > 0 {
		n = min(n, c.piece)
	}
	n = copy(p, c.answer[:n])
	c.answer = c.answer[n:]
	return n, nil
}

func (c *answerConn) Write(p []byte) (int, error)      { c.sent = append(c.sent, p...); return len(p), nil }
func (c *answerConn) Close() error                     { return nil }
func (c *answerConn) LocalAddr() net.Addr              { return nil }
func (c *answerConn) RemoteAddr() net.Addr             { return nil }
func (c *answerConn) SetDeadline(time.Time) error      { return nil }
func (c *answerConn) SetReadDeadline(time.Time) error  { return nil }
func (c *answerConn) SetWriteDeadline(time.Time) error { return nil }

// body is what the provider was sent.
func (c *answerConn) body() string {
	_, body, _ := strings.Cut(string(c.sent), "\r\n\r\n")
	return body
}

// fake is how a test's provider answers.
type fake struct {
	dialect     *dialect.Dialect
	status      int    // 0: 200
	contentType string // "": text/event-stream
	header      string // more header lines
	body        string
	piece       int
	unclean     bool // the transport breaks after the body
}

func (f fake) provider(t testing.TB) (*Provider, *answerConn) {
	t.Helper()
	if f.status == 0 {
		f.status = 200
	}
	if f.contentType == "" {
		f.contentType = "text/event-stream"
	}
	if f.dialect == nil {
		f.dialect = &openai.Dialect
	}
	head := fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Type: %s\r\n%sTransfer-Encoding: chunked\r\n\r\n", f.status, f.contentType, f.header)
	var chunks strings.Builder
	for rest := f.body; rest != ""; {
		n := len(rest)
		if f.piece > 0 {
			n = min(n, max(f.piece/2, 1))
		}
		fmt.Fprintf(&chunks, "%x\r\n%s\r\n", n, rest[:n])
		rest = rest[n:]
	}
	if !f.unclean {
		chunks.WriteString("0\r\n\r\n")
	}
	conn := &answerConn{answer: []byte(head + chunks.String()), piece: f.piece, end: io.EOF}
	up, err := upstream.New(upstream.Options{BaseURL: "http://host/v1",
		Dial: func(context.Context, string, string) (net.Conn, error) { return conn, nil }})
	if err != nil {
		t.Fatal(err)
	}
	p := New(Options{Name: "lab", Dialect: f.dialect, Upstream: up, Auth: Bearer(), Headers: []dialect.Field{{Name: "X-Team", Value: "a"}}})
	t.Cleanup(p.Close)
	return p, conn
}

// other is a client's dialect that is not the provider's.
func other() *dialect.Dialect {
	d := openai.Dialect
	d.Name = "other"
	return &d
}

func callOf(t testing.TB, client *dialect.Dialect, op schema.Operation, raw string) *Call {
	t.Helper()
	h, err := client.Client.Head(op, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return &Call{Request: &Request{Op: op, Client: client, Raw: []byte(raw), Head: h}, Model: "big", Secret: "s3cret", ID: "made", Now: time.Unix(77, 0)}
}

func chatCall(t testing.TB, client *dialect.Dialect) *Call {
	return callOf(t, client, schema.OpChat, `{"model":"m","messages":[{"role":"user","content":"hi"}],"vendor":[1]}`)
}

func streamCall(t testing.TB, client *dialect.Dialect, usage bool) *Call {
	raw := `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`
	if usage {
		raw = `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`
	}
	return callOf(t, client, schema.OpChat, raw)
}

func unifiedCall() *Call {
	return &Call{Model: "big", ID: "made", Request: &Request{Op: schema.OpChat, Unified: &schema.ChatRequest{
		Messages: []schema.Message{{Role: "user", Parts: schema.TextParts("hi")}}}}}
}

// readStream reads to the end with buffers of size n.
func readStream(s *Stream, n int) (string, error) {
	var out strings.Builder
	p := make([]byte, n)
	for {
		k, err := s.Read(p)
		out.Write(p[:k])
		if err == io.EOF {
			return out.String(), nil
		}
		if err != nil {
			return out.String(), err
		}
	}
}

func wantError(t *testing.T, err error, class schema.Class, status int, code schema.Code) *schema.Error {
	t.Helper()
	var e *schema.Error
	if !errors.As(err, &e) {
		t.Fatalf("the error is %v, want %s", err, class)
	}
	if e.Class != class || e.Status != status || e.Code != code {
		t.Fatalf("the error is %s %d %s: %s; want %s %d %s", e.Class, e.Status, e.Code, e.Message, class, status, code)
	}
	return e
}
