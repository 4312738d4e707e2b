package upstream

import "time"

// An answer that is read event by event is not under way with the first byte of
// its head, and bytes that say nothing do not keep it alive: who reads it tells
// what its bytes were.

// AwaitFirst holds the answer to the time that its first byte may take, counted
// from the request, until Begun.
func (r *Response) AwaitFirst() {
	at := r.start.Add(r.client.opt.FirstByte)
	if r.err != nil || !r.until.IsZero() && !at.Before(r.until) {
		return
	}
	r.first, r.conn.until = at, at
}

// Begun ends AwaitFirst: the answer has said something.
func (r *Response) Begun() {
	if r.first.IsZero() {
		return
	}
	r.first = time.Time{}
	if r.err == nil { // else the connection may be another's by now
		r.conn.until = r.until
	}
}

// Quiet tells that what was read last said nothing: it does not prolong how
// long the answer may be silent.
func (r *Response) Quiet() {
	if r.err != nil {
		return
	}
	if r.stalls.IsZero() {
		r.stalls = r.conn.armed.Add(r.client.opt.Idle)
	}
	r.conn.limit = max(time.Until(r.stalls), time.Millisecond)
}

// Spoke tells that what was read last was part of the answer.
func (r *Response) Spoke() {
	if r.stalls.IsZero() {
		return
	}
	r.stalls = time.Time{}
	if r.err == nil {
		r.conn.limit = r.client.opt.Idle
	}
}
