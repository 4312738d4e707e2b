package e2e

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
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
