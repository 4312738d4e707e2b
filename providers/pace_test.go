package providers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/providers/upstream"
)

// drip answers one request with a head and a first text, and then with another
// text for ever, until its peer leaves.
func drip(t *testing.T, first, more string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		_, err = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n%s", first)
		for err == nil {
			time.Sleep(2 * time.Millisecond)
			_, err = io.WriteString(conn, more)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "http://" + l.Addr().String()
}

// Signs of life do not keep a stream alive that says nothing, neither before
// its first event nor after it; events do.
func TestStreamPace(t *testing.T) {
	const soon, late = 40 * time.Millisecond, time.Hour
	chunk := `data: {"choices":[{"index":0,"delta":{"content":"x"}}]}` + "\n\n"
	start := "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":1}}}\n\n"
	ping := "event: ping\ndata: {\"type\": \"ping\"}\n\n"
	for name, c := range map[string]struct {
		dialect         *dialect.Dialect
		first, more     string
		firstByte, idle time.Duration
		opens           bool
		message         string
	}{
		"comments, no event":      {dialect: &openai.Dialect, more: ": processing\n\n", firstByte: soon, idle: late, message: "did not begin to answer"},
		"half a comment":          {dialect: &openai.Dialect, more: ":", firstByte: soon, idle: late, message: "did not begin to answer"},
		"comments after an event": {dialect: &openai.Dialect, first: chunk, more: ": processing\n\n", firstByte: late, idle: soon, opens: true, message: "stalled"},
		"pings after an event":    {dialect: &anthropic.Dialect, first: start, more: ping, firstByte: late, idle: soon, opens: true, message: "stalled"},
		"events, in total":        {dialect: &openai.Dialect, first: chunk, more: chunk, firstByte: soon, idle: soon, opens: true, message: "not complete"},
	} {
		t.Run(name, func(t *testing.T) {
			o := upstream.Options{BaseURL: drip(t, c.first, c.more), FirstByte: c.firstByte, Idle: c.idle, Total: 10 * time.Second}
			if c.message == "not complete" {
				o.Total = 4 * soon
			}
			u, err := upstream.New(o)
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			p := New(Options{Name: "p", Dialect: c.dialect, Upstream: u})
			s, err := p.ChatStream(context.Background(), unifiedCall())
			if (err == nil) != c.opens {
				t.Fatalf("opened with %v", err)
			}
			if err == nil {
				defer s.Close()
				for err == nil {
					_, err = s.Next()
				}
			}
			if e := schema.AsError(err); e.Class != schema.ClassTimeout || !strings.Contains(e.Message, c.message) {
				t.Errorf("%v, want %q", err, c.message)
			}
		})
	}
}
