package admin

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/prompts"
)

// holding is the API as the holder of a key asks it.
func holding(t *testing.T, w *world, id string) func(status int, method, path, body string) map[string]any {
	handler := New(w.options())
	k := w.keys[id]
	return func(status int, method, path, body string) map[string]any {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r.WithContext(As(r.Context(), Identity{Role: RoleTeamOwner, Team: k.Team, Key: &k})))
		if rec.Code != status {
			t.Errorf("%s %s %s: %d, want %d: %s", method, path, body, rec.Code, status, rec.Body)
		}
		out := map[string]any{}
		_ = json.Unmarshal(rec.Body.Bytes(), &out) // a 204 has none
		return out
	}
}

// A key that makes one gives what it has at most, and both count in the same
// budget and limits.
func TestKeyMakesKeys(t *testing.T) {
	w := newWorld()
	k := w.keys["key_s"]
	k.User, k.Models, k.Prompts, k.IPs = "ann", []string{"fast", "mock/*"}, []string{"mood", "tone"}, []string{"10.0.0.0/8"}
	k.Limits, k.Budgets, k.Expires = billing.Limits{RPM: 10}, billing.Budgets{{USD: billing.Dollar, Per: "day", Hard: true}}, testNow.Add(48*time.Hour)
	w.keys[k.ID] = k
	ask := holding(t, w, k.ID)
	made := w.keys[ask(201, "POST", "/admin/v1/keys", `{"team":"sales","name":"child"}`)["id"].(string)]
	if made.Account != k.ID || made.User != "ann" || len(made.Models) != 2 || len(made.Prompts) != 2 || len(made.IPs) != 1 || made.Limits.RPM != 10 ||
		len(made.Budgets) != 1 || !made.Expires.Equal(k.Expires) || len(made.Roles) != 0 {
		t.Errorf("a key takes the terms of the one that makes it: %+v", made)
	}
	small := w.keys[ask(201, "POST", "/admin/v1/keys", `{"team":"sales","name":"small","models":["mock/echo"],"prompts":["mood"],"ips":["10.1.2.3"],
		"limits":{"rpm":5,"tpm":100},"budget":{"usd":"0.5","per":"day"},"expires":"2026-11-25T13:00:00Z"}`)["id"].(string)]
	if small.Limits.RPM != 5 || small.Limits.TPM != 100 || small.Account != k.ID {
		t.Errorf("narrower terms stand: %+v", small)
	}
	for field, body := range map[string]string{
		"user": `"user":"bob"`, "models": `"models":["slow"]`, "prompts": `"prompts":["mood","other"]`, "ips": `"ips":["0.0.0.0/0"]`,
		"limits.rpm": `"limits":{"rpm":11}`, "budget": `"budget":{"usd":"2","per":"day"}`, "expires": `"expires":"2027-01-01"`,
	} {
		if got := ask(403, "POST", "/admin/v1/keys", `{"team":"sales","name":"more",`+body+`}`)["param"]; got != field {
			t.Errorf("%s: the refusal names %v", body, got)
		}
	}
	ask(403, "POST", "/admin/v1/keys", `{"team":"research","name":"x"}`)
	// A key made with it can do less, and so cannot take it over; and a rotated
	// one stays of the family.
	less := holding(t, w, small.ID)
	less(404, "POST", "/admin/v1/keys/key_s/rotate", "")
	less(404, "DELETE", "/admin/v1/keys/"+made.ID, "")
	if got := less(200, "GET", "/admin/v1/keys", "")["data"].([]any); len(got) != 1 {
		t.Errorf("it sees %d keys", len(got))
	}
	fresh := less(201, "POST", "/admin/v1/keys/"+small.ID+"/rotate", "")["id"].(string)
	ask(204, "DELETE", "/admin/v1/keys/"+fresh, "")
	ask(204, "DELETE", "/admin/v1/keys/"+made.ID, "")
	ask(404, "DELETE", "/admin/v1/keys/key_r", "")
}

