package gateway

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/gemini"
	"sluice/providers/openai"
	"sluice/providers/responses"
	"sluice/providers/schema"
)

// handle is the life of a call. A unary call is finished here; a stream's
// body finishes it when its last byte, or its failure, has gone out.
func (g *Gateway) handle(rc *fasthttp.RequestCtx) {
	c := g.newCall(rc)
	c.joinTrace()
	defer func() {
		if r := recover(); r != nil {
			c.g.log.Error("panic in a call", "call", c.entry.Call, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			if s := c.stream; s != nil { // which is given up with the answer, and must not finish the call then
				s.c, c.stream = nil, nil
				_ = s.from.Close()
			}
			c.from.route.GiveUp(errInternal())
			c.fail(errInternal())
		}
		if c.stream == nil && c.session == nil && !c.from.route.Held() {
			c.finish()
		}
	}()
	if err := c.dispatch(); err != nil {
		c.fail(err)
	}
}

// endpoint is what is served at a path of its own.
type endpoint struct {
	method string
	speaks *dialect.Dialect // of the answers and errors; nil: problem+json
	serve  func(*Call) error
}

// endpoints are those with a fixed path; see also dispatch.
var endpoints = map[string]endpoint{
	"/v1/chat/completions":      {"POST", &openai.Dialect, serving(schema.OpChat)},
	"/v1/completions":           {"POST", &openai.Completions, serving(schema.OpChat)},
	"/v1/responses":             {"POST", &responses.Dialect, (*Call).serveResponses},
	"/v1/embeddings":            {"POST", &openai.Dialect, serving(schema.OpEmbed)},
	"/v1/realtime":              {"GET", &openai.Dialect, (*Call).serveRealtime},
	"/v1/rerank":                {"POST", &openai.Dialect, serving(schema.OpRerank)},
	"/v1/models":                {"GET", &openai.Dialect, (*Call).serveModels},
	"/v1/usage":                 {"GET", &openai.Dialect, (*Call).serveUsage},
	"/v1/messages":              {"POST", &anthropic.Dialect, serving(schema.OpChat)},
	"/v1/messages/count_tokens": {"POST", &anthropic.Dialect, serving(schema.OpCount)},
	"/v1beta/models":            {"GET", &gemini.Dialect, (*Call).serveModels},
	"/mcp":                      {"POST", nil, (*Call).serveMCP},
	"/openapi.json":             {"GET", nil, (*Call).serveOpenAPI},
	"/healthz":                  {"GET", nil, (*Call).serveLive},
	"/livez":                    {"GET", nil, (*Call).serveLive},
	"/readyz":                   {"GET", nil, (*Call).serveReady},
}

func serving(op schema.Operation) func(*Call) error {
	return func(c *Call) error { return c.serveModel(op, "") }
}

// dispatch finds what is served at the call's path.
func (c *Call) dispatch() error {
	path := c.from.path
	e, ok := endpoints[path]
	if fault := malformed(&c.rc.Request.Header); fault != nil {
		c.speaks = dialectOf(path)
		c.from.closes = true
		return fault
	}
	if !ok && inPortal(path) && c.g.portal.Load() != nil {
		return c.servePortal()
	}
	if !ok && c.snap.routes != nil && !c.claims(path) {
		if found, err := c.serveRoute(); found {
			return err
		}
	}
	if err := c.takeBody(); err != nil {
		if c.speaks = dialectOf(path); c.speaks == nil {
			c.prompt, _, _ = c.promptAt()
		}
		return err
	}
	c.capture()
	if ok {
		c.speaks = e.speaks
		return c.allow(e.method, e.serve)
	}
	c.speaks = dialectOf(path)
	if rest, ok := strings.CutPrefix(path, "/v1beta/models/"); ok {
		return c.serveGemini(rest)
	}
	if id, ok := strings.CutPrefix(path, "/v1/responses/"); ok && id != "" {
		return c.dispatchResponse(id)
	}
	if id, ok := strings.CutPrefix(path, jobPath); ok && id != "" {
		return c.allow("GET", func(c *Call) error { return c.serveJob(id) })
	}
	if rest, ok := strings.CutPrefix(path, promptsPath); ok {
		return c.allow("POST", func(c *Call) error { return c.servePortkey(rest) })
	}
	if methods := passingsAt(path); methods != nil {
		return c.servePassing(methods)
	}
	if id, ok := strings.CutPrefix(path, "/v1/models/"); ok && id != "" {
		return c.allow("GET", func(c *Call) error { return c.serveOneModel(id) })
	}
	if c.speaks == nil {
		live, version, err := c.findPrompt()
		if err != nil {
			return err
		}
		c.prompt = live
		return c.servePrompt(version)
	}
	return errNotFound(path)
}

// dispatchResponse is a call below /v1/responses/.
func (c *Call) dispatchResponse(rest string) error {
	id, below, nested := strings.Cut(rest, "/")
	switch {
	case nested && below == "input_items":
		return c.allow("GET", func(c *Call) error { return c.serveInputItems(id) })
	case nested:
		return errNotFound(c.from.path)
	case c.from.method == "DELETE":
		return c.allow("DELETE", func(c *Call) error { return c.serveKeptResponse(id) })
	}
	return c.allow("GET", func(c *Call) error { return c.serveKeptResponse(id) })
}

// dialectOf is the dialect in which a path's errors are written; nil stands
// for problem+json.
func dialectOf(path string) *dialect.Dialect {
	switch {
	case path == "/v1/messages" || strings.HasPrefix(path, "/v1/messages/"):
		return &anthropic.Dialect
	case path == "/v1" || strings.HasPrefix(path, "/v1/"):
		return &openai.Dialect
	case path == "/v1beta" || strings.HasPrefix(path, "/v1beta/"):
		return &gemini.Dialect
	}
	return nil
}

// allow serves calls with the path's method; HEAD is a GET without its body.
func (c *Call) allow(method string, serve func(*Call) error) error {
	m := c.from.method
	if m != method && (method != fasthttp.MethodGet || m != fasthttp.MethodHead) {
		return errMethod(c, method)
	}
	return serve(c)
}

func sprintf(format string, args []any) string { return fmt.Sprintf(format, args...) }
