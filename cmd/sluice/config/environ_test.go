package config

import (
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"sluice/billing"
)

func TestEnviron(t *testing.T) {
	c := load(t, `
server: {listen: 127.0.0.1:1, trusted_proxies: [10.0.0.0/8, 11.0.0.0/8]}
store: sqlite:file.db
teams: {research: {budget: {usd: 5, per: day}, models: [a, b, c]}}
`,
		"SLUICE_SERVER__LISTEN=[::1]:9",
		"SLUICE_SERVER__TRUSTED_PROXIES=192.168.0.0/16, 127.0.0.1,",
		"SLUICE_STORE=sqlite:z.db", "SLUICE_STORE=sqlite:env.db", // the last counts
		"SLUICE_TELEMETRY__METRICS=false",
		"SLUICE_BILLING__HOLD_TOKENS=12",
		"SLUICE_TEAMS__RESEARCH__BUDGET__USD=7.5",
		"SLUICE_TEAMS__RESEARCH__MODELS=[\"x,y\", z]",
		"SLUICE_PROVIDERS__OPENAI__KEYS=one,two",
		"SLUICE_PROVIDERS__LAB={kind: mock, latency: 3s}",
		"SLUICE_ADMIN__TOKEN=${TOKEN}", "TOKEN=t",
		// Of the command line, of Kubernetes, of others: none of ours.
		"SLUICE_ADMIN=http://127.0.0.1:8081", "SLUICE_ADMIN_TOKEN=x", "SLUICE_PORT=tcp://1.2.3.4:80",
		"SLUICE___X=1", "SLUICE_A____B=1", "NOT_SLUICE_SERVER__LISTEN=x", "SLUICE_", "nonsense",
	)
	if c.Server.Listen != "[::1]:9" || c.Store != "sqlite:env.db" || c.Telemetry.Metrics || c.Billing.HoldTokens != 12 || c.Admin.Token != "t" {
		t.Errorf("%s", c)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("127.0.0.1/32")}; !slices.Equal(c.Server.Trusted, want) {
		t.Errorf("a list with commas: %v", c.Server.Trusted)
	}
	team := c.Teams["research"]
	if !reflect.DeepEqual(team.Budget, billing.Budgets{{USD: 7*billing.Dollar + billing.Dollar/2, Per: "day", Hard: true}}) || !slices.Equal(team.Models, []string{"x,y", "z"}) {
		t.Errorf("below a name of the file: %+v %+v", team, team.Budget)
	}
	if keys := c.Providers["openai"].Keys; len(keys) != 2 || keys[1].Value != "two" {
		t.Errorf("keys: %v", keys)
	}
	if p := c.Providers["lab"]; p.Kind != "mock" || p.Latency != 3*time.Second {
		t.Errorf("a mapping: %+v", p)
	}
}

func TestEnvironFaults(t *testing.T) {
	_, err := Load(write(t, "server: {listen: 127.0.0.1:1}\n"), []string{
		"SLUICE_SERVER__LISEN=x",
		"SLUICE_SERVER__DRAIN=soon",
		"SLUICE_SERVER__TRUSTED_PROXIES=10.0.0.0/8,hunter2",
		"SLUICE_ADMIN__TOKENS=[{value: hunter2, rol: viewer}]",
		"SLUICE_LOG__LEVEL=${NONE}",
		"SLUICE_BILLING={fsync: [}",
		"SLUICE_BILLING__FSYNC={fsync: [}",
		"SLUICE_PROVIDERS__OPENAI__KEYS=[a, \"${NONE}\"]",
		"SLUICE_TEAMS__A=1",
		"SLUICE_TEAMS__A__PARENT=b",
	})
	var got Faults
	if !errors.As(err, &got) {
		t.Fatal(err)
	}
	sameFaults(t, got, Faults{
		{File: "SLUICE_SERVER__LISEN", Message: `unknown key "lisen", did you mean "listen"?`},
		{File: "SLUICE_SERVER__DRAIN", Message: `server.drain: want a duration such as 30s, not "soon"`},
		{File: "SLUICE_SERVER__TRUSTED_PROXIES", Message: `server.trusted_proxies[1]: want an address or a network such as 10.0.0.0/8, not "hunter2"`},
		{File: "SLUICE_ADMIN__TOKENS", Message: `unknown key "rol", did you mean "role"?`},
		{File: "SLUICE_ADMIN__TOKENS", Message: `admin.tokens[0].role: is needed: admin, operator, viewer or team-owner`},
		{File: "SLUICE_LOG__LEVEL", Message: `log.level: the environment has no NONE`},
		{File: "SLUICE_BILLING__FSYNC", Message: `cannot read YAML: did not find expected node content`},
		{File: "SLUICE_PROVIDERS__OPENAI__KEYS", Message: `providers.openai.keys[1]: the environment has no NONE`},
		{File: "SLUICE_TEAMS__A", Message: `teams.a: want a mapping of models, budget, limits, weight, users, tags, parent, retention, keys, on_disconnect, when_spent, prices`},
		{File: "SLUICE_TEAMS__A__PARENT", Message: `teams.a.parent: another variable sets a key above it`},
	})
}
