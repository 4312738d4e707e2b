package gateway

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/providers"
	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/providers/upstream"
	"sluice/router"
)

// host is a fake of OpenAI's API: a test says what it answers.
type host struct {
	*httptest.Server
	mu   sync.Mutex
	seen []sent
	say  http.HandlerFunc
}

// sent is a request that a host was sent.
type sent struct{ method, path, kind, key, body string }

func newHost(t *testing.T, say http.HandlerFunc) *host {
	h := &host{say: say}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the gateway has left
		}
		h.mu.Lock()
		h.seen = append(h.seen, sent{r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(body)})
		h.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		h.say(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *host) last(t *testing.T) sent {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.seen) == 0 {
		t.Fatal("the host was sent nothing")
	}
	return h.seen[len(h.seen)-1]
}

func (h *host) calls() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.seen)
}

// answers is a host's word.
func answers(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, body)
	}
}

// Keys of the passing tests: one with a hard budget, one that may use one
// model only.
const (
	thriftyKey = "sk-thrifty"
	narrowKey  = "sk-narrow"
)

// passEdge is a gateway whose provider up is the host, beside the scripted m.
func passEdge(t *testing.T, h *host, change func(*Parts)) *edge {
	t.Helper()
	e := newEdge(t, nil)
	teams := []billing.Team{{Name: "t"}, {Name: "thrifty", Budgets: billing.Budgets{{USD: billing.Nano(1e9), Per: "total", Hard: true}}}}
	keys := []billing.Key{
		{ID: "all", Team: "t", Name: "all", Hash: billing.HashKey(testKey)},
		{ID: "thrifty", Team: "thrifty", Name: "k", Hash: billing.HashKey(thriftyKey)},
		{ID: "narrow", Team: "t", Name: "narrow", Hash: billing.HashKey(narrowKey), Models: []string{"up/pic"}},
	}
	owners, err := billing.NewBook(time.UTC, time.Now).Rebuild(teams, keys)
	if err != nil {
		t.Fatal(err)
	}
	parts := Parts{Settings: Settings{BodyLimit: 1 << 20, HoldTokens: 100, Location: time.UTC, Unpriced: billing.UnpricedBlock}, Owners: owners,
		Providers: []*Provider{hostProvider(t, "up", h), e.snap.Load().providers["m"]}}
	for i := range keys {
		k := &keys[i]
		parts.Callers = append(parts.Callers, &Caller{Key: k, Label: k.Team + "/" + k.Name, Owner: owners.Key(k.ID)})
	}
	if change != nil {
		change(&parts)
	}
	e.Swap(NewSnapshot(parts))
	return e
}

// hostPrices are those of the host's models.
var hostPrices = map[string]billing.PriceSpec{
	"pic": {Image: "0.05"}, "dear": {Image: "2"}, "voice": {Input: "15"}, "sound": {Input: "2", AudioOutput: "12"},
	"ear": {Input: "2", Output: "10", AudioInput: "6"}, "seconds": {AudioInput: "100"}, "judge": {Request: "0"}, "talk": {Input: "4", Output: "16", AudioInput: "32", AudioOutput: "64"},
	"old": {Input: "1", Output: "2"},
}

func hostProvider(t *testing.T, name string, h *host) *Provider {
	t.Helper()
	client, err := upstream.New(upstream.Options{BaseURL: h.URL + "/v1"})
	if err != nil {
		t.Fatal(err)
	}
	p := providers.New(providers.Options{Name: name, Dialect: &openai.Dialect, Upstream: client, Auth: providers.Bearer()})
	t.Cleanup(p.Close)
	return &Provider{Name: name, Client: p, Pool: router.NewRegistry(nil).Pool(name, router.NewSecret("sk-up", "", 1, nil)),
		Describe: func(model string) Description {
			prices, err := billing.ParsePrices(hostPrices[model])
			if err != nil {
				t.Error(err)
			}
			return Description{Prices: prices}
		}}
}

