package prompts

import (
	"context"
	"fmt"
	"sync"
)

// maxCached bounds how many older versions are kept parsed.
const maxCached = 256

type versionKey struct {
	name string
	n    int
}

// versionCache keeps parsed versions; they never change.
type versionCache struct {
	mu   sync.Mutex
	live map[versionKey]*Live
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
	versions, err := r.store.Versions(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("cannot read the versions of prompt %q: %w", name, err)
	}
	if len(versions) == 0 {
		return 0, fmt.Errorf("prompt %q: %w", name, ErrNoVersion)
	}
	n = versions[len(versions)-1].N
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest[name] = max(c.newest[name], n)
	return c.newest[name], nil
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
	versions, err := r.store.Versions(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the versions of prompt %q: %w", name, err)
	}
	for i := range versions {
		if versions[i].N != n {
			continue
		}
		l, err := r.stored(&versions[i])
		if err != nil {
			return nil, fmt.Errorf("cannot read version %d of prompt %q: %w", n, name, err)
		}
		r.cache.put(key, l)
		return l, nil
	}
	return nil, fmt.Errorf("prompt %q has no version %d: %w", name, n, ErrNoVersion)
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
