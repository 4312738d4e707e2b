package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sluice/gateway/audit"
)

// requestOf is a good request to a route.
func requestOf(r route) (path, body string) {
	return filled(r), map[string]string{
		"POST /admin/v1/teams":                                 `{"name":"new"}`,
		"PUT /admin/v1/teams/{name}":                           `{"models":["fast"],"budget":{"usd":"5"}}`,
		"POST /admin/v1/keys":                                  `{"team":"research","name":"new"}`,
		"PUT /admin/v1/prompts/{name}/labels":                  `{"staging":1}`,
		"POST /admin/v1/prompts/{name}/publish":                `{"source":"Hello"}`,
		"POST /admin/v1/providers/{name}/breakers/{target...}": `{"state":"open"}`,
	}[r.line()]
}

// Every route that is not a question has a record of each request to it, whoever
// makes it and whatever comes of it, and none is made if the record cannot be
// kept. Questions have none.
func TestEveryChangeHasARecord(t *testing.T) {
	for _, r := range routes {
		path, body := requestOf(r)
		for _, role := range []Role{RoleAdmin, RoleViewer} {
			w := newWorld()
			c := newClient(t, w, string(role))
			rec := c.do(r.method, path, body)
			if !r.changes() {
				if n := len(w.trail.records); n != 0 {
					t.Errorf("%s: %d records of a question", r.line(), n)
				}
				continue
			}
			if len(w.trail.records) != 1 || len(w.trail.opened) != 0 {
				t.Fatalf("%s as %s: %d records, %d open", r.line(), role, len(w.trail.records), len(w.trail.opened))
			}
			got := w.trail.last()
			want := strings.TrimPrefix(path, "/admin/v1/")
			if got.Status != rec.Code || got.Actor != string(role) || got.Role != string(role) || got.IP != "192.0.2.1" || !got.Time.Equal(testNow) ||
				got.RequestID == "" || got.RequestID != rec.Header().Get("X-Request-Id") || !strings.HasPrefix(got.Resource, want) {
				t.Errorf("%s as %s answered %d: %+v", r.line(), role, rec.Code, got)
			}
			if records[r.line()].action == "" || got.Action != records[r.line()].action {
				t.Errorf("%s: the action is %q; name it in the table of records", r.line(), got.Action)
			}
		}
		if r.changes() {
			refusedWithoutRecord(t, r)
		}
	}
	for line := range records {
		method, path, _ := strings.Cut(line, " ")
		if !strings.Contains(routeLines(), "\n"+method+" "+path+"\n") {
			t.Errorf("%s is no route", line)
		}
	}
}

func routeLines() string {
	lines := "\n"
	for _, r := range routes {
		lines += r.line() + "\n"
	}
	return lines
}

// refusedWithoutRecord makes a request while the audit store is broken.
func refusedWithoutRecord(t *testing.T, r route) {
	t.Helper()
	path, body := requestOf(r)
	w := newWorld()
	before := fmt.Sprint(w.teams, w.keys, w.labels, w.prices, w.targets)
	w.trail.broken = errTrail
	c := newClient(t, w, "admin")
	c.problem(r.method, path, body, http.StatusServiceUnavailable, "unavailable", "audit record")
	if after := fmt.Sprint(w.teams, w.keys, w.labels, w.prices, w.targets); after != before || w.changed > 0 || w.purged != nil || w.published.Name != "" || w.erased.Team != "" {
		t.Errorf("%s changed something without a record", r.line())
	}
}

func TestRecordsTellBeforeAndAfterWithoutSecrets(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	created := c.object(201, "POST", "/admin/v1/keys", `{"team":"research","name":"new","hash":""}`)
	secret, id := created["key"].(string), created["id"].(string)
	got := w.trail.last()
	if got.Action != "key.create" || got.Resource != "keys/"+id || got.Before != nil || !strings.Contains(string(got.After), `"name":"new"`) {
		t.Errorf("creation of a key: %+v %s", got, got.After)
	}
	rotated := c.object(201, "POST", "/admin/v1/keys/"+id+"/rotate", `{"grace":"10m"}`)
	got = w.trail.last()
	if !strings.Contains(string(got.Before), id) || !strings.Contains(string(got.After), rotated["id"].(string)) {
		t.Errorf("rotation: before %s, after %s", got.Before, got.After)
	}
	for _, s := range []string{secret, rotated["key"].(string)} {
		if s == "" || strings.Contains(w.trail.text(), s) || strings.Contains(w.trail.text(), s[20:]) {
			t.Errorf("the trail holds the secret %q", s)
		}
	}
	c.object(200, "PUT", "/admin/v1/teams/research", `{"models":["slow"]}`)
	got = w.trail.last()
	if !strings.Contains(string(got.Before), `"fast"`) || !strings.Contains(string(got.After), `"slow"`) || strings.Contains(string(got.After), "spent") {
		t.Errorf("team: before %s, after %s", got.Before, got.After)
	}
	c.object(204, "DELETE", "/admin/v1/keys/"+rotated["id"].(string), "")
	got = w.trail.last()
	if strings.Contains(string(got.Before), testNow.Format("2006-01-02T15:04:05Z")+`","source`) || !strings.Contains(string(got.After), `"revoked":"2026-11-24T12:00:00Z"`) {
		t.Errorf("revocation: before %s, after %s", got.Before, got.After)
	}
	c.object(200, "PUT", "/admin/v1/prompts/mood/labels", `{"production":1}`)
	got = w.trail.last()
	if string(got.Before) != `{"production":2}` || string(got.After) != `{"production":1}` {
		t.Errorf("label: before %s, after %s", got.Before, got.After)
	}
	c.problem("PUT", "/admin/v1/prompts/mood/labels", `{"production":9}`, 404, "not_found", "")
	if got = w.trail.last(); got.Status != 404 || got.After != nil {
		t.Errorf("a refused change: %+v", got)
	}
}

