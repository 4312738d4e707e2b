package main

import (
	"cmp"
	"strings"
	"time"

	"sluice/billing"
	"sluice/cmd/sluice/config"
	"sluice/gateway/admin"
	"sluice/gateway/cel"
	"sluice/gateway/proxy"
	"sluice/gateway/reshape"
	"sluice/prompts/ordered"
	"sluice/router"
)

// corsStep lets pages of other origins use a route. It comes before sign-in: a
// preflight carries none.
func (m *routeBuilder) corsStep(c *config.Route, r *proxy.Route) {
	o := c.CORS
	if o == nil {
		return
	}
	rule := proxy.CORS{Origins: o.Origins, Methods: o.Methods, Headers: o.Headers, Expose: o.Expose, Credentials: o.Credentials, MaxAge: o.MaxAge}
	if len(rule.Methods) == 0 {
		rule.Methods = c.Match.Methods
	}
	r.Preflight = true
	r.Steps = append(r.Steps, rule.Step())
}

// transformSteps change what goes to the backend, and what comes back: the last
// steps before it.
func (m *routeBuilder) transformSteps(c *config.Route, r *proxy.Route) error {
	t := c.Transform
	if t == nil {
		return nil
	}
	if q := t.Response; q != nil {
		body, err := bodyChange(q.Body, true)
		if err != nil {
			return err
		}
		change := proxy.Change{Headers: linesOf(q.Headers), Body: body, Compress: q.Compress, Status: map[int]int{}}
		for from, to := range q.Status {
			change.Status[int(from)] = int(to)
		}
		r.Steps = append(r.Steps, change.Response())
	}
	if q := t.Request; q != nil {
		body, err := bodyChange(q.Body, false)
		if err != nil {
			return err
		}
		change := proxy.Change{Headers: linesOf(q.Headers), Query: linesOf(q.Query), Path: q.Path, Body: body}
		r.Steps = append(r.Steps, change.Request())
	}
	return nil
}

func linesOf(l config.LineTransform) proxy.Lines {
	return proxy.Lines{Set: wanted(l.Set), Add: wanted(l.Add), Remove: l.Remove}
}

func bodyChange(b *config.BodyTransform, response bool) (*proxy.BodyChange, error) {
	if b == nil {
		return nil, nil
	}
	change := &proxy.BodyChange{FromXML: b.XMLToJSON.Wanted(), ToXML: b.JSONToXML != "", Root: b.JSONToXML}
	if b.XMLToJSON != nil {
		change.Lists = b.XMLToJSON.Lists
	}
	var err error
	if change.Edit, err = editOf(b); err != nil {
		return nil, err
	}
	if b.Expr != "" {
		change.Expr, err = cel.Compile(b.Expr, cel.Options{Body: true, Response: response, Value: true})
	}
	return change, err
}

func editOf(b *config.BodyTransform) (e reshape.Edit, err error) {
	if e.Keep, err = reshape.ParsePaths(b.Keep); err != nil {
		return e, err
	}
	if e.Remove, err = reshape.ParsePaths(b.Remove); err != nil {
		return e, err
	}
	for _, from := range sortedKeys(b.Move) {
		ends, err := reshape.ParsePaths([]string{from, b.Move[from]})
		if err != nil {
			return e, err
		}
		e.Move = append(e.Move, reshape.Move{From: ends[0], To: ends[1]})
	}
	if e.Set, err = settingsOf(b.Set); err != nil {
		return e, err
	}
	e.Default, err = settingsOf(b.Default)
	return e, err
}

