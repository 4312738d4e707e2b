package fetch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/providers/schema"
)

const png = "\x89PNG\r\n\x1a\n0000"

// site answers as a test's path says.
func site(t *testing.T, more http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a.png":
			w.Header().Set("Content-Type", "image/png")
			io.WriteString(w, png)
		default:
			more(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func fetcher(t *testing.T, o Options) *Fetcher {
	t.Helper()
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// refusal checks that an error is the caller's fault and tells no address.
func refusal(t *testing.T, err error, want string) {
	t.Helper()
	var e *schema.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *schema.Error", err)
	}
	if e.Status != 400 || e.Code != schema.CodeInvalidRequest || e.Class != schema.ClassInvalidRequest || e.Origin != schema.OriginGateway {
		t.Errorf("the error is %d %s %s of the %s", e.Status, e.Code, e.Class, e.Origin)
	}
	if !strings.Contains(e.Message, want) {
		t.Errorf("the message is %q, want it to say %q", e.Message, want)
	}
}

func TestGet(t *testing.T) {
	var got http.Header
	s := site(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "words")
	})
	f := fetcher(t, Options{DenyPrivate: true, Allow: []string{"127.0.0.1"}})
	kind, data, err := f.Get(t.Context(), s.URL+"/a.png")
	if err != nil || kind != "image/png" || string(data) != png {
		t.Errorf("got %q %q %v", kind, data, err)
	}
	kind, data, err = f.Get(t.Context(), s.URL+"/words?signature=s#part")
	if err != nil || kind != "text/plain" || string(data) != "words" {
		t.Errorf("got %q %q %v", kind, data, err)
	}
	if got.Get("User-Agent") != userAgent {
		t.Errorf("the user agent is %q", got.Get("User-Agent"))
	}
	for _, name := range []string{"Cookie", "Authorization", "Referer", "Accept-Encoding"} {
		if got.Get(name) != "" {
			t.Errorf("%s is sent: %s", name, got.Get(name))
		}
	}
}

// TestKinds takes what models read, by the server's word and by the bytes'.
func TestKinds(t *testing.T) {
	tests := []struct {
		header, data, kind string
		ok                 bool
	}{
		{"image/png", png, "image/png", true},
		{"image/jpeg", png, "image/png", true}, // named wrong
		{"image/jpg", "", "image/jpeg", true},
		{"", png, "image/png", true},
		{"application/octet-stream", "%PDF-1.7", "application/pdf", true},
		{"binary/octet-stream", "GIF89a", "image/gif", true},
		{"text/html", "%PDF-1.7", "application/pdf", true},
		{"text/csv; charset=utf-8", "a,b", "text/csv", true},
		{"TEXT/Plain", "a", "text/plain", true},
		{"audio/mpeg", "ID3", "audio/mpeg", true},
		{"video/mp4", "", "video/mp4", true},
		{"image/svg+xml", "<svg/>", "image/svg+xml", true},
		{"application/json", "{}", "application/json", true},
		{"application/zip", "PK\x03\x04", "application/zip", false},
		{"application/octet-stream", "\x00\x01\x02\x03", "application/octet-stream", false},
		{"application/x-www-form-urlencoded", "a=b", "application/x-www-form-urlencoded", false},
		{";;", "plain words", "text/plain", true},
	}
	for _, tt := range tests {
		if kind, ok := kindOf(tt.header, []byte(tt.data)); kind != tt.kind || ok != tt.ok {
			t.Errorf("%q with %q is %q %v, want %q %v", tt.header, tt.data, kind, ok, tt.kind, tt.ok)
		}
	}
}