func TestRecordTellsWhoAndWhence(t *testing.T) {
	w := newWorld()
	o := w.options()
	o.Tokens = func() []Token {
		token := NewToken("admin", RoleAdmin, "")
		token.Name = "deploy"
		return []Token{token}
	}
	handler := New(o)
	r := httptest.NewRequest("DELETE", "/admin/v1/cache?tag=x", nil)
	r.Header.Set("Authorization", "Bearer admin")
	r.Header.Set("X-Request-Id", "mine")
	handler.ServeHTTP(httptest.NewRecorder(), r)
	if got := w.trail.last(); got.Actor != "deploy" || got.RequestID != "mine" || got.Resource != "cache?tag=x" || string(got.After) != `{"purged":2}` {
		t.Errorf("%+v %s", got, got.After)
	}
	r = httptest.NewRequest("POST", "/admin/v1/reload", nil)
	r = r.WithContext(As(r.Context(), Identity{Role: RoleOperator, Name: "oidc:alice"}))
	handler.ServeHTTP(httptest.NewRecorder(), r)
	if got := w.trail.last(); got.Actor != "oidc:alice" || got.Role != "operator" || got.Action != "config.reload" || string(got.After) != `{"revision":"r1"}` {
		t.Errorf("%+v %s", got, got.After)
	}
}

// Unknown tokens are recorded, but nobody can fill the disk with them.
func TestUnknownTokensAreRecorded(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "guessed")
	for range 100 {
		c.do("GET", "/admin/v1/teams", "")
	}
	got := w.trail.last()
	if len(w.trail.records) != 60 || got.Action != "sign-in" || got.Status != 401 || got.Actor != "" || strings.Contains(w.trail.text(), "guessed") {
		t.Errorf("%d records, the last is %+v", len(w.trail.records), got)
	}
	c.as("").do("GET", "/admin/v1/teams", "")
	if len(w.trail.records) != 60 {
		t.Error("a request without any token is no sign-in")
	}
}

func TestListAudit(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	for i := range 5 {
		c.object(201, "POST", "/admin/v1/keys", fmt.Sprintf(`{"team":"research","name":"k%d"}`, i))
	}
	c.do("POST", "/admin/v1/reload", "")
	var l list[audit.Record]
	read := func(query string) {
		t.Helper()
		l = list[audit.Record]{}
		if err := json.Unmarshal(c.do("GET", "/admin/v1/audit"+query, "").Body.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
	}
	read("?limit=2&action=key")
	if len(l.Data) != 2 || l.Data[0].Seq != 5 || l.Next == nil || *l.Next != "4" {
		t.Fatalf("first page: %+v", l)
	}
	read("?limit=2&action=key&after=" + *l.Next)
	if len(l.Data) != 2 || l.Data[1].Seq != 2 {
		t.Fatalf("second page: %+v", l)
	}
	read("?limit=2&action=key&after=2")
	if len(l.Data) != 1 || l.Next != nil {
		t.Fatalf("last page: %+v", l)
	}
	read("?actor=nobody")
	if l.Data == nil || len(l.Data) != 0 {
		t.Errorf("an empty list is %v", l.Data)
	}
	c.problem("GET", "/admin/v1/audit?after=x", "", 400, "invalid_request", "cursor")
	c.problem("GET", "/admin/v1/audit?from=never", "", 400, "invalid_request", "from")
	c.problem("GET", "/admin/v1/audit?who=x", "", 400, "invalid_request", "who")
	if v := c.object(200, "GET", "/admin/v1/audit/verify", ""); v["ok"] != true || v["count"] != 6.0 {
		t.Errorf("verify: %v", v)
	}
	c.as("team-owner").problem("GET", "/admin/v1/audit", "", 403, "permission_denied", "team-owner")
}
