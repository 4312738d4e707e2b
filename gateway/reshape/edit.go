package reshape

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/prompts/ordered"
)

// Path leads to a value within JSON: names of keys and numbers of elements,
// with dots between them. A dot in a name is written \. and * stands for every
// element of a list, or every value of an object.
type Path []string

// ParsePath reads a path.
func ParsePath(text string) (Path, error) {
	var p Path
	var part strings.Builder
	for i := 0; i <= len(text); i++ {
		switch {
		case i == len(text) || text[i] == '.':
			if part.Len() == 0 {
				return nil, errors.New("want names with dots between them, such as a.b")
			}
			p = append(p, part.String())
			part.Reset()
		case text[i] == '\\' && i+1 < len(text) && (text[i+1] == '.' || text[i+1] == '\\'):
			i++
			part.WriteByte(text[i])
		default:
			part.WriteByte(text[i])
		}
	}
	return p, nil
}

// ParsePaths reads several paths.
func ParsePaths(texts []string) ([]Path, error) {
	var paths []Path
	for _, text := range texts {
		p, err := ParsePath(text)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		paths = append(paths, p)
	}
	return paths, nil
}

// String is the path as it is written.
func (p Path) String() string {
	parts := slices.Clone(p)
	for i := range parts {
		parts[i] = strings.NewReplacer(`\`, `\\`, ".", `\.`).Replace(parts[i])
	}
	return strings.Join(parts, ".")
}

// Many tells whether the path leads to any number of values.
func (p Path) Many() bool { return slices.Contains(p, "*") }

// Get is the value that a path leads to; false: there is none. A star leads
// nowhere here.
func Get(v any, p Path) (any, bool) {
	for _, name := range p {
		switch at := v.(type) {
		case ordered.Object:
			var ok bool
			if v, ok = at.Get(name); !ok {
				return nil, false
			}
		case []any:
			i, ok := index(name, len(at))
			if !ok {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// index reads the number of an element below n.
func index(name string, n int) (int, bool) {
	i, err := strconv.Atoi(name)
	return i, err == nil && i >= 0 && i < n && (name == "0" || name[0] != '0' && name[0] != '+')
}

// Set is v with the value at a path replaced. Objects on the way that are not
// there are made, in place of whatever else stands there; an element of a list
// must be there, or be the next one.
func Set(v any, p Path, to any) (any, error) {
	if len(p) == 0 {
		return to, nil
	}
	name := p[0]
	switch at := v.(type) {
	case ordered.Object:
		if name == "*" {
			return each(at, func(value any) (any, error) { return Set(value, p[1:], to) })
		}
		inner, _ := at.Get(name)
		made, err := Set(inner, p[1:], to)
		if err != nil {
			return nil, err
		}
		return at.With(name, made), nil
	case []any:
		if name == "*" {
			return each(at, func(value any) (any, error) { return Set(value, p[1:], to) })
		}
		i, ok := index(name, len(at)+1)
		if !ok {
			return nil, fmt.Errorf("a list of %d has no element %q", len(at), name)
		}
		out := slices.Clone(at)
		if i == len(at) {
			out = append(out, nil)
		}
		var err error
		out[i], err = Set(out[i], p[1:], to)
		return out, err
	}
	if name == "*" {
		return v, nil
	}
	made, err := Set(nil, p[1:], to)
	return ordered.Object{{Key: name, Value: made}}, err
}

// Default is v with the value at a path put where nothing is: null is something.
// Objects on the way that are not there are made; what else stands in the way
// stays, and so does a list that the element is not the next one of.
func Default(v any, p Path, to any) any {
	if len(p) == 0 {
		return v
	}
	name, rest := p[0], p[1:]
	switch at := v.(type) {
	case ordered.Object:
		if name == "*" {
			out, _ := each(at, func(value any) (any, error) { return Default(value, rest, to), nil })
			return out
		}
		inner, there := at.Get(name)
		switch {
		case there:
			return at.With(name, Default(inner, rest, to))
		case rest.Many(): // of nothing
			return v
		}
		made, _ := Set(nil, rest, to)
		return at.With(name, made)
	case []any:
		if name == "*" {
			out, _ := each(at, func(value any) (any, error) { return Default(value, rest, to), nil })
			return out
		}
		i, ok := index(name, len(at)+1)
		if !ok || i == len(at) && rest.Many() {
			return v
		}
		out := slices.Clone(at)
		if i == len(at) {
			made, _ := Set(nil, rest, to)
			return append(out, made)
		}
		out[i] = Default(out[i], rest, to)
		return out
	}
	return v
}

// each does the same with all that a list or an object holds.
func each(v any, do func(any) (any, error)) (any, error) {
	var err error
	switch at := v.(type) {
	case ordered.Object:
		out := slices.Clone(at)
		for i := range out {
			if out[i].Value, err = do(out[i].Value); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out := slices.Clone(at)
		for i := range out {
			if out[i], err = do(out[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// Remove is v without what a path leads to.
func Remove(v any, p Path) any {
	if len(p) == 0 {
		return v
	}
	last := len(p) == 1
	within := func(value any) (any, error) { return Remove(value, p[1:]), nil }
	switch at := v.(type) {
	case ordered.Object:
		switch {
		case p[0] == "*" && last:
			return ordered.Object{}
		case p[0] == "*":
			out, _ := each(at, within)
			return out
		}
		out := make(ordered.Object, 0, len(at))
		for _, m := range at {
			switch {
			case m.Key != p[0]:
				out = append(out, m)
			case !last:
				out = append(out, ordered.Member{Key: m.Key, Value: Remove(m.Value, p[1:])})
			}
		}
		return out
	case []any:
		i, ok := index(p[0], len(at))
		switch {
		case p[0] == "*" && last:
			return []any{}
		case p[0] == "*":
			out, _ := each(at, within)
			return out
		case !ok:
			return at
		case last:
			return slices.Delete(slices.Clone(at), i, i+1)
		}
		out := slices.Clone(at)
		out[i] = Remove(out[i], p[1:])
		return out
	}
	return v
}

// Keep is v with nothing but what the paths lead to.
func Keep(v any, paths []Path) any {
	switch at := v.(type) {
	case ordered.Object:
		out := ordered.Object{}
		for _, m := range at {
			if value, kept := keep(m.Key, m.Value, paths); kept {
				out = append(out, ordered.Member{Key: m.Key, Value: value})
			}
		}
		return out
	case []any:
		out := []any{}
		for i, item := range at {
			if value, kept := keep(strconv.Itoa(i), item, paths); kept {
				out = append(out, value)
			}
		}
		return out
	}
	return nil
}

// keep is what is left of one key or element.
func keep(name string, value any, paths []Path) (any, bool) {
	var inner []Path
	for _, p := range paths {
		switch {
		case p[0] != name && p[0] != "*":
		case len(p) == 1:
			return value, true
		default:
			inner = append(inner, p[1:])
		}
	}
	switch value.(type) {
	case ordered.Object, []any:
		return Keep(value, inner), inner != nil
	}
	return nil, false
}

// Edit is what is changed of a JSON value, in this order.
type Edit struct {
	Keep    []Path // all else is left out; none: nothing is
	Move    []Move
	Set     []Setting
	Default []Setting // where nothing is
	Remove  []Path
}

// Move takes a value to another place. Where there is none nothing happens.
type Move struct{ From, To Path }

// Setting puts a value in its place.
type Setting struct {
	To    Path
	Value any // of package ordered
}

// Empty tells whether nothing is changed.
func (e *Edit) Empty() bool {
	return len(e.Keep)+len(e.Move)+len(e.Set)+len(e.Default)+len(e.Remove) == 0
}

// Apply makes the changes.
func (e *Edit) Apply(v any) (any, error) {
	if len(e.Keep) > 0 {
		v = Keep(v, e.Keep)
	}
	for _, m := range e.Move {
		value, ok := Get(v, m.From)
		if !ok {
			continue
		}
		var err error
		if v, err = Set(Remove(v, m.From), m.To, value); err != nil {
			return nil, fmt.Errorf("cannot move %s to %s: %w", m.From, m.To, err)
		}
	}
	for _, s := range e.Set {
		var err error
		if v, err = Set(v, s.To, s.Value); err != nil {
			return nil, fmt.Errorf("cannot set %s: %w", s.To, err)
		}
	}
	for _, s := range e.Default {
		v = Default(v, s.To, s.Value)
	}
	for _, p := range e.Remove {
		v = Remove(v, p)
	}
	return v, nil
}
