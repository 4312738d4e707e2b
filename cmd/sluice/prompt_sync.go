package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/prompts"
)

// pair is a prompt's file and what a gateway serves under its name.
type pair struct {
	name    string
	path    string        // of the file, there or not
	file    *prompts.Live // nil: there is none
	served  *prompts.Live // nil: it is not served
	version int           // that is served
	led     bool          // a file of the gateway leads it
	known   []string      // digests of all versions
}

// same: the file is what is served. behind: it is a version that is not served;
// so it was not edited since it was published.
func (p *pair) same() bool { return p.file.Digest() == p.served.Digest() }

func (p *pair) behind() bool { return !p.same() && slices.Contains(p.known, p.file.Digest()) }

// pairs finds the prompts of a file or directory and of a gateway, by name;
// with only, those alone. Those that a gateway alone has are below dir.
func (c *adminClient) pairs(ctx context.Context, dir string, only []string) ([]*pair, error) {
	all, err := localPrompts(dir)
	if err != nil {
		return nil, err
	}
	single := false
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		single = true
	}
	items, err := c.all(ctx, "prompts", nil)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		name := it.Get("name").String()
		p := all[name]
		if p == nil {
			if single {
				continue
			}
			p = &pair{name: name, path: filepath.Join(dir, name+".prompt")}
			all[name] = p
		}
		p.led = it.Get("source").String() == "file"
	}
	for _, name := range only {
		if all[name] == nil {
			return nil, unusable("there is no prompt %q, neither in %s nor served", name, dir)
		}
	}
	var out []*pair
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if len(only) > 0 && !slices.Contains(only, name) {
			continue
		}
		if err := c.readServed(ctx, all[name], items); err != nil {
			return nil, err
		}
		out = append(out, all[name])
	}
	return out, nil
}

// readServed reads what is served of a prompt.
func (c *adminClient) readServed(ctx context.Context, p *pair, served []gjson.Result) error {
	if !slices.ContainsFunc(served, func(it gjson.Result) bool { return it.Get("name").String() == p.name }) {
		return nil
	}
	path := "prompts/" + url.PathEscape(p.name)
	b, err := c.call(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	shown := gjson.ParseBytes(b)
	p.version = int(shown.Get("version").Int())
	partials := map[string]string{}
	for name, text := range shown.Get("partials").Map() {
		partials[name] = text.String()
	}
	var faults prompts.Faults
	if p.served, faults = draft(p.name, []byte(shown.Get("text").String()), partials); len(faults) > 0 {
		return faults
	}
	versions, err := c.all(ctx, path+"/versions", nil)
	for _, v := range versions {
		p.known = append(p.known, v.Get("digest").String())
	}
	return err
}

// draft is a prompt as it would be published.
func draft(name string, source []byte, partials map[string]string) (*prompts.Live, prompts.Faults) {
	return prompts.NewRegistry(nil, nil).Draft(prompts.Publication{Name: name, Source: source, Partials: partials})
}

// localPrompts are the prompts of a file, or of all below a directory, by name.
func localPrompts(dir string) (map[string]*pair, error) {
	all := map[string]*pair{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		base := filepath.Base(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && path == dir && filepath.Ext(dir) != ".prompt":
			return nil // pull makes it
		case err != nil:
			return unusable("%w", err)
		case d.IsDir() && path != dir && strings.HasPrefix(base, "."):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(base) != ".prompt" || strings.HasPrefix(base, "_") || strings.HasPrefix(base, "."):
			return nil
		}
		name, source, partials, err := prompts.ReadFile(path)
		if err != nil {
			return unusable("%w", err)
		}
		if other := all[name]; other != nil {
			return unusable("%s: the name %q is that of %s already", path, name, other.path)
		}
		l, faults := draft(name, source, partials)
		if len(faults) > 0 {
			for i := range faults {
				faults[i].File = path
			}
			return &failure{err: faults, code: 2}
		}
		all[name] = &pair{name: name, path: path, file: l}
		return nil
	})
	return all, err
}

// overwrite writes a pulled file, and the partials that it uses, beside it. A
// partial of other bytes may be another prompt's: only force overwrites it.
func (p *pair) overwrite(force bool) error {
	dir := filepath.Dir(p.path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(p.served.Partials)) {
		path, text := filepath.Join(dir, "_"+name+".prompt"), p.served.Partials[name]
		has, err := os.ReadFile(path)
		if err == nil && string(has) != text && !force {
			return fmt.Errorf("%s differs from what %s was published with; --force overwrites it", path, p.name)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(p.path, p.served.Source, 0o644)
}
