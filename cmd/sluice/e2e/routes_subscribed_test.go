package e2e

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// A route that wants a subscription lets no team pass before its own
// is approved, then within the plan, and no more once it is revoked.
func TestRouteSubscription(t *testing.T) {
	g := newGateway(t, "")
	g.configure(`server: {listen: LISTEN, admin: ADMIN}
store: "sqlite:` + g.dir + `/sluice.db"
admin: {token: "` + adminToken + `", tokens: [{value: owner-of-t, role: team-owner, team: t}]}
plans:
  bronze: {limits: {rpm: 2}}
  gold: {limits: {rpm: 100}}
teams:
  t: {keys: [{name: k, value: "` + teamKey + `"}]}
  other: {keys: [{name: k, value: sk-e2e-other-0123456789}]}
routes:
  - {name: orders, match: {path: /orders}, backend: {static: {body: yes}}, auth: {require: [key], subscribed: true}}
  - {name: open, match: {path: /open}, backend: {static: {body: yes}}, auth: {require: [key]}}
`)
	g.start()
	asks := func(status int, why string) {
		t.Helper()
		r := g.raw("GET", "/orders", "", "X-Api-Key", teamKey)
		if r.status != status || !strings.Contains(r.body, why) {
			t.Errorf("%d %s, want %d with %q", r.status, r.body, status, why)
		}
		stands, link := map[string]string{"has not subscribed": "none", "subscription_pending": "pending", "was revoked": "revoked"}[why], "/portal/subscriptions"
		if stands == "none" {
			link = "/portal"
		}
		if status == 403 && (r.get("code").Str != "permission_denied" || r.get("subscription").Str != stands || r.get("link").Str != link || r.header.Get("Link") != "<"+link+`>; rel="help"`) {
			t.Errorf("%v %s does not tell how the subscription stands: %s", r.header, r.body, stands)
		}
		if r := g.raw("GET", "/orders", "", "X-Api-Key", "sk-e2e-other-0123456789"); r.status != 403 {
			t.Errorf("another team: %d", r.status)
		}
	}
	asks(403, "has not subscribed")
	as := func(token, method, path, body string) answer {
		t.Helper()
		a, err := g.send(method, "http://"+g.admin+"/admin/v1/subscriptions"+path, body, "Authorization", "Bearer "+token)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for body, status := range map[string]int{`{"route":"none","team":"t"}`: 404, `{"route":"orders","team":"none"}`: 400, `{"route":"orders","team":"t","plan":"silver"}`: 400} {
		if a := as(adminToken, "POST", "", body); a.status != status {
			t.Errorf("%s: %d %s, want %d", body, a.status, a.body, status)
		}
	}
	const wish = `{"route":"orders","team":"t","plan":"bronze"}`
	a := as("owner-of-t", "POST", "", wish)
	id := a.get("id").Str
	if a.status != 201 || a.get("route").Str != "orders" || a.get("status").Str != "pending" {
		t.Fatalf("apply: %d %s", a.status, a.body)
	}
	if a := as("owner-of-t", "POST", "", wish); a.status != 409 {
		t.Errorf("a repeat: %d %s", a.status, a.body)
	}
	asks(403, "subscription_pending")
	if a := as("owner-of-t", "POST", "/"+id+"/approve", ""); a.status != 403 {
		t.Errorf("a team helps itself: %d %s", a.status, a.body)
	}
	if a := as(adminToken, "POST", "/"+id+"/approve", ""); a.status != 200 {
		t.Fatalf("approve: %d %s", a.status, a.body)
	}
	asks(200, "yes")
	asks(200, "yes")
	asks(429, "rate_limit_exceeded") // of the plan
	if r := g.raw("GET", "/open", "", "X-Api-Key", teamKey); r.status != 200 {
		t.Errorf("another route counts in it: %d %s", r.status, r.body)
	}
	if a := as(adminToken, "POST", "/"+id+"/approve", `{"plan":"gold"}`); a.status != 200 {
		t.Fatalf("another plan: %d %s", a.status, a.body)
	}
	asks(200, "yes")
	if a := as(adminToken, "GET", "?route=orders", ""); a.get("data.#").Int() != 1 || as(adminToken, "GET", "?route=open", "").get("data.#").Int() != 0 {
		t.Errorf("the list: %s", a.body)
	}
	if a := as("owner-of-t", "DELETE", "/"+id, ""); a.status != 204 {
		t.Errorf("revoke: %d %s", a.status, a.body)
	}
	asks(403, "was revoked")
	if r := gjson.Get(g.api("GET", "routes/orders", "").body, "subscribed"); !r.Bool() {
		t.Error("the route does not show it")
	}
}
