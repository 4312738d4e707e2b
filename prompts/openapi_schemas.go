package prompts

import (
	"strconv"
	"strings"

	"sluice/prompts/ordered"
)

// components are a schema, and what it defines for itself, as they stand under
// components: generators of clients find no definition that is deeper.
func components(name string, s ordered.Object) ordered.Object {
	own, defined, places := ordered.Object{}, ordered.Object{}, []string{}
	for _, m := range s {
		defs, ok := m.Value.(ordered.Object)
		if !ok || m.Key != "$defs" && m.Key != "definitions" {
			if m.Key != "$id" && m.Key != "$schema" {
				own = append(own, m)
			}
			continue
		}
		for _, d := range defs {
			to := definedAs(name, d.Key, defined)
			defined = append(defined, ordered.Member{Key: to, Value: d.Value})
			places = append(places, "#/"+m.Key+"/"+pointerEscape.Replace(d.Key), "#/components/schemas/"+to)
		}
	}
	out := append(ordered.Object{{Key: name, Value: own}}, defined...)
	for i := range out {
		out[i].Value = relocated("", out[i].Value, "#/components/schemas/"+name, places)
	}
	return out
}

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// definedAs is the name of a definition among components, each once; no
// prompt's own has an underscore.
func definedAs(name, key string, taken ordered.Object) string {
	var b strings.Builder
	b.WriteString(name + "_")
	for _, word := range strings.FieldsFunc(key, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9') }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	free := b.String()
	for n := 2; ; n++ {
		if _, ok := taken.Get(free); !ok {
			return free
		}
		free = b.String() + strconv.Itoa(n)
	}
}

// relocated is a value with its references to what stood below root, or at one
// of places (old, new, old, …), where it stands now.
func relocated(key string, v any, root string, places []string) any {
	switch v := v.(type) {
	case string:
		if rest, ok := strings.CutPrefix(v, "#"); ok && key == "$ref" {
			for i := 0; i+1 < len(places); i += 2 {
				if below, ok := strings.CutPrefix(v, places[i]); ok && (below == "" || below[0] == '/') {
					return places[i+1] + below
				}
			}
			return root + rest
		}
	case ordered.Object:
		if key == "const" || key == "default" || key == "example" {
			return v
		}
		out := make(ordered.Object, len(v), len(v)+1)
		for i, m := range v {
			out[i] = ordered.Member{Key: m.Key, Value: relocated(m.Key, m.Value, root, places)}
		}
		if _, ok := v.Get("type"); !ok && key != "properties" {
			if kind := typeOfEnum(v); kind != nil {
				out = append(out, ordered.Member{Key: "type", Value: kind})
			}
		}
		return out
	case []any:
		if key == "enum" || key == "examples" || key == "default" || key == "const" {
			return v
		}
		out := make([]any, len(v))
		for i := range v {
			out[i] = relocated("", v[i], root, places)
		}
		return out
	}
	return v
}

// typeOfEnum is the type of a schema that is a choice of texts, or of texts and
// null, which generators of clients want to be told; nil: it is another.
func typeOfEnum(s ordered.Object) any {
	choices, _ := s.Get("enum")
	list, _ := choices.([]any)
	texts, nulls := 0, 0
	for _, c := range list {
		switch c.(type) {
		case string:
			texts++
		case nil:
			nulls++
		}
	}
	switch {
	case texts == 0 || texts+nulls < len(list):
		return nil
	case nulls > 0:
		return []any{"string", "null"}
	}
	return "string"
}
