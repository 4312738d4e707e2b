package proxy

import (
	"bytes"
	"mime"
	"net/url"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/gateway/cel"
	"sluice/gateway/reshape"
	"sluice/prompts/ordered"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// Lines are changes of headers, or of the query. In values {name} stands for a
// parameter of the route's path.
type Lines struct {
	Set, Add []Condition
	Remove   []string
}

func (l *Lines) empty() bool { return len(l.Set)+len(l.Add)+len(l.Remove) == 0 }

// Change is what a route makes of requests, or of answers.
type Change struct {
	Headers  Lines
	Query    Lines       // of requests
	Path     string      // of requests, in place of theirs; {name} is a parameter, {**} what ** stood for. Empty: theirs
	Status   map[int]int // of answers
	Body     *BodyChange // nil: it passes as it comes
	Compress []string    // of answers: codings, the best first
}

// BodyChange is what is made of a body, in this order.
type BodyChange struct {
	FromXML bool
	Lists   []string // elements that are lists though there be one
	Edit    reshape.Edit
	Expr    *cel.Program // nil: none
	ToXML   bool
	Root    string // of the XML
}

// Request changes requests on their way to the backend.
func (c *Change) Request() Step {
	needed := c.ofCaller()
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			for _, name := range needed {
				if err := x.Caller.fits(name); err != nil {
					return err
				}
			}
			if c.Body != nil {
				if err := c.Body.request(x); err != nil {
					return err
				}
			}
			if c.Path != "" {
				x.ask.path = []byte(x.fill(c.Path, asSent))
			}
			if !c.Query.empty() {
				x.Query = c.query(x)
			}
			h := &x.RC.Request.Header
			for _, name := range c.Headers.Remove {
				h.Del(name)
			}
			for _, l := range c.Headers.Set {
				h.Set(l.Name, x.fill(l.Value, asText))
			}
			for _, l := range c.Headers.Add {
				h.Add(l.Name, x.fill(l.Value, asText))
			}
			return next(x)
		}
	}
}

func (c *Change) query(x *Exchange) []byte {
	var args fasthttp.Args
	args.ParseBytes(x.Query)
	for _, name := range c.Query.Remove {
		args.Del(name)
	}
	for _, l := range c.Query.Set {
		args.Del(l.Name)
		args.Set(l.Name, x.fill(l.Value, asText))
	}
	for _, l := range c.Query.Add {
		args.Add(l.Name, x.fill(l.Value, asText))
	}
	return args.QueryString()
}

// asSent is a parameter as it stands in the path, asText what it means.
func asSent(segment []byte) string { return string(segment) }

func asText(segment []byte) string {
	text, err := url.PathUnescape(string(segment))
	if err != nil { // it was made normal
		return string(segment)
	}
	return text
}

