package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// witness is a backend that keeps each request as it came off the wire.
type witness struct {
	addr string
	mu   sync.Mutex
	got  []string
}

func startWitness(t *testing.T) *witness {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{addr: ln.Addr().String()}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go w.serve(conn)
		}
	}()
	return w
}

// serve reads requests with a parser of its own, which takes chunks for what
// they are and refuses nothing.
func (w *witness) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		var head strings.Builder
		length, chunked := 0, false
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			head.WriteString(line)
			if strings.TrimRight(line, "\r\n") == "" {
				break
			}
			name, value, _ := strings.Cut(strings.ToLower(line), ":")
			switch name {
			case "content-length":
				length, _ = strconv.Atoi(strings.TrimSpace(value))
			case "transfer-encoding":
				chunked = true
			}
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		for chunked {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			n, _ := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
			piece := make([]byte, n+2)
			if _, err := io.ReadFull(in, piece); err != nil {
				return
			}
			body = append(body, piece[:n]...)
			chunked = n > 0
		}
		w.mu.Lock()
		w.got = append(w.got, head.String()+string(body))
		w.mu.Unlock()
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}
}

// take gives the requests so far, and forgets them.
func (w *witness) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	got := w.got
	w.got = nil
	return got
}

// exchange writes bytes to the gateway and gives the statuses of all that it
// answers until it closes, or is quiet.
func (g *gateway) exchange(request string) (statuses []int, closed bool) {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.listen)
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		g.t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		if _, err := in.Peek(1); err != nil {
			timeout, is := err.(net.Error)
			return statuses, !is || !timeout.Timeout()
		}
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses, true
		}
		if res.StatusCode == 100 {
			continue
		}
		statuses = append(statuses, res.StatusCode)
		_, _ = io.Copy(io.Discard, res.Body)
	}
}

// smuggled is a second request that stands where a body should end.
const smuggled = "GET /svc/smuggled HTTP/1.1\r\nHost: h\r\n\r\n"

