package main

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"sluice/billing/lease"
	"sluice/cmd/sluice/config"
	"sluice/gateway"
	"sluice/gateway/admin"
	"sluice/gateway/alert"
	"sluice/gateway/httpcache"
	"sluice/gateway/limit"
	"sluice/gateway/proxy"
	"sluice/gateway/telemetry"
	"sluice/providers/schema"
	"sluice/providers/upstream"
	"sluice/router"
)

// standingRoutes is what routes keep over reloads: connections to targets,
// services that are followed in registries, and what was counted of limits, by
// what each is made from.
type standingRoutes struct {
	clients  map[string]*upstream.Client
	limiters map[string]*limit.Limiter
	bounds   map[string]*standingBound
	drifts   map[string]*proxy.Drift
	guesses  map[string]*limit.Guesses
	found    map[string]*followed
	auth     standingAuth

	// Of one configuration alone, by route.
	discovered map[string]*discovered
	drifting   map[string]*proxy.Drift
}

func newStandingRoutes() standingRoutes {
	return standingRoutes{clients: map[string]*upstream.Client{}, limiters: map[string]*limit.Limiter{}, guesses: map[string]*limit.Guesses{}, bounds: map[string]*standingBound{},
		drifts: map[string]*proxy.Drift{}, found: map[string]*followed{}, discovered: map[string]*discovered{}, drifting: map[string]*proxy.Drift{}}
}

// routes builds the routes of a configuration, and what they keep. Nothing that
// is in force changes.
func (b *builder) routes(s *server, cfg *config.Config, reg *router.Registry) (*proxy.Tree, standingRoutes, error) {
	m := routeBuilder{reg: reg, old: b.standing, keep: newStandingRoutes(), kept: b.kept, leases: b.leases, log: s.log}
	m.signIns = m.guesses("", cfg.Server.Failures)
	if len(cfg.Routes) == 0 {
		return nil, m.keep, nil
	}
	var err error
	if m.signIn, err = newSignIn(cfg, b.standing.auth); err != nil {
		return nil, m.keep, err
	}
	m.keep.auth = m.signIn.keep
	tree, err := m.tree(s, cfg)
	if err == nil {
		err = m.keep.aim()
	}
	if err != nil {
		m.keep.replace(&b.standing) // what is new in it
	}
	return tree, m.keep, err
}

func (m *routeBuilder) tree(s *server, cfg *config.Config) (*proxy.Tree, error) {
	var list []*proxy.Route
	for i := range cfg.Routes {
		m.series = s.metrics.Route(cfg.Routes[i].Name)
		r, err := m.route(&cfg.Routes[i])
		if err != nil {
			return nil, fmt.Errorf("route %q: %w", cfg.Routes[i].Name, err)
		}
		r.Series = m.series
		r.Versions = versionsOf(cfg, &cfg.Routes[i], s.build.uses)
		list = append(list, r)
	}
	fallBack(cfg, list)
	return proxy.NewTree(list)
}

// keepRoutes puts what routes keep in force, and ends what is not kept.
func (b *builder) keepRoutes(keep standingRoutes) {
	b.follow(&keep)
	keep.tellBounds(&b.standing)
	b.standing.replace(&keep)
	b.standing = keep
}

type routeBuilder struct {
	log       *slog.Logger
	reg       *router.Registry
	old, keep standingRoutes
	signIns   *limit.Guesses // at all routes, and everywhere else; nil: they are not counted
	kept      *httpcache.Store
	leases    *lease.Broker // nil: replicas share no limits
	signIn    *signIn
	series    *telemetry.Route // of the route that is made
}

