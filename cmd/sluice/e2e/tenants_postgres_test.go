package e2e

import (
	"net/url"
	"strings"
	"testing"
)

// What teams see of each other is the same where PostgreSQL's policies see to it,
// too, and of its own each has everything.
func TestTenantsOnPostgres(t *testing.T) {
	d := startDatabase(t)
	t.Run("admin", func(t *testing.T) { tenantsAdmin(t, d.replica("")) })
	d = startDatabase(t)
	t.Run("data", func(t *testing.T) { tenantsData(t, d.replica("")) })
}

// The portal shows a team what is its own on PostgreSQL.
func TestPortalOnPostgres(t *testing.T) {
	g := startDatabase(t).replica("")
	all := tenants(t, g, "qqamber", "qqbirch")
	if g.logs("row-level security is off") {
		t.Fatal("the policies are not in force")
	}
	for i, n := range all {
		other := all[1-i]
		b := g.browse()
		if r, err := b.client.PostForm("http://"+g.listen+"/portal/sign-in", url.Values{"key": {n.secret}}); err != nil || r.Body.Close() != nil || r.StatusCode != 200 {
			t.Fatalf("sign-in: %v %v", r, err)
		}
		for path, part := range map[string]string{"/portal": "common", "/portal/keys": n.name + "/k", "/portal/usage": "up/in-1000_out-1000", "/portal/usage?of=team": "up/in-1000_out-1000", "/portal/subscriptions": "note of " + n.name} {
			a, err := b.send("GET", "http://"+g.listen+path, "")
			seen := strings.ReplaceAll(a.body, "of-"+other.name, "") // which all may subscribe to
			if err != nil || a.status != 200 || !strings.Contains(seen, part) || strings.Contains(seen, other.name) {
				t.Errorf("%s shows %s: %d %v %s", path, n.name, a.status, err, a.body)
			}
		}
		a := g.data("GET", "/v1/usage?group_by=team,user,tag", "", "Authorization", "Bearer "+n.secret)
		if a.status != 200 || !strings.Contains(a.body, "user-"+n.name) || strings.Contains(a.body, other.name) {
			t.Errorf("usage of %s: %d %s", n.name, a.status, a.body)
		}
	}
}
