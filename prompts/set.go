package prompts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Live is one version of a prompt, ready to be called. It is immutable.
type Live struct {
	Name     string
	Version  int
	Template *Template
	Path     string            // where it is served, the prefix included
	Source   []byte            // the prompt file
	Partials map[string]string // that it uses, by name; nil: none
	FromFile bool              // a file of the directory leads it
}

// ID is the name with the version: sentiment@3.
func (l *Live) ID() string { return l.Name + "@" + strconv.Itoa(l.Version) }

// Set is what is served at one moment: of every name, the version that the
// label production points to, and the splits. It is immutable.
type Set struct {
	registry *Registry
	byName   map[string]*Live
	byPath   map[string]*Live
	labels   map[string]map[string]int
	splits   map[string]*sharing
}

// ErrNoVersion is the error for a version or label that a prompt does not
// have; ErrNoPrompt, for a name that is not served.
var (
	ErrNoPrompt  = errors.New("no such prompt")
	ErrNoVersion = errors.New("no such version")
)

// ByPath is the prompt that is served at a path.
func (s *Set) ByPath(path string) (*Live, bool) {
	l, ok := s.byPath[path]
	return l, ok
}

// ByName is the prompt of a name.
func (s *Set) ByName(name string) (*Live, bool) {
	l, ok := s.byName[name]
	return l, ok
}

// All are the prompts that are served, by name.
func (s *Set) All() []*Live {
	out := make([]*Live, 0, len(s.byName))
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		out = append(out, s.byName[name])
	}
	return out
}

// Labels are the labels of a prompt and the version each points to. The map
// must not be changed.
func (s *Set) Labels(name string) map[string]int { return s.labels[name] }

// Resolve chooses a version of a served prompt: by number, else by label, else
// production. Only a very old version is read from the store, when it is first
// asked for. Errors are ErrNoPrompt, ErrNoVersion, or the store's.
func (s *Set) Resolve(ctx context.Context, name string, version int, label string) (*Live, error) {
	l, ok := s.byName[name]
	if !ok {
		return nil, fmt.Errorf("prompt %q: %w", name, ErrNoPrompt)
	}
	if version == 0 && label != "" && label != LabelProduction {
		var err error
		if version, err = s.labelled(ctx, name, label); err != nil {
			return nil, err
		}
	}
	if version == 0 || version == l.Version {
		return l, nil
	}
	if version < 0 {
		return nil, fmt.Errorf("prompt %q has no version %d: %w", name, version, ErrNoVersion)
	}
	old, err := s.registry.version(ctx, name, version)
	if err != nil {
		return nil, err
	}
	return old.at(l.Path), nil
}

// labelled is the version that a label points to.
func (s *Set) labelled(ctx context.Context, name, label string) (int, error) {
	if label == LabelLatest {
		return s.registry.newest(ctx, name)
	}
	n, ok := s.labels[name][label]
	if !ok {
		return 0, fmt.Errorf("prompt %q has no label %q: %w", name, label, ErrNoVersion)
	}
	return n, nil
}

// at is a version as it answers where the prompt is now.
func (l *Live) at(path string) *Live {
	if l.Path == path {
		return l
	}
	moved := *l
	moved.Path = path
	return &moved
}

// SplitVersion takes the version off a path or name: /sentiment@3 is
// /sentiment and 3. Without one, the version is 0.
func SplitVersion(path string) (bare string, version int) {
	i := strings.LastIndexByte(path, '@')
	if i < 0 {
		return path, 0
	}
	n, err := strconv.Atoi(path[i+1:])
	if err != nil || n < 1 || path[i+1] == '+' {
		return path, 0
	}
	return path[:i], n
}
