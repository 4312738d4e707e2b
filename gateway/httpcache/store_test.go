package httpcache

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
)

func put(s *Store, route, space, uri, body string, tags ...string) bool {
	p := Place{Route: route, Space: space, Host: "h", URI: uri}
	f, leads := s.Join(&p, nil, request(""))
	if !leads {
		return false
	}
	defer s.End(f, nil, false)
	return s.Put(&Entry{Place: p, Status: 200, Body: []byte(body), Tags: tags, Made: noon}, f)
}

func get(s *Store, space, uri string, header string) string {
	e := s.Find(&Place{Space: space, Host: "h", URI: uri}, request(header))
	if e == nil {
		return ""
	}
	return string(e.Body)
}

func TestStore(t *testing.T) {
	s := New(1 << 20)
	put(s, "r", "a", "/1", "one")
	put(s, "r", "b", "/1", "two")
	if get(s, "a", "/1", "") != "one" || get(s, "b", "/1", "") != "two" || get(s, "c", "/1", "") != "" || get(s, "a", "/2", "") != "" {
		t.Error("spaces are mixed")
	}
	s.Forget(&Place{Host: "h", URI: "/1"})
	if get(s, "a", "/1", "")+get(s, "b", "/1", "") != "" {
		t.Error("what has changed is kept")
	}
	if put(s, "r", "a", "/1", string(bytes.Repeat([]byte{'x'}, 1<<17))) {
		t.Error("what is too large is kept")
	}
	if n, of := s.Size(); n != 0 || of != 0 {
		t.Errorf("an empty store has %d entries of %d bytes", n, of)
	}
}

// Variants of one place, and the answer that varies by something else.
func TestVariants(t *testing.T) {
	s := New(1 << 20)
	keep := func(vary []string, header, body string) {
		p := Place{Space: "a", Host: "h", URI: "/"}
		f, _ := s.Join(&p, vary, request(header))
		s.Put(&Entry{Place: p, Status: 200, Vary: vary, Values: ValuesOf(vary, request(header)), Body: []byte(body)}, f)
		s.End(f, nil, false)
	}
	by := Names([]string{"accept-language", "Accept-Language"})
	keep(by, "Accept-Language: de", "deutsch")
	keep(by, "Accept-Language: en", "english")
	keep(by, "", "none")
	for header, want := range map[string]string{"Accept-Language: de": "deutsch", "Accept-Language: en": "english", "": "none", "Accept-Language: fr": "", "Accept-Language: de; Accept-Language: en": ""} {
		if got := get(s, "a", "/", header); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
	keep([]string{"X"}, "X: 1", "other")
	if get(s, "a", "/", "Accept-Language: de") != "" || get(s, "a", "/", "X: 1") != "other" {
		t.Error("what varied by something else is found")
	}
	if n, _ := s.Size(); n != 1 {
		t.Errorf("%d entries, of which one can be found", n)
	}
}

// The bound holds, exactly, whatever is put.
func TestBound(t *testing.T) {
	s := New(1 << 20)
	for i := range 5000 {
		put(s, "r", "a", fmt.Sprint("/", i), string(bytes.Repeat([]byte{'x'}, i%3000)))
	}
	n, size := s.Size()
	if size > 1<<20 || size < 1<<19 || n < 100 {
		t.Errorf("%d entries of %d bytes", n, size)
	}
	if f := s.Figures(); f.Evicted == 0 || f.Kept != 5000 || f.Entries != n || f.Bytes != size {
		t.Errorf("figures: %+v", f)
	}
	s.Purge(Selection{})
	if n, size := s.Size(); n != 0 || size != 0 {
		t.Errorf("after a purge: %d entries of %d bytes", n, size)
	}
}

// 100,000 entries and 1,000 tags, of which one is purged.
func TestPurge(t *testing.T) {
	s := New(512 << 20)
	for i := range 100_000 {
		put(s, "r", "a", fmt.Sprint("/", i), "x", fmt.Sprint("tag", i%1000), "all")
	}
	if n := s.Purge(Selection{Tag: "tag7"}); n != 100 {
		t.Errorf("%d are purged", n)
	}
	for i := range 100_000 {
		if (get(s, "a", fmt.Sprint("/", i), "") == "") != (i%1000 == 7) {
			t.Fatalf("/%d: the wrong ones are gone", i)
		}
	}
	if n := s.Purge(Selection{Tag: "all", Prefix: "/99"}); n != 1110 { // 1,111 of them, but /99007 … and its like: one of a thousand
		t.Errorf("%d of /99… are purged", n)
	}
	if get(s, "a", "/990", "") != "" || get(s, "a", "/98", "") != "x" {
		t.Error("the wrong ones are gone")
	}
}

// One tag of 1,000 is purged, of 100,000 entries that are there each time.
func BenchmarkPurgeTag(b *testing.B) {
	s := New(512 << 20)
	fill := func(tag, step int) {
		for i := tag; i < 100_000; i += step {
			put(s, "r", "a", fmt.Sprint("/", i), "x", fmt.Sprint("tag", i%1000), "all")
		}
	}
	fill(0, 1)
	n := 0
	for b.Loop() {
		if gone := s.Purge(Selection{Tag: fmt.Sprint("tag", n%1000)}); gone != 100 {
			b.Fatalf("%d are purged", gone)
		}
		b.StopTimer()
		fill(n%1000, 1000)
		n++
		b.StartTimer()
	}
}

// What was asked for before a purge, or a change, is not kept after it.
func TestPutAfterPurge(t *testing.T) {
	s := New(1 << 20)
	for what, act := range map[string]func(){
		"a purge":  func() { s.Purge(Selection{Tag: "other"}) },
		"a change": func() { s.Forget(&Place{Host: "h", URI: "/"}) },
	} {
		p := Place{Space: "a", Host: "h", URI: "/"}
		f, leads := s.Join(&p, nil, request(""))
		if !leads {
			t.Fatal("somebody else leads")
		}
		act()
		if s.Put(&Entry{Place: p, Status: 200}, f) {
			t.Errorf("after %s what is old is kept", what)
		}
		s.End(f, nil, true)
		if _, again := f.Outcome(); !again {
			t.Error("the outcome is lost")
		}
	}
	p := Place{Space: "a", Host: "h", URI: "/"}
	f, _ := s.Join(&p, nil, request(""))
	s.Forget(&Place{Host: "h", URI: "/other"})
	if !s.Put(&Entry{Place: p, Status: 200}, f) {
		t.Error("a change of something else counts")
	}
	s.End(f, nil, false)
}

func TestStoreAtOnce(t *testing.T) {
	s := New(1 << 20)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 500 {
				uri := fmt.Sprint("/", j%20)
				put(s, "r", "a", uri, "x", "t")
				get(s, "a", uri, "")
				switch (i + j) % 50 {
				case 0:
					s.Purge(Selection{Tag: "t"})
				case 1:
					s.Forget(&Place{Host: "h", URI: uri})
				case 2:
					s.Figures()
				}
			}
		})
	}
	all.Wait()
	s.Purge(Selection{})
	if n, size := s.Size(); n != 0 || size != 0 {
		t.Errorf("left: %d entries of %d bytes", n, size)
	}
}
