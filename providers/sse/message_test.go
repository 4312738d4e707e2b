package sse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"sluice/providers/dialect"
)

// message encodes one; headers are name, value, name, value.
func message(t testing.TB, payload string, headers ...string) []byte {
	t.Helper()
	m := eventstream.Message{Payload: []byte(payload)}
	for i := 0; i < len(headers); i += 2 {
		m.Headers.Set(headers[i], eventstream.StringValue(headers[i+1]))
	}
	var buf bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&buf, m); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestMessage(t *testing.T) {
	for name, c := range map[string]struct {
		raw  []byte
		want dialect.Frame
	}{
		"event":     {message(t, `{"a":1}`, ":message-type", "event", ":event-type", "chunk"), dialect.Frame{Event: "chunk", Data: []byte(`{"a":1}`)}},
		"untyped":   {message(t, `{}`), dialect.Frame{Data: []byte(`{}`)}},
		"empty":     {message(t, ``, ":message-type", "event", ":event-type", "x"), dialect.Frame{Event: "x"}},
		"exception": {message(t, `{"message":"m"}`, ":message-type", "exception", ":exception-type", "throttlingException"), dialect.Frame{Event: "throttlingException", Data: []byte(`{"message":"m"}`), Failed: true}},
		"error":     {message(t, ``, ":message-type", "error", ":error-code", "Internal", ":error-message", `it "broke"`), dialect.Frame{Event: "Internal", Data: []byte(`{"message":"it \"broke\""}`), Failed: true}},
	} {
		n, err := MessageLen(c.raw)
		if err != nil || n != len(c.raw) {
			t.Errorf("%s is %d long, %v", name, n, err)
		}
		for i := range c.raw {
			if n, err := MessageLen(c.raw[:i]); n != 0 || err != nil {
				t.Fatalf("%s cut at %d: %d, %v", name, i, n, err)
			}
		}
		got, err := Message(c.raw)
		if err != nil || got.Event != c.want.Event || got.Failed != c.want.Failed || !bytes.Equal(got.Data, c.want.Data) {
			t.Errorf("%s is %q %s %v, %v", name, got.Event, got.Data, got.Failed, err)
		}
	}
	if _, err := Message(message(t, ``, ":message-type", "wish")); err == nil {
		t.Error("a message of unknown type is read")
	}
}

// Whatever byte is damaged, the message is refused, never waited for.
func TestMessageDamaged(t *testing.T) {
	raw := message(t, strings.Repeat("x", 40), ":message-type", "event")
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 0x40
		n, err := MessageLen(bad)
		if err == nil && n == len(bad) {
			_, err = Message(bad)
		}
		if !errors.Is(err, errMessage) {
			t.Errorf("byte %d damaged: %d, %v", i, n, err)
		}
	}
}

func TestMessageLenBounds(t *testing.T) {
	prelude := func(total, headers uint32) []byte {
		b := binary.BigEndian.AppendUint32(nil, total)
		b = binary.BigEndian.AppendUint32(b, headers)
		return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	}
	for _, c := range []struct {
		total, headers uint32
		want           error
	}{{MaxFrame, 0, nil}, {MaxFrame + 1, 0, ErrTooLong}, {1<<32 - 1, 0, ErrTooLong}, {15, 0, errMessage}, {0, 0, errMessage}, {16, 1, errMessage}, {100, 1<<32 - 1, errMessage}} {
		n, err := MessageLen(prelude(c.total, c.headers))
		if n != 0 || !errors.Is(err, c.want) {
			t.Errorf("total %d, headers %d: %d, %v", c.total, c.headers, n, err)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(message(f, `{"a":1}`, ":message-type", "event", ":event-type", "chunk"))
	f.Add(message(f, ``, ":message-type", "error", ":error-code", "x"))
	f.Add(make([]byte, 16))
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			n, err := MessageLen(b)
			if n < 0 || n > len(b) {
				t.Fatalf("a message of %d bytes in %d", n, len(b))
			}
			if err != nil || n == 0 {
				return
			}
			if m, err := Message(b[:n]); err == nil && len(m.Data) > n+20 {
				t.Errorf("%d bytes of data in a message of %d", len(m.Data), n)
			}
			b = b[n:]
		}
		_, _ = Message(b)
	})
}
