package config

import (
	"reflect"
	"strings"
	"testing"
)

// TestUnsupportedTable: every line refuses what it names, says so, and stands
// below a section that there is.
func TestUnsupportedTable(t *testing.T) {
	for _, u := range unsupported {
		path := strings.Split(strings.ReplaceAll(u.key, "*", "0"), ".")
		var raw any = strings.TrimSuffix(u.value, "*")
		switch u.value {
		case "":
			raw = "x"
		case "{}":
			raw = map[string]any{"a": "b"}
		}
		if refused(path, raw) == "" {
			t.Errorf("%s %s: not refused", u.key, u.value)
		}
		if refused(path, nil) != "" || refused(path, []any{}) != "" || refused(path, map[string]any{}) != "" {
			t.Errorf("%s: what says nothing is refused", u.key)
		}
		at := reflect.TypeFor[Config]()
		for i, part := range strings.Split(u.key, ".") {
			field, ok := reflect.StructField{}, false
			if at.Kind() == reflect.Pointer {
				at = at.Elem()
			}
			if at.Kind() == reflect.Struct {
				field, ok = fieldOf(at, part)
			}
			switch last := i == len(path)-1; {
			case part == "*":
				at = at.Elem()
			case ok && last && u.value == "":
				t.Errorf("%s: has a field, so it is built: delete the line", u.key)
			case ok && last && strings.Contains(","+field.Tag.Get("enum")+",", ","+u.value+","):
				t.Errorf("%s %s: is one of the field's words: delete the line", u.key, u.value)
			case ok:
				at = field.Type
			case !last || u.value != "":
				t.Errorf("%s: there is no %s", u.key, part)
			}
		}
	}
}

// TestUnsupportedSaysNothing: keys of later versions may stand without a value.
func TestUnsupportedSaysNothing(t *testing.T) {
	load(t, `
server: {tls: {}}
admin: {oidc: }
guards: {}
routes: []
models: {a: {targets: [{model: mock/echo}], guard: [], sticky: }}
`)
}
