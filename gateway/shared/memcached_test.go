package shared

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"sluice/gateway/shared/sharedtest"
)

// testMemcached is the memcached that SLUICE_TEST_MEMCACHED names, or one of the
// test's own.
func testMemcached(t *testing.T) string {
	t.Helper()
	text := os.Getenv("SLUICE_TEST_MEMCACHED")
	if text == "" {
		return sharedtest.StartMemcached(t).Addr
	}
	addr, err := ParseMemcached(text)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func TestParseMemcached(t *testing.T) {
	for text, want := range map[string]string{
		"memcached://cache":        "cache:11211",
		"memcached://[::1]:11300/": "[::1]:11300",
	} {
		if addr, err := ParseMemcached(text); err != nil || addr != want || Check(text) != nil {
			t.Errorf("%s: %q %v", text, addr, err)
		}
	}
	for text, want := range map[string]string{
		"memcached://":                   "there is no host",
		"memcached://u:hunter2@h":        "takes no user",
		"memcached://h:0":                "the port is none",
		"memcached://h/hunter2":          "nothing after the port",
		"memcached://h?hunter2=1":        "nothing after the port",
		"memcached://h1:1,hunter2:99999": "want memcached://HOST[:PORT]",
		"memcache://hunter2":             "or memcached://HOST[:PORT]",
		"redis://":                       "there is no host",
	} {
		if err := Check(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// What one replica keeps another gets, until a purge of it at any of them; values
// go when their time is over.
func TestMemcachedShared(t *testing.T) {
	addr := testMemcached(t)
	a, b := startOn(t, Options{Memcached: addr}), startOn(t, Options{Memcached: addr})
	soon(t, "up", func() bool { return a.up() && b.up() })
	key, tag := "sluice:test:"+rand.Text(), rand.Text()
	before := a.Mark()
	a.keep(before, key, "value", time.Hour)
	soon(t, "it is there", b.has(key, "value"))
	large := strings.Repeat("x", mostInMemcached+1)
	a.keep(before, key+"large", large, time.Hour)
	soon(t, "what is too large is lost", func() bool { return a.Figures().Lost == 1 })
	fits := large[:mostInMemcached-1]
	a.keep(before, key+"fits", fits, time.Hour)
	soon(t, "what just fits is there", b.has(key+"fits", fits))
	a.keep(before, key+"short", "x", time.Millisecond)
	soon(t, "it is kept", func() bool { return a.Figures().Stored == 3 })
	soon(t, "it goes", func() bool { v, ok := b.Get(key + "short"); return ok && v[0] == nil })

	p := Purge{Tag: tag}
	if told := b.Purge(context.Background(), p); told.Replicas != -1 || told.Purged != 1 {
		t.Errorf("%+v", told)
	}
	if _, ok := a.Get(key); !ok || !a.Purged(before.ID, ofTag(tag)) || a.Purged(before.ID, ofTag("x")) {
		t.Error("who asks after a purge does not know of it")
	}
	soon(t, "memory is purged", a.heard(p))
	if a.Purged(a.Mark().ID, ofTag(tag)) {
		t.Error("what is asked for afterwards is purged")
	}
	late := startOn(t, Options{Memcached: addr})
	soon(t, "up", late.up)
	if !late.Purged(before.ID, ofTag(tag)) || !late.has(key, "value")() {
		t.Error("a replica that comes later does not know what was purged, or what is there")
	}
}

// A change makes another turn at once, and is told in all memories soon.
func TestMemcachedChange(t *testing.T) {
	addr := testMemcached(t)
	a, b := startOn(t, Options{Memcached: addr}), startOn(t, Options{Memcached: addr})
	soon(t, "up", func() bool { return a.up() && b.up() })
	turn := "sluice:turn:" + rand.Text()
	before := b.Mark()
	for range 3 {
		a.Change(turn, "host", "/"+turn)
	}
	if v, ok := b.Get(turn); !ok || len(v[0]) == 0 {
		t.Error("the turn is as it was")
	}
	p := Purge{Host: "host", Key: "/" + turn}
	soon(t, "told", b.heard(p))
	if !b.Purged(before.ID, func(q Purge) bool { return q == p }) {
		t.Error("it is in no log, so that a turn that is lost would be missed")
	}
}

// Replicas that purge at the same time lose none.
func TestMemcachedPurgesAtOnce(t *testing.T) {
	addr := testMemcached(t)
	var all []*replica
	for range 3 {
		all = append(all, startOn(t, Options{Memcached: addr}))
	}
	soon(t, "up", func() bool { return all[0].up() && all[1].up() && all[2].up() })
	name, before := rand.Text(), all[0].Mark()
	var purges sync.WaitGroup
	for i, r := range all {
		purges.Go(func() {
			for n := range 20 {
				if told := r.Purge(context.Background(), Purge{Tag: fmt.Sprint(name, i, " ", n)}); told.Replicas == 0 {
					t.Errorf("%d of %d is not told", n, i)
				}
			}
		})
	}
	purges.Wait()
	for i, r := range all {
		if _, ok := r.Get("x"); !ok {
			t.Error("it does not answer")
		}
		for j := range all {
			for n := range 20 {
				if tag := fmt.Sprint(name, j, " ", n); !r.Purged(before.ID, func(p Purge) bool { return p.Tag == tag }) {
					t.Errorf("%d does not know of %s", i, tag)
				}
			}
		}
	}
}

// Where memcached is away, or loses its log, nothing of before is given, and what
// was purged meanwhile is told when it is back.
func TestMemcachedAway(t *testing.T) {
	m := sharedtest.StartMemcached(t)
	a, b := startOn(t, Options{Memcached: m.Addr}), startOn(t, Options{Memcached: m.Addr})
	soon(t, "up", func() bool { return a.up() && b.up() })
	a.keep(a.Mark(), "k", "value", time.Hour)
	soon(t, "it is there", b.has("k", "value"))

	b.forget()
	if m.Forget(logName) != 1 {
		t.Fatal("there is no log")
	}
	soon(t, "memory is emptied", b.heard(Purge{}))
	soon(t, "up again", func() bool { return a.up() && b.up() })
	soon(t, "what was there is not found", func() bool { v, ok := b.Get("k"); return ok && v[0] == nil })

	a.forget()
	if m.Forget(countName) != 1 {
		t.Fatal("there is no count")
	}
	b.Purge(context.Background(), Purge{Tag: "counted"})
	soon(t, "a purge after the count was lost", a.heard(Purge{Tag: "counted"}))

	m.Stop()
	soon(t, "down", func() bool { return !a.up() && !b.up() })
	if _, ok := a.Get("k"); ok {
		t.Error("it answers")
	}
	a.Change("turn", "host", "/uri")
	if told := a.Purge(context.Background(), Purge{Tag: "away"}); told.Replicas != 0 || a.Figures().Pending != 2 {
		t.Errorf("%+v %+v", told, a.Figures())
	}
	m.Start()
	soon(t, "up again", func() bool { return a.up() && b.up() })
	soon(t, "told", func() bool {
		return b.Purged(ID{}, ofTag("away")) && b.Purged(ID{}, func(p Purge) bool { return p == Purge{Host: "host", Key: "/uri"} })
	})
}

// One that takes connections and answers nothing is let alone.
func TestMemcachedSilent(t *testing.T) {
	m := sharedtest.StartMemcached(t)
	a := startOn(t, Options{Memcached: m.Addr})
	soon(t, "up", a.up)
	m.Silence(true)
	for range 2 * mostSlow {
		if _, ok := a.Get("k"); ok {
			t.Error("it answers")
		}
	}
	soon(t, "down", func() bool { return !a.up() })
}

// What waits to be told when a link ends is told by the next.
func TestMemcachedChangeLeft(t *testing.T) {
	l := New(Options{Memcached: "h", Log: slog.New(slog.DiscardHandler)})
	addr := sharedtest.StartMemcached(t).Addr
	m := &inMemcached{level: l, quick: memcache.New(addr), changes: []Purge{{Host: "h", Key: "/1"}}}
	m.close()
	if err := m.change(t.Context(), "turn", Purge{Host: "h", Key: "/2"}); err == nil {
		t.Error("a link that is over takes a change")
	}
	if p, ok := l.takePending(); !ok || p.Key != "/1" {
		t.Errorf("%+v", p)
	}
}

func TestJournal(t *testing.T) {
	j := journal{epoch: "e", first: 1}
	for n := range mostRecords {
		j.add([]Purge{{Key: fmt.Sprint("/", n), Host: "h"}})
	}
	text := j.text()
	if len(text) > mostJournal+100 || j.first+uint64(len(j.purges)) != mostRecords+1 {
		t.Errorf("%d bytes, from %d, %d", len(text), j.first, len(j.purges))
	}
	again, ok := parseJournal(text)
	if !ok || !bytes.Equal(again.text(), text) || again.purges[0] != j.purges[0] {
		t.Error("it is read as another one")
	}
	list := again.records()
	if list[0].id.N != again.first-1 || !list[0].beginning || list[len(list)-1].id.N != mostRecords {
		t.Errorf("%+v … %+v", list[0], list[len(list)-1])
	}
	j.add([]Purge{{Tag: strings.Repeat("x", mostJournal)}})
	if j.purges[len(j.purges)-1] != (Purge{}) {
		t.Error("what is too long does not stand for all")
	}
	for _, text := range []string{"", "e 1", "e\n", "e 0\n", " 1\n", "e x\n"} {
		if _, ok := parseJournal([]byte(text)); ok {
			t.Errorf("%q is taken", text)
		}
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte("e 1\n{\"tag\":\"a\"}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		j, ok := parseJournal(b)
		if !ok {
			return
		}
		j.add([]Purge{{Tag: "x"}})
		again, ok := parseJournal(j.text())
		if !ok || len(again.purges) != len(j.purges) || again.first != j.first {
			t.Errorf("%q is read as %+v", j.text(), again)
		}
	})
}
