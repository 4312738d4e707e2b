package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"sluice/gateway/cel"
	"sluice/gateway/wasm"
	"sluice/providers/schema"
)

// Rule refuses requests for which an expression is not true, with a status.
func Rule(p *cel.Program, status int) Step {
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			if yes, err := p.Test(x.Vars()); !yes {
				return &schema.Error{Code: schema.CodePermissionDenied, Status: status, Origin: schema.OriginPolicy,
					Message: "a policy of this route refuses the request", Cause: err}
			}
			return next(x)
		}
	}
}

// ModuleOptions are a policy in WebAssembly.
type ModuleOptions struct {
	Policy *wasm.Policy
	Config json.RawMessage // what the policy is told beside the request; empty: nothing
	Name   string          // in the log
	Log    *slog.Logger
}

// mostModuleBody bounds the bodies that modules are shown.
const mostModuleBody = 64 << 10

// moduleIn is what a module is told.
type moduleIn struct {
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Host     string            `json:"host"`
	Query    string            `json:"query"`
	Headers  map[string]string `json:"headers"` // by names in lower case; lines of one name joined by commas
	Caller   moduleCaller      `json:"caller"`
	Body     *string           `json:"body,omitempty"` // of text, up to 64 KiB
	Config   json.RawMessage   `json:"config,omitempty"`
	Response *moduleResponse   `json:"response,omitempty"`
}

type moduleCaller struct {
	Team string `json:"team,omitempty"`
	Key  string `json:"key,omitempty"`
	User string `json:"user,omitempty"`
	IP   string `json:"ip"`
}

type moduleResponse struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
}

// moduleOut is what a module says.
type moduleOut struct {
	Allow   *bool   `json:"allow"`
	Status  int     `json:"status"`
	Body    *string `json:"body"`
	Headers struct {
		Set    map[string]string `json:"set"`
		Remove []string          `json:"remove"`
	} `json:"headers"`
}

// Module has a module look at requests, and at answers if it wants to.
func Module(o ModuleOptions) Step {
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			in := moduleIn{Method: x.Method, Path: string(x.Path.Match), Host: string(x.RC.Host()), Query: string(x.Query), Config: o.Config,
				Headers: joined(x.RC.Request.Header.All()), Caller: moduleCaller{x.Caller.Team, x.Caller.Key, x.Caller.User, x.IP}}
			body, cut, err := x.peekBody(mostModuleBody)
			if err != nil {
				return err
			}
			if text := string(body); len(body) > 0 && !cut && utf8.ValidString(text) {
				in.Body = &text
			}
			out, err := o.ask(x, wasm.OnRequest, &in)
			if err != nil {
				return o.broken(x, err)
			}
			if !*out.Allow {
				return out.refuse(x)
			}
			out.apply(&x.RC.Request.Header)
			if err := next(x); err != nil || !o.Policy.Responses() || x.switched {
				return err
			}
			h := &x.RC.Response.Header
			in.Response, in.Body = &moduleResponse{x.RC.Response.StatusCode(), joined(h.All())}, nil
			if out, err = o.ask(x, wasm.OnResponse, &in); err != nil {
				x.takeAway()
				return o.broken(x, err)
			}
			if !*out.Allow {
				x.takeAway()
				return out.refuse(x)
			}
			out.apply(h)
			return nil
		}
	}
}

// ask calls a function of the module, and reads what it says.
func (o *ModuleOptions) ask(x *Exchange, function string, in *moduleIn) (*moduleOut, error) {
	text, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("cannot write its input: %w", err)
	}
	said, err := o.Policy.Call(x.Edge.Context(), function, text)
	if err != nil {
		return nil, err
	}
	out := new(moduleOut)
	if err := json.Unmarshal(said, out); err != nil {
		return nil, fmt.Errorf("%s gave no JSON that is understood: %w", function, err)
	}
	switch {
	case out.Allow == nil:
		return nil, fmt.Errorf("%s does not say allow", function)
	case out.Status != 0 && (out.Status < 200 || out.Status > 599):
		return nil, fmt.Errorf("%s gave the status %d", function, out.Status)
	}
	for name, value := range out.Headers.Set {
		if !settable(name, value) {
			return nil, fmt.Errorf("%s may not set the header %q so", function, name)
		}
	}
	return out, nil
}

// settable tells whether a policy may set a header: not those which say where
// a request comes from, or how it is sent.
func settable(name, value string) bool {
	if name == "" {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == ':' {
			return false
		}
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	var h fasthttp.RequestHeader
	h.Set(name, "x")
	for canonical := range h.All() {
		if isHop(canonical) || isOrigin(canonical) {
			return false
		}
	}
	return true
}

// broken is the answer where a module failed. What it was asked is not logged.
func (o *ModuleOptions) broken(x *Exchange, err error) error {
	if x.Edge.Context().Err() != nil {
		return &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway, Class: schema.ClassCancelled, Message: "the caller left", Cause: err}
	}
	o.Log.Error("a policy failed", "route", x.Route.Name, "policy", o.Name, "error", err)
	return &schema.Error{Code: schema.CodeUnavailable, Status: fasthttp.StatusServiceUnavailable, Origin: schema.OriginGateway,
		Message: "a policy of this route failed", Cause: errors.New("policy " + o.Name), RetryAfter: 1e9}
}

// header is one of a request or of an answer.
type header interface {
	Set(name, value string)
	Del(name string)
}

func (out *moduleOut) apply(h header) {
	for _, name := range out.Headers.Remove {
		h.Del(name)
	}
	for name, value := range out.Headers.Set {
		h.Set(name, value)
	}
}

// refuse answers in place of the backend.
func (out *moduleOut) refuse(x *Exchange) error {
	status := out.Status
	if status == 0 {
		status = fasthttp.StatusForbidden
	}
	if out.Body == nil && status >= 400 {
		return &schema.Error{Code: schema.CodePermissionDenied, Status: status, Origin: schema.OriginPolicy, Message: "a policy of this route refuses the request"}
	}
	r := &x.RC.Response
	r.SetStatusCode(status)
	r.Header.SetContentType("text/plain; charset=utf-8")
	if out.Body != nil {
		r.SetBodyString(*out.Body)
		if json.Valid([]byte(*out.Body)) {
			r.Header.SetContentType("application/json")
		}
	}
	out.apply(&r.Header)
	return nil
}

// joined are headers by their names in lower case.
func joined(all func(yield func(name, value []byte) bool)) map[string]string {
	m := map[string]string{}
	for name, value := range all {
		lower := string(lowered(name))
		if before, ok := m[lower]; ok {
			m[lower] = before + ", " + string(value)
		} else {
			m[lower] = string(value)
		}
	}
	return m
}

func lowered(name []byte) []byte {
	lower := make([]byte, len(name))
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return lower
}

// takeAway drops the answer that was to be sent.
func (x *Exchange) takeAway() {
	x.takeBack(nil)
	x.streams = false
	x.RC.Response.Reset()
}