func (m *routeBuilder) route(c *config.Route) (*proxy.Route, error) {
	r := &proxy.Route{Name: c.Name, Match: proxy.Match{Host: c.Match.Host, Path: c.Match.Path, Methods: c.Match.Methods, Version: c.Match.Version}}
	r.Match.Headers, r.Match.HeaderPatterns = matched(c.Match.Headers)
	r.Match.Query, r.Match.QueryPatterns = matched(c.Match.Query)
	m.corsStep(c, r)
	r.Steps = append(r.Steps, m.protect(c)...)
	if c.Auth != nil {
		if err := m.signIn.of(r, c.Auth); err != nil {
			return nil, err
		}
	}
	if c.Auth != nil && c.Auth.Subscribed {
		r.Steps = append(r.Steps, proxy.RequireSubscription(c.Name))
	}
	if c.Limits != nil && (c.Limits.Rate.Requests > 0 || c.Limits.Parallel > 0) {
		r.Steps = append(r.Steps, m.rate(c))
	}
	if c.WAF != nil {
		step, err := m.firewall(c.WAF)
		if err != nil {
			return nil, fmt.Errorf("waf: %w", err)
		}
		r.Steps = append(r.Steps, step)
	}
	r.Steps = append(r.Steps, m.policies(c.Policies)...)
	m.validateStep(c, r)
	traffic, err := m.trafficSteps(c)
	if err != nil {
		return nil, err
	}
	r.Steps = append(r.Steps, traffic...)
	if c.Cache != nil { // behind all that may refuse, before all that changes what a backend is asked
		r.Steps = append(r.Steps, m.cache(c))
	}
	if err = m.transformSteps(c, r); err != nil {
		return nil, err
	}
	m.adaptive(c, r)
	switch b := c.Backend; {
	case b.Static != nil:
		r.Backend = &proxy.Static{Status: int(cmp.Or(b.Static.Status, 200)), Headers: wanted(b.Static.Headers), Body: b.Static.Body}
	case b.Redirect != nil:
		r.Backend = &proxy.Redirect{To: b.Redirect.To, Status: int(b.Redirect.Status)}
	case b.Compose != nil:
		r.Backend, err = m.compose(c)
	case b.Mock != nil:
		r.Backend = &proxy.Mock{Service: b.Mock.Service(), Strip: strings.TrimRight(b.Mock.StripPrefix, "/")}
	default:
		r.Backend, err = m.http(c)
	}
	return r, err
}

func wanted(m map[string]string) []proxy.Condition {
	var list []proxy.Condition
	for _, name := range sortedKeys(m) {
		list = append(list, proxy.Condition{Name: name, Value: m[name]})
	}
	return list
}

// matched are the values that a request must have, and the patterns of those that
// must fit one. These were checked.
func matched(m map[string]config.MatchValue) (values []proxy.Condition, patterns []proxy.Pattern) {
	for _, name := range sortedKeys(m) {
		if m[name].Pattern == "" {
			values = append(values, proxy.Condition{Name: name, Value: m[name].Value})
			continue
		}
		if fits, err := proxy.Expression(m[name].Pattern); err == nil {
			patterns = append(patterns, proxy.Pattern{Name: name, Fits: fits})
		}
	}
	return values, patterns
}

// matchShown is how the admin plane shows what a request must be.
func matchShown(m *config.RouteMatch) admin.RouteMatch {
	shown := admin.RouteMatch{Host: m.Host, Path: cmp.Or(m.Path, "/**"), Methods: m.Methods}
	split := func(of map[string]config.MatchValue) (values, patterns map[string]string) {
		values, patterns = map[string]string{}, map[string]string{}
		for name, v := range of {
			if v.Pattern != "" {
				patterns[name] = v.Pattern
			} else {
				values[name] = v.Value
			}
		}
		return values, patterns
	}
	shown.Headers, shown.HeaderPatterns = split(m.Headers)
	shown.Query, shown.QueryPatterns = split(m.Query)
	return shown
}

// rate is the step of a route's limits. What was counted goes on as long as the
// limits are the same.
func (m *routeBuilder) rate(c *config.Route) proxy.Step {
	l := limit.Limit{Requests: c.Limits.Rate.Requests, Per: c.Limits.Rate.Per, Burst: c.Limits.Burst, Parallel: c.Limits.Parallel, Exact: c.Limits.Exact}
	throttle := ""
	if t := c.Limits.Throttle; t != nil {
		l.Throttle = &limit.Throttle{After: t.After, Delay: cmp.Or(t.Delay, l.Per/time.Duration(l.Requests)), Queue: t.Queue}
		throttle = fmt.Sprint(*l.Throttle)
		l.Throttle.Delay = max(l.Throttle.Delay, 1)
	}
	per := c.Limits.Per
	switch {
	case per == "" && c.Auth != nil:
		per = "key"
	case per == "":
		per = "ip"
	}
	made := fmt.Sprint(c.Name, l.Requests, l.Per, l.Burst, l.Parallel, throttle, per)
	kept := fmt.Sprint(made, l.Exact) // which changes how replicas count, and not what
	limiter := m.old.limiters[kept]
	if limiter == nil {
		limiter = limit.New(l)
		if m.leases != nil {
			limiter.Share(m.leases, made)
		}
	}
	m.keep.limiters[kept] = limiter
	return proxy.Rate(proxy.RateOptions{Route: c.Name, Limiter: limiter, Per: per})
}

// cache is the step of what a route keeps of its answers.
func (m *routeBuilder) cache(c *config.Route) proxy.Step {
	k := c.Cache
	var query []string
	if k.Query != nil {
		query = append([]string{}, *k.Query...)
	}
	return proxy.Cache(proxy.CacheOptions{Route: c.Name, Store: m.kept, Query: query, Tags: k.Tags, Own: c.Auth != nil, Config: digestOf(c),
		Policy: httpcache.Policy{TTL: k.TTL, Vary: k.Vary, Revalid: k.StaleWhileRevalidate, IfError: k.StaleIfError, RFC9111: k.RFC9111},
		Recovered: func(what any) {
			m.log.Error("a request that a cache has made went wrong", "route", c.Name, "panic", what, "stack", string(debug.Stack()))
		}})
}

