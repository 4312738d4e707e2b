package cel

import (
	"errors"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// words is a Lookup as CEL sees it: a map in which an absent name has an empty
// value. It is no traits.Mapper: one of these finds a name or fails.
type words struct{ from Lookup }

func (w words) find(name ref.Val) (string, bool) {
	word, is := name.(types.String)
	if !is || w.from == nil {
		return "", false
	}
	return w.from.Find(string(word))
}

// all are the names and values.
func (w words) all() map[string]string {
	m := map[string]string{}
	if w.from != nil {
		for _, name := range w.from.Names() {
			m[name], _ = w.from.Find(name)
		}
	}
	return m
}

// full is an ordinary map of the same.
func (w words) full() traits.Mapper {
	return types.NewStringStringMap(types.DefaultTypeAdapter, w.all())
}

// Get is the value of a name.
func (w words) Get(name ref.Val) ref.Val {
	value, _ := w.find(name)
	return types.String(value)
}

// IsSet tells whether there is a value: has().
func (w words) IsSet(name ref.Val) ref.Val { return w.Contains(name) }

// Contains tells whether there is a value: in.
func (w words) Contains(name ref.Val) ref.Val {
	_, ok := w.find(name)
	return types.Bool(ok)
}

// Iterator goes through the names.
func (w words) Iterator() traits.Iterator { return w.full().Iterator() }

// Size is how many names there are.
func (w words) Size() ref.Val { return w.full().Size() }

// Fold goes through names and values.
func (w words) Fold(f traits.Folder) {
	for name, value := range w.all() {
		if !f.FoldEntry(types.String(name), types.String(value)) {
			return
		}
	}
}

// Equal compares all of them.
func (w words) Equal(other ref.Val) ref.Val {
	if o, is := other.(words); is {
		other = o.full()
	}
	return w.full().Equal(other)
}

// Type is map.
func (w words) Type() ref.Type { return types.MapType }

// Value is the map itself.
func (w words) Value() any { return w.all() }

// ConvertToType makes nothing else of it.
func (w words) ConvertToType(t ref.Type) ref.Val {
	if t == types.MapType {
		return w
	}
	return w.full().ConvertToType(t)
}

// ConvertToNative makes a Go value of it.
func (w words) ConvertToNative(t reflect.Type) (any, error) { return w.full().ConvertToNative(t) }

var errKey = errors.New("the keys of an object must be strings")

// plain is a value as encoding/json would write it. Times, durations and bytes
// are strings, in CEL's own form of them.
func plain(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return int64(v), nil
	case types.Uint:
		return uint64(v), nil
	case types.Double:
		return float64(v), nil
	case types.String:
		return string(v), nil
	case *types.Optional:
		if !v.HasValue() {
			return nil, nil
		}
		return plain(v.GetValue())
	case traits.Lister:
		return plainList(v)
	case words:
		return plain(v.full())
	case traits.Mapper:
		return plainMap(v)
	}
	text := v.ConvertToType(types.StringType)
	if s, is := text.(types.String); is {
		return string(s), nil
	}
	return nil, errors.New("a " + v.Type().TypeName() + " has no form in JSON")
}

func plainList(v traits.Lister) (any, error) {
	list := []any{}
	for it := v.Iterator(); it.HasNext() == types.True; {
		item, err := plain(it.Next())
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, nil
}

func plainMap(v traits.Mapper) (any, error) {
	m := map[string]any{}
	for it := v.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, is := key.(types.String)
		if !is {
			return nil, errKey
		}
		item, err := plain(v.Get(key))
		if err != nil {
			return nil, err
		}
		m[string(name)] = item
	}
	return m, nil
}
