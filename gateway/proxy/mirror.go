package proxy

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sluice/providers/upstream"
)

// Mirror sends copies of requests to another server too, whose answers nobody
// is given.
type Mirror struct {
	URL     string
	Client  *upstream.Client
	Share   float64 // of the requests, above 0 and at most 1
	Timeout time.Duration
	Sign    Signer // nil: copies are not signed
	// Count counts a request that was to be copied, by what became of the copy.
	Count func(result string)
	// Recovered is told of a panic in a copy.
	Recovered func(what any)

	open atomic.Int64
}

// What becomes of a copy.
const (
	MirrorAnswered = "answered"  // with a status below 500
	MirrorFailed   = "failed"    // it was not, or with another
	MirrorDropped  = "dropped"   // too many were under way
	MirrorTooLarge = "too_large" // its body is not kept
)

// mostMirrored bounds the copies for one mirror that are under way. With
// keptBody it bounds their memory too.
const mostMirrored = 128

// markMirrored tells the server that it is sent a copy.
const markMirrored = "X-Sluice-Mirrored: 1\r\n"

// copy sends a copy of what a target is about to be sent. It never fails, nor
// waits.
func (m *Mirror) copy(x *Exchange, q upstream.Request) {
	if m.Share < 1 && rand.Float64() >= m.Share {
		return
	}
	var body []byte
	switch {
	case q.Stream != nil, len(x.body.kept) > keptBody:
		m.Count(MirrorTooLarge)
		return
	case m.open.Add(1) > mostMirrored:
		m.open.Add(-1)
		m.Count(MirrorDropped)
		return
	}
	q.Body = nil
	if len(x.body.kept) > 0 {
		body = slices.Clone(x.body.kept)
		q.Body = [][]byte{body}
	}
	lines := make([]byte, 0, len(q.Lines)+len(markMirrored))
	q.Method, q.Lines, q.Begin = strings.Clone(q.Method), append(append(lines, q.Lines...), markMirrored...), time.Time{}
	go m.send(&q, body)
}

func (m *Mirror) send(q *upstream.Request, body []byte) {
	result := MirrorFailed
	defer func() {
		if what := recover(); what != nil {
			m.Recovered(what)
		}
		m.open.Add(-1)
		m.Count(result)
	}()
	ctx, stop := context.WithTimeout(context.Background(), m.Timeout)
	defer stop()
	q.Deadline, _ = ctx.Deadline()
	if m.Sign != nil {
		if err := m.Sign(ctx, q, body); err != nil {
			return
		}
	}
	res, err := m.Client.Do(ctx, q)
	if err != nil {
		return
	}
	defer res.Close()
	if res.Status < 500 {
		result = MirrorAnswered
	}
	p := buffers.Get().(*[]byte)
	defer buffers.Put(p)
	for err == nil { // to its end, so that the server can finish, and the connection be used again
		_, err = res.Read(*p)
	}
}