// refusals are requests that nginx or Envoy refuses, as the head after the
// request line, with what follows it.
var refusals = map[string]string{
	"CL.TE":                        "Host: h\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE.CL":                        "Host: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n" + smuggled + "\r\n0\r\n\r\n",
	"TE.TE":                        "Host: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + smuggled,
	"TE twice":                     "Host: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE identity":                  "Host: h\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc" + smuggled,
	"TE gzip, chunked":             "Host: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE chunked, chunked":          "Host: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE xchunked":                  "Host: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE with a quote":              "Host: h\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" + smuggled,
	"TE with a vertical tab":       "Host: h\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE before a space and colon":  "Host: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE folded":                    "Host: h\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"CL twice, different":          "Host: h\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc" + smuggled,
	"CL twice, the same":           "Host: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc" + smuggled,
	"CL list":                      "Host: h\r\nContent-Length: 3, 3\r\n\r\nabc" + smuggled,
	"CL signed":                    "Host: h\r\nContent-Length: +3\r\n\r\nabc" + smuggled,
	"CL negative":                  "Host: h\r\nContent-Length: -3\r\n\r\nabc" + smuggled,
	"CL hexadecimal":               "Host: h\r\nContent-Length: 0x3\r\n\r\nabc" + smuggled,
	"CL empty":                     "Host: h\r\nContent-Length:\r\n\r\nabc" + smuggled,
	"CL too large for any number":  "Host: h\r\nContent-Length: 99999999999999999999999\r\n\r\nabc" + smuggled,
	"CL before a space and colon":  "Host: h\r\nContent-Length : 3\r\n\r\nabc" + smuggled,
	"a folded header":              "Host: h\r\nX-A: 1\r\n 2\r\n\r\n" + smuggled,
	"a folded header with a tab":   "Host: h\r\nX-A: 1\r\n\t2\r\n\r\n" + smuggled,
	"a fold before all headers":    " X-A: 1\r\nHost: h\r\n\r\n" + smuggled,
	"NUL in a value":               "Host: h\r\nX-A: a\x00b\r\n\r\n" + smuggled,
	"NUL in a name":                "Host: h\r\nX\x00A: 1\r\n\r\n" + smuggled,
	"a bare CR in a value":         "Host: h\r\nX-A: a\rContent-Length: 5\r\n\r\n" + smuggled,
	"a bare LF ends a line":        "Host: h\r\nX-A: 1\nX-B: 2\r\n\r\n" + smuggled,
	"a bare LF ends the headers":   "Host: h\r\nX-A: 1\r\n\n" + smuggled,
	"bare LFs all along":           "Host: h\nX-A: 1\n\n" + smuggled,
	"a space in a name":            "Host: h\r\nX A: 1\r\n\r\n" + smuggled,
	"a header without a name":      "Host: h\r\n: 1\r\n\r\n" + smuggled,
	"a header without a colon":     "Host: h\r\nX-A\r\n\r\n" + smuggled,
	"a second Host":                "Host: h\r\nHost: other\r\n\r\n" + smuggled,
	"a second Host, the same":      "Host: h\r\nHost: h\r\n\r\n" + smuggled,
	"no Host":                      "X-A: 1\r\n\r\n" + smuggled,
	"an empty Host":                "Host:\r\n\r\n" + smuggled,
	"a Host with a path":           "Host: h/svc\r\n\r\n" + smuggled,
	"a Host with a user":           "Host: a@h\r\n\r\n" + smuggled,
	"a Host with a space":          "Host: h x\r\n\r\n" + smuggled,
	"two hosts in one":             "Host: h, other\r\n\r\n" + smuggled,
	"a chunk too large":            "Host: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc\r\n0\r\n\r\n" + smuggled,
	"a chunk with too many digits": "Host: h\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000000000003\r\nabc\r\n0\r\n\r\n" + smuggled,
	"a negative chunk":             "Host: h\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n" + smuggled,
	"a chunk size with a prefix":   "Host: h\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n" + smuggled,
	"a chunk longer than its size": "Host: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n" + smuggled,
	"a chunk ended by a bare LF":   "Host: h\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n" + smuggled,
	"a chunk's data ended by LF":   "Host: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n" + smuggled,
	"an LF in a chunk's extension": "Host: h\r\nTransfer-Encoding: chunked\r\n\r\n3;a\nb\r\nabc\r\n0\r\n\r\n" + smuggled,
	"no size of a chunk":           "Host: h\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n" + smuggled,
	"headers of 20 KB":             "Host: h\r\nX-A: " + strings.Repeat("a", 20<<10) + "\r\n\r\n" + smuggled,
}

// lines are request lines that are refused, with a good head after them.
var lines = []string{
	"GET /svc/x HTTP/2.0", "GET /svc/x HTTP/1.2", "GET /svc/x HTTP/0.9", "GET /svc/x", "GET /svc/x http/1.1", "GET /svc/x HTTP/1.1 x",
	"get /svc/x HTTP/1.1", "G@T /svc/x HTTP/1.1", "GET  /svc/x HTTP/1.1", "GET\t/svc/x HTTP/1.1", "GET /svc/x y HTTP/1.1", "GET svc/x HTTP/1.1",
	"CONNECT h:80 HTTP/1.1", "CONNECT /svc/x HTTP/1.1", "TRACE /svc/x HTTP/1.1", "GET ftp://h/svc/x HTTP/1.1", "GET http://a@h/svc/x HTTP/1.1", "GET http:///svc/x HTTP/1.1",
	"GET http://h x/svc/x HTTP/1.1", "GET /svc/\x00 HTTP/1.1", "GET /svc/x#y HTTP/1.1", "GET /svc/%00 HTTP/1.1", "GET /svc/\\..\\x HTTP/1.1", "GET * HTTP/1.1",
	"GET /svc/../../x HTTP/1.1",
}

