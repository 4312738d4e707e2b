package handlebars

import (
	"fmt"
	"strings"
	"testing"
)

// record writes down what a template yields.
type record struct{ strings.Builder }

func (r *record) Text(s string) { r.WriteString(s) }

func (r *record) Statement(name string, args []any, hash map[string]any) error {
	fmt.Fprintf(r, "<%s %v %v>", name, args, hash)
	if hash["url"] == "bad" {
		return fmt.Errorf("no such url")
	}
	return nil
}

func options(partials map[string]string) Options {
	return Options{File: "t", Partial: func(name string) (string, string, bool) {
		s, ok := partials[name]
		return s, "_" + name, ok
	}}
}

func run(t testing.TB, src string, this any, lim Limits, partials map[string]string) (string, error) {
	t.Helper()
	tmpl, errs := Parse(src, options(partials))
	if len(errs) > 0 {
		t.Fatalf("%s: %v", src, errs)
	}
	var out record
	err := tmpl.Run(&out, this, map[string]any{"team": "red"}, lim)
	return out.String(), err
}

var plenty = Limits{Output: 1 << 20, Steps: 10_000, Depth: 100}

func TestStatements(t *testing.T) {
	got, err := run(t, `a{{role "user" n=x}}{{#if x}}{{section @team}}{{> p}}{{/if}}{{history}}`, map[string]any{"x": "{{role}}"}, plenty,
		map[string]string{"p": `{{media url=(lookup . "x") contentType=null}}`})
	want := `a<role [user] map[n:{{role}}]><section [red] map[]><media [] map[contentType:<nil> url:{{role}}]><history [] map[]>`
	if err != nil || got != want {
		t.Errorf("%s %v", got, err)
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	_, err := run(t, "a\n{{#if x}}\n{{> p}}{{/if}}", map[string]any{"x": "bad"}, plenty, map[string]string{"p": "\n\n{{media url=x}}"})
	if err == nil || err.Error() != "_p:3: media: no such url" {
		t.Errorf("error %v", err)
	}
}

func TestLimits(t *testing.T) {
	xs := map[string]any{"xs": make([]any, 100)}
	for src, lim := range map[string]Limits{
		"12345678901":             {10, 100, 10},
		"{{#each xs}}ab{{/each}}": {100, 1000, 10},
		"{{#each xs}}{{/each}}":   {100, 50, 10},
		"{{#if xs}}{{#if xs}}{{#if xs}}x{{/if}}{{/if}}{{/if}}": {100, 100, 3},
	} {
		if _, err := run(t, src, xs, lim, nil); err == nil {
			t.Errorf("%s ran within %+v", src, lim)
		}
	}
	if got, err := run(t, "1234567890", nil, Limits{10, 1, 1}, nil); err != nil || got != "1234567890" {
		t.Errorf("%s %v", got, err)
	}
}

// TestWhiteSpace has the cases of standalone tags one by one.
func TestWhiteSpace(t *testing.T) {
	data := map[string]any{"a": true, "xs": []any{1, 2}, "v": "V"}
	partials := map[string]string{"p": "P\n"}
	for src, want := range map[string]string{
		"{{#if a}}\nx\n{{/if}}\ny":                   "x\ny",
		"  {{#if a}}  \nx\n  {{/if}}  \ny":           "x\ny",
		"{{#if a}} x\n{{/if}} y":                     " x\n y",
		"z {{#if a}}\nx\n{{/if}}\ny":                 "z \nx\ny",
		"{{#if b}}\nx\n{{else}}\ny\n{{/if}}\nz":      "y\nz",
		"{{#if b}}\nx\n{{else if a}}\ny\n{{/if}}\nz": "y\nz",
		"{{#if b}}\nx\n  {{^}}  \ny\n{{/if}}\n":      "y\n",
		"{{^b}}\nx\n{{/b}}\n":                        "x\n",
		"a\n{{! c }}\nb":                             "a\nb",
		"a {{! c }} b":                               "a  b",
		"a\n  {{> p}}\nb":                            "a\n  P\nb",
		"{{> p}}":                                    "P\n",
		"a\n{{> p}} {{v}}":                           "a\nP\n V",
		"{{v}}\n{{v}}\n":                             "V\nV\n",
		"{{#each xs}}\n{{this}}\n{{/each}}":          "1\n2\n",
		"{{#each xs}}{{this}}{{#unless @last}},\n{{/unless}}{{/each}}": "1,\n2",
		"{{#each xs~}}\n {{this}}\n{{~/each}}":                         "12",
		"{{#if a~}} x {{~else~}} y {{~/if}} z":                         "x z",
		"{{#if b~}} x {{~else~}} y {{~/if~}} z":                        "yz",
		"a\r\n{{#if a}}\r\nx\r\n{{/if}}\r\nb":                          "a\r\nx\r\nb",
		"a {{~#if a}} x{{/if}}":                                        "a x",
		"\u00a0{{~v~}}\u2003.":                                         "V.",
	} {
		if got, err := run(t, src, data, plenty, partials); err != nil || got != want {
			t.Errorf("%q\n got %q %v\nwant %q", src, got, err, want)
		}
	}
}

func TestSyntax(t *testing.T) {
	for src, want := range map[string]string{
		"{{x": "never closed", "{{x}": `unexpected '}'`, "{{{x}}": "expected }}}", "{{x y.}}": "a name is missing", "{{x=1}}": `unexpected '='`,
		"{{json a=1 b}}": "stand last", "{{json indent=1 indent=2 x}}": "twice", "{{a..b}}": "expected a name", "{{a.this}}": "in front only",
		"{{a/../b}}": "in front only", "{{[a}}": "never closed", "{{json (x}}": "never closed", "{{#each xs as ||}}{{/each}}": "",
		"{{#each xs as |}}{{/each}}": "names between two bars", "{{> p a b}}": "one context", "{{#a}}{{else}}": "never closed",
		"{{#a}}{{/b}}": "closes {{#a}}", "{{!": "never closed", "{{x}}}": "", "{{}}": "a name is missing", "{{ }}": "a name is missing",
		"{{#if}}{{/if}}": "takes one parameter", "{{ifEquals a b}}": "is a block", "{{lookup a}}": "2 parameters", "{{history x}}": "no parameter",
		"{{json x deep=1}}": "does not take deep=", "{{a b}}": "no helper", "{{json (a b)}}": "no helper", "{{json (each b)}}": "in parentheses",
		"{{* d}}": "decorators", "{{#> p}}{{/p}}": "partial blocks", "{{a b=(c d)}}": "no helper",
	} {
		_, errs := Parse(src, options(map[string]string{"p": ""}))
		got := ""
		for _, e := range errs {
			got += e.Error() + "\n"
		}
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", src, got, want)
		}
	}
}