func TestDenied(t *testing.T) {
	s := site(t, http.NotFound)
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	f := fetcher(t, Options{DenyPrivate: true})
	for _, address := range []string{
		s.URL + "/a.png", "http://localhost" + port + "/a.png", "http://[::1]" + port + "/a.png", "http://[::ffff:127.0.0.1]" + port + "/a.png",
		"http://0.0.0.0" + port + "/", "http://169.254.169.254/latest/meta-data/", "http://[::ffff:a9fe:a9fe]/",
		"http://[64:ff9b::a9fe:a9fe]/", "http://10.0.0.1/", "https://192.168.0.1/",
	} {
		_, _, err := f.Get(t.Context(), address)
		refusal(t, err, "is not one that may be fetched from")
	}
	// Private networks allowed, what is never public stays out.
	f = fetcher(t, Options{})
	if _, _, err := f.Get(t.Context(), s.URL+"/a.png"); err != nil {
		t.Errorf("with private addresses allowed: %v", err)
	}
	_, _, err := f.Get(t.Context(), "http://169.254.169.254/")
	refusal(t, err, "is not one that may be fetched from")
}

func TestURLs(t *testing.T) {
	f := fetcher(t, Options{DenyPrivate: true})
	for address, want := range map[string]string{
		"ftp://a.test/x":         "only http and https",
		"file:///etc/passwd":     "only http and https",
		"gopher://a.test":        "only http and https",
		"//a.test/x":             "only http and https",
		"http:///x":              "names no host",
		"http://user:pw@a.test/": "credentials",
		"http://a.test:99999/":   "port",
		"http://a.test:0/":       "port",
		"http://a b/":            "not well-formed",
		"http://a.test/" + strings.Repeat("x", maxURL): "longer than",
	} {
		_, _, err := f.Get(t.Context(), address)
		refusal(t, err, want)
	}
}

func TestRedirects(t *testing.T) {
	var s *httptest.Server
	var referer string
	s = site(t, func(w http.ResponseWriter, r *http.Request) {
		referer += r.Referer()
		var n int
		switch {
		case r.URL.Path == "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		case r.URL.Path == "/loopback":
			http.Redirect(w, r, strings.Replace(s.URL, "127.0.0.1", "127.0.0.2", 1)+"/a.png", http.StatusTemporaryRedirect)
		case r.URL.Path == "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case r.URL.Path == "/credentials":
			http.Redirect(w, r, strings.Replace(s.URL, "http://", "http://a:b@", 1)+"/a.png", http.StatusFound)
		case r.URL.Path == "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		default:
			fmt.Sscanf(r.URL.Path, "/%d", &n)
			if n == 0 {
				http.Redirect(w, r, "/a.png", http.StatusFound)
				return
			}
			http.Redirect(w, r, fmt.Sprintf("/%d", n-1), http.StatusMovedPermanently)
		}
	})
	f := fetcher(t, Options{DenyPrivate: true, Allow: []string{"127.0.0.1"}})
	if kind, _, err := f.Get(t.Context(), s.URL+"/2?signature=s"); err != nil || kind != "image/png" {
		t.Errorf("three redirects: %q %v", kind, err)
	}
	if referer != "" {
		t.Errorf("redirects tell where they come from: %s", referer)
	}
	for path, want := range map[string]string{
		"/3": "redirects more than 3 times", "/round": "redirects more than 3 times",
		"/metadata": "may be fetched from", "/loopback": "may be fetched from",
		"/file": "only http and https", "/credentials": "credentials",
	} {
		_, _, err := f.Get(t.Context(), s.URL+path)
		refusal(t, err, want)
		if strings.Contains(schema.AsError(err).Message, "169.254") {
			t.Errorf("the message tells an address: %v", err)
		}
	}
}

