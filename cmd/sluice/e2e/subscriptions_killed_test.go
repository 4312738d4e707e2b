package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/tidwall/gjson"
)

// A replica is killed while it approves a subscription, again and again: then all
// of them say the same, which is approved or pending and never a half of it, with
// a step of its history for each change. What is approved can be called at all.
func TestSubscriptionApprovedByAReplicaThatDies(t *testing.T) {
	d := startDatabase(t)
	all := nodes(d.replicas(3, subscribersOf("orders")))
	rounds := setting(t, "SLUICE_E2E_KILLS", 12)
	became := map[string]int{}
	within := 20 * time.Millisecond // of the beginning of an approval it is killed
	for round := range rounds {
		dying, other := all[0], all[1+round%2]
		a := other.api("POST", "subscriptions", `{"route":"orders","team":"t","plan":"gold","note":"round"}`)
		id := a.get("id").String()
		if a.status != 201 {
			t.Fatalf("round %d: apply: %d %s", round, a.status, a.body)
		}
		all.stand(t, id, "pending")
		all.callable(t, 403)
		approved := make(chan int, 1)
		go func() {
			a, err := dying.send("POST", "http://"+dying.admin+"/admin/v1/subscriptions/"+id+"/approve", `{"note":"welcome"}`, "Authorization", "Bearer "+adminToken)
			if err != nil {
				a.status = 0
			}
			approved <- a.status
		}()
		time.Sleep(rand.N(within))
		dying.kill()
		answered := <-approved
		if n := d.halves(); n != 0 {
			t.Fatalf("round %d: %d subscriptions do not stand where their last step says", round, n)
		}
		dying.start()
		stands := other.api("GET", "subscriptions/"+id, "").get("status").String()
		became[fmt.Sprintf("%s, answered %d", stands, answered)]++
		want := "pending"
		switch {
		case stands == "approved":
			want, within = "pending approved", within*3/4
		case stands != "pending" || answered == 200:
			t.Fatalf("round %d: the approval was answered with %d, the subscription is %s", round, answered, stands)
		}
		all.stand(t, id, want)
		if stands == "pending" {
			within = min(within*3/2, 2*time.Second) // the host may be slow: as many come too early as too late
			all.callable(t, 403)
			if a := all[2].api("POST", "subscriptions/"+id+"/approve", `{"note":"welcome"}`); a.status != 200 {
				t.Fatalf("round %d: approve again: %d %s", round, a.status, a.body)
			}
		}
		all.callable(t, 200)
		if a := dying.api("DELETE", "subscriptions/"+id, `{"note":"over"}`); a.status != 204 {
			t.Fatalf("round %d: revoke: %d %s", round, a.status, a.body)
		}
		all.callable(t, 403)
		all.stand(t, id, "pending approved revoked")
	}
	t.Logf("killed %d times: %v", rounds, became)
	if v := all[1].api("GET", "audit/verify", ""); !v.get("ok").Bool() {
		t.Errorf("the audit trail: %s", v.body)
	}
}

// subscribersOf is a team that may call a route once it has a subscription.
func subscribersOf(route string) string {
	return `plans: {gold: {limits: {rpm: 100000}}, free: {limits: {rpm: 20}}}
teams:
  t: {keys: [{name: k, value: "` + teamKey + `"}]}
routes:
  - {name: ` + route + `, match: {path: /` + route + `}, backend: {static: {body: yes}}, auth: {require: [key], subscribed: true}}
`
}

// nodes are replicas on one database.
type nodes []*gateway

// stand waits until all replicas tell the same steps of a subscription, of which
// the last is where it stands.
func (all nodes) stand(t *testing.T, id, steps string) {
	t.Helper()
	for i, g := range all {
		var said string
		if !eventually(20*time.Second, func() bool {
			var list []string
			a := g.api("GET", "subscriptions/"+id, "")
			a.get("history").ForEach(func(_, s gjson.Result) bool {
				if s.Get("plan").String() != "gold" || s.Get("by").String() == "" || s.Get("at").Time().IsZero() {
					t.Errorf("a step that is not whole: %s", s.Raw)
				}
				list = append(list, s.Get("status").String())
				return true
			})
			said = strings.Join(list, " ")
			return said == steps && strings.HasSuffix(steps, a.get("status").String())
		}) {
			t.Fatalf("replica %d: %s is %q, want %q", i, id, said, steps)
		}
	}
}

// callable waits until a call to the route is answered so by all.
func (all nodes) callable(t *testing.T, status int) {
	t.Helper()
	began := time.Now()
	for i, g := range all {
		var r answer
		if !eventually(20*time.Second, func() bool { r = g.raw("GET", "/orders", "", "X-Api-Key", teamKey); return r.status == status }) {
			t.Fatalf("replica %d: %d %s, want %d", i, r.status, r.body, status)
		}
	}
	t.Logf("%d at all replicas after %v", status, time.Since(began).Round(time.Millisecond))
}

// halves is how many subscriptions do not stand where their last step says, or
// have a step too many or too few.
func (d *database) halves() (n int) {
	d.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	const query = `SELECT count(*) FROM subscriptions s LEFT JOIN LATERAL
		(SELECT array_agg(h.status ORDER BY h.id) AS steps FROM subscription_steps h WHERE h.subscription = s.id) h ON true
		WHERE h.steps IS NULL OR h.steps[array_length(h.steps, 1)] <> s.status
			OR array_to_string(h.steps, ' ') NOT IN ('pending', 'pending approved', 'pending approved revoked')`
	if err := conn.QueryRow(ctx, query).Scan(&n); err != nil {
		d.t.Fatal(err)
	}
	return n
}
