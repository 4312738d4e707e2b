package admin

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// matrix says again who may use what, on purpose: a route that is added or
// loosened must be decided twice. a admin, o operator, v viewer, t team-owner
// (of the team that the path names).
var matrix = map[string]string{
	"GET /admin/v1/openapi.json":                           "aovt",
	"GET /admin/v1/teams":                                  "aovt",
	"POST /admin/v1/teams":                                 "a",
	"GET /admin/v1/teams/{name}":                           "aovt",
	"PUT /admin/v1/teams/{name}":                           "at",
	"DELETE /admin/v1/teams/{name}":                        "a",
	"GET /admin/v1/keys":                                   "aovt",
	"POST /admin/v1/keys":                                  "at",
	"GET /admin/v1/keys/{id}":                              "aovt",
	"PUT /admin/v1/keys/{id}":                              "at",
	"DELETE /admin/v1/keys/{id}":                           "at",
	"POST /admin/v1/keys/{id}/rotate":                      "at",
	"GET /admin/v1/budgets":                                "aovt",
	"GET /admin/v1/usage":                                  "aovt",
	"GET /admin/v1/usage/verify":                           "aov",
	"POST /admin/v1/usage/reprice":                         "aov",
	"GET /admin/v1/invoices/{name}":                        "aovt",
	"POST /admin/v1/usage/reconcile":                       "aov",
	"GET /admin/v1/corrections":                            "aovt",
	"GET /admin/v1/entries":                                "aovt",
	"POST /admin/v1/erasures":                              "a",
	"POST /admin/v1/corrections":                           "a",
	"GET /admin/v1/requests":                               "aovt",
	"GET /admin/v1/requests/{id}":                          "aovt",
	"GET /admin/v1/prices":                                 "aov",
	"POST /admin/v1/prices":                                "a",
	"GET /admin/v1/prompts":                                "aov",
	"GET /admin/v1/prompts/{name}":                         "aov",
	"DELETE /admin/v1/prompts/{name}":                      "a",
	"GET /admin/v1/prompts/{name}/versions":                "aov",
	"GET /admin/v1/prompts/{name}/versions/{n}":            "aov",
	"GET /admin/v1/prompts/{name}/labels":                  "aov",
	"PUT /admin/v1/prompts/{name}/labels":                  "at",
	"GET /admin/v1/prompts/{name}/split":                   "aov",
	"PUT /admin/v1/prompts/{name}/split":                   "a",
	"POST /admin/v1/prompts/{name}/publish":                "a",
	"POST /admin/v1/prompts/{name}/test":                   "a",
	"GET /admin/v1/prompts/{name}/diff":                    "aov",
	"GET /admin/v1/prompts/{name}/render":                  "aov",
	"GET /admin/v1/subscriptions":                          "aovt",
	"POST /admin/v1/subscriptions":                         "at",
	"GET /admin/v1/subscriptions/{id}":                     "aovt",
	"POST /admin/v1/subscriptions/{id}/approve":            "at",
	"POST /admin/v1/subscriptions/{id}/reject":             "at",
	"DELETE /admin/v1/subscriptions/{id}":                  "at",
	"GET /admin/v1/providers":                              "aov",
	"POST /admin/v1/providers/{name}/breakers/{target...}": "ao",
	"GET /admin/v1/models":                                 "aovt",
	"GET /admin/v1/guards":                                 "aov",
	"GET /admin/v1/alerts":                                 "aov",
	"POST /admin/v1/alerts/{name}/mute":                    "ao",
	"DELETE /admin/v1/alerts/{name}/mute":                  "ao",
	"GET /admin/v1/routes":                                 "aov",
	"POST /admin/v1/routes":                                "a",
	"GET /admin/v1/routes/{name}":                          "aov",
	"DELETE /admin/v1/routes/{name}":                       "a",
	"GET /admin/v1/route-versions":                         "aovt",
	"GET /admin/v1/arms":                                   "aov",
	"GET /admin/v1/explain":                                "aov",
	"GET /admin/v1/cache":                                  "aov",
	"DELETE /admin/v1/cache":                               "ao",
	"GET /admin/v1/config":                                 "aov",
	"PUT /admin/v1/config":                                 "a",
	"POST /admin/v1/config/validate":                       "ao",
	"POST /admin/v1/config/diff":                           "ao",
	"GET /admin/v1/config/revisions":                       "aov",
	"GET /admin/v1/config/revisions/{n}":                   "aov",
	"POST /admin/v1/config/rollback":                       "a",
	"POST /admin/v1/reload":                                "ao",
	"GET /admin/v1/health":                                 "aovt",
	"GET /admin/v1/audit":                                  "aov",
	"GET /admin/v1/audit/verify":                           "aov",
}

