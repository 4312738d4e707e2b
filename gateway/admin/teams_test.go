package admin

import (
	"errors"
	"strings"
	"testing"

	"sluice/billing"
)

func TestTeams(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	made := c.object(201, "POST", "/admin/v1/teams", `{"name":"labs","parent":"research","models":["fast"],
		"limits":{"rpm":60},"weight":3,"budget":{"usd":"20.5","per":"day","warn_at":[0.8],"hard":false}}`)
	if made["weight"] != 3.0 || w.teams["labs"].Weight != 3 {
		t.Errorf("the weight is lost: %v", made)
	}
	if made["source"] != "store" || made["created"] != "2026-11-24T12:00:00Z" {
		t.Errorf("made %v", made)
	}
	if l := w.teams["labs"].Budgets; len(l) != 1 || l[0].USD != 20_500_000_000 || l[0].Per != "day" || l[0].Hard {
		t.Errorf("stored budget %+v", l)
	}
	if w.changed != 1 {
		t.Errorf("put in force %d times", w.changed)
	}
	// A budget is hard and monthly unless told otherwise, as in the file.
	c.object(200, "PUT", "/admin/v1/teams/labs", `{"budget":{"usd":3}}`)
	if b := w.teams["labs"].Budgets[0]; b.USD != 3*billing.Dollar || b.Per != "month" || !b.Hard {
		t.Errorf("stored budget %+v", b)
	}
	if got := w.teams["labs"]; got.Parent != "" || !got.Created.Equal(testNow) {
		t.Errorf("PUT must replace all but the birthday: %+v", got)
	}
	// What was read can be sent back.
	rec := c.do("GET", "/admin/v1/teams/research", "")
	c.object(200, "PUT", "/admin/v1/teams/research", rec.Body.String())
	if fresh := c.object(201, "PUT", "/admin/v1/teams/fresh", `{}`); fresh["weight"] != 1.0 {
		t.Errorf("the weight is not 1: %v", fresh)
	}
	c.object(204, "DELETE", "/admin/v1/teams/fresh", "")
	if _, ok := w.teams["fresh"]; ok {
		t.Error("the team is still there")
	}
}

func TestTeamShowsItsMoney(t *testing.T) {
	c := newClient(t, newWorld(), "viewer")
	research := c.object(200, "GET", "/admin/v1/teams/research", "")
	spent := research["spent"].(map[string]any)
	if spent["usd"] != "1" || spent["since"] != "2026-11-01T00:00:00Z" || spent["until"] != "2026-12-01T00:00:00Z" {
		t.Errorf("a team with a budget shows its window: %v", spent)
	}
	budgets := research["budgets"].([]any)
	if len(budgets) != 1 || budgets[0].(map[string]any)["remaining"] != "9" {
		t.Errorf("budgets %v", budgets)
	}
	w := newWorld()
	w.entries[1].Cost = 7 * billing.Dollar
	w.teams["below"] = billing.Team{Name: "below", Parent: "sales", Source: "store"}
	w.entries = append(w.entries, billing.Entry{Call: "c3", Team: "below", Cost: billing.Dollar})
	sales := newClient(t, w, "viewer").object(200, "GET", "/admin/v1/teams/sales", "")
	if got := sales["spent"].(map[string]any)["usd"]; got != "8" {
		t.Errorf("a team without a budget shows this month, descendants included: %v", got)
	}
}

func TestTeamTellsHowManyKeysAreInForce(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	keys := func() any {
		t.Helper()
		one := c.object(200, "GET", "/admin/v1/teams/research", "")["keys"]
		for _, team := range c.object(200, "GET", "/admin/v1/teams", "")["data"].([]any) {
			if team := team.(map[string]any); team["name"] == "research" && team["keys"] != one {
				t.Errorf("%v keys in the list, %v alone", team["keys"], one)
			}
		}
		return one
	}
	before := keys().(float64)
	made := c.object(201, "POST", "/admin/v1/keys", `{"team":"research","name":"short"}`)
	if got := keys(); got != before+1 {
		t.Errorf("%v keys after one was made, %v before", got, before)
	}
	c.object(204, "DELETE", "/admin/v1/keys/"+made["id"].(string), "")
	if got := keys(); got != before {
		t.Errorf("%v keys after it was revoked, want %v", got, before)
	}
}