// TestSmuggling sends what could be read in two ways: the gateway refuses it,
// reads nothing more of that connection, and the backend sees none of it.
func TestSmuggling(t *testing.T) {
	w := startWitness(t)
	g := start(t, `routes: [{name: svc, match: {path: "/svc/**"}, backend: {http: {targets: ["http://`+w.addr+`"]}}}]
`+team)
	check := func(name, request string) {
		statuses, closed := g.exchange(request)
		if len(statuses) > 1 || len(statuses) == 1 && (statuses[0] < 400 || statuses[0] > 505) || !closed {
			t.Errorf("%s: answered %v, closed %v", name, statuses, closed)
		}
		for _, got := range w.take() {
			if strings.Contains(got, "smuggled") || !strings.HasPrefix(got, "POST /svc/x HTTP/1.1\r\n") {
				t.Errorf("%s: the backend got %q", name, got)
			}
		}
	}
	for name, rest := range refusals {
		check(name+", to a route", "POST /svc/x HTTP/1.1\r\n"+rest)
		check(name+", to a model", "POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer "+teamKey+"\r\n"+rest)
	}
	for _, line := range lines {
		check(line, line+"\r\nHost: h\r\n\r\n"+smuggled)
	}
	check("TE in HTTP/1.0", "POST /svc/x HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+smuggled)
}

// TestStrangeButGood: what is unusual and right passes, once, in one form.
func TestStrangeButGood(t *testing.T) {
	w := startWitness(t)
	g := start(t, `routes: [{name: svc, match: {host: h, path: "/svc/**"}, backend: {http: {targets: ["http://`+w.addr+`"]}}}]
`+team)
	for name, c := range map[string]struct{ request, line, body string }{
		"absolute form":             {"GET http://h/svc/x?a=b HTTP/1.1\r\nHost: other\r\n\r\n", "GET /svc/x?a=b HTTP/1.1", ""},
		"chunks with extensions":    {"POST /svc/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n", "POST /svc/x HTTP/1.1", "abcde"},
		"a header twice":            {"GET /svc/x HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-A: 2\r\n\r\n", "GET /svc/x HTTP/1.1", ""},
		"a body with GET":           {"GET /svc/x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "GET /svc/x HTTP/1.1", "abc"},
		"an empty line before":      {"\r\nGET /svc/x HTTP/1.1\r\nHost: h\r\n\r\n", "GET /svc/x HTTP/1.1", ""},
		"HTTP/1.0":                  {"GET /svc/x HTTP/1.0\r\nHost: h\r\n\r\n", "GET /svc/x HTTP/1.1", ""},
		"Expect":                    {"POST /svc/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", "POST /svc/x HTTP/1.1", "abc"},
		"Connection names a length": {"POST /svc/x HTTP/1.1\r\nHost: h\r\nConnection: Content-Length, Host\r\nContent-Length: 3\r\n\r\nabc", "POST /svc/x HTTP/1.1", "abc"},
	} {
		statuses, _ := g.exchange(c.request)
		if len(statuses) != 1 || statuses[0] != 200 {
			t.Errorf("%s: answered %v", name, statuses)
		}
		got := w.take()
		if len(got) != 1 || !strings.HasPrefix(got[0], c.line+"\r\n") || !strings.HasSuffix(got[0], "\r\n\r\n"+c.body) || strings.Count(strings.ToLower(got[0]), "\nhost:") != 1 {
			t.Errorf("%s: the backend got %q", name, got)
		}
	}
	// Two requests in a row are two.
	statuses, _ := g.exchange("POST /svc/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /svc/2 HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := w.take(); len(statuses) != 2 || len(got) != 2 || !strings.HasPrefix(got[1], "GET /svc/2 ") {
		t.Errorf("two in a row: %v, %q", statuses, got)
	}
}
