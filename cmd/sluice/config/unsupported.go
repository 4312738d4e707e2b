package config

import (
	"slices"
	"strconv"
	"strings"
)

// unsupported is every key, or value of a key, that is documented but not built
// yet. It is refused, for a key that is silently ignored is worse than none.
// Whoever builds one deletes its line here and adds its field to the structs.
//
// A star in a key stands for any name or list position. A value is a word, a
// word's beginning with a star, or {} for a mapping; without one the whole key
// is unsupported.
var unsupported = []struct{ key, value string }{}

// refused says what of a path and its value is not built yet; empty: nothing. A
// key that says nothing (no value, an empty list or mapping) is let pass.
func refused(path []string, raw any) string {
	word, isWord := raw.(string)
	m, isMap := raw.(map[string]any)
	list, isList := raw.([]any)
	if raw == nil || isMap && len(m) == 0 || isList && len(list) == 0 {
		return ""
	}
	for _, u := range unsupported {
		if !along(strings.Split(u.key, "."), path) {
			continue
		}
		prefix, open := strings.CutSuffix(u.value, "*")
		switch {
		case u.value == "":
			return show(path)
		case u.value == "{}" && isMap:
			return show(path) + ": a mapping"
		case isWord && (strings.EqualFold(word, u.value) || open && strings.HasPrefix(word, prefix)):
			return show(path) + ": " + strconv.Quote(prefix)
		}
	}
	return ""
}

// along tells whether the parts of a key in the table are the path.
func along(parts, path []string) bool {
	return slices.EqualFunc(parts, path, func(p, name string) bool { return p == "*" || p == name })
}

// pending are the keys below a path that the table holds.
func pending(path []string) []string {
	var keys []string
	for _, u := range unsupported {
		parts := strings.Split(u.key, ".")
		if last := len(parts) - 1; along(parts[:last], path) {
			keys = append(keys, parts[last])
		}
	}
	return keys
}
