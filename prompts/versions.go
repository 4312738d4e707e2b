package prompts

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Bounds of what is kept in memory of older versions.
const (
	maxCached = 256 // that are parsed
	maxKnown  = 100 // of one name whose text is there, so that no store is needed: the newest
)

type versionKey struct {
	name string
	n    int
}

// versionCache keeps versions, which never change: those that were called
// parsed, and the text of all but very old ones.
type versionCache struct {
	mu    sync.Mutex
	live  map[versionKey]*Live
	known map[string]map[int]Version
	// newest is the number of each name's newest version, once it was asked for.
	newest map[string]int
}

// newer notes that a name has a version with this number.
func (c *versionCache) newer(name string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.newest[name] > 0 {
		c.newest[name] = max(c.newest[name], n)
	}
}

// newest is the number of a name's newest version. The store is asked once;
// from then on publications and labels tell.
func (r *Registry) newest(ctx context.Context, name string) (int, error) {
	c := &r.cache
	c.mu.Lock()
	n := c.newest[name]
	c.mu.Unlock()
	if n > 0 {
		return n, nil
	}
	versions, err := r.versions(ctx, name)
	if err != nil {
		return 0, err
	}
	if len(versions) == 0 {
		return 0, fmt.Errorf("prompt %q: %w", name, ErrNoVersion)
	}
	return versions[len(versions)-1].N, nil
}

func (c *versionCache) text(k versionKey) (Version, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.known[k.name][k.n]
	return v, ok
}

// learn keeps the text of versions of a name; they are in rising order, and
// follow those that are known.
func (c *versionCache) learn(name string, versions ...Version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.known[name]
	if known == nil {
		known = map[int]Version{}
		c.known[name] = known
	}
	for _, v := range versions[max(0, len(versions)-maxKnown):] {
		known[v.N] = v
		delete(known, v.N-maxKnown)
		c.newest[name] = max(c.newest[name], v.N)
	}
}

func (c *versionCache) get(k versionKey) *Live {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live[k]
}

func (c *versionCache) put(k versionKey, l *Live) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.live) >= maxCached {
		for old := range c.live { // any one: they are read again in no time
			delete(c.live, old)
			break
		}
	}
	c.live[k] = l
}

// version is a stored version, parsed.
func (r *Registry) version(ctx context.Context, name string, n int) (*Live, error) {
	key := versionKey{name, n}
	if l := r.cache.get(key); l != nil {
		return l, nil
	}
	v, ok := r.cache.text(key)
	if !ok {
		versions, err := r.versions(ctx, name)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(versions, func(v Version) bool { return v.N == n })
		if i < 0 {
			return nil, fmt.Errorf("prompt %q has no version %d: %w", name, n, ErrNoVersion)
		}
		v = versions[i]
	}
	l, err := r.stored(&v)
	if err != nil {
		return nil, fmt.Errorf("cannot read version %d of prompt %q: %w", n, name, err)
	}
	r.cache.put(key, l)
	return l, nil
}

// versions are those that the store has of a name.
func (r *Registry) versions(ctx context.Context, name string) ([]Version, error) {
	versions, err := r.store.Versions(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the versions of prompt %q: %w", name, err)
	}
	r.cache.learn(name, versions...)
	return versions, nil
}

// stored parses a version from the store.
func (r *Registry) stored(v *Version) (*Live, error) {
	source, partials, err := Unbundle(v.Source)
	if err != nil {
		return nil, err
	}
	l, faults := r.read(v.Name, v.Name+".prompt", source, partials)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	l.Version = v.N
	return l, nil
}
