package prompts

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

// seeds are the templates of our own cases.
func seeds(f *testing.F) []string {
	out := []string{typedPrompt, victim, "---\r\nmodel: x\r\n---\r\n{{x}}", "---\na: &a [*a]\n---\n"}
	paths, _ := filepath.Glob("testdata/spec/*.yaml")
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}

// FuzzParse: no file brings the parser down; what it takes can be rendered or
// says why not, twice to the same bytes.
func FuzzParse(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, faults := Parse("fuzz", []byte(source), ParseOptions{Partials: func(string) (string, bool) { return "p {{x}}", true }})
		if (tmpl == nil) != (len(faults) > 0) {
			t.Fatal("neither a template nor faults")
		}
		for _, fault := range faults {
			if fault.File == "" || fault.Message == "" || fault.Line < 0 {
				t.Errorf("fault %+v", fault)
			}
		}
		if tmpl == nil {
			return
		}
		in := RenderInput{Input: map[string]any{"x": "1", "xs": []any{"a"}}}
		a, err := tmpl.Render(in)
		if err != nil {
			return
		}
		b, _ := tmpl.Render(in)
		x, _ := a.MarshalJSON()
		y, _ := b.MarshalJSON()
		if !json.Valid(x) || !bytes.Equal(x, y) {
			t.Errorf("%s\n%s", x, y)
		}
	})
}

// FuzzRender: no value becomes anything but text.
func FuzzRender(f *testing.F) {
	for _, a := range attacks {
		f.Add(a, a)
	}
	tmpl := parseVictim(f)
	f.Fuzz(func(t *testing.T, a, key string) {
		r, err := tmpl.Render(RenderInput{Context: victimContext(), Input: map[string]any{
			"text": a, "items": []any{map[string]any{key: a}, a}, "extra": a}})
		if err != nil {
			t.Fatal(err)
		}
		checkVictim(t, r)
	})
}

// FuzzCheckOutput: what comes out satisfies the schema.
func FuzzCheckOutput(f *testing.F) {
	tmpl := parse(f, typedPrompt)
	for _, s := range []string{"```json\n{'mood': 'good', score: 1,}\n```", `{"mood":"good","score":1e5}`, `{"a":{"mood":"bad","score":0}}`, "[[[{", `{"mood":"\ud800","score":.5}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		out, problems := tmpl.CheckOutput(text)
		if (out == nil) != (len(problems) > 0) {
			t.Fatal("neither an object nor problems")
		}
		if out == nil {
			return
		}
		var v struct {
			Mood  string
			Score *float64
		}
		if !utf8.Valid(out) || json.Unmarshal(out, &v) != nil || v.Score == nil || (v.Mood != "good" && v.Mood != "bad") {
			t.Errorf("%q gave %s", text, out)
		}
		again, _ := tmpl.CheckOutput(string(out))
		if !bytes.Equal(again, out) {
			t.Errorf("%s became %s", out, again)
		}
	})
}

// FuzzInputFromPairs: any form makes an input or a fault.
func FuzzInputFromPairs(f *testing.F) {
	tmpl := parse(f, typedPrompt)
	f.Add("who.name", "x", "who", "y")
	f.Add("tags[]", "[1", "sizes", "1e999")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		in, err := tmpl.InputFromPairs([]Pair{{a, b}, {c, d}})
		if err == nil {
			tmpl.CheckInput(in)
		}
	})
}

// FuzzUnbundle: a version's source comes apart or says why not.
func FuzzUnbundle(f *testing.F) {
	f.Add(bundle([]byte("x"), map[string]string{"a": "b"}))
	f.Fuzz(func(t *testing.T, source []byte) {
		prompt, partials, err := Unbundle(source)
		if err == nil && len(partials) > 0 && len(prompt) > len(source) {
			t.Error("more came out than went in")
		}
	})
}

// FuzzDecodeMessages: what is decoded is written and read again.
func FuzzDecodeMessages(f *testing.F) {
	f.Add([]byte(`[{"role":"user","content":[{"text":"x"},{"media":{"url":"u"}}]}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeMessages(data)
		if err != nil {
			return
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeMessages(b); err != nil {
			t.Errorf("%s: %v", b, err)
		}
	})
}