// balances are the router's names of what the configuration calls otherwise.
var balances = map[string]router.Balance{"least-connections": router.LeastBusy, "hash": router.Weighted}

// unasked are the errors after which the next target is asked where nothing is
// said of retries.
var unasked = []schema.Class{schema.ClassConnection, schema.ClassTimeout}

func (m *routeBuilder) http(c *config.Route) (*proxy.HTTP, error) {
	b := c.Backend.HTTP
	o := proxy.HTTPOptions{Route: c.Name, Balance: cmp.Or(balances[b.Balance], router.Balance(b.Balance)), Registry: m.reg, Timeout: c.Timeout,
		Strip: b.StripPrefix, PreserveHost: b.PreserveHost, Retry: router.Retry{Attempts: 1, On: unasked, Budget: 0.2}}
	if b.Hash != nil {
		o.Hash = b.Hash.By
	}
	if r := c.Retry; r != nil {
		o.Methods = r.Methods
		o.Retry = router.Retry{Attempts: int(r.Attempts), Backoff: r.Backoff, Budget: r.Budget}
	}
	if c.Breaker != nil {
		o.Breaker = breakerOf(&c.Breaker.Breaker)
	}
	if b.Health != nil && b.Health.Panic != nil {
		if o.Panic = *b.Health.Panic; o.Panic == 0 {
			o.Panic = -1 // always believed
		}
	}
	if err := m.traffic(c, &o); err != nil {
		return nil, err
	}
	if err := m.fallback(c, &o); err != nil {
		return nil, err
	}
	if b.Discover != nil {
		return m.discover(c, o)
	}
	var err error
	if o.Targets, err = m.targets(c, b.Targets); err != nil {
		return nil, err
	}
	return proxy.NewHTTP(o)
}

// targets are those of a list that are not drained.
func (m *routeBuilder) targets(c *config.Route, from []config.BackendTarget) (list []proxy.HTTPTarget, err error) {
	for _, t := range from {
		if t.Weight == 0 {
			continue // drained
		}
		client, err := m.client(t.URL, c.Timeout, c.Backend.HTTP.TLS)
		if err != nil {
			return nil, err
		}
		list = append(list, proxy.HTTPTarget{URL: t.URL, Weight: int(t.Weight), Client: client, Health: targetHealth(m.reg, c, t.URL, client)})
	}
	return list, nil
}

// targetHealth is how a target of a route is checked; nil: it is not.
func targetHealth(reg *router.Registry, c *config.Route, url string, client *upstream.Client) *router.Health {
	h := c.Backend.HTTP.Health
	if h == nil {
		return nil
	}
	policy := router.Check{Every: h.Every, Timeout: h.Timeout, Fails: int(h.Fails), Passes: int(h.Passes), Lone: true}
	return reg.Health(proxy.TargetID(c.Name, url), policy, proxy.Check(client, h.Path))
}

// endless stands for no bound where a client has one of its own.
const (
	endless    = 1000 * time.Hour
	endlessLen = 1 << 62
)

// client is that of a target, shared by all routes which reach it alike.
func (m *routeBuilder) client(url string, timeout time.Duration, secure *config.BackendTLS) (*upstream.Client, error) {
	made := clientName(url, timeout, secure)
	client := m.keep.clients[made]
	if client == nil {
		client = m.old.clients[made]
	}
	if client == nil {
		var err error
		if client, err = upstream.New(clientOptions(url, timeout, secure.Config())); err != nil {
			return nil, err
		}
	}
	m.keep.clients[made] = client
	return client, nil
}

// clientName tells what a client is made from.
func clientName(url string, timeout time.Duration, secure *config.BackendTLS) string {
	return fmt.Sprint(url, " ", timeout, " ", secure.Digest())
}

func clientOptions(url string, timeout time.Duration, secure *tls.Config) upstream.Options {
	wait, connect := cmp.Or(timeout, endless), 5*time.Second
	if timeout > 0 {
		connect = min(connect, timeout)
	}
	return upstream.Options{BaseURL: url, Connect: connect, FirstByte: wait, Idle: wait, MaxResponse: endlessLen, TLS: secure}
}

