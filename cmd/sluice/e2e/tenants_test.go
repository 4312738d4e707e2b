package e2e

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"pgregory.net/rapid"
)

// across says of every route of the admin API what a team-owner is answered who
// asks it for what is another team's: status, path and body, in which TEAM, KEY,
// CALL, SUB and PROMPT stand for what that team has. A route without a row fails
// the test.
var across = map[string][]string{
	"GET /openapi.json": {"200 openapi.json"},

	"GET /teams":           {"200 teams"},
	"POST /teams":          {`403 teams {"name":"TEAM"}`},
	"GET /teams/{name}":    {"404 teams/TEAM"},
	"PUT /teams/{name}":    {`403 teams/TEAM {"models":["mock/*"]}`, `403 teams/TEAM {}`},
	"DELETE /teams/{name}": {"403 teams/TEAM"},

	"GET /keys":              {"200 keys", "200 keys?limit=1000", "403 keys?team=TEAM"},
	"POST /keys":             {`403 keys {"team":"TEAM","name":"mine"}`},
	"GET /keys/{id}":         {"404 keys/KEY"},
	"PUT /keys/{id}":         {`404 keys/KEY {"name":"mine"}`},
	"DELETE /keys/{id}":      {"404 keys/KEY"},
	"POST /keys/{id}/rotate": {"404 keys/KEY/rotate", `404 keys/KEY/rotate {"grace":"1h"}`},

	"GET /budgets":                     {"200 budgets", "403 budgets?team=TEAM"},
	"GET /usage":                       {"200 usage?group_by=team,key,user,tag", "200 usage?key=TEAM/k&group_by=key", "200 usage?user=user-TEAM&group_by=user", "200 usage?tag=tag-TEAM&group_by=team&format=csv", "403 usage?team=TEAM"},
	"GET /usage/verify":                {"403 usage/verify"},
	"POST /usage/reprice":              {"403 usage/reprice?team=TEAM"},
	"POST /usage/reconcile":            {"403 usage/reconcile?provider=openai"},
	"GET /invoices/{name}":             {"404 invoices/TEAM", "404 invoices/TEAM?format=csv"},
	"GET /corrections":                 {"200 corrections", "403 corrections?team=TEAM"},
	"POST /corrections":                {`403 corrections {"call":"CALL","refund":true,"reason":"mine"}`},
	"GET /entries":                     {"200 entries", "403 entries?team=TEAM"},
	"POST /erasures":                   {`403 erasures {"user":"user-TEAM"}`},
	"GET /requests":                    {"200 requests", "200 requests?key=TEAM/k", "200 requests?q=req-TEAM", "200 requests?tag=tag-TEAM", "403 requests?team=TEAM"},
	"GET /requests/{id}":               {"404 requests/CALL", "404 requests/req-TEAM"},
	"GET /route-versions":              {"200 route-versions", "200 route-versions?key=TEAM/k", "403 route-versions?team=TEAM"},
	"GET /subscriptions":               {"200 subscriptions", "200 subscriptions?team=TEAM"},
	"POST /subscriptions":              {`403 subscriptions {"prompt":"common","team":"TEAM"}`},
	"GET /subscriptions/{id}":          {"404 subscriptions/SUB"},
	"POST /subscriptions/{id}/approve": {"404 subscriptions/SUB/approve", `404 subscriptions/SUB/approve {"note":"mine"}`},
	"POST /subscriptions/{id}/reject":  {"404 subscriptions/SUB/reject"},
	"DELETE /subscriptions/{id}":       {"404 subscriptions/SUB"},

	"GET /prompts":                     {"403 prompts"},
	"GET /prompts/{name}":              {"403 prompts/PROMPT"},
	"DELETE /prompts/{name}":           {"403 prompts/PROMPT"},
	"GET /prompts/{name}/versions":     {"403 prompts/PROMPT/versions"},
	"GET /prompts/{name}/versions/{n}": {"403 prompts/PROMPT/versions/1"},
	"GET /prompts/{name}/labels":       {"403 prompts/PROMPT/labels"},
	"PUT /prompts/{name}/labels":       {`403 prompts/PROMPT/labels {"mine":1}`, `403 prompts/PROMPT/labels {"production":1}`},
	"GET /prompts/{name}/split":        {"403 prompts/PROMPT/split"},
	"PUT /prompts/{name}/split":        {`403 prompts/PROMPT/split {}`},
	"POST /prompts/{name}/publish":     {`403 prompts/PROMPT/publish {"source":"x"}`},
	"POST /prompts/{name}/test":        {"403 prompts/PROMPT/test"},
	"GET /prompts/{name}/diff":         {"403 prompts/PROMPT/diff?from=1&to=1"},
	"GET /prompts/{name}/render":       {"403 prompts/PROMPT/render"},

	"GET /models": {"200 models"},
	"GET /health": {"200 health"},
	// What is nobody's own is not a team-owner's.
	"GET /prices": {"403 prices"}, "POST /prices": {`403 prices {}`},
	"GET /providers": {"403 providers"}, "POST /providers/{name}/breakers/{target}": {`403 providers/mock/breakers/echo {"state":"open"}`},
	"GET /guards": {"403 guards"}, "GET /alerts": {"403 alerts"}, "POST /alerts/{name}/mute": {"403 alerts/x/mute"}, "DELETE /alerts/{name}/mute": {"403 alerts/x/mute"},
	"GET /routes": {"403 routes"}, "POST /routes": {`403 routes {}`}, "GET /routes/{name}": {"403 routes/aged"}, "DELETE /routes/{name}": {"403 routes/aged"},
	"GET /arms": {"403 arms"}, "GET /explain": {"403 explain?model=mock/echo&team=TEAM"},
	"GET /cache": {"403 cache"}, "DELETE /cache": {"403 cache?key=TEAM"},
	"GET /config": {"403 config"}, "PUT /config": {`403 config {}`}, "POST /config/validate": {`403 config/validate {}`}, "POST /config/diff": {`403 config/diff {}`},
	"GET /config/revisions": {"403 config/revisions"}, "GET /config/revisions/{n}": {"403 config/revisions/1"}, "POST /config/rollback": {`403 config/rollback {"to":1}`},
	"POST /reload": {"403 reload"}, "GET /audit": {"403 audit"}, "GET /audit/verify": {"403 audit/verify"},
}

