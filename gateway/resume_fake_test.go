package gateway_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/gateway"
	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/gemini"
	"sluice/providers/openai"
	"sluice/providers/wire"
)

// teller is a provider of the three dialects that tells one text, from where
// the conversation has it, and breaks off at a byte if it is to.
type teller struct {
	t    *testing.T
	text string
	rng  *rand.Rand
	cut  int // of the stream's bytes, as a share of 1000; negative: it tells all
	asks []string
}

// Tokens that the tellers charge.
const tellsInput, tellsOutput = 11, 5

func (w *teller) provider(name string, d *dialect.Dialect) *gateway.Provider {
	s := httptest.NewServer(w)
	w.t.Cleanup(s.Close)
	url := s.URL
	if d == &openai.Dialect {
		url += "/v1"
	}
	return remote(w.t, name, url, d, oneTwo)
}

func (w *teller) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.asks = append(w.asks, string(body))
	rest := strings.TrimPrefix(w.text, soFar(body))
	var frames []string
	switch {
	case strings.HasSuffix(r.URL.Path, "/messages"):
		frames = anthropicTells(w.pieces(rest))
	case strings.Contains(r.URL.Path, ":streamGenerateContent"):
		frames = geminiTells(w.pieces(rest))
	default:
		frames = openaiTells(w.pieces(rest))
	}
	whole := strings.Join(frames, "")
	rw.Header().Set("Content-Type", "text/event-stream")
	if w.cut < 0 {
		sse(rw, whole)
		return
	}
	first := len(frames[0])
	at := first + (len(whole)-first)*w.cut/1000
	sse(rw, whole[:at/2], whole[at/2:at])
	panic(http.ErrAbortHandler)
}

// soFar is what the conversation has of the answer.
func soFar(body []byte) string {
	list := gjson.GetBytes(body, "messages").Array()
	if len(list) == 0 {
		list = gjson.GetBytes(body, "contents").Array()
	}
	for i := len(list) - 1; i >= 0; i-- {
		if role := list[i].Get("role").Str; role == "assistant" || role == "model" {
			for _, at := range []string{"content.0.text", "parts.0.text", "content"} {
				if v := list[i].Get(at); v.Type == gjson.String {
					return v.Str
				}
			}
		}
	}
	return ""
}

func (w *teller) pieces(text string) (list []string) {
	for text != "" {
		n := min(1+w.rng.IntN(9), len(text))
		for n < len(text) && text[n]&0xC0 == 0x80 {
			n++
		}
		list, text = append(list, text[:n]), text[n:]
	}
	return list
}

func quoted(s string) string { return string(wire.AppendString(nil, s)) }

