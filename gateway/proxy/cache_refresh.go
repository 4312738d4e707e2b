package proxy

import (
	"context"
	"io"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/gateway/httpcache"
	"sluice/providers/schema"
	"sluice/router"
)

// take has all of a streamed answer's body in memory, if it holds no more than
// most bytes; false: it does not, and goes on as a stream, or it broke. 0 gives
// the answer up.
func (x *Exchange) take(most int) bool {
	if !x.streams {
		return len(x.RC.Response.Body()) <= most
	}
	a, r := x.answer, &x.RC.Response
	if most == 0 {
		x.GiveUp(nil)
		return false
	}
	body := make([]byte, 0, max(min(r.Header.ContentLength(), most), 0)+512)
	if r.Header.ContentLength() > most {
		return false
	}
	for len(body) <= most {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := a.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			a.x = nil // the stream that is given up here must not end the exchange
			x.Ended(nil)
			x.drop()
			x.streams, r.ImmediateHeaderFlush = false, false
			r.SetBodyRaw(body)
			return true
		}
		if err != nil {
			break
		}
	}
	a.read = body
	return false
}

// refreshTime bounds a request that is made for a cache alone.
const refreshTime = 2 * time.Minute

// refresh asks the backend anew for what is stale, once, while the caller has
// its answer already.
func (v *visit) refresh() {
	flight, leads := v.Store.Join(&v.place, v.vary(), &v.x.RC.Request.Header)
	if !leads {
		return
	}
	rc := new(fasthttp.RequestCtx)
	rc.Init(&v.x.RC.Request, v.x.RC.RemoteAddr(), nil)
	x := NewExchange()
	if err := x.Path.Normalise(v.x.Path.Sent); err != nil { // it was normal before
		x.Release()
		v.Store.End(flight, nil, false)
		return
	}
	x.RC, x.Route, x.Method, x.Now, x.IP, x.From, x.Caller = rc, v.x.Route, v.x.Method, time.Now(), v.x.IP, v.x.From, v.x.Caller
	x.Query, x.Plan = append([]byte(nil), v.x.Query...), new(router.Plan)
	x.Arm = v.x.Arm
	x.From.Idle = 0 // there is no connection
	own := &visit{cacher: v.cacher, x: x, ask: v.ask, place: v.place, all: v.all, found: v.found}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), refreshTime)
		defer cancel()
		defer x.Release()
		defer func() {
			if what := recover(); what != nil {
				v.Recovered(what)
			}
		}()
		defer v.Store.End(flight, nil, true)
		x.Edge = alone{ctx}
		if e := own.further(flight); e != nil && own.ask.May(e, time.Now()) == httpcache.Give {
			return // another replica has asked
		}
		own.condition(&rc.Request.Header)
		if err := own.next(x); err == nil {
			own.keep(x, flight, time.Now())
		}
		x.GiveUp(nil)
		x.Plan.Reset()
	}()
}

// alone is the edge of an exchange that no caller waits for.
type alone struct{ ctx context.Context }

// Context ends when the time for it is over.
func (a alone) Context() context.Context { return a.ctx }

// Key finds nobody: who may ask was asked before.
func (alone) Key() (Caller, error) {
	return Caller{}, &schema.Error{Code: schema.CodeInternal, Status: 500, Origin: schema.OriginGateway, Message: "a request without a caller has no key"}
}

// Admit counts nobody again.
func (alone) Admit(*Caller) error { return nil }

// Tried notes nothing: the router has.
func (alone) Tried(Try) {}

// Over ends nothing.
func (alone) Over(error) {}

// Switch is never called: what is kept is no connection.
func (alone) Switch(t Tunnel, _ []byte) { _ = t.Close() }
