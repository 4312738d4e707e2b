package proxy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/providers/schema"
)

// CORS says which pages of other origins may read a route's answers, in the
// terms of the Fetch standard, section 3.2.
type CORS struct {
	Origins     []string // https://app.example.com, https://*.example.com, * for any, or null
	Methods     []string // none: those of the route's match, or whatever is asked for
	Headers     []string // of requests; none: whatever is asked for
	Expose      []string // headers of answers that a page may read, beside those that it always may
	Credentials bool     // cookies and sign-in of the browser are sent along
	MaxAge      time.Duration
}

// ofCORS are the headers by which an answer speaks of CORS: a route with a rule
// takes them from nobody else.
var ofCORS = [...]string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
	"Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age"}

// Step answers preflights and tells browsers who may read what the route
// answers, its errors included. It does not keep a request from the backend:
// that is what sign-in is for.
func (o CORS) Step() Step {
	expose, open := strings.Join(o.Expose, ", "), slices.Contains(o.Origins, "*")
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			origin := string(x.RC.Request.Header.Peek("Origin"))
			allowed := origin != "" && o.allows(origin)
			if isPreflight(&x.RC.Request) {
				return o.preflight(x, origin, allowed)
			}
			if !open {
				x.Told = append(x.Told, Condition{"Vary", "Origin"})
			}
			if allowed {
				x.Told = append(x.Told, o.allowance(origin, open)...)
				if expose != "" {
					x.Told = append(x.Told, Condition{"Access-Control-Expose-Headers", expose})
				}
			}
			err := next(x)
			if err == nil {
				for _, name := range ofCORS {
					x.RC.Response.Header.Del(name)
				}
			}
			return err
		}
	}
}

func (o *CORS) allowance(origin string, open bool) []Condition {
	if open {
		origin = "*"
	}
	told := []Condition{{"Access-Control-Allow-Origin", origin}}
	if o.Credentials {
		told = append(told, Condition{"Access-Control-Allow-Credentials", "true"})
	}
	return told
}

// allows tells whether pages of an origin may read the answers.
func (o *CORS) allows(origin string) bool {
	for _, want := range o.Origins {
		before, after, below := strings.Cut(want, "*.")
		switch {
		case want == "*", strings.EqualFold(want, origin):
			return true
		case !below, len(origin) <= len(before)+len(after)+1:
		case strings.EqualFold(origin[:len(before)], before) && strings.EqualFold(origin[len(origin)-len(after)-1:], "."+after) &&
			ValidHost([]byte(origin[len(before):])):
			return true
		}
	}
	return false
}

// isPreflight tells whether a browser asks what a page may send, before it
// sends it.
func isPreflight(r *fasthttp.Request) bool {
	return r.Header.IsOptions() && len(r.Header.Peek("Access-Control-Request-Method")) > 0 && len(r.Header.Peek("Origin")) > 0
}

func (o *CORS) preflight(x *Exchange, origin string, allowed bool) error {
	in, r := &x.RC.Request.Header, &x.RC.Response
	x.Told = append(x.Told, Condition{"Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"})
	method, headers := string(in.Peek("Access-Control-Request-Method")), string(in.Peek("Access-Control-Request-Headers"))
	switch {
	case !allowed:
		return refuseOrigin("pages of this origin may not use the route")
	case len(o.Methods) > 0 && !slices.Contains(o.Methods, method) && (method != "HEAD" || !slices.Contains(o.Methods, "GET")):
		return refuseOrigin("pages of other origins may not use this method here")
	}
	if len(o.Headers) > 0 {
		for name := range strings.SplitSeq(headers, ",") {
			name = strings.TrimSpace(name)
			if name != "" && !slices.ContainsFunc(o.Headers, func(h string) bool { return strings.EqualFold(h, name) }) {
				return refuseOrigin("pages of other origins may not send the header " + strconv.Quote(name) + " here")
			}
		}
		headers = strings.Join(o.Headers, ", ")
	}
	x.Told = append(x.Told, o.allowance(origin, slices.Contains(o.Origins, "*"))...)
	if len(o.Methods) > 0 {
		method = strings.Join(o.Methods, ", ")
	}
	x.Told = append(x.Told, Condition{"Access-Control-Allow-Methods", method})
	if headers != "" {
		x.Told = append(x.Told, Condition{"Access-Control-Allow-Headers", headers})
	}
	if o.MaxAge > 0 {
		x.Told = append(x.Told, Condition{"Access-Control-Max-Age", strconv.FormatInt(int64(o.MaxAge/time.Second), 10)})
	}
	r.SetStatusCode(fasthttp.StatusNoContent)
	r.Header.SetNoDefaultContentType(true)
	return nil
}

func refuseOrigin(why string) error {
	return &schema.Error{Code: schema.CodePermissionDenied, Status: fasthttp.StatusForbidden, Origin: schema.OriginPolicy, Message: why}
}