func TestEveryRouteTimesEveryRole(t *testing.T) {
	fill := strings.NewReplacer("{id}", "key_r", "{n}", "1", "{target...}", "echo")
	for _, r := range routes {
		who, ok := matrix[r.method+" "+r.path]
		if !ok {
			t.Errorf("%s %s has no row in the matrix", r.method, r.path)
			continue
		}
		name := "research"
		if strings.Contains(r.path, "providers") {
			name = "mock"
		}
		path := strings.ReplaceAll(fill.Replace(r.path), "{name}", name)
		body := "{}"
		if r.path == "/admin/v1/keys" {
			body = `{"team":"research"}`
		}
		if r.path == "/admin/v1/teams/{name}" && r.method == "PUT" {
			body = `{"models":["fast"],"budget":{"usd":"5"}}`
		}
		for letter, role := range map[string]Role{"a": RoleAdmin, "o": RoleOperator, "v": RoleViewer, "t": RoleTeamOwner} {
			c := newClient(t, newWorld(), string(role))
			status := c.do(r.method, path, body).Code
			if strings.Contains(who, letter) == (status == http.StatusForbidden) || status == http.StatusUnauthorized {
				t.Errorf("%s %s as %s: %d, the matrix says %q", r.method, path, role, status, who)
			}
			if got := slices.Contains(r.roles, role); got != strings.Contains(who, letter) {
				t.Errorf("%s %s: role %s is %v in the table, the matrix says %q", r.method, r.path, role, got, who)
			}
		}
		for _, token := range []string{"", "wrong", "admin "} {
			c := newClient(t, newWorld(), token)
			if status := c.do(r.method, path, body).Code; status != http.StatusUnauthorized && strings.TrimSpace(token) != "admin" {
				t.Errorf("%s %s with token %q: %d", r.method, path, token, status)
			}
		}
	}
	if len(matrix) != len(routes) {
		t.Errorf("the matrix has %d rows for %d routes", len(matrix), len(routes))
	}
}

func TestTokenIsNotTakenFromElsewhere(t *testing.T) {
	c := newClient(t, newWorld(), "")
	c.problem("GET", "/admin/v1/teams?token=admin", "", 401, "invalid_api_key", "Authorization: Bearer")
	if got := c.do("GET", "/admin/v1/teams", "").Header().Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
		t.Errorf("WWW-Authenticate is %q", got)
	}
	if _, ok := Authenticate([]Token{NewToken("", RoleAdmin, "")}, ""); ok {
		t.Error("an empty token must open nothing")
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	c := newClient(t, newWorld(), "admin")
	c.problem("GET", "/admin/v1/nothing", "", 404, "not_found", "/admin/v1/nothing")
	c.problem("PATCH", "/admin/v1/teams", "", 405, "method_not_allowed", "GET or POST")
	c.as("").problem("GET", "/admin/v1/nothing", "", 401, "invalid_api_key", "")
	if got := c.do("PATCH", "/admin/v1/teams", "").Header().Get("Allow"); got != "GET, POST" {
		t.Errorf("Allow is %q", got)
	}
	if rec := c.do("HEAD", "/admin/v1/health", ""); rec.Code != 200 {
		t.Errorf("HEAD answers %d", rec.Code)
	}
}

// A request that the console makes passes the same table, as who signed in.
func TestRequestsAsSomebody(t *testing.T) {
	handler := New(newWorld().options())
	for _, c := range []struct {
		id     Identity
		method string
		path   string
		status int
	}{
		{Identity{Role: RoleViewer}, "GET", "/admin/v1/teams", 200},
		{Identity{Role: RoleViewer}, "POST", "/admin/v1/teams", 403},
		{Identity{Role: RoleTeamOwner, Team: "sales"}, "GET", "/admin/v1/teams/sales", 200},
		{Identity{Role: RoleTeamOwner, Team: "sales"}, "GET", "/admin/v1/teams/research", 404},
		{Identity{}, "GET", "/admin/v1/health", 403},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader("{}"))
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r.WithContext(As(r.Context(), c.id)))
		if rec.Code != c.status {
			t.Errorf("%v %s %s: %d, want %d", c.id, c.method, c.path, rec.Code, c.status)
		}
		if may := May(c.id.Role, c.method+" "+strings.ReplaceAll(strings.ReplaceAll(c.path, "research", "{name}"), "sales", "{name}")); may != (c.status != 403) {
			t.Errorf("May(%q, %s %s) = %v", c.id.Role, c.method, c.path, may)
		}
	}
	if May(RoleAdmin, "GET /admin/v1/nothing") {
		t.Error("what is not served is for nobody")
	}
}

func TestMetricsAndConsoleNeedNoAdminToken(t *testing.T) {
	c := newClient(t, newWorld(), "")
	if rec := c.do("GET", "/metrics", ""); rec.Code != 200 || !strings.Contains(rec.Body.String(), "sluice_calls_total") {
		t.Errorf("/metrics: %d %s", rec.Code, rec.Body)
	}
	if rec := c.do("GET", "/", ""); rec.Code != 200 || !strings.Contains(rec.Body.String(), "console") {
		t.Errorf("/: %d %s", rec.Code, rec.Body)
	}
	w := newWorld()
	o := w.options()
	o.Metrics, o.Console = nil, nil
	bare := client{t, New(o), ""}
	if rec := bare.do("GET", "/metrics", ""); rec.Code != 404 {
		t.Errorf("/metrics without metrics: %d", rec.Code)
	}
}