// tenant is a team with something of everything; its name is in all of it.
type tenant struct{ name, key, secret, call, sub string }

func (n tenant) token() string { return "owner-of-" + n.name }

// of puts what the tenant has into a line.
func (n tenant) of(line string) string {
	return strings.NewReplacer("TEAM", n.name, "KEY", n.key, "CALL", n.call, "SUB", n.sub, "PROMPT", "of-"+n.name).Replace(line)
}

// nobody has nothing: what is asked about it is there nowhere.
var nobody = tenant{name: "qqnobody", key: "key_qqnobody", call: "qqnobodyscall", sub: "sub_qqnobody"}

// tenants starts a gateway with some.
func tenants(t *testing.T, g *gateway, names ...string) []tenant {
	t.Helper()
	var tokens []string
	for _, n := range names {
		tokens = append(tokens, fmt.Sprintf("{value: owner-of-%s, role: team-owner, team: %[1]s}", n))
	}
	admin := `admin: {token: "` + adminToken + `"`
	g.configure(strings.Replace(head, admin, admin+", tokens: ["+strings.Join(tokens, ", ")+"]", 1) + providers + `
routes: [{name: aged, match: {path: "/aged"}, backend: {static: {body: x}}, auth: {require: [key]}, versioning: {by: header, versions: {"1": {}, "2": {}}}}]
`)
	g.start()
	must := func(a answer) answer {
		t.Helper()
		if a.status >= 300 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return a
	}
	prompt := func(name, more string) {
		must(g.api("POST", "prompts/"+name+"/publish", publication("---\nmodel: mock/echo\ninput: {schema: {text: string}}\nsluice.access: subscribed\n"+more+"---\n{{text}}\n", false)))
	}
	prompt("common", "")
	var all []tenant
	for _, name := range names {
		n := tenant{name: name}
		must(g.api("POST", "teams", `{"name":"`+name+`","models":["up/*","mock/*"],"budget":{"usd":"5","per":"month"}}`))
		key := must(g.api("POST", "keys", `{"team":"`+name+`","name":"k","budget":{"usd":"1","per":"day"}}`))
		n.key, n.secret = key.get("id").String(), key.get("key").String()
		prompt("of-"+name, "sluice.team: "+name+"\n")
		n.sub = must(g.api("POST", "subscriptions", `{"prompt":"common","team":"`+name+`","note":"note of `+name+`"}`)).get("id").String()
		must(g.data("POST", chats, chatBody("up/in-1000_out-1000", "hi", `,"user":"user-`+name+`"`), "Authorization", "Bearer "+n.secret, "X-Request-Id", "req-"+name, "X-Sluice-Tags", "tag-"+name))
		must(g.data("GET", "/aged", "", "Authorization", "Bearer "+n.secret, "X-API-Version", "1"))
		n.call = must(g.api("GET", "requests/req-"+name, "")).get("call").String()
		must(g.api("POST", "corrections", `{"call":"`+n.call+`","usd":"-0.001","reason":"reason of `+name+`"}`))
		all = append(all, n)
	}
	return all
}

