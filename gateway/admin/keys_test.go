package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"sluice/billing"
)

func TestKeyIsShownOnceAndStoredAsHash(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	made := c.object(201, "POST", "/admin/v1/keys", `{"team":"sales","name":"bot","budget":{"usd":"20","per":"day"},
		"limits":{"rpm":60},"models":["fast"],"prompts":["mood"],"ips":["10.0.0.0/8","::1"],"expires":"2027-01-01"}`)
	secret, id := made["key"].(string), made["id"].(string)
	if _, ok := billing.ParseKey(secret); !ok {
		t.Errorf("%q is not a key", secret)
	}
	k := w.keys[id]
	if k.Hash != billing.HashKey(secret) || !strings.HasPrefix(secret, k.Prefix) || len(k.Prefix) >= len(secret)-30 {
		t.Errorf("stored %+v", k)
	}
	if made["expires"] != "2027-01-01T00:00:00Z" || made["revoked"] != nil || made["source"] != "store" {
		t.Errorf("made %v", made)
	}
	for _, path := range []string{"/admin/v1/keys", "/admin/v1/keys/" + id} {
		if body := c.do("GET", path, "").Body.String(); strings.Contains(body, secret) || !strings.Contains(body, id) {
			t.Errorf("%s: %s", path, body)
		}
	}
	if w.changed != 1 {
		t.Errorf("put in force %d times", w.changed)
	}
	unnamed := c.object(201, "POST", "/admin/v1/keys", `{"team":"sales"}`)
	if name := unnamed["name"].(string); !strings.HasPrefix(name, "key-") {
		t.Errorf("made-up name %q", name)
	}
}

func TestKeyFromElsewhere(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	sum := sha256.Sum256([]byte("sk-old-key"))
	body := `{"team":"sales","name":"old","hash":"` + hex.EncodeToString(sum[:]) + `"}`
	made := c.object(201, "POST", "/admin/v1/keys", body)
	if made["key"] != nil || made["prefix"] != "sha256:"+hex.EncodeToString(sum[:4]) {
		t.Errorf("made %v", made)
	}
	if w.keys[made["id"].(string)].Hash != billing.HashKey("sk-old-key") {
		t.Error("the stored hash is not that of the key")
	}
	c.problem("POST", "/admin/v1/keys", strings.Replace(body, `"old"`, `"again"`, 1), 409, "conflict", "exists already")
}

func TestKeyFaults(t *testing.T) {
	c := newClient(t, newWorld(), "admin")
	for _, f := range []struct {
		body   string
		status int
		detail string
	}{
		{`{}`, 400, "team is required"},
		{`{"team":"nobody"}`, 400, `no team "nobody"`},
		{`{"team":"sales","name":"crm"}`, 409, "already"},
		{`{"team":"sales","name":"a b"}`, 400, "name"},
		{`{"team":"sales","expires":"2026-11-24T11:59:59Z"}`, 400, "in the past"},
		{`{"team":"sales","expires":"soon"}`, 400, "expires"},
		{`{"team":"sales","ips":["10.0.0.0/33"]}`, 400, "ips"},
		{`{"team":"sales","hash":"abc"}`, 400, "64 hexadecimal"},
		{`{"team":"sales","limits":{"tpm":-5}}`, 400, "limits.tpm"},
		{`{"team":"sales","budget":{"usd":"-1"}}`, 400, "budget.usd"},
		{`{"team":"sales","models":"fast"}`, 400, "models must be a list"},
		{`{"team":"sales","expire":"2027-01-01"}`, 400, `did you mean "expires"?`},
		{`{"team":"sales","key":"sk-mine"}`, 400, `unknown field "key"`},
	} {
		code := map[int]string{400: "invalid_request", 409: "conflict"}[f.status]
		c.problem("POST", "/admin/v1/keys", f.body, f.status, code, f.detail)
	}
}

