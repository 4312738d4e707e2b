package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// watchEvery is how often open calls are looked at: a caller who left is
// noticed within this time and a little.
const watchEvery = 200 * time.Millisecond

// watcher notices callers who left while their call is silent. fasthttp tells
// of a closed connection only by a failed write, so a call that waits for its
// provider would be paid for to the end. One goroutine peeks at the sockets of
// all open calls in turn; no call has a goroutine of its own.
type watcher struct {
	shards [16]watchShard
}

type watchShard struct {
	mu    sync.Mutex
	calls []*watched
}

// watched is one open call; it lives inside the Call.
type watched struct {
	conn    net.Conn
	raw     syscall.RawConn // found at the first look
	cancel  context.CancelCauseFunc
	fresh   bool // not yet seen by a look: too young to be worth one
	leaving Leaving
	since   time.Time // when it was found that the caller has left; zero: it has not
	shard   uint32
	at      int // place in the shard's list
}

// errCallerLeft is the cause with which an abandoned call's context ends.
var errCallerLeft = errors.New("the caller left")

// add begins to watch w.
func (ws *watcher) add(w *watched, conn net.Conn, connID uint64, cancel context.CancelCauseFunc) {
	w.conn, w.raw, w.cancel, w.fresh, w.since = conn, nil, cancel, true, time.Time{}
	w.shard = uint32(connID) % uint32(len(ws.shards))
	s := &ws.shards[w.shard]
	s.mu.Lock()
	w.at = len(s.calls)
	s.calls = append(s.calls, w)
	s.mu.Unlock()
}

// leaves changes what happens when the caller of w leaves.
func (ws *watcher) leaves(w *watched, l Leaving) {
	s := &ws.shards[w.shard]
	s.mu.Lock()
	w.leaving = l
	s.mu.Unlock()
}

// remove ends the watch; no look at w goes on after it.
func (ws *watcher) remove(w *watched) {
	if w.cancel == nil {
		return
	}
	s := &ws.shards[w.shard]
	s.mu.Lock()
	last := len(s.calls) - 1
	s.calls[w.at] = s.calls[last]
	s.calls[w.at].at = w.at
	s.calls[last] = nil
	s.calls = s.calls[:last]
	s.mu.Unlock()
	w.conn, w.raw, w.cancel = nil, nil, nil
}

// run looks until ctx ends.
func (ws *watcher) run(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for i := range ws.shards {
				ws.shards[i].look(time.Now())
			}
		}
	}
}

func (s *watchShard) look(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.calls {
		drains := w.leaving.Drain
		if w.fresh || drains && w.leaving.Time == 0 {
			w.fresh = false
			continue
		}
		if w.since.IsZero() && w.gone() {
			w.since = now
		}
		if !w.since.IsZero() && (!drains || now.Sub(w.since) >= w.leaving.Time) {
			w.cancel(errCallerLeft)
		}
	}
}

// end ends the contexts of all open calls.
func (ws *watcher) end() {
	for i := range ws.shards {
		s := &ws.shards[i]
		s.mu.Lock()
		for _, w := range s.calls {
			w.cancel(nil)
		}
		s.mu.Unlock()
	}
}

// cut closes the connections of all open calls, which ends what is written to
// them.
func (ws *watcher) cut() {
	for i := range ws.shards {
		s := &ws.shards[i]
		s.mu.Lock()
		for _, w := range s.calls {
			if _, ok := w.conn.(syscall.Conn); ok { // a call within another has none
				_ = w.conn.Close() // it is given up
			}
		}
		s.mu.Unlock()
	}
}

// isAlert tells whether a TLS record is an alert, such as close_notify. TLS 1.3
// hides the type, but an alert there is 19 bytes long (two, their type, and 16
// of the seal), which no HTTP request is.
func isAlert(header []byte) bool {
	const alert, sealed = 21, 23
	return header[0] == alert ||
		len(header) == 5 && header[0] == sealed && header[3] == 0 && header[4] == 19
}

// gone peeks at the socket: an end of stream, a reset, or a TLS alert is a
// caller who left. Bytes of a next request are not.
func (w *watched) gone() bool {
	_, isTLS := w.conn.(*tls.Conn)
	if w.raw == nil {
		conn := w.conn
		if t, ok := conn.(*tls.Conn); ok {
			conn = t.NetConn()
		}
		sc, ok := conn.(syscall.Conn)
		if !ok {
			return false
		}
		raw, err := sc.SyscallConn()
		if err != nil {
			return true
		}
		w.raw = raw
	}
	gone := false
	err := w.raw.Control(func(fd uintptr) {
		var b [5]byte // a TLS record's header
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EAGAIN || err == syscall.EINTR:
		case err != nil || n == 0:
			gone = true
		default:
			gone = isTLS && isAlert(b[:n])
		}
	})
	return gone || err != nil
}
