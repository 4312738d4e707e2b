package prompts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// LabelProduction is the label that a prompt's bare path serves; LabelLatest is
// always the newest version, and cannot be moved.
const (
	LabelProduction = "production"
	LabelLatest     = "latest"
)

// authorFile is the author of the versions that come from files.
const authorFile = "file"

// Registry has the prompts that are served. Callers read Snapshot, which never
// waits; publishing and refreshing go one at a time. What is served goes on
// being served whatever happens to the store.
type Registry struct {
	// Prefix stands before every prompt's path; "" and "/" are none. It is set
	// before first use.
	Prefix string
	// Splits has the splits; nil: there are none. It is set before first use.
	Splits Splits

	store Store
	now   func() time.Time
	set   atomic.Pointer[Set]
	world atomic.Pointer[World] // nil: nothing is known of it

	mu    sync.Mutex              // of publishing and refreshing
	files map[string]fileState    // of the directory, by name
	ended map[string]*SplitReport // of splits that have stopped

	cache versionCache
	exams exams
}

// fileState is what is known of a prompt's file.
type fileState struct{ digest string }

// NewRegistry has no prompts yet: PublishDir and Refresh bring them.
func NewRegistry(store Store, now func() time.Time) *Registry {
	r := &Registry{store: store, now: now, files: map[string]fileState{}, ended: map[string]*SplitReport{}}
	r.cache.live, r.cache.known, r.cache.newest = map[versionKey]*Live{}, map[string]map[int]Version{}, map[string]int{}
	r.set.Store(&Set{registry: r, byName: map[string]*Live{}, byPath: map[string]*Live{}, labels: map[string]map[string]int{}, splits: map[string]*sharing{}})
	return r
}

// Snapshot is what is served now.
func (r *Registry) Snapshot() *Set { return r.set.Load() }

// path is where a prompt is served.
func (r *Registry) path(t *Template) string {
	p := t.Sluice.Path
	if p == "" {
		p = "/prompts/" + t.Name
	}
	return strings.TrimSuffix(r.Prefix, "/") + p
}

// next is a copy of the current set, to be changed and then stored.
func (r *Registry) next() *Set {
	old := r.Snapshot()
	s := &Set{registry: r, byName: map[string]*Live{}, byPath: map[string]*Live{}, labels: map[string]map[string]int{}, splits: map[string]*sharing{}}
	for name, l := range old.byName {
		s.put(l, old.labels[name])
		if sp := old.splits[name]; sp != nil {
			s.splits[name] = sp
		}
	}
	return s
}

func (s *Set) put(l *Live, labels map[string]int) {
	s.remove(l.Name)
	s.byName[l.Name], s.byPath[l.Path], s.labels[l.Name] = l, l, labels
}

func (s *Set) remove(name string) {
	if old, ok := s.byName[name]; ok {
		delete(s.byPath, old.Path)
		delete(s.byName, name)
		delete(s.labels, name)
		delete(s.splits, name)
	}
}

// taken says why a prompt cannot be served at its path, among prompts and the
// gateway's own paths; "" if it can.
func (s *Set) taken(l *Live) string {
	if other, ok := s.byPath[l.Path]; ok && other.Name != l.Name {
		return fmt.Sprintf("sluice.path: the path %s is already that of prompt %q", l.Path, other.Name)
	}
	if why := checkPath(l.Path); why != "" {
		return "sluice.path: " + why
	}
	return ""
}

// conflict says why a prompt cannot begin to be served at its path; "" if it can.
func (s *Set) conflict(l *Live) string {
	if why := s.taken(l); why != "" {
		return why
	}
	return s.registry.world.Load().owned(l)
}

// Publication is a prompt to be published over the admin API.
type Publication struct {
	Name     string
	Source   []byte
	Partials map[string]string // by name; nil: none
	Message  string
	Author   string
}

// Publish makes a new version of a prompt and serves it at once. Bytes equal
// to production's make no version: created is then false. Errors are of type
// Faults for what is wrong with the prompt, else the store's.
func (r *Registry) Publish(ctx context.Context, p Publication) (version int, created bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, faults := r.read(p.Name, p.Name+".prompt", p.Source, p.Partials)
	if len(faults) > 0 {
		return 0, false, faults
	}
	s := r.next()
	if c := s.conflict(l); c != "" {
		return 0, false, Faults{{p.Name + ".prompt", l.Template.lines["sluice.path"], c}}
	}
	if c := s.nesting(l); c != "" {
		return 0, false, Faults{{p.Name + ".prompt", l.Template.lines["sluice.steps"], c}}
	}
	if p.Author == authorFile {
		p.Author = ""
	}
	if _, ok := r.files[p.Name]; ok {
		l.FromFile = true
	}
	if created, err = r.publish(ctx, s, l, p.Message, p.Author); err != nil {
		return 0, false, err
	}
	r.set.Store(s)
	return l.Version, created, nil
}

// read parses a prompt as it would be served.
func (r *Registry) read(name, file string, source []byte, partials map[string]string) (*Live, Faults) {
	if !validName(name) {
		return nil, Faults{{file, 0, "a prompt's name is letters, digits and . _ -, and begins with a letter or digit"}}
	}
	if strings.HasPrefix(string(source), bundleMark) {
		return nil, Faults{{file, 1, "a prompt file cannot begin with " + bundleMark}}
	}
	t, faults := Parse(name, source, ParseOptions{File: file, Partials: func(n string) (string, bool) {
		s, ok := partials[n]
		return s, ok
	}})
	if len(faults) > 0 {
		return nil, faults
	}
	return &Live{Name: name, Template: t, Path: r.path(t), Source: source, Partials: t.Partials()}, nil
}

