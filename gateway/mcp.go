package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/tidwall/gjson"
	"github.com/valyala/fasthttp"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// serveMCP speaks the Model Context Protocol (modelcontextprotocol.io, read
// 2026-11) in its streamable HTTP transport, without sessions: every message is
// a POST and every answer is JSON. The caller's prompts are tools and prompts;
// those that it may not call are not there. A tool's call is a call of the
// prompt like any other.
func (c *Call) serveMCP() error {
	if err := c.identify(); err != nil {
		return err
	}
	list := c.visible()
	if len(list) == 0 && c.caller == c.snap.Public {
		return c.authenticate() // says that a key is missing
	}
	if c.caller == c.snap.Public && c.foreignOrigin() {
		return &schema.Error{Code: schema.CodePermissionDenied, Status: fasthttp.StatusForbidden, Origin: schema.OriginPolicy,
			Message: "a page of another origin needs a key"}
	}
	if err := c.deadline(); err != nil {
		return err
	}
	server := mcp.NewServer(&mcp.Implementation{Name: "sluice", Version: "1"},
		&mcp.ServerOptions{Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}, Prompts: &mcp.PromptCapabilities{}}})
	// The protocol's goroutines may outlive the call, so they get an errand and
	// never the call itself.
	desk := mcpDesk{c.g, c.errand(c.ctx)}
	for _, p := range list {
		desk.addTool(server, p)
		desk.addPrompt(server, p)
	}
	err := c.bridge(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true, MaxRequestBodyBytes: c.snap.Settings.BodyLimit}))
	if err == nil {
		c.mcpRefusal()
	}
	return err
}

// Error codes of JSON-RPC 2.0.
const (
	rpcNotJSON  = -32700
	rpcInvalid  = -32600
	rpcNoMethod = -32601
)

// mcpRefusal puts a refusal that the protocol's library writes as bare text into
// the words of JSON-RPC. A request whose method nobody has was understood: its
// answer is one like any other (transports, sending messages to the server).
func (c *Call) mcpRefusal() {
	r := &c.rc.Response
	if r.StatusCode() != fasthttp.StatusBadRequest || !bytes.HasPrefix(r.Header.ContentType(), []byte("text/plain")) {
		return
	}
	raw, text := c.rc.PostBody(), strings.TrimSpace(string(r.Body()))
	code, id := rpcNotJSON, "null"
	if wire.Valid(raw) {
		code = rpcInvalid
		if v := gjson.GetBytes(raw, "id"); v.Type == gjson.String || v.Type == gjson.Number {
			id = strings.Clone(v.Raw)
		}
		if strings.HasPrefix(text, "JSON RPC not handled") {
			code = rpcNoMethod
			if id != "null" {
				r.SetStatusCode(fasthttp.StatusOK)
			}
		}
	}
	b := append(append([]byte(`{"jsonrpc":"2.0","id":`), id...), `,"error":{"code":`...)
	b = wire.AppendString(append(strconv.AppendInt(b, int64(code), 10), `,"message":`...), text)
	r.Header.SetContentType("application/json")
	r.SetBodyRaw(append(b, "}}"...))
}

// foreignOrigin tells whether a browser's page that is not ours sent the call:
// what a page may do to a gateway on its reader's machine, it may do with a key
// alone (DNS rebinding).
func (c *Call) foreignOrigin() bool {
	origin := string(c.rc.Request.Header.Peek("Origin"))
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != string(c.rc.Host())
}

// bridge has a net/http handler answer the call, in memory: for handlers whose
// answers are small and whole.
func (c *Call) bridge(h http.Handler) error {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	u := url.URL{Scheme: "http", Host: string(c.rc.Host()), Path: c.from.path, RawQuery: string(c.rc.URI().QueryString())}
	r, err := http.NewRequestWithContext(ctx, c.from.method, u.String(), bytes.NewReader(bytes.Clone(c.rc.PostBody())))
	if err != nil {
		return schema.Invalid("", "the request cannot be read: %v", err)
	}
	r.RemoteAddr = c.from.ip
	if _, trusted := c.peer(); c.rc.IsTLS() || trusted && string(c.rc.Request.Header.Peek("X-Forwarded-Proto")) == "https" {
		r.TLS = &tls.ConnectionState{} // that it is encrypted, for cookies and addresses
	}
	for k, v := range c.rc.Request.Header.All() {
		r.Header.Add(string(k), string(v))
	}
	w := &memoryWriter{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(w, r)
	if c.left() {
		return c.ended(ctx.Err())
	}
	c.commonHeaders()
	out := &c.rc.Response
	for name, values := range w.header {
		for i, v := range values {
			if i == 0 {
				out.Header.Set(name, v)
			} else {
				out.Header.Add(name, v)
			}
		}
	}
	out.SetStatusCode(w.status)
	out.SetBodyRaw(w.body.Bytes())
	return nil
}

// memoryWriter is an http.ResponseWriter that keeps what is written.
type memoryWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is the answer's header.
func (w *memoryWriter) Header() http.Header { return w.header }

// WriteHeader sets the status.
func (w *memoryWriter) WriteHeader(status int) { w.status = status }

// Write adds to the body.
func (w *memoryWriter) Write(p []byte) (int, error) { return w.body.Write(p) }

// Flush does nothing: the answer goes out whole.
func (w *memoryWriter) Flush() {}