// Who has a key of a team is not the team's owner.
func TestKeyHolderIsNoOwner(t *testing.T) {
	w := newWorld()
	w.keys["key_x"] = billing.Key{ID: "key_x", Team: "sales", Name: "x", Hash: billing.HashKey("x"), Source: "store"}
	ask := holding(t, w, "key_s")
	ask(404, "DELETE", "/admin/v1/keys/key_x", "") // of another family
	for _, line := range []string{"PUT /admin/v1/teams/sales", "PUT /admin/v1/keys/key_s", "GET /admin/v1/requests", "GET /admin/v1/teams", "GET /admin/v1/invoices/sales", "GET /admin/v1/entries"} {
		method, path, _ := strings.Cut(line, " ")
		ask(403, method, path, "{}")
	}
	ask(200, "GET", "/admin/v1/usage?team=sales", "")
	ask(403, "GET", "/admin/v1/usage?team=research", "")
	ask(403, "POST", "/admin/v1/subscriptions", `{"prompt":"mood","team":"research"}`)
	id := ask(201, "POST", "/admin/v1/subscriptions", `{"prompt":"mood","team":"sales"}`)["id"].(string)
	if w.subs.list[0].History[0].By != "key sales/crm" {
		t.Errorf("it was %q", w.subs.list[0].History[0].By)
	}
	ask(403, "POST", "/admin/v1/subscriptions/"+id+"/approve", "")
	ask(204, "DELETE", "/admin/v1/subscriptions/"+id, "")
	w.subs.list = append(w.subs.list, prompts.Subscription{ID: "sub_ok", Prompt: "mood", Team: "sales", Status: prompts.SubscriptionApproved})
	ask(403, "DELETE", "/admin/v1/subscriptions/sub_ok", "")
}

// A person has the keys of its user in its team, and no more than a key's holder
// may ask.
func TestPersonHasItsKeys(t *testing.T) {
	w := newWorld()
	w.keys["ann"] = billing.Key{Team: "sales", User: "ann"} // no key: it has no id
	w.keys["key_a"] = billing.Key{ID: "key_a", Team: "sales", Name: "a", User: "ann", Hash: billing.HashKey("a"), Source: "store"}
	w.keys["key_b"] = billing.Key{ID: "key_b", Team: "research", Name: "b", User: "ann", Hash: billing.HashKey("b"), Source: "store"}
	ask := holding(t, w, "ann")
	delete(w.keys, "ann")
	made := w.keys[ask(201, "POST", "/admin/v1/keys", `{"team":"sales","name":"mine","limits":{"rpm":5}}`)["id"].(string)]
	if made.User != "ann" || made.Account != "" || made.Limits.RPM != 5 {
		t.Errorf("made %+v", made)
	}
	if got := ask(403, "POST", "/admin/v1/keys", `{"team":"sales","name":"x","user":"bob"}`)["param"]; got != "user" {
		t.Errorf("a key of another user: the refusal names %v", got)
	}
	ask(403, "POST", "/admin/v1/keys", `{"team":"research","name":"x"}`)
	if got := ask(200, "GET", "/admin/v1/keys", "")["data"].([]any); len(got) != 2 {
		t.Errorf("it sees %d keys", len(got))
	}
	ask(404, "POST", "/admin/v1/keys/key_s/rotate", "") // of the team
	ask(404, "DELETE", "/admin/v1/keys/key_b", "")      // of the same user in another team
	ask(201, "POST", "/admin/v1/keys/key_a/rotate", "")
	ask(204, "DELETE", "/admin/v1/keys/"+made.ID, "")
	for _, line := range []string{"PUT /admin/v1/teams/sales", "GET /admin/v1/requests", "PUT /admin/v1/keys/key_a", "GET /admin/v1/entries"} {
		method, path, _ := strings.Cut(line, " ")
		ask(403, method, path, "{}")
	}
	ask(201, "POST", "/admin/v1/subscriptions", `{"prompt":"mood","team":"sales"}`)
	if by := w.subs.list[0].History[0].By; by != "a user of sales" {
		t.Errorf("it was %q", by)
	}
}
