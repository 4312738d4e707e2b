package proxy

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/gateway/cel"
	"sluice/prompts/ordered"
)

// vars are what an expression is told of an exchange.
func (x *Exchange) vars() *cel.Vars {
	v := &cel.Vars{Now: x.Now, Caller: cel.Caller{Team: x.Caller.Team, Key: x.Caller.Key, User: x.Caller.User, IP: x.IP}}
	v.Request = cel.Request{Method: x.Method, Path: string(x.Path.Match), Host: string(appendHost(nil, x.RC.Host())),
		Headers: headersOf{&x.RC.Request.Header}, Query: queryOf{x.RC.QueryArgs()}, Params: paramsOf{x}}
	v.Response = cel.Response{Status: x.RC.Response.StatusCode(), Headers: headersOf{&x.RC.Response.Header}}
	return v
}

// headersOf are the headers of a request or of an answer.
type headersOf struct {
	h interface {
		Peek(string) []byte
		PeekKeys() [][]byte
	}
}

// Find is the first value of a header.
func (h headersOf) Find(name string) (string, bool) {
	value := h.h.Peek(name)
	return string(value), value != nil
}

// Names are those of all headers, in lower case.
func (h headersOf) Names() []string {
	var names []string
	for _, name := range h.h.PeekKeys() {
		names = append(names, strings.ToLower(string(name)))
	}
	return names
}

// queryOf are the parameters of a query.
type queryOf struct{ args *fasthttp.Args }

// Find is the first value of a parameter.
func (q queryOf) Find(name string) (string, bool) { return string(q.args.Peek(name)), q.args.Has(name) }

// Names are those of all parameters.
func (q queryOf) Names() []string {
	var names []string
	seen := map[string]bool{}
	for name := range q.args.All() {
		if !seen[string(name)] {
			seen[string(name)] = true
			names = append(names, string(name))
		}
	}
	return names
}

// paramsOf are the parameters of a route's path.
type paramsOf struct{ x *Exchange }

// Find is the value of a parameter.
func (p paramsOf) Find(name string) (string, bool) {
	value := p.x.Route.Param(name, &p.x.Path)
	return asText(value), value != nil
}

// Names are those of the route's pattern.
func (p paramsOf) Names() []string { return p.x.Route.Params() }

// exact is the largest whole number up to which floats hold each one.
const exact = 1 << 53

// celValue is a value as expressions reckon with it: numbers are floats, but
// whole ones that a float would not hold.
func celValue(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(string(v), 10, 64); err == nil && (i > exact || i < -exact) {
			return i
		}
		f, _ := v.Float64() // beyond all floats: infinity, which no JSON is made of
		return f
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = celValue(v[i])
		}
		return list
	case ordered.Object:
		m := make(map[string]any, len(v))
		for i := range v {
			m[v[i].Key] = celValue(v[i].Value)
		}
		return m
	}
	return v
}

// fromGo is a value of encoding/json as one of package ordered.
func fromGo(v any) (any, error) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		return nil, err
	}
	return ordered.Decode(b.Bytes())
}
