package prompts

import (
	"strings"
	"testing"
)

func parsed(t testing.TB, source string) *Template {
	t.Helper()
	tm, faults := Parse("p", []byte(source), ParseOptions{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return tm
}

func TestInputFromText(t *testing.T) {
	for _, c := range []struct{ input, text, want string }{
		{`schema: {text: string}`, `hello`, `{"text":"hello"}`},
		{`schema: {text: string}`, ` {"text": "x"}`, `{"text":"x"}`},
		{`schema: {text: string}`, `{"text": `, `{"text":"{\"text\": "}`},
		{`schema: {text: string, "tone?": string}`, `hello`, `{"text":"hello"}`},
		{`schema: {text: string, tone: string}, default: {tone: kind}`, `hello`, `{"text":"hello"}`},
		{`schema: {"text?": string, "n?": integer}`, `hello`, `{"text":"hello"}`},
		{`schema: {text: string, "kind(enum)": [a, b]}, default: {kind: a}`, `hello`, `{"text":"hello"}`},
		{`schema: {a: string, b: string}`, `hello`, ``},
		{`schema: {n: integer}`, `hello`, ``},
		{`default: {}`, `hello`, `{"input":"hello"}`},
	} {
		tm := parsed(t, "---\nmodel: m/x\ninput: {"+c.input+"}\n---\nx\n")
		in, err := tm.InputFromText(c.text)
		got := ""
		if err == nil {
			got = jsonText(toOrdered(in))
		}
		if got != c.want {
			t.Errorf("%s of %q: %s, %v; want %s", c.input, c.text, got, err, c.want)
		}
	}
}

func TestCallerSchema(t *testing.T) {
	tm := parsed(t, "---\nmodel: m/x\ninput: {schema: {a: string, b: string}, default: {b: x}}\n---\nx\n")
	got := jsonText(tm.CallerSchema())
	if !strings.Contains(got, `"required":["a"]`) || !strings.Contains(got, `"b":{"type":"string","default":"x"}`) {
		t.Errorf("schema %s", got)
	}
	if strings.Contains(string(tm.InputSchema()), "default") {
		t.Error("the prompt's own schema has changed")
	}
	in, out := tm.Examples()
	if string(in) != `{"a":"text"}` || out != nil {
		t.Errorf("examples %s and %s", in, out)
	}
}

// Whatever a caller writes becomes an input or an error, and the examples of
// whatever schema fit it or are left out.
func FuzzInputFromText(f *testing.F) {
	for _, s := range []string{"hello", `{"text":"x"}`, `{"a":`, `{"text":1e999999}`, "{}{}", "[1]", "\x00{"} {
		f.Add(s)
	}
	tm := parsed(f, "---\nmodel: m/x\ninput: {schema: {text: string}}\n---\nx\n")
	f.Fuzz(func(t *testing.T, text string) {
		in, err := tm.InputFromText(text)
		if err != nil || in == nil {
			t.Fatalf("%q: %v, %v", text, in, err)
		}
		tm.CheckInput(in)
		if _, err := DecodeInputs([]byte(text)); err == nil && !strings.Contains(text, "[") {
			t.Fatalf("%q is read as an array", text)
		}
	})
}
