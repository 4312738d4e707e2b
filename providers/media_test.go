package providers

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/providers/anthropic"
	"sluice/providers/bedrock"
	"sluice/providers/cohere"
	"sluice/providers/dialect"
	"sluice/providers/gemini"
	"sluice/providers/mistral"
	"sluice/providers/ollama"
	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/providers/vertex"
)

// web is what a test's Fetch finds, by URL; it counts what is asked for.
type web struct {
	mu    sync.Mutex
	pages map[string]string // type, a space, and the bytes
	asked map[string]int
}

func newWeb(pages map[string]string) *web { return &web{pages: pages, asked: map[string]int{}} }

func (w *web) get(ctx context.Context, url string) (string, []byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[url]++
	if err := ctx.Err(); err != nil {
		return "", nil, &schema.Error{Code: schema.CodeClientClosed, Status: 499, Class: schema.ClassCancelled, Origin: schema.OriginGateway, Cause: err}
	}
	kind, data, ok := strings.Cut(w.pages[url], " ")
	if !ok {
		return "", nil, schema.Invalid("", "cannot fetch from %q: its server answered with status 404", "host")
	}
	return kind, []byte(data), nil
}

const ollamaAnswer = `{"model":"m","message":{"role":"assistant","content":"a cat"},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":2}`

// looker is a provider of Ollama's that fetches from w.
func looker(t *testing.T, w *web) (*Provider, *answerConn) {
	p, conn := fake{dialect: &ollama.Dialect, contentType: "application/json", body: ollamaAnswer}.provider(t)
	p.opt.Fetch, p.opt.FetchTotal = w.get, 1000
	return p, conn
}

func pictures(urls ...string) string {
	var b strings.Builder
	b.WriteString(`{"model":"m","messages":[{"role":"system","content":"look"},{"role":"user","content":[{"type":"text","text":"what?"}`)
	for _, u := range urls {
		fmt.Fprintf(&b, `,{"type":"image_url","image_url":{"url":%q}}`, u)
	}
	return b.String() + `]}]}`
}

