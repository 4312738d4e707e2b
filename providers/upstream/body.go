package upstream

import (
	"io"
	"strconv"
	"sync"
)

// pieceSize is what is read of a streamed body before it is sent.
const pieceSize = 32 << 10

var pieces = sync.Pool{New: func() any { b := make([]byte, pieceSize); return &b }}

// pump sends a body as it comes: size bytes of it, or all of it in chunks.
// theirs is why it could not be read, err why it could not be sent.
func (k *conn) pump(from io.Reader, size int64) (theirs, err error) {
	p := pieces.Get().(*[]byte)
	defer pieces.Put(p)
	left := size
	for {
		n, readErr := from.Read(*p)
		if n > 0 && size >= 0 {
			if left -= int64(n); left < 0 {
				return io.ErrShortBuffer, nil // it would be read as the next request
			}
		}
		if n > 0 {
			if err := k.sendPiece((*p)[:n], size < 0); err != nil {
				return nil, err
			}
		}
		switch {
		case readErr == io.EOF && left > 0 && size >= 0:
			return io.ErrUnexpectedEOF, nil
		case readErr == io.EOF && size < 0:
			return nil, k.sendPiece(nil, true)
		case readErr == io.EOF:
			return nil, nil
		case readErr != nil:
			return readErr, nil
		}
	}
}

// sendPiece writes a piece of a body, as a chunk or as it is; an empty chunk is
// the last.
func (k *conn) sendPiece(p []byte, chunk bool) error {
	if err := k.arm(); err != nil {
		return err
	}
	if !chunk {
		_, err := k.stream.Write(p)
		return err
	}
	k.out = strconv.AppendInt(k.out[:0], int64(len(p)), 16)
	k.out = append(k.out, '\r', '\n')
	k.out = append(append(k.out, p...), '\r', '\n')
	_, err := k.stream.Write(k.out)
	return err
}
