package config

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long changes are gathered before one call tells of them all.
const settle = 150 * time.Millisecond

// Watch calls changed after the content of any of the files has changed: by a
// write, a rename over it, a deletion followed by a new file, or the swap of a
// symbolic link on the way (as Kubernetes does). Calls come one at a time from
// one goroutine. stop ends it and waits for a running call, so changed must not
// call stop.
//
// koanf's own file watcher is not used: it ends for good when the file is
// missing for a moment, which is how some editors save.
func Watch(changed func(), files ...string) (stop func(), err error) {
	w, err := newWatcher()
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(files))
	for i, file := range files {
		if paths[i], err = filepath.Abs(file); err == nil {
			err = w.fs.Add(filepath.Dir(paths[i]))
		}
		if err != nil {
			_ = w.fs.Close()
			return nil, fmt.Errorf("cannot watch file %q: %w", file, err)
		}
	}
	w.addRealDirs(paths)
	last, _ := digest(paths)
	go w.run(func(fsnotify.Event) bool { return true }, func() {
		w.addRealDirs(paths)
		if now, ok := digest(paths); ok && now != last {
			last = now
			changed()
		}
	})
	return w.stop, nil
}

// WatchDir calls changed after anything below dir has changed, new directories
// included; dir itself may go and come again. Calls and stop are as in Watch.
func WatchDir(dir string, changed func()) (stop func(), err error) {
	w, err := newWatcher()
	if err != nil {
		return nil, err
	}
	root, err := filepath.Abs(dir)
	if err == nil {
		err = w.fs.Add(filepath.Dir(root)) // to see dir itself come again
	}
	if err == nil {
		err = w.addTree(root)
	}
	if err != nil {
		_ = w.fs.Close()
		return nil, fmt.Errorf("cannot watch directory %q: %w", dir, err)
	}
	go w.run(func(e fsnotify.Event) bool {
		if e.Name != root && !strings.HasPrefix(e.Name, root+string(filepath.Separator)) {
			return false // another file beside dir
		}
		if e.Has(fsnotify.Create) {
			// What cannot be watched, such as a plain file or a directory that
			// has gone again, needs no watch.
			_ = w.addTree(e.Name)
		}
		return e.Op != fsnotify.Chmod
	}, changed)
	return w.stop, nil
}

// watcher gathers the events of one fsnotify watcher.
type watcher struct {
	fs   *fsnotify.Watcher
	done chan struct{}
}

func newWatcher() (*watcher, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("cannot watch files: %w", err)
	}
	return &watcher{fs: w, done: make(chan struct{})}, nil
}

func (w *watcher) stop() {
	_ = w.fs.Close() // its error says only that it was closed before
	<-w.done
}

// run calls fire once for the events of a span that begins with one that
// counts. An overflow of the kernel's queue counts too.
func (w *watcher) run(counts func(fsnotify.Event) bool, fire func()) {
	defer close(w.done)
	timer := time.NewTimer(0)
	<-timer.C
	defer timer.Stop()
	waiting := false
	for {
		counted := false
		select {
		case event, ok := <-w.fs.Events:
			if !ok {
				return
			}
			counted = counts(event)
		case _, ok := <-w.fs.Errors:
			if !ok {
				return
			}
			counted = true
		case <-timer.C:
			waiting = false
			fire()
		}
		if counted && !waiting {
			waiting = true
			timer.Reset(settle)
		}
	}
}

// addRealDirs watches the directories that links lead to. A file that is
// missing now is seen by the directory it was named in.
func (w *watcher) addRealDirs(paths []string) {
	for _, path := range paths {
		_ = w.fs.Add(filepath.Dir(path))
		if target, err := filepath.EvalSymlinks(path); err == nil {
			_ = w.fs.Add(filepath.Dir(target))
		}
	}
}

// addTree watches a directory and all below it.
func (w *watcher) addTree(root string) error {
	// The separator makes a link to a directory count as one.
	return filepath.WalkDir(root+string(filepath.Separator), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return w.fs.Add(filepath.Clean(path))
	})
}

// digest is a hash over the files; false where one cannot be read now.
func digest(paths []string) ([sha256.Size]byte, bool) {
	h := sha256.New()
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return [sha256.Size]byte{}, false
		}
		fmt.Fprintf(h, "%d ", len(b))
		h.Write(b)
	}
	return [sha256.Size]byte(h.Sum(nil)), true
}
