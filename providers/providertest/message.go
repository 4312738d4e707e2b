package providertest

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"sluice/providers/dialect"
	"sluice/providers/sse"
)

// frameReader gives the frames of a stream one by one, as sse.Reader does.
type frameReader interface {
	Next() (dialect.Frame, error)
	Close()
}

func newFrames(framing dialect.Framing, r io.Reader) frameReader {
	switch framing {
	case dialect.FramingNDJSON:
		return sse.NewLines(r)
	case dialect.FramingEventStream:
		return &messages{r: r}
	}
	return sse.NewReader(r)
}

// messages reads binary messages.
type messages struct {
	r   io.Reader
	buf []byte
}

func (m *messages) Close() {}

// Next ends with io.EOF between messages only.
func (m *messages) Next() (dialect.Frame, error) {
	piece := make([]byte, 4096)
	for {
		n, err := sse.MessageLen(m.buf)
		if err != nil {
			return dialect.Frame{}, err
		}
		if n > 0 {
			f, err := sse.Message(m.buf[:n])
			m.buf = m.buf[n:]
			return f, err
		}
		n, err = m.r.Read(piece)
		m.buf = append(m.buf, piece[:n]...)
		if n == 0 && err == io.EOF && len(m.buf) > 0 {
			return dialect.Frame{}, io.ErrUnexpectedEOF
		}
		if n == 0 && err != nil {
			return dialect.Frame{}, err
		}
	}
}

// messageEnds are the places where messages of a stream end.
func messageEnds(body []byte) (ends []int) {
	for at := 0; at < len(body); {
		n, err := sse.MessageLen(body[at:])
		if n == 0 || err != nil {
			break
		}
		at += n
		ends = append(ends, at)
	}
	return ends
}

// encodeMessages makes a stream of what a scenario tells of it: a message a
// line, as "event-type JSON", or "!exception-type JSON".
func encodeMessages(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	for line := range strings.Lines(text) {
		name, data, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			t.Fatalf("a message must be a name and JSON: %q", line)
		}
		m := eventstream.Message{Payload: []byte(data)}
		set := func(name, value string) { m.Headers.Set(name, eventstream.StringValue(value)) }
		if exception, ok := strings.CutPrefix(name, "!"); ok {
			set(":message-type", "exception")
			set(":exception-type", exception)
		} else {
			set(":message-type", "event")
			set(":event-type", name)
		}
		if err := eventstream.NewEncoder().Encode(&out, m); err != nil {
			t.Fatal(fmt.Errorf("cannot encode message %q: %w", name, err))
		}
	}
	return out.Bytes()
}
