package gateway

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"sluice/gateway/telemetry/otlp"
	"sluice/gateway/telemetry/sink"
	"sluice/providers/wire"
)

// accessLog tells of calls that have ended: it writes a line for each, and hands
// it to the sinks. Lines wait in
// bounded queues: no sink holds up a call.
type accessLog struct {
	out   *sink.Queue // the log itself; nil: none
	text  bool
	sinks []LogSink
	spans *otlp.Exporter // nil: no collector is told of calls
	jobs  chan *bodyJob  // of calls whose bodies are told
	lost  atomic.Int64   // bodies
	done  sync.WaitGroup

	recent *recent
}

// LogSink is one more place where calls are told.
type LogSink struct {
	Queue *sink.Queue
	OTLP  bool // it takes log records of OpenTelemetry; else lines of JSON
}

func newAccessLog(o *Options) *accessLog {
	l := &accessLog{text: o.TextLog, sinks: o.LogSinks, spans: o.Exporter, jobs: make(chan *bodyJob, bodyJobs), recent: newRecent()}
	if o.AccessLog != nil {
		l.out = sink.NewQueue(sink.Options{Name: "access", To: sink.Writer{To: o.AccessLog}, Most: 4 << 20, Every: 100 * time.Millisecond})
	}
	l.done.Go(func() {
		for j := range l.jobs {
			j.run(l)
		}
	})
	return l
}

// close writes what is left, until ctx ends.
func (l *accessLog) close(ctx context.Context) {
	close(l.jobs)
	l.done.Wait()
	var all sync.WaitGroup // one that is dead takes no time from the others
	if l.out != nil {
		all.Go(func() { l.out.Close(ctx) })
	}
	for _, s := range l.sinks {
		all.Go(func() { s.Queue.Close(ctx) })
	}
	if l.spans != nil {
		all.Go(func() { l.spans.Close(ctx) })
	}
	all.Wait()
}

// lineBuffer is the memory of a line.
type lineBuffer struct {
	b, more []byte
	second  int64  // that stamp tells
	stamp   []byte // of the last line's time, which most next lines share
}

var lineBuffers = sync.Pool{New: func() any { return new(lineBuffer) }}

func (w *lineBuffer) at(t time.Time) []byte {
	if second := t.Unix(); second != w.second || len(w.stamp) == 0 {
		w.second = second
		w.stamp = t.UTC().AppendFormat(w.stamp[:0], "2006-01-02T15:04:05.")
	}
	return w.stamp
}

// add tells of a call that is over. Lines end without their end.
func (l *accessLog) add(c *Call) {
	w := lineBuffers.Get().(*lineBuffer)
	defer lineBuffers.Put(w)
	stamp := w.at(c.entry.Time)
	if j := c.bodyJob(); j != nil {
		if l.text && l.out != nil {
			j.text = appendTextLine(nil, c, stamp)
		}
		line := appendJSONLine(nil, c, stamp)
		j.line = line
		select {
		case l.jobs <- j:
			l.recent.add(c, line) // which the job adds to, and never changes
			return
		default: // what is told of it must not wait: it goes without its bodies
			l.lost.Add(1)
			j.emitSpan(nil, nil)
		}
	}
	if l.out != nil && l.text {
		w.b = append(appendTextLine(w.b[:0], c, stamp), '\n')
		l.out.Add(w.b)
		if len(l.sinks) == 0 && c.from.route == nil {
			return
		}
	}
	w.b = appendJSONLine(w.b[:0], c, stamp)
	l.recent.add(c, w.b)
	w.b = append(w.b, '}', '\n')
	if l.out != nil && !l.text {
		l.out.Add(w.b)
	}
	if len(l.sinks) > 0 {
		head := c.logHead()
		w.more = l.give(&head, w.b, w.more)
	}
}

// give hands a line to the sinks; memory is for what is made of it.
func (l *accessLog) give(head *otlp.Log, line, memory []byte) []byte {
	for _, s := range l.sinks {
		if !s.OTLP {
			s.Queue.Add(line)
			continue
		}
		head.Body = line[:len(line)-1]
		memory = head.Append(memory[:0])
		s.Queue.Add(memory)
	}
	return memory
}

// logHead is what a log record says beside its line.
func (c *Call) logHead() otlp.Log {
	h := otlp.Log{Time: c.entry.Time, Severity: otlp.Info}
	switch {
	case c.entry.Status >= 500:
		h.Severity = otlp.Error
	case c.entry.Status >= 400 || c.err != nil:
		h.Severity = otlp.Warn
	}
	if t := c.from.trace; t != nil {
		h.Trace, h.Span = t.id, t.span
	}
	return h
}

// dropped tells what each queue has lost.
func (l *accessLog) dropped(yield func(sink string, n int64)) {
	if l.out != nil {
		yield(l.out.Name(), l.out.Dropped())
	}
	yield("bodies", l.lost.Load())
	for _, s := range l.sinks {
		yield(s.Queue.Name(), s.Queue.Dropped())
	}
	if l.spans != nil {
		yield(l.spans.Spans.Name(), l.spans.Spans.Dropped())
	}
}

