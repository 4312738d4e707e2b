package upstream

import (
	"bufio"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"sluice/bench/freeport"
	"sluice/providers/schema"
)

func TestTimeLimits(t *testing.T) {
	part := "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"
	soon := 30 * time.Millisecond
	for name, c := range map[string]struct {
		answer, message string
		options         Options
		deadline        time.Duration
	}{
		"first byte": {message: "did not begin to answer", options: Options{FirstByte: soon}},
		"idle":       {answer: part, message: "stalled", options: Options{Idle: soon}},
		"total":      {answer: part, message: "not complete", options: Options{Total: soon}},
		"deadline":   {answer: part, message: "not complete", deadline: soon},
		"both":       {message: "not complete", deadline: soon, options: Options{Total: time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
				_, _ = request(in)
				_, _ = io.WriteString(conn, c.answer)
				_, _ = in.ReadByte()
			})
			c.options.BaseURL = url
			q := post("x")
			if c.deadline > 0 {
				q.Deadline = time.Now().Add(c.deadline)
			}
			r, err := client(t, c.options).Do(context.Background(), q)
			if err == nil {
				defer r.Close()
				_, err = r.ReadAll(nil, 0)
			}
			wantError(t, err, schema.ClassTimeout, c.message)
			if e := schema.AsError(err); e.Status != 504 || e.Code != schema.CodeUpstreamTimeout {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestConnectFails(t *testing.T) {
	addr, err := freeport.Addr()
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + addr
	_, err = client(t, Options{BaseURL: url}).Do(context.Background(), post("x"))
	wantError(t, err, schema.ClassConnection, "cannot connect")

	slow := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	_, err = client(t, Options{BaseURL: url, Dial: slow, Connect: time.Millisecond}).Do(context.Background(), post("x"))
	wantError(t, err, schema.ClassTimeout, "no connection within")
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(time.Millisecond, cancel)
	_, err = client(t, Options{BaseURL: url, Dial: slow}).Do(ctx, post("x"))
	wantError(t, err, schema.ClassCancelled, "cancelled")
}

// TestCancel cancels reads that wait for a silent server, by context and by
// Abort, before and within the answer; the server sees its connection close.
func TestCancel(t *testing.T) {
	for name, answer := range map[string]string{
		"before the head": "",
		"within the body": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			waiting, left := make(chan struct{}), make(chan struct{})
			url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
				_, _ = request(in)
				_, _ = io.WriteString(conn, answer)
				close(waiting)
				_, _ = in.ReadByte()
				close(left)
			})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go func() { <-waiting; cancel() }()
			r, err := client(t, Options{BaseURL: url}).Do(ctx, post("x"))
			if err == nil {
				defer r.Close()
				_, err = r.ReadAll(nil, 0)
			}
			wantError(t, err, schema.ClassCancelled, "cancelled")
			<-left
		})
	}
	waiting := make(chan struct{})
	url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		_, _ = request(in)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n")
		close(waiting)
		_, _ = in.ReadByte()
	})
	c := client(t, Options{BaseURL: url})
	r, err := c.Do(context.Background(), post("x"))
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-waiting; r.Abort(); r.Abort() }()
	_, err = r.ReadAll(nil, 0)
	wantError(t, err, schema.ClassCancelled, "cancelled")
	r.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = c.Do(ctx, post("x"))
	wantError(t, err, schema.ClassCancelled, "cancelled")
}
