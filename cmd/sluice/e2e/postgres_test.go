package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/tidwall/gjson"
)

// database is a schema of a PostgreSQL that is there, which all replicas of a
// test share.
type database struct {
	t       *testing.T
	address string
}

func startDatabase(t *testing.T) *database {
	t.Helper()
	server := os.Getenv("SLUICE_TEST_POSTGRES")
	if server == "" {
		t.Skip("SLUICE_TEST_POSTGRES is not set: where a PostgreSQL is")
	}
	d := &database{t: t, address: server}
	schema := "sluice_e2e_" + strings.ToLower(rand.Text())
	d.do("CREATE SCHEMA " + schema)
	t.Cleanup(func() { (&database{t, server}).do("DROP SCHEMA " + schema + " CASCADE") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	d.address = u.String()
	return d
}

// do runs a statement.
func (d *database) do(text string) {
	d.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, text); err != nil {
		d.t.Errorf("%s: %v", text, err)
	}
}

// replica prepares a gateway on the database.
func (d *database) replica(rest string) *gateway {
	d.t.Helper()
	g := newGateway(d.t, rest)
	g.env = []string{"SLUICE_STORE=" + d.address, "SLUICE_SERVER__LISTEN=" + g.listen, "SLUICE_SERVER__ADMIN=" + g.admin}
	return g
}

// replicas are gateways that run, with what is in env.
func (d *database) replicas(n int, rest string, env ...string) (all []*gateway) {
	d.t.Helper()
	for range n {
		g := d.replica(rest)
		g.env = append(g.env, env...)
		g.start()
		all = append(all, g)
	}
	return all
}

// statusOf is what a call with a key is answered.
func (g *gateway) statusOf(key string) int {
	g.t.Helper()
	a, err := g.send("POST", "http://"+g.listen+"/v1/chat/completions", chatBody("up/m", "hello", ""),
		"Authorization", "Bearer "+key, "Content-Type", "application/json")
	if err != nil {
		g.t.Fatal(err)
	}
	return a.status
}

// What is changed at one replica is in force at all of them.
func TestReplicasSeeChanges(t *testing.T) {
	all := startDatabase(t).replicas(3, providers+team)
	become := func(what string, at func(*gateway) bool) {
		t.Helper()
		began := time.Now()
		for i, g := range all {
			if !eventually(10*time.Second, func() bool { return at(g) }) {
				t.Fatalf("%s: not at replica %d", what, i)
			}
		}
		t.Logf("%s: everywhere after %v", what, time.Since(began))
	}
	if a := all[0].api("POST", "teams", `{"name":"late"}`); a.status != 201 {
		t.Fatalf("a team: %d %s", a.status, a.body)
	}
	become("a team", func(g *gateway) bool { return g.api("GET", "teams/late", "").status == 200 })
	made := all[1].api("POST", "keys", `{"team":"late","name":"k"}`)
	if made.status != 201 {
		t.Fatalf("a key: %d %s", made.status, made.body)
	}
	key := gjson.Get(made.body, "key").String()
	become("a key", func(g *gateway) bool { return g.statusOf(key) == 200 })
	if a := all[2].api("DELETE", "keys/"+gjson.Get(made.body, "id").String(), ""); a.status >= 300 {
		t.Fatalf("revoking: %d %s", a.status, a.body)
	}
	become("its end", func(g *gateway) bool { return g.statusOf(key) == 401 })
}

// Where the store leads, a revision that is put at one replica is in force at the
// others, and so are prompts that are published.
func TestReplicasFollow(t *testing.T) {
	all := startDatabase(t).replicas(2, "config: {lead: store}\n"+providers+team)
	text := gjson.Get(all[0].api("GET", "config", "").body, "@this").Raw
	text = strings.TrimSuffix(strings.TrimSpace(text), "}") + `,"models":{"fast":{"targets":[{"model":"mock/echo"}]}}}`
	if a := all[0].api("PUT", "config", text); a.status != 200 {
		t.Fatalf("a configuration: %d %s", a.status, a.body)
	}
	for i, g := range all {
		if !eventually(10*time.Second, func() bool { return g.chat(chatBody("fast", "hello", "")).status == 200 }) {
			t.Errorf("replica %d does not know the model", i)
		}
		if a := g.api("GET", "config/revisions", ""); gjson.Get(a.body, "data.0.running").String() != "true" {
			t.Errorf("replica %d: %.300s", i, a.body)
		}
	}
	if a := all[1].api("POST", "prompts/say/publish", `{"source":"---\nmodel: fast\n---\nSay {{word}}."}`); a.status != 201 {
		t.Fatalf("a prompt: %d %s", a.status, a.body)
	}
	for i, g := range all {
		if !eventually(10*time.Second, func() bool { return g.data("POST", "/prompts/say", `{"word":"hello"}`).status == 200 }) {
			t.Errorf("replica %d does not know the prompt", i)
		}
	}
}

// Every call is in the ledger once, whichever replica is asked, and though one is
// killed again and again.
func TestReplicasKilled(t *testing.T) {
	all := startDatabase(t).replicas(3, providers+team)
	var complete []string
	for round := range 3 {
		var loads []*load
		for i, g := range all {
			loads = append(loads, g.startLoad(fmt.Sprintf("r%d-%d-", round, i), 4, time.Millisecond))
		}
		if !eventually(20*time.Second, func() bool { return loads[0].soFar() > 50 && loads[1].soFar() > 50 && loads[2].soFar() > 50 }) {
			t.Fatal("no calls are made")
		}
		all[round].kill()
		for _, l := range loads {
			done, _ := l.stop()
			complete = append(complete, done...)
		}
		all[round].start()
	}
	for i, g := range all {
		if !eventually(30*time.Second, func() bool { return g.metric("sluice_spool_records") == "0" }) {
			t.Fatalf("replica %d keeps %s records", i, g.metric("sluice_spool_records"))
		}
	}
	var reports []int64
	for i, g := range all {
		seen := map[string]int{}
		for _, e := range g.requests("") {
			seen[e.ID]++
			if seen[e.ID] > 1 {
				t.Errorf("replica %d has %s twice", i, e.ID)
			}
		}
		for _, id := range complete {
			if seen[id] != 1 {
				t.Errorf("replica %d has %s %d times", i, id, seen[id])
			}
		}
		a := g.api("GET", "usage", "")
		reports = append(reports, gjson.Get(a.body, "total.calls").Int())
		if reports[i] != int64(len(seen)) {
			t.Errorf("replica %d reports %d calls of %d: %.300s", i, reports[i], len(seen), a.body)
		}
	}
	if len(slices.Compact(slices.Clone(reports))) != 1 {
		t.Errorf("reports differ: %v", reports)
	}
	t.Logf("%d complete calls, %v in reports", len(complete), reports)
}

// Another replica leads when the one that did is killed.
func TestReplicasLeader(t *testing.T) {
	d := startDatabase(t)
	leader := func() (session int) {
		ctx := context.Background()
		conn, err := pgx.Connect(ctx, d.address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(ctx) }()
		const holder = "SELECT coalesce(max(pid), 0) FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = $1 AND objid = hashtext(current_schema())::oid AND granted"
		if err := conn.QueryRow(ctx, holder, 0x534c0004).Scan(&session); err != nil {
			t.Fatal(err)
		}
		return session
	}
	all := d.replicas(1, providers+team)
	var first int
	if !eventually(20*time.Second, func() bool { first = leader(); return first != 0 }) {
		t.Fatal("nobody leads")
	}
	all = append(all, d.replicas(1, providers+team)...)
	if now := leader(); now != first {
		t.Errorf("session %d leads, %d did", now, first)
	}
	all[0].kill()
	began := time.Now()
	if !eventually(30*time.Second, func() bool { now := leader(); return now != 0 && now != first }) {
		t.Fatal("nobody leads after the leader was killed")
	}
	t.Logf("another leads after %v", time.Since(began))
}

// The chain of audit records is whole though replicas write at once, and tells
// what somebody has edited.
func TestReplicasAudit(t *testing.T) {
	d := startDatabase(t)
	all := d.replicas(2, providers+team)
	var writing sync.WaitGroup
	for i, g := range all {
		writing.Go(func() {
			for n := range 20 {
				if a := g.api("POST", "teams", fmt.Sprintf(`{"name":"t-%d-%d"}`, i, n)); a.status != 201 {
					t.Errorf("a team: %d %s", a.status, a.body)
				}
			}
		})
	}
	writing.Wait()
	for i, g := range all {
		if v := g.api("GET", "audit/verify", ""); !gjson.Get(v.body, "ok").Bool() || gjson.Get(v.body, "count").Int() < 40 {
			t.Errorf("replica %d: %s", i, v.body)
		}
	}
	d.do("UPDATE audit SET record = replace(record, 't-0-7', 't-0-x') WHERE record LIKE '%t-0-7%'")
	if v := all[1].api("GET", "audit/verify", ""); gjson.Get(v.body, "ok").Bool() || gjson.Get(v.body, "broken").Int() == 0 {
		t.Errorf("an edited record: %s", v.body)
	}
}

// While the database is away calls are served; every one is in the ledger once
// when it is back.
func TestReplicaWithoutDatabase(t *testing.T) {
	d := startDatabase(t)
	u, err := url.Parse(d.address)
	if err != nil {
		t.Fatal(err)
	}
	way := newWay(t, u.Host)
	u.Host = way.addr
	d.address = u.String()
	g := d.replicas(1, providers+team)[0]
	load := g.startLoad("away-", 4, 5*time.Millisecond)
	if !eventually(10*time.Second, func() bool { return load.soFar() > 50 }) {
		t.Fatal("no calls are made")
	}
	way.close()
	if !eventually(20*time.Second, func() bool { return g.metric("sluice_spool_store_down") == "1" }) {
		t.Error("the metrics do not say that the store is down")
	}
	before := load.soFar()
	if !eventually(20*time.Second, func() bool { return load.soFar() > before+100 }) {
		t.Error("no calls are served while the store is away")
	}
	way.open()
	if !eventually(30*time.Second, func() bool { return g.metric("sluice_spool_store_down") == "0" }) {
		t.Error("the store does not take usage again")
	}
	complete, failed := load.stop()
	if len(failed) > 0 {
		t.Errorf("%d calls were refused, such as %s", len(failed), failed[0])
	}
	if !eventually(30*time.Second, func() bool { return g.metric("sluice_spool_records") == "0" }) {
		t.Errorf("%s records are still in the spool", g.metric("sluice_spool_records"))
	}
	seen := map[string]int{}
	for _, e := range g.requests("") {
		seen[e.ID]++
	}
	for _, id := range complete {
		if seen[id] != 1 {
			t.Errorf("%s is in the ledger %d times", id, seen[id])
		}
	}
	if !g.logs("the database cannot be reached") {
		t.Error("the log does not say why")
	}
	// Changes are noticed again.
	if a := g.api("POST", "teams", `{"name":"late"}`); a.status != 201 {
		t.Errorf("a team: %d %s", a.status, a.body)
	}
}

// way is a way to a server that can be closed.
type way struct {
	addr, to string
	t        *testing.T
	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

func newWay(t *testing.T, to string) *way {
	w := &way{addr: freeAddr(t), to: to, t: t}
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *way) open() {
	ln, err := net.Listen("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.listener = ln
	w.mu.Unlock()
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", w.to)
			if err != nil {
				_ = in.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, in, out)
			w.mu.Unlock()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
		}
	}()
}

// close ends all that goes this way.
func (w *way) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.listener.Close()
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}
