package upstream

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/valyala/fasthttp"
)

// staleWindow is how soon after the request the end of a reused connection
// means that the server had closed it before. Later, the request may have been
// worked on, and sending it again is the router's decision.
const staleWindow = 100 * time.Millisecond

// exchange sends the request and reads the head of the answer.
func (r *Response) exchange(ctx context.Context, q *Request, reuse bool) error {
	k, err := r.connect(ctx, reuse)
	if err != nil {
		return err
	}
	k.limit, k.until = r.client.opt.FirstByte, r.until
	if at := q.Begin; q.Stream == nil && !at.IsZero() && (r.until.IsZero() || at.Before(r.until)) {
		r.first, k.until = at, at
	}
	r.bare, r.through = q.Method == "HEAD", q.Through
	k.out = r.client.appendHead(k.out[:0], q)
	q.Begun = true
	if err := k.send(q.Body); err != nil {
		return r.sendError(k, err)
	}
	if q.Stream != nil {
		if theirs, err := k.pump(q.Stream, q.Size); theirs != nil {
			r.drop()
			return theirs
		} else if err != nil {
			return r.sendError(k, err)
		}
	}
	q.Sent = true
	if _, err := k.in.Peek(1); err != nil {
		return r.noAnswer(k, err)
	}
	err = r.readHead(k)
	if !q.Begin.IsZero() {
		r.Begun()
	}
	return err
}

// connect gives the response a connection, an idle one where it may and can.
func (r *Response) connect(ctx context.Context, reuse bool) (k *conn, err error) {
	if reuse {
		k = r.client.take(r.start)
	}
	if k == nil {
		if k, err = r.client.dial(ctx, r.until); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	r.conn, r.open = k, true
	r.mu.Unlock()
	if r.aborted.Load() { // perhaps before there was a connection to close
		r.drop()
		return nil, cancelled(r.abortCause())
	}
	return k, nil
}

// sendError handles a request that could not be written. A server may answer
// before it has read the whole request (413, 401) and close: then its answer
// counts.
func (r *Response) sendError(k *conn, err error) error {
	if r.aborted.Load() || errors.Is(err, os.ErrDeadlineExceeded) {
		r.drop()
		return r.readError(err, true)
	}
	if _, peekErr := k.in.Peek(1); peekErr == nil {
		if r.readHead(k) == nil {
			r.keep = false
			return nil
		}
	}
	r.drop()
	if k.reused {
		return errStale
	}
	return broken(err, "the provider closed the connection while the request was sent")
}

func (r *Response) noAnswer(k *conn, err error) error {
	r.drop()
	if k.reused && !r.aborted.Load() && (errors.Is(err, io.EOF) || isReset(err)) && time.Since(r.start) < staleWindow {
		return errStale
	}
	return r.readError(err, true)
}

// readHead reads the head, past any 1xx, and prepares the body.
func (r *Response) readHead(k *conn) error {
	r.header = headers.Get().(*fasthttp.ResponseHeader)
	r.header.SetNoDefaultContentType(r.through) // what is not there is not to be made up
	for {
		err := r.header.Read(k.in)
		if err != nil {
			var small *fasthttp.ErrSmallBuffer
			if errors.As(err, &small) && k.grow() {
				continue
			}
			r.drop()
			return r.headError(k, err)
		}
		r.Status = r.header.StatusCode()
		if r.Status >= 200 {
			break
		}
		if r.Status == 101 && r.upgrade {
			return nil
		}
		if r.Status == 101 {
			r.drop()
			return invalid(nil, "the provider wants to switch the protocol")
		}
	}
	if enc := r.header.ContentEncoding(); !r.through && len(enc) > 0 && string(enc) != "identity" {
		r.drop()
		return invalid(nil, "the provider's answer is compressed (%.20q), though nobody asked for it", enc)
	}
	k.limit = r.client.opt.Idle
	r.keep = !r.header.ConnectionClose()
	switch n := r.header.ContentLength(); {
	case r.bare || r.Status == 204 || r.Status == 304 || n == 0:
		r.finish()
	case n == -1:
		r.chunked = true
	case n < 0:
		r.left, r.keep = -1, false
	case int64(n) > r.client.opt.MaxResponse:
		r.drop()
		return r.tooLarge()
	default:
		r.left = int64(n)
	}
	return nil
}

func (r *Response) headError(k *conn, err error) error {
	switch {
	case r.aborted.Load(), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, fasthttp.ErrTimeout):
		return r.readError(os.ErrDeadlineExceeded, true)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isReset(err):
		return r.readError(io.ErrUnexpectedEOF, false)
	}
	// The library's error quotes the head, which may hold cookies.
	return invalid(nil, "the provider's answer is not well-formed HTTP")
}