// formOf is a multipart body: names and values; a name with a / in it is that
// of a file.
func formOf(fields ...string) (body, kind string) {
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		name, file, is := strings.Cut(fields[i], "/")
		fmt.Fprintf(&b, "--xyz\r\nContent-Disposition: form-data; name=%q", name)
		if is {
			fmt.Fprintf(&b, "; filename=%q\r\nContent-Type: audio/wav", file)
		}
		fmt.Fprintf(&b, "\r\n\r\n%s\r\n", fields[i+1])
	}
	return b.String() + "--xyz--\r\n", "multipart/form-data; boundary=xyz"
}

// entry is the one entry of the ledger.
func (e *edge) entry() billing.Entry {
	e.t.Helper()
	list := e.recorded()
	if len(list) != 1 {
		e.t.Fatalf("%d entries: %+v", len(list), list)
	}
	return list[0]
}

func wantSame[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestPassJSON(t *testing.T) {
	for _, c := range []struct {
		name, path, body, upBody, answer string
		op                               string
		usage                            schema.Usage
		cost                             string
	}{
		{"moderation", "/v1/moderations", `{"input":"a b","model":"up/judge"}`, `{"input":"a b","model":"judge"}`,
			`{"id":"modr-1","results":[{"flagged":true}]}`, "moderate", schema.Usage{Input: 2, Source: schema.UsageCounted}, "0"},
		{"pictures by the piece", "/v1/images/generations", `{"model": "up/pic","prompt":"cat","n":2,"vendor":[1]}`, `{"model": "pic","prompt":"cat","n":2,"vendor":[1]}`,
			`{"created":1,"data":[{"url":"x"},{"url":"y"}]}`, "image", schema.Usage{Images: 2, Source: schema.UsageReported}, "0.1"},
		{"pictures edited by URL", "/v1/images/edits", `{"model":"up/pic","images":[{"image_url":"u"}],"prompt":"p"}`, `{"model":"pic","images":[{"image_url":"u"}],"prompt":"p"}`,
			`{"data":[{"b64_json":"AA=="}],"usage":{"input_tokens":7,"output_tokens":9,"total_tokens":16}}`, "image",
			schema.Usage{Input: 7, Output: 9, Images: 1, Source: schema.UsageReported}, "0.05"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, answers("application/json", c.answer))
			e := passEdge(t, h, nil)
			r := e.call("POST", c.path, c.body, "X-Sluice-Tags", "a")
			if r.status != 200 || r.body != c.answer {
				t.Fatalf("%d %s", r.status, r.body)
			}
			s := h.last(t)
			wantSame(t, "body", s.body, c.upBody)
			wantSame(t, "path", s.path, c.path)
			wantSame(t, "key", s.key, "Bearer sk-up")
			wantSame(t, "cost header", r.header.Get("X-Sluice-Cost"), c.cost)
			en := e.entry()
			wantSame(t, "operation", en.Operation, c.op)
			wantSame(t, "usage", en.Usage, c.usage)
			wantSame(t, "cost", en.Cost.String(), c.cost)
			if en.Status != 200 || len(en.Tags) != 1 || en.Provider != "up" || en.Stream {
				t.Errorf("entry is %+v", en)
			}
		})
	}
}

