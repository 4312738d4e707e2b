package mock

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// check validates an instance with an independent validator.
func check(t *testing.T, schema string, instance []byte) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("mem:schema", doc); err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	compiled, err := c.Compile("mem:schema")
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(instance))
	if err != nil {
		t.Fatalf("%s\ngives %s: %v", schema, instance, err)
	}
	if err := compiled.Validate(value); err != nil {
		t.Errorf("%s\ngives %s: %v", schema, instance, err)
	}
}

func TestInstanceFitsItsSchema(t *testing.T) {
	for _, s := range []string{
		`true`, `{}`, `{"type":"string"}`, `{"type":"null"}`, `{"type":"boolean"}`, `{"type":["null","integer"]}`,
		`{"const":{"a":[1]}}`, `{"enum":["b","a"]}`, `{"enum":[null,1]}`,
		`{"type":"integer","minimum":5}`, `{"type":"integer","exclusiveMinimum":5}`, `{"type":"integer","maximum":-5}`, `{"type":"integer","exclusiveMaximum":0}`,
		`{"type":"integer","minimum":3,"multipleOf":7}`, `{"type":"integer","minimum":-10,"maximum":-3}`,
		`{"type":"number","minimum":0.1,"maximum":0.5}`, `{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1}`, `{"type":"number","minimum":0,"maximum":1}`,
		`{"type":"number","multipleOf":0.25,"minimum":1.1}`, `{"minimum":7}`,
		`{"type":"string","minLength":40}`, `{"type":"string","maxLength":2}`, `{"type":"string","maxLength":0}`, `{"type":"string","minLength":3,"maxLength":3}`,
		`{"type":"string","pattern":"^[A-Z]{3}-\\d{4}$"}`, `{"type":"string","pattern":"^(foo|bar)+x?$"}`, `{"type":"string","pattern":"^[a-z]+$","minLength":9}`, `{"type":"string","pattern":"^\\w+@\\w+\\.com$"}`,
		`{"type":"string","format":"date-time"}`, `{"type":"string","format":"date"}`, `{"type":"string","format":"time"}`, `{"type":"string","format":"duration"}`,
		`{"type":"string","format":"email"}`, `{"type":"string","format":"hostname"}`, `{"type":"string","format":"ipv4"}`, `{"type":"string","format":"ipv6"}`,
		`{"type":"string","format":"uri"}`, `{"type":"string","format":"uri-reference"}`, `{"type":"string","format":"uuid"}`, `{"type":"string","format":"regex"}`, `{"type":"string","format":"json-pointer"}`,
		`{"type":"array"}`, `{"type":"array","items":{"type":"integer"},"minItems":3}`, `{"type":"array","items":{"type":"string"},"maxItems":0}`,
		`{"type":"array","items":{"enum":["a","b","c"]},"minItems":3,"uniqueItems":true}`, `{"type":"array","items":{"type":"string"},"minItems":3,"uniqueItems":true}`,
		`{"type":"array","items":{"type":"number","minimum":2},"minItems":2,"uniqueItems":true}`, `{"type":"array","items":{"type":"boolean"},"minItems":2,"uniqueItems":true}`,
		`{"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}],"items":false}`, `{"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"null"},"minItems":3}`,
		`{"type":"object"}`, `{"properties":{"a":{"type":"integer"},"b.c":{"type":"string"},"d\"e":{"type":"null"}},"required":["a"]}`,
		`{"type":"object","required":["x","y"],"properties":{"x":{"type":"integer"}}}`, `{"type":"object","required":["y"],"additionalProperties":{"type":"integer"}}`,
		`{"type":"object","minProperties":3}`, `{"type":"object","minProperties":2,"additionalProperties":{"type":"boolean"},"properties":{"a":{"type":"string"}}}`,
		`{"type":"object","properties":{"never":false,"a":{"type":"string"}},"additionalProperties":false}`,
		`{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"b":{"$ref":"#/$defs/b"}},"required":["b"]},"b":{"enum":[3]}}}`,
		`{"$defs":{"a/b":{"type":"integer"}},"properties":{"x":{"$ref":"#/$defs/a~1b"}},"required":["x"]}`,
		`{"allOf":[{"type":"object","properties":{"a":{"type":"integer","minimum":3}},"required":["a"]},{"properties":{"a":{"minimum":5},"b":{"type":"string"}},"required":["b"]}]}`,
		`{"anyOf":[{"type":"null"},{"type":"integer"}]}`, `{"oneOf":[{"type":"string"},{"type":"integer"}]}`, `{"type":"object","anyOf":[{"required":["a"]},{"required":["b"]}],"properties":{"a":{"type":"integer"}}}`,
		`{"type":"object","properties":{"value":{"type":"string"},"children":{"type":"array","items":{"$ref":"#"}}},"required":["value","children"]}`,
		`{"$ref":"#/$defs/list","$defs":{"list":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/list"},{"type":"null"}]},"v":{"type":"integer"}},"required":["next","v"],"additionalProperties":false}}}`,
	} {
		got := Instance(json.RawMessage(s))
		check(t, s, got)
		if again := Instance(json.RawMessage(s)); string(again) != string(got) {
			t.Errorf("%s gives %s, then %s", s, got, again)
		}
	}
}

func TestInstanceReadsWell(t *testing.T) {
	got := Instance(json.RawMessage(`{"type":"object","properties":{"sentiment":{"enum":["positive","neutral"]},"confidence":{"type":"number"},"city":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}}}}`))
	if want := `{"sentiment":"positive","confidence":1,"city":"city","tags":["tags"]}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestInstanceEndsOnEverySchema(t *testing.T) {
	wide := `{"type":"object","properties":{`
	for i := range 12 {
		if i > 0 {
			wide += ","
		}
		wide += `"p` + string(rune('a'+i)) + `":{"$ref":"#"}`
	}
	wide += `}}`
	for _, s := range []string{
		"", "nonsense", "[]", `{"$ref":"#"}`, `{"allOf":[{"$ref":"#"}]}`, `{"required":["a"],"properties":{"a":{"$ref":"#"}}}`, wide,
		`{"type":"array","minItems":99999999}`, `{"type":"string","minLength":99999999}`, `{"type":"object","minProperties":99999999}`,
		`{"$ref":"#/$defs/0/x/"}`, `{"anyOf":[]}`, `{"pattern":"(?=x)"}`, `{"pattern":"a{500}{500}"}`, `{"type":"string","pattern":"^a$","minLength":5}`,
	} {
		if got := Instance(json.RawMessage(s)); !json.Valid(got) || len(got) > 4<<20 {
			t.Errorf("%.60s gives %d bytes: %.100s", s, len(got), got)
		}
	}
}

func FuzzInstance(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{"anyOf":[{"pattern":"x+"}]}}}`)
	f.Add(`{"allOf":[{"minimum":1},{"maximum":0}],"type":["integer","null"]}`)
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 4096 {
			return
		}
		if got := Instance(json.RawMessage(s)); !json.Valid(got) {
			t.Errorf("%s gives %s", s, got)
		}
	})
}
