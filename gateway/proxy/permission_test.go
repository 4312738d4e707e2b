package proxy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/gateway/cel"
)

// officeHours is a decision by owner, address, day and hour, and who asks for it.
func officeHours(t testing.TB) (*Permission, *Exchange) {
	t.Helper()
	const zone = `{"shop": "Europe/Berlin", "lab": "America/New_York"}[caller.team]`
	rule, err := cel.Compile(fmt.Sprintf(`request.params.owner == caller.user && cidr("10.20.0.0/16").containsIP(caller.ip) && `+
		`now.getDayOfWeek(%s) in [1, 2, 3, 4, 5] && now.getHours(%[1]s) >= 8 && now.getHours(%[1]s) < 18`, zone), cel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	grant, err := ParseGrant("GET /files/**")
	if err != nil {
		t.Fatal(err)
	}
	route := &Route{Name: "files", Match: Match{Path: "/files/{owner}/**"}, Backend: &Static{}}
	mustTree(t, []*Route{route})
	x := &Exchange{RC: &fasthttp.RequestCtx{}, Route: route, Method: "GET", IP: "10.20.30.40", Now: time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC),
		Caller: Caller{ID: "ann", Team: "shop", User: "ann", Roles: []string{"staff"}, Scopes: []string{"files"}}}
	if err := x.Path.Normalise([]byte("/files/ann/x")); err != nil {
		t.Fatal(err)
	}
	return &Permission{Route: "files", Roles: []string{"staff"}, Scopes: []string{"files"}, Allow: rule, Table: RoleTable{"staff": {grant}}}, x
}

// The first of roles, scopes and rule that says no is the one that decides.
func TestPermissionNamesWhatDecides(t *testing.T) {
	p, x := officeHours(t)
	for _, c := range []struct {
		what    string
		change  func(x *Exchange)
		allowed bool
		rule    string
	}{
		{"all is well", func(*Exchange) {}, true, "routes.files.auth.allow: " + p.Allow.String()},
		{"a day later than Friday", func(x *Exchange) { x.Now = x.Now.AddDate(0, 0, 5) }, false, "routes.files.auth.allow: " + p.Allow.String()},
		{"without a scope", func(x *Exchange) { x.Caller.Scopes = nil }, false, "routes.files.auth.scopes: files"},
		{"without a role", func(x *Exchange) { x.Caller.Roles, x.Caller.Scopes = nil, nil }, false, "routes.files.auth.roles: staff"},
		{"a role that may not do it", func(x *Exchange) { x.Method = "DELETE" }, false, "roles: none of staff may DELETE /files/ann/x"},
	} {
		one := *x
		c.change(&one)
		if d := p.Decide(&one); d.Allowed != c.allowed || d.Rule != c.rule || !c.allowed && d.Why == "" {
			t.Errorf("%s: %+v; want %v by %s", c.what, d, c.allowed, c.rule)
		}
	}
}

// BenchmarkPermission is what a decision by owner, address, day and hour takes.
func BenchmarkPermission(b *testing.B) {
	p, x := officeHours(b)
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		d := p.Decide(x)
		took = append(took, time.Since(began))
		if !d.Allowed {
			b.Fatal(d.Rule)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}
