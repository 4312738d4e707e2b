package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tidwall/gjson"
)

const tinyPNG = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"

// pictures serves what callers name by URL, on 127.0.0.1, and counts what is
// asked for.
type pictures struct {
	base  string // by the name that the gateway may fetch from
	asked atomic.Int64
}

func servePictures(t *testing.T) *pictures {
	t.Helper()
	p := &pictures{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		switch r.URL.Path {
		case "/cat.png":
			w.Header().Set("Content-Type", "image/png")
			io.WriteString(w, tinyPNG)
		case "/paper.pdf":
			w.Header().Set("Content-Type", "application/pdf")
			io.WriteString(w, "%PDF-1.7 words")
		case "/to-loopback":
			http.Redirect(w, r, "http://127.0.0.1:"+port(r.Host)+"/cat.png", http.StatusFound)
		case "/to-metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		case "/large.png":
			w.Header().Set("Content-Type", "image/png")
			w.Write(append([]byte(tinyPNG), bytes.Repeat([]byte{0}, 70<<10)...))
		case "/page":
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<html>")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	p.base = "http://localhost:" + port(s.Listener.Addr().String())
	return p
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// bodies is a fake host that keeps what it was sent, by path.
type bodies struct {
	url  string
	mu   sync.Mutex
	sent map[string]string
}

// serveBodies answers as Ollama, OpenAI and Gemini do.
func serveBodies(t *testing.T) *bodies {
	t.Helper()
	b := &bodies{sent: map[string]string{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a cut body shows in the test
		b.mu.Lock()
		b.sent[r.URL.Path] = string(body)
		b.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/api/chat") && gjson.GetBytes(body, "stream").Bool():
			w.Header().Set("Content-Type", "application/x-ndjson")
			io.WriteString(w, `{"model":"m","message":{"role":"assistant","content":"a cat"},"done":false}`+"\n"+
				`{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":2}`+"\n")
		case strings.HasSuffix(r.URL.Path, "/api/chat"):
			io.WriteString(w, `{"model":"m","message":{"role":"assistant","content":"a cat"},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":2}`)
		case strings.HasSuffix(r.URL.Path, "/chat/completions"):
			io.WriteString(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a paper"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`)
		case strings.HasSuffix(r.URL.Path, "/converse"):
			io.WriteString(w, `{"output":{"message":{"role":"assistant","content":[{"text":"a cat"}]}},"stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}`)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	b.url = s.URL
	return b
}

func (b *bodies) at(path string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent[path]
}

// TestMediaByURL: targets that take bytes get them, and a caller cannot make
// the gateway reach where it must not.
func TestMediaByURL(t *testing.T) {
	t.Parallel()
	pics, host := servePictures(t), serveBodies(t)
	g := start(t, fmt.Sprintf(`fetch: {allow: [localhost], max: 64KiB}
providers:
  local: {kind: ollama, base_url: %q, prices: {"*": {input: 1, output: 2}}}
  aws: {kind: bedrock, region: us-east-1, base_url: %q, keys: [{id: AKIDEXAMPLE, secret: s}], prices: {"*": {input: 1, output: 2}}}
  oai: {kind: openai-compatible, base_url: "%s/v1", keys: [sk-x], prices: {"*": {input: 1, output: 2}}}
`, host.url, host.url, host.url)+team)
	data := base64.StdEncoding.EncodeToString([]byte(tinyPNG))

	a := g.chat(lookAt("local/m", pics.base+"/cat.png", ""))
	if sent := host.at("/api/chat"); a.status != 200 || gjson.Get(sent, "messages.0.images.0").Str != data {
		t.Errorf("status %d %.300s: Ollama was sent %s", a.status, a.body, sent)
	}
	s, err := g.stream(lookAt("local/m", pics.base+"/cat.png", `,"stream":true`))
	if err != nil {
		t.Fatalf("a stream: %v", err)
	}
	if text, done, err := s.rest(); text != "a cat" || !done || err != nil {
		t.Errorf("the stream says %q, %v, %v", text, done, err)
	}
	s.close()
	a = g.chat(lookAt("aws/amazon.nova-lite-v1:0", pics.base+"/cat.png", ""))
	sent := host.at("/model/amazon.nova-lite-v1:0/converse")
	if a.status != 200 || gjson.Get(sent, "messages.0.content.1.image.source.bytes").Str != data || gjson.Get(sent, "messages.0.content.1.image.format").Str != "png" {
		t.Errorf("status %d %.300s: Bedrock was sent %s", a.status, a.body, sent)
	}
	a = g.data("POST", "/v1/messages", `{"model":"oai/m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"url","url":`+
		quote(pics.base+"/paper.pdf")+`}},{"type":"text","text":"what?"}]}]}`)
	file := gjson.Get(host.at("/v1/chat/completions"), "messages.0.content.0.file")
	if a.status != 200 || file.Get("filename").Str != "paper.pdf" || file.Get("file_data").Str != "data:application/pdf;base64,"+base64.StdEncoding.EncodeToString([]byte("%PDF-1.7 words")) {
		t.Errorf("status %d %.300s: OpenAI was sent %s", a.status, a.body, file.Raw)
	}
	before := pics.asked.Load()
	a = g.chat(lookAt("oai/m", pics.base+"/cat.png", ""))
	if sent := host.at("/v1/chat/completions"); a.status != 200 || pics.asked.Load() != before || gjson.Get(sent, "messages.0.content.1.image_url.url").Str != pics.base+"/cat.png" {
		t.Errorf("status %d: a target that takes URLs was sent %s", a.status, sent)
	}
	g.refusedMedia(t, pics)
}

// refusedMedia asks for what is not fetched.
func (g *gateway) refusedMedia(t *testing.T, pics *pictures) {
	loopback := "http://127.0.0.1:" + port(strings.TrimPrefix(pics.base, "http://"))
	for address, want := range map[string]string{
		loopback + "/cat.png":                      "may be fetched from",
		"http://169.254.169.254/latest/meta-data/": "may be fetched from",
		"http://[::ffff:169.254.169.254]/":         "may be fetched from",
		"http://10.0.0.1/":                         "may be fetched from",
		pics.base + "/to-loopback":                 "may be fetched from",
		pics.base + "/to-metadata":                 "may be fetched from",
		pics.base + "/large.png":                   "larger than the 65536 bytes",
		pics.base + "/page":                        "text/html is at that URL",
		pics.base + "/none":                        "status 404",
		"ftp://localhost/cat.png":                  "",
	} {
		for _, model := range []string{"local/m", "aws/amazon.nova-lite-v1:0"} {
			for _, more := range []string{"", `,"stream":true`} {
				a := g.chat(lookAt(model, address, more))
				e := a.get("error")
				if a.status != 400 || !strings.HasPrefix(e.Get("param").Str, "messages[0].content[1]") || !strings.Contains(e.Get("message").Str, want) {
					t.Errorf("%s to %s%s: status %d %s", address, model, more, a.status, a.body)
				}
				if strings.Contains(address, "localhost") && (strings.Contains(a.body, "127.0.0.1") || strings.Contains(a.body, "169.254")) {
					t.Errorf("%s: the answer tells an address: %s", address, a.body)
				}
			}
		}
	}
}

// lookAt is a chat about a picture.
func lookAt(model, address, extra string) string {
	return `{"model":` + quote(model) + `,"messages":[{"role":"user","content":[{"type":"text","text":"what is this?"},{"type":"image_url","image_url":{"url":` +
		quote(address) + `}}]}]` + extra + `}`
}
