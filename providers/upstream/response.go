package upstream

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/providers/lifetime"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// Response is the answer to one request. One goroutine reads it; Abort may be
// called from any.
type Response struct {
	Status int

	client *Client
	header *fasthttp.ResponseHeader
	start  time.Time
	until  time.Time
	first  time.Time // when the first event must have come; zero: it has, or none is awaited
	stalls time.Time // when an answer that goes on saying nothing has stalled; zero: it does not
	ctx    context.Context
	wait   lifetime.Wait // for the end of ctx

	upgrade bool // a switch to another protocol is asked for
	bare    bool // it has no body, whatever its head says
	through bool // its encoding is its reader's affair
	chunked bool
	chunks  chunks
	left    int64 // bytes of a plain body to come; -1: until the connection ends
	size    int64 // bytes read
	keep    bool  // the connection may be used again after the body
	err     error // what Read gives from now on

	conn    *conn // the reader's; written under mu
	aborted atomic.Bool
	mu      sync.Mutex
	open    bool // conn is ours: neither given back nor closed; guarded by mu
}

var headers = sync.Pool{New: func() any { return new(fasthttp.ResponseHeader) }}

// Header is a header's first value, or "". It stays valid after the end of the
// body, until Close.
func (r *Response) Header(name string) string {
	if r.header == nil {
		return ""
	}
	return string(r.header.Peek(name))
}

// Head is the answer's head, to be read only. It stays valid until Close.
func (r *Response) Head() *fasthttp.ResponseHeader { return r.header }

// Ready is how many bytes of the body can be read without waiting, and whether
// that is all of it.
func (r *Response) Ready() (n int64, all bool) {
	if r.err != nil {
		return 0, r.err == io.EOF
	}
	n = int64(r.conn.in.Buffered())
	return n, r.left >= 0 && !r.chunked && n >= r.left
}

// Spent is how long the provider says beside its answer that nothing is left of
// one of its rate limits, the longest; 0: it does not say so.
func (r *Response) Spent(now time.Time) (longest time.Duration) {
	if r.header == nil {
		return 0
	}
	for name, value := range r.header.All() {
		if len(value) == 1 && value[0] == '0' { // which few headers are
			longest = max(longest, wire.Spent(string(name), "0", r.Header, now))
		}
	}
	return longest
}

// ContentType tells whether the answer's media type is this one, without
// regard to case and parameters.
func (r *Response) ContentType(want string) bool {
	if r.header == nil {
		return false
	}
	got := r.header.ContentType()
	if len(got) < len(want) || len(got) > len(want) && got[len(want)] != ';' && got[len(want)] != ' ' {
		return false
	}
	for i := range len(want) {
		if got[i]|0x20 != want[i]|0x20 {
			return false
		}
	}
	return true
}

// Read gives what is there, without waiting to fill p; io.EOF only at the
// body's proper end.
func (r *Response) Read(p []byte) (int, error) {
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	n, err := r.readBody(r.conn, p)
	if r.size += int64(n); r.size > r.client.opt.MaxResponse {
		err = r.tooLarge()
	}
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF:
		r.finish()
		if n > 0 {
			return n, nil
		}
		return 0, io.EOF
	}
	if _, ours := err.(*schema.Error); !ours {
		err = r.readError(err, false)
	}
	r.drop()
	r.err = err
	return n, err
}

// readBody reads some of the body; an io.EOF, perhaps together with the last
// bytes, is its proper end.
func (r *Response) readBody(k *conn, p []byte) (int, error) {
	if r.chunked {
		n, err := r.chunks.read(k.in, p)
		if err == io.EOF {
			r.keep = skipTrailer(k.in) && r.keep
		}
		return n, err
	}
	if r.left < 0 {
		return k.in.Read(p)
	}
	n, err := k.in.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	switch {
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	case r.left == 0:
		err = io.EOF
	}
	return n, err
}

func (r *Response) tooLarge() error {
	return invalid(nil, "the provider's answer is larger than the limit of %d bytes", r.client.opt.MaxResponse)
}

// ReadAll appends the whole rest of the body to dst, up to limit bytes (0: the
// client's own limit). A longer body is an error; dst holds what was read of
// it.
func (r *Response) ReadAll(dst []byte, limit int64) ([]byte, error) {
	if limit > 0 && r.left > limit {
		return dst, r.tooLarge()
	}
	if r.left > 0 && int64(cap(dst)-len(dst)) < r.left {
		dst = append(make([]byte, 0, int64(len(dst))+r.left), dst...)
	}
	for start := len(dst); ; {
		if len(dst) == cap(dst) {
			if r.err == io.EOF {
				return dst, nil
			}
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst, err
		case limit > 0 && int64(len(dst)-start) > limit:
			return dst, r.tooLarge()
		}
	}
}

// Drain reads on to the end of a body that nobody needs, for at most about
// wait and a few kilobytes, so that the connection can be used again.
func (r *Response) Drain(wait time.Duration) {
	if r.err != nil {
		return
	}
	r.conn.limit = wait
	var scrap [512]byte
	for range 16 {
		if _, err := r.Read(scrap[:]); err != nil {
			return
		}
	}
}

// Abort closes the connection, so that a blocked Read returns at once. It may
// be called from any goroutine, at any time, more than once.
func (r *Response) Abort() {
	r.aborted.Store(true)
	r.drop()
}

// Close ends the use of the response: an answer that was not read to its end
// costs the connection. It must not run together with a Read.
func (r *Response) Close() {
	r.drop()
	r.wait.Stop()
	r.wait = lifetime.Wait{}
	if r.err == nil {
		r.err = cancelled(nil)
	}
	if r.header != nil {
		r.header.Reset()
		headers.Put(r.header)
		r.header = nil
	}
}

// drop closes the connection if it still is ours. A reader in the middle of a
// Read keeps its reference and gets an error.
func (r *Response) drop() {
	r.mu.Lock()
	if r.open {
		r.open = false
		r.conn.close()
	}
	r.mu.Unlock()
}

// finish is the body's proper end: the connection goes back to the pool.
func (r *Response) finish() {
	r.err = io.EOF
	r.wait.Stop()
	r.wait = lifetime.Wait{}
	r.mu.Lock()
	ours, k := r.open, r.conn
	r.open = false
	r.mu.Unlock()
	switch {
	case !ours:
	case r.keep && k.in.Buffered() == 0 && k.in.Size() <= readBuffer:
		r.client.put(k)
	default:
		k.close()
	}
}

func (r *Response) abortCause() error { return r.ctx.Err() }
