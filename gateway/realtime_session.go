package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// writeLimit is how long a caller may leave unread what it is sent.
const writeLimit = 30 * time.Second

// The codes with which a session is closed (RFC 6455, 7.4.1; that of a bad
// gateway is registered with IANA).
const (
	closeGoingAway  = 1001
	closePolicy     = 1008
	closeBadGateway = 1014
)

// session relays the frames of a realtime session both ways, as they are.
// What the provider sends is looked into for the end of each response, which
// tells its usage: that is charged, and money is held for the next.
type session struct {
	c      *Call
	host   io.ReadWriteCloser
	head   string // the answer to the handshake
	client net.Conn
	conn   *callerConn // which ends the session if that does not begin; nil: nothing does
	gone   atomic.Bool // the caller has left, or has closed
	torn   bool        // what the caller was sent last ends inside a frame
}

// run is the session's life; its end is the call's.
func (s *session) run(client net.Conn) {
	if s.conn != nil && s.conn.session.Swap(nil) == nil {
		return // abandoned
	}
	s.client = client
	c := s.c
	stop := context.AfterFunc(c.ctx, func() { _ = s.host.Close() })
	up := make(chan struct{})
	go func() {
		defer close(up)
		_, _ = io.Copy(s.host, s) // how it ended, Read has noted
		_ = s.host.Close()
	}()
	defer func() {
		if r := recover(); r != nil {
			c.g.log.Error("panic in a session", "call", c.entry.Call, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			c.err = errInternal()
		}
		stop()
		_ = s.host.Close()
		_ = client.SetDeadline(time.Unix(1, 0)) // ends the copy; the server closes the connection after us
		<-up
		c.finish()
	}()
	err := s.write([]byte(s.head))
	switch {
	case err != nil:
	case c.from.route != nil:
		err = s.pipe()
	default:
		err = s.relay()
	}
	s.end(err)
}

// abandon ends a session that never began, for its caller has left.
func (s *session) abandon() {
	_ = s.host.Close()
	s.gone.Store(true)
	s.end(net.ErrClosed)
	s.c.finish()
}

// relay gives the caller what the provider sends, until that ends. err says why
// it must end; nil: the provider has ended it.
func (s *session) relay() error {
	buf := make([]byte, 32<<10)
	var frames frameScanner
	for {
		n, readErr := s.host.Read(buf)
		from, at := 0, 0
		for at < n {
			took, message, err := frames.scan(buf[at:n])
			at += took
			if err != nil {
				return err
			}
			if message == nil || !bytes.Contains(message, []byte(`"response.done"`)) {
				continue
			}
			if err := s.write(buf[from:at]); err != nil {
				return err
			}
			from, s.torn = at, false
			if err := s.charge(message); err != nil {
				return err
			}
		}
		s.torn = !frames.between()
		if err := s.write(buf[from:n]); err != nil {
			return err
		}
		if readErr != nil {
			if frames.closed && !s.torn {
				return nil
			}
			return readErr
		}
	}
}

// Read gives what the caller sends, and notes when it is gone.
func (s *session) Read(p []byte) (int, error) {
	n, err := s.client.Read(p)
	if err != nil {
		s.gone.Store(true)
	}
	return n, err
}

func (s *session) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	err := s.client.SetWriteDeadline(time.Now().Add(writeLimit))
	if err == nil {
		_, err = s.client.Write(p)
	}
	if err != nil {
		s.gone.Store(true)
	}
	return err
}

// charge charges a response, and holds money for the next. An error says that
// there is none.
func (s *session) charge(message []byte) error {
	event := gjson.ParseBytes(message)
	if event.Get("type").Str != "response.done" {
		return nil
	}
	var t dialect.Tally
	if usage := event.Get("response.usage"); usage.IsObject() {
		t.Usage = wire.ReadUsage(usage)
	}
	s.c.charge(&t)
	return s.c.reserve()
}

// end tells the caller why the session ends, and notes it. A caller who went
// away is no error: that is how sessions end.
func (s *session) end(err error) {
	c := s.c
	own, policy := err.(*schema.Error)
	switch {
	case c.from.route != nil:
		s.endRoute(err)
		return
	case err == nil:
	case s.gone.Load():
		c.entry.Disconnect = true
	case c.g.ctx.Err() != nil:
		s.close(errDraining(), closeGoingAway)
	case policy && own.Origin == schema.OriginPolicy:
		s.close(own, closePolicy)
	default:
		e := &schema.Error{Code: schema.CodeUpstream, Status: 502, Origin: schema.OriginProvider, Provider: c.target.Provider.Name,
			Class: schema.ClassConnection, Message: "the provider broke the session off", Cause: err}
		s.close(e, closeBadGateway)
		c.endAttempt(e)
	}
	c.endAttempt(nil)
}

// close sends the event and the frame that end a session.
func (s *session) close(e *schema.Error, code int) {
	s.c.err = e
	if s.torn {
		return // between its bytes nothing can be said
	}
	event := append([]byte(nil), `{"type":"error",`...)
	event = append(event, s.c.speaks.Client.Error(nil, e, s.c.entry.RequestID)[1:]...)
	b := appendFrame(nil, frameText, event)
	_ = s.write(appendFrame(b, frameClose, appendCloseReason(nil, code, e.Message))) // it may be gone already
}
