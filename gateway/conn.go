package gateway

import (
	"crypto/tls"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// stallTimeout is how long a caller may take in nothing of what is sent to
	// it. One who never reads would hold its call, and the call's provider, for
	// good: fasthttp bounds only the writing of a whole answer, streams included.
	stallTimeout = 60 * time.Second
	// writePiece is what a caller must take in within that time.
	writePiece = 256 << 10
)

// callerListener accepts connections on which no write waits for ever, and no
// more of one address than it may have.
type callerListener struct {
	net.Listener
	g *Gateway
}

// Accept waits for the next connection.
func (l callerListener) Accept() (net.Conn, error) {
	for {
		if l.g.draining.Load() { // since before the server knew of the listener, perhaps: it would not close it
			return nil, net.ErrClosed
		}
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &callerConn{Conn: conn, stall: stallTimeout, g: l.g}
		l.g.peers.all.Add(1)
		tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
		if !ok {
			return c, nil
		}
		peer := tcp.AddrPort().Addr().Unmap().WithZone("")
		if c.ip = peer.String(); !l.admit(c, peer) {
			continue
		}
		if encrypted, ok := conn.(*tls.Conn); ok {
			return encryptedConn{c, encrypted}, nil
		}
		return c, nil
	}
}

// encryptedConn is a callerConn that shows the server that it is encrypted.
type encryptedConn struct {
	*callerConn
	tls *tls.Conn
}

// Handshake takes no longer than a request may take to come.
func (c encryptedConn) Handshake() error {
	c.until = time.Now().Add(c.stall)
	if err := c.tls.SetWriteDeadline(c.until); err != nil {
		return err
	}
	c.readSet = c.readUntil
	if err := c.tls.SetReadDeadline(c.readSet); err != nil {
		return err
	}
	return c.tls.Handshake()
}

// ConnectionState tells of the encryption, and of the client's certificate.
func (c encryptedConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// own is the connection as we have made it; nil: it is none of ours.
func own(conn net.Conn) *callerConn {
	switch c := conn.(type) {
	case *callerConn:
		return c
	case encryptedConn:
		return c.callerConn
	}
	return nil
}

// callerConn is a connection with a deadline for each piece that is written,
// whose deadline for reading is set when something is read, and only if the one
// that stands will not do.
type callerConn struct {
	net.Conn
	ip    string // of the peer; empty: it has none
	stall time.Duration
	g     *Gateway
	// counted is the address that it counts for; nil: none, or it is closed.
	counted atomic.Pointer[netip.Addr]
	closed  atomic.Bool
	until   time.Time // the deadline that is set for writing

	// session is to run on the connection as soon as the server lets go of it. A
	// connection that breaks before that is closed instead.
	session atomic.Pointer[session]

	readUntil time.Time // the deadline for reading that is asked for
	readSet   time.Time // and the one that is set: as early or somewhat later
}

// Close closes it, and ends the session that has not begun yet.
func (c *callerConn) Close() error {
	err := c.Conn.Close()
	if c.closed.CompareAndSwap(false, true) { // it may be closed more than once
		c.g.peers.all.Add(-1)
	}
	if peer := c.counted.Swap(nil); peer != nil {
		c.g.peers.leave(*peer)
	}
	if s := c.session.Swap(nil); s != nil {
		s.abandon()
	}
	return err
}

// SetReadDeadline says until when what is read from now on must be there. One
// that is set on a busy connection does for many requests: it may come late by
// an eighth. It does not end a Read that waits already.
func (c *callerConn) SetReadDeadline(t time.Time) error {
	c.readUntil = t
	return nil
}

// SetDeadline sets both at once, for a Read or Write that waits too. Another
// goroutine may end these so; none, the zero time, is for the one that serves
// the connection to set.
func (c *callerConn) SetDeadline(t time.Time) error {
	if t.IsZero() {
		c.readUntil, c.readSet, c.until = t, t, t
	}
	return c.Conn.SetDeadline(t)
}

// deadlineWillDo tells whether the deadline that is set comes neither before
// the one that is asked for nor much after it.
func (c *callerConn) deadlineWillDo() bool {
	if c.readUntil.IsZero() || c.readSet.IsZero() {
		return c.readUntil.Equal(c.readSet)
	}
	late := c.readSet.Sub(c.readUntil)
	return late >= 0 && late <= time.Until(c.readUntil)/8
}

// Read reads what is there, or waits for it.
func (c *callerConn) Read(p []byte) (int, error) {
	if !c.deadlineWillDo() {
		c.readSet = c.readUntil
		if !c.readUntil.IsZero() {
			c.readSet = c.readUntil.Add(max(0, time.Until(c.readUntil)/8))
		}
		if err := c.Conn.SetReadDeadline(c.readSet); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

// Write sends p piece by piece. Who else is about to write may come first:
// answers that go out one right after the other wake the callers' side once.
func (c *callerConn) Write(p []byte) (n int, err error) {
	runtime.Gosched()
	for {
		// To set a deadline costs, and half of the time will do.
		if now := time.Now(); c.until.Sub(now) < c.stall/2 {
			c.until = now.Add(c.stall)
			if err := c.Conn.SetWriteDeadline(c.until); err != nil {
				return n, err
			}
		}
		sent, err := c.Conn.Write(p[:min(len(p), writePiece)])
		n, p = n+sent, p[sent:]
		if err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// bare is the connection below.
func bare(conn net.Conn) net.Conn {
	if c := own(conn); c != nil {
		return c.Conn
	}
	return conn
}
