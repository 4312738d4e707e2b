package prompts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Report is what PublishDir did. Names are in sorted order.
type Report struct {
	Published []*Live // new versions
	Withdrawn []string
	Waiting   []string // for TestDir; what was served before goes on
	Faults    Faults   // of files that were not taken; what was served before goes on
}

// file is a prompt file as it was found.
type file struct {
	name, path string
	source     []byte
	partials   map[string]string // beside it, by name
}

// PublishDir publishes every *.prompt file below a directory whose bytes, or
// whose partials' bytes, have changed since they were last published from a
// file, and serves them. A name is the file's without .prompt; files that
// begin with _ are partials, _NAME.prompt, for the files beside them. A prompt
// whose file is gone is no longer served; its versions stay in the store. A
// file whose bytes are those of the newest version that came from a file makes
// no version, so that a label that was moved back stays where it is.
//
// A directory that is not there has no files. The error is the directory's or
// the store's; what could be done has been done then, and the report tells it.
func (r *Registry) PublishDir(ctx context.Context, dir string) (Report, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var report Report
	files, err := scan(dir, &report.Faults)
	if err != nil {
		return report, fmt.Errorf("cannot read the prompts of %q: %w", dir, err)
	}
	s := r.next()
	var errs []error
	seen := map[string]bool{}
	for _, f := range files {
		seen[f.name] = true
	}
	for name := range r.files {
		if !seen[name] {
			s.remove(name)
			delete(r.files, name)
			report.Withdrawn = append(report.Withdrawn, name)
		}
	}
	slices.Sort(report.Withdrawn)
	for len(files) > 0 {
		var waiting []file // for a path that another file may give up
		for _, f := range files {
			wait, err := r.take(ctx, s, f, &report)
			if err != nil {
				errs = append(errs, err)
			}
			if wait {
				waiting = append(waiting, f)
			}
		}
		if len(waiting) == len(files) {
			for _, f := range waiting {
				r.refuse(s, f, &report)
			}
			break
		}
		files = waiting
	}
	r.set.Store(s)
	return report, errors.Join(errs...)
}

// take publishes one file if it has changed; wait tells that its path belongs
// to another prompt so far.
func (r *Registry) take(ctx context.Context, s *Set, f file, report *Report) (wait bool, err error) {
	if f.source == nil { // unreadable, and told so: what is served stays
		return false, nil
	}
	l, faults := r.read(f.name, f.path, f.source, f.partials)
	if len(faults) > 0 {
		report.Faults = append(report.Faults, faults...)
		r.keep(f.name, s)
		return false, nil
	}
	l.FromFile = true
	sum := digest(bundle(l.Source, l.Partials))
	if known, ok := r.files[f.name]; ok && known.digest == sum {
		return false, nil
	}
	if s.conflict(l) != "" {
		return true, nil
	}
	if c := s.nesting(l); c != "" {
		report.Faults.addf(f.path, l.Template.lines["sluice.steps"], "%s", c)
		r.keep(f.name, s)
		return false, nil
	}
	versions, err := r.versions(ctx, f.name)
	if err != nil {
		return false, err
	}
	for _, v := range slices.Backward(versions) {
		if v.Author != authorFile {
			continue
		}
		if v.Digest == sum {
			r.files[f.name] = fileState{sum}
			return false, r.refresh(ctx, s, f.name)
		}
		break
	}
	if ok, err := r.passes(ctx, s, l, f, report); !ok || err != nil {
		return false, err
	}
	created, err := r.publish(ctx, s, l, "", authorFile)
	if err != nil {
		return false, err
	}
	r.files[f.name] = fileState{sum}
	if created {
		report.Published = append(report.Published, l)
	}
	return false, nil
}

// refuse reports the path that a file cannot have.
func (r *Registry) refuse(s *Set, f file, report *Report) {
	l, faults := r.read(f.name, f.path, f.source, f.partials)
	if len(faults) == 0 {
		report.Faults.addf(f.path, l.Template.lines["sluice.path"], "%s", s.conflict(l))
	}
	r.keep(f.name, s)
}

// keep marks a faulty file as one that is there, so that its prompt is not
// withdrawn and is tried again next time.
func (r *Registry) keep(name string, s *Set) {
	if _, served := s.byName[name]; served {
		r.files[name] = fileState{}
	}
}

