package prompts

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"sluice/prompts/ordered"
)

// schemas that are plain, but for the last three.
var fitSchemas = []string{
	`{"type":"object","properties":{"text":{"type":"string","description":"what"},"n":{"type":["integer","null"]}},"required":["text"],"additionalProperties":false}`,
	`{"type":"object","properties":{"label":{"enum":["good","bad"]},"at":{"type":"number"}}}`,
	`{"type":"object","additionalProperties":{"type":"array","items":{"type":"boolean"}}}`,
	`{"type":"array","items":{"type":["object","string"],"properties":{"a":{"type":"string","enum":["x"]}},"required":["a"]}}`,
	`{"type":"object","properties":{"mail":{"type":"string","format":"email"}}}`,
	`{"type":"object","minProperties":1}`,
	`{"type":"object","properties":{"a":{"enum":[1,"x"]}}}`,
}

var fitValues = []string{`{}`, `null`, `[]`, `"x"`, `{"text":"a"}`, `{"text":"a","n":1}`, `{"text":"a","n":1.5}`, `{"text":"a","n":null,"more":1}`,
	`{"label":"good","at":1e3}`, `{"label":"worse"}`, `{"label":null}`, `{"a":[true,false],"b":[]}`, `{"a":[true,1]}`, `[{"a":"x"},"y"]`, `[{"b":"x"}]`,
	`[{"a":"z"}]`, `{"mail":"nobody"}`, `{"a":1}`, `{"a":"x","a":1}`, `{"text":"\u0041\ud83d\ude00","n":-0}`, `[1.0,01]`, `{"text":1} 2`}

// What a plain schema says fits, the validator lets pass; and most of what it
// lets pass, a plain schema knows.
func TestPlainSchemas(t *testing.T) {
	said, right := 0, 0
	for i, s := range fitSchemas {
		schema, err := ordered.Decode([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		v, err := compileSchema(schema)
		if err != nil {
			t.Fatal(err)
		}
		if isPlain := i < len(fitSchemas)-3; (v.plain != nil) != isPlain {
			t.Errorf("%s is plain: %v, want %v", s, v.plain != nil, isPlain)
		}
		for _, text := range fitValues {
			value, err := decodeValue([]byte(text))
			if err != nil {
				continue
			}
			plain := v.plain.fits(value)
			full := len((&validator{schema: v.schema}).check(value)) == 0
			if plain && !full {
				t.Errorf("%s does not fit %s, but is said to", text, s)
			}
			if v.plain != nil && full {
				right++
				if plain {
					said++
				}
			}
		}
	}
	if said < right || right < 15 {
		t.Errorf("%d of the %d values that fit plain schemas are known to", said, right)
	}
}

// FuzzDecodeValue holds the reader of inputs to encoding/json, and what plain
// schemas say to the validator.
func FuzzDecodeValue(f *testing.F) {
	for _, s := range fitValues {
		f.Add(s)
	}
	f.Add("[\"\x01\", \"\xff\", 1.e1, -, 1e+, truefalse]")
	f.Add(` { "a" : [ 1 , -0.5e-7 ] , "" : "\"" } `)
	var validators []*validator
	for _, s := range fitSchemas {
		schema, err := ordered.Decode([]byte(s))
		if err != nil {
			f.Fatal(err)
		}
		v, err := compileSchema(schema)
		if err != nil {
			f.Fatal(err)
		}
		validators = append(validators, v)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := plainReader{doc: text}
		got, ok := r.value(0)
		if !ok || r.next() != 0 || r.at != len(text) {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("%q is no JSON", text)
		}
		var want any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q reads as %v, not as %v", text, got, want)
		}
		for i, v := range validators {
			if v.plain.fits(got) && unfit(got, 0) == nil && len((&validator{schema: v.schema}).check(got)) > 0 {
				t.Fatalf("%q does not fit %s", text, fitSchemas[i])
			}
		}
	})
}