func TestTeamFaults(t *testing.T) {
	c := newClient(t, newWorld(), "admin")
	for _, f := range []struct {
		method, path, body string
		status             int
		code, detail       string
	}{
		{"POST", "teams", `{"name":"sales"}`, 409, "conflict", `a team "sales" already`},
		{"POST", "teams", `{"name":""}`, 400, "invalid_request", "name is required"},
		{"POST", "teams", `{"name":"a/b"}`, 400, "invalid_request", "letters, digits"},
		{"POST", "teams", `{"name":"x","budgte":{}}`, 400, "invalid_request", `unknown field "budgte"; did you mean "budget"?`},
		{"POST", "teams", `{"name":"x","budget":{"usdd":1}}`, 400, "invalid_request", `"budget.usdd"; did you mean "usd"?`},
		{"POST", "teams", `{"name":"x","Name":"y"}`, 400, "invalid_request", `"Name"; did you mean "name"?`},
		{"POST", "teams", `{"name":"x","name":"y"}`, 400, "invalid_request", `"name" is given twice`},
		{"POST", "teams", `{"name":"x","limits":{"rpm":"a"}}`, 400, "invalid_request", "limits.rpm must be a whole number"},
		{"POST", "teams", `{"name":"x","limits":{"rpm":-1}}`, 400, "invalid_request", "limits.rpm"},
		{"POST", "teams", `{"name":"x","limits":{"tpd":4294967296}}`, 400, "invalid_request", "limits.tpd"},
		{"POST", "teams", `{"name":"x","weight":101}`, 400, "invalid_request", "weight 101"},
		{"POST", "teams", `{"name":"x","parent":"nobody"}`, 400, "invalid_request", `parent "nobody" is not known`},
		{"POST", "teams", `{"name":"x","budget":{"per":"day"}}`, 400, "invalid_request", "budget.usd is required"},
		{"POST", "teams", `{"name":"x","budget":{"usd":"1","per":"fortnight"}}`, 400, "invalid_request", "budget.per"},
		{"POST", "teams", `{"name":"x","budget":{"usd":"1e99"}}`, 400, "invalid_request", "1e99"},
		{"POST", "teams", `{"name":"x","budget":5}`, 400, "invalid_request", "budget must be an object, or a list of objects"},
		{"POST", "teams", `{"name":"x","budgets":[{"usd":"5"}]}`, 400, "invalid_request", "set budget"},
		{"PUT", "teams/sales", `{"budgets":{"usd":"5"}}`, 400, "invalid_request", "set budget"},
		{"POST", "teams", `{"name":"x","keys":[{"name":"a"}]}`, 400, "invalid_request", "POST /admin/v1/keys"},
		{"POST", "teams", `{"name":"x","models":[""]}`, 400, "invalid_request", "models"},
		{"POST", "teams", `{"name":`, 400, "invalid_json", "not valid JSON"},
		{"POST", "teams", `[]`, 400, "invalid_request", "object"},
		{"POST", "teams", `{"name":"` + strings.Repeat("x", 2<<20) + `"}`, 413, "request_too_large", "1048576"},
		{"PUT", "teams/sales", `{"name":"other"}`, 400, "invalid_request", "cannot be renamed"},
		{"PUT", "teams/sales", `{"parent":"sales"}`, 400, "invalid_request", "ancestors"},
		{"PUT", "teams/ops", `{}`, 409, "conflict", "declared in the configuration"},
		{"DELETE", "teams/ops", "", 409, "conflict", "declared in the configuration"},
		{"DELETE", "teams/sales", "", 409, "conflict", "has keys"},
		{"DELETE", "teams/nobody", "", 404, "not_found", `no team "nobody"`},
		{"GET", "teams/nobody", "", 404, "not_found", `no team "nobody"`},
		{"GET", "teams?limt=3", "", 400, "invalid_request", `"limt"; did you mean "limit"?`},
		{"GET", "teams?limit=0", "", 400, "invalid_request", "from 1 to 1000"},
		{"GET", "teams?after=!", "", 400, "invalid_request", "cursor"},
		{"GET", "teams?limit=1&limit=2", "", 400, "invalid_request", "twice"},
	} {
		c.problem(f.method, "/admin/v1/"+f.path, f.body, f.status, f.code, f.detail)
	}
}

func TestTeamWithChildrenStays(t *testing.T) {
	w := newWorld()
	w.teams["child"] = billing.Team{Name: "child", Parent: "lone", Source: "store"}
	w.teams["lone"] = billing.Team{Name: "lone", Source: "store"}
	newClient(t, w, "admin").problem("DELETE", "/admin/v1/teams/lone", "", 409, "conflict", "parent")
}

