package load

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Work is a request and what its answer must hold.
type Work struct {
	Name   string
	Path   string
	Header map[string]string
	Body   []byte
	// Marker must stand in the answer's body; for streams [DONE] or
	// message_stop must, and Chunks counts the data lines, if it is not 0.
	Marker []byte
	Stream bool
	Chunks int
}

// timeout bounds one request; a server that hangs fails the run.
const timeout = 20 * time.Second

// conn is one keep-alive connection, opened when first needed.
type conn struct {
	addr    string
	request []byte
	work    *Work
	net     net.Conn
	in      *bufio.Reader
	body    []byte // of the last answer, reused
}

func newConn(addr string, w *Work) *conn {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", w.Path, addr, len(w.Body))
	for k, v := range w.Header {
		fmt.Fprintf(&b, "%s: %s\r\n", k, v)
	}
	b.WriteString("\r\n")
	b.Write(w.Body)
	return &conn{addr: addr, request: b.Bytes(), work: w}
}

func (c *conn) close() {
	if c.net != nil {
		_ = c.net.Close() // nothing is lost with a client's connection
		c.net = nil
	}
}

// do sends the request and checks the answer.
func (c *conn) do() error {
	if c.net == nil {
		n, err := net.DialTimeout("tcp", c.addr, timeout)
		if err != nil {
			return fmt.Errorf("cannot connect: %w", err)
		}
		c.net = n
		c.in = bufio.NewReaderSize(n, 64<<10)
	}
	if err := c.net.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := c.net.Write(c.request); err != nil {
		return fmt.Errorf("cannot send request: %w", err)
	}
	status, keep, err := c.read()
	if err != nil {
		return fmt.Errorf("cannot read answer: %w", err)
	}
	if !keep {
		c.close()
	}
	return c.check(status)
}

func (c *conn) check(status int) error {
	if status != 200 {
		return fmt.Errorf("status %d: %.300s", status, c.body)
	}
	if !bytes.Contains(c.body, c.work.Marker) {
		return fmt.Errorf("the answer lacks %q: %.300s", c.work.Marker, c.body)
	}
	if !c.work.Stream {
		return nil
	}
	tail := c.body[max(0, len(c.body)-200):]
	if !bytes.Contains(tail, []byte("[DONE]")) && !bytes.Contains(tail, []byte("message_stop")) {
		return fmt.Errorf("the stream has no end: …%s", tail)
	}
	if n := bytes.Count(c.body, []byte("\ndata:")) + 1; c.work.Chunks != 0 && n != c.work.Chunks {
		return fmt.Errorf("the stream has %d data lines, not %d", n, c.work.Chunks)
	}
	return nil
}

// read takes one answer into c.body.
func (c *conn) read() (status int, keep bool, err error) {
	line, err := c.line()
	if err != nil {
		return 0, false, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return 0, false, fmt.Errorf("not HTTP: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, false, err
	}
	length, keep := int64(-1), true
	chunked := false
	for {
		if line, err = c.line(); err != nil {
			return 0, false, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return 0, false, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")):
			keep = !bytes.EqualFold(value, []byte("close"))
		}
	}
	c.body = c.body[:0]
	switch {
	case chunked:
		err = c.readChunks()
	case length >= 0:
		err = c.take(length)
	default:
		c.body, err = io.ReadAll(c.in)
		keep = false
	}
	return status, keep, err
}

func (c *conn) readChunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseInt(string(bytes.TrimSpace(size)), 16, 64)
		if err != nil {
			return fmt.Errorf("bad chunk size: %w", err)
		}
		if n == 0 {
			for { // trailers, until the empty line
				if line, err = c.line(); err != nil || len(line) == 0 {
					return err
				}
			}
		}
		if err := c.take(n); err != nil {
			return err
		}
		if _, err := c.line(); err != nil {
			return err
		}
	}
}

// take appends n bytes to the body.
func (c *conn) take(n int64) error {
	if n < 0 || n > 64<<20 {
		return fmt.Errorf("a body of %d bytes", n)
	}
	at := len(c.body)
	if need := at + int(n); cap(c.body) < need {
		c.body = append(make([]byte, 0, 2*need), c.body...)
	}
	c.body = c.body[:at+int(n)]
	_, err := io.ReadFull(c.in, c.body[at:])
	return err
}

// line is the next line without its end; valid until the next read.
func (c *conn) line() ([]byte, error) {
	b, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(b, "\r\n"), nil
}