// routesShown is how the admin plane shows the routes, in their order of
// precedence.
func routesShown(v *view, now time.Time) []admin.Route {
	var list []admin.Route
	states := map[string]router.TargetStatus{}
	for _, t := range v.registry.Targets(now) {
		states[t.ID] = t
	}
	for _, r := range v.routes.Routes() {
		i := slices.IndexFunc(v.cfg.Routes, func(c config.Route) bool { return c.Name == r.Name })
		c := &v.cfg.Routes[i]
		shown := admin.Route{Name: r.Name, Source: "file", Backend: r.Backend.Kind(), Match: matchShown(&c.Match)}
		if c.Auth != nil {
			shown.Auth, shown.Subscribed = c.Auth.Require, c.Auth.Subscribed
		}
		if l := c.Limits; l != nil {
			shown.Limits = &admin.RouteLimits{Per: l.Per, Burst: l.Burst, Parallel: l.Parallel}
			if l.Rate.Requests > 0 {
				shown.Limits.Rate = fmt.Sprintf("%d/%s", l.Rate.Requests, alert.Short(l.Rate.Per))
			}
			if b := r.Bound; b != nil {
				shown.Limits.Adaptive = &admin.RouteAdaptive{Min: b.Least, Max: b.Most, Bound: b.Bound(), Open: b.Open()}
			}
		}
		shown.Cache, shown.Contract, shown.Versions = cacheShown(c.Cache), contractShown(c.Validate, v.drifting[r.Name]), versionsShown(r)
		if h, ok := r.Backend.(*proxy.HTTP); ok {
			if d := v.discovered[r.Name]; d != nil {
				status := d.watch.Status()
				shown.Discovery = &status
			}
			shown.Balance, shown.TimeoutMS = c.Backend.HTTP.Balance, c.Timeout.Milliseconds()
			shown.Targets = targetsShown(r.Name, h, states, "")
			if h.Canary != nil {
				shown.Targets = append(shown.Targets, targetsShown(r.Name, h.Canary, states, proxy.ArmCanary)...)
			}
			shown.Targets = append(shown.Targets, fallbackShown(r.Name, h, states)...)
			if h.Fallback != nil {
				shown.Fallback = h.Fallback.Name
			}
			for _, k := range c.Backend.HTTP.Mirror {
				shown.Mirror = append(shown.Mirror, k.URL)
			}
		}
		shown.Order = len(list) + 1
		list = append(list, shown)
	}
	return list
}

func targetsShown(route string, h *proxy.HTTP, states map[string]router.TargetStatus, arm string) (list []admin.RouteTarget) {
	for _, aim := range h.Aims() {
		t := admin.RouteTarget{URL: aim.URL, Weight: aim.Weight, Arm: arm, TargetStatus: states[proxy.TargetID(route, aim.URL)], Checks: aim.Health.Status()}
		if t.Checks != nil {
			t.Health = t.Checks.State
		}
		list = append(list, t)
	}
	return list
}

// explainRoute tells which route a request would go to, and what it would
// choose among.
func (s *server) explainRoute(q admin.RouteQuery) (admin.RouteExplanation, error) {
	f, err := s.gateway.Snapshot().Foresee(gateway.Supposed{Method: q.Method, Host: q.Host, Target: q.Path, IP: q.IP, At: q.At,
		Caller: proxy.Caller{ID: "supposed", Team: q.Team, User: q.User, Roles: list(q.Roles), Scopes: list(q.Scopes)}})
	if err != nil {
		return admin.RouteExplanation{}, schema.Invalid("path", "%v", err)
	}
	r := f.Route
	e := admin.RouteExplanation{Path: f.Path, Explanation: router.Explanation{Candidates: []router.Weighed{}, Attempts: []router.Result{}}}
	if r == nil {
		return e, nil
	}
	e.Route, e.Backend = r.Name, r.Backend.Kind()
	if d := f.Decision; d != nil {
		i := slices.IndexFunc(s.build.view().cfg.Routes, func(c config.Route) bool { return c.Name == r.Name })
		a := s.build.view().cfg.Routes[i].Auth
		e.Permission = &admin.RoutePermission{Require: a.Require, All: a.All, Allowed: d.Allowed, Rule: d.Rule, Why: d.Why}
	}
	if h, ok := r.Backend.(*proxy.HTTP); ok && h.Route() != nil {
		p := router.Plan{Route: h.Route()}
		e.Explanation = p.Preview()
		e.Attempts = []router.Result{}
	}
	return e, nil
}

func cacheShown(c *config.RouteCache) *admin.RouteCache {
	if c == nil {
		return nil
	}
	return &admin.RouteCache{TTLMS: c.TTL.Milliseconds(), RFC9111: c.RFC9111, Vary: c.Vary, Query: c.Query, Tags: c.Tags,
		StaleWhileRevalidateMS: c.StaleWhileRevalidate.Milliseconds(), StaleIfErrorMS: c.StaleIfError.Milliseconds()}
}