// publish stores a version and puts it into a set.
func (r *Registry) publish(ctx context.Context, s *Set, l *Live, message, author string) (bool, error) {
	source := bundle(l.Source, l.Partials)
	parent := 0
	if was, ok := s.byName[l.Name]; ok {
		parent = was.Version
	}
	v := Version{Name: l.Name, Digest: digest(source), Source: source, Message: message, Author: author, Parent: parent, Created: r.now()}
	n, created, err := r.store.Publish(ctx, v)
	if err != nil {
		return false, fmt.Errorf("cannot publish prompt %q: %w", l.Name, err)
	}
	v.N = n
	r.cache.learn(l.Name, v)
	labels, err := r.store.Labels(ctx, l.Name)
	if err != nil {
		return false, fmt.Errorf("cannot read the labels of prompt %q: %w", l.Name, err)
	}
	l.Version = n
	s.put(l, labels)
	return created, nil
}

// Refresh reads the labels again and serves what they point to: after a label
// was moved, and now and then for what other replicas did. Prompts that were
// published without a file begin to be served here. A prompt that cannot be
// read stays as it is; the error names every one.
func (r *Registry) Refresh(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	names, err := r.store.Names(ctx)
	if err != nil {
		return fmt.Errorf("cannot list the prompts: %w", err)
	}
	s := r.next()
	var errs []error
	if r.Splits != nil {
		if ended, err := r.Splits.StoppedSplits(ctx); err == nil {
			if clear(r.ended); ended != nil {
				r.ended = ended
			}
		} else {
			errs = append(errs, err)
		}
	}
	for _, name := range names {
		if err := r.refresh(ctx, s, name); err != nil {
			errs = append(errs, err)
		}
	}
	r.set.Store(s)
	return errors.Join(errs...)
}

// refresh brings one name to where its production label points.
func (r *Registry) refresh(ctx context.Context, s *Set, name string) error {
	labels, err := r.store.Labels(ctx, name)
	if err != nil {
		return fmt.Errorf("cannot read the labels of prompt %q: %w", name, err)
	}
	n := labels[LabelProduction]
	for _, to := range labels { // other replicas publish too
		r.cache.newer(name, to)
	}
	was, served := s.byName[name]
	if n == 0 {
		if served && !was.FromFile { // it was withdrawn
			s.remove(name)
		}
		return nil
	}
	if served && was.Version == n {
		s.labels[name] = labels
		return r.refreshSplit(ctx, s, name)
	}
	_, file := r.files[name]
	if !served && !file {
		// Its file is gone: the versions stay, the endpoint does not.
		withdrawn, err := r.leftByFile(ctx, name)
		if withdrawn || err != nil {
			return err
		}
	}
	l, err := r.version(ctx, name, n)
	if err != nil {
		return err
	}
	now := *l
	now.FromFile = file
	if c := s.taken(&now); c != "" { // a route that came later takes no prompt away
		return fmt.Errorf("cannot serve prompt %q: %s", name, c)
	}
	s.put(&now, labels)
	return r.refreshSplit(ctx, s, name)
}

// leftByFile tells whether the newest version of a name came from a file.
func (r *Registry) leftByFile(ctx context.Context, name string) (bool, error) {
	versions, err := r.versions(ctx, name)
	if err != nil {
		return false, err
	}
	return len(versions) > 0 && versions[len(versions)-1].Author == authorFile, nil
}

func validName(name string) bool {
	if name == "" || len(name) > 128 || strings.IndexByte("._-", name[0]) >= 0 {
		return false
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-", c) >= 0) {
			return false
		}
	}
	return true
}

// Draft is a prompt as it would be served, were it published.
func (r *Registry) Draft(p Publication) (*Live, Faults) {
	return r.read(p.Name, p.Name+".prompt", p.Source, p.Partials)
}

// Review says what speaks against a publication, a line each: changes that
// break those who call what is served now, and tests that fail. Bytes that are
// served already are not looked at. Errors are of type Faults.
func (r *Registry) Review(ctx context.Context, p Publication, models Models) ([]string, error) {
	draft, faults := r.Draft(p)
	if len(faults) > 0 {
		return nil, faults
	}
	if c := r.Snapshot().conflict(draft); c != "" { // before tests cost anything
		return nil, Faults{{p.Name + ".prompt", draft.Template.lines["sluice.path"], c}}
	}
	var against []string
	if was, ok := r.Snapshot().ByName(p.Name); ok {
		if digest(bundle(was.Source, was.Partials)) == digest(bundle(draft.Source, draft.Partials)) {
			return nil, nil
		}
		for _, change := range Compare(was, draft).Breaking {
			against = append(against, "breaks callers: "+change)
		}
	}
	if why := r.world.Load().refused(draft.Template); why != "" { // its tests could only say the same
		return append(against, why), nil
	}
	results := draft.Template.RunTests(ctx, models, "", nil)
	for _, g := range Rated(results) {
		if line := g.Line(); line != "" {
			against = append(against, line)
		}
	}
	return against, nil
}
