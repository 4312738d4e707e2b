package gateway

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/providers"
	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/upstream"
)

// keyProtocol begins the subprotocol with which browsers, which cannot set
// headers, send their key (OpenAI's guide to realtime over WebSocket, read
// 2026-11-24). Two more name an account, which is the provider's own here.
const keyProtocol = "openai-insecure-api-key."

var accountProtocols = []string{"openai-organization.", "openai-project."}

// handshake is what a caller's request for a WebSocket holds.
type handshake struct {
	key       string   // Sec-WebSocket-Key
	protocols []string // that are passed on
}

// serveRealtime opens a session: it authenticates the caller, asks the provider
// for a WebSocket of its own, and gives both to a relay, which finishes the
// call. Until then every fault is a plain HTTP answer.
func (c *Call) serveRealtime() error {
	shake, err := c.handshake()
	if err != nil {
		return err
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	model := string(c.rc.QueryArgs().Peek("model"))
	if model == "" {
		return schema.Invalid("model", "the query must name a model: ?model=…")
	}
	c.passed = &passedBody{passing: passing{op: schema.OpRealtime}, head: schema.Head{Model: model, N: 1}}
	c.req = providers.Request{Op: schema.OpRealtime, Client: c.speaks, Head: c.passed.head}
	e := &c.entry
	e.Operation, e.Model, e.Stream = schema.OpRealtime.String(), label(model), true
	e.Tags = labels(splitTags(c.rc.Request.Header.Peek("X-Sluice-Tags")))
	if err := c.choose(model); err != nil {
		return err
	}
	if err := c.admit(); err != nil {
		return err
	}
	if c.from.guards != nil {
		return errUnguarded(c.model.Name, "serves no realtime sessions")
	}
	c.ctx, c.until.stop = context.WithCancel(c.g.ctx)
	host, err := c.dialRealtime(shake)
	if err != nil {
		return err
	}
	c.hijack(shake, host)
	return nil
}

// handshake reads the request for a WebSocket, and takes the key out of its
// subprotocols.
func (c *Call) handshake() (handshake, error) {
	h := &c.rc.Request.Header
	shake := handshake{key: string(h.Peek("Sec-Websocket-Key"))}
	if !strings.EqualFold(string(h.Peek("Upgrade")), "websocket") || string(h.Peek("Sec-Websocket-Version")) != "13" || shake.key == "" {
		return shake, &schema.Error{Code: schema.CodeInvalidRequest, Status: fasthttp.StatusUpgradeRequired, Origin: schema.OriginGateway,
			Class: schema.ClassInvalidRequest, Message: "this is a WebSocket: ask for an upgrade to it, version 13"}
	}
	for _, line := range h.PeekAll("Sec-Websocket-Protocol") {
		for p := range strings.SplitSeq(string(line), ",") {
			p = strings.TrimSpace(p)
			key, is := strings.CutPrefix(p, keyProtocol)
			switch {
			case is && len(h.Peek("Authorization")) == 0:
				h.Set("Authorization", "Bearer "+key)
			case is, p == "", slices.ContainsFunc(accountProtocols, func(begin string) bool { return strings.HasPrefix(p, begin) }):
			default:
				shake.protocols = append(shake.protocols, p)
			}
		}
	}
	return shake, nil
}

// dialRealtime tries targets until one opens a session.
func (c *Call) dialRealtime(shake handshake) (*upstream.Tunnel, error) {
	query := url.Values{}
	for k, v := range c.rc.QueryArgs().All() {
		if name := string(k); name != "key" {
			query.Set(name, string(v))
		}
	}
	host, err := route(c, true, func(p *providers.Provider, ctx context.Context, call *providers.Call) (*upstream.Tunnel, error) {
		query.Set("model", call.Model)
		if beta := c.rc.Request.Header.Peek("Openai-Beta"); len(beta) > 0 {
			call.Header = append(call.Header, dialect.Field{Name: "OpenAI-Beta", Value: string(beta)})
		}
		return p.Realtime(ctx, call, "/realtime?"+query.Encode(), strings.Join(shake.protocols, ", "))
	})
	if err != nil {
		return nil, err
	}
	c.entry.TTFT = time.Since(c.now)
	return host, nil
}

// hijack takes the connection from the server. The answer to the handshake is
// written by the session: the server might close the connection instead.
func (c *Call) hijack(shake handshake, host *upstream.Tunnel) {
	chosen := host.Protocol
	if chosen == "" && len(shake.protocols) > 0 { // browsers insist on one
		chosen = shake.protocols[0]
	}
	head := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		upstream.AcceptKey(shake.key) + "\r\nX-Request-Id: " + c.entry.RequestID + "\r\n"
	if slices.Contains(shake.protocols, chosen) {
		head += "Sec-WebSocket-Protocol: " + chosen + "\r\n"
	}
	c.entry.Status = fasthttp.StatusSwitchingProtocols
	c.session = &session{c: c, host: host, head: head + "\r\n"}
	c.take(c.session)
}

// take lets a session have the connection once the server lets go of it.
func (c *Call) take(s *session) {
	if conn := own(c.rc.Conn()); conn != nil {
		s.conn = conn
		conn.session.Store(s)
	}
	c.rc.HijackSetNoResponse(true)
	c.rc.Hijack(s.run)
}