func TestListsArePaged(t *testing.T) {
	c := newClient(t, newWorld(), "viewer")
	var seen []string
	path := "/admin/v1/teams?limit=1"
	for path != "" {
		l := c.object(200, "GET", path, "")
		data := l["data"].([]any)
		if len(data) != 1 {
			t.Fatalf("page of %d", len(data))
		}
		seen = append(seen, data[0].(map[string]any)["name"].(string))
		path = ""
		if next, ok := l["next"].(string); ok {
			path = "/admin/v1/teams?limit=1&after=" + next
		}
	}
	if got := strings.Join(seen, " "); got != "ops research sales" {
		t.Errorf("saw %q", got)
	}
}

func TestTeamOwnerSeesOnlyItsOwn(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "team-owner") // of research
	for _, path := range []string{"teams", "keys", "budgets", "requests"} {
		rec := c.do("GET", "/admin/v1/"+path, "")
		if body := rec.Body.String(); rec.Code != 200 || strings.Contains(body, "sales") || strings.Contains(body, "ops") || !strings.Contains(body, "research") {
			t.Errorf("%s: %d %s", path, rec.Code, body)
		}
	}
	if report := c.object(200, "GET", "/admin/v1/usage?group_by=team", ""); report["total"].(map[string]any)["calls"] != 1.0 {
		t.Errorf("usage %v", report)
	}
	c.problem("GET", "/admin/v1/teams/sales", "", 404, "not_found", "")
	c.problem("GET", "/admin/v1/keys/key_s", "", 404, "not_found", "")
	c.problem("DELETE", "/admin/v1/keys/key_s", "", 404, "not_found", "")
	c.problem("POST", "/admin/v1/keys/key_s/rotate", "", 404, "not_found", "")
	c.problem("GET", "/admin/v1/requests/c2", "", 404, "not_found", "")
	c.problem("PUT", "/admin/v1/teams/sales", "{}", 403, "permission_denied", "own team")
	c.problem("PUT", "/admin/v1/teams/unborn", "{}", 403, "permission_denied", "own team")
	c.problem("POST", "/admin/v1/keys", `{"team":"sales"}`, 403, "permission_denied", "own team")
	for _, path := range []string{"keys?team=sales", "usage?team=sales", "requests?team=sales", "budgets?team=sales"} {
		c.problem("GET", "/admin/v1/"+path, "", 403, "permission_denied", "own team")
	}
	if len(w.keys) != 2 || w.changed != 0 {
		t.Errorf("something was changed: %v", w.keys)
	}
}

func TestTeamOwnerMayNotWidenItsTerms(t *testing.T) {
	c := newClient(t, newWorld(), "team-owner")
	for body, detail := range map[string]string{
		`{"models":["fast"]}`:                                        "budget",
		`{"models":["fast"],"budget":{"usd":"11"}}`:                  "budget",
		`{"models":["fast"],"budget":{"usd":"1","per":"hour"}}`:      "budget",
		`{"models":["fast"],"budget":{"usd":"1","hard":false}}`:      "budget",
		`{"budget":{"usd":"10"}}`:                                    "all models",
		`{"models":["fast","gpt-4o"],"budget":{"usd":"10"}}`:         "gpt-4o",
		`{"models":["*"],"budget":{"usd":"10"}}`:                     "model *",
		`{"models":["fast"],"budget":{"usd":"10"},"parent":"sales"}`: "parent",
		`{"models":["fast"],"budget":{"usd":"10"},"weight":2}`:       "weight",
	} {
		c.problem("PUT", "/admin/v1/teams/research", body, 403, "permission_denied", detail)
	}
	c.object(200, "PUT", "/admin/v1/teams/research", `{"models":["claude/haiku*"],"budget":{"usd":"9"},"limits":{"rpm":5}}`)
	c.problem("PUT", "/admin/v1/teams/research", `{"models":["claude/haiku*"],"budget":{"usd":"9"},"limits":{"rpm":6}}`, 403, "permission_denied", "limits.rpm")
	c.problem("PUT", "/admin/v1/teams/research", `{"models":["claude/haiku*"],"budget":{"usd":"9"}}`, 403, "permission_denied", "limits.rpm")
}

func TestBrokenStoreIs503(t *testing.T) {
	w := newWorld()
	w.broken = errors.New("disk gone: /var/secret")
	c := newClient(t, w, "admin")
	for _, path := range []string{"teams", "usage", "usage/verify", "requests", "prompts/mood/versions"} {
		rec := c.do("GET", "/admin/v1/"+path, "")
		if rec.Code != 503 || rec.Header().Get("Retry-After") != "1" || strings.Contains(rec.Body.String(), "disk") {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	c.problem("POST", "/admin/v1/teams", `{"name":"x"}`, 503, "unavailable", "")
	if w.changed != 0 {
		t.Error("what was not stored was put in force")
	}
}
