package gateway

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

// handle is the life of a call. A unary call is finished here; a stream's
// body finishes it when its last byte, or its failure, has gone out.
func (g *Gateway) handle(rc *fasthttp.RequestCtx) {
	c := g.newCall(rc)
	defer func() {
		if r := recover(); r != nil {
			c.g.log.Error("panic in a call", "call", c.entry.Call, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			c.stream = nil
			c.fail(&schema.Error{Code: schema.CodeInternal, Status: 500, Origin: schema.OriginGateway, Message: "internal error"})
		}
		if c.stream == nil {
			c.finish()
		}
	}()
	if err := g.dispatch(c); err != nil {
		c.failPrompt(err)
	}
}

// dispatch finds what is served at the call's path.
func (g *Gateway) dispatch(c *Call) error {
	c.speaks = dialectOf(c.from.path)
	switch c.from.path {
	case "/v1/chat/completions":
		return c.post(func() error { return c.serveModel(schema.OpChat) })
	case "/v1/embeddings":
		return c.post(func() error { return c.serveModel(schema.OpEmbed) })
	case "/v1/models":
		return c.get(c.serveModels)
	case "/v1/usage":
		return c.get(c.serveUsage)
	case "/healthz", "/livez":
		return c.get(c.serveLive)
	case "/readyz":
		return c.get(c.serveReady)
	}
	if id, ok := strings.CutPrefix(c.from.path, "/v1/models/"); ok && id != "" {
		return c.get(func() error { return c.serveOneModel(id) })
	}
	if c.speaks == nil {
		live, err := c.findPrompt()
		if err != nil {
			return err
		}
		c.prompt = live
		return c.servePrompt()
	}
	return errNotFound(c.from.path)
}

// dialectOf is the dialect in which a path's errors are written; nil stands
// for problem+json.
func dialectOf(path string) *dialect.Dialect {
	if path == "/v1" || strings.HasPrefix(path, "/v1/") {
		return &openai.Dialect
	}
	return nil
}

func (c *Call) post(serve func() error) error {
	if c.from.method != fasthttp.MethodPost {
		c.rc.Response.Header.Set("Allow", "POST")
		return errMethod(c, "POST")
	}
	return serve()
}

func (c *Call) get(serve func() error) error {
	if c.from.method != fasthttp.MethodGet && c.from.method != fasthttp.MethodHead {
		c.rc.Response.Header.Set("Allow", "GET")
		return errMethod(c, "GET")
	}
	return serve()
}

func sprintf(format string, args []any) string { return fmt.Sprintf(format, args...) }
