package proxy

import (
	"io"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/providers/schema"
	"sluice/providers/upstream"
	"sluice/router"
)

// Tunnel is a connection to a target that has switched to WebSocket frames.
type Tunnel interface {
	io.ReadWriteCloser
}

// isSwitch tells whether a request asks for a WebSocket. No other protocol is
// switched to: an upgrade to HTTP/2 would lead past every rule.
func isSwitch(rc *fasthttp.RequestCtx) bool {
	h := &rc.Request.Header
	upgrade := h.Peek("Upgrade")
	if len(upgrade) == 0 || !rc.IsGet() || !h.IsHTTP11() {
		return false
	}
	_, ours := cutFold(upgrade, "websocket")
	return ours && len(upgrade) == len("websocket") && named(h.PeekAll("Connection"), []byte("Upgrade"))
}

// serveSwitch asks the targets for a WebSocket.
func (h *HTTP) serveSwitch(x *Exchange) error {
	x.ask.head = append(x.ask.head, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
	var tunnel *upstream.Tunnel
	err := x.Plan.Do(h.context(x), func(a *router.Attempt) (err error) {
		x.drop()
		t, q := a.Candidate.Payload.(*target), h.request(x)
		if t.sign != nil {
			if err := t.sign(x.Edge.Context(), &q, nil); err != nil {
				return err
			}
		}
		began := time.Now()
		var res *upstream.Response
		if tunnel, res, err = t.client.Switch(x.Edge.Context(), &q); err != nil {
			x.Edge.Tried(Try{Target: t.url, Err: err, Took: time.Since(began)})
			return h.final(x, &q, schema.AsError(err))
		}
		x.said = answer{x: x, res: res, from: t}
		x.answer = &x.said
		x.Edge.Tried(Try{Target: t.url, Status: res.Status, Took: time.Since(began)})
		a.Late()
		x.attempt = a
		return nil
	})
	switch {
	case err != nil:
		return h.fail(x, err)
	case tunnel == nil: // it was answered otherwise
		return x.answer.send()
	}
	head := append([]byte("HTTP/1.1 101 "), fasthttp.StatusMessage(101)...)
	head = append(head, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"...)
	var passed fasthttp.ResponseHeader
	takeHeaders(&passed, x.answer.res.Head(), x.answer.from)
	for name, value := range passed.All() {
		head = appendLine(head, name, value)
	}
	if x.Fallback != "" {
		head = appendLine(head, []byte(headerFallback), []byte(x.Fallback))
	}
	x.drop()
	x.switched = true
	x.RC.SetStatusCode(101)
	x.Edge.Switch(tunnel, append(head, '\r', '\n'))
	return nil
}

// Ended tells how the attempt went whose tunnel has ended; nil: well.
func (x *Exchange) Ended(err error) {
	if x.attempt != nil {
		x.attempt.Done(err)
		x.attempt = nil
	}
}

func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
