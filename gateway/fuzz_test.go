package gateway_test

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// raw sends a request whose parts are any bytes, over a connection of its own.
func (r *rig) raw(t *testing.T, method, path, kind string, body []byte) answer {
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var b bytes.Buffer
	b.WriteString(method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + testKey + "\r\nContent-Type: " + kind +
		"\r\nX-Sluice-Explain: 1\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n")
	b.Write(body)
	if _, err := conn.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %q with %q: the answer is no HTTP: %v", method, path, body, err)
	}
	defer res.Body.Close()
	var out bytes.Buffer
	if _, err := out.ReadFrom(res.Body); err != nil {
		t.Fatalf("%s %q with %q: %v after %q", method, path, body, err, out.String())
	}
	return answer{res.StatusCode, res.Header, out.String()}
}

// plain makes a word that can stand in a request's line or header.
func plain(s string) string {
	return strings.Map(func(c rune) rune {
		if c <= ' ' || c >= 0x7f {
			return '_'
		}
		return c
	}, s)
}

// Whatever comes, no call panics (the rig fails then), the answer is HTTP, and
// what says that it is JSON is.
func FuzzDispatch(f *testing.F) {
	message := `"messages":[{"role":"user","content":"hi"}]`
	for _, seed := range []struct{ method, path, kind, body string }{
		{"POST", "/v1/chat/completions", "application/json", `{"model":"mock/echo",` + message + `}`},
		{"POST", "/v1/chat/completions", "application/json", `{"model":"mock/echo","stream":true,"n":2,` + message + `}`},
		{"POST", "/v1/chat/completions", "application/json", `{"model":"mock/echo","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],` + message + `}`},
		{"POST", "/v1/chat/completions", "application/json", `{"model":"prompt/echo",` + message + `}`},
		{"POST", "/v1/messages", "application/json", `{"model":"mock/lorem-3","max_tokens":5,"stream":true,` + message + `}`},
		{"POST", "/v1/messages/count_tokens", "application/json", `{"model":"mock/echo",` + message + `}`},
		{"POST", "/v1beta/models/mock/echo:generateContent", "application/json", `{"contents":[{"parts":[{"text":"hi"}]}]}`},
		{"POST", "/v1beta/models/mock/%ff:streamGenerateContent?alt=sse", "application/json", `{"contents":[{"parts":[{"text":"hi"}]}]}`},
		{"POST", "/v1beta/models/mock/embed:embedContent", "application/json", `{"content":{"parts":[{"text":"hi"}]}}`},
		{"POST", "/v1/embeddings", "application/json", `{"model":"mock/embed","input":["a",[1,2]]}`},
		{"POST", "/v1/rerank", "application/json", `{"model":"mock/echo","query":"q","documents":["a"]}`},
		{"POST", "/v1/responses", "application/json", `{"model":"mock/echo","input":"hi"}`},
		{"POST", "/v1/completions", "application/json", `{"model":"mock/echo","prompt":"hi"}`},
		{"POST", "/v1/moderations", "application/json", `{"input":"hi"}`},
		{"POST", "/v1/files", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x--\r\n"},
		{"GET", "/v1/models/mock%2Fecho", "", ""},
		{"GET", "/v1/usage?from=2026-01-01&group_by=model", "", ""},
		{"POST", "/echo", "application/x-www-form-urlencoded", "text=a&who.name=b&tags=1&tags=2"},
		{"POST", "/echo@1", "application/json", `{"text":"a","times":3}`},
		{"GET", "/echo?text=a&who=x&who.name=y&stream=1", "", ""},
		{"POST", "/echo", "application/json", `[{"text":"a"},{"text":"b"}]`},
		{"POST", "/echo", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\na\r\n--x--\r\n"},
		{"HEAD", "/%2e%2e/%00/\xff//..;", "text/plain", "\x00\xff"},
	} {
		f.Add(seed.method, seed.path, seed.kind, []byte(seed.body))
	}
	r := prompting(f, saysAll(goodOutput), "")
	f.Fuzz(func(t *testing.T, method, path, kind string, body []byte) {
		r.log.tell(t)
		method, path, kind = plain(method), "/"+strings.TrimPrefix(plain(path), "/"), plain(kind)
		if method == "" || method == "CONNECT" || len(method) > 20 || len(path) > 4000 || len(kind) > 4000 || strings.Contains(path, "silent") {
			t.Skip()
		}
		a := r.raw(t, method, path, kind, body)
		if strings.HasSuffix(a.header.Get("Content-Type"), "json") && method != "HEAD" && !gjson.Valid(a.body) {
			t.Errorf("%s %q with %q: no JSON: %q", method, path, body, a.body)
		}
		if a.status == 500 && a.header.Get("X-Sluice-Attempts") == "" {
			t.Errorf("%s %q with %q: %s", method, path, body, a.body)
		}
	})
}

// A form and a query with the same pairs are the same input.
func FuzzPairs(f *testing.F) {
	for _, seed := range []string{"text=a&times=3", "text=&who.name=x&who.age=1", "tags=a&tags=b&text=c", "who=x&who.name=y", "=x", "text=%ff&a.b.c=d", "tags[]=1&text=+%2B&stream=1"} {
		f.Add(seed)
	}
	r := prompting(f, saysAll(goodOutput), "")
	f.Fuzz(func(t *testing.T, form string) {
		r.log.tell(t)
		form = strings.ReplaceAll(strings.ReplaceAll(plain(form), "#", "_"), "{", "_")
		if len(form) > 4000 || strings.Contains(form, "stream") || strings.HasPrefix(form, "[") {
			t.Skip()
		}
		query := r.raw(t, "GET", "/echo?"+form, "", nil)
		body := r.raw(t, "POST", "/echo", "application/x-www-form-urlencoded", []byte(form))
		if query.status != body.status || query.status == 200 && query.body != body.body || query.status >= 500 {
			t.Errorf("%q: as a query %d %s, as a form %d %s", form, query.status, query.body, body.status, body.body)
		}
	})
}
