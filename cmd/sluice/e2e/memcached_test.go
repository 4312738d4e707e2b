package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/gateway/shared/sharedtest"
)

// inMemcached are two gateways that share what they keep in a memcached.
func inMemcached(t *testing.T, address, origin string) (a, b *gateway) {
	t.Helper()
	rest := "shared: " + address + "\nroutes:" + strings.ReplaceAll(cacheRoutes, "TARGET", `{http: {targets: ["`+origin+`"]}}`)
	a, b = start(t, rest), start(t, rest)
	sharing(t, a, b)
	return a, b
}

// What one replica has asked a backend another gives out of memcached, which is
// the one that SLUICE_TEST_MEMCACHED names, if it does; what is purged at one, by
// tag, prefix, key or a change, is gone in both.
func TestMemcachedRouteCache(t *testing.T) {
	address := os.Getenv("SLUICE_TEST_MEMCACHED")
	if address == "" {
		address = "memcached://" + sharedtest.StartMemcached(t).Addr
	}
	o := startOrigin(t)
	a, b := inMemcached(t, address, o.URL)
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
	a.stored(5)
	want(b, "/plain/1?surrogate-key=red", "hit 1")
	want(b, "/plain/2", "hit 2")
	want(b, "/keyed/1", "miss 5", bob...)
	want(b, "/keyed/1", "hit 3", ann...)
	want(b, "/plain/3?vary=X-Who", "hit 4", "X-Who", "a")
	want(b, "/plain/3?vary=X-Who", "miss 6", "X-Who", "b")

	o.asked.Store(100)
	purge := a.api("DELETE", "cache?tag=red", "")
	if gjson.Get(purge.body, "purged").Int() != 1 || gjson.Get(purge.body, "replicas").Exists() {
		t.Errorf("the purge tells %s", purge.body)
	}
	b.becomes("/plain/1?surrogate-key=red", "miss 101")
	want(b, "/plain/2", "hit 2")
	a.api("DELETE", "cache?prefix=/plain/2", "")
	b.becomes("/plain/2", "miss 102")
	a.api("DELETE", "cache?key=/plain/2", "")
	b.becomes("/plain/2", "miss 103")
	if c := a.raw("POST", "/plain/2", "x"); c.status != 200 {
		t.Errorf("a change: %d", c.status)
	}
	b.becomes("/plain/2", "miss 105")
	if f := gjson.Get(b.api("GET", "cache", "").body, "shared"); !f.Get("up").Bool() || f.Get("server").Str != "memcached" || f.Get("hits").Int() < 4 {
		t.Errorf("figures: %s", f)
	}
	if !a.logs("limits, budgets and health are each replica's own") {
		t.Error("nobody tells what memcached cannot do")
	}
}

// Without memcached every replica goes on by itself; when it is back, they share
// again, and what was purged meanwhile is purged everywhere.
func TestMemcachedAway(t *testing.T) {
	o, m := startOrigin(t), sharedtest.StartMemcached(t)
	a, b := inMemcached(t, "memcached://"+m.Addr, o.URL)
	a.raw("GET", "/plain/1", "")
	a.stored(1)
	b.becomes("/plain/1", "hit 1")
	m.Stop()
	for _, g := range []*gateway{a, b} {
		g.becomes("/plain/2", "miss *")
		g.becomes("/plain/2", "hit *")
		if !g.logs("the shared memcached cannot be used") {
			t.Error("nobody tells")
		}
	}
	b.becomes("/plain/1", "hit 1") // from memory
	if p := a.api("DELETE", "cache?tag=item:1", ""); p.status != 200 || gjson.Get(p.body, "replicas").String() != "0" {
		t.Errorf("a purge without memcached: %d %s", p.status, p.body)
	}
	m.Start()
	sharing(t, a, b)
	b.becomes("/plain/1", "miss *")
	before := a.count(`sluice_cache_shared_writes_total{result="stored"}`)
	a.becomes("/plain/4", "miss *")
	a.stored(before + 1)
	if got := b.fares("/plain/4"); !strings.HasPrefix(got, "hit ") {
		t.Errorf("after memcached is back: %s", got)
	}

	m.Silence(true)
	a.becomes("/plain/5", "miss *")
	a.becomes("/plain/5", "hit *")
	m.Silence(false)
}
