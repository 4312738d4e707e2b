package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/providers/schema"
	"sluice/providers/upstream"
	"sluice/router"
)

// HTTPTarget is one server.
type HTTPTarget struct {
	URL    string
	Weight int
	Client *upstream.Client // which may be shared between routes
	Health *router.Health   // nil: nobody checks it
}

// aim is the targets that a backend has at a time. It is not changed.
type aim struct {
	route   *router.Route
	targets []HTTPTarget
	none    func() error // why there is nothing to ask; nil: there is
}

// target is what an attempt needs.
type target struct {
	url       string
	client    *upstream.Client
	authority string // scheme://host, in lower case
	base      string // of its paths
	strip     string
	sign      Signer // nil: what it is sent is not signed
}

// SetTargets has the requests that come from now on go to these; those under
// way go on as they are.
func (h *HTTP) SetTargets(list []HTTPTarget) error {
	if len(list) == 0 && h.Later {
		h.now.Store(&aim{none: errNone(h.HTTPOptions.Route)})
		return nil
	}
	route := &router.Route{Name: "route " + h.HTTPOptions.Route, Balance: h.Balance, Sticky: h.Hash, Retry: h.Retry, Panic: h.Panic}
	for _, t := range list {
		u, err := url.Parse(t.URL)
		if err != nil {
			return fmt.Errorf("cannot read the URL of a target")
		}
		made := &target{url: t.URL, client: t.Client, authority: strings.ToLower(u.Scheme + "://" + u.Host),
			base: strings.TrimRight(u.EscapedPath(), "/")}
		if h.Signing != nil {
			if made.sign, err = h.Signing.For(t.URL); err != nil {
				return err
			}
		}
		if h.cut > 0 {
			made.strip = strings.TrimRight(h.Strip, "/")
		}
		route.Candidates = append(route.Candidates, router.Candidate{
			Target: h.Registry.Target(TargetID(h.HTTPOptions.Route, t.URL), h.Breaker), Weight: t.Weight, Health: t.Health, Payload: made})
	}
	if err := route.Prepare(); err != nil {
		return err
	}
	h.now.Store(&aim{route: route, targets: slices.Clone(list)})
	return nil
}

// Fault has the requests that come from now on answered by an error: the targets
// that there are cannot be used.
func (h *HTTP) Fault(err error) {
	h.now.Store(&aim{none: func() error {
		return &schema.Error{Code: schema.CodeUnavailable, Status: http.StatusServiceUnavailable, Origin: schema.OriginGateway, RetryAfter: time.Second,
			Message: "the targets of route " + strconv.Quote(h.HTTPOptions.Route) + " cannot be used", Cause: err}
	}})
}

// Route is how the targets are tried that there are now; nil: there is none.
func (h *HTTP) Route() *router.Route { return h.now.Load().route }

// Aims are the targets that there are now.
func (h *HTTP) Aims() []HTTPTarget { return h.now.Load().targets }

// errUnknown and errNone make the errors of a backend without targets, one for
// each request.
func errUnknown(route string) func() error {
	return func() error {
		return &schema.Error{Code: schema.CodeUnavailable, Status: http.StatusServiceUnavailable, Origin: schema.OriginGateway, RetryAfter: time.Second,
			Message: "the targets of route " + strconv.Quote(route) + " are not known: its registry has not answered yet"}
	}
}

func errNone(route string) func() error {
	return func() error {
		return &schema.Error{Code: schema.CodeNoTarget, Status: http.StatusServiceUnavailable, Origin: schema.OriginGateway, RetryAfter: time.Second,
			Message: "route " + strconv.Quote(route) + " has no target: its registry says that there is none"}
	}
}

// Check asks a target for a path, which comes after its address: it is well if
// it answers with a status from 200 to 399.
func Check(c *upstream.Client, path string) router.Ask {
	return func(ctx context.Context) error {
		until, _ := ctx.Deadline()
		q := upstream.Request{Method: http.MethodGet, Path: path, Deadline: until, Lines: []byte("User-Agent: sluice-health\r\n"), Through: true}
		res, err := c.Do(ctx, &q)
		if err != nil {
			return err
		}
		defer res.Close()
		if res.Status < 200 || res.Status > 399 {
			return fmt.Errorf("it answered with status %d", res.Status)
		}
		res.Drain(time.Until(until))
		return nil
	}
}
