package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// envPrefix begins the variables that override keys: SLUICE_SERVER__LISTEN is
// server.listen. A key at the top has no __ to tell it from other variables of
// Sluice (SLUICE_ADMIN and SLUICE_ADMIN_TOKEN are the command line's), so only
// those of topLevel count.
const envPrefix = "SLUICE_"

var topLevel = []string{"store", "shared"}

// environLayer is the overrides of an environment. A value in [ ] or { } is
// YAML; a list may also be written with commas.
func environLayer(environ []string, expand *expander, at origins) (map[string]any, Faults) {
	layer, faults := map[string]any{}, Faults(nil)
	texts := map[string]string{}
	for _, pair := range environ { // the last of a name counts, as in os/exec
		if name, text, ok := strings.Cut(pair, "="); ok && overridden(name) != nil {
			texts[name] = text
		}
	}
	for _, name := range sortedKeys(texts) {
		path, text := overridden(name), texts[name]
		t := &tree{file: name, env: true, expand: expand, origin: at}
		node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
		if wrapped(text, "[", "]") || wrapped(text, "{", "}") {
			node = t.read([]byte(text))
		}
		var value any
		if node != nil {
			value = t.convert(path, node, 0)
		}
		faults = append(faults, t.faults...)
		if !put(layer, path, value) {
			faults = append(faults, Fault{File: name, Message: show(path) + ": another variable sets a key above it"})
		}
	}
	return layer, faults
}

// overridden is the path that a variable overrides; nil: none.
func overridden(name string) []string {
	rest, ok := strings.CutPrefix(name, envPrefix)
	if !ok {
		return nil
	}
	path := strings.Split(strings.ToLower(rest), "__")
	if len(path) == 1 && !slices.Contains(topLevel, path[0]) || slices.Contains(path, "") {
		return nil
	}
	return path
}

// put sets a value below maps that it makes; false where something else is in
// the way.
func put(m map[string]any, path []string, value any) bool {
	for _, key := range path[:len(path)-1] {
		if m[key] == nil {
			m[key] = map[string]any{}
		}
		next, ok := m[key].(map[string]any)
		if !ok {
			return false
		}
		m = next
	}
	m[path[len(path)-1]] = value
	return true
}

func wrapped(s, open, end string) bool {
	return strings.HasPrefix(s, open) && strings.HasSuffix(s, end)
}