func TestAnswers(t *testing.T) {
	s := site(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			w.Header().Set("Content-Type", "image/png")
			w.Header().Set("Content-Length", "101")
			io.WriteString(w, png+strings.Repeat("x", 101-len(png)))
		case "/endless":
			w.Header().Set("Content-Type", "image/png")
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 1024)); err != nil {
					return
				}
			}
		case "/edge":
			io.WriteString(w, png+strings.Repeat("x", 100-len(png)))
		case "/zip":
			w.Header().Set("Content-Type", "application/zip")
			io.WriteString(w, "PK")
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, "x")
		case "/empty":
		case "/cut":
			w.Header().Set("Content-Length", "50")
			io.WriteString(w, png)
		case "/slow":
			<-r.Context().Done()
		default:
			http.NotFound(w, r)
		}
	})
	f := fetcher(t, Options{Max: 100})
	if _, data, err := f.Get(t.Context(), s.URL+"/edge"); err != nil || len(data) != 100 {
		t.Errorf("a body as large as may be: %d bytes, %v", len(data), err)
	}
	for path, want := range map[string]string{
		"/large": "larger than the 100 bytes", "/endless": "larger than the 100 bytes", "/zip": `"application/zip"`,
		"/gzip": "compressed", "/empty": "empty", "/cut": "cut", "/none": "status 404",
	} {
		_, _, err := f.Get(t.Context(), s.URL+path)
		refusal(t, err, want)
	}
	f = fetcher(t, Options{Timeout: time.Millisecond})
	_, _, err := f.Get(t.Context(), s.URL+"/slow")
	refusal(t, err, "did not come within 1ms")
}

// TestEnded tells a call that ended from a host that is slow.
func TestEnded(t *testing.T) {
	begun := make(chan struct{})
	s := site(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})
	f := fetcher(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	_, _, err := f.Get(ctx, s.URL+"/slow")
	if e := schema.AsError(err); e.Class != schema.ClassCancelled || e.Status != 499 {
		t.Errorf("a caller who left gets %v", err)
	}
	ctx, cancel = context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	_, _, err = f.Get(ctx, s.URL+"/a.png")
	if e := schema.AsError(err); e.Class != schema.ClassTimeout || e.Status != 504 {
		t.Errorf("a call out of time gets %v", err)
	}
}

// TestRebinding: what a name resolves to is looked at when the connection is
// made, so that a name server's second answer gains nothing.
func TestRebinding(t *testing.T) {
	s := site(t, http.NotFound)
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	answers := &nameServer{address: [4]byte{127, 0, 0, 1}}
	f := fetcher(t, Options{DenyPrivate: true})
	f.dialer.Resolver = answers.resolver()
	_, _, err := f.Get(t.Context(), "http://harmless.test"+port+"/a.png")
	refusal(t, err, "may be fetched from")
	if strings.Contains(schema.AsError(err).Message, "127.0.0.1") {
		t.Errorf("the message tells the address: %v", err)
	}
	if answers.asked.Load() == 0 {
		t.Error("the name was not resolved")
	}
	f = fetcher(t, Options{DenyPrivate: true, Allow: []string{"*.test"}})
	f.dialer.Resolver = answers.resolver()
	if kind, _, err := f.Get(t.Context(), "http://harmless.test"+port+"/a.png"); err != nil || kind != "image/png" {
		t.Errorf("a host that is allowed by name: %q %v", kind, err)
	}
}

// nameServer answers every question with one address.
type nameServer struct {
	address [4]byte
	asked   atomic.Int64
}

func (n *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		n.asked.Add(1)
		go func() {
			defer server.Close()
			var size [2]byte
			if _, err := io.ReadFull(server, size[:]); err != nil {
				return
			}
			q := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(server, q); err != nil {
				return
			}
			server.Write(n.answer(q))
		}()
		return client, nil
	}}
}

// answer is the reply to a DNS query (RFC 1035, section 4), with its length in
// front, as over TCP.
func (n *nameServer) answer(q []byte) []byte {
	end := 12
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	end += 5
	isA := binary.BigEndian.Uint16(q[end-4:]) == 1
	out := append([]byte{0, 0}, q[:end]...)
	copy(out[4:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	if isA {
		out[9] = 1
		out = append(out, 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		out = append(out, n.address[:]...)
	}
	binary.BigEndian.PutUint16(out, uint16(len(out)-2))
	return out
}

// FuzzURL: what is taken as a URL has a scheme and a host, and holds no
// credentials.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"http://a.test/x", "https://[::1]:8080/", "http://a@b", "HTTP://A", "data:,x", "http://[::1%25en0]/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := parse(s)
		if err != nil {
			return
		}
		again, bad := url.Parse(u.String())
		if bad != nil || u.User != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || again.Host != u.Host {
			t.Fatalf("%q is taken as %q", s, u)
		}
	})
}