// as makes a request to the admin API with a token.
func (g *gateway) as(token, method, path, body string) answer {
	g.t.Helper()
	a, err := g.send(method, "http://"+g.admin+"/admin/v1/"+path, body, "Authorization", "Bearer "+token, "Content-Type", "application/json")
	if err != nil {
		g.t.Fatal(err)
	}
	return a
}

// has is all that the admin is shown of a tenant.
func (g *gateway) has(n tenant) string {
	var b strings.Builder
	for _, path := range []string{"teams/TEAM", "keys?team=TEAM", "keys/KEY", "budgets?team=TEAM", "subscriptions?team=TEAM", "requests?team=TEAM", "requests/CALL",
		"corrections?team=TEAM", "prompts/PROMPT/labels", "prompts/PROMPT/versions", "route-versions?team=TEAM"} {
		a := g.api("GET", n.of(path), "")
		fmt.Fprintln(&b, path, a.status, clocked.ReplaceAllString(a.body, ""))
	}
	return b.String()
}

// clocked is what changes with the clock alone.
var clocked = regexp.MustCompile(`"(forecast|last_used)":[^,}]*`)

var requestID = regexp.MustCompile(`"request_id":"[^"]*"`)

// refusal is an answer without what was asked about, and without its own id.
func refusal(a answer, n tenant) string {
	body := requestID.ReplaceAllString(a.body, "")
	for _, of := range []string{n.key, n.call, n.sub, n.name} {
		body = strings.ReplaceAll(body, of, "…")
	}
	return fmt.Sprint(a.status, " ", body)
}

// crossed makes the requests of a row as one team about what is another's, and
// tells what is wrong with the answers.
func (g *gateway) crossed(route string, one, other tenant) (wrong []string) {
	method, _, _ := strings.Cut(route, " ")
	for _, line := range across[route] {
		status, ask, _ := strings.Cut(line, " ")
		path, body, _ := strings.Cut(ask, " ")
		fault := func(format string, args ...any) {
			wrong = append(wrong, fmt.Sprintf("%s as %s: ", other.of(method+" "+ask), one.name)+fmt.Sprintf(format, args...))
		}
		a := g.as(one.token(), method, other.of(path), other.of(body))
		if strconv.Itoa(a.status) != status {
			fault("%d %.300s, want %s", a.status, a.body, status)
		}
		shown := a.body
		if a.status >= 400 { // what was asked about may be named
			shown = refusal(a, other)
		}
		for _, of := range []string{other.name, other.key, other.call, other.sub, other.secret} {
			if strings.Contains(shown, of) {
				fault("the answer tells %q: %.500s", of, a.body)
			}
		}
		public := strings.Contains(path, "PROMPT") // which prompts there are is no secret: the portal lists them
		none := g.as(one.token(), method, nobody.of(path), nobody.of(body))
		if a.status >= 400 && !public && refusal(none, nobody) != refusal(a, other) {
			fault("it tells whether there is such a thing: %d %s, and of none %d %s", a.status, a.body, none.status, none.body)
		}
	}
	return wrong
}

// fewChecks has rapid make some checks of many requests each; -rapid.checks makes
// more.
func fewChecks(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("6") // a number
		t.Cleanup(func() { _ = f.Value.Set(f.DefValue) })
	}
}