func TestPassForm(t *testing.T) {
	const done = `data: {"type":"transcript.text.delta","delta":"hi"}` + "\n\n" +
		`data: {"type":"transcript.text.done","text":"hi","usage":{"type":"tokens","total_tokens":49,"input_tokens":37,"input_token_details":{"text_tokens":7,"audio_tokens":30},"output_tokens":12}}` + "\n\n"
	file := strings.Repeat("x\r\n", 10000)
	for _, c := range []struct {
		name, model, stream, kind, answer string
		usage                             schema.Usage
		cost                              string
	}{
		{"tokens", "ear", "", "application/json", `{"text":"hi","usage":{"type":"tokens","total_tokens":49,"input_tokens":37,"input_token_details":{"text_tokens":7,"audio_tokens":30},"output_tokens":12}}`,
			schema.Usage{Input: 37, AudioInput: 30, Output: 12, Source: schema.UsageReported}, "0.000314"},
		{"seconds", "seconds", "", "application/json", `{"text":"hi","usage":{"type":"duration","seconds":3.2}}`,
			schema.Usage{Input: 4, AudioInput: 4, Source: schema.UsageReported}, "0.0004"},
		{"duration", "seconds", "", "application/json", `{"text":"hi","duration":3.7}`,
			schema.Usage{Input: 4, AudioInput: 4, Source: schema.UsageReported}, "0.0004"},
		{"plain text", "seconds", "", "text/plain; charset=utf-8", "hi\n",
			schema.Usage{Input: 2, AudioInput: 2, Source: schema.UsageEstimated}, "0.0002"},
		{"events", "ear", "true", "text/event-stream", done + "data: [DONE]\n\n",
			schema.Usage{Input: 37, AudioInput: 30, Output: 12, Source: schema.UsageReported}, "0.000314"},
		{"events without a mark", "ear", "true", "text/event-stream", done,
			schema.Usage{Input: 37, AudioInput: 30, Output: 12, Source: schema.UsageReported}, "0.000314"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, answers(c.kind, c.answer))
			e := passEdge(t, h, nil)
			fields := []string{"file/a.wav", file, "model", "up/" + c.model, "language", "en"}
			if c.stream != "" {
				fields = append(fields, "stream", c.stream)
			}
			body, kind := formOf(fields...)
			r := e.call("POST", "/v1/audio/transcriptions", body, "Content-Type", kind)
			if r.status != 200 || r.body != c.answer || r.header.Get("Content-Type") != c.kind {
				t.Fatalf("%d %s %q", r.status, r.header, r.body)
			}
			s := h.last(t)
			wantSame(t, "body", s.body, strings.Replace(body, "up/"+c.model, c.model, 1))
			wantSame(t, "type", s.kind, kind)
			en := e.entry()
			wantSame(t, "operation", en.Operation, "transcribe")
			wantSame(t, "usage", en.Usage, c.usage)
			wantSame(t, "cost", en.Cost.String(), c.cost)
			wantSame(t, "stream", en.Stream, c.stream != "")
		})
	}
}

func TestPassSpeech(t *testing.T) {
	sound := strings.Repeat("\x00\x01data: \n\n", 100_000)
	h := newHost(t, answers("audio/mpeg", sound))
	e := passEdge(t, h, nil)
	r := e.call("POST", "/v1/audio/speech", `{"model":"up/voice","input":"Grüße","voice":"alloy"}`)
	if r.status != 200 || r.body != sound || r.header.Get("Content-Type") != "audio/mpeg" {
		t.Fatalf("%d %s, %d bytes", r.status, r.header, len(r.body))
	}
	en := e.entry()
	wantSame(t, "usage", en.Usage, schema.Usage{Input: 5, Source: schema.UsageCounted})
	wantSame(t, "cost", en.Cost.String(), "0.000075")
	wantSame(t, "stream", en.Stream, true)
}

// Speech of a model that is paid by tokens, and as events that tell them.
func TestPassSpeechByTokens(t *testing.T) {
	events := "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AA==\"}\n\n" +
		"data: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":3,\"output_tokens\":40,\"total_tokens\":43}}\n\n"
	h := newHost(t, answers("text/event-stream", events))
	e := passEdge(t, h, nil)
	if r := e.call("POST", "/v1/audio/speech", `{"model":"up/sound","input":"hello there","stream_format":"sse"}`); r.body != events {
		t.Fatalf("%d %s", r.status, r.body)
	}
	h.say = answers("audio/wav", "RIFF")
	if r := e.call("POST", "/v1/audio/speech", `{"model":"up/sound","input":"hello there"}`); r.body != "RIFF" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	list := e.recorded()
	slices.SortFunc(list, func(a, b billing.Entry) int { return a.Time.Compare(b.Time) })
	wantSame(t, "told", list[0].Usage, schema.Usage{Input: 3, Output: 40, Source: schema.UsageReported})
	wantSame(t, "reckoned", list[1].Usage, schema.Usage{Input: 2, Output: 15, AudioOutput: 15, Source: schema.UsageEstimated})
}

