package sse

import (
	"bytes"
	"errors"
)

// MaxFrame is the largest frame, in bytes: events with pictures in them are
// megabytes long.
const MaxFrame = 16 << 20

// ErrTooLong says that a frame is larger than MaxFrame.
var ErrTooLong = errors.New("a frame of the stream is longer than 16 MiB")

// Splitter finds the ends of frames in a growing buffer. It remembers how far
// it has looked, so that no byte is looked at twice however small the reads
// are. The zero value is ready.
type Splitter struct {
	seen    int  // bytes of the current frame already looked at
	line    bool // the current line has bytes
	content bool // a line of the current frame had bytes
	cr      bool // the last byte looked at was a CR, which an LF may follow
}

// Next gives the length of the frame that buf begins with, its blank line
// included; 0 means that it is not whole yet. buf begins where the last frame
// ended, and is otherwise only longer than at the last call. Lines end with
// LF, CRLF or CR. Blank lines before a frame belong to it; the LF of a CRLF
// that was cut in two belongs to the next frame.
func (s *Splitter) Next(buf []byte) (int, error) {
	for s.seen < len(buf) {
		if s.cr {
			s.cr = false
			if buf[s.seen] == '\n' {
				s.seen++
				continue
			}
		}
		i := lineEnd(buf[s.seen:])
		if i < 0 {
			s.line = true
			s.seen = len(buf)
			break
		}
		blank := !s.line && i == 0
		s.seen += i + 1
		s.line = false
		if buf[s.seen-1] == '\r' {
			s.cr = true
			if s.seen < len(buf) {
				s.cr = false
				if buf[s.seen] == '\n' {
					s.seen++
				}
			}
		}
		if !blank {
			s.content = true
			continue
		}
		if s.content {
			n := s.seen
			s.seen, s.content = 0, false
			return n, nil
		}
	}
	if s.seen > MaxFrame {
		return 0, ErrTooLong
	}
	return 0, nil
}

// lineEnd is the index of the first CR or LF, or -1.
func lineEnd(b []byte) int {
	n := bytes.IndexByte(b, '\n')
	if n < 0 {
		return bytes.IndexByte(b, '\r')
	}
	if r := bytes.IndexByte(b[:n], '\r'); r >= 0 {
		return r
	}
	return n
}

// Data appends the data of one frame to dst, its data lines joined by LF as
// the standard says. more is false for a frame without data, such as a comment.
func Data(dst, frame []byte) (data []byte, more bool) {
	for len(frame) > 0 {
		line := frame
		if i := lineEnd(frame); i >= 0 {
			line, frame = frame[:i], frame[i+1:]
		} else {
			frame = nil
		}
		value, ok := bytes.CutPrefix(line, dataField)
		if !ok {
			if string(line) != "data" {
				continue
			}
			value = nil
		} else if len(value) > 0 && value[0] == ' ' {
			value = value[1:]
		}
		if more {
			dst = append(dst, '\n')
		}
		dst, more = append(dst, value...), true
	}
	return dst, more
}

var dataField = []byte("data:")

// Line is the data of a frame that has one data line, without a copy. ok is
// false where the frame has none, or several.
func Line(frame []byte) (data []byte, ok bool) {
	for len(frame) > 0 {
		line := frame
		if i := lineEnd(frame); i >= 0 {
			line, frame = frame[:i], frame[i+1:]
		} else {
			frame = nil
		}
		value, is := bytes.CutPrefix(line, dataField)
		if !is {
			if string(line) == "data" {
				return nil, false
			}
			continue
		}
		if ok {
			return nil, false
		}
		data, ok = bytes.TrimPrefix(value, []byte{' '}), true
	}
	return data, ok
}

// LineSplitter finds the ends of lines in a growing buffer, as Splitter does
// of frames. The zero value is ready.
type LineSplitter struct{ seen int }

// Next gives the length of the line that buf begins with, its LF included; 0
// means that it is not whole yet.
func (s *LineSplitter) Next(buf []byte) (int, error) {
	if i := bytes.IndexByte(buf[s.seen:], '\n'); i >= 0 {
		n := s.seen + i + 1
		s.seen = 0
		return n, nil
	}
	if s.seen = len(buf); s.seen > MaxFrame {
		return 0, ErrTooLong
	}
	return 0, nil
}