// fill puts the parameters of the path in their places.
func (x *Exchange) fill(text string, as func([]byte) string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	var pairs []string
	for _, name := range x.Route.Params() {
		pairs = append(pairs, "{"+name+"}", as(x.Route.Param(name, &x.Path)))
	}
	if strings.Contains(text, "{**}") {
		rest, below := x.Path.Sent, false
		for range len(x.Route.own()) + 1 {
			_, rest, below = bytes.Cut(rest, []byte{'/'})
		}
		if !below { // nothing stands for it, nor for the slash before it
			pairs = append(pairs, "/{**}", "")
		}
		pairs = append(pairs, "{**}", as(rest))
	}
	if strings.Contains(text, "{caller.") {
		for _, name := range callerPlaces {
			pairs = append(pairs, "{"+name+"}", as([]byte(url.PathEscape(x.Caller.value(name)))))
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Response changes answers on their way to the caller.
func (c *Change) Response() Step {
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			in := &x.RC.Request.Header
			accept := string(in.Peek("Accept-Encoding"))
			if c.Body != nil { // it is looked into, and of all of it
				in.Del("Accept-Encoding")
				in.Del("Range")
			}
			if err := next(x); err != nil || x.switched {
				return err
			}
			return c.answer(x, accept)
		}
	}
}

func (c *Change) answer(x *Exchange, accept string) error {
	r := &x.RC.Response
	if to, ok := c.Status[r.StatusCode()]; ok {
		r.SetStatusCode(to)
		if to == fasthttp.StatusNoContent || to == fasthttp.StatusNotModified {
			x.takeBack(nil)
			r.ResetBody()
			r.Header.Del("Content-Type")
			r.Header.SetNoDefaultContentType(true)
		}
	}
	if c.Body != nil {
		if err := c.Body.answer(x); err != nil {
			return err
		}
	}
	for _, name := range c.Headers.Remove {
		r.Header.Del(name)
	}
	for _, l := range c.Headers.Set {
		r.Header.Set(l.Name, x.fill(l.Value, asText))
	}
	for _, l := range c.Headers.Add {
		r.Header.Add(l.Name, x.fill(l.Value, asText))
	}
	if len(c.Compress) > 0 {
		compress(x, c.Compress, accept)
	}
	return nil
}

// request changes a request's body: whatever its type is said to be, for by
// another type nobody shall get past.
func (c *BodyChange) request(x *Exchange) error {
	h := &x.RC.Request.Header
	body, err := x.plainBody()
	if err != nil || len(body) == 0 {
		return err
	}
	fromXML := c.FromXML && isXML(string(h.ContentType()))
	made, kind, err := c.change(x, body, c.Expr, fromXML, c.ToXML)
	if err != nil {
		code := schema.CodeInvalidRequest
		if !fromXML && !wire.Valid(body) {
			code = schema.CodeInvalidJSON
		}
		return &schema.Error{Code: code, Status: fasthttp.StatusBadRequest, Origin: schema.OriginGateway, Class: schema.ClassCancelled,
			Message: "the body cannot be transformed: " + err.Error(), Cause: err}
	}
	x.replaceBody(made)
	h.SetContentType(kind)
	return nil
}

// answer changes the body of what the backend says, if it is of a type that
// can be changed.
func (c *BodyChange) answer(x *Exchange) error {
	r := &x.RC.Response
	kind := string(r.Header.ContentType())
	fromXML, toXML := c.FromXML && isXML(kind), c.ToXML
	if c.FromXML || c.ToXML {
		r.Header.Add("Vary", "Accept")
		wants := string(x.RC.Request.Header.Peek("Accept"))
		fromXML = fromXML && !prefersXML(wants, false)
		toXML = toXML && prefersXML(wants, true)
	}
	expr := c.Expr
	if status := r.StatusCode(); status < 200 || status > 299 {
		expr = nil // which is about what the backend gives, not about why it does not
	}
	if !fromXML && (!isJSON(kind) || !toXML && expr == nil && c.Edit.Empty()) {
		return nil
	}
	if x.RC.IsHead() { // there is nothing to change, but its length is not what it will be
		x.RC.Response.Header.Del("Content-Length")
		weaken(&r.Header)
	}
	if !x.hasBody() {
		return nil
	}
	body, err := x.wholeAnswer()
	if err != nil || len(body) == 0 {
		return err
	}
	made, kind, err := c.change(x, body, expr, fromXML, toXML)
	if err != nil {
		e := badAnswer("cannot be transformed: " + err.Error())
		e.Cause = err
		return e
	}
	x.replaceAnswer(made)
	r.Header.SetContentType(kind)
	return nil
}

// change makes the new body, and tells its type.
func (c *BodyChange) change(x *Exchange, body []byte, expr *cel.Program, fromXML, toXML bool) (made []byte, kind string, err error) {
	var v any
	if fromXML {
		v, err = reshape.FromXML(body, c.Lists)
	} else {
		v, err = ordered.Decode(body)
	}
	if err == nil {
		v, err = c.Edit.Apply(v)
	}
	if err != nil {
		return nil, "", err
	}
	if expr != nil {
		vars := x.Vars()
		vars.Response = cel.Response{Status: x.RC.Response.StatusCode(), Headers: headersOf{&x.RC.Response.Header}}
		vars.Body = celValue(v)
		given, err := expr.Value(vars)
		if err != nil {
			return nil, "", err
		}
		if v, err = fromGo(given); err != nil {
			return nil, "", err
		}
	}
	if toXML {
		made, err = reshape.ToXML(v, c.Root)
		return made, "application/xml; charset=utf-8", err
	}
	return ordered.Append(nil, v), "application/json", nil
}

func mediaType(contentType string) string {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind
}

func isJSON(contentType string) bool {
	kind := mediaType(contentType)
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

func isXML(contentType string) bool {
	kind := mediaType(contentType)
	return kind == "application/xml" || kind == "text/xml" || strings.HasSuffix(kind, "+xml")
}

// prefersXML tells whether a caller would rather have XML than JSON; equal says
// what it would if it has said nothing of either, or likes both as much.
func prefersXML(accept string, equal bool) bool {
	ofXML := max(quality(accept, "application/xml"), quality(accept, "text/xml"))
	ofJSON := quality(accept, "application/json")
	return ofXML > ofJSON || equal && ofXML == ofJSON
}

// quality is how well a caller likes a media type (RFC 9110, section 12.5.1), 1
// if it does not say.
func quality(accept, kind string) float64 {
	if strings.TrimSpace(accept) == "" {
		return 1
	}
	group, _, _ := strings.Cut(kind, "/")
	rank, q := -1, 0.0
	for item := range strings.SplitSeq(accept, ",") {
		name, params, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		if at := slices.Index([]string{"*/*", group + "/*", kind}, name); at > rank {
			rank, q = at, qvalue(params["q"])
		}
	}
	return q
}
