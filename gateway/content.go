package gateway

import (
	"bytes"
	"strconv"
	"sync"

	"github.com/tidwall/gjson"

	"sluice/gateway/guard"
	"sluice/gateway/telemetry/otlp"
	"sluice/providers/wire"
)

// Capture is what is told of the bodies of calls to models and prompts.
type Capture struct {
	Bodies string // none, errors or all: with the access lines
	Spans  bool   // with the spans of attempts
	Redact *guard.Redactor
}

// The bounds on what is told of bodies: bytes of each, bytes of a stream's
// frames, of which the texts are a part, and how many calls' bodies may wait.
const (
	mostBody   = 64 << 10
	mostFrames = 256 << 10
	bodyJobs   = 64
)

// content is what a call has asked and was answered.
type content struct {
	capture  *Capture
	request  captured
	response captured
	frames   bool // the answer is a stream of events
	span     []byte
	rendered []byte // what a prompt has asked its target; nil: the caller has asked
}

// captured is the beginning of a body.
type captured struct {
	b   []byte
	cut bool
	all int64 // its bytes
}

func (k *captured) add(b []byte, most int) {
	k.all += int64(len(b))
	if room := most - len(k.b); len(b) > room {
		b, k.cut = b[:room], true
	}
	k.b = append(k.b, b...)
}

var contents = sync.Pool{New: func() any { return new(content) }}

// capture begins to take down the call's bodies, if they may be told.
func (c *Call) capture() {
	k := c.snap.Settings.Capture
	if k == nil || c.from.method != "POST" {
		return
	}
	o := contents.Get().(*content)
	*o = content{capture: k, request: captured{b: o.request.b[:0]}, response: captured{b: o.response.b[:0]}}
	o.request.add(c.rc.PostBody(), mostBody)
	c.from.content = o
}

// hear takes down a piece of a streamed answer.
func (o *content) hear(b []byte) {
	if o != nil {
		o.frames = true
		o.response.add(b, mostFrames)
	}
}

// tellsLine and tellsSpan are whether the call's bodies go with its line, and
// with its span.
func (c *Call) tellsLine() bool {
	o := c.from.content
	return o != nil && c.entry.Operation != "" && (o.capture.Bodies == "all" || o.capture.Bodies == "errors" && (c.err != nil || c.entry.Status >= 400))
}

func (c *Call) tellsSpan() bool {
	return c.from.content != nil && c.from.content.capture.Spans
}

// bodyJob is what is left to do for a call whose bodies are told: it takes a
// while, and no call waits for it.
type bodyJob struct {
	*content
	g          *Gateway
	line, text []byte // without their ends; nil: the bodies go with the span only
	lines      bool
	head       otlp.Log
}

// bodyJob takes the bodies of a call that is over; nil: they are not told.
func (c *Call) bodyJob() *bodyJob {
	o := c.from.content
	if o == nil {
		return nil
	}
	lines := c.tellsLine()
	c.from.content = nil
	if !lines && o.span == nil {
		contents.Put(o)
		return nil
	}
	if c.stream == nil && c.session == nil { // else rc is gone
		o.response.add(c.rc.Response.Body(), mostBody)
	}
	return &bodyJob{content: o, g: c.g, lines: lines, head: c.logHead()}
}

// run tells of the call.
func (j *bodyJob) run(l *accessLog) {
	r := j.capture.Redact
	request := j.request.shown(r)
	var response []byte
	text := ""
	if j.frames {
		text = r.Text(streamText(j.response.b), j.response.cut)
	} else {
		response = j.response.shown(r)
	}
	if j.rendered != nil {
		j.emitSpan(r.JSON(nil, j.rendered, false), j.promptOutput(response, text))
	} else {
		j.emitSpan(inputMessages(request, j.request.cut), outputMessages(response, text, j.response.cut))
	}
	if j.lines {
		said := response
		if j.frames {
			said = []byte(text)
		}
		for _, f := range [...]struct {
			name string
			body []byte
			cut  bool
		}{{"request", request, j.request.cut}, {"response", said, j.response.cut}} {
			if len(f.body) == 0 {
				continue
			}
			j.line = appendField(j.line, f.name, wire.View(f.body))
			j.line = appendBool(j.line, f.name+"_cut", f.cut)
			if j.text != nil {
				j.text = strconv.AppendQuote(append(append(append(j.text, ' '), f.name...), '='), wire.View(f.body))
			}
		}
	}
	line := append(j.line, '}', '\n')
	switch {
	case l.out == nil:
	case l.text:
		l.out.Add(append(j.text, '\n'))
	default:
		l.out.Add(line)
	}
	l.give(&j.head, line, nil)
	contents.Put(j.content)
}

