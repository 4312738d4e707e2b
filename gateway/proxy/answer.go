package proxy

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"

	"sluice/providers/schema"
	"sluice/providers/upstream"
)

// answer is what a target says. Where all of it is there already, it goes out
// at once; else it is the body of a streamed answer, and what one read brings
// goes out in one write.
type answer struct {
	x    *Exchange
	res  *upstream.Response
	from *target
	err  error // why it broke off; nil: it did not
	// read is what was read of the body, to see whether it can be kept, and is to
	// be sent before the rest.
	read  []byte
	heard *heard // nil: nobody listens
	sent  int64  // what was read of the body so far
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// drop gives up what a target has said.
func (x *Exchange) drop() {
	if x.answer != nil {
		x.answer.res.Close()
		x.answer = nil
	}
}

// send makes the answer the caller's.
func (a *answer) send() error {
	r := &a.x.RC.Response
	r.SetStatusCode(a.res.Status)
	head := a.res.Head()
	takeHeaders(&r.Header, head, a.from)
	n, all := a.res.Ready()
	switch {
	case a.x.RC.IsHead() || a.res.Status == fasthttp.StatusNoContent || a.res.Status == fasthttp.StatusNotModified:
		r.SkipBody = true
		if length := head.ContentLength(); length > 0 {
			r.Header.SetContentLength(length)
		}
		a.x.Ended(nil)
		a.x.drop()
		return nil
	case all:
		p := buffers.Get().(*[]byte)
		defer buffers.Put(p)
		for n > 0 {
			took, err := a.res.Read((*p)[:min(int(n), len(*p))])
			r.AppendBody((*p)[:took])
			if n -= int64(took); err != nil && err != io.EOF {
				return err
			}
		}
		a.x.Ended(nil)
		a.x.drop()
		return nil
	}
	length := -1
	if head.ContentLength() > 0 {
		length = head.ContentLength()
	}
	a.x.streams = true
	r.ImmediateHeaderFlush = true
	r.SetBodyStream(a, length)
	return nil
}

// SupportsBodyWriteTo lets the server use WriteTo.
func (a *answer) SupportsBodyWriteTo() bool { return true }

// WriteTo sends the body to w.
func (a *answer) WriteTo(w io.Writer) (sent int64, err error) {
	p := buffers.Get().(*[]byte)
	defer buffers.Put(p)
	for {
		n, err := a.Read(*p)
		if n > 0 {
			if _, err := w.Write((*p)[:n]); err != nil {
				return sent, err
			}
			sent += int64(n)
		}
		if err == io.EOF {
			return sent, nil
		}
		if err != nil {
			return sent, err
		}
	}
}

// Read gives some of the body.
func (a *answer) Read(p []byte) (n int, err error) {
	if len(a.read) > 0 {
		n = copy(p, a.read)
		a.read = a.read[n:]
	} else {
		if n, err = a.res.Read(p); err != nil && err != io.EOF {
			a.err = err
		}
		a.sent += int64(n) // what stands in read was counted when it came
	}
	a.heard.take(p[:n])
	return n, err
}

// Close does nothing: the server calls it before CloseWithError, which knows
// more.
func (a *answer) Close() error { return nil }

// CloseWithError is called by the server when the body is written or writing
// failed: the end of the exchange.
func (a *answer) CloseWithError(err error) error {
	x := a.x
	if x == nil {
		return nil
	}
	a.x, x.sent = nil, a.sent
	if x.attempt != nil {
		x.attempt.Done(a.err) // of a caller who left it says nothing
		x.attempt = nil
	}
	a.res.Close()
	x.answer = nil
	if a.err != nil {
		err = a.err
	} else if err != nil {
		err = &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway,
			Class: schema.ClassCancelled, Message: "the caller left", Cause: err}
	}
	a.heard.over(x, err)
	x.Edge.Over(err)
	return nil
}

// ownPath is a Location as callers may see it: what names the target itself
// names us instead.
func (t *target) ownPath(location []byte) []byte {
	rest, ours := cutFold(location, t.authority)
	if !ours || len(rest) > 0 && rest[0] != '/' && rest[0] != '?' && rest[0] != '#' {
		return location
	}
	if below, ok := bytes.CutPrefix(rest, []byte(t.base)); ok && t.base != "" && (len(below) == 0 || below[0] == '/') {
		rest = below
	}
	if len(rest) == 0 || rest[0] != '/' {
		rest = append([]byte{'/'}, rest...)
	}
	return append([]byte(t.strip), rest...)
}

// cutFold takes off a prefix in lower case, whatever the case of b.
func cutFold(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || !strings.EqualFold(string(b[:len(prefix)]), prefix) {
		return b, false
	}
	return b[len(prefix):], true
}