// consolePages are asked for by those who own a team; what stands in capitals is
// another one's.
var consolePages = []string{"/", "/requests", "/requests?q=req-TEAM", "/requests/CALL", "/teams", "/teams/TEAM", "/models", "/prompts", "/prompts/PROMPT", "/prompts-new", "/subscriptions", "/routes",
	"/reports", "/reports?group_by=team", "/reports/export?group_by=team,key,user", "/invoices/TEAM", "/cache", "/guards", "/alerts", "/config", "/audit", "/first-run", "/settings"}

// tellsOf tells whether a page shows what is a tenant's, but for what the path
// that was asked for says itself.
func tellsOf(a answer, n tenant, path string) bool {
	for _, of := range []string{n.name, n.key, n.call, n.sub, n.secret} {
		if strings.Contains(a.body, of) && !strings.Contains(n.of(path), of) {
			return true
		}
	}
	return strings.Contains(a.body, "note of "+n.name) || strings.Contains(a.body, "user-"+n.name)
}

// Nobody who owns a team is told anything of another one, or changes anything of
// it, by any route of the admin API, whatever two teams they are; nor is told
// whether it is there.
func TestTenantsAdmin(t *testing.T) { tenantsAdmin(t, newGateway(t, "")) }

func tenantsAdmin(t *testing.T, g *gateway) {
	all := tenants(t, g, "qqamber", "qqbirch", "qqcedar", "qqdelta")
	document := g.api("GET", "openapi.json", "")
	routes := map[string]bool{}
	document.get("paths").ForEach(func(path, item gjson.Result) bool {
		item.ForEach(func(method, _ gjson.Result) bool {
			if m := strings.ToUpper(method.String()); m == http.MethodGet || m == http.MethodPost || m == http.MethodPut || m == http.MethodDelete {
				routes[m+" "+strings.TrimPrefix(path.String(), "/admin/v1")] = true
			}
			return true
		})
		return true
	})
	for route := range routes {
		if across[route] == nil {
			t.Errorf("%s has no row: say what a team-owner is answered about what is another's", route)
		}
	}
	for route := range across {
		if !routes[route] {
			t.Errorf("there is no %s", route)
		}
	}
	for _, n := range all { // of its own each is told
		for _, path := range []string{"teams", "teams/TEAM", "keys", "keys/KEY", "budgets", "usage?group_by=team", "requests", "requests/CALL", "corrections", "entries", "route-versions", "subscriptions", "subscriptions/SUB", "invoices/TEAM"} {
			if a := g.as(n.token(), "GET", n.of(path), ""); a.status != 200 || !strings.Contains(a.body, n.name) {
				t.Errorf("%s of its own: %d %s", path, a.status, a.body)
			}
		}
	}
	pages := map[string]*gateway{} // of the console, by who signed in
	for _, n := range all {
		pages[n.name] = g.browse()
		if r, err := pages[n.name].client.PostForm("http://"+g.admin+"/sign-in", url.Values{"token": {n.token()}}); err != nil || r.Body.Close() != nil || r.StatusCode != 200 {
			t.Fatalf("sign-in: %v %v", r, err)
		}
		if a, err := pages[n.name].send("GET", "http://"+g.admin+"/requests", ""); err != nil || a.status != 200 || !strings.Contains(a.body, n.name+"/k") {
			t.Errorf("%s is not shown its own requests: %d %v", n.name, a.status, err)
		}
	}
	fewChecks(t)
	rows := slices.Sorted(maps.Keys(across))
	rapid.Check(t, func(r *rapid.T) {
		pair := rapid.Permutation(all).Draw(r, "teams")
		one, other := pair[0], pair[1]
		before := g.has(other)
		for _, route := range rapid.Permutation(rows).Draw(r, "routes") {
			for _, wrong := range g.crossed(route, one, other) {
				r.Error(wrong)
			}
		}
		for _, path := range consolePages {
			if a, err := pages[one.name].send("GET", "http://"+g.admin+other.of(path), ""); err != nil || tellsOf(a, other, path) {
				r.Errorf("the page %s shows %s something of %s: %d %v", other.of(path), one.name, other.name, a.status, err)
			}
		}
		if after := g.has(other); after != before {
			r.Errorf("something of %s was changed by %s:\n%s\n%s", other.name, one.name, before, after)
		}
	})
}
