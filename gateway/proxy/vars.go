package proxy

import (
	"iter"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/gateway/auth"
	"sluice/gateway/cel"
)

// Vars is what an expression may know of the exchange, but for body and
// response, which are the step's to fill in.
func (x *Exchange) Vars() *cel.Vars {
	c := &x.Caller
	v := &cel.Vars{
		Caller: cel.Caller{Team: c.Team, Key: c.Key, User: c.User, Roles: c.Roles, Scopes: c.Scopes, Claims: c.Claims, IP: x.IP},
		Request: cel.Request{Method: x.Method, Path: string(x.Path.Match), Host: string(appendHost(nil, x.RC.Host())),
			Headers: headersOf{&x.RC.Request.Header}, Query: queryOf{x.RC.QueryArgs()}, Params: paramsOf{x}},
		Now: x.Now,
	}
	if x.From.TLS {
		v.Caller.Cert = auth.Presented(x.RC.TLSConnectionState())
	}
	return v
}

// headersOf finds headers of a request or an answer.
type headersOf struct {
	h interface {
		Peek(name string) []byte
		All() iter.Seq2[[]byte, []byte]
	}
}

// Find is the first line of a name.
func (l headersOf) Find(name string) (string, bool) {
	value := l.h.Peek(name)
	return string(value), value != nil
}

// Names are in lower case.
func (l headersOf) Names() []string {
	var names []string
	seen := map[string]bool{}
	for name := range l.h.All() {
		if lower := strings.ToLower(string(name)); !seen[lower] {
			seen[lower] = true
			names = append(names, lower)
		}
	}
	return names
}

// queryOf finds parameters of the query.
type queryOf struct{ args *fasthttp.Args }

// Find is the first value of a name.
func (l queryOf) Find(name string) (string, bool) {
	return string(l.args.Peek(name)), l.args.Has(name)
}

// Names are as they were sent.
func (l queryOf) Names() []string {
	var names []string
	seen := map[string]bool{}
	for name := range l.args.All() {
		if !seen[string(name)] {
			seen[string(name)] = true
			names = append(names, string(name))
		}
	}
	return names
}

// paramsOf finds parameters of the route's path.
type paramsOf struct{ x *Exchange }

// Find is a segment of the path, its escapes read.
func (l paramsOf) Find(name string) (string, bool) {
	raw := l.x.Route.Param(name, &l.x.Path)
	if raw == nil {
		return "", false
	}
	text, err := url.PathUnescape(string(raw))
	return text, err == nil
}

// Names are those of the route's path.
func (l paramsOf) Names() []string { return l.x.Route.Params() }
