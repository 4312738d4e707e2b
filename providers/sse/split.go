package sse

import (
	"bytes"
	"errors"

	"sluice/providers/wire"
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
		i := wire.LineEnd(buf[s.seen:])
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