func TestMediaAreFetched(t *testing.T) {
	w := newWeb(map[string]string{"https://a.test/1": "image/png one", "HTTP://a.test/2": "image/jpeg two"})
	p, conn := looker(t, w)
	c := callOf(t, &openai.Dialect, schema.OpChat, pictures("https://a.test/1", "HTTP://a.test/2", "https://a.test/1", "data:image/png;base64,dGhyZWU="))
	a, err := p.Chat(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	a.Release()
	if got, want := gjson.Get(conn.body(), "messages.1.images").Raw, `["b25l","dHdv","b25l","dGhyZWU="]`; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	if w.asked["https://a.test/1"] != 1 || w.asked["HTTP://a.test/2"] != 1 {
		t.Errorf("asked for %v", w.asked)
	}
	whole, _ := c.Request.Chat()
	if m := whole.Messages[1].Parts[1].Media; m.URL != "https://a.test/1" || m.Data != "" {
		t.Errorf("the call's own request was changed: %+v", m)
	}
	// The next attempt, at another provider, has them.
	p, conn = looker(t, w)
	if a, err = p.Chat(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	a.Release()
	if len(gjson.Get(conn.body(), "messages.1.images").Array()) != 4 || w.asked["https://a.test/1"] != 1 {
		t.Errorf("the second attempt sent %s, asked for %v", conn.body(), w.asked)
	}
}

func TestMediaThatFail(t *testing.T) {
	pages := map[string]string{"https://a.test/ok": "image/png 1", "https://a.test/page": "text/html <html>", "https://a.test/big": "image/png " + strings.Repeat("x", 600),
		"https://a.test/big2": "image/png " + strings.Repeat("y", 600)}
	many := make([]string, maxFetches+1)
	for i := range many {
		many[i] = fmt.Sprintf("https://a.test/many%d", i)
		pages[many[i]] = "image/png 1"
	}
	tests := []struct {
		what, param, message string
		urls                 []string
	}{
		{"not there", "messages[1].content[2]", "messages[1].content[2]: cannot fetch", []string{"https://a.test/ok", "https://a.test/none"}},
		{"no picture", "messages[1].content[1]", "text/html is at that URL, where image was to be", []string{"https://a.test/page"}},
		{"too large together", "messages[1].content[2]", "larger than 1000 bytes together", []string{"https://a.test/big", "https://a.test/big2"}},
		{"one too often", "messages[1].content[2]", "larger than 1000 bytes together", []string{"https://a.test/big", "https://a.test/big"}},
		{"too many", fmt.Sprintf("messages[1].content[%d]", maxFetches+1), "at most 100 media", many},
	}
	for _, tt := range tests {
		w := newWeb(pages)
		p, conn := looker(t, w)
		c := callOf(t, &openai.Dialect, schema.OpChat, pictures(tt.urls...))
		for range 2 {
			_, err := p.Chat(t.Context(), c)
			e := wantError(t, err, schema.ClassInvalidRequest, 400, schema.CodeInvalidRequest)
			if e.Param != tt.param || !strings.Contains(e.Message, tt.message) {
				t.Errorf("%s: %s: %s", tt.what, e.Param, e.Message)
			}
			if strings.Count(e.Message, "messages[") != 1 {
				t.Errorf("%s: the place is told more than once: %s", tt.what, e.Message)
			}
		}
		if len(conn.sent) > 0 {
			t.Errorf("%s: the provider was asked", tt.what)
		}
		for url, n := range w.asked {
			if n > 1 {
				t.Errorf("%s: %s was asked for %d times", tt.what, url, n)
			}
		}
	}
}

// TestMediaOfAnEndedCall: a caller who left, or has no time, is not told that
// the URL is wrong, and the next attempt may try.
func TestMediaOfAnEndedCall(t *testing.T) {
	w := newWeb(map[string]string{"https://a.test/1": "image/png one"})
	p, _ := looker(t, w)
	c := callOf(t, &openai.Dialect, schema.OpChat, pictures("https://a.test/1"))
	c.Deadline = time.Unix(1, 0)
	_, err := p.ChatStream(t.Context(), c)
	wantError(t, err, schema.ClassCancelled, 499, schema.CodeClientClosed)
	c.Deadline = time.Time{}
	a, err := p.Chat(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	a.Release()
}

// TestNoFetch leaves URLs to the dialect where there is nothing to fetch with.
func TestNoFetch(t *testing.T) {
	p, _ := looker(t, nil)
	p.opt.Fetch = nil
	_, err := p.Chat(t.Context(), callOf(t, &openai.Dialect, schema.OpChat, pictures("https://a.test/1")))
	e := wantError(t, err, schema.ClassInvalidRequest, 400, schema.CodeInvalidRequest)
	if e.Param != "messages[1].content[1]" {
		t.Errorf("the error names %q", e.Param)
	}
}

// TestRawBytesAreNoException: Claude on Vertex takes no URLs, from callers of
// Anthropic's API neither; on Anthropic's own they pass.
func TestRawBytesAreNoException(t *testing.T) {
	const answer = `{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"a cat"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}`
	const byURL = `{"model":"c","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://a.test/1"}}]}],"vendor":1}`
	const byData = `{"model":"c","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"b25l"}}]}]}`
	w := newWeb(map[string]string{"https://a.test/1": "image/png one"})
	tests := []struct {
		what     string
		provider *dialect.Dialect
		body     string
		raw      bool
		source   string
	}{
		{"Vertex by URL", vertex.Anthropic("p", "l"), byURL, false, "base64"},
		{"Vertex with data", vertex.Anthropic("p", "l"), byData, true, "base64"},
		{"Anthropic by URL", &anthropic.Dialect, byURL, true, "url"},
	}
	for _, tt := range tests {
		p, conn := fake{dialect: tt.provider, contentType: "application/json", body: answer}.provider(t)
		p.opt.Fetch = w.get
		c := callOf(t, &anthropic.Dialect, schema.OpChat, tt.body)
		if got := p.Raw(c.Request, c.Model); got != tt.raw {
			t.Errorf("%s: passed on is %v", tt.what, got)
		}
		a, err := p.Chat(t.Context(), c)
		if err != nil {
			t.Fatalf("%s: %v", tt.what, err)
		}
		a.Release()
		if got := gjson.Get(conn.body(), "messages.0.content.0.source"); got.Get("type").Str != tt.source || tt.source == "base64" && got.Get("data").Str != "b25l" {
			t.Errorf("%s: sent %s", tt.what, conn.body())
		}
	}
}

// TestWhoNeedsBytes is what each provider takes by URL, by its documents.
func TestWhoNeedsBytes(t *testing.T) {
	part := func(kind schema.PartType, url, mime string) *schema.Part {
		return &schema.Part{Type: kind, Media: &schema.Media{URL: url, MIME: mime}}
	}
	image, plain := part(schema.PartImage, "https://a.test/cat.png", ""), part(schema.PartImage, "https://a.test/cat?id=1", "")
	pdf, text := part(schema.PartDocument, "https://a.test/a.pdf?x=1", ""), part(schema.PartDocument, "https://a.test/a.txt", "")
	sound := part(schema.PartAudio, "https://a.test/a.mp3", "")
	film := part(schema.PartDocument, "https://youtu.be/x", "")
	parts := []*schema.Part{image, plain, pdf, text, sound, film, part(schema.PartImage, "http://a.test/cat.png", "")}
	for _, tt := range []struct {
		d    *dialect.Dialect
		want string // y, n for each
	}{
		{&bedrock.Dialect, "yyyyyyy"},
		{vertex.Anthropic("p", "l"), "yyyyyyy"},
		{&ollama.Dialect, "yynynyy"},
		{&openai.Dialect, "nnyyyyn"},
		{&cohere.Dialect, "nnnynyn"},
		{&mistral.Dialect, "nnnnynn"},
		{&gemini.Dialect, "nynnyny"},
		{vertex.Gemini("p", "l"), "nynnyny"},
	} {
		got := ""
		for _, p := range parts {
			if tt.d.Chat.NeedsBytes(p) {
				got += "y"
			} else {
				got += "n"
			}
		}
		if got != tt.want {
			t.Errorf("%s needs the bytes of %s, want %s", tt.d.Name, got, tt.want)
		}
	}
	if anthropic.Dialect.Chat.NeedsBytes != nil {
		t.Error("Anthropic takes URLs")
	}
}

// TestMediaNames: documents are named as their URLs end; what a caller said of
// a film must be true.
func TestMediaNames(t *testing.T) {
	p := New(Options{Dialect: &bedrock.Dialect, FetchTotal: 1 << 20, Fetch: func(context.Context, string) (string, []byte, error) { return "application/pdf", []byte("%PDF-1"), nil }})
	messages := []schema.Message{{Role: schema.RoleTool, Parts: []schema.Part{
		{Type: schema.PartDocument, Media: &schema.Media{URL: "https://a.test/d/The%20paper.pdf?sig=1"}},
		{Type: schema.PartDocument, Media: &schema.Media{URL: "https://a.test/"}},
		{Type: schema.PartDocument, Media: &schema.Media{URL: "https://a.test/x.pdf", Filename: "own.pdf"}},
		{Type: schema.PartDocument, Media: &schema.Media{FileID: "file-1", URL: "https://a.test/x.pdf"}},
	}}}
	out, err := p.withBytes(t.Context(), &Call{Request: &Request{}}, p.opt.Dialect.Chat, messages)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"The paper.pdf", "", "own.pdf"} {
		if m := out[0].Parts[i].Media; m.Filename != want || m.URL != "" || m.MIME != "application/pdf" || m.Data != base64.StdEncoding.EncodeToString([]byte("%PDF-1")) {
			t.Errorf("document %d is %+v", i, m)
		}
	}
	if m := out[0].Parts[3].Media; m.Data != "" {
		t.Errorf("a file by id was fetched: %+v", m)
	}
	messages[0].Parts = []schema.Part{{Type: schema.PartDocument, Media: &schema.Media{URL: "https://a.test/x", MIME: "video/mp4"}}}
	_, err = p.withBytes(t.Context(), &Call{Request: &Request{}}, p.opt.Dialect.Chat, messages)
	var e *schema.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, "application/pdf is at that URL, where video was to be") {
		t.Errorf("a film that is a PDF gives %v", err)
	}
}
