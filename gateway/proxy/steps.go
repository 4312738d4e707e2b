package proxy

import (
	"strconv"
	"strings"
	"time"

	"sluice/gateway/limit"
	"sluice/providers/schema"
)

// NoSubscription is the status of a subscription that was never asked for.
const NoSubscription = "none"

// Unsubscribed is the fault of a caller without a subscription that holds.
type Unsubscribed struct {
	Fault  *schema.Error
	Status string // none, pending, rejected or revoked
}

// Error is the fault in words.
func (u *Unsubscribed) Error() string { return u.Fault.Error() }

// Unwrap is the fault.
func (u *Unsubscribed) Unwrap() error { return u.Fault }

// Link is where the caller sees its subscriptions, and asks for one.
func (u *Unsubscribed) Link() string {
	if u.Status == NoSubscription {
		return "/portal"
	}
	return "/portal/subscriptions"
}

// RequireSubscription lets those pass whose team has subscribed to the route.
func RequireSubscription(route string) Step {
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			status, why := NoSubscription, ": the caller is of no team"
			if x.Caller.Member != nil {
				status, why = x.Caller.Member.RefusesRoute(route)
			}
			if why != "" {
				return &Unsubscribed{Status: status, Fault: &schema.Error{Code: schema.CodePermissionDenied, Status: 403, Origin: schema.OriginPolicy,
					Message: "this key may not call the route " + strconv.Quote(route) + why}}
			}
			return next(x)
		}
	}
}

// RateOptions are a route's limits.
type RateOptions struct {
	Route   string
	Limiter *limit.Limiter
	// Per is whose requests count together: route, key, ip, team or header:X. Those
	// without a key, or without that header, count by their address.
	Per string
}

// subjectOf writes what tells the subjects of a limit apart.
func subjectOf(per string) func(dst []byte, x *Exchange) []byte {
	kind, name, _ := strings.Cut(per, ":")
	byAddress := func(dst []byte, x *Exchange) []byte { return append(append(dst, "ip "...), x.IP...) }
	switch kind {
	case "route":
		return func(dst []byte, _ *Exchange) []byte { return dst }
	case "key", "team":
		return func(dst []byte, x *Exchange) []byte {
			switch {
			case x.Caller.ID == "":
				return byAddress(dst, x)
			case kind == "key", x.Caller.Team == "":
				return append(append(dst, "key "...), x.Caller.ID...)
			}
			return append(append(dst, "team "...), x.Caller.Team...)
		}
	case "header":
		return func(dst []byte, x *Exchange) []byte {
			value := x.RC.Request.Header.Peek(name)
			if len(value) == 0 {
				return byAddress(dst, x)
			}
			return append(append(dst, "header "...), value...)
		}
	}
	return byAddress
}

// Rate refuses what is more than a limit allows.
func Rate(o RateOptions) Step {
	subject, l := subjectOf(o.Per), o.Limiter
	what := "rate limit of route " + strconv.Quote(o.Route) + " reached"
	policy := []byte(`"route";q=` + strconv.FormatInt(l.Requests, 10) + ";w=" + wholeSeconds(l.Per))
	return func(next Handler) Handler {
		return func(x *Exchange) error {
			var memory [128]byte
			v := l.Take(subject(memory[:0], x), x.Now)
			if l.Requests > 0 {
				x.Limit = Limited{Set: true, Limit: l.Requests, Remaining: v.Remaining, Reset: max(v.Wait, v.Reset), Policy: policy}
			}
			if !v.OK {
				return refusal(what, l, v)
			}
			if l.Parallel > 0 {
				x.running = v.Subject
			}
			if v.Delay > 0 {
				if err := x.wait(v); err != nil {
					return err
				}
				if v = l.Ask(v); !v.OK {
					return refusal(what, l, v)
				}
			}
			return next(x)
		}
	}
}

// wait lets a request's delay pass, or its caller leave.
func (x *Exchange) wait(v limit.Verdict) error {
	defer v.Subject.Waited()
	return x.pause(v.Delay)
}

// pause lets some time pass, or the caller leave.
func (x *Exchange) pause(d time.Duration) error {
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-over.C:
		x.Plan.Waited += d
		return nil
	case <-x.Edge.Context().Done():
		return &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway,
			Class: schema.ClassCancelled, Message: "the caller left while its request had to wait"}
	}
}

// Limited is how a limit stands after a request.
type Limited struct {
	Set              bool // there is one
	Limit, Remaining int64
	Reset            time.Duration
	Policy           []byte // as RateLimit-Policy tells it
}

func refusal(what string, l *limit.Limiter, v limit.Verdict) error {
	e := &schema.Error{Code: schema.CodeRateLimit, Status: 429, Origin: schema.OriginPolicy, RetryAfter: max(v.Wait, time.Second)}
	if v.Wait == 0 {
		e.Message = what + ": " + strconv.FormatInt(l.Parallel, 10) + " requests at once"
	} else {
		e.Message = what + ": " + strconv.FormatInt(l.Requests, 10) + " requests in " + l.Per.String() + "; try again in " + wholeSeconds(v.Wait) + " s"
	}
	return e
}
