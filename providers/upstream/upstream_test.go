package upstream

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a server that speaks raw TCP: serve gets each connection with its
// number, from 1, and a reader of its requests.
func script(t *testing.T, serve func(n int, conn net.Conn, in *bufio.Reader)) (url string, accepted *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted = new(atomic.Int32)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n := int(accepted.Add(1))
			go func() {
				defer conn.Close()
				serve(n, conn, bufio.NewReader(conn))
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "http://" + l.Addr().String(), accepted
}

// request reads one request and gives its body.
func request(in *bufio.Reader) (string, error) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r.Body)
	return string(b), err
}

func client(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func post(body string) *Request {
	return &Request{Method: "POST", Path: "/p", Body: [][]byte{[]byte(body)}, Header: []dialect.Field{{Name: "X-A", Value: "b"}}}
}

func wantError(t *testing.T, err error, class schema.Class, message string) {
	t.Helper()
	var e *schema.Error
	if !errors.As(err, &e) {
		t.Fatalf("the error is %v, want one of class %s", err, class)
	}
	if e.Class != class || !strings.Contains(e.Message, message) {
		t.Fatalf("the error is %s %q, want %s %q", e.Class, e.Message, class, message)
	}
	if strings.Contains(e.Message, "127.0.0.1") {
		t.Errorf("the message holds the address: %q", e.Message)
	}
}

// TestPieces sends bodies in pieces of all sizes, one after the other on a
// connection.
func TestPieces(t *testing.T) {
	url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		for {
			body, err := request(in)
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		}
	})
	c := client(t, Options{BaseURL: url})
	for _, sizes := range [][]int{{}, {0}, {9}, {smallPiece, 9}, {smallPiece + 1}, {9, 100_000, 9}, {100_000, 9, 9, 50_000}, {9, 9, 9}, {5000, 5000, 5000, 9}} {
		q := post("")
		q.Body = nil
		for i, n := range sizes {
			q.Body = append(q.Body, bytes.Repeat([]byte{byte('a' + i)}, n))
		}
		want := string(bytes.Join(q.Body, nil))
		r, err := c.Do(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.ReadAll(nil, 0)
		if err != nil || string(got) != want || string(bytes.Join(q.Body, nil)) != want {
			t.Errorf("pieces of %v bytes: %d of %d came, %v", sizes, len(got), len(want), err)
		}
		r.Close()
	}
}

func TestReuse(t *testing.T) {
	for name, answer := range map[string]string{
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-B: c\r\n\r\nhello",
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;ext=1\r\nllo\r\n0\r\nTrailer: x\r\n\r\n",
		"early":   "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"bytes":   "",
	} {
		t.Run(name, func(t *testing.T) {
			url, accepted := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
				for {
					body, err := request(in)
					if err != nil {
						return
					}
					if body != "ask" {
						t.Errorf("the request's body is %q", body)
					}
					out := answer
					if out == "" { // each byte by itself
						for _, b := range []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ne\r\n3\r\nllo\r\n0\r\n\r\n") {
							_, _ = conn.Write([]byte{b})
						}
					}
					_, _ = io.WriteString(conn, out)
				}
			})
			c := client(t, Options{BaseURL: url + "/base/"})
			for range 3 {
				r, err := c.Do(context.Background(), post("ask"))
				if err != nil {
					t.Fatal(err)
				}
				b, err := r.ReadAll([]byte("got "), 0)
				if err != nil || string(b) != "got hello" || r.Status != 200 {
					t.Fatalf("%d %q, %v", r.Status, b, err)
				}
				r.Close()
				r.Close()
			}
			if n := accepted.Load(); n != 1 {
				t.Errorf("three requests took %d connections", n)
			}
		})
	}
}

func TestRequestOnTheWire(t *testing.T) {
	head := make(chan string, 1)
	url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		var b strings.Builder
		for {
			line, err := in.ReadString('\n')
			if b.WriteString(line); err != nil || line == "\r\n" {
				break
			}
		}
		head <- b.String()
		_, _ = io.Copy(io.Discard, io.LimitReader(in, 100_000))
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
	})
	c := client(t, Options{BaseURL: url + "/v1"})
	r, err := c.Do(context.Background(), post(strings.Repeat("x", 100_000)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := "POST /v1/p HTTP/1.1\r\nHost: " + strings.TrimPrefix(url, "http://") + "\r\nX-A: b\r\nContent-Length: 100000\r\n\r\n"
	if got := <-head; got != want {
		t.Errorf("the head is %q, want %q", got, want)
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF || r.Status != 204 {
		t.Errorf("status %d, then %v", r.Status, err)
	}
	for _, q := range []*Request{
		{Method: "GET", Path: "/a b"}, {Method: "GET", Path: "x"},
		{Method: "GET", Path: "/", Header: []dialect.Field{{Name: "a", Value: "b\r\nc: d"}}},
		{Method: "GET", Path: "/", Header: []dialect.Field{{Name: "a b", Value: ""}}},
	} {
		if _, err := c.Do(context.Background(), q); err == nil {
			t.Errorf("%+v was sent", q)
		}
	}
}

func TestCutIsAnError(t *testing.T) {
	for name, answer := range map[string]string{
		"head":              "HTTP/1.1 200 OK\r\nContent-Le",
		"length":            "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
		"chunk":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello",
		"after chunk":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
		"between chunks":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"within chunk head": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1",
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
				_, _ = request(in)
				_, _ = io.WriteString(conn, answer)
			})
			r, err := client(t, Options{BaseURL: url}).Do(context.Background(), post("x"))
			if err == nil {
				defer r.Close()
				_, err = r.ReadAll(nil, 0)
			}
			wantError(t, err, schema.ClassConnection, "was cut")
		})
	}
}

