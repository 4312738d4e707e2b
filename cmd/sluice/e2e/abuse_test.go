package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What callers may do to a gateway, and it must not mind.

const abuseConfig = `models:
  open: {targets: [{model: mock/echo}]}
  down: {targets: [{model: mock/fail-500}]}
`

// A caller's labels are cut, not the record that they are in.
func TestLongLabels(t *testing.T) {
	g := start(t, abuseConfig+team)
	long := strings.Repeat("x", 2<<20)
	if a := g.chat(chatBody("open", "hi", `,"user":"`+long+`","metadata":{"k":"`+long+`"}`)); a.status != 200 {
		t.Fatalf("long labels: %d %s", a.status, a.body)
	}
	for _, model := range []string{long, "mock/" + long} {
		if a := g.chat(chatBody(model, "hi", "")); a.status != 404 || len(a.body) > 1000 {
			t.Errorf("long model: %d, %d bytes", a.status, len(a.body))
		}
	}
	if a := g.data("GET", "/readyz", ""); a.status != 200 {
		t.Errorf("not ready after long labels: %s", a.body)
	}
	g.waitCalls(1)
	for _, r := range g.requests("") {
		if len(r.Model) > 1000 || len(r.Tags) > 0 && len(r.Tags[0]) > 1000 {
			t.Errorf("recorded a model of %d bytes and tags %d", len(r.Model), len(r.Tags))
		}
	}
}

// A compressed form counts by what it unpacks to.
func TestPackedForm(t *testing.T) {
	g := newGateway(t, abuseConfig+team)
	g.prompt("say", "---\nmodel: open\ninput: {schema: {text: string}}\nsluice.access: public\n---\n{{text}}\n")
	g.start()
	for size, want := range map[int]int{1 << 10: 200, 64 << 20: 413} {
		a, err := g.send("POST", "http://"+g.listen+"/prompts/say", packed(t, size), "Content-Encoding", "gzip",
			"Content-Type", "multipart/form-data; boundary=B")
		if err != nil || a.status != want {
			t.Errorf("a form that unpacks to %d bytes: %d %.300s %v", size, a.status, a.body, err)
		}
	}
}

func packed(t *testing.T, size int) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte("--B\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n" + strings.Repeat("a", size) + "\r\n--B--\r\n"))
	if err != nil || z.Close() != nil {
		t.Fatal("cannot compress")
	}
	return b.String()
}

// A refusal tells what was weighed too.
func TestExplainedFailure(t *testing.T) {
	g := start(t, abuseConfig+team)
	a := g.chat(chatBody("down", "hi", ""), "X-Sluice-Explain", "1")
	if a.status != 500 || !strings.Contains(a.header.Get("X-Sluice-Explain"), `"target":"mock/fail-500"`) {
		t.Errorf("%d, explained: %q", a.status, a.header.Get("X-Sluice-Explain"))
	}
}

// A caller whose own limit of time is too short opens the breaker for nobody.
func TestImpatientCaller(t *testing.T) {
	g := start(t, `providers: {slow: {kind: mock, latency: 30ms}}
models: {m: {targets: [{model: slow/echo}], breaker: {failures: 2}}}
`+team)
	for range 5 {
		if a := g.chat(chatBody("m", "hi", ""), "X-Sluice-Timeout", "1ms"); a.status != 504 {
			t.Errorf("after 1 ms: %d %s", a.status, a.body)
		}
	}
	if a := g.chat(chatBody("m", "hi", "")); a.status != 200 {
		t.Errorf("for another caller: %d %s", a.status, a.body)
	}
}

// abandoned begins a stream, leaves after its first frame, and gives the output
// tokens that the call is recorded with.
func (g *gateway) abandoned(model string) int64 {
	g.t.Helper()
	s, err := g.stream(chatBody(model, "hi", `,"stream":true`))
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := s.next(); err != nil {
		g.t.Fatal(err)
	}
	s.close()
	usage := g.waitCalls(1)
	if r := g.requests(""); len(r) != 1 || !r[0].Disconnect {
		g.t.Errorf("recorded %+v", r)
	}
	return usage.get("total.output_tokens").Int()
}

// on_disconnect: drain reads an abandoned stream to its end.
func TestDrainedStream(t *testing.T) {
	g := start(t, `billing: {on_disconnect: drain}
providers: {play: {kind: mock, rate: 100}}
`+team)
	if n := g.abandoned("play/lorem-100"); n < 100 {
		t.Errorf("%d tokens of 100 words were drained", n)
	}
}

// A drain up to a bound ends there: in tokens, or in time. What the model says
// stands before what the team says.
func TestBoundedDrain(t *testing.T) {
	for _, bound := range []string{"{tokens: 20}", "{time: 300ms}"} {
		g := start(t, `providers: {play: {kind: mock, rate: 50}}
models: {m: {targets: [{model: play/lorem-1000}], on_disconnect: `+bound+`}}
teams:
  t: {on_disconnect: drain, keys: [{name: k, value: "`+teamKey+`"}]}
`)
		if n := g.abandoned("m"); n < 10 || n > 500 {
			t.Errorf("%s: %d tokens of 1000 words were drained", bound, n)
		}
	}
}

// A prompt's call is open before its model is known, and yet goes on as that
// says when its caller leaves while the provider is silent.
func TestDrainedPrompt(t *testing.T) {
	g := newGateway(t, `prompts: {dir: DIR/prompts}
providers: {play: {kind: mock, latency: 2s}}
models: {m: {targets: [{model: play/lorem-100}], on_disconnect: drain}}
`+team)
	g.prompt("p", "---\nmodel: m\n---\nHello\n")
	g.start()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+g.listen+"/prompts/p", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+teamKey)
	req.Header.Set("Content-Type", "application/json")
	if a, err := g.client.Do(req); err == nil {
		t.Fatalf("it was answered with %s", a.Status)
	}
	usage := g.waitCalls(1)
	if n := usage.get("total.output_tokens").Int(); n < 100 {
		t.Errorf("%d tokens of 100 words were drained", n)
	}
}

// A stream that is cut at the end of drain says why; one that nobody reads is
// cut too, and both are recorded.
func TestCutAtTheEnd(t *testing.T) {
	g := newGateway(t, "")
	g.configure(strings.Replace(head, "10s", "500ms", 1) + "providers: {play: {kind: mock, rate: 20}}\n" + team)
	g.start()
	s, err := g.stream(chatBody("play/lorem-1000", "hi", `,"stream":true`))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	stuck := g.neverRead(chatBody("mock/lorem-20000", "hi", `,"stream":true`))
	defer stuck.Close()
	begun := time.Now()
	g.signal(syscall.SIGTERM)
	if _, done, err := s.rest(); done || err == nil || !strings.Contains(err.Error(), "shutting down") {
		t.Errorf("the cut stream ended with %v, done %v", err, done)
	}
	if code := g.exitCode(20 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(begun); took > 4*time.Second || strings.Contains(g.stderr.String(), "calls did not end") {
		t.Errorf("ended after %v", took)
	}
	g.start()
	if calls := g.waitCalls(2).get("total.calls").Int(); calls != 2 {
		t.Errorf("%d calls are recorded, want 2", calls)
	}
}

// neverRead sends a chat request on a connection that takes little and reads
// none of the answer, and waits until the gateway cannot write.
func (g *gateway) neverRead(body string) net.Conn {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.listen)
	if err != nil {
		g.t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10) // the default would do, with more words
	_, err = fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		g.key, len(body), body)
	if err != nil {
		g.t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	return conn
}