// A file that breaks off is cut for the caller too.
func TestPassCut(t *testing.T) {
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "half")
	})
	e := passEdge(t, h, nil)
	req, err := http.NewRequest("GET", "http://sluice.test/v1/files/file-1/content", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	res, err := e.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("a file that broke off ends properly: %q", body)
	}
	if en := e.entry(); en.Code != string(schema.CodeUpstream) {
		t.Errorf("entry is %+v", en)
	}
}

func TestPassFiles(t *testing.T) {
	h := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/content") {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Disposition", `attachment; filename="a.jsonl"`)
		}
		fmt.Fprintf(w, `{"at":%q}`, r.Method+" "+r.URL.RequestURI())
	})
	e := passEdge(t, h, nil)
	upload, kind := formOf("purpose", "batch", "file/a.jsonl", "{}", "model", "kept")
	for _, c := range [][3]string{
		{"POST", "/v1/files", upload}, {"GET", "/v1/files?purpose=batch&limit=2", ""}, {"GET", "/v1/files/file-1", ""},
		{"GET", "/v1/files/file-1/content", ""}, {"DELETE", "/v1/files/file-1", ""},
		{"POST", "/v1/batches", `{"input_file_id":"file-1","endpoint":"/v1/chat/completions","completion_window":"24h"}`},
		{"GET", "/v1/batches?after=b", ""}, {"GET", "/v1/batches/b-1", ""}, {"POST", "/v1/batches/b-1/cancel", ""},
	} {
		header := []string{}
		if c[2] == upload {
			header = []string{"Content-Type", kind}
		}
		r := e.call(c[0], c[1], c[2], header...)
		if want := c[0] + " " + c[1]; r.status != 200 || r.get("at").Str != want {
			t.Errorf("%s: %d %s", want, r.status, r.body)
		}
		s := h.last(t)
		wantSame(t, "method", s.method, c[0])
		wantSame(t, "body", s.body, c[2])
		if strings.HasSuffix(c[1], "/content") {
			wantSame(t, "disposition", r.header.Get("Content-Disposition"), `attachment; filename="a.jsonl"`)
		}
	}
	for _, en := range e.recorded() {
		if (en.Operation != "file" && en.Operation != "batch") || en.Cost != 0 || en.Target != "up" {
			t.Errorf("entry is %+v", en)
		}
	}
}