func openaiTells(pieces []string) []string {
	chunk := func(delta, finish string) string {
		return `data: {"id":"cmpl-1","object":"chat.completion.chunk","created":7,"model":"m-1","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + "}]}\n\n"
	}
	list := []string{chunk(`{"role":"assistant","content":""}`, "null")}
	for _, p := range pieces {
		list = append(list, chunk(`{"content":`+quoted(p)+`}`, "null"))
	}
	return append(list, chunk("{}", `"stop"`), fmt.Sprintf("data: {\"id\":\"cmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m-1\",\"choices\":[],"+
		"\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\n", tellsInput, tellsOutput, tellsInput+tellsOutput), doneEvent)
}

func anthropicTells(pieces []string) []string {
	event := func(kind, rest string) string {
		return "event: " + kind + "\ndata: {\"type\":\"" + kind + "\"" + rest + "}\n\n"
	}
	list := []string{event("message_start", fmt.Sprintf(`,"message":{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[],"stop_reason":null,"usage":{"input_tokens":%d,"output_tokens":1}}`, tellsInput)),
		event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`), event("ping", "")}
	for _, p := range pieces {
		list = append(list, event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":`+quoted(p)+`}`))
	}
	return append(list, event("content_block_stop", `,"index":0`),
		event("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":`+strconv.Itoa(tellsOutput)+`}`), event("message_stop", ""))
}

func geminiTells(pieces []string) (list []string) {
	for i, p := range append(pieces, "") {
		finish, usage := "", ""
		if i == len(pieces) {
			finish = `,"finishReason":"STOP"`
			usage = fmt.Sprintf(`,"usageMetadata":{"promptTokenCount":%d,"candidatesTokenCount":%d,"totalTokenCount":%d}`, tellsInput, tellsOutput, tellsInput+tellsOutput)
		}
		list = append(list, `data: {"candidates":[{"content":{"parts":[{"text":`+quoted(p)+`}],"role":"model"}`+finish+`,"index":0}]`+usage+`,"modelVersion":"m-1","responseId":"r-1"}`+"\r\n\r\n")
	}
	return list
}

// told is what a caller's program makes of a stream.
type told struct {
	text          string
	input, output int64
	ends          int // events that end it
	ids           map[string]bool
	faults        []string
}

func (o *told) fault(format string, args ...any) {
	o.faults = append(o.faults, fmt.Sprintf(format, args...))
}

// readTold reads a stream in a dialect as strictly as the strictest client.
func readTold(d *dialect.Dialect, body string) *told {
	o := &told{ids: map[string]bool{}}
	open, begun, finished := int64(-1), 0, 0
	for _, data := range events(strings.ReplaceAll(body, "\r\n", "\n")) {
		if data == "[DONE]" {
			o.ends++
			continue
		}
		e := gjson.Parse(data)
		if o.ends > 0 || e.Get("error").Exists() || !e.IsObject() {
			o.fault("an event behind the end, or an error: %s", data)
		}
		switch d.Name {
		case openai.Name:
			o.ids[e.Get("id").Str+e.Get("model").Str+e.Get("created").Raw] = true
			o.text += e.Get("choices.0.delta.content").Str
			if e.Get("choices.0.delta.role").Exists() {
				begun++
			}
			if e.Get("choices.0.finish_reason").Str != "" {
				finished++
			}
			if u := e.Get("usage"); u.IsObject() {
				o.input, o.output = o.input+u.Get("prompt_tokens").Int(), o.output+u.Get("completion_tokens").Int()
			}
		case gemini.Name:
			o.ids[e.Get("responseId").Str+e.Get("modelVersion").Str] = true
			begun = 1
			o.text += e.Get("candidates.0.content.parts.0.text").Str
			if e.Get("candidates.0.finishReason").Exists() {
				finished++
				o.ends++
				o.input, o.output = e.Get("usageMetadata.promptTokenCount").Int(), e.Get("usageMetadata.candidatesTokenCount").Int()
			}
		case anthropic.Name:
			o.anthropic(e, &open, &begun, &finished)
		}
	}
	if begun != 1 || finished != 1 || o.ends != 1 || len(o.ids) != 1 {
		o.fault("%d beginnings, %d finishes, %d ends, ids %v", begun, finished, o.ends, o.ids)
	}
	return o
}

func (o *told) anthropic(e gjson.Result, open *int64, begun, finished *int) {
	at := e.Get("index").Int()
	switch e.Get("type").Str {
	case "message_start":
		*begun++
		o.ids[e.Get("message.id").Str] = true
	case "content_block_start":
		if *open >= 0 {
			o.fault("block %d begins within %d", at, *open)
		}
		*open = at
	case "content_block_delta":
		if at != *open {
			o.fault("a delta of block %d, open is %d", at, *open)
		}
		o.text += e.Get("delta.text").Str
	case "content_block_stop":
		if at != *open {
			o.fault("block %d ends, open is %d", at, *open)
		}
		*open = -1
	case "message_delta":
		if *open >= 0 {
			o.fault("the end within block %d", *open)
		}
		*finished++
		o.input, o.output = e.Get("usage.input_tokens").Int(), e.Get("usage.output_tokens").Int()
	case "message_stop":
		o.ends++
	}
}
