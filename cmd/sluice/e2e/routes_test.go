package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// backend is a service behind a route: it tells what it was asked, or does what
// its path says.
type backend struct {
	*httptest.Server
	name string
	hits atomic.Int64
	left chan struct{} // gets one for each request whose caller left

	mu   sync.Mutex
	last http.Header
	host string
}

func startBackend(t *testing.T, name string) *backend {
	t.Helper()
	b := &backend{name: name, left: make(chan struct{}, 16)}
	b.Server = httptest.NewServer(http.HandlerFunc(b.serve))
	t.Cleanup(b.Close)
	return b
}

func (b *backend) serve(w http.ResponseWriter, r *http.Request) {
	b.hits.Add(1)
	b.mu.Lock()
	b.last, b.host = r.Header.Clone(), r.Host
	b.mu.Unlock()
	h := w.Header()
	h.Set("X-Backend", b.name)
	h.Set("Server", "secret/1.0")
	switch {
	case strings.HasSuffix(r.URL.Path, "/events"):
		h.Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			if i == 0 {
				<-r.Context().Done() // the test has seen the first by then, or the test fails
				b.left <- struct{}{}
				return
			}
		}
	case strings.HasSuffix(r.URL.Path, "/cut"):
		h.Set("Content-Type", "text/plain")
		fmt.Fprint(w, "some of it")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case strings.HasSuffix(r.URL.Path, "/hang"):
		<-r.Context().Done()
		b.left <- struct{}{}
	case strings.HasSuffix(r.URL.Path, "/sum"):
		sum := sha256.New()
		n, _ := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %x", n, sum.Sum(nil))
	case strings.HasSuffix(r.URL.Path, "/large"):
		piece := bytes.Repeat([]byte("0123456789abcdef"), 4096)
		for range 512 {
			_, _ = w.Write(piece)
		}
	case strings.HasSuffix(r.URL.Path, "/gzip"):
		h.Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write([]byte("packed"))
		_ = z.Close()
	case strings.HasSuffix(r.URL.Path, "/moved"):
		h.Set("Location", b.URL+"/base/there?x=1")
		w.WriteHeader(302)
	case strings.HasSuffix(r.URL.Path, "/none"):
		h.Add("Connection", "X-Private")
		h.Set("X-Private", "between us")
		h.Add("Set-Cookie", "a=1; Path=/")
		h.Add("Set-Cookie", "b=2")
		w.WriteHeader(204)
	case strings.Contains(r.URL.Path, "/status/"):
		var code int
		_, _ = fmt.Sscanf(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], "%d", &code)
		w.WriteHeader(code)
		fmt.Fprintf(w, "said by %s", b.name)
	default:
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, body)
	}
}

func (b *backend) heard() (http.Header, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last, b.host
}

// wantGone waits for a request whose caller left.
func (b *backend) wantGone(t *testing.T) {
	t.Helper()
	select {
	case <-b.left:
	case <-time.After(5 * time.Second):
		t.Error("the backend works on for a caller who has left")
	}
}

func TestRoutePassesThrough(t *testing.T) {
	b := startBackend(t, "a")
	g := start(t, `routes:
  - {name: base, match: {path: "/svc/**"}, backend: {http: {targets: ["`+b.URL+`/base"], strip_prefix: /svc}}}
  - {name: own, match: {host: "own.example.com"}, backend: {http: {targets: ["`+b.URL+`"], preserve_host: true}}}
  - {name: versioned, match: {path: "/v1/orders/{id}"}, backend: {http: {targets: ["`+b.URL+`"]}}}
  - {name: models, match: {path: "/v1/models"}, backend: {static: {body: "not mine"}}}
  - {name: hello, match: {path: /hello, methods: [GET]}, backend: {static: {status: 418, body: "hi", headers: {x-a: b}}}}
  - {name: old, match: {path: "/old/{id}"}, backend: {redirect: {to: "https://new.example.com/{id}", status: 301}}}
`+team)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/svc/a/b?x=1&y=%20", "", 200, "GET /base/a/b?x=1&y=%20 "},
		{"POST", "/svc//a/./%62/../c%2Fd/", "hello", 200, "POST /base/a/c%2Fd/ hello"},
		{"DELETE", "/svc", "", 200, "DELETE /base/ "},
		{"PATCH", "/SVC/x", "p", 200, "PATCH /base/x p"},
		{"GET", "/v1/orders/7", "", 200, "GET /v1/orders/7 "},
		{"GET", "/svc/status/404", "", 404, "said by a"},
		{"GET", "/svc/status/500", "", 500, "said by a"},
		{"GET", "/svc/status/429", "", 429, "said by a"},
		{"GET", "/hello", "", 418, "hi"},
		{"GET", "/old/7", "", 301, ""},
		{"GET", "/svc/x/..%2f", "", 400, ""},
		{"GET", "/elsewhere", "", 404, ""},
		{"POST", "/hello", "", 404, ""},
		{"GET", "/v1/elsewhere", "", 404, ""},
	} {
		a := g.raw(c.method, c.path, c.body)
		if a.status != c.status || c.want != "" && a.body != c.want {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, a.status, a.body, c.status, c.want)
		}
	}
	if a := g.raw("GET", "/v1/models", ""); a.status != 401 {
		t.Errorf("a route stands before an endpoint of the gateway: %d %s", a.status, a.body)
	}
	if a := g.raw("GET", "/elsewhere", ""); !strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") || gjson.Get(a.body, "code").Str != "not_found" {
		t.Errorf("no route: %s", a.body)
	}
	if a := g.raw("GET", "/v1/elsewhere", ""); gjson.Get(a.body, "error.code").Str != "not_found" {
		t.Errorf("no route below /v1: %s", a.body)
	}
	if a := g.raw("GET", "/svc/x", "", "Host", "own.example.com"); a.body != "GET /svc/x " {
		t.Errorf("the host's route comes first: %s", a.body)
	}
	if _, host := b.heard(); host != "own.example.com" {
		t.Errorf("preserve_host sent %q", host)
	}
}

