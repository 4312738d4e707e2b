package gateway

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/providers/schema"
	"sluice/providers/upstream"
)

// talk is a host's side of a session; the test plays it.
type talk struct {
	conn net.Conn
	in   *bufio.Reader
	req  *http.Request
}

// realtimeHost switches to a WebSocket and gives the test its side.
func realtimeHost(t *testing.T) (*host, chan talk) {
	sessions := make(chan talk, 4)
	h := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "refuse") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"error":{"message":"no such voice","type":"invalid_request_error"}}`)
			return
		}
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: realtime\r\n\r\n",
			upstream.AcceptKey(r.Header.Get("Sec-WebSocket-Key")))
		sessions <- talk{conn, rw.Reader, r}
	})
	return h, sessions
}

// readFrame reads a frame, masked or not.
func readFrame(t *testing.T, r *bufio.Reader) (op byte, payload []byte) {
	t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		t.Fatalf("no frame came: %v", err)
	}
	size := uint64(head[1] & 0x7f)
	var mask [4]byte
	var err error
	switch size {
	case 126:
		var n uint16
		err = binary.Read(r, binary.BigEndian, &n)
		size = uint64(n)
	case 127:
		err = binary.Read(r, binary.BigEndian, &size)
	}
	if err == nil && head[1]&0x80 != 0 {
		_, err = io.ReadFull(r, mask[:])
	}
	payload = make([]byte, size)
	if err == nil {
		_, err = io.ReadFull(r, payload)
	}
	if err != nil {
		t.Fatalf("a frame broke off: %v", err)
	}
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return head[0] & 0xf, payload
}

// maskedFrame is a frame as a client sends it.
func maskedFrame(op byte, payload string) []byte {
	b := []byte{0x80 | op, 0x80 | byte(len(payload)), 1, 2, 3, 4}
	for i := range len(payload) {
		b = append(b, payload[i]^[]byte{1, 2, 3, 4}[i%4])
	}
	return b
}

// visitor is a caller with a session.
type visitor struct {
	net.Conn
	in  *bufio.Reader
	res *http.Response
}

// connect asks for a session; header is names and values.
func (e *edge) connect(query string, header ...string) visitor {
	e.t.Helper()
	conn, err := e.client.Transport.(*http.Transport).DialContext(e.t.Context(), "tcp", "sluice.test:80")
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		e.t.Fatal(err)
	}
	req, err := http.NewRequest("GET", "http://sluice.test/v1/realtime"+query, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if err := req.Write(conn); err != nil {
		e.t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, req)
	if err != nil {
		e.t.Fatal(err)
	}
	return visitor{conn, in, res}
}

const doneEvent = `{"type":"response.done","event_id":"e","response":{"usage":{"total_tokens":150,"input_tokens":100,"output_tokens":50,` +
	`"input_token_details":{"text_tokens":20,"audio_tokens":80,"cached_tokens":60,"cached_tokens_details":{"text_tokens":0,"audio_tokens":60}},` +
	`"output_token_details":{"text_tokens":10,"audio_tokens":40}}}}`

func bearer(key string) []string { return []string{"Authorization", "Bearer " + key} }

// waitEntry is the one entry, once the session is over.
func (e *edge) waitEntry() billing.Entry {
	e.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		if list := e.recorded(); len(list) > 0 {
			return list[0]
		}
		if time.Now().After(end) {
			e.t.Fatal("the session is not recorded")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestRealtime(t *testing.T) {
	h, sessions := realtimeHost(t)
	e := passEdge(t, h, nil)
	v := e.connect("?model=up/talk&intent=x", "Sec-WebSocket-Protocol", "realtime, openai-insecure-api-key."+testKey+", openai-project.p", "OpenAI-Beta", "realtime=v1")
	if v.res.StatusCode != 101 || v.res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || v.res.Header.Get("Sec-WebSocket-Protocol") != "realtime" {
		t.Fatalf("%d %v", v.res.StatusCode, v.res.Header)
	}
	s := <-sessions
	wantSame(t, "path", s.req.URL.RequestURI(), "/v1/realtime?intent=x&model=talk")
	wantSame(t, "key", s.req.Header.Get("Authorization"), "Bearer sk-up")
	wantSame(t, "protocols", s.req.Header.Get("Sec-WebSocket-Protocol"), "realtime")
	wantSame(t, "beta", s.req.Header.Get("OpenAI-Beta"), "realtime=v1")

	if _, err := v.Write(maskedFrame(frameText, `{"type":"response.create"}`)); err != nil {
		t.Fatal(err)
	}
	if op, p := readFrame(t, s.in); op != frameText || string(p) != `{"type":"response.create"}` {
		t.Errorf("the host got %d %s", op, p)
	}
	// A message in two frames with a ping between them, then one that is large.
	first := appendFrame(nil, frameText, []byte(doneEvent[:50]))
	first[0] &^= 0x80
	large := `{"type":"response.audio.delta","delta":"` + strings.Repeat("A", 70_000) + `"}`
	out := append(appendFrame(first, 9, []byte("ping")), appendFrame(nil, frameContinuation, []byte(doneEvent[50:]))...)
	out = append(appendFrame(out, frameText, []byte(large)), appendFrame(nil, frameText, []byte(doneEvent))...)
	if _, err := s.conn.Write(out); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(out))
	if _, err := io.ReadFull(v.in, got); err != nil || !bytes.Equal(got, out) {
		t.Fatalf("what the host sent is not what came: %v", err)
	}
	if _, err := s.conn.Write(appendFrame(nil, frameClose, appendCloseReason(nil, 1000, "bye"))); err != nil {
		t.Fatal(err)
	}
	if op, p := readFrame(t, v.in); op != frameClose || binary.BigEndian.Uint16(p) != 1000 {
		t.Errorf("the end is %d %q", op, p)
	}
	_ = s.conn.Close()
	if _, err := v.in.ReadByte(); err == nil {
		t.Error("the caller's side is still open")
	}
	en := e.waitEntry()
	wantSame(t, "usage", en.Usage, schema.Usage{Input: 200, CachedInput: 120, AudioInput: 40, Output: 100, AudioOutput: 80, Source: schema.UsageReported})
	if en.Operation != "realtime" || en.Status != 101 || en.Code != "" || en.Target != "up/talk" || !en.Stream || en.Cost == 0 {
		t.Errorf("entry is %+v", en)
	}
}

func TestRealtimeRefused(t *testing.T) {
	h, _ := realtimeHost(t)
	e := passEdge(t, h, nil)
	for _, c := range []struct {
		name, query string
		header      []string
		status      int
		code        string
	}{
		{"no key", "?model=up/talk", nil, 401, "invalid_api_key"},
		{"a wrong key", "?model=up/talk", []string{"Sec-WebSocket-Protocol", "realtime, openai-insecure-api-key.sk-no"}, 401, "invalid_api_key"},
		{"no model", "", bearer(testKey), 400, "invalid_request"},
		{"no upgrade", "?model=up/talk", append(bearer(testKey), "Upgrade", "h2c"), 426, "invalid_request"},
		{"an old version", "?model=up/talk", append(bearer(testKey), "Sec-WebSocket-Version", "8"), 426, "invalid_request"},
		{"not granted", "?model=up/talk", bearer(narrowKey), 403, "model_not_allowed"},
		{"no price", "?model=up/unknown", bearer(thriftyKey), 403, "model_unpriced"},
		{"the host refuses", "?model=up/talk&refuse=1", bearer(testKey), 400, "invalid_request"},
		{"the mock has none", "?model=m/echo", bearer(testKey), 400, "unsupported_parameter"},
	} {
		v := e.connect(c.query, c.header...)
		body, err := io.ReadAll(v.res.Body)
		if err != nil || v.res.StatusCode != c.status || gjson.GetBytes(body, "error.code").Str != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.name, v.res.StatusCode, body, c.status, c.code)
		}
	}
}

// A session whose hard budget is spent ends, and says why.
func TestRealtimeBudget(t *testing.T) {
	h, sessions := realtimeHost(t)
	e := passEdge(t, h, nil)
	v := e.connect("?model=up/talk", bearer(thriftyKey)...)
	s := <-sessions
	dear := strings.Replace(doneEvent, `"output_tokens":50`, `"output_tokens":90000`, 1)
	if _, err := s.conn.Write(append(appendFrame(nil, frameText, []byte(dear)), appendFrame(nil, frameText, []byte(`{"type":"more"}`))...)); err != nil {
		t.Fatal(err)
	}
	if _, p := readFrame(t, v.in); string(p) != dear {
		t.Errorf("the response is %s", p)
	}
	if op, p := readFrame(t, v.in); op != frameText || gjson.GetBytes(p, "type").Str != "error" || gjson.GetBytes(p, "error.code").Str != "insufficient_quota" {
		t.Errorf("the error is %d %s", op, p)
	}
	if op, p := readFrame(t, v.in); op != frameClose || binary.BigEndian.Uint16(p) != closePolicy {
		t.Errorf("the end is %d %q", op, p)
	}
	if _, err := s.in.ReadByte(); err == nil {
		t.Error("the host's side is still open")
	}
	if en := e.waitEntry(); en.Code != "insufficient_quota" || en.Cost < billing.Nano(1e9) || en.Refused {
		t.Errorf("entry is %+v", en)
	}
}

// Each side's end is the other's.
func TestRealtimeEnds(t *testing.T) {
	h, sessions := realtimeHost(t)
	t.Run("the caller leaves", func(t *testing.T) {
		e := passEdge(t, h, nil)
		v := e.connect("?model=up/talk", bearer(testKey)...)
		s := <-sessions
		_ = v.Close()
		if _, err := s.in.ReadByte(); err == nil {
			t.Error("the host's side is still open")
		}
		if en := e.waitEntry(); !en.Disconnect || en.Code != "" || en.Cost != 0 {
			t.Errorf("entry is %+v", en)
		}
	})
	t.Run("the host breaks off", func(t *testing.T) {
		e := passEdge(t, h, nil)
		v := e.connect("?model=up/talk", bearer(testKey)...)
		s := <-sessions
		_ = s.conn.Close()
		if _, p := readFrame(t, v.in); gjson.GetBytes(p, "error.code").Str != "upstream_error" {
			t.Errorf("the error is %s", p)
		}
		if op, p := readFrame(t, v.in); op != frameClose || binary.BigEndian.Uint16(p) != closeBadGateway {
			t.Errorf("the end is %d %q", op, p)
		}
		if en := e.waitEntry(); en.Code != "upstream_error" {
			t.Errorf("entry is %+v", en)
		}
	})
	t.Run("the gateway stops", func(t *testing.T) {
		e := passEdge(t, h, nil)
		v := e.connect("?model=up/talk", bearer(testKey)...)
		<-sessions
		e.cancel()
		readFrame(t, v.in)
		if op, p := readFrame(t, v.in); op != frameClose || binary.BigEndian.Uint16(p) != closeGoingAway {
			t.Errorf("the end is %d %q", op, p)
		}
		if en := e.waitEntry(); en.Code != "unavailable" {
			t.Errorf("entry is %+v", en)
		}
	})
}

// FuzzFrames: the scanner takes in any bytes, and finds the same messages
// however they are cut.
func FuzzFrames(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, frameText, []byte("hi")), frameClose, nil))
	f.Add(appendFrame(nil, frameText, bytes.Repeat([]byte("x"), 300)))
	f.Add([]byte{1, 1, 'a', 0x89, 0, 0x80, 1, 'b'})
	scan := func(b []byte, piece int) (messages string, bad bool) {
		var s frameScanner
		for len(b) > 0 {
			part := b[:min(piece, len(b))]
			b = b[len(part):]
			for len(part) > 0 {
				n, m, err := s.scan(part)
				if err != nil {
					return messages, true
				}
				if m != nil {
					messages += "|" + string(m)
				}
				part = part[n:]
			}
		}
		return messages, false
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, bad := scan(b, len(b)+1)
		if pieces, alsoBad := scan(b, 1); pieces != whole || alsoBad != bad {
			t.Fatalf("%q %v, byte by byte %q %v", whole, bad, pieces, alsoBad)
		}
	})
}