func TestPassRefused(t *testing.T) {
	h := newHost(t, answers("application/json", `{"data":[]}`))
	e := passEdge(t, h, func(p *Parts) {})
	twice, kind := formOf("model", "up/ear", "model", "up/dear")
	upper, _ := formOf("Model", "up/ear")
	file, _ := formOf("model/x", "up/ear")
	thrifty := []string{"Authorization", "Bearer " + thriftyKey}
	narrow := []string{"Authorization", "Bearer " + narrowKey}
	for _, c := range []struct {
		method, path, body string
		header             []string
		status             int
		code               string
	}{
		{"POST", "/v1/moderations", `{}`, []string{"Authorization", "none"}, 401, "invalid_api_key"},
		{"GET", "/v1/moderations", "", nil, 405, "method_not_allowed"},
		{"PUT", "/v1/files/f", "", nil, 405, "method_not_allowed"},
		{"GET", "/v1/files/f/other", "", nil, 404, "not_found"},
		{"GET", "/v1/files/a%20b", "", nil, 404, "not_found"},
		{"POST", "/v1/audio/speech", `{"input":"x"}`, nil, 400, "invalid_request"},
		{"POST", "/v1/audio/speech", `{"model":1}`, nil, 400, "invalid_request"},
		{"POST", "/v1/audio/speech", `{"model":"up/voice","Model":"x"}`, nil, 400, "invalid_request"},
		{"POST", "/v1/audio/speech", `not JSON`, nil, 400, "invalid_json"},
		{"POST", "/v1/audio/speech", `{"model":"none/x"}`, nil, 404, "model_not_found"},
		{"POST", "/v1/images/generations", `{"model":"up/pic","n":0}`, nil, 400, "invalid_request"},
		{"POST", "/v1/images/generations", `{"model":"up/pic","stream":1}`, nil, 400, "invalid_request"},
		{"POST", "/v1/images/generations", `{"model":"up/pic","user":1}`, nil, 400, "invalid_request"},
		{"POST", "/v1/audio/transcriptions", "--xyz\r\n", []string{"Content-Type", kind}, 400, "invalid_request"},
		{"POST", "/v1/audio/transcriptions", twice, []string{"Content-Type", kind}, 400, "invalid_request"},
		{"POST", "/v1/audio/transcriptions", upper, []string{"Content-Type", kind}, 400, "invalid_request"},
		{"POST", "/v1/audio/transcriptions", file, []string{"Content-Type", kind}, 400, "invalid_request"},
		{"POST", "/v1/images/generations", `{"model":"up/voice"}`, narrow, 403, "model_not_allowed"},
		{"GET", "/v1/files", "", narrow, 403, "model_not_allowed"},
		{"POST", "/v1/images/generations", `{"model":"up/dear"}`, thrifty, 429, "insufficient_quota"},
		{"POST", "/v1/images/generations", `{"model":"up/unknown"}`, thrifty, 403, "model_unpriced"},
		{"POST", "/v1/images/generations", `{"prompt":"x"}`, thrifty, 403, "model_unpriced"},
		{"POST", "/v1/batches", `{}`, thrifty, 403, "model_unpriced"},
		{"POST", "/v1/moderations", strings.Repeat("x", 1<<20+1), nil, 413, "request_too_large"},
	} {
		r := e.call(c.method, c.path, c.body, c.header...)
		if r.status != c.status || r.get("error.code").Str != c.code {
			t.Errorf("%s %s %.60s: %d %s, want %d %s", c.method, c.path, c.body, r.status, r.body, c.status, c.code)
		}
	}
	if n := h.calls(); n != 0 {
		t.Errorf("the host was sent %d requests", n)
	}
	if r := e.call("POST", "/v1/images/generations", `{"model":"up/pic"}`, narrow...); r.status != 200 {
		t.Errorf("a model that is granted: %d %s", r.status, r.body)
	}
	if r := e.call("GET", "/v1/batches", "", thrifty...); r.status != 200 {
		t.Errorf("a list costs nothing: %d %s", r.status, r.body)
	}
}

// A host's error comes in its own words; what makes something is tried once.
func TestPassErrors(t *testing.T) {
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(500)
		_, _ = io.WriteString(w, `{"error":{"message":"oh no","type":"server_error"}}`)
	})
	e := passEdge(t, h, nil)
	upload, kind := formOf("file/a", "x")
	r := e.call("POST", "/v1/files", upload, "Content-Type", kind)
	if r.status != 500 || r.get("error.provider").Str != "up" || r.get("error.origin").Str != "provider" || r.get("error.message").Str != "oh no" {
		t.Errorf("%d %s", r.status, r.body)
	}
	wantSame(t, "uploads", h.calls(), 1)
	e.call("POST", "/v1/moderations", `{"model":"up/judge","input":"x"}`)
	wantSame(t, "calls", h.calls(), 3)
	h.say = answers("text/event-stream", "data: {\"type\":\"error\",\"error\":{\"message\":\"too loud\",\"type\":\"invalid_request_error\"}}\n\n")
	body, kind := formOf("model", "up/ear", "stream", "true", "file/a", "x")
	if r := e.call("POST", "/v1/audio/transcriptions", body, "Content-Type", kind); r.status < 400 || r.get("error.message").Str != "too loud" {
		t.Errorf("%d %s", r.status, r.body)
	}
	h.say = answers("text/event-stream", "data: {\"type\":\"transcript.text.delta\",\"delta\":\"a\"}\n\n")
	if r := e.call("POST", "/v1/audio/transcriptions", body, "Content-Type", kind); !strings.Contains(r.body, `"error"`) {
		t.Errorf("a stream without an end: %s", r.body)
	}
}

