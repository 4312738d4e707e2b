package admin

import (
	"net/http"
	"slices"
	"strings"

	"sluice/providers/schema"
)

// route is one line of the admin plane.
type route struct {
	method string
	path   string // a ServeMux pattern without its method
	roles  []Role
	serve  func(*api, *request) error
}

// Who may.
var (
	changers = []Role{RoleAdmin}
	owners   = []Role{RoleAdmin, RoleTeamOwner} // the team-owner in its own team
	workers  = []Role{RoleAdmin, RoleOperator}
	readers  = []Role{RoleAdmin, RoleOperator, RoleViewer}
	everyone = []Role{RoleAdmin, RoleOperator, RoleViewer, RoleTeamOwner}
)

// routes is every route, the one place that says who may use it.
var routes = []route{
	{"GET", "/admin/v1/openapi.json", everyone, (*api).openAPI},

	{"GET", "/admin/v1/teams", everyone, (*api).listTeams},
	{"POST", "/admin/v1/teams", changers, (*api).createTeam},
	{"GET", "/admin/v1/teams/{name}", everyone, (*api).showTeam},
	{"PUT", "/admin/v1/teams/{name}", owners, (*api).putTeam},
	{"DELETE", "/admin/v1/teams/{name}", changers, (*api).deleteTeam},

	{"GET", "/admin/v1/keys", everyone, (*api).listKeys},
	{"POST", "/admin/v1/keys", owners, (*api).createKey},
	{"GET", "/admin/v1/keys/{id}", everyone, (*api).showKey},
	{"PUT", "/admin/v1/keys/{id}", owners, (*api).putKey},
	{"DELETE", "/admin/v1/keys/{id}", owners, (*api).revokeKey},
	{"POST", "/admin/v1/keys/{id}/rotate", owners, (*api).rotateKey},

	{"GET", "/admin/v1/budgets", everyone, (*api).listBudgets},
	{"GET", "/admin/v1/usage", everyone, (*api).usage},
	{"GET", "/admin/v1/usage/verify", readers, (*api).verifyUsage},
	{"POST", "/admin/v1/usage/reprice", readers, (*api).repriceUsage},
	{"GET", "/admin/v1/invoices/{name}", everyone, (*api).invoice},
	{"POST", "/admin/v1/usage/reconcile", readers, (*api).reconcileUsage},
	{"GET", "/admin/v1/corrections", everyone, (*api).listCorrections},
	{"POST", "/admin/v1/corrections", changers, (*api).correct},
	{"POST", "/admin/v1/erasures", changers, (*api).erase},
	{"GET", "/admin/v1/entries", everyone, (*api).listEntries},
	{"GET", "/admin/v1/requests", everyone, (*api).listRequests},
	{"GET", "/admin/v1/requests/{id}", everyone, (*api).showRequest},

	{"GET", "/admin/v1/prices", readers, (*api).listPrices},
	{"POST", "/admin/v1/prices", changers, (*api).setPrice},

	{"GET", "/admin/v1/prompts", readers, (*api).listPrompts},
	{"GET", "/admin/v1/prompts/{name}", readers, (*api).showPrompt},
	{"DELETE", "/admin/v1/prompts/{name}", changers, (*api).withdrawPrompt},
	{"GET", "/admin/v1/prompts/{name}/versions", readers, (*api).listVersions},
	{"GET", "/admin/v1/prompts/{name}/versions/{n}", readers, (*api).showVersion},
	{"GET", "/admin/v1/prompts/{name}/labels", readers, (*api).listLabels},
	{"PUT", "/admin/v1/prompts/{name}/labels", owners, (*api).putLabels},
	{"GET", "/admin/v1/prompts/{name}/split", readers, (*api).showSplit},
	{"PUT", "/admin/v1/prompts/{name}/split", changers, (*api).putSplit},
	{"POST", "/admin/v1/prompts/{name}/publish", changers, (*api).publish},
	{"POST", "/admin/v1/prompts/{name}/test", changers, (*api).testPrompt},
	{"GET", "/admin/v1/prompts/{name}/diff", readers, (*api).diffPrompt},
	{"GET", "/admin/v1/prompts/{name}/render", readers, (*api).renderPrompt},

	{"GET", "/admin/v1/subscriptions", everyone, (*api).listSubscriptions},
	{"POST", "/admin/v1/subscriptions", owners, (*api).subscribe},
	{"GET", "/admin/v1/subscriptions/{id}", everyone, (*api).showSubscription},
	{"POST", "/admin/v1/subscriptions/{id}/approve", owners, (*api).approveSubscription},
	{"POST", "/admin/v1/subscriptions/{id}/reject", owners, (*api).rejectSubscription},
	{"DELETE", "/admin/v1/subscriptions/{id}", owners, (*api).revokeSubscription},

	{"GET", "/admin/v1/providers", readers, (*api).listProviders},
	{"POST", "/admin/v1/providers/{name}/breakers/{target...}", workers, (*api).setBreaker},
	{"GET", "/admin/v1/models", everyone, (*api).listModels},
	{"GET", "/admin/v1/guards", readers, (*api).listGuards},
	{"GET", "/admin/v1/alerts", readers, (*api).listAlerts},
	{"POST", "/admin/v1/alerts/{name}/mute", workers, (*api).muteAlert},
	{"DELETE", "/admin/v1/alerts/{name}/mute", workers, (*api).unmuteAlert},
	{"GET", "/admin/v1/routes", readers, (*api).listRoutes},
	{"POST", "/admin/v1/routes", changers, (*api).createRoute},
	{"GET", "/admin/v1/routes/{name}", readers, (*api).showRoute},
	{"DELETE", "/admin/v1/routes/{name}", changers, (*api).deleteRoute},
	{"GET", "/admin/v1/route-versions", everyone, (*api).routeVersions},
	{"GET", "/admin/v1/arms", readers, (*api).arms},
	{"GET", "/admin/v1/explain", readers, (*api).explain},
	{"GET", "/admin/v1/cache", readers, (*api).showCache},
	{"DELETE", "/admin/v1/cache", workers, (*api).purgeCache},
	{"GET", "/admin/v1/config", readers, (*api).showConfig},
	{"PUT", "/admin/v1/config", changers, (*api).putConfig},
	{"POST", "/admin/v1/config/validate", workers, (*api).validateConfig},
	{"POST", "/admin/v1/config/diff", workers, (*api).diffConfig},
	{"GET", "/admin/v1/config/revisions", readers, (*api).listRevisions},
	{"GET", "/admin/v1/config/revisions/{n}", readers, (*api).showRevision},
	{"POST", "/admin/v1/config/rollback", changers, (*api).rollbackConfig},
	{"POST", "/admin/v1/reload", workers, (*api).reload},
	{"GET", "/admin/v1/health", everyone, (*api).health},
	{"GET", "/admin/v1/audit", readers, (*api).listAudit},
	{"GET", "/admin/v1/audit/verify", readers, (*api).verifyAudit},
}

