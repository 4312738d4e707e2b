package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

var (
	errChunk    = errors.New("malformed chunk")
	errLongLine = errors.New("chunk line too long")
)

// chunks reads a body in chunks (RFC 9112, section 7.1). The standard
// library's reader waits for the end of a chunk once it has begun; this one
// never waits when it has something to give, so that an event that came in two
// packets is not held up. The zero value is ready.
type chunks struct {
	left int64 // bytes of the current chunk that are still to come
	tail bool  // the line end behind a chunk is due
}

// read gives what is there; io.EOF, perhaps with the last bytes, once the last
// chunk's head was read. What follows it is the trailer.
func (c *chunks) read(in *bufio.Reader, p []byte) (n int, err error) {
	for n < len(p) {
		if c.left == 0 {
			if n > 0 && !c.headReady(in) {
				return n, nil
			}
			if err := c.head(in); err != nil {
				return n, err
			}
			continue
		}
		if n > 0 && in.Buffered() == 0 {
			return n, nil
		}
		k, err := in.Read(p[n:min(int64(len(p)), int64(n)+c.left)])
		n += k
		c.left -= int64(k)
		c.tail = c.left == 0
		if err != nil {
			return n, noEOF(err)
		}
	}
	return n, nil
}

// headReady tells whether the next chunk's head can be read without waiting.
func (c *chunks) headReady(in *bufio.Reader) bool {
	b, _ := in.Peek(in.Buffered())
	if c.tail {
		if len(b) < 2 {
			return false
		}
		b = b[2:]
	}
	return bytes.IndexByte(b, '\n') >= 0
}

// head reads the line end of the last chunk and the size of the next.
func (c *chunks) head(in *bufio.Reader) error {
	if c.tail {
		for _, want := range []byte("\r\n") {
			b, err := in.ReadByte()
			if err != nil {
				return noEOF(err)
			}
			if b != want {
				return errChunk
			}
		}
		c.tail = false
	}
	line, err := in.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return errLongLine
	case err != nil:
		return noEOF(err)
	}
	size, _, _ := bytes.Cut(line, []byte{';'})
	if c.left, err = parseSize(bytes.TrimSpace(size)); err != nil {
		return err
	}
	if c.left == 0 {
		return io.EOF
	}
	return nil
}

func parseSize(hex []byte) (n int64, err error) {
	if len(hex) == 0 || len(hex) > 15 {
		return 0, errChunk
	}
	for _, b := range hex {
		switch {
		case b >= '0' && b <= '9':
			b -= '0'
		case b|0x20 >= 'a' && b|0x20 <= 'f':
			b = b | 0x20 - 'a' + 10
		default:
			return 0, errChunk
		}
		n = n<<4 | int64(b)
	}
	return n, nil
}

// noEOF names the end of a connection within a body for what it is.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// skipTrailer reads past the trailer section behind the last chunk.
func skipTrailer(in *bufio.Reader) bool {
	for size := 0; size < maxHead; {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return false
		}
		if len(bytes.TrimSpace(line)) == 0 {
			return true
		}
		size += len(line)
	}
	return false
}