// promptOutput is what a prompt's target has said: the answer is no message then,
// unless the prompt was called as a model.
func (j *bodyJob) promptOutput(response []byte, text string) []byte {
	said := outputMessages(response, text, j.response.cut)
	if said != nil || j.head.Severity != otlp.Info { // an error is nothing that the target said
		return said
	}
	return outputMessages(nil, j.capture.Redact.Text(string(j.response.b), j.response.cut), false)
}

// emitSpan sends the span of the attempt that has answered.
func (j *bodyJob) emitSpan(input, output []byte) {
	if j.span == nil {
		return
	}
	const of = otlp.OfSpan
	j.span = of.String(j.span, otlp.GenAIInputMessages, string(input))
	j.span = of.String(j.span, otlp.GenAIOutputMessages, string(output))
	j.g.access.spans.Spans.Add(j.span)
	j.span = nil
}

// shown is what is told of a body.
func (k *captured) shown(r *guard.Redactor) []byte {
	b := bytes.TrimLeft(k.b, " \t\r\n")
	switch {
	case len(b) == 0:
		return nil
	case b[0] != '{' && b[0] != '[' && b[0] != '"':
		return append(strconv.AppendInt([]byte("("), k.all, 10), " bytes that are no JSON)"...)
	}
	return r.JSON(nil, b, k.cut)
}

// deltas are where the events of streams have pieces of text, in the formats
// that callers speak: of OpenAI's chat and completions, Anthropic, Gemini, and
// of the Responses API and prompts, where the piece is the delta itself.
var deltas = []string{
	"choices.#.delta.content", "choices.#.delta.reasoning_content", "choices.#.delta.reasoning", "choices.#.delta.refusal", "choices.#.text",
	"choices.#.delta.tool_calls.#.function.name", "choices.#.delta.tool_calls.#.function.arguments",
	"delta.text", "delta.thinking", "delta.partial_json", "content_block.name",
	"candidates.#.content.parts.#.text", "delta",
}

// streamText puts the texts of a stream together: its frames have them in
// pieces, in which nothing could be found.
func streamText(frames []byte) string {
	text := make(map[string][]byte, 2)
	var order []string
	put := func(place string, v gjson.Result) {
		if v.Type != gjson.String {
			return
		}
		if _, ok := text[place]; !ok {
			order = append(order, place)
		}
		text[place] = append(text[place], v.Str...)
	}
	for line := range bytes.SplitSeq(frames, []byte{'\n'}) {
		data, ok := bytes.CutPrefix(line, []byte("data:"))
		if !ok {
			continue
		}
		event := gjson.ParseBytes(data)
		if !event.IsObject() {
			continue
		}
		for _, place := range deltas {
			each(event.Get(place), place, put)
		}
	}
	var out []byte
	for _, place := range order {
		if len(out) > 0 {
			out = append(out, '\n')
		}
		out = append(out, text[place]...)
	}
	return string(out)
}

// each gives the values of a path, which may be of several choices.
func each(v gjson.Result, place string, put func(string, gjson.Result)) {
	if !v.IsArray() {
		put(place, v)
		return
	}
	n := 0
	v.ForEach(func(_, inner gjson.Result) bool {
		each(inner, place+"/"+strconv.Itoa(n), put)
		n++
		return true
	})
}
