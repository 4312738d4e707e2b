package admin

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"sluice/providers/schema"
	"sluice/router"
	"sluice/router/discovery"
)

// Route is a route of the classic gateway and how its targets stand.
type Route struct {
	Name    string        `json:"name"`
	Order   int           `json:"order"` // of precedence, from 1
	Match   RouteMatch    `json:"match"`
	Backend string        `json:"backend"` // http, static, redirect, compose or mock
	Balance string        `json:"balance,omitempty"`
	Targets []RouteTarget `json:"targets,omitempty"`
	// Discovery is how the registry stands that names the targets; nil: the
	// configuration does.
	Discovery  *discovery.Status `json:"discovery,omitempty"`
	Auth       []string          `json:"auth,omitempty"`       // none: open to all
	Subscribed bool              `json:"subscribed,omitempty"` // by teams that have subscribed to it alone
	Limits     *RouteLimits      `json:"limits,omitempty"`
	Cache      *RouteCache       `json:"cache,omitempty"`    // nil: nothing is kept
	Mirror     []string          `json:"mirror,omitempty"`   // URLs of who get copies
	Contract   *RouteContract    `json:"contract,omitempty"` // nil: what does not keep it is refused, or there is none
	Versions   []RouteVersion    `json:"versions,omitempty"` // that it serves
	// Fallback is who answers while every target's breaker is open: static,
	// targets (whose arm is fallback) or route:NAME; empty: nobody.
	Fallback  string `json:"fallback,omitempty"`
	TimeoutMS int64  `json:"timeout_ms,omitempty"`
	Source    string `json:"source"`
}

// RouteContract is how requests and answers differ from what they are held
// against, where they pass all the same.
type RouteContract struct {
	Report      []string          `json:"report"`                // request, response
	Differences []RouteDifference `json:"differences,omitempty"` // each kind of them, the latest first
	More        int64             `json:"more,omitempty"`        // of kinds that are not listed
}

// RouteDifference is one kind of them.
type RouteDifference struct {
	Part    string    `json:"part"` // request or response
	Method  string    `json:"method"`
	Path    string    `json:"path"`             // as the document has it, else as it was sent
	Status  int       `json:"status,omitempty"` // of the response
	Pointer string    `json:"pointer"`          // * is any place of a list
	Message string    `json:"message"`
	Count   int64     `json:"count"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}

// RouteMatch is what a request must be.
type RouteMatch struct {
	Host    string            `json:"host,omitempty"`
	Path    string            `json:"path"`
	Methods []string          `json:"methods,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Query   map[string]string `json:"query,omitempty"`

	HeaderPatterns map[string]string `json:"header_patterns,omitempty"` // regular expressions that whole values must fit
	QueryPatterns  map[string]string `json:"query_patterns,omitempty"`
}

// RouteLimits are how much may be asked of a route.
type RouteLimits struct {
	Rate     string `json:"rate,omitempty"` // 100/1m0s
	Per      string `json:"per,omitempty"`
	Burst    int64  `json:"burst,omitempty"`
	Parallel int64  `json:"parallel,omitempty"`

	Adaptive *RouteAdaptive `json:"adaptive,omitempty"` // nil: the backend gets any number at once
}

// RouteAdaptive is how many requests at once a backend gets, and has.
type RouteAdaptive struct {
	Min   int64 `json:"min"`
	Max   int64 `json:"max"`
	Bound int64 `json:"bound"` // now
	Open  int64 `json:"open"`
}

// RouteCache is what is kept of a route's answers.
type RouteCache struct {
	TTLMS                  int64     `json:"ttl_ms,omitempty"`
	RFC9111                bool      `json:"rfc9111,omitempty"`
	Vary                   []string  `json:"vary,omitempty"`
	Query                  *[]string `json:"query,omitempty"` // absent: all of it
	Tags                   []string  `json:"tags,omitempty"`
	StaleWhileRevalidateMS int64     `json:"stale_while_revalidate_ms,omitempty"`
	StaleIfErrorMS         int64     `json:"stale_if_error_ms,omitempty"`
}

// RouteTarget is a server that a route leads to.
type RouteTarget struct {
	URL    string `json:"url"`
	Weight int    `json:"weight"`
	Arm    string `json:"arm,omitempty"` // canary, or fallback; empty: it is of all, or of those who are not the canary's
	router.TargetStatus
	Checks *router.HealthStatus `json:"checks,omitempty"` // of its health; nil: it is not checked
}

// RouteQuery is a request that might come.
type RouteQuery struct {
	Method string
	Host   string
	Path   string // with its query
	// Who it would be from, and when; roles and scopes with commas between them.
	Team, User, Roles, Scopes, IP string
	At                            time.Time
}

// RouteExplanation tells where a request would go. Without a route it goes
// nowhere, or the path is the gateway's own.
type RouteExplanation struct {
	Path    string `json:"path"`  // in the form in which it is matched
	Route   string `json:"route"` // empty: none matches
	Backend string `json:"backend,omitempty"`
	// Permission is whether the caller may; nil: the route is open to all.
	Permission *RoutePermission `json:"permission,omitempty"`
	router.Explanation
}

// RoutePermission is what is decided of a caller who has told who it is in one
// of the ways required, or in all of them.
type RoutePermission struct {
	Require []string `json:"require"`
	All     bool     `json:"all,omitempty"`
	Allowed bool     `json:"allowed"`
	Rule    string   `json:"rule"`          // that decides, as it stands in the configuration
	Why     string   `json:"why,omitempty"` // what a caller who may not is told
}

func (a *api) listRoutes(q *request) error {
	values, err := q.query("limit", "after")
	if err != nil {
		return err
	}
	l, err := page(values, slices.Clone(a.View().Routes), func(r *Route) string { return fmt.Sprintf("%08d", r.Order) })
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, l)
}

func (a *api) showRoute(q *request) error {
	r, err := a.route(q)
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, r)
}

func (a *api) route(q *request) (*Route, error) {
	list, name := a.View().Routes, q.PathValue("name")
	i := slices.IndexFunc(list, func(r Route) bool { return r.Name == name })
	if i < 0 {
		return nil, errNotFound("there is no route %q", name)
	}
	return &list[i], nil
}

// createRoute and deleteRoute answer 409: the configuration file leads.
func (a *api) createRoute(*request) error {
	return errConflict("routes are declared in the configuration: add it under routes: in the configuration file, or where the store leads by PUT /admin/v1/config")
}

func (a *api) deleteRoute(q *request) error {
	r, err := a.route(q)
	if err != nil {
		return err
	}
	return errConflict("route %q is declared in the configuration: take it out in the configuration file, or where the store leads by PUT /admin/v1/config", r.Name)
}

func (a *api) explainRoute(q *request, values url.Values) error {
	r := RouteQuery{Method: cmp.Or(values.Get("method"), http.MethodGet), Host: values.Get("host"), Path: values.Get("path"), Team: values.Get("team"),
		User: values.Get("user"), Roles: values.Get("roles"), Scopes: values.Get("scopes"), IP: values.Get("ip"), At: a.Now()}
	if at := values.Get("at"); at != "" {
		var err error
		if r.At, err = time.Parse(time.RFC3339, at); err != nil {
			return schema.Invalid("at", "at: want a time such as 2026-11-30T09:00:00Z")
		}
	}
	e, err := a.Explain.Path(r)
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, e)
}
