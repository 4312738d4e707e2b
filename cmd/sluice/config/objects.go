package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// leaf is a value in its normal form, whichever way it was written.
type leaf struct {
	value any
	given bool // it was written, and does not only follow from others
}

// MarshalJSON writes the value alone.
func (l leaf) MarshalJSON() ([]byte, error) { return json.Marshal(l.value) }

// objects are what a configuration declares, such as teams/research, with their
// values by path. Defaults are filled in and short forms written out, so that
// two that mean the same are the same; references stand as they were written.
type objects map[string]map[string]leaf

// objects makes the normal form.
func (c *Config) objects(mask Mask) objects {
	out := objects{}
	for section, value := range c.normal(mask) {
		entries, isMap := value.(map[string]any)
		switch {
		case section == "routes":
			for i, route := range value.([]any) {
				out.add("routes/"+nameOf(route, i), route)
			}
		case section == "auth":
			for kind, inner := range entries {
				if named, ok := inner.(map[string]any); ok {
					out.each("auth/"+kind, named)
				}
			}
		case isMap && slices.Contains(named, section):
			out.each(section, entries)
		default:
			out.add(section, value)
		}
	}
	return out
}

// named are the sections that hold objects by name.
var named = func() (list []string) {
	for f := range reflect.TypeFor[Config]().Fields() {
		if f.Type.Kind() == reflect.Map && f.Tag.Get("json") != "" {
			list = append(list, f.Tag.Get("json"))
		}
	}
	return list
}()

func (o objects) each(section string, entries map[string]any) {
	for name, value := range entries {
		o.add(section+"/"+name, value)
	}
}

func (o objects) add(name string, value any) {
	o[name] = map[string]leaf{} // though it may say nothing
	o.put(name, "", value)
}

// put adds what is below a value. Elements of lists are told apart by their
// names, so that one put in the middle is no change of those after it.
func (o objects) put(object, at string, value any) {
	switch v := value.(type) {
	case leaf:
		o[object][at] = v
	case map[string]any:
		for key, inner := range v {
			o.put(object, join(at, key), inner)
		}
	case []any:
		for i, inner := range v {
			o.put(object, at+"["+nameOf(inner, i)+"]", inner)
		}
	}
}

func nameOf(value any, i int) string {
	if m, ok := value.(map[string]any); ok {
		if l, ok := m["name"].(leaf); ok && l.value != "" {
			return strings.Trim(Shown(l.value), `"`)
		}
	}
	return strconv.Itoa(i)
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// normal is the configuration as mappings and lists of leaves, by section.
func (c *Config) normal(mask Mask) map[string]any {
	n := &normalizer{origin: c.origin, mask: mask}
	m, _ := n.value(nil, reflect.ValueOf(c).Elem()).(map[string]any)
	return m
}

// normalizer makes the normal form.
type normalizer struct {
	origin origins
	mask   Mask
}

func (n *normalizer) leaf(path []string, value any) leaf {
	raw := n.origin.find(path)
	text, shown := value.(string) // a reference, or the name of a secret
	stands := raw.written() != "" && (shown && text != "" || Shown(value) == Shown(raw.written()))
	return leaf{value, n.origin.given(path...) || stands}
}

// value is the normal form of what a path leads to; nil: it is not there.
func (n *normalizer) value(path []string, v reflect.Value) any {
	t := v.Type()
	switch {
	case t.Kind() == reflect.Pointer && readers[t] == nil:
		if v.IsNil() {
			return nil
		}
		return n.value(path, v.Elem())
	case t == jsonType || t == secretType || readers[t] != nil || t.Implements(textMarshaler) || scalarKind(t.Kind()):
		return n.leaf(path, n.shown(path, v))
	case t.Kind() == reflect.Struct:
		m := map[string]any{}
		n.fields(path, v, m)
		return m
	case t.Kind() == reflect.Map:
		m := map[string]any{}
		for _, key := range v.MapKeys() {
			name := fmt.Sprint(key)
			if inner := n.value(below(path, name), v.MapIndex(key)); inner != nil {
				m[name] = inner
			}
		}
		return m
	}
	list := make([]any, v.Len())
	plain := t.Elem().Kind() != reflect.Struct || readers[t.Elem()] != nil
	for i := range list {
		if list[i] = n.value(n.item(path, t, i), v.Index(i)); plain {
			list[i] = list[i].(leaf).value
		}
	}
	if plain { // a list of words is a value
		return n.leaf(path, list)
	}
	return list
}

// item is the path of an element: one that stands without its list is where the
// list would be.
func (n *normalizer) item(path []string, list reflect.Type, i int) []string {
	if inner := below(path, strconv.Itoa(i)); !alone[list] || n.origin.given(inner...) {
		return inner
	}
	return path
}

func (n *normalizer) fields(path []string, v reflect.Value, into map[string]any) {
	for f, field := range v.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			n.fields(path, field, into)
			continue
		case name == "" || name == "-" || !f.IsExported():
			continue
		case field.Type() == secretType && hasField(v.Type(), "cert"):
			field = reflect.ValueOf(keyFile(field.String()))
		}
		if inner := n.value(below(path, name), field); inner != nil {
			into[name] = inner
		}
	}
}

var textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()

// shown is a value as people may see it: a reference for what was written as
// one, a name for a secret.
func (n *normalizer) shown(path []string, v reflect.Value) any {
	o, key := n.origin.find(path), path[len(path)-1]
	if v.Kind() == reflect.String && v.String() == "" {
		return ""
	}
	raw := o.written()
	if raw == "" && v.Kind() == reflect.String { // it came from elsewhere
		raw = v.String()
	}
	if hides(v.Type(), key, raw) {
		if o.env {
			return "${" + o.file + "}"
		}
		return keptReference(n.mask(raw))
	}
	if v.Type() == secretType || o.expanded && (v.Kind() == reflect.String || n.origin.given(path...)) {
		return raw
	}
	return plainValue(v)
}

// plainValue is a value as JSON has it.
func plainValue(v reflect.Value) any {
	if d, ok := v.Interface().(time.Duration); ok {
		return d.String()
	}
	if zone, ok := v.Interface().(*time.Location); ok {
		return zone.String()
	}
	if j, ok := v.Interface().(JSON); ok {
		return json.RawMessage(j)
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		return fmt.Sprint(v)
	}
	return json.RawMessage(b)
}

// Effective is the whole configuration as JSON: with defaults and what the
// environment sets, with references where such were written, without secrets.
func (c *Config) Effective(mask Mask) ([]byte, error) {
	b, err := json.MarshalIndent(c.normal(mask), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the configuration as JSON: %w", err)
	}
	return b, nil
}
