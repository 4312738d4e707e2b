package config

import (
	"encoding/json"
	"slices"
	"strings"
)

// Change is what differs of one object.
type Change struct {
	Op     string  `json:"op"`     // create, update or delete
	Object string  `json:"object"` // such as teams/research, or server
	Fields []Field `json:"fields"`
}

// Field is a value that differs; nil on the side that has none.
type Field struct {
	Path string `json:"path"`
	From any    `json:"from"`
	To   any    `json:"to"`
}

// Diff is what changes from one configuration to another, by objects and in
// their order. Secrets are compared, and named by mask.
func Diff(from, to *Config, mask Mask) []Change {
	was, now := from.objects(mask), to.objects(mask)
	names := sortedKeys(was)
	for name := range now {
		if _, had := was[name]; !had {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	changes := []Change{}
	for _, name := range names {
		if c, differs := change(name, was[name], now[name]); differs {
			changes = append(changes, c)
		}
	}
	if c, differs := order(from, to); differs {
		changes = append(changes, c)
	}
	return changes
}

// change compares one object; nil: it is not there.
func change(name string, was, now map[string]leaf) (Change, bool) {
	c := Change{Op: "update", Object: name, Fields: []Field{}}
	switch {
	case was == nil:
		c.Op = "create"
	case now == nil:
		c.Op = "delete"
	}
	paths := sortedKeys(was)
	for path := range now {
		if _, had := was[path]; !had {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		a, b := was[path], now[path]
		if same(a.value, b.value) || c.Op != "update" && !a.given && !b.given {
			continue
		}
		c.Fields = append(c.Fields, Field{Path: path, From: a.value, To: b.value})
	}
	return c, c.Op != "update" || len(c.Fields) > 0
}

func same(a, b any) bool { return Shown(a) == Shown(b) }

// Shown is a value of a Field in a line.
func Shown(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(b)
}

// order tells whether the routes that both have stand in another order, which
// decides between those that fit equally well.
func order(from, to *Config) (Change, bool) {
	names := func(c, other *Config) (list []string) {
		for _, r := range c.Routes {
			if slices.ContainsFunc(other.Routes, func(o Route) bool { return o.Name == r.Name }) {
				list = append(list, r.Name)
			}
		}
		return list
	}
	was, now := names(from, to), names(to, from)
	if slices.Equal(was, now) {
		return Change{}, false
	}
	return Change{Op: "update", Object: "routes", Fields: []Field{{Path: "order", From: strings.Join(was, ", "), To: strings.Join(now, ", ")}}}, true
}
