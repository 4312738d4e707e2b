package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/providers/schema"
)

// echo answers each request with what it was, in plain text.
func echo(t *testing.T, after time.Duration) *Client {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(after)
		b, err := io.ReadAll(r.Body)
		w.Header().Set("Content-Encoding", "odd")
		fmt.Fprintf(w, "%s %s %s %d %v %s %v", r.Method, r.Host, r.Header.Get("X-A"), r.ContentLength, r.TransferEncoding, b, err)
	})}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
	c, err := New(Options{BaseURL: "http://" + ln.Addr().String(), FirstByte: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestThrough(t *testing.T) {
	c := echo(t, 0)
	for name, q := range map[string]struct {
		Request
		want string
	}{
		"with a length": {Request{Method: "POST", Stream: strings.NewReader("abc"), Size: 3}, "POST own.host 1 3 [] abc <nil>"},
		"in chunks":     {Request{Method: "POST", Stream: io.MultiReader(strings.NewReader("abc"), strings.NewReader("de")), Size: -1}, "POST own.host 1 -1 [chunked] abcde <nil>"},
		"nothing":       {Request{Method: "DELETE"}, "DELETE own.host 1 0 []  <nil>"},
		"pieces":        {Request{Method: "PUT", Body: [][]byte{[]byte("a"), []byte("b")}}, "PUT own.host 1 2 [] ab <nil>"},
		"HEAD":          {Request{Method: "HEAD"}, ""},
	} {
		q.Path, q.Host, q.Lines, q.Through = "/x", "own.host", []byte("X-A: 1\r\n"), true
		r, err := c.Do(context.Background(), &q.Request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := r.ReadAll(nil, 0)
		if string(got) != q.want || err != nil || r.Header("Content-Encoding") != "odd" {
			t.Errorf("%s: %q, %v, want %q", name, got, err, q.want)
		}
		if length := r.Head().ContentLength(); q.Method == "HEAD" && length < 5 {
			t.Errorf("HEAD: a length of %d", length)
		}
		r.Close()
	}
}

var errTheirs = errors.New("the caller's fault")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errTheirs }

// A body that does not keep its word is cut, and never ended as if it were whole.
func TestStreamFaults(t *testing.T) {
	c := echo(t, 0)
	for name, q := range map[string]struct {
		body io.Reader
		size int64
		want error
	}{
		"too long":  {strings.NewReader("abcd"), 3, io.ErrShortBuffer},
		"too short": {strings.NewReader("ab"), 3, io.ErrUnexpectedEOF},
		"broken":    {io.MultiReader(strings.NewReader("ab"), failing{}), -1, errTheirs},
	} {
		_, err := c.Do(context.Background(), &Request{Method: "POST", Path: "/", Stream: q.body, Size: q.size})
		if !errors.Is(err, q.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBegin(t *testing.T) {
	c := echo(t, 200*time.Millisecond)
	_, err := c.Do(context.Background(), &Request{Method: "GET", Path: "/", Through: true, Begin: time.Now().Add(20 * time.Millisecond)})
	if e := schema.AsError(err); err == nil || e.Class != schema.ClassTimeout || e.Status != 504 {
		t.Errorf("an answer that began late: %v", err)
	}
	r, err := c.Do(context.Background(), &Request{Method: "GET", Path: "/", Through: true, Begin: time.Now().Add(10 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.ReadAll(nil, 0); err != nil {
		t.Error(err)
	}
}

func TestSwitch(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for _, answer := range []string{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nX-A: 1\r\n\r\nhello", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
			"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"} {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, answer)
			}
			_ = conn.Close()
		}
	}()
	c, err := New(Options{BaseURL: "http://" + ln.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := func() (*Tunnel, *Response, error) {
		return c.Switch(context.Background(), &Request{Method: "GET", Path: "/", Lines: []byte("Connection: Upgrade\r\nUpgrade: websocket\r\n"), Through: true})
	}
	tunnel, r, err := ask()
	if err != nil || r.Status != 101 || r.Header("X-A") != "1" {
		t.Fatalf("%+v, %v", r, err)
	}
	r.Close()
	if got, _ := io.ReadAll(tunnel); string(got) != "hello" {
		t.Errorf("through the tunnel came %q", got)
	}
	_ = tunnel.Close()
	if _, _, err := ask(); err == nil {
		t.Error("a switch to another protocol was taken")
	}
	tunnel, r, err = ask()
	if err != nil || tunnel != nil || r.Status != 403 {
		t.Fatalf("a refusal: %v %+v, %v", tunnel, r, err)
	}
	r.Close()
}
