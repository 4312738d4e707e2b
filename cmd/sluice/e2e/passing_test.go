package e2e

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// lab is an OpenAI-shaped host of text completions, files and sessions. A
// session sends one response and a close frame.
func lab(t *testing.T) *httptest.Server {
	const done = `{"type":"response.done","response":{"usage":{"input_tokens":10,"output_tokens":20,"total_tokens":30}}}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/v1/realtime":
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n\x81%c%s\x88\x02\x03\xe8",
				acceptKey(r.Header.Get("Sec-WebSocket-Key")), len(done), done)
			_, _ = io.Copy(io.Discard, conn)
		case r.URL.Path == "/v1/completions":
			_, _ = io.WriteString(w, `{"id":"c","object":"text_completion","model":"old","choices":[{"text":"raw","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
		default:
			_, _ = fmt.Fprintf(w, `{"at":%q}`, r.Method+" "+r.URL.RequestURI())
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// acceptKey is the proof of a handshake (RFC 6455, 1.3).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

const labConfig = `  lab: {kind: openai-compatible, base_url: "LAB/v1", keys: [sk-lab], prices: {"*": {input: 1, output: 2}}}
defaults: {files: lab}
`

func startLab(t *testing.T) *gateway {
	return start(t, providers+strings.Replace(labConfig, "LAB", lab(t).URL, 1)+team)
}

// What has no unified form: answered by the mock without any account, and
// passed on to the host that serves it.
func TestPassing(t *testing.T) {
	g := startLab(t)
	if a := g.data("POST", "/v1/images/generations", `{"model":"mock/image","prompt":"x","n":2}`); a.status != 200 || a.get("data.#").Int() != 2 || a.header.Get("X-Sluice-Cost") == "0" {
		t.Errorf("pictures: %d %s %s", a.status, a.header, a.body)
	}
	if a := g.data("POST", "/v1/audio/speech", `{"model":"mock/speech","input":"hi"}`); a.status != 200 || !strings.HasPrefix(a.body, "RIFF") {
		t.Errorf("speech: %d", a.status)
	}
	if a := g.data("POST", "/v1/moderations", `{"model":"mock/moderate","input":"kill"}`); !a.get("results.0.flagged").Bool() {
		t.Errorf("moderation: %d %s", a.status, a.body)
	}
	form := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nmock/transcribe\r\n--b--\r\n"
	if a := g.data("POST", "/v1/audio/transcriptions", form, "Content-Type", "multipart/form-data; boundary=b"); a.get("text").String() != "the mock heard 3 bytes" {
		t.Errorf("transcription: %d %s", a.status, a.body)
	}
	if a := g.data("GET", "/v1/files/f-1?x=y", ""); a.get("at").String() != "GET /v1/files/f-1?x=y" {
		t.Errorf("a file: %d %s", a.status, a.body)
	}
	usage := g.waitCalls(5)
	if usage.get("total.errors").Int() != 0 {
		t.Errorf("usage: %s", usage.body)
	}
}

// Text completions go as they are to hosts that speak them, and as a chat to
// others.
func TestTextCompletions(t *testing.T) {
	g := startLab(t)
	const body = `{"model":%q,"prompt":"once upon","suffix":"x","max_tokens":20}`
	for model, text := range map[string]string{"lab/old": "raw", "mock/echo": "once upon"} {
		if a := g.data("POST", "/v1/completions", fmt.Sprintf(body, model)); a.get("choices.0.text").String() != text || a.get("object").String() != "text_completion" {
			t.Errorf("%s: %d %s", model, a.status, a.body)
		}
	}
	a := g.data("POST", "/v1/completions", fmt.Sprintf(body, "ant/small"))
	if a.status != 200 || a.get("choices.0.text").String() == "" || a.header.Get("X-Sluice-Dropped") != "suffix" {
		t.Errorf("through Anthropic's API: %d %s %s", a.status, a.header, a.body)
	}
}

// A realtime session is relayed, and charged once it is over.
func TestRealtimeSession(t *testing.T) {
	g := startLab(t)
	conn, err := net.Dial("tcp", g.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintf(conn, "GET /v1/realtime?model=lab/talk HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: realtime, openai-insecure-api-key.%s\r\n\r\n", g.key)
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("%v %v", res, err)
	}
	frames := make([]byte, 150)
	n, err := io.ReadAtLeast(in, frames, 100)
	if err != nil || !strings.Contains(string(frames[:n]), "response.done") {
		t.Fatalf("%q %v", frames[:n], err)
	}
	conn.Close()
	if usage := g.waitCalls(1); usage.get("total.output_tokens").Int() != 20 || usage.get("total.usd").String() != "0.00005" {
		t.Errorf("usage: %s", usage.body)
	}
}