// Calls without a model go to the provider that is set, or the only one.
func TestPassDefaults(t *testing.T) {
	one, two := newHost(t, answers("application/json", `{"results":[]}`)), newHost(t, answers("application/json", `{"results":[]}`))
	var defaults map[string]string
	both := func(p *Parts) {
		p.Providers = append(p.Providers, hostProvider(t, "other", two))
		p.Settings.Defaults = defaults
	}
	const ask = `{"input":"x"}`
	if r := passEdge(t, one, nil).call("POST", "/v1/moderations", ask); r.status != 200 || r.header.Get("X-Sluice-Model") != "up" {
		t.Errorf("the only one: %d %s", r.status, r.body)
	}
	if r := passEdge(t, one, both).call("POST", "/v1/moderations", ask); r.status != 400 || !strings.Contains(r.body, "defaults.moderations") {
		t.Errorf("two: %d %s", r.status, r.body)
	}
	defaults = map[string]string{"moderations": "other"}
	if r := passEdge(t, one, both).call("POST", "/v1/moderations", ask); r.status != 200 || two.calls() != 1 {
		t.Errorf("set: %d %s", r.status, r.body)
	}
	defaults = nil
	openaiItself := func(p *Parts) { both(p); p.Providers[0].Kind = "openai" }
	if r := passEdge(t, one, openaiItself).call("POST", "/v1/moderations", ask); r.status != 200 || r.header.Get("X-Sluice-Model") != "up" {
		t.Errorf("OpenAI itself: %d %s", r.status, r.body)
	}
	mockAlone := func(p *Parts) { p.Providers = p.Providers[1:] }
	e := passEdge(t, one, mockAlone)
	if r := e.call("POST", "/v1/moderations", `{"input":"kill"}`); r.status != 200 || !r.get("results.0.flagged").Bool() {
		t.Errorf("the mock: %d %s", r.status, r.body)
	}
	if r := e.call("GET", "/v1/files", ""); r.status != 400 || r.get("error.code").Str != "unsupported_parameter" {
		t.Errorf("the mock has no files: %d %s", r.status, r.body)
	}
}

// The mock answers what is passed on without any account.
func TestPassMock(t *testing.T) {
	e := newEdge(t, nil)
	if r := e.call("POST", "/v1/images/generations", `{"model":"m/image","prompt":"x"}`); r.status != 200 || r.get("data.0.b64_json").Str == "" {
		t.Errorf("image: %d %s", r.status, r.body)
	}
	if r := e.call("POST", "/v1/audio/speech", `{"model":"m/speech","input":"hi"}`); r.status != 200 || !strings.HasPrefix(r.body, "RIFF") {
		t.Errorf("speech: %d", r.status)
	}
	body, kind := formOf("file/a", "abc", "model", "m/transcribe")
	if r := e.call("POST", "/v1/audio/transcriptions", body, "Content-Type", kind); r.get("text").Str != "the mock heard 3 bytes" {
		t.Errorf("transcription: %d %s", r.status, r.body)
	}
}

func TestCompletions(t *testing.T) {
	e := newEdge(t, nil)
	r := e.call("POST", "/v1/completions", `{"model":"m/echo","prompt":"once upon","max_tokens":50}`)
	if r.status != 200 || r.get("object").Str != "text_completion" || r.get("choices.0.text").Str != "once upon" || r.get("choices.0.finish_reason").Str != "stop" {
		t.Errorf("%d %s", r.status, r.body)
	}
	r = e.call("POST", "/v1/completions", `{"model":"m/echo","prompt":"once upon","stream":true,"stream_options":{"include_usage":true}}`)
	var text string
	for line := range strings.SplitSeq(r.body, "\n") {
		text += gjson.Get(strings.TrimPrefix(line, "data: "), "choices.0.text").Str
	}
	if text != "once upon" || !strings.Contains(r.body, `"usage":{"prompt_tokens"`) || !strings.HasSuffix(r.body, "data: [DONE]\n\n") {
		t.Errorf("%s", r.body)
	}
	if r := e.call("POST", "/v1/completions", `{"model":"m/echo","prompt":["a","b"]}`); r.status != 400 || r.get("error.param").Str != "prompt" {
		t.Errorf("%d %s", r.status, r.body)
	}
}