func settingsOf(m map[string]config.JSON) (list []reshape.Setting, err error) {
	for _, to := range sortedKeys(m) {
		s := reshape.Setting{}
		if s.To, err = reshape.ParsePath(to); err != nil {
			return nil, err
		}
		if text := m[to]; len(text) > 0 {
			if s.Value, err = ordered.Decode(text); err != nil {
				return nil, err
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// validateStep looks into requests before anything of them is changed.
func (m *routeBuilder) validateStep(c *config.Route, r *proxy.Route) {
	if c.Validate == nil {
		return
	}
	schema, contract := c.Validate.Compiled()
	drift := m.drift(c)
	if schema != nil {
		r.Steps = append(r.Steps, proxy.ValidateBody(schema, drift))
		return
	}
	o := proxy.Contract{Document: contract, Answers: c.Validate.Response, Drift: drift,
		TellRequests: c.Validate.Reports(proxy.PartRequest), TellAnswers: c.Validate.Reports(proxy.PartResponse)}
	if h := c.Backend.HTTP; h != nil {
		o.Strip = strings.TrimRight(h.StripPrefix, "/")
	}
	if b := c.Backend.Mock; b != nil {
		o.Strip = strings.TrimRight(b.StripPrefix, "/")
	}
	r.Steps = append(r.Steps, o.Step())
}

// drift is where a route's differences from its contract are told; nil: they
// are refused. What was seen outlives reloads that leave the contract as it is.
func (m *routeBuilder) drift(c *config.Route) *proxy.Drift {
	if len(c.Validate.Report) == 0 {
		return nil
	}
	made := c.Name + " " + c.Validate.Digest()
	d := m.old.drifts[made]
	if d == nil {
		d = proxy.NewDrift(c.Name, m.log)
	}
	m.keep.drifts[made] = d
	m.keep.drifting[c.Name] = d
	return d
}

// contractShown is how the admin plane shows what a route tells of its contract.
func contractShown(c *config.RouteValidate, drift *proxy.Drift) *admin.RouteContract {
	if drift == nil {
		return nil
	}
	shown := &admin.RouteContract{Report: c.Report}
	list, more := drift.Differences()
	for _, d := range list {
		shown.Differences = append(shown.Differences, admin.RouteDifference{Part: d.Part, Method: d.Method, Path: d.Path, Status: d.Status,
			Pointer: d.Pointer, Message: d.Message, Count: d.Count, First: d.First, Last: d.Last})
	}
	shown.More = more
	return shown
}

// versionsOf are the versions that a route has a part in; nil: none.
func versionsOf(cfg *config.Config, c *config.Route, uses *billing.VersionUses) *proxy.Versions {
	v, known := cfg.VersioningOf(c)
	if v == nil {
		return nil
	}
	names := map[string]string{"header": "X-API-Version", "query": "version", "accept": "version"}
	o := &proxy.Versions{By: v.By, Name: cmp.Or(v.Name, names[v.By]), Known: known, Default: v.Default, Reject: v.Unknown != "default", Keep: v.Keep,
		Each: map[string]proxy.Version{}, Uses: uses}
	for version, e := range v.Versions {
		o.Each[version] = proxy.Version{Deprecated: e.Deprecated, Sunset: e.Sunset, Link: e.Link, BrownOut: brownOutOf(e.BrownOut)}
	}
	return o
}

func brownOutOf(b *config.VersionBrownOut) *proxy.BrownOut {
	if b == nil {
		return nil
	}
	o := &proxy.BrownOut{Share: b.Share, Status: int(b.Status)}
	for _, w := range b.Windows {
		o.Windows = append(o.Windows, proxy.Span(w))
	}
	return o
}

// versionsShown are the versions that a route serves, and what becomes of them.
func versionsShown(r *proxy.Route) (list []admin.RouteVersion) {
	if r.Versions == nil {
		return nil
	}
	when := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	for _, version := range r.Versions.Known {
		if r.Match.Version != "" && r.Match.Version != version {
			continue
		}
		v := r.Versions.Each[version]
		shown := admin.RouteVersion{Version: version, Deprecated: when(v.Deprecated), Sunset: when(v.Sunset), Link: v.Link}
		if b := v.BrownOut; b != nil {
			shown.BrownOut = &admin.RouteBrownOut{Share: b.Share, Status: b.Status}
			for _, w := range b.Windows {
				shown.BrownOut.Windows = append(shown.BrownOut.Windows, admin.RouteSpan(w))
			}
		}
		list = append(list, shown)
	}
	return list
}

// compose makes a backend of several calls, each with a target and a breaker of
// its own.
func (m *routeBuilder) compose(c *config.Route) (*proxy.Compose, error) {
	o, _, err := c.Backend.Compose.Options(c.Name)
	if err != nil {
		return nil, err
	}
	o.Registry, o.Retry = m.reg, router.Retry{Attempts: 1, On: unasked, Budget: 0.2}
	if r := c.Retry; r != nil {
		o.Retry = router.Retry{Attempts: int(r.Attempts), Backoff: r.Backoff, Budget: r.Budget}
	}
	if c.Breaker != nil {
		o.Breaker = breakerOf(&c.Breaker.Breaker)
	}
	for i := range o.Calls {
		base, _ := o.Calls[i].Base()
		if o.Calls[i].Client, err = m.client(base, c.Backend.Compose.Deadline, nil); err != nil {
			return nil, err
		}
	}
	return proxy.NewCompose(o)
}