// CheckDir reads every prompt file below a directory and tells all faults,
// without a store: what `check` does.
func CheckDir(dir, prefix string, w World) (Faults, error) {
	var faults Faults
	files, err := scan(dir, &faults)
	if err != nil {
		return nil, fmt.Errorf("cannot read the prompts of %q: %w", dir, err)
	}
	r := NewRegistry(nil, nil)
	r.Prefix = prefix
	r.SetWorld(w)
	s, paths := r.next(), map[string]string{}
	for _, f := range files {
		if f.source == nil {
			continue
		}
		l, bad := r.read(f.name, f.path, f.source, f.partials)
		if len(bad) > 0 {
			faults = append(faults, bad...)
			continue
		}
		if why := w.refused(l.Template); why != "" {
			faults.addf(f.path, l.Template.lines["model"], "%s", why)
		}
		if c := s.conflict(l); c != "" {
			faults.addf(f.path, l.Template.lines["sluice.path"], "%s", c)
			continue
		}
		s.put(l, nil)
		paths[l.Name] = f.path
	}
	for _, l := range s.All() {
		if c := s.nesting(l); c != "" {
			faults.addf(paths[l.Name], l.Template.lines["sluice.steps"], "%s", c)
		}
	}
	return faults, nil
}

// ReadDir reads every prompt file below a directory, without a store. Faults
// are of the files that are left out.
func ReadDir(dir string) ([]*Live, Faults, error) {
	var faults Faults
	files, err := scan(dir, &faults)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the prompts of %q: %w", dir, err)
	}
	r := NewRegistry(nil, nil)
	var out []*Live
	for _, f := range files {
		if f.source == nil {
			continue
		}
		l, bad := r.read(f.name, f.path, f.source, f.partials)
		faults = append(faults, bad...)
		if len(bad) == 0 {
			out = append(out, l)
		}
	}
	return out, faults, nil
}

// ReadFile reads a prompt file and the partials beside it.
func ReadFile(path string) (name string, source []byte, partials map[string]string, err error) {
	name = strings.TrimSuffix(filepath.Base(path), ".prompt")
	if source, err = readBounded(path); err != nil {
		return "", nil, nil, fmt.Errorf("cannot read prompt %q: %w", path, err)
	}
	var faults Faults
	partials = readPartials(filepath.Dir(path), &faults)
	return name, source, partials, faults.Err()
}

// scan finds the prompt files below a directory, in the order of their paths.
func scan(dir string, faults *Faults) ([]file, error) {
	var out []file
	names := map[string]string{}
	partials := map[string]map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path == dir && errors.Is(err, fs.ErrNotExist) {
				return fs.SkipAll
			}
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if path != dir && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
			return nil
		}
		name, ok := strings.CutSuffix(base, ".prompt")
		if !ok || strings.HasPrefix(base, "_") || strings.HasPrefix(base, ".") {
			return nil
		}
		if other, twice := names[name]; twice {
			faults.addf(path, 0, "the name %q is that of %s already", name, other)
			return nil
		}
		names[name] = path
		f := file{name: name, path: path}
		if f.source, err = readBounded(path); err != nil {
			f.source = nil
			faults.addf(path, 0, "cannot be read: %v", err)
		}
		parent := filepath.Dir(path)
		if partials[parent] == nil {
			partials[parent] = readPartials(parent, faults)
		}
		f.partials = partials[parent]
		out = append(out, f)
		return nil
	})
	return out, err
}

// readPartials reads the _NAME.prompt files of one directory.
func readPartials(dir string, faults *Faults) map[string]string {
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		faults.addf(dir, 0, "cannot be read: %v", err)
		return out
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".prompt")
		if name, ok2 := strings.CutPrefix(name, "_"); ok && ok2 && validName(name) && !e.IsDir() {
			path := filepath.Join(dir, e.Name())
			b, err := readBounded(path)
			if err != nil {
				faults.addf(path, 0, "cannot be read: %v", err)
				continue
			}
			out[name] = string(b)
		}
	}
	return out
}

// readBounded reads a file of at most maxSource bytes; it is never nil then.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSource {
		return nil, fmt.Errorf("it is larger than %d bytes", maxSource)
	}
	b, err := os.ReadFile(path)
	if b == nil && err == nil {
		b = []byte{}
	}
	return b, err
}
