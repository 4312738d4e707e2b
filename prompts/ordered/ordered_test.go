package ordered

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestDecodeAndAppend(t *testing.T) {
	for in, want := range map[string]string{
		`{"z":1,"a":[true,null,"x"],"z":2}`:  `{"z":2,"a":[true,null,"x"]}`,
		`"\u0000\u001f\"\\\n\r\t<>&é\u2028"`: "\"\\u0000\\u001f\\\"\\\\\\n\\r\\t<>&é\u2028\"",
		`1.50e+3`:                            `1.50e+3`, `{}`: `{}`, `[]`: `[]`, ` null `: `null`,
		`{`: "!", `[1`: "!", `1 2`: "!", ``: "!", `{"a"}`: "!", strings.Repeat("[", 600): "!",
	} {
		v, err := Decode([]byte(in))
		got := string(Append(nil, v))
		if err != nil {
			got = "!"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestObject(t *testing.T) {
	o := Object{{"a", "1"}, {"b", "2"}}
	p := o.With("a", "3").With("c", "4")
	if v, _ := o.Get("a"); v != "1" || len(o) != 2 {
		t.Error("With changed its receiver")
	}
	if got := string(Append(nil, p.Merge(Object{{"d", nil}, {"b", 5.5}}))); got != `{"a":"3","b":null,"c":"4","d":null}` {
		t.Error(got)
	}
	plain := Plain(Object{{"x", []any{Object{{"y", json.Number("1")}}}}})
	if !reflect.DeepEqual(plain, map[string]any{"x": []any{map[string]any{"y": json.Number("1")}}}) {
		t.Error(plain)
	}
	b, err := json.Marshal(struct{ O Object }{o})
	if err != nil || string(b) != `{"O":{"a":"1","b":"2"}}` {
		t.Error(string(b), err)
	}
	if (&Builder{}).Object() == nil {
		t.Error("an empty builder gives nil")
	}
}

func fromYAML(source string) (any, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(source), &doc); err != nil {
		return nil, err
	}
	return FromYAML(&doc)
}

// TestYAML12 holds scalars to YAML 1.2's core schema.
func TestYAML12(t *testing.T) {
	for in, want := range map[string]string{
		"[on, off, yes, no, y, N]":                `["on","off","yes","no","y","N"]`,
		"[true, True, TRUE, tRUE]":                `[true,true,true,"tRUE"]`,
		"[null, Null, NULL, ~, '', nULL]":         `[null,null,null,null,"","nULL"]`,
		"[1, -1, +1, 010, -007, 00, 1_0, 0b1]":    `[1,-1,1,10,-7,0,"1_0","0b1"]`,
		"[0x1F, 0o17, 0xg, 0o8]":                  `[31,15,"0xg","0o8"]`,
		"[1.0, .5, 5., 1e3, -1.5E-2, 1.2.3]":      `[1.0,0.5,5,1e3,-1.5E-2,"1.2.3"]`,
		"[2026-01-01, 12:30, !!str 5, '5', \"\"]": `["2026-01-01","12:30","5","5",""]`,
		"{1: a, true: b, ~: c}":                   `{"1":"a","true":"b","~":"c"}`,
		"{b: &x {q: 1}, a: *x}":                   `{"b":{"q":1},"a":{"q":1}}`,
		"a: |\n  x\n  5\nb: >\n  y\n":             `{"a":"x\n5\n","b":"y\n"}`,
		"":                                        `null`,
	} {
		v, err := fromYAML(in)
		if got := string(Append(nil, v)); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", in, got, err, want)
		}
	}
}

func TestYAMLFaults(t *testing.T) {
	for in, want := range map[string]string{
		"a: 1\nb: 2\na: 3": "line 3: \"a\" is there twice", "a: .inf": "no number in JSON", "a: .nan": "no number in JSON", "a: +1e999": "too large", "a: 0xffffffffffffffffff": "too large",
		"a: !mine x": "tag !mine", "{[a]: b}": "a key must be a plain word", "a: &a [*a]": "too large once its aliases",
	} {
		_, err := fromYAML(in)
		var fault *YAMLError
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &fault) && !strings.Contains(err.Error(), "yaml:") {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
}

// FuzzFromYAML: any YAML becomes valid JSON or an error.
func FuzzFromYAML(f *testing.F) {
	f.Add("a: [1, .5, 0x1F, *b]\nb: &b x")
	f.Fuzz(func(t *testing.T, source string) {
		v, err := fromYAML(source)
		if err == nil && !json.Valid(Append(nil, v)) {
			t.Errorf("%q gave %s", source, Append(nil, v))
		}
	})
}

// FuzzDecode: what is decoded is written as JSON that means the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"a":[1,"\u0000"],"b":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Decode(Append(nil, v))
		if err != nil || !reflect.DeepEqual(v, again) {
			t.Errorf("%s: %v", data, err)
		}
	})
}
