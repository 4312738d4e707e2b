package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file that is written over leaves its directory's own time as it was.
func TestTouched(t *testing.T) {
	dir := t.TempDir()
	old, file := time.Now().Add(-time.Hour), filepath.Join(dir, "below", "a.prompt")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	times := func(at time.Time) {
		t.Helper()
		for _, name := range []string{file, filepath.Dir(file), dir} {
			if err := os.Chtimes(name, old, old); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	since := old.Add(time.Minute)
	for _, c := range []struct {
		at   time.Time
		want bool
	}{{old, false}, {since.Add(time.Second), true}} {
		times(c.at)
		for _, name := range []string{file, dir, link} {
			if got := touched(name, since); got != c.want {
				t.Errorf("%s of %v: %v", name, c.at, got)
			}
		}
	}
	if touched(filepath.Join(dir, "none"), since) || touched("", since) {
		t.Error("what is not there was touched")
	}
	hidden := filepath.Join(dir, ".git")
	if err := os.Mkdir(hidden, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.prompt", "../notes.txt"} { // neither is read
		if err := os.WriteFile(filepath.Join(hidden, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	times(old)
	if touched(dir, since) {
		t.Error("what is not read was touched")
	}
}
