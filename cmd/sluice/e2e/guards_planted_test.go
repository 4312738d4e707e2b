package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// planter is a provider whose streams hold planted values, cut anywhere.
type planter struct {
	mu     sync.Mutex
	rand   *rand.Rand
	values []string
}

func (p *planter) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + p.rand.IntN(10))
	}
	return string(b)
}

func (p *planter) letters(n int) string {
	const all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = all[p.rand.IntN(len(all))]
	}
	return string(b)
}

// card is a number that passes Luhn's check.
func (p *planter) card() string {
	body := "4" + p.digits(14)
	sum := 0
	for i := range body {
		d := int(body[len(body)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	n := body + string(byte('0'+(10-sum%10)%10))
	return n[:4] + " " + n[4:8] + " " + n[8:12] + " " + n[12:]
}

// iban is a German account with the right check digits.
func (p *planter) iban() string {
	body := p.digits(18)
	rest := 0
	for _, c := range body + "131400" { // DE00
		rest = (rest*10 + int(c-'0')) % 97
	}
	return fmt.Sprintf("DE%02d%s", 98-rest, body)
}

func (p *planter) value() string {
	switch p.rand.IntN(8) {
	case 0:
		return p.letters(8) + "." + p.letters(5) + "@" + strings.ToLower(p.letters(6)) + ".example.com"
	case 1:
		return "+49 30 " + p.digits(8)
	case 2:
		return p.card()
	case 3:
		return p.iban()
	case 4:
		return "sk-proj-" + p.letters(40) + "7"
	case 5:
		return "ghp_" + p.letters(36)
	case 6:
		return "AKIA" + strings.ToUpper(p.letters(16))
	}
	return "eyJ" + p.letters(20) + ".eyJ" + p.letters(40) + "." + p.letters(43)
}

// ServeHTTP streams a text with 25 planted values.
func (p *planter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for range 25 {
		v := p.value()
		p.values = append(p.values, v)
		b.WriteString("The next one is " + v + ", über alles; ")
	}
	w.Header().Set("Content-Type", "text/event-stream")
	text := []rune(b.String())
	for len(text) > 0 {
		n := min(1+p.rand.IntN(12), len(text))
		piece, _ := json.Marshal(string(text[:n]))
		fmt.Fprintf(w, `data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":%s},"finish_reason":null}]}`+"\n\n", piece)
		text = text[n:]
	}
	fmt.Fprint(w, `data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
}

// Of a thousand values that a model says, cut over chunks anywhere, none reaches
// the client in any API, the logs, or anything that the gateway writes.
func TestPlantedValues(t *testing.T) {
	p := &planter{rand: rand.New(rand.NewPCG(2026, 11))}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	g := start(t, `providers: {leaky: {kind: openai-compatible, base_url: "`+server.URL+`/v1", keys: [k], prices: {"*": {input: 1, output: 2}}}}
models: {safe: {targets: [{model: leaky/m}], guard: [hide]}}
guards: {hide: {on: response, mask: [email, phone, card, iban, secret]}}
`+team)
	calls := []struct{ path, body string }{
		{"/v1/chat/completions", chatBody("safe", "hi", `,"stream":true`)},
		{"/v1/messages", `{"model":"safe","stream":true,"max_tokens":4000,"messages":[{"role":"user","content":"hi"}]}`},
		{"/v1/responses", `{"model":"safe","stream":true,"input":"hi"}`},
		{"/v1beta/models/safe:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
	}
	var all strings.Builder
	for i := range 40 {
		a := g.data("POST", calls[i%4].path, calls[i%4].body)
		if a.status != 200 || !strings.Contains(a.body, "über") {
			t.Fatalf("%s: %d %s", calls[i%4].path, a.status, a.body)
		}
		all.WriteString(joined(a.body))
	}
	g.waitCalls(40)
	if len(p.values) != 1000 {
		t.Fatalf("%d values were planted", len(p.values))
	}
	said := all.String()
	for _, hidden := range []string{"[EMAIL]", "[PHONE]", "[CARD]", "[IBAN]", "[SECRET]"} {
		if strings.Count(said, hidden) < 30 {
			t.Errorf("%s is there %d times", hidden, strings.Count(said, hidden))
		}
	}
	kept := written(t, g.dir)
	log := g.stdout.String() + g.stderr.String()
	for _, v := range p.values {
		part := v[len(v)/2:] // half of one is too much
		for where, text := range map[string]string{"the client": said, "the log": log, "what is kept": kept} {
			if strings.Contains(text, v) || strings.Contains(text, part) {
				t.Errorf("%s reached %s", v, where)
			}
		}
	}
}

// joined is a stream with all that it says also without its frames, so that what
// is cut over two of them is seen.
func joined(body string) string {
	var b strings.Builder
	for line := range strings.Lines(body) {
		var v any
		if data, ok := strings.CutPrefix(line, "data: "); ok && json.Unmarshal([]byte(data), &v) == nil {
			strung(v, &b)
		}
	}
	return body + b.String()
}

func strung(v any, b *strings.Builder) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range []string{"choices", "candidates", "content", "parts", "delta", "text"} {
			strung(v[key], b)
		}
	case []any:
		for _, item := range v {
			strung(item, b)
		}
	case string:
		b.WriteString(v)
	}
}

// written is all that stands in the files below a directory.
func written(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // a file of the spool may go while we look
		}
		text, _ := os.ReadFile(path)
		b.Write(text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