// May tells whether a role may make a request, such as "POST /admin/v1/teams":
// a line of the table of routes. One that is not there is for nobody.
func May(role Role, line string) bool {
	method, path, _ := strings.Cut(line, " ")
	i := slices.IndexFunc(routes, func(r route) bool { return r.method == method && r.path == path })
	return i >= 0 && slices.Contains(routes[i].roles, role)
}

// New is the handler of the admin listener. It is safe for concurrent use.
func New(o Options) http.Handler {
	a := &api{Options: o.withDefaults(), document: document}
	mux := http.NewServeMux()
	byPath := map[string][]route{}
	for _, r := range routes {
		byPath[r.path] = append(byPath[r.path], r)
	}
	for path, methods := range byPath {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { a.dispatch(w, r, methods) })
	}
	mux.HandleFunc("/admin/", func(w http.ResponseWriter, r *http.Request) { a.dispatch(w, r, nil) })
	if a.Metrics != nil {
		mux.Handle("GET /metrics", a.Metrics)
	}
	if a.Console != nil {
		mux.Handle("/", a.Console(mux))
	}
	return mux
}

// dispatch is what every request of the API passes: token, path, method, role.
func (a *api) dispatch(w http.ResponseWriter, r *http.Request, methods []route) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	q := &request{Request: r, w: w, requestID: requestID(r)}
	h.Set("X-Request-Id", q.requestID)
	var err error
	if q.id, err = a.identify(r); err == nil {
		err = a.allowed(q, methods)
	} else if r.Header.Get("Authorization") != "" {
		a.Trail.Failed(r.Context(), q.begun("sign-in", a.ClientIP(r), http.StatusUnauthorized))
	}
	if err != nil {
		a.fail(q, err)
	}
}

// allowed finds the route, and serves it. Whatever changes something has a
// record in the audit trail: a route cannot forget it.
func (a *api) allowed(q *request, methods []route) error {
	if len(methods) == 0 {
		return &schema.Error{Code: schema.CodeNotFound, Status: http.StatusNotFound, Origin: schema.OriginGateway,
			Message: "nothing is served at " + q.URL.Path}
	}
	method := q.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var allow []string
	for _, route := range methods {
		if route.method != method {
			allow = append(allow, route.method)
			continue
		}
		if !route.changes() {
			return a.use(q, &route)
		}
		return a.record(q, &route)
	}
	q.w.Header().Set("Allow", strings.Join(allow, ", "))
	return &schema.Error{Code: schema.CodeMethodNotAllowed, Status: http.StatusMethodNotAllowed, Origin: schema.OriginGateway,
		Message: "use " + strings.Join(allow, " or ") + " here, not " + q.Method}
}

// use serves a route to a role that may use it.
func (a *api) use(q *request, r *route) error {
	if !slices.Contains(r.roles, q.id.Role) {
		return forbidden("the role " + string(q.id.Role) + " may not " + r.method + " " + r.path)
	}
	if q.id.Key != nil && !slices.Contains(holders, r.method+" "+r.path) {
		return forbidden("a key may not " + r.method + " " + r.path)
	}
	if !r.changes() {
		q.Request = q.Request.WithContext(a.behalf(q))
	}
	return r.serve(a, q)
}
