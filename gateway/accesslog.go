package gateway

import (
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"sluice/providers/wire"
)

// logBuffer bounds what waits for a slow log sink; lines beyond are dropped
// and counted, so that a stalled sink never holds up a call.
const logBuffer = 4 << 20

// accessLog writes a line a call. Lines are gathered in memory and written by
// one goroutine.
type accessLog struct {
	out     io.Writer
	text    bool
	mu      sync.Mutex
	pending []byte
	spare   []byte
	second  int64  // that stamp tells
	stamp   []byte // of the last line's time, which most next lines share
	dropped atomic.Int64
	stop    chan struct{}
	done    chan struct{}
}

func newAccessLog(out io.Writer, text bool) *accessLog {
	l := &accessLog{out: out, text: text, stop: make(chan struct{}), done: make(chan struct{})}
	go l.run()
	return l
}

// run writes what has gathered every 100 ms, until close.
func (l *accessLog) run() {
	defer close(l.done)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.flush()
		case <-l.stop:
			l.flush()
			return
		}
	}
}

func (l *accessLog) flush() {
	l.mu.Lock()
	buf := l.pending
	l.pending, l.spare = l.spare[:0], nil
	l.mu.Unlock()
	if len(buf) > 0 {
		if _, err := l.out.Write(buf); err != nil {
			l.dropped.Add(1)
		}
	}
	l.mu.Lock()
	l.spare = buf[:0]
	l.mu.Unlock()
}

// close writes what is left.
func (l *accessLog) close() {
	close(l.stop)
	<-l.done
}

// add gathers the line of a call that is over.
func (l *accessLog) add(c *Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) > logBuffer {
		l.dropped.Add(1)
		return
	}
	if second := c.entry.Time.Unix(); second != l.second || len(l.stamp) == 0 {
		l.second = second
		l.stamp = c.entry.Time.UTC().AppendFormat(l.stamp[:0], "2006-01-02T15:04:05.")
	}
	if l.text {
		l.pending = appendTextLine(l.pending, c, l.stamp)
	} else {
		l.pending = appendJSONLine(l.pending, c, l.stamp)
	}
}

// appendTime writes a time to the millisecond; stamp is all of it before those.
func appendTime(b, stamp []byte, t time.Time) []byte {
	ms := t.Nanosecond() / 1e6
	return append(append(b, stamp...), byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
}

func appendJSONLine(b []byte, c *Call, stamp []byte) []byte {
	e := &c.entry
	b = append(b, `{"time":"`...)
	b = append(appendTime(b, stamp, e.Time), '"')
	b = appendField(b, "msg", "call")
	b = appendField(b, "call", e.Call)
	if e.RequestID != e.Call {
		b = appendField(b, "request_id", e.RequestID)
	}
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
	if w := c.plan.Waited; w > 0 {
		b = appendNumber(b, "queued_us", w.Microseconds())
	}
	b = appendBool(b, "hedged", c.hedged())
	b = appendBool(b, "stream", e.Stream)
	b = appendBool(b, "disconnect", e.Disconnect)
	if c.err != nil {
		b = appendField(b, "error", c.err.Error())
	}
	return append(b, '}', '\n')
}

func appendTextLine(b []byte, c *Call, stamp []byte) []byte {
	e := &c.entry
	b = appendTime(b, stamp, e.Time)
	for _, s := range []string{c.from.method, c.from.path} {
		b = appendWord(append(b, ' '), s)
	}
	b = strconv.AppendInt(append(b, ' '), int64(e.Status), 10)
	b = append(append(b, ' '), e.Latency.Round(time.Microsecond).String()...)
	route := ""
	if x := c.from.route; x != nil {
		route = x.Route.Name
	}
	for _, f := range [][2]string{{"call", e.Call}, {"key", e.Key}, {"route", route}, {"target", e.Target}, {"cache", e.Cache}, {"code", e.Code}} {
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
	return append(b, '\n')
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
