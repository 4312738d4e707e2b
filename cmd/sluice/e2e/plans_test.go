package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// tiers are three plans, of which a team's subscription to a route has one.
const tiers = `plans: {free: {limits: {rpm: 20}}, pro: {limits: {rpm: 60}}, ent: {limits: {rpm: 100000}}}
teams:
  t: {keys: [{name: k, value: "` + teamKey + `"}]}
routes:
  - {name: orders, match: {path: /orders}, backend: {static: {body: yes}}, auth: {require: [key], subscribed: true}}
`

// lasting is a connection that stays open.
type lasting struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func (g *gateway) lasting() *lasting {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.listen)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = conn.Close() })
	return &lasting{g.t, conn, bufio.NewReader(conn)}
}

// get is how a request on the connection is answered.
func (l *lasting) get(path string) int {
	l.t.Helper()
	_ = l.conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(l.conn, "GET %s HTTP/1.1\r\nHost: h\r\nX-Api-Key: %s\r\n\r\n", path, teamKey)
	res, err := http.ReadResponse(l.r, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.Close {
		l.t.Fatalf("the connection is closed: %v", err)
	}
	return res.StatusCode
}

// What a plan lets pass is counted over a restart of Redis, which keeps it in a
// file; another plan counts at once, on connections that are open.
func TestPlansOfTiers(t *testing.T) {
	r := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	rest := "shared: redis://" + r.addr + "/2\n" + tiers
	d := startDatabase(t)
	all := d.replicas(2, rest)
	sharing(t, all...)
	id := all[0].api("POST", "subscriptions", `{"route":"orders","team":"t","plan":"free"}`).get("id").String()
	gets := plan(t, all[0], id, "free")
	began := time.Now()
	open := []*lasting{all[0].lasting(), all[1].lasting()}
	for i, l := range open {
		if !eventually(20*time.Second, func() bool { return l.get("/orders") != 403 }) {
			t.Fatalf("replica %d does not know of the approval", i)
		}
	}
	ask := func(g *gateway) (answer, error) {
		return g.send("GET", "http://"+g.listen+"/orders", "", "X-Api-Key", teamKey)
	}
	by, _ := storm(all, 30, ask)
	if n := by[200]; n == 0 || n > 20+alone(all) || by[429] == 0 {
		t.Errorf("of 20 a minute: %v", by)
	}
	refused := func(what string, of ...*gateway) {
		t.Helper()
		by, _ := storm(of, 15, ask)
		if took := time.Since(began); took > 50*time.Second {
			t.Logf("excused: %s: %v after %v", what, by, took)
			return
		}
		pass{0, 0}.check(t, of, by, 15*len(of), what)
	}
	refused("more than the plan", all...)
	says := func(what string, times int) {
		t.Helper()
		for i, g := range all {
			if !eventually(20*time.Second, func() bool { return strings.Count(g.stderr.String(), what) >= times }) {
				t.Fatalf("replica %d does not say %q %d times", i, what, times)
			}
		}
	}
	r.kill()
	says("the shared Redis cannot be used", 1)
	r.start()
	says("replicas share limits and hard budgets", 2)
	late := d.replicas(1, rest) // knows nothing but what is in Redis
	sharing(t, late...)
	refused("after Redis was restarted", late...)
	refused("after Redis was restarted, at who was there before", all...)

	gets("pro")
	for i, l := range open {
		if !eventually(20*time.Second, func() bool { return l.get("/orders") == 200 }) {
			t.Errorf("replica %d: nothing passes on the connection under the plan pro", i)
		}
	}
	by, _ = storm(all, 80, ask)
	if n := by[200]; n == 0 || n > 60+alone(all) || by[429] == 0 {
		t.Errorf("of 60 a minute: %v", by)
	}
	gets("ent")
	for i, l := range open {
		if !eventually(20*time.Second, func() bool { return l.get("/orders") == 200 }) {
			t.Errorf("replica %d: nothing passes on the connection under the plan ent", i)
		}
		for n := range 100 {
			if status := l.get("/orders"); status != 200 {
				t.Fatalf("replica %d: call %d under the plan ent: %d", i, n, status)
			}
		}
	}
}

// plan gives a subscription a plan, and gives what gives it others.
func plan(t *testing.T, g *gateway, id, name string) func(name string) {
	t.Helper()
	give := func(name string) {
		t.Helper()
		if a := g.api("POST", "subscriptions/"+id+"/approve", `{"plan":"`+name+`"}`); a.status != 200 || a.get("plan").String() != name {
			t.Fatalf("the plan %s: %d %s", name, a.status, a.body)
		}
	}
	give(name)
	return give
}