func TestRotate(t *testing.T) {
	w := newWorld()
	k := w.keys["key_s"]
	k.Budgets, k.Models, k.LastUsed = billing.Budgets{{USD: billing.Dollar, Per: "day", Hard: true}}, []string{"fast"}, testNow
	w.keys["key_s"] = k
	c := newClient(t, w, "admin")
	made := c.object(201, "POST", "/admin/v1/keys/key_s/rotate", `{"grace":"10m"}`)
	fresh, old := w.keys[made["id"].(string)], w.keys["key_s"]
	if fresh.ID == "key_s" || fresh.Account != "key_s" || fresh.Hash != billing.HashKey(made["key"].(string)) || fresh.Name != "crm" || fresh.Team != "sales" {
		t.Errorf("new key %+v", fresh)
	}
	if fresh.Budgets == nil || fresh.Models[0] != "fast" || !fresh.LastUsed.IsZero() || !fresh.Revoked.IsZero() {
		t.Errorf("the terms must be the old key's: %+v", fresh)
	}
	if !old.InForce(testNow.Add(9*time.Minute)) || old.InForce(testNow.Add(10*time.Minute)) {
		t.Errorf("the old key ends at %v", old.Revoked)
	}
	// The grace can be cut short; rotating what ends is refused.
	c.problem("POST", "/admin/v1/keys/key_s/rotate", "", 409, "conflict", "revoked already")
	c.object(204, "DELETE", "/admin/v1/keys/key_s", "")
	if w.inForce("key_s") {
		t.Error("the old key still works")
	}

	now := c.object(201, "POST", "/admin/v1/keys/key_r/rotate", "")
	if w.inForce("key_r") || now["key"] == nil {
		t.Error("without a grace the old key ends at once")
	}
	for _, grace := range []string{"10", "-1s", "721h"} {
		c.problem("POST", "/admin/v1/keys/key_f/rotate", `{"grace":"`+grace+`"}`, 400, "invalid_request", "grace")
	}
	c.problem("POST", "/admin/v1/keys/key_f/rotate", "", 409, "conflict", "declared in the configuration")
	c.problem("POST", "/admin/v1/keys/none/rotate", "", 404, "not_found", "none")
}

func TestRevoke(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	c.object(204, "DELETE", "/admin/v1/keys/key_s", "")
	if w.inForce("key_s") || w.changed != 1 {
		t.Errorf("key %+v, put in force %d times", w.keys["key_s"], w.changed)
	}
	c.object(204, "DELETE", "/admin/v1/keys/key_s", "")
	if w.changed != 1 {
		t.Error("revoking again must do nothing")
	}
	c.problem("DELETE", "/admin/v1/keys/key_f", "", 409, "conflict", "declared in the configuration")
	// Its name is free again, and its team can go.
	c.object(201, "POST", "/admin/v1/keys", `{"team":"sales","name":"crm"}`)
	w.keys = map[string]billing.Key{"key_s": w.keys["key_s"]}
	c.object(204, "DELETE", "/admin/v1/teams/sales", "")
}

func TestTeamOwnerManagesItsKeys(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "team-owner")
	made := c.object(201, "POST", "/admin/v1/keys", `{"team":"research","name":"mine"}`)
	c.object(201, "POST", "/admin/v1/keys/"+made["id"].(string)+"/rotate", "")
	c.object(204, "DELETE", "/admin/v1/keys/key_r", "")
}

func TestPutKey(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "team-owner")
	got := c.object(200, "PUT", "/admin/v1/keys/key_r", `{"id":"x","name":"ci","models":["fast"],"ips":["10.0.0.0/8"],"limits":{"rpm":5},"budget":{"usd":"2","per":"day"},"expires":"2027-01-01"}`)
	k := w.keys["key_r"]
	if got["id"] != "key_r" || k.Hash != billing.HashKey("r") || k.Limits.RPM != 5 || k.Budgets[0].USD != 2*billing.Dollar || k.Models[0] != "fast" || k.Expires.IsZero() {
		t.Errorf("%v, stored %+v", got, k)
	}
	c.object(200, "PUT", "/admin/v1/keys/key_r", `{"expires":null}`)
	if k = w.keys["key_r"]; k.Budgets != nil || len(k.Models) != 0 || !k.Expires.IsZero() {
		t.Errorf("terms are replaced whole: %+v", k)
	}
	c.problem("PUT", "/admin/v1/keys/key_s", `{}`, 404, "not_found", "key_s")
	c.problem("PUT", "/admin/v1/keys/key_r", `{"team":"sales"}`, 400, "invalid_request", "team")
	c.problem("PUT", "/admin/v1/keys/key_r", `{"hash":"00"}`, 400, "invalid_request", "hash")
	c.problem("PUT", "/admin/v1/keys/key_r", `{"ips":["here"]}`, 400, "invalid_request", "ips")
	c.as("admin").problem("PUT", "/admin/v1/keys/key_f", `{}`, 409, "conflict", "declared in the configuration")
}
