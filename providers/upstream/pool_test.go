package upstream

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"sluice/providers/schema"
)

// TestStaleConnection: a server that closes an idle connection costs a retry,
// not an error; one that closes after it has worked on the request does not
// get it twice.
func TestStaleConnection(t *testing.T) {
	served := new(atomic.Int32)
	url, accepted := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		if _, err := request(in); err != nil {
			return
		}
		served.Add(1)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	c := client(t, Options{BaseURL: url})
	for range 5 {
		r, err := c.Do(context.Background(), post("x"))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := r.ReadAll(nil, 0); err != nil || string(b) != "ok" {
			t.Fatalf("%q, %v", b, err)
		}
		r.Close()
	}
	if served.Load() != 5 || accepted.Load() != 5 {
		t.Errorf("%d requests on %d connections", served.Load(), accepted.Load())
	}
}

// Open connections are counted, idle ones too, and each of them once.
func TestConnectionsAreCounted(t *testing.T) {
	url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		for {
			if _, err := request(in); err != nil {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	c := client(t, Options{BaseURL: url})
	open := func(want int64, when string) {
		t.Helper()
		if n := c.Connections(); n != want {
			t.Errorf("%d connections are open %s, not %d", n, when, want)
		}
	}
	ask := func() *Response {
		r, err := c.Do(context.Background(), post("x"))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	open(0, "at first")
	first, second := ask(), ask()
	open(2, "while two answers are read")
	if _, err := first.ReadAll(nil, 0); err != nil {
		t.Fatal(err)
	}
	first.Close()
	open(2, "with an idle one")
	second.Abort()
	second.Close()
	second.Close()
	open(1, "after an answer was given up")
	c.Close()
	open(0, "at the end")
}

func TestNoSecondTry(t *testing.T) {
	served := new(atomic.Int32)
	url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		for {
			if _, err := request(in); err != nil {
				return
			}
			if served.Add(1) == 2 {
				<-time.After(2 * staleWindow)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	c := client(t, Options{BaseURL: url})
	r, err := c.Do(context.Background(), post("x"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = r.ReadAll(nil, 0)
	r.Close()
	_, err = c.Do(context.Background(), post("x"))
	wantError(t, err, schema.ClassConnection, "before it answered")
	if served.Load() != 2 {
		t.Errorf("the server got %d requests", served.Load())
	}
}

// TestLook: a connection that has been idle for long is looked at before use.
func TestLook(t *testing.T) {
	closed := make(chan struct{})
	url, accepted := script(t, func(n int, conn net.Conn, in *bufio.Reader) {
		_, _ = request(in)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		if n == 1 {
			_ = conn.Close()
			close(closed)
			return
		}
		_, _ = in.ReadByte()
	})
	c := client(t, Options{BaseURL: url})
	get := func() {
		r, err := c.Do(context.Background(), post("x"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = r.ReadAll(nil, 0)
		r.Close()
	}
	get()
	<-closed
	now := time.Now()
	if k := c.take(now.Add(2 * quiet)); k != nil {
		t.Error("a closed connection was taken for a live one")
	}
	get()
	k := c.take(now.Add(2 * quiet))
	if k == nil {
		t.Fatal("a live connection was thrown away")
	}
	c.put(k)
	if k := c.take(now.Add(time.Hour)); k != nil {
		t.Error("a connection outlived its idle time")
	}
	if accepted.Load() != 2 {
		t.Errorf("%d connections", accepted.Load())
	}
}

func TestExpire(t *testing.T) {
	gone := make(chan struct{})
	url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		_, _ = request(in)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		_, _ = in.ReadByte()
		close(gone)
	})
	c := client(t, Options{BaseURL: url, MaxIdleTime: 5 * time.Millisecond})
	r, err := c.Do(context.Background(), post("x"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = r.ReadAll(nil, 0)
	r.Close()
	<-gone
}

// TestLeftEarly: an answer that nobody read to its end costs the connection.
func TestLeftEarly(t *testing.T) {
	left := make(chan struct{}, 2)
	url, accepted := script(t, func(n int, conn net.Conn, in *bufio.Reader) {
		for {
			if _, err := request(in); err != nil {
				left <- struct{}{}
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
			if n == 2 {
				_, _ = io.WriteString(conn, "0\r\n\r\n")
			}
		}
	})
	c := client(t, Options{BaseURL: url})
	p := make([]byte, 3)
	for i := range 3 {
		r, err := c.Do(context.Background(), post("x"))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := r.Read(p); n == 0 || err != nil {
			t.Fatal(n, err)
		}
		if i > 0 {
			r.Drain(time.Minute)
		}
		r.Close()
		if i == 0 {
			<-left
		}
		if _, err := r.Read(p); err == nil {
			t.Error("a closed response was read")
		}
	}
	if accepted.Load() != 2 {
		t.Errorf("%d connections: the drained one was not used again", accepted.Load())
	}
}
