package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"sluice/bench/load"
	"sluice/bench/upstream"
)

// work is one kind of call. Every target gets the same request but for the
// name of the model.
type work struct {
	name      string
	what      string
	model     string // at the fake upstream
	in        int    // bytes of the user's message
	max       int    // max_tokens
	stream    bool
	chunks    int    // data lines of the stream
	perChunk  bool   // CPU is told per chunk: the calls take their time
	translate bool   // Sluice alone: the target speaks Anthropic's API
	prompt    bool   // Sluice alone: the messages are those of a prompt, and the call brings its input
	path      string // of a service that is no model, with a key, a rate limit and an access log; empty: a chat completion
	goal      float64
}

// ours tells whether only Sluice can do the work.
func (w *work) ours() bool { return w.translate || w.prompt }

// works with the goals of the design: CPU as a multiple of nginx's.
var works = []work{
	{name: "small", what: "0.3 KB in, 0.6 KB out", model: "small_in-20", in: 160, max: 256, goal: 2.5},
	{name: "large", what: "32 KB in, 10 KB out", model: "big_in-8000", in: 32 << 10, max: 4096, goal: 2},
	{name: "stream", what: "60 chunks, at once", model: "chunks-60_in-20", in: 160, max: 256, stream: true, chunks: 63, goal: 3},
	{name: "each", what: "60 chunks, a write each", model: "chunks-60_in-20_each", in: 160, max: 256, stream: true, chunks: 63},
	{name: "paced", what: "60 chunks, one in 10 ms; per chunk", model: "chunks-60_in-20_pace-10", in: 160, max: 256,
		stream: true, chunks: 63, perChunk: true, goal: 2},
	{name: "route", what: "plain HTTP, 1 KiB in and out; key, rate limit, access log", path: "/plain", in: 1 << 10, goal: 2},
	{name: "translated", what: "small, to Anthropic's API", model: "small_in-20", in: 160, max: 256, translate: true},
	{name: "prompt", what: "small, as a prompt with an input schema", model: "small_in-20", in: 160, max: 256, prompt: true},
}

// promptFile makes a prompt of the work: the messages of its request.
func (w *work) promptFile() string {
	return fmt.Sprintf(`---
model: bench-%s
config: {maxOutputTokens: %d}
input: {schema: {text: string}}
sluice.path: /bench-%[1]s
---
{{role "system"}}%[3]s
{{role "user"}}{{text}}
`, w.name, w.max, system)
}

const system = "You are a helpful assistant."

// workNamed is one of works.
func workNamed(name string) *work {
	for i := range works {
		if works[i].name == name {
			return &works[i]
		}
	}
	panic("no such work: " + name)
}

// request is the work as target t gets it.
func (w *work) request(t *target) *load.Work {
	if w.path != "" {
		return &load.Work{Name: w.name, Path: w.path, Header: maps.Clone(header), Marker: []byte(upstream.Marker),
			Body: []byte(`{"text":"` + strings.Repeat("x", w.in-11) + `"}`)}
	}
	path, text := "/v1/chat/completions", strings.Repeat("some words. ", w.in/12+1)[:w.in]
	if w.stream {
		path = t.streamPrefix + path
	}
	body := w.chat(t, text)
	if t.ours && w.prompt {
		path, body = "/bench-"+w.name, []byte(fmt.Sprintf(`{"text":%q}`, text))
	}
	marker := upstream.Marker
	if w.stream {
		marker = "steady"
	}
	return &load.Work{Name: w.name, Path: path, Header: maps.Clone(header), Body: body, Marker: []byte(marker), Stream: w.stream, Chunks: w.chunks}
}

// chat is the work as a chat completion.
func (w *work) chat(t *target, text string) []byte {
	model := w.model
	if t.ours {
		model = "bench-" + w.name
	}
	body, err := json.Marshal(struct {
		Model    string              `json:"model"`
		Messages []map[string]string `json:"messages"`
		Max      int                 `json:"max_tokens"`
		Stream   bool                `json:"stream,omitempty"`
	}{model, []map[string]string{{"role": "system", "content": system}, {"role": "user", "content": text}}, w.max, w.stream})
	if err != nil {
		panic(err) // a value of our own making
	}
	return body
}

const key = "sk-bench-0123456789abcdef"

var header = map[string]string{"Authorization": "Bearer " + key, "User-Agent": "bench"}

// pick keeps the works that are named; no names: all.
func pick[T any](all []T, name func(*T) string, names string) (kept []T, unknown []string) {
	if names == "" {
		return all, nil
	}
	for n := range strings.SplitSeq(names, ",") {
		before := len(kept)
		for i := range all {
			if name(&all[i]) == strings.TrimSpace(n) {
				kept = append(kept, all[i])
			}
		}
		if len(kept) == before {
			unknown = append(unknown, n)
		}
	}
	return kept, unknown
}
