package sse

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"unsafe"

	gosse "github.com/tmaxmax/go-sse"

	"sluice/providers/dialect"
)

// Reader gives the events of a stream one by one. Close must be called.
type Reader struct {
	next  func() (gosse.Event, error, bool)
	stop  func()
	lines *bufio.Reader // of a stream of lines
	long  []byte
}

// NewReader reads a text/event-stream. An event that its blank line does not
// end is not given: the stream was cut in it.
func NewReader(r io.Reader) *Reader {
	next, stop := iter.Pull2(iter.Seq2[gosse.Event, error](gosse.Read(r, &gosse.ReadConfig{MaxEventSize: MaxFrame})))
	return &Reader{next: next, stop: stop}
}

// NewLines reads a stream with one JSON value a line. A last line that no
// line end follows is given as well; the decoder knows whether it is whole.
func NewLines(r io.Reader) *Reader {
	return &Reader{lines: bufio.NewReaderSize(r, 4<<10)}
}

// Next gives the next event that has data; its bytes must not be changed and
// are valid until the next call. io.EOF says that the transport ended
// properly, other errors are its own.
func (r *Reader) Next() (dialect.Frame, error) {
	if r.lines != nil {
		return r.nextLine()
	}
	for {
		ev, err, ok := r.next()
		switch {
		case !ok:
			return dialect.Frame{}, io.EOF
		case errors.Is(err, bufio.ErrTooLong):
			return dialect.Frame{}, ErrTooLong
		case err != nil:
			return dialect.Frame{}, err
		case ev.Data == "":
			continue
		}
		return dialect.Frame{Event: ev.Type, Data: unsafe.Slice(unsafe.StringData(ev.Data), len(ev.Data))}, nil
	}
}

func (r *Reader) nextLine() (dialect.Frame, error) {
	for {
		r.long = r.long[:0]
		line, err := r.lines.ReadSlice('\n')
		for err == bufio.ErrBufferFull {
			if len(r.long) > MaxFrame {
				return dialect.Frame{}, ErrTooLong
			}
			r.long = append(r.long, line...)
			line, err = r.lines.ReadSlice('\n')
		}
		if err != nil && err != io.EOF {
			return dialect.Frame{}, err
		}
		if len(r.long) > 0 {
			r.long = append(r.long, line...)
			line = r.long
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return dialect.Frame{Data: line}, nil
		}
		if err != nil {
			return dialect.Frame{}, err
		}
	}
}

// Close gives the reader's resources back. It must not run together with Next.
func (r *Reader) Close() {
	if r.stop != nil {
		r.stop()
	}
}

// Events gives the events in a run of whole frames to f, and stops at its
// first error. The bytes of a frame must not be changed; they may be kept.
func Events(frames []byte, f func(dialect.Frame) error) error {
	for ev, err := range gosse.Read(bytes.NewReader(frames), &gosse.ReadConfig{MaxEventSize: 2 * MaxFrame}) {
		if err != nil {
			return err
		}
		if ev.Data == "" {
			continue
		}
		if err := f(dialect.Frame{Event: ev.Type, Data: unsafe.Slice(unsafe.StringData(ev.Data), len(ev.Data))}); err != nil {
			return err
		}
	}
	return nil
}
