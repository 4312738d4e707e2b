package upstream

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// errCut makes fasthttp close the connection without a last chunk.
var errCut = errors.New("cut on purpose")

// look is how often a waiting call looks whether its peer is still there.
const look = 10 * time.Millisecond

// stream is a response body: one frame a Read, in the plan's time. fasthttp
// closes it when the body is out or the peer is gone.
type stream struct {
	frames [][]byte
	plan   *plan
	conn   net.Conn
	server *Server
	next   int
	ended  outcome
	closed bool
}

// Read gives the next frame after its pause.
func (s *stream) Read(b []byte) (int, error) {
	switch {
	case s.next == s.plan.cut:
		s.ended = wasCut
		return 0, errCut
	case s.next == s.plan.hang:
		s.ended = wasCancelled
		s.server.wait(s.conn, time.Hour)
		return 0, errCut
	case s.next == len(s.frames):
		s.ended = wasDone
		return 0, io.EOF
	case s.plan.pace > 0 && s.next > 0 && !s.server.wait(s.conn, s.plan.pace):
		return 0, errCut
	}
	f := s.frames[s.next]
	if len(f) > len(b) { // a frame larger than fasthttp's buffer goes in parts
		s.frames = append([][]byte(nil), s.frames...)
		s.frames[s.next] = f[len(b):]
		return copy(b, f), nil
	}
	s.next++
	return copy(b, f), nil
}

// SupportsBodyWriteTo says that all frames may go in one write.
func (s *stream) SupportsBodyWriteTo() bool {
	return s.plan.pace == 0 && !s.plan.each && s.plan.cut == unset && s.plan.hang == unset
}

// WriteTo writes every frame as its own HTTP chunk, and all in one system call.
func (s *stream) WriteTo(w io.Writer) (total int64, err error) {
	s.cork(true)
	for _, f := range s.frames {
		n, err := w.Write(f)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	s.ended = wasDone
	return total, nil
}

// Close counts the call, once. fasthttp writes the body's end after it.
func (s *stream) Close() error {
	if !s.closed {
		s.closed = true
		s.cork(false)
		s.server.counters.finish(s.ended)
	}
	return nil
}

func (s *stream) cork(on bool) {
	if c, ok := s.conn.(*corkConn); ok {
		c.corked = on
	}
}

// corkConn holds back what is written while corked; the first write after it
// takes all along. fasthttp flushes after every chunk, which would make the
// fake the dearest part of a benchmark.
type corkConn struct {
	*net.TCPConn
	corked bool // written and read by the connection's one goroutine
	held   []byte
}

// Write holds or writes b.
func (c *corkConn) Write(b []byte) (int, error) {
	if c.corked {
		c.held = append(c.held, b...)
		return len(b), nil
	}
	if len(c.held) == 0 {
		return c.TCPConn.Write(b)
	}
	c.held = append(c.held, b...)
	_, err := c.TCPConn.Write(c.held)
	c.held = c.held[:0]
	return len(b), err
}

type corkListener struct{ *net.TCPListener }

// Accept wraps the connections.
func (l corkListener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return &corkConn{TCPConn: c}, nil
}

// wait sleeps for d; false: the peer left, or the server closes.
func (s *Server) wait(conn net.Conn, d time.Duration) bool {
	deadline := time.Now().Add(d)
	for {
		rest := time.Until(deadline)
		if rest <= 0 {
			return !gone(conn)
		}
		select {
		case <-s.quit:
			return false
		case <-time.After(min(rest, look)):
		}
		if gone(conn) {
			return false
		}
	}
}

// gone looks, without waiting, whether the peer has closed the connection.
func gone(conn net.Conn) bool {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	left := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		again := errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
		left = !again && (err != nil || n == 0)
	})
	return left || err != nil
}