// raw sends a request as it is, follows nothing, and unpacks nothing.
func (g *gateway) raw(method, path, body string, header ...string) answer {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.listen)
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	host, lines := "gateway.test", ""
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			host = header[i+1]
			continue
		}
		lines += header[i] + ": " + header[i+1] + "\r\n"
	}
	if body != "" {
		lines += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close, X-Mine\r\n%s\r\n%s", method, path, host, lines, body)
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		g.t.Fatalf("%s %s: %v", method, path, err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Errorf("%s %s: the body: %v", method, path, err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(b)}
}

func TestRouteHeaders(t *testing.T) {
	b := startBackend(t, "a")
	configuration := `routes: [{name: svc, match: {path: "/svc/**"}, backend: {http: {targets: ["` + b.URL + `/base"], strip_prefix: /svc}}}]
` + team
	g := newGateway(t, configuration)
	g.start()
	ask := func(path string) (answer, http.Header) {
		a := g.raw("GET", path, "", "X-Mine", "1", "Keep-Alive", "5", "TE", "trailers", "Upgrade", "h2c", "HTTP2-Settings", "x", "X-Forwarded-For", "6.6.6.6",
			"X_Forwarded_For", "7.7.7.7", "X-Forwarded-Proto", "https", "X-Real-IP", "6.6.6.6", "Forwarded", "for=6.6.6.6", "X-Other", "2", "Cookie", "a=b")
		heard, _ := b.heard()
		return a, heard
	}
	_, heard := ask("/svc/x")
	for name, want := range map[string]string{"X-Mine": "", "Keep-Alive": "", "Te": "", "Upgrade": "", "Http2-Settings": "", "Connection": "", "X_forwarded_for": "",
		"X-Real-Ip": "", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "gateway.test",
		"Forwarded": `for=127.0.0.1;host="gateway.test";proto=http`, "X-Other": "2", "Cookie": "a=b"} {
		if got := strings.Join(heard[name], "|"); got != want {
			t.Errorf("the backend got %s: %q, want %q", name, got, want)
		}
	}
	if heard.Get("X-Request-Id") == "" {
		t.Error("the backend is not told the request's id")
	}
	a, _ := ask("/svc/none")
	if a.status != 204 || a.header.Get("Server") != "" || a.header.Get("X-Private") != "" || len(a.header["Set-Cookie"]) != 2 || a.header.Get("X-Request-Id") == "" {
		t.Errorf("204: %d %v", a.status, a.header)
	}
	if a, _ = ask("/svc/moved"); a.status != 302 || a.header.Get("Location") != "/svc/there?x=1" {
		t.Errorf("a redirect leads to %q", a.header.Get("Location"))
	}
	if a, _ = ask("/svc/gzip"); a.header.Get("Content-Encoding") != "gzip" || a.body == "packed" {
		t.Errorf("a compressed answer came as %q, %v", a.body, a.header)
	}
	bare := g.raw("HEAD", "/svc/status/200", "")
	if bare.status != 200 || bare.body != "" || bare.header.Get("Content-Length") != "9" {
		t.Errorf("HEAD: %d %q %v", bare.status, bare.body, bare.header)
	}

	g.configure(strings.Replace(head+configuration, "drain: 10s", `drain: 10s, trusted_proxies: [127.0.0.0/8]`, 1))
	if a := g.api("POST", "reload", ""); a.status != 200 {
		t.Fatalf("reload: %s", a.body)
	}
	_, heard = ask("/svc/x")
	for name, want := range map[string]string{"X-Forwarded-For": "6.6.6.6, 127.0.0.1", "X-Forwarded-Proto": "https",
		"Forwarded": `for=6.6.6.6, for=127.0.0.1;host="gateway.test";proto=https`} {
		if got := heard.Get(name); got != want {
			t.Errorf("from a trusted proxy the backend got %s: %q, want %q", name, got, want)
		}
	}
}

func TestRouteStreams(t *testing.T) {
	b := startBackend(t, "a")
	g := start(t, `routes: [{name: svc, match: {path: "/svc/**"}, backend: {http: {targets: ["`+b.URL+`"]}}}]
`+team)
	url := "http://" + g.listen + "/svc"

	res, err := g.client.Get(url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	if err != nil || line != "data: 0\n" {
		t.Errorf("the first event: %q, %v", line, err)
	}
	_ = res.Body.Close()
	b.wantGone(t)

	upload := bytes.Repeat([]byte("abcdefgh"), 1<<20)
	want := fmt.Sprintf("%d %x", len(upload), sha256.Sum256(upload))
	for name, body := range map[string]io.Reader{"with a length": bytes.NewReader(upload), "in chunks": io.MultiReader(bytes.NewReader(upload))} {
		res, err := g.client.Post(url+"/sum", "application/octet-stream", body)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if string(got) != want {
			t.Errorf("8 MiB %s arrived as %s, want %s", name, got, want)
		}
	}
	over := 33 << 20
	for name, body := range map[string]io.Reader{"with a length": bytes.NewReader(make([]byte, over)), "in chunks": io.LimitReader(zeros{}, int64(over))} {
		res, err := g.client.Post(url+"/sum", "application/octet-stream", body)
		if err != nil {
			t.Errorf("33 MiB %s: %v", name, err)
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode != 413 {
			t.Errorf("33 MiB %s: %d", name, res.StatusCode)
		}
	}
	res, err = g.client.Get(url + "/large")
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if n != 32<<20 || err != nil {
		t.Errorf("of 32 MiB came %d: %v", n, err)
	}
	if res, err = g.client.Get(url + "/cut"); err == nil {
		got, readErr := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if readErr == nil {
			t.Errorf("an answer that was cut ended cleanly, as %q", got)
		}
	}
	if !g.logged("GET /svc/large 200 ", "route=svc") {
		t.Error("no access line tells the route")
	}
}

// logged waits for an access line that holds all of the words.
func (g *gateway) logged(words ...string) bool {
	return eventually(5*time.Second, func() bool {
		for line := range strings.Lines(g.stdout.String() + g.stderr.String()) {
			all := true
			for _, w := range words {
				all = all && strings.Contains(line, w)
			}
			if all {
				return true
			}
		}
		return false
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// startEcho is a service that switches to a WebSocket, says something, and gives
// back what it is sent.
func startEcho(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Sec-Websocket-Key") != "a2V5" {
			w.WriteHeader(426)
			fmt.Fprint(w, "want a WebSocket")
			return
		}
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: proof\r\nX-Own: 1\r\n\r\nfirst")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestRouteWebSocket(t *testing.T) {
	g := start(t, `routes: [{name: ws, match: {path: /ws}, backend: {http: {targets: ["`+startEcho(t)+`"]}}}]
`+team)
	conn, err := net.Dial("tcp", g.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a2V5\r\n\r\n")
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Sec-Websocket-Accept") != "proof" || res.Header.Get("X-Own") != "1" || res.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("%+v, %v", res, err)
	}
	fmt.Fprint(conn, " and more")
	got := make([]byte, len("first and more"))
	if _, err := io.ReadFull(in, got); err != nil || string(got) != "first and more" {
		t.Errorf("came back as %q, %v", got, err)
	}
	conn.Close()
	if !g.logged("GET /ws 101 ", "route=ws") {
		t.Error("the session was not logged")
	}
	if a := g.raw("GET", "/ws", ""); a.status != 426 || a.body != "want a WebSocket" {
		t.Errorf("without an upgrade: %d %s", a.status, a.body)
	}
}
