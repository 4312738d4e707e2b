package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// redis is a Redis of the test's own, which keeps on disk what its settings say:
// without any, nothing.
type redis struct {
	t        *testing.T
	addr     string
	dir      string
	settings []string
	cmd      *exec.Cmd
}

func startRedis(t *testing.T, settings ...string) *redis {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed")
	}
	r := &redis{t: t, addr: freeAddr(t), dir: t.TempDir(), settings: settings}
	r.start()
	t.Cleanup(r.kill)
	return r
}

func (r *redis) start() {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(r.addr)
	r.cmd = exec.Command("redis-server", append([]string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", r.dir}, r.settings...)...)
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	if !eventually(10*time.Second, func() bool { return strings.HasPrefix(r.say("PING"), "+PONG") }) {
		r.t.Fatal("Redis does not start")
	}
}

func (r *redis) kill() {
	_ = r.cmd.Process.Kill() // it may be dead
	_ = r.cmd.Wait()
}

// say sends one command, each of whose words is a string without spaces, and
// gives the first line of the answer.
func (r *redis) say(words ...string) string {
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte(strings.Join(words, " ") + "\r\n")); err != nil {
		return err.Error()
	}
	b := make([]byte, 256)
	n, _ := conn.Read(b)
	line, _, _ := strings.Cut(string(b[:n]), "\r\n")
	return line
}

// replicas are two gateways of one configuration.
func replicas(t *testing.T, r *redis, rest string) (a, b *gateway) {
	t.Helper()
	rest = "shared: redis://" + r.addr + "/2\n" + rest
	a, b = start(t, rest), start(t, rest)
	sharing(t, a, b)
	return a, b
}

func sharing(t *testing.T, replicas ...*gateway) {
	t.Helper()
	for _, g := range replicas {
		if !eventually(20*time.Second, func() bool { return g.count("sluice_cache_shared_up") == 1 }) {
			t.Fatal("a replica does not share")
		}
	}
}

// stored waits until a replica has handed on so many answers.
func (g *gateway) stored(n int) {
	g.t.Helper()
	if !eventually(10*time.Second, func() bool { return g.count(`sluice_cache_shared_writes_total{result="stored"}`) >= n }) {
		g.t.Fatalf("not %d answers are stored", n)
	}
}

// fares asks and tells how the cache fared, and which answer it is: "hit 1".
func (g *gateway) fares(path string, header ...string) string {
	g.t.Helper()
	r := g.raw("GET", path, "", header...)
	if r.status != 200 {
		return fmt.Sprint(r.status)
	}
	return r.header.Get("X-Sluice-Cache") + " " + strings.Fields(r.body)[1]
}

// becomes asks until a replica answers so; * is any answer.
func (g *gateway) becomes(path, want string) {
	g.t.Helper()
	got := ""
	if !eventually(10*time.Second, func() bool {
		got = g.fares(path)
		return got == want || strings.HasSuffix(want, "*") && strings.HasPrefix(got, strings.TrimSuffix(want, "*"))
	}) {
		g.t.Errorf("%s: %s, want %s", path, got, want)
	}
}

// What one replica has asked a backend another gives, to whom it belongs; what
// is purged at one, by an event or by a change, is gone in both.
func TestSharedRouteCache(t *testing.T) {
	o, r := startOrigin(t), startRedis(t)
	a, b := replicas(t, r, "routes:"+strings.ReplaceAll(cacheRoutes, "TARGET", `{http: {targets: ["`+o.URL+`"]}}`))
	want := func(g *gateway, path, want string, header ...string) {
		t.Helper()
		if got := g.fares(path, header...); got != want {
			t.Errorf("%s %v: %q, want %q", path, header, got, want)
		}
	}
	ann, bob := []string{"X-Api-Key", teamKey}, []string{"X-Api-Key", "sk-e2e-other-0123456789"}
	want(a, "/plain/1?surrogate-key=red", "miss 1")
	want(a, "/plain/2", "miss 2")
	want(a, "/keyed/1", "miss 3", ann...)
	want(a, "/plain/3?vary=X-Who", "miss 4", "X-Who", "a")
	want(a, "/public/1?cache-control=public,max-age=60", "miss 5", ann...)
	want(a, "/rfc/1?cache-control=max-age=60&etag=v", "miss 6")
	a.stored(7)
	want(b, "/plain/1?surrogate-key=red", "hit 1")
	want(b, "/plain/1?surrogate-key=red", "hit 1") // now from memory
	want(b, "/plain/2", "hit 2")
	want(b, "/keyed/1", "401")
	want(b, "/keyed/1", "miss 7", bob...)
	want(b, "/keyed/1", "hit 3", ann...)
	want(b, "/plain/3?vary=X-Who", "hit 4", "X-Who", "a")
	want(b, "/plain/3?vary=X-Who", "miss 8", "X-Who", "b")
	want(b, "/public/1?cache-control=public,max-age=60", "hit 5", bob...)
	want(b, "/rfc/1?cache-control=max-age=60&etag=v", "hit 6", "Cache-Control", "only-if-cached")
	if n := b.count(`sluice_cache_shared_lookups_total{result="hit"}`); n != 6 {
		t.Errorf("%d hits of what is shared", n)
	}
	hit := b.raw("GET", "/plain/2", "")
	if hit.header.Get("Age") == "" || !strings.HasPrefix(hit.header.Get("Cache-Status"), "sluice; hit; ttl=") {
		t.Errorf("a hit's headers: %v", hit.header)
	}

	o.asked.Store(100)
	if p := a.api("DELETE", "cache?tag=red", ""); gjson.Get(p.body, "purged").Int() != 1 || gjson.Get(p.body, "replicas").Int() != 2 {
		t.Errorf("the purge tells %s", p.body)
	}
	b.becomes("/plain/1?surrogate-key=red", "miss 101")
	want(b, "/plain/2", "hit 2")
	b.stored(4)
	want(a, "/plain/1?surrogate-key=red", "hit 101")
	a.api("DELETE", "cache?prefix=/plain/2", "")
	b.becomes("/plain/2", "miss 102")

	if got := r.say("PUBLISH", "sluice:purge:2", `'{"tag":"item:2"'`); got != ":2" {
		t.Errorf("%s replicas hear events", got)
	}
	r.say("PUBLISH", "sluice:purge:2", `'{"tag":"item:2"}'`)
	b.becomes("/plain/2", "miss 103")
	for _, g := range []*gateway{a, b} {
		if !g.logs("an event that should purge kept answers cannot be understood") {
			t.Error("a bad event is not in the log")
		}
	}

	if c := a.raw("POST", "/plain/2", "x"); c.status != 200 {
		t.Errorf("a change: %d", c.status)
	}
	b.becomes("/plain/2", "miss 105")

	if f := gjson.Get(b.api("GET", "cache", "").body, "shared"); !f.Get("up").Bool() || f.Get("hits").Int() < 6 || f.Get("refused").Int() != 1 {
		t.Errorf("figures: %s", f)
	}
}

// Without Redis every replica goes on by itself; when it is back, they share
// again, and what was purged meanwhile is purged everywhere.
func TestSharedWithoutRedis(t *testing.T) {
	o, r := startOrigin(t), startRedis(t)
	a, b := replicas(t, r, "routes:"+strings.ReplaceAll(cacheRoutes, "TARGET", `{http: {targets: ["`+o.URL+`"]}}`))
	for _, path := range []string{"/plain/1", "/plain/2"} {
		a.raw("GET", path, "")
	}
	a.stored(2)
	for _, path := range []string{"/plain/1", "/plain/2"} {
		b.becomes(path, "hit *")
	}
	r.kill()
	for _, g := range []*gateway{a, b} {
		if !g.logs("the shared Redis cannot be used") {
			t.Error("nobody tells")
		}
	}
	a.becomes("/plain/3", "miss *")
	a.becomes("/plain/3", "hit *")
	b.becomes("/plain/3", "miss *")
	b.becomes("/plain/1", "hit 1") // from memory
	if p := a.api("DELETE", "cache?tag=item:1", ""); p.status != 200 || gjson.Get(p.body, "purged").Int() != 1 || gjson.Get(p.body, "replicas").String() != "0" {
		t.Errorf("a purge without Redis: %d %s", p.status, p.body)
	}
	b.becomes("/plain/1", "hit 1")

	r.start()
	sharing(t, a, b)
	b.becomes("/plain/1", "miss *")
	b.becomes("/plain/2", "miss *") // it may have changed meanwhile
	before := a.count(`sluice_cache_shared_writes_total{result="stored"}`)
	a.becomes("/plain/4", "miss *")
	a.stored(before + 1)
	if got := b.fares("/plain/4"); !strings.HasPrefix(got, "hit ") {
		t.Errorf("after Redis is back: %s", got)
	}
}

// A gateway whose Redis is not there serves, and says so.
func TestSharedNever(t *testing.T) {
	o := startOrigin(t)
	g := start(t, "shared: redis://"+freeAddr(t)+"\nroutes:"+strings.ReplaceAll(cacheRoutes, "TARGET", `{http: {targets: ["`+o.URL+`"]}}`))
	for _, want := range []string{"miss 1", "hit 1"} {
		if got := g.fares("/plain/1"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if g.count("sluice_cache_shared_up") != 0 || !g.logs("the shared Redis cannot be used") {
		t.Error("nothing tells of it")
	}
	if code := g.stop(); code != 0 {
		t.Errorf("the end: %d", code)
	}
}

// Answers of models are shared within their scope, by replicas whose models are
// the same.
func TestSharedModelCache(t *testing.T) {
	r := startRedis(t)
	const rest = providers + `models:
  mine: {targets: [{model: up/m}], cache: {ttl: 10m, scope: key}}
  ours: {targets: [{model: up/m}], cache: {ttl: 10m}}
` + `teams:
  t: {keys: [{name: k, value: "` + teamKey + `"}, {name: other, value: "sk-e2e-other-0123456789"}]}
`
	a, b := replicas(t, r, strings.ReplaceAll(rest, "UP", "http://"+freeAddr(t)))
	// Both have one provider, so that they are replicas: a's.
	same := func(g *gateway) {
		g.configure(head + "shared: redis://" + r.addr + "/2\n" + strings.ReplaceAll(rest, "UP", a.fake.URL()))
		g.kill()
		g.start()
	}
	same(a)
	same(b)
	sharing(t, a, b)
	ask := func(g *gateway, model, key, want string) {
		t.Helper()
		got := g.chat(chatBody(model, "hello", ""), "Authorization", "Bearer "+key)
		if got.status != 200 || got.header.Get("X-Sluice-Cache") != want {
			t.Errorf("%s: %d %s, want %s: %s", model, got.status, got.header.Get("X-Sluice-Cache"), want, got.body)
		}
	}
	const other = "sk-e2e-other-0123456789"
	ask(a, "mine", teamKey, "miss")
	ask(a, "ours", teamKey, "miss")
	a.stored(2)
	ask(b, "mine", other, "miss")
	ask(b, "mine", teamKey, "hit")
	ask(b, "ours", other, "hit")
	if p := a.api("DELETE", "cache?model=ours", ""); gjson.Get(p.body, "purged").Int() != 1 || gjson.Get(p.body, "replicas").Int() != 2 {
		t.Errorf("the purge tells %s", p.body)
	}
	if !eventually(10*time.Second, func() bool {
		return b.chat(chatBody("ours", "hello", "")).header.Get("X-Sluice-Cache") == "miss"
	}) {
		t.Error("what was purged at one replica is given by the other")
	}
	ask(b, "mine", teamKey, "hit")

	b.configure(head + "shared: redis://" + r.addr + "/2\n" + strings.ReplaceAll(strings.Replace(rest, "  ours:", "  more: mock/echo\n  ours:", 1), "UP", a.fake.URL()))
	b.kill()
	b.start()
	sharing(t, b)
	ask(b, "mine", teamKey, "miss") // its configuration is another one
}
