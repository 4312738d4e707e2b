package upstream

import (
	"bufio"
	"errors"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// readBuffer holds the head of nearly every answer; a larger head gets
	// maxHead.
	readBuffer = 8 << 10
	maxHead    = 128 << 10
	// smallPiece is what is copied behind what comes before it to save a buffer
	// in the system call.
	smallPiece = 4 << 10
)

// conn is one connection. It belongs to one Response or to the pool.
type conn struct {
	sock   net.Conn // the socket
	stream net.Conn // what is spoken: the socket, or TLS over it
	in     *bufio.Reader
	open   *atomic.Int64 // counts it
	out    []byte        // the head being sent; kept for the next
	bufs   net.Buffers   // the memory of vec
	vec    net.Buffers   // what is being sent

	idleSince time.Time
	reused    bool

	limit    time.Duration // the longest that a read or write may take
	until    time.Time     // end of the whole answer; zero: none
	deadline time.Time     // as set on the socket
	armed    time.Time     // when the last read or write began

	raw   syscall.RawConn // nil: cannot be looked at
	look  func(fd uintptr) bool
	stale bool // what look found
}

func newConn(sock net.Conn, open *atomic.Int64) *conn {
	k := &conn{sock: sock, stream: sock, open: open}
	open.Add(1)
	k.in = bufio.NewReaderSize(k, readBuffer)
	if s, ok := sock.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			k.raw = raw
			k.look = func(fd uintptr) bool { k.stale = peek(fd); return true }
		}
	}
	return k
}

// Read reads from the wire under the limits in force; the bufio.Reader calls it.
func (k *conn) Read(p []byte) (int, error) {
	if err := k.arm(); err != nil {
		return 0, err
	}
	return k.stream.Read(p)
}

// arm sets the socket's deadline. It is lazy: a deadline that is up to an
// eighth later than asked for is left alone, so that a busy connection sets
// one every few seconds and not at every read. The end of the whole answer is
// exact.
func (k *conn) arm() error {
	now := time.Now()
	k.armed = now
	soonest := now.Add(k.limit)
	latest := soonest.Add(k.limit / 8)
	if !k.until.IsZero() {
		if !now.Before(k.until) {
			return os.ErrDeadlineExceeded
		}
		if k.until.Before(soonest) {
			soonest = k.until
		}
		if k.until.Before(latest) {
			latest = k.until
		}
	}
	if !k.deadline.Before(soonest) && !k.deadline.After(latest) {
		return nil
	}
	k.deadline = latest
	return k.sock.SetDeadline(latest)
}

// send writes the head in k.out and the pieces of the body. Small pieces are
// copied behind what comes before them; large ones are written from where they
// are.
func (k *conn) send(body [][]byte) error {
	if err := k.arm(); err != nil {
		return err
	}
	// Who else is about to send may come first: requests that go out one right
	// after the other wake the provider's side, and the cores between, once.
	// Where nobody is, this costs nothing.
	runtime.Gosched()
	k.vec = k.bufs[:0]
	from := 0 // of what k.out holds and k.vec does not
	for _, piece := range body {
		if len(piece) > smallPiece {
			k.vec = append(k.vec, k.out[from:], piece)
			from = len(k.out)
			continue
		}
		k.out = append(k.out, piece...)
	}
	if len(k.vec) == 0 {
		_, err := k.stream.Write(k.out)
		return err
	}
	if from < len(k.out) {
		k.vec = append(k.vec, k.out[from:])
	}
	k.bufs = k.vec
	_, err := k.vec.WriteTo(k.stream)
	clear(k.bufs)
	k.vec = nil
	return err
}

// alive looks at an idle connection without waiting: the server must have
// neither closed it nor sent anything.
func (k *conn) alive(now time.Time) bool {
	if k.in.Buffered() > 0 {
		return false
	}
	if k.raw == nil {
		return true
	}
	if !now.Before(k.deadline) { // an expired deadline would fail the look
		k.deadline = now.Add(time.Minute)
		if k.sock.SetDeadline(k.deadline) != nil {
			return false
		}
	}
	k.stale = true
	return k.raw.Read(k.look) == nil && !k.stale
}

// grow replaces the read buffer by one that a very large head fits in.
func (k *conn) grow() bool {
	if k.in.Size() >= maxHead {
		return false
	}
	seen, _ := k.in.Peek(k.in.Buffered())
	k.in = bufio.NewReaderSize(&behind{seen: append([]byte(nil), seen...), conn: k}, maxHead)
	return true
}

// close may be called more than once: the first counts.
func (k *conn) close() {
	if err := k.sock.Close(); !errors.Is(err, net.ErrClosed) {
		k.open.Add(-1)
	}
}

// behind gives what was already read, then the connection.
type behind struct {
	seen []byte
	conn *conn
}

func (b *behind) Read(p []byte) (int, error) {
	if len(b.seen) > 0 {
		n := copy(p, b.seen)
		b.seen = b.seen[n:]
		return n, nil
	}
	return b.conn.Read(p)
}
