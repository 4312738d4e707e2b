package prompts

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"sluice/prompts/ordered"
)

func partialPrompt(t testing.TB, schema string) *Template {
	t.Helper()
	if schema != "" {
		schema = ", schema: " + schema
	}
	return parse(t, "---\nmodel: m\noutput: {format: json"+schema+"}\n---\nx")
}

// What is shown of an output that is being written.
func TestPartial(t *testing.T) {
	const order = `{type: object, properties: {
		id: {type: integer}, state: {type: string, enum: [open, closed]}, note: {type: string}, mail: {type: string, format: email},
		lines: {type: array, items: {type: object, properties: {what: {type: string}, n: {type: number}}, required: [what, n]}},
		odd: {anyOf: [{type: string}, {type: number}]}, more: {type: [object, "null"], additionalProperties: {type: boolean}}},
		required: [id, state], additionalProperties: false}`
	for _, c := range []struct{ schema, text, want string }{
		{order, ``, ``},
		{order, "```json\n{", `{}`},
		{order, `{"id`, `{}`},
		{order, `{"id":1`, `{}`}, // may be 12
		{order, `{"id":1,`, `{"id":1}`},
		{order, `{"id":1.5,"note":"a`, `{"note":"a"}`}, // no integer
		{order, `{"id": 7, "state": "op`, `{"id":7}`},
		{order, `{"id": 7, "state": "open"`, `{"id":7,"state":"open"}`},
		{order, `{"state":"ajar","id":1}`, `{"id":1}`},
		{order, `{"note":"caf\u00e`, `{"note":"caf"}`},
		{order, `{"note":"caf\u00e9\`, `{"note":"café"}`},
		{order, `{"note":"x\ud83d\ude0`, `{"note":"x"}`},
		{order, `{"note":"x\ud83d\ude00`, `{"note":"x😀"}`},
		{order, `{"note":"日本`, `{"note":"日本"}`},
		{order, `{"note":"日` + "\xe6\x9c", `{"note":"日"}`},
		{order, `{"note":7,"id":2,`, `{"id":2}`},
		{order, `{"mail":"a@b.e`, `{}`},
		{order, `{"mail":"a@b.example"`, `{"mail":"a@b.example"}`},
		{order, `{"lines":[{"what":"pen","n":2},{"what":"in`, `{"lines":[{"what":"pen","n":2},{"what":"in"}]}`},
		{order, `{"lines":[{"what":"pen"},"ink",{"what":"x"}],"id":3,`, `{"lines":[{"what":"pen"}],"id":3}`},
		{order, `{"lines":{"a":1},"id":3,`, `{"id":3}`},
		{order, `{"odd":"one","id":4,`, `{"id":4}`},
		{order, `{"extra":1,"id":4,`, `{"id":4}`},
		{order, `{"more":null,"id":4}`, `{"more":null,"id":4}`},
		{order, `{"more":{"a":true,"b":1,"c":fal`, `{"more":{"a":true}}`},
		{order, `{"id":4} and that is it`, `{"id":4}`},
		{order, `{"id":4,}`, ``},
		{order, `{id:4,`, ``},
		{order, `[1,`, ``},
		{`{type: array, items: {type: string}}`, `["a","b`, `["a","b"]`},
		{`{type: array, items: {type: integer}}`, `[1,2`, `[1]`},
		{``, `{"a":[1,{"b":"c`, `{"a":[1,{"b":"c"}]}`},
	} {
		if got := string(partialPrompt(t, c.schema).Partial(c.text)); got != c.want {
			t.Errorf("%s\nis shown as %q, want %q", c.text, got, c.want)
		}
	}
	if got := parse(t, "---\nmodel: m\n---\nx").Partial(`{"a":1}`); got != nil {
		t.Errorf("of a text: %s", got)
	}
	if got := partialPrompt(t, ``).Partial(strings.Repeat("[", 1<<20)); got != nil {
		t.Errorf("of what is nested too deep: %.40s", got)
	}
}

// FuzzPartial holds what is shown of an output, wherever it is cut off, to the
// output's schema but for what is required, and the whole to the output.
func FuzzPartial(f *testing.F) {
	for _, s := range fitValues {
		f.Add(s)
	}
	f.Add(`{"a":"x\ud83d\ude00é","b":[1,{"c":"d"},null,-1.5e3]}`)
	templates := []*Template{partialPrompt(f, `{type: object, properties: {a: {type: string}, b: {type: array}, text: {type: string, enum: [a]}, n: {type: [integer, "null"]}}}`),
		partialPrompt(f, ``)}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 {
			return
		}
		for _, tmpl := range templates {
			for i := range len(text) + 1 {
				part := tmpl.Partial(text[:i])
				if part == nil {
					continue
				}
				v, err := ordered.Decode(part)
				if err != nil {
					t.Fatalf("%q shows %q: %v", text[:i], part, err)
				}
				if p := tmpl.checkOut.check(ordered.Plain(v)); len(p) > 0 {
					t.Fatalf("%q shows %q: %v", text[:i], part, p)
				}
			}
		}
		if whole, err := ordered.Decode([]byte(text)); err == nil && json.Valid([]byte(text)) && utf8.ValidString(text) && strings.HasPrefix(text, "{") {
			if part := templates[1].Partial(text); part != nil {
				v, err := ordered.Decode(part)
				if err != nil || !sameText(string(ordered.Append(nil, v)), string(ordered.Append(nil, whole))) {
					t.Fatalf("%q whole is shown as %q", text, part)
				}
			}
		}
	})
}
