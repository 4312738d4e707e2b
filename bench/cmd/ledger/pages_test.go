package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"sluice/gateway/console"
)

// Every page of the console and of the portal is asked for, and nothing is asked
// for that is none.
func TestPages(t *testing.T) {
	w := newWorld(time.Date(2026, 9, 1, 10, 0, 0, 0, time.UTC), 90)
	for _, face := range []struct {
		name     string
		patterns []string
		asked    []page
	}{
		{"console", console.Pages(), consolePages(w)},
		{"portal", console.PortalPages(), portalPages(w)},
	} {
		if len(face.patterns) < 8 {
			t.Errorf("%s: only %d pages are known", face.name, len(face.patterns))
		}
		mux := http.NewServeMux()
		for _, p := range face.patterns {
			mux.HandleFunc(p, http.NotFound)
		}
		seen := map[string]bool{}
		for _, p := range face.asked {
			_, pattern := mux.Handler(httptest.NewRequest(http.MethodGet, p.path, nil))
			if pattern == "" {
				t.Errorf("%s: %s is asked for, and is no page", face.name, p.path)
			}
			seen[pattern] = true
		}
		for _, p := range face.patterns {
			if !seen[p] {
				t.Errorf("%s: %s is never asked for: give it a row in pages.go", face.name, p)
			}
		}
	}
}

// A page that is too slow or too heavy is one that missed a bound; a file misses
// none.
func TestTellPages(t *testing.T) {
	o := &options{limit: 300 * time.Millisecond}
	for _, c := range []struct {
		name   string
		s      seen
		missed int
	}{
		{"good", seen{worst: 300 * time.Millisecond, all: heaviest}, 0},
		{"slow", seen{worst: 301 * time.Millisecond}, 1},
		{"heavy", seen{all: heaviest + 1}, 1},
		{"both", seen{worst: time.Second, all: heaviest + 1}, 1},
		{"a file", seen{page: page{file: true}, all: heaviest + 1}, 0},
		{"a slow file", seen{page: page{file: true}, worst: time.Second}, 0},
	} {
		if got := o.tellPages("test", []seen{c.s}); got != c.missed {
			t.Errorf("%s: %d missed, want %d", c.name, got, c.missed)
		}
	}
}

// What a page loads counts once, and links count nothing.
func TestWeigh(t *testing.T) {
	assets := map[string]string{"/assets/a.css": "12345", "/assets/b.js": "123"}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if assets[r.URL.Path] == "" {
			http.NotFound(w, r)
		}
		_, _ = w.Write([]byte(assets[r.URL.Path]))
	}))
	defer s.Close()
	v := &visitor{base: s.URL, assets: map[string]int64{}}
	n, err := v.weigh(t.Context(), []byte(`<link rel="icon" href="data:,"><link rel="stylesheet" href="/assets/a.css"><a href="/gone">x</a><script src="/assets/b.js" type="module"></script><link href="/assets/a.css">`))
	if err != nil || n != 8 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := v.weigh(t.Context(), []byte(`<img src="/gone.png" alt="">`)); err == nil {
		t.Error("a missing image was loaded")
	}
}
