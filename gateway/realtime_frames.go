package gateway

import (
	"encoding/binary"
	"unicode/utf8"

	"sluice/providers/schema"
)

// Opcodes of frames (RFC 6455, 5.2).
const (
	frameContinuation = 0
	frameText         = 1
	frameBinary       = 2
	frameClose        = 8
)

// maxMessage bounds a message whose end must be waited for to read it.
const maxMessage = 16 << 20

// frameScanner finds the frames in the bytes that a server sends, and puts
// together what text messages say. The zero value stands before the first
// frame.
type frameScanner struct {
	head    [10]byte
	have    int    // bytes of head
	inside  bool   // the head is whole: the payload is being read
	left    uint64 // of the payload
	text    bool   // the message that is open is text
	message []byte
	closed  bool // a close frame has ended
}

// between tells whether the last byte was a frame's last.
func (f *frameScanner) between() bool { return f.have == 0 && !f.inside }

// scan takes in bytes, up to the end of a frame at most, and says how many. It
// gives a text message once it is whole, valid until the next call.
func (f *frameScanner) scan(p []byte) (n int, message []byte, err error) {
	if !f.inside {
		for n < len(p) && !f.inside {
			f.head[f.have] = p[n]
			f.have++
			n++
			if err := f.begin(); err != nil {
				return n, nil, err
			}
		}
		if !f.inside {
			return n, nil, nil
		}
	}
	size := min(f.left, uint64(len(p)-n))
	if f.text && f.control() == 0 {
		if len(f.message)+int(size) > maxMessage {
			return n, nil, errFrames("a message of the provider's is longer than 16 MiB")
		}
		f.message = append(f.message, p[n:n+int(size)]...)
	}
	n += int(size)
	if f.left -= size; f.left > 0 {
		return n, nil, nil
	}
	return n, f.over(), nil
}

// control is the opcode of a control frame, else 0: one may stand between the
// frames of a message.
func (f *frameScanner) control() byte {
	if op := f.head[0] & 0xf; op >= frameClose {
		return op
	}
	return 0
}

// begin looks whether the head is whole.
func (f *frameScanner) begin() error {
	if f.have < 2 {
		return nil
	}
	if f.head[1]&0x80 != 0 || f.head[0]&0x70 != 0 {
		return errFrames("a frame of the provider's is masked, or of an extension that nobody asked for")
	}
	switch size := f.head[1]; {
	case size < 126:
		f.left = uint64(size)
	case size == 126 && f.have == 4:
		f.left = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case size == 127 && f.have == 10:
		f.left = binary.BigEndian.Uint64(f.head[2:])
	default:
		return nil
	}
	f.inside = true
	switch f.head[0] & 0xf {
	case frameText:
		f.text, f.message = true, f.message[:0]
	case frameBinary:
		f.text = false
	}
	return nil
}

// over is the end of a frame; it gives the message that ends with it.
func (f *frameScanner) over() []byte {
	op, fin := f.head[0]&0xf, f.head[0]&0x80 != 0
	f.have, f.inside = 0, false
	f.closed = f.closed || op == frameClose
	if op >= frameClose || !fin || !f.text {
		return nil
	}
	f.text = false
	whole := f.message
	if cap(whole) > 1<<20 { // a large one is not kept
		f.message = nil
	} else {
		f.message = f.message[:0]
	}
	return whole
}

func errFrames(message string) error {
	return &schema.Error{Code: schema.CodeUpstream, Status: 502, Origin: schema.OriginProvider, Class: schema.ClassInvalidOutput, Message: message}
}

// appendFrame appends a whole frame as a server sends it.
func appendFrame(b []byte, op byte, payload []byte) []byte {
	b = append(b, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

// appendCloseReason appends the payload of a close frame, which is 125 bytes
// long at most.
func appendCloseReason(b []byte, code int, reason string) []byte {
	const most = 123
	if len(reason) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(reason[cut]) {
			cut--
		}
		reason = reason[:cut]
	}
	return append(binary.BigEndian.AppendUint16(b, uint16(code)), reason...)
}
