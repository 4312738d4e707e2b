package upstream

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"sluice/providers/dialect"
	"sluice/providers/lifetime"
)

// Tunnel is a connection whose server has switched to WebSocket frames (RFC
// 6455). One goroutine may read it while another writes; Close may be called
// from any, and ends both.
type Tunnel struct {
	Protocol string // the subprotocol that the server chose; empty: none
	conn     *conn
}

// Read gives the bytes that have come.
func (t *Tunnel) Read(p []byte) (int, error) {
	if t.conn.in.Buffered() > 0 { // came with the head of the answer
		return t.conn.in.Read(p)
	}
	return t.conn.stream.Read(p)
}

// Write sends bytes.
func (t *Tunnel) Write(p []byte) (int, error) { return t.conn.stream.Write(p) }

// Close closes the connection.
func (t *Tunnel) Close() error {
	t.conn.close()
	return nil
}

// AcceptKey is the proof that a server has read the Sec-WebSocket-Key of a
// handshake.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Upgrade asks the server to switch to WebSocket frames, with a GET of q. Where
// it answers otherwise, the answer is given instead of a tunnel, and must be
// closed.
func (c *Client) Upgrade(ctx context.Context, q *Request) (*Tunnel, *Response, error) {
	var nonce [16]byte
	rand.Read(nonce[:])
	key := base64.StdEncoding.EncodeToString(nonce[:])
	ask := *q
	ask.Header = append(slices.Clone(q.Header),
		dialect.Field{Name: "Connection", Value: "Upgrade"}, dialect.Field{Name: "Upgrade", Value: "websocket"},
		dialect.Field{Name: "Sec-WebSocket-Version", Value: "13"}, dialect.Field{Name: "Sec-WebSocket-Key", Value: key})
	if err := ask.check(); err != nil {
		return nil, nil, err
	}
	r, err := c.ask(ctx, &ask)
	if err != nil {
		return nil, nil, err
	}
	if r.Status != 101 {
		return nil, r, nil
	}
	defer r.Close()
	if !strings.EqualFold(r.Header("Upgrade"), "websocket") || r.Header("Sec-WebSocket-Accept") != AcceptKey(key) {
		return nil, nil, invalid(nil, "the provider has switched to something that is no WebSocket")
	}
	t, err := r.tunnel()
	return t, nil, err
}

// Switch passes on a request to switch to WebSocket frames, with the headers
// that ask for it. Where the server answers otherwise, there is no tunnel. The
// answer must be closed, which does nothing to the tunnel.
func (c *Client) Switch(ctx context.Context, q *Request) (*Tunnel, *Response, error) {
	if err := q.check(); err != nil {
		return nil, nil, err
	}
	r, err := c.ask(ctx, q)
	if err != nil || r.Status != 101 {
		return nil, r, err
	}
	if !strings.EqualFold(r.Header("Upgrade"), "websocket") {
		r.Close()
		return nil, nil, invalid(nil, "the provider has switched to something that is no WebSocket")
	}
	t, err := r.tunnel()
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	return t, r, nil
}

// ask sends a request whose answer may be a switch.
func (c *Client) ask(ctx context.Context, q *Request) (*Response, error) {
	r := &Response{client: c, start: time.Now(), until: q.Deadline, upgrade: true}
	if ctx.Err() != nil {
		return nil, cancelled(ctx.Err())
	}
	r.ctx, r.wait = ctx, lifetime.AfterFunc(ctx, r.Abort)
	if err := r.exchange(ctx, q, false); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// tunnel takes the connection out of a response whose server has switched.
func (r *Response) tunnel() (*Tunnel, error) {
	t := &Tunnel{Protocol: r.Header("Sec-WebSocket-Protocol"), conn: r.conn}
	r.mu.Lock()
	ours := r.open
	r.open = false
	r.mu.Unlock()
	if !ours || t.conn.sock.SetDeadline(time.Time{}) != nil {
		t.conn.close()
		return nil, cancelled(r.abortCause())
	}
	return t, nil
}