func TestCheckVariables(t *testing.T) {
	str := &Shape{Scalar: true}
	root := &Shape{Fields: map[string]*Shape{"a": str, "l": {List: true, Elem: &Shape{Fields: map[string]*Shape{"x": str}}}, "o": {Open: true, Elem: str}}}
	tmpl, errs := Parse("{{a}}\n{{b}} {{b}}\n{{#each l}}{{x}}{{y}}{{../b}}{{/each}}{{o.q}}{{o.q.r}}{{> p}}{{> p c=a}}", options(map[string]string{"p": "{{c}}{{> p}}"}))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var got []string
	for _, e := range tmpl.CheckVariables(root) {
		got = append(got, e.Error())
	}
	want := "t:2: the input schema has no b|t:3: the input schema has no y|t:3: the input schema has no ../b|t:3: the input schema has no o.q.r|_p:1: the input schema has no c"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	endless, errs := Parse("{{> p c=a}}{{> q o}}", options(map[string]string{"p": "{{c}}{{d}}{{> p c=b d=a}}", "q": "{{> q .}}{{> p}}"}))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if e := endless.CheckVariables(root); len(e) != 2 {
		t.Errorf("of partials that never end: %v", e)
	}
	if e := tmpl.CheckVariables(nil); e != nil {
		t.Errorf("of an unknown shape: %v", e)
	}
}

// FuzzParse: no template brings the parser or the runner down, and what it
// gives is bounded.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"{{#if a}}x{{else if b}}y{{/if}}", "{{#each xs as |x i|}}{{x}}{{/each}}", "{{~> p a=b~}}", `\{{a}} \\{{b}}`, "{{!-- --}}", `{{json (lookup a "b") indent=2}}`} {
		f.Add(s)
	}
	data := map[string]any{"a": "A", "b": []any{1, map[string]any{"c": nil}}, "xs": []any{"x", "y"}}
	f.Fuzz(func(t *testing.T, src string) {
		tmpl, errs := Parse(src, options(map[string]string{"p": "[{{a}}{{> p}}]", "q": src}))
		if (tmpl == nil) != (len(errs) > 0) {
			t.Fatal("neither a template nor errors")
		}
		if tmpl == nil {
			return
		}
		tmpl.CheckVariables(&Shape{Fields: map[string]*Shape{"a": nil}})
		var out record
		_ = tmpl.Run(&out, data, nil, Limits{Output: 1 << 16, Steps: 2000, Depth: 50})
	})
}
