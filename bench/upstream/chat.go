package upstream

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/valyala/fasthttp"
)

// format is what differs between the APIs.
type format struct {
	name   string
	read   func(path, body string) (ask, bool)
	body   func(*ask, *answer) []byte
	frames func(*ask, *answer) [][]byte
	stream string // the content type of a stream
	fault  func(status int, message string) []byte
	key    func(*fasthttp.RequestCtx) string
	// check names what the request's head lacks, or "".
	check func(*fasthttp.RequestCtx) string
	// head sets what an error says in its head; nil: nothing.
	head func(h *fasthttp.ResponseHeader, status int)
	// strict names what the provider would refuse in the messages, or "".
	strict func(*ask) string
}

const events = "text/event-stream"

var openaiFormat = format{
	name: "openai", read: readOpenAI, body: openaiBody, frames: openaiFrames, stream: events, fault: openaiError, strict: (*ask).unpaired,
	key: func(ctx *fasthttp.RequestCtx) string {
		return strings.TrimPrefix(string(ctx.Request.Header.Peek("Authorization")), "Bearer ")
	},
	check: func(*fasthttp.RequestCtx) string { return "" },
}

var anthropicFormat = format{
	name: "anthropic", read: readAnthropic, body: anthropicBody, frames: anthropicFrames, stream: events, fault: anthropicError,
	strict: strictAnthropic,
	key:    func(ctx *fasthttp.RequestCtx) string { return string(ctx.Request.Header.Peek("X-Api-Key")) },
	check: func(ctx *fasthttp.RequestCtx) string {
		if len(ctx.Request.Header.Peek("Anthropic-Version")) == 0 {
			return "anthropic-version: header is required"
		}
		return ""
	},
}

// staticKey finds an answer that does not depend on the request's text.
type staticKey struct {
	format, model string
	stream, usage bool
	max           int
}

type staticAnswer struct {
	plan   plan
	fault  string // why the provider would refuse the request, or ""
	body   []byte
	frames [][]byte
}

func (s *Server) chat(ctx *fasthttp.RequestCtx, f *format) {
	s.counters.open.Add(1)
	body := ctx.PostBody()
	a, ok := f.read(string(ctx.Path()), unsafe.String(unsafe.SliceData(body), len(body))) // a does not outlive the handler
	key := f.key(ctx)
	switch fault := f.check(ctx); {
	case key == "":
		s.refuse(ctx, f, 401, "no key was given")
		return
	case !ok:
		s.refuse(ctx, f, 400, "the body is not an object with a model")
		return
	case fault != "":
		s.refuse(ctx, f, 400, fault)
		return
	}
	s.note(ctx, a.model, key)
	known := s.prepare(f, &a)
	p := &known.plan
	if known.fault != "" {
		s.refuse(ctx, f, 400, known.fault)
		return
	}
	tellSpent(ctx, f, p.spent)
	if s.failure(ctx, f, p, a.model, key) {
		s.counters.finish(wasDone)
		return
	}
	if p.delay > 0 && !s.wait(ctx.Conn(), p.delay) || p.silent && !s.wait(ctx.Conn(), time.Hour) {
		s.counters.finish(wasCancelled)
		ctx.SetConnectionClose()
		return
	}
	ctx.Response.Header.Set("X-Request-Id", "req-fake-"+f.name)
	if p.garbage {
		ctx.SetBodyString("<html>not what you asked for</html>")
		ctx.SetContentType("text/html")
		s.counters.finish(wasDone)
		return
	}
	if !a.stream && p.cut == unset {
		writeJSON(ctx, 200, known.body)
		s.counters.finish(wasDone)
		return
	}
	out := &stream{frames: known.frames, plan: p, conn: ctx.Conn(), server: s, ended: wasCancelled}
	ctx.SetContentType(f.stream)
	if !a.stream { // a cut answer: its first bytes, a chunk each
		ctx.SetContentType("application/json")
		for _, b := range known.body {
			out.frames = append(out.frames, []byte{b})
		}
	}
	ctx.Response.ImmediateHeaderFlush = p.pace > 0 || p.hang != unset || p.cut != unset
	ctx.SetBodyStream(out, -1)
}

// prepare finds or makes the answer.
func (s *Server) prepare(f *format, a *ask) *staticAnswer {
	k := staticKey{f.name, a.model, a.stream, a.usage, a.max}
	plain := a.plain()
	if plain {
		if v, ok := s.static.Load(k); ok {
			return v.(*staticAnswer)
		}
	}
	made := &staticAnswer{plan: parsePlan(a.model)}
	a.readMessages()
	made.fault = f.strict(a)
	r := reply(a, &made.plan)
	if a.stream {
		made.frames = f.frames(a, &r)
		if n := made.plan.broken; n != unset && n < len(made.frames) {
			event := ""
			if f.name == "anthropic" {
				event = "error"
			}
			made.frames = append(made.frames[:n:n], frame(event, f.fault(500, "the fake upstream breaks off as asked")))
		}
	} else {
		made.body = f.body(a, &r)
	}
	if plain && made.plan.static() {
		k.model = strings.Clone(k.model)
		s.static.Store(k, made)
	}
	return made
}

// failure answers with the error that the model or the key asks for.
func (s *Server) failure(ctx *fasthttp.RequestCtx, f *format, p *plan, model, key string) bool {
	status := keyFailure(key)
	if status == 0 && p.fail != 0 && s.counters.mayFail(strings.Clone(model), p.times) {
		status = p.fail
	}
	if p.why != "" {
		writeJSON(ctx, whys[p.why].status, openaiFailure(p.why))
		return true
	}
	if status == 0 {
		return false
	}
	if p.after != unset {
		ctx.Response.Header.Set("Retry-After", strconv.Itoa(p.after))
	}
	ctx.Response.Header.Set("X-Request-Id", "req-fake-"+f.name)
	if f.head != nil {
		f.head(&ctx.Response.Header, status)
	}
	writeJSON(ctx, status, f.fault(status, fmt.Sprintf("the fake upstream fails with %d as asked", status)))
	return true
}

func (s *Server) refuse(ctx *fasthttp.RequestCtx, f *format, status int, message string) {
	if f.head != nil {
		f.head(&ctx.Response.Header, status)
	}
	writeJSON(ctx, status, f.fault(status, message))
	s.counters.finish(wasDone)
}

// whys are OpenAI's errors that have a code of their own
// (platform.openai.com/docs/guides/error-codes, and recorded answers).
var whys = map[string]struct {
	status     int
	kind, code string
}{
	"context": {400, "invalid_request_error", "context_length_exceeded"},
	"filter":  {400, "invalid_request_error", "content_filter"},
	"quota":   {429, "insufficient_quota", "insufficient_quota"},
}

func openaiFailure(why string) []byte {
	w := whys[why]
	return encode(object{"error": object{"message": "the fake upstream says " + why + " as asked", "type": w.kind, "param": nil, "code": w.code}})
}

// tellSpent says in the head, as the provider does, that nothing is left of its
// limit of requests for so many seconds.
func tellSpent(ctx *fasthttp.RequestCtx, f *format, seconds int) {
	if seconds == unset {
		return
	}
	reset := time.Duration(seconds) * time.Second
	h := &ctx.Response.Header
	if f.name == "anthropic" {
		h.Set("Anthropic-Ratelimit-Requests-Remaining", "0")
		h.Set("Anthropic-Ratelimit-Requests-Reset", time.Now().Add(reset).UTC().Format(time.RFC3339))
		return
	}
	h.Set("X-Ratelimit-Remaining-Requests", "0")
	h.Set("X-Ratelimit-Reset-Requests", reset.String())
}
