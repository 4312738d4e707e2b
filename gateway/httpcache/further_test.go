package httpcache

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"testing"
	"time"

	"sluice/gateway/shared"
	"sluice/gateway/shared/sharedtest"
)

func anEntry() *Entry {
	return &Entry{Place: Place{Route: "r", Space: "s\x00\xff", Host: "h", URI: "/1?\xfe"}, Vary: []string{"Accept"}, Values: "a\xff,\n", Tags: []string{"red", "\xfd"},
		Status: 200, Header: []Field{{"Etag", `"1"`}, {"X-Odd", "caf\xe9"}}, Body: []byte("body\x00"), Made: noon,
		Terms: Terms{Fresh: time.Minute, Age: time.Second, Revalid: 2, IfError: 3, Must: true, Public: true}}
}

// An entry is read as it was written, whatever bytes it has.
func TestDecode(t *testing.T) {
	e := anEntry()
	f := &Flight{further: further{mark: shared.Mark{ID: shared.ID{At: 7, N: 8}}, turn: []byte("turn")}}
	b, err := encode(e, f)
	if err != nil {
		t.Fatal(err)
	}
	got, at, turn := decode(b)
	want := *e
	want.Route = ""
	if !reflect.DeepEqual(got, &want) || at != (shared.ID{At: 7, N: 8}) || string(turn) != "turn" {
		t.Errorf("read as %+v, %v, %q", got, at, turn)
	}
	for n := range b {
		if got, _, _ := decode(b[:n]); got != nil {
			t.Fatalf("its first %d bytes are read as %+v", n, got)
		}
	}
	if got, _, _ := decode(append(bytes.Clone(b), 'x')); got != nil {
		t.Error("a longer body is read")
	}
	for _, change := range []func(e *Entry){
		func(e *Entry) { e.Status = 99 }, func(e *Entry) { e.Fresh = -1 }, func(e *Entry) { e.Header[0].Value = "a\r\nb" }, func(e *Entry) { e.Header[0].Name = "" },
	} {
		e := anEntry()
		change(e)
		b, err := encode(e, f)
		if got, _, _ := decode(b); err != nil || got != nil {
			t.Errorf("read as %+v, %v", got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, _ := encode(anEntry(), &Flight{})
	f.Add(b)
	f.Add([]byte("\x01\x02{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, _, _ := decode(b)
		if e == nil {
			return
		}
		if e.Status != 0 && e.Status < 200 || len(e.Body) > len(b) || e.Fresh < 0 {
			t.Errorf("%+v", e)
		}
		for _, h := range e.Header {
			if bytes.ContainsAny([]byte(h.Name+h.Value), "\r\n") {
				t.Errorf("a header of two lines: %q", h)
			}
		}
	})
}

// replica is a store and its level.
type replica func(t *testing.T) (*Store, *shared.Level)

// onRedis is in the Redis that SLUICE_TEST_REDIS names.
func onRedis(t *testing.T) (*Store, *shared.Level) {
	t.Helper()
	text := os.Getenv("SLUICE_TEST_REDIS")
	if text == "" {
		t.Skip("SLUICE_TEST_REDIS is not set")
	}
	o, err := shared.ParseURL(text)
	if err != nil {
		t.Fatal(err)
	}
	return started(t, shared.Options{Redis: o})
}

// onMemcached is in the memcached that SLUICE_TEST_MEMCACHED names, or in one of
// the test's own.
func onMemcached(t *testing.T) replica {
	t.Helper()
	text := os.Getenv("SLUICE_TEST_MEMCACHED")
	if text == "" {
		text = "memcached://" + sharedtest.StartMemcached(t).Addr
	}
	addr, err := shared.ParseMemcached(text)
	if err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T) (*Store, *shared.Level) { return started(t, shared.Options{Memcached: addr}) }
}

func started(t *testing.T, o shared.Options) (*Store, *shared.Level) {
	t.Helper()
	s := New(64 << 20)
	o.Log, o.Purge = slog.New(slog.DiscardHandler), func(p shared.Purge) int64 {
		if p.Host != "" {
			s.Forget(&Place{Host: p.Host, URI: p.Key})
			return 0
		}
		q, _ := SelectionOf(p)
		return s.Purge(q)
	}
	l := shared.New(o)
	s.Share(l)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { l.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	soon(t, func() bool { return l.Figures().Up })
	return s, l
}

func soon(t *testing.T, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("not after 10 s")
}

// fill answers a request as a route does: from the other level, or as says.
func fill(s *Store, p *Place, header, says string, vary []string, tags ...string) string {
	h := request(header)
	f, leads := s.Join(p, nil, h)
	if !leads {
		return "another does"
	}
	var e *Entry
	defer func() { s.End(f, e, false) }()
	if e = s.Further(f, nil, h, p); e != nil {
		return string(e.Body)
	}
	e = &Entry{Place: *p, Vary: vary, Values: ValuesOf(vary, h), Status: 200, Body: []byte(says), Tags: tags, Made: time.Now(), Terms: Terms{Fresh: time.Minute}}
	s.Put(e, f)
	return says
}

// Replicas share entries with their variants and owners, and what is purged or
// has changed in one is gone in all.
func TestRedisFurther(t *testing.T) { furthers(t, onRedis) }

func TestMemcachedFurther(t *testing.T) { furthers(t, onMemcached(t)) }

func furthers(t *testing.T, replica replica) {
	a, la := replica(t)
	b, lb := replica(t)
	host := rand.Text()
	at := func(space, uri string) *Place { return &Place{Route: "r", Space: space, Host: host, URI: uri} }
	stored := func(n int64) { t.Helper(); soon(t, func() bool { return la.Figures().Stored == n }) }
	want := func(s *Store, p *Place, header, want string) {
		t.Helper()
		if got := fill(s, p, header, "anew", []string{"Accept"}); got != want {
			t.Errorf("%s: %q, want %q", p.URI, got, want)
		}
	}
	fill(a, at("s", "/1"), "", "one", nil, "red")
	fill(a, at("s", "/2"), "Accept: x", "x", []string{"Accept"})
	fill(a, at("s", "/2"), "Accept: y", "y", []string{"Accept"})
	stored(5) // a variant has a sign beside it
	want(b, at("s", "/1"), "", "one")
	want(b, at("s", "/2"), "Accept: y", "y")
	want(b, at("s", "/2"), "Accept: x", "x")
	want(b, at("other", "/1"), "", "anew")
	want(b, &Place{Space: "s", Host: host + "2", URI: "/1"}, "", "anew")
	if get(b, "s", "/1", "") != "" || b.Find(at("s", "/1"), request("")) == nil {
		t.Error("what was found is not in memory")
	}

	fill(a, at("s", "/3"), "", "three", nil)
	stored(6)
	b.Changed(at("s", "/3"))
	soon(t, func() bool { return a.Find(at("s", "/3"), request("")) == nil })
	before := lb.Figures().Stored
	if got := fill(b, at("s", "/3"), "", "three again", nil); got != "three again" {
		t.Errorf("what has changed is %q", got)
	}
	soon(t, func() bool { return lb.Figures().Stored > before })
	want(a, at("s", "/3"), "", "three again")

	f, _ := a.Join(at("s", "/4"), nil, request("")) // under way during a change elsewhere
	a.Further(f, nil, request(""), at("s", "/4"))
	b.Changed(at("s", "/4"))
	a.Put(&Entry{Place: *at("s", "/4"), Status: 200, Body: []byte("old"), Made: time.Now(), Terms: Terms{Fresh: time.Minute}}, f)
	a.End(f, nil, false)
	want(b, at("s", "/4"), "", "anew")

	la.Purge(context.Background(), shared.Purge{Tag: "red"})
	soon(t, func() bool { return b.Find(at("s", "/1"), request("")) == nil })
	want(a, at("s", "/1"), "", "anew")
	want(b, at("s", "/2"), "Accept: q", "anew")
}

// Of many entries a purge of one tag takes its own and no other.
func TestRedisPurgeOfMany(t *testing.T) { purgesOfMany(t, onRedis) }

func TestMemcachedPurgeOfMany(t *testing.T) { purgesOfMany(t, onMemcached(t)) }

func purgesOfMany(t *testing.T, replica replica) {
	const entries, tags = 5000, 50
	a, la := replica(t)
	b, lb := replica(t)
	host := rand.Text()
	at := func(n int) *Place { return &Place{Space: "s", Host: host, URI: fmt.Sprint("/", n)} }
	for n := range entries { // on a busy machine not all of them are shared
		fill(a, at(n), "", "old", nil, fmt.Sprint(host, n%tags))
	}
	soon(t, func() bool { return la.Figures().Up && la.Figures().Stored > entries/tags })
	if told := la.Purge(context.Background(), shared.Purge{Tag: fmt.Sprint(host, 7)}); told.Purged != entries/tags {
		t.Errorf("told: %+v", told)
	}
	soon(t, func() bool { return la.Figures().Pending == 0 && lb.Figures().Up && lb.Figures().Purges > 0 })
	var old, wrong int64
	for n := range entries {
		switch got := fill(b, at(n), "", "new", nil); {
		case got == "old" && n%tags == 7:
			wrong++
		case got == "old":
			old++
		}
	}
	if wrong > 0 || old == 0 {
		t.Errorf("%d that were purged are given, and %d others", wrong, old)
	}
}
