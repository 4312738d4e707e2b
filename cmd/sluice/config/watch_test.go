package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// heard is a channel that a callback feeds.
func heard() (chan struct{}, func()) {
	c := make(chan struct{}, 100)
	return c, func() { c <- struct{}{} }
}

func wait(t *testing.T, c chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("nothing heard of: %s", what)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func save(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), 0o600))
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "sluice.yaml"), filepath.Join(dir, "secret")
	save(t, file, "a")
	save(t, secret, "s")
	c, changed := heard()
	stop, err := Watch(changed, file, secret)
	must(t, err)
	defer stop()

	save(t, file, "b")
	wait(t, c, "a write")
	save(t, file+".new", "c")
	must(t, os.Rename(file+".new", file))
	wait(t, c, "a rename over it")
	must(t, os.Remove(file))
	save(t, file, "d")
	wait(t, c, "a deletion and a new file")
	save(t, file, "e")
	wait(t, c, "a write after that")
	save(t, secret, "t")
	wait(t, c, "the other file")
}

// TestWatchNoChange: events without another content are not told of.
func TestWatchNoChange(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "sluice.yaml")
	save(t, file, "a")
	c, changed := heard()
	stop, err := Watch(changed, file)
	must(t, err)
	for _, content := range []string{"a", "a", "b"} {
		save(t, filepath.Join(dir, "beside"), content)
		must(t, os.Rename(filepath.Join(dir, "beside"), file))
	}
	wait(t, c, "the change after what was none")
	stop()
	if len(c) > 0 {
		t.Errorf("%d calls for no change", len(c))
	}
}

// TestWatchLinks swaps directories as Kubernetes does with a mounted ConfigMap,
// then writes to where the link leads.
func TestWatchLinks(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{"one": "a", "two": "b"} {
		must(t, os.Mkdir(filepath.Join(elsewhere, name), 0o700))
		save(t, filepath.Join(elsewhere, name, "sluice.yaml"), content)
	}
	must(t, os.Symlink(filepath.Join(elsewhere, "one"), filepath.Join(dir, "..data")))
	must(t, os.Symlink(filepath.Join("..data", "sluice.yaml"), filepath.Join(dir, "sluice.yaml")))
	c, changed := heard()
	stop, err := Watch(changed, filepath.Join(dir, "sluice.yaml"))
	must(t, err)
	defer stop()

	must(t, os.Symlink(filepath.Join(elsewhere, "two"), filepath.Join(dir, "..new")))
	must(t, os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")))
	wait(t, c, "the swap of a link")
	save(t, filepath.Join(elsewhere, "two", "sluice.yaml"), "c")
	wait(t, c, "a write behind the link")
}

func TestWatchDir(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "prompts")
	must(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o700))
	c, changed := heard()
	stop, err := WatchDir(dir, changed)
	must(t, err)
	defer stop()

	save(t, filepath.Join(dir, "a.prompt"), "a")
	wait(t, c, "a new file")
	save(t, filepath.Join(dir, "sub", "b.prompt"), "b")
	wait(t, c, "a file in a directory below")
	must(t, os.MkdirAll(filepath.Join(dir, "new", "deep"), 0o700))
	wait(t, c, "a new directory")
	save(t, filepath.Join(dir, "new", "deep", "c.prompt"), "c")
	wait(t, c, "a file in the new one")
	must(t, os.Remove(filepath.Join(dir, "a.prompt")))
	wait(t, c, "a removal")
	must(t, os.Rename(dir, filepath.Join(parent, "gone")))
	wait(t, c, "the directory going")
	must(t, os.Mkdir(dir, 0o700))
	wait(t, c, "the directory coming again")
	save(t, filepath.Join(dir, "d.prompt"), "d")
	wait(t, c, "a file in it")
}

func TestWatchErrors(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	if _, err := Watch(func() {}, filepath.Join(none, "sluice.yaml")); err == nil {
		t.Error("watches a file in no directory")
	}
	if _, err := WatchDir(none, func() {}); err == nil {
		t.Error("watches no directory")
	}
}
