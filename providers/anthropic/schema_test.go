package anthropic

import (
	"encoding/json"
	"testing"
)

func TestCloseSchema(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{`{"type":"object"}`, `{"type":"object","additionalProperties":false}`},
		{`{"$schema":"x","type":"object","properties":{"b":{},"a":true},"additionalProperties":false}`, `{"type":"object","properties":{"b":{},"a":true},"additionalProperties":false}`},
		{`{"type":["object","null"],"properties":{}}`, `{"type":["object","null"],"properties":{},"additionalProperties":false}`},
		{`{"type":"string","minLength":3,"maxLength":9,"description":"A \"name\""}`, `{"type":"string","description":"A \"name\" (minLength: 3, maxLength: 9)"}`},
		{`{"type":"array","minItems":1,"items":{"type":"object"}}`, `{"type":"array","minItems":1,"items":{"type":"object","additionalProperties":false}}`},
		{`{"type":"array","minItems":2}`, `{"type":"array","description":"(minItems: 2)"}`},
		{`{"anyOf":[{"type":"object"},{"type":"null"}]}`, `{"anyOf":[{"type":"object","additionalProperties":false},{"type":"null"}]}`},
		{`{"$ref":"#/$defs/a","$defs":{"a":{"type":"object"}}}`, `{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","additionalProperties":false}}}`},
		{`{"properties":{"minimum":{"type":"string"}}}`, `{"properties":{"minimum":{"type":"string"}},"additionalProperties":false}`},
	} {
		got, ok := closeSchema(json.RawMessage(tc.in))
		if !ok || string(got) != tc.want {
			t.Errorf("%s\ngives %s %v\nwant  %s", tc.in, got, ok, tc.want)
		}
	}
	for _, open := range []string{
		`true`, `[]`, `{"type":"object","additionalProperties":true}`, `{"type":"object","additionalProperties":{"type":"string"}}`,
		`{"properties":{"a":{"type":"object","patternProperties":{}}}}`, `{"oneOf":[{}]}`, `{"not":{}}`,
		`{"$ref":"#"}`, `{"$ref":"https://x.test/y"}`, `{"$ref":"#/$defs/missing"}`,
		`{"$ref":"#/$defs/a","$defs":{"a":{"properties":{"next":{"$ref":"#/$defs/b"}}},"b":{"anyOf":[{"$ref":"#/$defs/a"}]}}}`,
	} {
		if got, ok := closeSchema(json.RawMessage(open)); ok {
			t.Errorf("%s is closed to %s", open, got)
		}
	}
}

func FuzzCloseSchema(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"minimum":1,"description":"\u0000"}}}`)
	f.Add(`{"anyOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{}}}`)
	f.Fuzz(func(t *testing.T, in string) {
		if !json.Valid([]byte(in)) {
			return
		}
		if got, ok := closeSchema(json.RawMessage(in)); ok && !json.Valid(got) {
			t.Errorf("%s gives %s, which is not JSON", in, got)
		}
	})
}
