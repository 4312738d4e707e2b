package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"runtime/debug"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/prompts"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// runRoute makes the call of a step to a route, within this process: it passes
// the route's own steps as any request does, for the same caller and under the
// same request id. It is in the access line and the metrics of the route, and
// costs nothing.
func (g *Gateway) runRoute(e errand, s prompts.Step, values map[string]any) (o outcome, err error) {
	var request fasthttp.Request
	if err := stepRequest(&request, s, values); err != nil {
		return o, schema.Invalid("", "%v", err)
	}
	rc := &fasthttp.RequestCtx{}
	rc.Init(&request, &net.TCPAddr{IP: net.ParseIP(e.from.ip)}, serverLogger{g.log})
	c := g.newCall(rc)
	c.snap, c.entry.RequestID = e.snap, e.requestID
	if e.caller != e.snap.Public { // who is nobody that a route could know
		c.caller = e.caller
	}
	c.from.within, c.from.ip = e.from.within, e.from.ip
	if !e.until.IsZero() {
		ctx, stop := context.WithDeadline(c.from.within, e.until)
		defer stop()
		c.from.within = ctx
	}
	en := &c.entry
	en.Team, en.KeyID, en.Key, en.User = e.caller.Key.Team, e.caller.Key.ID, e.caller.Label, e.caller.Key.User
	defer func() {
		if r := recover(); r != nil {
			g.log.Error("panic in a call", "call", en.Call, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			c.from.route.GiveUp(errInternal())
			err = errInternal()
		}
		if err != nil {
			c.err = schema.AsError(err)
			en.Status = c.err.Status
		}
		c.finish()
	}()
	found, err := c.serveRoute()
	if err == nil && !found {
		err = &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginGateway, Message: "no route takes " + s.Route}
	}
	if err != nil {
		return o, err
	}
	return c.stepOutcome(s)
}

// stepOutcome is what a route's answer is to the steps that follow.
func (c *Call) stepOutcome(s prompts.Step) (o outcome, err error) {
	r := &c.rc.Response
	kind := string(r.Header.ContentType())
	body, err := c.from.route.Whole()
	switch status := r.StatusCode(); {
	case err != nil:
		return o, err
	case status >= 300:
		return o, &schema.Error{Code: schema.CodeUpstream, Status: fasthttp.StatusBadGateway, UpstreamStatus: status, Origin: schema.OriginProvider,
			Message: fmt.Sprintf("the route answered %s with status %d", s.Route, status)}
	}
	body = append([]byte{}, body...) // which is the answer's, and goes with it
	if o.text = string(body); strings.Contains(kind, "json") {
		if !wire.Valid(body) {
			return o, &schema.Error{Code: schema.CodeInvalidOutput, Status: fasthttp.StatusBadGateway, Origin: schema.OriginProvider,
				Message: "the answer of " + s.Route + " is not JSON, as it says"}
		}
		o.json = body
	}
	return o, nil
}

// stepRequest is the request that a step makes of a route: its input is the
// body or, of GET and DELETE, the query.
func stepRequest(r *fasthttp.Request, s prompts.Step, values map[string]any) error {
	method, target, err := s.Address(values)
	if err != nil {
		return err
	}
	r.Header.SetMethod(method)
	r.SetRequestURI(target)
	r.Header.SetHost("sluice") // of routes for any host
	if s.Input == nil {
		return nil
	}
	input, err := s.Inputs(values)
	if err != nil {
		return err
	}
	if method != fasthttp.MethodGet && method != fasthttp.MethodDelete {
		body, err := json.Marshal(input)
		r.Header.SetContentType("application/json")
		r.SetBody(body)
		return err
	}
	for name, value := range input {
		text, isText := value.(string)
		if !isText {
			b, err := json.Marshal(value)
			if err != nil {
				return err
			}
			text = string(b)
		}
		r.URI().QueryArgs().Set(name, text)
	}
	r.SetRequestURI(string(r.URI().RequestURI()))
	return nil
}
