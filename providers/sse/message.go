package sse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"sluice/providers/dialect"
	"sluice/providers/wire"
)

// The parts of a message of application/vnd.amazon.eventstream that are always
// there: lengths of the whole and of the headers, their checksum, and the
// checksum of the whole.
const (
	messagePrelude = 12
	messageLeast   = messagePrelude + 4
)

var errMessage = errors.New("the event stream is damaged")

// MessageLen gives the length of the message that buf begins with; 0 means
// that it is not whole yet. A length is believed only once its own checksum
// fits, so that a damaged one is an error at once and not an endless wait.
func MessageLen(buf []byte) (int, error) {
	if len(buf) < messagePrelude {
		return 0, nil
	}
	total, headers := binary.BigEndian.Uint32(buf), binary.BigEndian.Uint32(buf[4:])
	if crc32.ChecksumIEEE(buf[:8]) != binary.BigEndian.Uint32(buf[8:]) {
		return 0, errMessage
	}
	if total > MaxFrame {
		return 0, ErrTooLong
	}
	if total < messageLeast || headers > total-messageLeast {
		return 0, errMessage
	}
	if uint32(len(buf)) < total {
		return 0, nil
	}
	return int(total), nil
}

// Message reads one whole message: an event, an exception or an error, by the
// header :message-type. An error that has no body gets one with its message.
func Message(message []byte) (dialect.Frame, error) {
	m, err := eventstream.NewDecoder().Decode(bytes.NewReader(message), make([]byte, 0, len(message)))
	if err != nil {
		return dialect.Frame{}, fmt.Errorf("%w: %w", errMessage, err)
	}
	text := func(name string) string {
		if v, ok := m.Headers.Get(name).(eventstream.StringValue); ok {
			return string(v)
		}
		return ""
	}
	switch kind := text(":message-type"); kind {
	case "event", "":
		return dialect.Frame{Event: text(":event-type"), Data: m.Payload}, nil
	case "exception":
		return dialect.Frame{Event: text(":exception-type"), Data: m.Payload, Failed: true}, nil
	case "error":
		f := dialect.Frame{Event: text(":error-code"), Data: m.Payload, Failed: true}
		if len(f.Data) == 0 {
			f.Data = append(wire.AppendString([]byte(`{"message":`), text(":error-message")), '}')
		}
		return f, nil
	default:
		return dialect.Frame{}, fmt.Errorf("%w: unknown type of message %.40q", errMessage, kind)
	}
}
