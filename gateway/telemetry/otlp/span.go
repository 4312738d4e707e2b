package otlp

import (
	"encoding/hex"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// TraceID and SpanID are those of W3C Trace Context; the zero is none.
type (
	TraceID [16]byte
	SpanID  [8]byte
)

// NewTraceID makes a new one.
func NewTraceID() (id TraceID) {
	for id == (TraceID{}) {
		putRandom(id[:8])
		putRandom(id[8:])
	}
	return id
}

// NewSpanID makes a new one.
func NewSpanID() (id SpanID) {
	for id == (SpanID{}) {
		putRandom(id[:])
	}
	return id
}

func putRandom(b []byte) {
	n := rand.Uint64()
	for i := range b {
		b[i] = byte(n >> (8 * i))
	}
}

// String is the id in hexadecimal digits.
func (id TraceID) String() string { return hex.EncodeToString(id[:]) }

// Kind is what a span is of.
type Kind int

// The kinds of spans.
const (
	Internal Kind = 1
	Server   Kind = 2 // a call that came
	Client   Kind = 3 // one that was made
)

// Span is one, but for its attributes, which are appended to it.
type Span struct {
	Trace      TraceID
	ID, Parent SpanID
	State      string // tracestate
	Kind       Kind
	Start, End time.Time
	Failed     bool
	Why        string // it failed
}

// Append begins a span's record. Its name is of parts, with spaces between.
func (s *Span) Append(b []byte, name ...string) []byte {
	b = appendBytes(b, 1, s.Trace[:])
	b = appendBytes(b, 2, s.ID[:])
	if s.State != "" {
		b = appendString(b, 3, s.State)
	}
	if s.Parent != (SpanID{}) {
		b = appendBytes(b, 4, s.Parent[:])
	}
	b, at := begin(b, 5)
	for i, part := range name {
		if i > 0 && part != "" {
			b = append(b, ' ')
		}
		b = append(b, part...)
	}
	b = end(b, at)
	b = appendEnum(b, 6, int(s.Kind))
	b = appendTime(b, 7, s.Start)
	b = appendTime(b, 8, s.End)
	if s.Failed {
		b, at = begin(b, 15)
		if s.Why != "" {
			b = appendString(b, 2, s.Why)
		}
		b = end(appendEnum(b, 3, 2), at)
	}
	return b
}

// Log is a log record, but for its attributes, which are appended to it.
type Log struct {
	Time     time.Time
	Severity Severity
	Body     []byte
	Trace    TraceID // zero: none
	Span     SpanID
}

// Severity is how bad what happened is.
type Severity int

// The severities.
const (
	Info  Severity = 9
	Warn  Severity = 13
	Error Severity = 17
)

func (s Severity) String() string {
	switch s {
	case Error:
		return "ERROR"
	case Warn:
		return "WARN"
	}
	return "INFO"
}

// Append begins the record.
func (l *Log) Append(b []byte) []byte {
	b = appendTime(b, 1, l.Time)
	b = appendEnum(b, 2, int(l.Severity))
	b = appendString(b, 3, l.Severity.String())
	b, at := begin(b, 5)
	b = end(appendBytes(b, 1, l.Body), at)
	if l.Trace != (TraceID{}) {
		b = protowire.AppendFixed32(protowire.AppendTag(b, 8, protowire.Fixed32Type), 1)
		b = appendBytes(b, 9, l.Trace[:])
		b = appendBytes(b, 10, l.Span[:])
	}
	b = appendTime(b, 11, l.Time)
	return appendString(b, 12, "sluice.call")
}
