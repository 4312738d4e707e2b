package gateway

import (
	"net"
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

// callerListener accepts connections on which no write waits for ever.
type callerListener struct{ net.Listener }

// Accept waits for the next connection.
func (l callerListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &callerConn{Conn: conn, stall: stallTimeout}, nil
}

// callerConn is a connection with a deadline for each piece that is written.
type callerConn struct {
	net.Conn
	stall time.Duration
	until time.Time // the deadline that is set
}

// Write sends p piece by piece.
func (c *callerConn) Write(p []byte) (n int, err error) {
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
	if c, ok := conn.(*callerConn); ok {
		return c.Conn
	}
	return conn
}
