package lenient

import (
	"encoding/json"
	"strings"
	"testing"

	"sluice/prompts/ordered"
)

func values(text string) string {
	var out []string
	for _, v := range Values(text) {
		out = append(out, string(ordered.Append(nil, v)))
	}
	return strings.Join(out, " | ")
}

func TestValues(t *testing.T) {
	for text, want := range map[string]string{
		`{"b":1,"a":2}`:                          `{"b":1,"a":2}`,
		" [1, 2.50, 1e5]\n":                      `[1,2.50,1e5]`,
		`"text"`:                                 `"text"`,
		`'single "quoted"'`:                      `"single \"quoted\""`,
		`12`:                                     `12`,
		`True`:                                   `true`,
		`{'a': 'it\'s', "b": None, c-d: False,}`: `{"a":"it's","b":null,"c-d":false}`,
		`[1,2,]`:                                 `[1,2]`,
		`[+1, .5]`:                               `[1,0.5]`,
		"{\n // one\n \"a\": 1, # two\n /* three */ \"b\": 2 }": `{"a":1,"b":2}`,
		"{\"a\": \"two\nlines\"}":                               `{"a":"two\nlines"}`,
		`{“a”: “b”}`:                                            `{"a":"b"}`,
		`{"a":"\u00e9\ud83d\ude00\ud800x\q\/"}`:                 `{"a":"é😀�xq/"}`,
		`{"a":1,"b":2,"a":3}`:                                   `{"a":3,"b":2}`,
		"```json\n{\"a\":1}\n```":                               `{"a":1} | {"a":1}`,
		"x ```\n[1]\n``` y ```js {a:2} ``` z":                   `[1] | {"a":2} | [1] | {"a":2}`,
		"The {answer} is {\"a\": {\"b\": [1]}} and {\"c\": 2}.": `{"a":{"b":[1]}} | {"c":2}`,
		`see [1] and [x](y)`:                                    `[1]`,
		``:                                                      ``,
		`nothing here`:                                          ``,
		`{"a": `:                                                ``,
		`{"a": 1`:                                               ``,
		`{"a" 1}`:                                               ``,
		`{"a": 1 "b": 2}`:                                       ``,
		`{"a": 01}`:                                             ``,
		`{"a": NaN}`:                                            ``,
		`{"a": "open}`:                                          ``,
		`{/* open `:                                             ``,
	} {
		if got := values(text); got != want {
			t.Errorf("%q\n got %s\nwant %s", text, got, want)
		}
	}
}

// TestHostile: texts made to be slow or deep end soon, with nothing.
func TestHostile(t *testing.T) {
	for _, text := range []string{strings.Repeat("[", 200_000), strings.Repeat(`{"a":`, 100_000), strings.Repeat("{'", 50_000), strings.Repeat("```", 50_000),
		"[" + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "]"} {
		Values(text)
	}
}

// FuzzValues: whatever is found is valid JSON, and strict JSON is itself.
func FuzzValues(f *testing.F) {
	for _, s := range []string{`{"a":1}`, "```json\n{a:1,}\n```", `{'a': "\u12"}`, "x [1, {b: 'c'}] y", `"\ud800\ud800"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all := Values(text)
		for _, v := range all {
			if b := ordered.Append(nil, v); !json.Valid(b) {
				t.Errorf("%q gave %s", text, b)
			}
		}
		if json.Valid([]byte(text)) && len(all) != 1 && !strings.Contains(text, strings.Repeat("[", 100)) && !strings.Contains(text, "{") {
			t.Errorf("strict JSON %q gave %d values", text, len(all))
		}
	})
}
