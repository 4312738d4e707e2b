package wire

import (
	"math"
	"reflect"
	"testing"

	"github.com/tidwall/gjson"
)

func TestMembers(t *testing.T) {
	for doc, want := range map[string][]string{
		``: nil, `[]`: nil, `{`: nil, `{}`: nil, `5`: nil, `{"a`: nil, `{"a"`: nil, `{"a":`: nil, `{"a":[`: nil, `{"a":"b`: nil, `{"a":5`: nil, `{a:5}`: nil,
		`{"a":}`:                       nil,
		` { "a" : 1 , "b":"x\\\"}" } `: {"a", "1", "b", `"x\\\"}"`},
		`{"a":{"b":[1,{}]},"c":[]}`:    {"a", `{"b":[1,{}]}`, "c", `[]`},
		`{"a":true,"b":null`:           {"a", "true"},
		`{"a":-1.5e3,,"b":1}`:          {"a", "-1.5e3"},
		`{"\u0061\"":"]","é":"{"}`:     {`a"`, `"]"`, "é", `"{"`},
	} {
		var got []string
		Members(doc, func(name, v string) bool { got = append(got, name, v); return true })
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s has %q, want %q", doc, got, want)
		}
	}
	n := 0
	Members(`{"a":1,"b":2}`, func(string, string) bool { n++; return false })
	if n != 1 {
		t.Errorf("%d members after the last that was wanted", n)
	}
}

func TestWhole(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "0": 0, "12": 12, "-3": 0, "1.5": 1, "1e3": 1000, `"7"`: 7, "null": 0, "true": 1,
		"999999999999999999": 999999999999999999, "9223372036854775807": math.MaxInt64, "[1]": 0} {
		if got := Whole(text); got != want || got != max(0, gjson.Parse(text).Int()) {
			t.Errorf("%s is %d, want %d", text, got, want)
		}
	}
}

// FuzzMembers holds Members to a parser, on what is JSON.
func FuzzMembers(f *testing.F) {
	f.Add(`{"id":"x","choices":[{"message":{"content":"\"}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"d":{"a":1}},"x":-1.5}`)
	f.Add("{\"a\\\\\" \n:\t[[\"]\"]] }")
	f.Fuzz(func(t *testing.T, doc string) {
		var got, want []string
		Members(doc, func(name, v string) bool { got = append(got, name, v); return true })
		if !gjson.Valid(doc) || !gjson.Parse(doc).IsObject() {
			return
		}
		gjson.Parse(doc).ForEach(func(key, v gjson.Result) bool { want = append(want, key.Str, v.Raw); return true })
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s has %q, want %q", doc, got, want)
		}
	})
}

// A value is what gjson makes of it.
func TestValue(t *testing.T) {
	for _, v := range []string{`"plain"`, `""`, `"a\"b"`, `"ä"`, `{"a": 1}`, `[1]`, `12`, `true`, `null`} {
		if got, want := Value(v), gjson.Parse(v); got.Type != want.Type || got.Raw != want.Raw || got.Str != want.Str || got.Num != want.Num {
			t.Errorf("%s is %+v, want %+v", v, got, want)
		}
	}
}