func TestMalformed(t *testing.T) {
	for name, c := range map[string]struct{ answer, message string }{
		"garbage":  {"SSH-2.0-OpenSSH\r\n\r\n", "not well-formed HTTP"},
		"chunk":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", "not well-formed HTTP"},
		"protocol": {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "switch the protocol"},
		"gzip":     {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab", "compressed"},
		"large":    {"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n", "larger than the limit"},
		"larger":   {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + strings.Repeat("x", 2000), "larger than the limit"},
		"largest":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + strings.Repeat("x", 2000) + "\r\n0\r\n\r\n", "larger than the limit"},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
				_, _ = request(in)
				_, _ = io.WriteString(conn, c.answer)
				_, _ = in.ReadByte()
			})
			r, err := client(t, Options{BaseURL: url, MaxResponse: 1000}).Do(context.Background(), post("x"))
			if err == nil {
				defer r.Close()
				_, err = r.ReadAll(nil, 0)
			}
			wantError(t, err, schema.ClassInvalidOutput, c.message)
		})
	}
}

func TestLongHead(t *testing.T) {
	url, accepted := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		for {
			if _, err := request(in); err != nil {
				return
			}
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nX-Long: %s\r\nContent-Length: 5\r\n\r\nhello", strings.Repeat("y", 40_000))
		}
	})
	c := client(t, Options{BaseURL: url})
	for range 2 {
		r, err := c.Do(context.Background(), post("x"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.ReadAll(nil, 0)
		if err != nil || string(b) != "hello" || len(r.Header("X-Long")) != 40_000 {
			t.Fatalf("%q, %v", b, err)
		}
		r.Close()
	}
	if accepted.Load() != 2 {
		t.Errorf("%d connections: one with a large buffer was kept", accepted.Load())
	}
}

func TestRefusedWhileSending(t *testing.T) {
	url, _ := script(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		_, _ = in.ReadString('\n')
		_, _ = io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
		_, _ = io.Copy(io.Discard, in)
	})
	r, err := client(t, Options{BaseURL: url}).Do(context.Background(), post(strings.Repeat("x", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := r.ReadAll(nil, 0); err != nil || r.Status != 413 || string(b) != "big" {
		t.Errorf("%d %q, %v", r.Status, b, err)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "Application/JSON; charset=utf-8")
		_, _ = fmt.Fprintf(w, "%s %d", r.Proto, len(b))
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig
	c := client(t, Options{BaseURL: s.URL, TLS: roots})
	for range 3 {
		r, err := c.Do(context.Background(), post(strings.Repeat("x", 20_000)))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := r.ReadAll(nil, 0); err != nil || string(b) != "HTTP/1.1 20000" {
			t.Fatalf("%q, %v", b, err)
		}
		if !r.ContentType("application/json") || r.ContentType("application/js") || r.ContentType("text/html") {
			t.Error("the content type is not seen")
		}
		r.Close()
	}
	if len(c.idle) != 1 {
		t.Errorf("%d idle connections", len(c.idle))
	}
	_, err := client(t, Options{BaseURL: s.URL, TLS: &tls.Config{}}).Do(context.Background(), post("x"))
	wantError(t, err, schema.ClassConnection, "the provider's certificate is of an authority that is not trusted")
}

func TestNewRefuses(t *testing.T) {
	for _, url := range []string{"", "host:80", "ftp://x", "http://", "http://u:p@x", "http://x?k=v", "http://x#f", "http://\x00"} {
		if _, err := New(Options{BaseURL: url}); err == nil {
			t.Errorf("%q was taken", url)
		} else if strings.Contains(err.Error(), "u:p") {
			t.Errorf("the error holds the password: %v", err)
		}
	}
}

func BenchmarkDo(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		buf := make([]byte, 4096)
		answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 600\r\n\r\n" + strings.Repeat("x", 600))
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
	}()
	c, err := New(Options{BaseURL: "http://" + l.Addr().String()})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	q := post(strings.Repeat("x", 300))
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		r, err := c.Do(context.Background(), q)
		if err != nil {
			b.Fatal(err)
		}
		if dst, err = r.ReadAll(dst[:0], 0); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}