// appendTime writes a time to the millisecond; stamp is all of it before those.
func appendTime(b, stamp []byte, t time.Time) []byte {
	ms := t.Nanosecond() / 1e6
	return append(append(b, stamp...), byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
}

// appendJSONLine writes a line but for its end, the closing brace.
func appendJSONLine(b []byte, c *Call, stamp []byte) []byte {
	e := &c.entry
	b = append(b, `{"time":"`...)
	b = append(appendTime(b, stamp, e.Time), '"')
	b = appendField(b, "msg", "call")
	b = appendField(b, "call", e.Call)
	if e.RequestID != e.Call {
		b = appendField(b, "request_id", e.RequestID)
	}
	b = appendField(b, "trace_id", e.Trace)
	b = appendField(b, "ip", c.from.ip)
	b = appendField(b, "method", c.from.method)
	b = appendField(b, "path", c.from.path)
	b = appendNumber(b, "status", int64(e.Status))
	b = appendField(b, "code", e.Code)
	b = appendField(b, "origin", e.Origin)
	b = appendField(b, "team", e.Team)
	b = appendField(b, "key", e.Key)
	b = appendField(b, "model", e.Model)
	b = appendField(b, "target", e.Target)
	b = appendField(b, "prompt", e.Prompt)
	if x := c.from.route; x != nil {
		b = appendField(b, "route", x.Route.Name)
		b = appendField(b, "version", x.Version)
		b = appendField(b, "fallback", x.Fallback)
	}
	b = appendField(b, "cache", e.Cache)
	b = appendNumber(b, "attempts", int64(len(e.Attempts)))
	b = appendNumber(b, "input_tokens", e.Usage.Input)
	b = appendNumber(b, "output_tokens", e.Usage.Output)
	b = append(b, `,"usd":"`...)
	b = e.Cost.AppendTo(b)
	b = append(b, '"')
	b = appendNumber(b, "latency_us", e.Latency.Microseconds())
	b = appendNumber(b, "ttft_us", e.TTFT.Microseconds())
	b = appendNumber(b, "upstream_us", c.done.upstream.took.Microseconds())
	if w := c.plan.Waited; w > 0 {
		b = appendNumber(b, "queued_us", w.Microseconds())
	}
	b = appendBool(b, "hedged", c.hedged())
	b = appendBool(b, "stream", e.Stream)
	b = appendBool(b, "disconnect", e.Disconnect)
	if c.err != nil {
		b = appendField(b, "error", c.err.Error())
	}
	return b
}

func appendTextLine(b []byte, c *Call, stamp []byte) []byte {
	e := &c.entry
	b = appendTime(b, stamp, e.Time)
	for _, s := range []string{c.from.method, c.from.path} {
		b = appendWord(append(b, ' '), s)
	}
	b = strconv.AppendInt(append(b, ' '), int64(e.Status), 10)
	b = append(append(b, ' '), e.Latency.Round(time.Microsecond).String()...)
	route, fallback := "", ""
	if x := c.from.route; x != nil {
		route, fallback = x.Route.Name, x.Fallback
	}
	for _, f := range [][2]string{{"call", e.Call}, {"key", e.Key}, {"route", route}, {"target", e.Target}, {"fallback", fallback}, {"cache", e.Cache}, {"code", e.Code}, {"trace", e.Trace}} {
		if f[1] != "" {
			b = appendWord(append(append(append(b, ' '), f[0]...), '='), f[1])
		}
	}
	b = strconv.AppendInt(append(b, " tokens="...), e.Usage.Input, 10)
	b = strconv.AppendInt(append(b, '+'), e.Usage.Output, 10)
	b = e.Cost.AppendTo(append(b, " usd="...))
	if w := c.plan.Waited; w > 0 {
		b = append(append(b, " queued="...), w.Round(time.Microsecond).String()...)
	}
	if c.hedged() {
		b = append(b, " hedged"...)
	}
	if c.err != nil {
		b = strconv.AppendQuote(append(b, " error="...), c.err.Error())
	}
	return b
}

// appendWord adds what callers may have chosen: quoted, unless it is one plain
// word, so that nobody writes a line of the log but we.
func appendWord(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == '"' || s[i] == '\\' || s[i] >= 0x7f {
			return strconv.AppendQuote(b, s)
		}
	}
	return append(b, s...)
}

func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, ',', '"'), name...), '"', ':')
	return wire.AppendString(b, value)
}

func appendNumber(b []byte, name string, n int64) []byte {
	b = append(append(append(b, ',', '"'), name...), '"', ':')
	return strconv.AppendInt(b, n, 10)
}

func appendBool(b []byte, name string, v bool) []byte {
	if !v {
		return b
	}
	return append(append(append(b, ',', '"'), name...), `":true`...)
}
