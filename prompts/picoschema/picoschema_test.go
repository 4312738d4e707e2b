package picoschema

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"sluice/prompts/ordered"
)

func parse(source string) (string, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(source), &doc); err != nil {
		return "", err
	}
	v, err := ordered.FromYAML(&doc)
	if err != nil {
		return "", err
	}
	s, err := Parse(v, func(name string) (any, bool) {
		switch name {
		case "Money":
			return ordered.Object{{Key: "type", Value: "string"}, {Key: "pattern", Value: "^[0-9]+$"}}, true
		case "Any":
			return true, true
		}
		return nil, false
	})
	if err != nil {
		return "", err
	}
	return string(ordered.Append(nil, s)), nil
}

func TestParse(t *testing.T) {
	for source, want := range map[string]string{
		"":                          `null`,
		"any":                       `{}`,
		"any, of course":            `{"description":"of course"}`,
		"Money, the price, in cent": `{"type":"string","pattern":"^[0-9]+$","description":"the price, in cent"}`,
		"z: string\na: string":      `{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"string"}},"required":["z","a"],"additionalProperties":false}`,
		"a?: Money":                 `{"type":"object","properties":{"a":{"type":["string","null"],"pattern":"^[0-9]+$"}},"additionalProperties":false}`,
		"a: Any":                    `{"type":"object","properties":{"a":true},"required":["a"],"additionalProperties":false}`,
		"a?(array, several (many)): {b: integer}":                 `{"type":"object","properties":{"a":{"type":["array","null"],"items":{"type":"object","properties":{"b":{"type":"integer"}},"required":["b"],"additionalProperties":false},"description":"several (many)"}},"additionalProperties":false}`,
		"a?(enum): [x, null]":                                     `{"type":"object","properties":{"a":{"enum":["x",null]}},"additionalProperties":false}`,
		"a?(object): {(*): number}":                               `{"type":"object","properties":{"a":{"type":["object","null"],"properties":{},"additionalProperties":{"type":"number"}}},"additionalProperties":false}`,
		"{type: [string, 'null'], minLength: 2}":                  `{"type":["string","null"],"minLength":2}`,
		"{anyOf: [{type: string}]}":                               `{"anyOf":[{"type":"string"}]}`,
		"{$ref: '#/$defs/x', $defs: {x: true}}":                   `{"$ref":"#/$defs/x","$defs":{"x":true}}`,
		"{properties: {b: {type: string}, a: {}}, required: [b]}": `{"properties":{"b":{"type":"string"},"a":{}},"required":["b"],"type":"object"}`,
		"{properties: string}":                                    `{"type":"object","properties":{"properties":{"type":"string"}},"required":["properties"],"additionalProperties":false}`,
	} {
		got, err := parse(source)
		if err != nil || got != want {
			t.Errorf("%s\n got %s %v\nwant %s", source, got, err, want)
		}
	}
}

func TestFaults(t *testing.T) {
	for source, want := range map[string]string{
		"strng":                 `unknown type "strng"`,
		"12":                    "not a number",
		"[a]":                   "not a list",
		"a: {b: {c: nope}}":     `/a/b/c: unknown type "nope"`,
		"a: 12":                 "/a: a type is a word or a mapping, not a number",
		"a: [x]":                "/a: a type is a word or a mapping, not a list",
		"a:":                    "/a: a type is a word or a mapping, not nothing",
		"'a(enum)': x":          "/a: an enum is a list",
		"'a(enum)': []":         "/a: an enum is a list",
		"'a(set)': [x]":         "array, object or enum",
		"'a(array': string":     "closing parenthesis",
		"'?': string":           "has no name",
		"'(array)': string":     "has no name",
		"a: string\na?: string": "is there twice",
		"(*): nope":             "/*: unknown type",
	} {
		_, err := parse(source)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", source, err, want)
		}
	}
}

// FuzzParse: any YAML makes a schema or an error, the same bytes each time.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a?(array, d): {b: string}", "(*): any", "a(enum): [1, null]", "type: object", "string, x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		a, err := parse(source)
		b, _ := parse(source)
		if err == nil && (a != b || !json.Valid(bytes.ToValidUTF8([]byte(a), nil))) {
			t.Errorf("%s: %s and %s", source, a, b)
		}
	})
}
