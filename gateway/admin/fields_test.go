package admin

import (
	"slices"
	"strings"
	"testing"
)

// A faulty query is named by its parameter, for programs too.
func TestParametersAtFault(t *testing.T) {
	c := newClient(t, newWorld(), "admin")
	for path, param := range map[string]string{
		"usage?from=yesterday": "from", "usage?to=x": "to", "usage?from=2026-11-02&to=2026-11-01": "from", "usage?group_by=colour": "group_by",
		"requests?from=x": "from", "requests?to=x": "to", "audit?from=x": "from", "audit?to=x": "to", "corrections?to=x": "to", "entries?from=x": "from",
		"arms?model=fast&from=x": "from", "route-versions?to=x": "to", "invoices/research?month=x": "month", "audit?after=zzz": "after",
	} {
		if p := c.object(400, "GET", "/admin/v1/"+path, ""); p["param"] != param {
			t.Errorf("%s: %v", path, p)
		}
	}
	for body, param := range map[string]string{`{"from":"x"}`: "from", `{"to":"x"}`: "to"} {
		if p := c.object(400, "POST", "/admin/v1/usage/reprice", body); p["param"] != param {
			t.Errorf("reprice %s: %v", body, p)
		}
	}
}

// So is a faulty field, wherever it stands.
func TestFieldsAtFault(t *testing.T) {
	c := newClient(t, newWorld(), "admin")
	for body, param := range map[string]string{
		`{"name":"x","budget":{"usd":"abc"}}`: "budget.usd", `{"name":"x","budget":[{"usd":"5"},{"usd":true}]}`: "budget.1.usd",
		`{"name":"x","budget":{"usd":1,"warn_at":[5]}}`: "budget.warn_at",
		`{"name":"x","budget":5}`:                       "budget", `{"name":"x","budget":[5]}`: "budget.0", `{"name":"x","budget":{"usd":1,"warn_at":["a"]}}`: "budget.warn_at.0",
		`{"name":"x","budget":{"usd":1,"raise":{"by":"1","until":"soon"}}}`: "budget.raise.until", `{"name":"x","budget":{"tokens":"a"}}`: "budget.tokens",
		`{"name":"x","budget":{"tokens":1.5}}`: "budget.tokens", `{"name":"x","users":{"ann":{"budget":{"usd":"abc"}}}}`: "users.ann.budget.usd",
		`{"name":"x","models":"fast"}`: "models", `{"name":"x","models":[5]}`: "models.0", `{"name":5}`: "name", `{"name":"x","limits":[]}`: "limits",
		`{"name":"x","limits":{"rpm":"a"}}`: "limits.rpm", `{"name":"x","tags":{"a":{"limit":{}}}}`: "tags.a.limit", `{"name":"x","budget":{"usd":1,"hard":"no"}}`: "budget.hard",
	} {
		p := c.object(400, "POST", "/admin/v1/teams", body)
		if p["param"] != param || !strings.Contains(p["detail"].(string), param) || p["request_id"] == "" {
			t.Errorf("%s: %v", body, p)
		}
	}
	c.problem("PUT", "/admin/v1/keys/key_r", `{"revoked":"2026-11-01T00:00:00Z"}`, 400, "invalid_request", "DELETE")
}

// No list takes a cursor that it has not given, and each goes on from its own.
func TestCursors(t *testing.T) {
	c := newClient(t, newWorld(), "admin")
	lists := 0
	for line, op := range descriptions {
		path, ok := strings.CutPrefix(line, "GET ")
		if !ok || !slices.Contains(op.query, "after") || strings.HasSuffix(path, "/requests") { // that of requests the ledger reads
			continue
		}
		lists++
		path = strings.ReplaceAll(path, "{name}", "mood")
		for _, after := range []string{"zzz", "!", "dGVhbQ", cursor[struct{}]("a")} {
			if p := c.object(400, "GET", path+"?after="+after, ""); p["param"] != "after" {
				t.Errorf("%s after %s: %v", path, after, p)
			}
		}
	}
	if lists < 10 {
		t.Errorf("%d lists", lists)
	}
}
