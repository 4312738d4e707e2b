package reshape

import (
	"encoding/json"
	"testing"

	"sluice/prompts/ordered"
)

func mustPaths(t testing.TB, texts ...string) []Path {
	t.Helper()
	paths, err := ParsePaths(texts)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func decoded(t testing.TB, text string) any {
	t.Helper()
	v, err := ordered.Decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestEdit(t *testing.T) {
	f := func(body, want string, edit func(*Edit)) {
		t.Helper()
		var e Edit
		edit(&e)
		v, err := e.Apply(decoded(t, body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
		} else if got := string(ordered.Append(nil, v)); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	set := func(path, value string) func(*Edit) {
		return func(e *Edit) { e.Set = []Setting{{mustPaths(t, path)[0], decoded(t, value)}} }
	}
	move := func(from, to string) func(*Edit) {
		p := mustPaths(t, from, to)
		return func(e *Edit) { e.Move = []Move{{p[0], p[1]}} }
	}
	remove := func(paths ...string) func(*Edit) { return func(e *Edit) { e.Remove = mustPaths(t, paths...) } }
	only := func(paths ...string) func(*Edit) { return func(e *Edit) { e.Keep = mustPaths(t, paths...) } }

	f(`{"x":1}`, `{"x":1,"a":{"b":1}}`, set("a.b", "1"))
	f(`{"a":{"b":0,"c":2}}`, `{"a":{"b":{"d":null},"c":2}}`, set("a.b", `{"d":null}`))
	f(`{"a":"text"}`, `{"a":{"b":1}}`, set("a.b", "1"))
	f(`{"a":[1,2]}`, `{"a":[1,3]}`, set("a.1", "3"))
	f(`{"a":[1,2]}`, `{"a":[1,2,3]}`, set("a.2", "3"))
	f(`{"a":[{"b":1},{}]}`, `{"a":[{"b":0},{"b":0}]}`, set("a.*.b", "0"))
	f(`{"a.b":1}`, `{"a.b":2}`, set(`a\.b`, "2"))
	f(`{"n":12345678901234567890.10}`, `{"n":12345678901234567890.10,"m":1}`, set("m", "1"))
	f(`{"old":{"x":1},"z":2}`, `{"z":2,"new":{"x":1}}`, move("old", "new"))
	f(`{"a":{"b":1}}`, `{"a":{},"c":{"d":1}}`, move("a.b", "c.d"))
	f(`{"z":2}`, `{"z":2}`, move("old", "new"))
	f(`{"a":1,"b":2}`, `{"b":1}`, move("a", "b"))
	f(`{"a":1,"b":2}`, `{"b":2}`, remove("a", "none", "b.c"))
	f(`{"a":1,"a":2,"b":3}`, `{"b":3}`, remove("a"))
	f(`{"\u0061":1,"b":3}`, `{"b":3}`, remove("a"))
	f(`[{"a":1,"b":2},{"a":3},4]`, `[{"b":2},{},4]`, remove("*.a"))
	f(`{"a":[1,2,3]}`, `{"a":[1,3]}`, remove("a.1"))
	f(`{"a":{"x":1},"b":{"x":2}}`, `{"a":{},"b":{}}`, remove("*.x"))
	f(`{"a":1,"b":{"c":1,"d":2},"e":[{"f":1,"g":2}]}`, `{"b":{"d":2},"e":[{"f":1}]}`, only("b.d", "e.*.f"))
	f(`{"a":1,"b":2}`, `{}`, only("a.b"))

	or := func(path, value string) func(*Edit) {
		return func(e *Edit) { e.Default = []Setting{{mustPaths(t, path)[0], decoded(t, value)}} }
	}
	f(`{"x":1}`, `{"x":1,"a":{"b":1}}`, or("a.b", "1"))
	f(`{"a":{"b":0,"c":2}}`, `{"a":{"b":0,"c":2}}`, or("a.b", "1"))
	f(`{"a":null,"b":false,"c":""}`, `{"a":null,"b":false,"c":""}`, func(e *Edit) {
		or("a", "1")(e)
		e.Default = append(e.Default, Setting{mustPaths(t, "b")[0], true}, Setting{mustPaths(t, "c")[0], "x"})
	})
	f(`{"a":null}`, `{"a":null}`, or("a.b", "1"))
	f(`{"a":"text"}`, `{"a":"text"}`, or("a.b", "1"))
	f(`{"a":[{"b":1},{},2]}`, `{"a":[{"b":1},{"b":0},2]}`, or("a.*.b", "0"))
	f(`{"a":{"x":{},"y":{"b":1}}}`, `{"a":{"x":{"b":0},"y":{"b":1}}}`, or("a.*.b", "0"))
	f(`{}`, `{}`, or("a.*.b", "0"))
	f(`{"a":[1]}`, `{"a":[1,{"b":0}]}`, or("a.1.b", "0"))
	f(`{"a":[1]}`, `{"a":[1]}`, or("a.0", "0"))
	f(`{"a":[1]}`, `{"a":[1]}`, or("a.2", "0"))
	f(`{"a":[1]}`, `{"a":[1]}`, or("a.1.*", "0"))
	f(`[1]`, `[1]`, or("a", "0"))
	f(`7`, `7`, or("a", "0"))
	f(`{"old":1}`, `{"a":1}`, func(e *Edit) { move("old", "a")(e); or("a", "2")(e) })

	e := Edit{Set: []Setting{{mustPaths(t, "a.x")[0], nil}}}
	for _, body := range []string{`{"a":[1]}`} {
		if v, err := e.Apply(decoded(t, body)); err == nil {
			t.Errorf("%s: %v", body, v)
		}
	}
	for _, path := range []string{"", ".", "a.", ".a", "a..b"} {
		if _, err := ParsePath(path); err == nil {
			t.Errorf("%q is read", path)
		}
	}
}

func FuzzEdit(f *testing.F) {
	f.Add(`{"a":{"b":[1,{"c":null}]}}`, "a.b.*", "x.0")
	f.Add(`[[],{}]`, "*", "1")
	f.Fuzz(func(t *testing.T, body, from, to string) {
		v, err := ordered.Decode([]byte(body))
		if err != nil {
			return
		}
		paths, err := ParsePaths([]string{from, to})
		if err != nil {
			return
		}
		e := Edit{Move: []Move{{paths[0], paths[1]}}, Set: []Setting{{paths[1], "v"}}, Default: []Setting{{paths[0], decoded(t, `{"d":[]}`)}}, Remove: paths[:1]}
		if v, err = e.Apply(v); err == nil && !json.Valid(ordered.Append(nil, v)) {
			t.Errorf("%s: not JSON any more", body)
		}
		if b := ordered.Append(nil, Keep(v, paths)); !json.Valid(b) {
			t.Errorf("%s", b)
		}
	})
}
