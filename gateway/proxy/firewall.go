package proxy

import (
	"log/slog"
	"strconv"

	"github.com/valyala/fasthttp"

	"sluice/gateway/waf"
	"sluice/providers/schema"
)

// FirewallOptions are how a route looks for attacks.
type FirewallOptions struct {
	Rules *waf.Rules
	Block bool         // else what is found is only told
	Body  int64        // how much of a body is looked into; 0: nothing
	Log   *slog.Logger // gets what is found: never what was sent
}

// Firewall refuses requests in which there is an attack, by the rules.
func Firewall(o FirewallOptions) Step {
	mode := "detect"
	if o.Block {
		mode = "block"
	}
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			q := waf.Request{IP: x.IP, Method: x.Method, URI: string(x.RC.Request.Header.RequestURI()), Protocol: "HTTP/1.1", Headers: x.headers}
			if o.Body > 0 {
				var err error
				if q.Body, q.Cut, err = x.peekBody(o.Body); err != nil {
					return err
				}
			}
			f, err := o.Rules.Check(&q)
			if err != nil {
				return &schema.Error{Code: schema.CodeUnavailable, Status: fasthttp.StatusServiceUnavailable, Origin: schema.OriginGateway,
					Message: "the firewall of this route does not work", Cause: err}
			}
			if !f.Attack {
				return next(x)
			}
			x.Route.Series.Suspect(mode)
			o.tell(x, mode, f)
			if !o.Block {
				return next(x)
			}
			return &schema.Error{Code: schema.CodeRequestBlocked, Status: fasthttp.StatusForbidden, Origin: schema.OriginPolicy,
				Message: "the request looks like an attack"}
		}
	}
}

// tell logs which rules fit. Their ids are what exclude takes.
func (o *FirewallOptions) tell(x *Exchange, mode string, f waf.Finding) {
	ids, first := make([]int, len(f.Rules)), ""
	for i, r := range f.Rules {
		if ids[i] = r.ID; first == "" {
			first = r.Message
		}
	}
	o.Log.Warn("the firewall found an attack", "route", x.Route.Name, "mode", mode, "ip", x.IP, "rules", ids, "what", first,
		"score", strconv.Itoa(f.Score), "request_id", string(x.RC.Request.Header.Peek("X-Request-Id")))
}

// headers are those of the request, as the rules want them.
func (x *Exchange) headers(yield func(name, value string) bool) {
	for name, value := range x.RC.Request.Header.All() {
		if !yield(string(name), string(value)) {
			return
		}
	}
}
