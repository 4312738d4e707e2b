package gateway

import (
	"encoding/hex"
	"sync"
	"time"

	"sluice/gateway/telemetry/otlp"
	"sluice/providers"
)

// trace is a call's place in a trace of W3C: the client's own, or one that
// begins here. There is one where spans are exported, or the client is in one.
type trace struct {
	id      otlp.TraceID
	span    otlp.SpanID // the call's own; the client's where none is exported
	parent  otlp.SpanID // zero: the trace begins here
	sampled bool        // its spans are exported
	flags   byte
	state   string // tracestate
	tries   []try  // as the call's trail
}

// try is an attempt of a call.
type try struct {
	span       otlp.SpanID // zero: it was told of the call's own
	target     *Target     // nil: of a route
	method     string      // of a route's
	begin, end time.Time
}

var tracePool = sync.Pool{New: func() any { return new(trace) }}

// mostState bounds the tracestate that is passed on, in bytes.
const mostState = 512

// joinTrace finds or begins the trace of a client's call.
func (c *Call) joinTrace() {
	h := &c.rc.Request.Header
	id, parent, flags, ok := parseTraceparent(h.Peek("Traceparent"))
	exports := c.g.access.spans != nil
	if !ok && !exports {
		return
	}
	t := tracePool.Get().(*trace)
	*t = trace{id: id, parent: parent, flags: flags, sampled: exports && (!ok || flags&1 != 0), tries: t.tries[:0]}
	if ok {
		if state := h.Peek("Tracestate"); len(state) <= mostState && printable(state) {
			t.state = string(state)
		}
	} else {
		t.id, t.flags = otlp.NewTraceID(), 1
	}
	t.begin()
	c.from.trace = t
	c.entry.Trace = t.id.String()
}

// begin gives the call a span, if it will be exported; else what it passes on
// is the client's.
func (t *trace) begin() {
	t.span = t.parent
	if t.sampled {
		t.span = otlp.NewSpanID()
	}
}

// within is the trace of a call that is made within this one.
func (t *trace) within() *trace {
	if t == nil {
		return nil
	}
	own := tracePool.Get().(*trace)
	*own = trace{id: t.id, parent: t.span, flags: t.flags, sampled: t.sampled, state: t.state, tries: own.tries[:0]}
	own.begin()
	return own
}

// again is the trace of another call within the same one.
func (t *trace) again() *trace {
	if t == nil {
		return nil
	}
	own := tracePool.Get().(*trace)
	*own = trace{id: t.id, parent: t.parent, flags: t.flags, sampled: t.sampled, state: t.state, tries: own.tries[:0]}
	own.begin()
	return own
}

// traced has an attempt tell its provider of the trace, and gives it a span.
func (c *Call) traced(call *providers.Call) (span otlp.SpanID) {
	t := c.from.trace
	if t == nil {
		return span
	}
	span = t.span
	if t.sampled {
		span = otlp.NewSpanID()
	}
	var b [55]byte
	call.Trace, call.TraceState = string(t.append(b[:0], span)), t.state
	return span
}

// passTrace has a route's targets told of the trace: they are called by this
// call's span.
func (c *Call) passTrace() {
	if t := c.from.trace; t != nil && t.sampled {
		var b [55]byte
		h := &c.rc.Request.Header
		h.SetBytesV("Traceparent", t.append(b[:0], t.span))
		if t.state == "" {
			h.Del("Tracestate")
		}
	}
}

func (t *trace) append(b []byte, span otlp.SpanID) []byte {
	b = hex.AppendEncode(append(b, "00-"...), t.id[:])
	b = hex.AppendEncode(append(b, '-'), span[:])
	const digits = "0123456789abcdef"
	return append(b, '-', digits[t.flags>>4], digits[t.flags&15])
}

// tried notes an attempt that has ended, or whose answer has begun.
func (t *trace) tried(a try) {
	if t != nil && t.sampled {
		t.tries = append(t.tries, a)
	}
}

// release gives the memory back.
func (t *trace) release() {
	if t != nil {
		clear(t.tries)
		tracePool.Put(t)
	}
}

// parseTraceparent reads a traceparent of W3C Trace Context.
func parseTraceparent(h []byte) (id otlp.TraceID, parent otlp.SpanID, flags byte, ok bool) {
	// A later version may have more behind a further dash.
	if len(h) < 55 || h[2] != '-' || h[35] != '-' || h[52] != '-' || len(h) > 55 && (h[55] != '-' || h[0] == '0' && h[1] == '0') {
		return id, parent, 0, false
	}
	for _, c := range h[:55] {
		if c >= 'A' && c <= 'F' { // hex takes them; the recommendation does not
			return id, parent, 0, false
		}
	}
	var version, low [1]byte
	for _, part := range [...]struct{ to, from []byte }{{version[:], h[:2]}, {id[:], h[3:35]}, {parent[:], h[36:52]}, {low[:], h[53:55]}} {
		if _, err := hex.Decode(part.to, part.from); err != nil {
			return otlp.TraceID{}, otlp.SpanID{}, 0, false
		}
	}
	if version[0] == 0xff || id == (otlp.TraceID{}) || parent == (otlp.SpanID{}) {
		return otlp.TraceID{}, otlp.SpanID{}, 0, false
	}
	return id, parent, low[0], true
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
