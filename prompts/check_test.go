package prompts

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const typedPrompt = `---
input:
  schema:
    text: string, what was written
    count?: integer
    ratio?: number
    loud?: boolean
    mood?(enum): [good, bad, 3]
    tags?(array): string
    sizes?(array): integer
    who?(object): {name: string, "age?": integer, "tags?(array)": string}
    (*): integer
  default: {count: 3}
output:
  schema: {mood(enum): [good, bad], score: number, "notes?(array)": string}
---
{{text}} {{count}} {{who.name}}`

func TestCheckInput(t *testing.T) {
	tmpl := parse(t, typedPrompt)
	for in, want := range map[string]string{
		`{"text":"x"}`: ``,
		`{"text":"x","count":null,"who":{"name":"A"}}`: ``,
		`{}`: `/text is required`,
		`{"text":1,"count":1.5,"who":{"age":"x"}}`:        `/count must be null or integer, not number|/text must be string, not number|/who/age must be null or integer, not string|/who/name is required`,
		`{"text":"x","who":{"name":"A","b/~c":1}}`:        `/who/b~1~0c is not allowed here`,
		`{"text":"x","extra":"y"}`:                        `/extra must be integer, not string`,
		`{"text":"x","mood":"odd"}`:                       `/mood must be one of "good", "bad", 3, null`,
		`{"text":"x","tags":["a",1,"b",2]}`:               `/tags/1 must be string, not number|/tags/3 must be string, not number`,
		`{"text":"x","__proto__":1,"constructor":"evil"}`: `/constructor must be integer, not string`,
	} {
		decoded, err := DecodeInput([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range tmpl.CheckInput(decoded) {
			got = append(got, p.Pointer+" "+p.Message)
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s\n got %s\nwant %s", in, strings.Join(got, "|"), want)
		}
		if _, changed := decoded["count"]; changed != strings.Contains(in, "count") {
			t.Errorf("%s: the input was changed", in)
		}
	}
}

func TestCheckInputUnion(t *testing.T) {
	tmpl := parse(t, "---\ninput: {schema: {type: object, properties: {a: {anyOf: [{type: string}, {type: integer}]}, m: {type: string, format: email, maxLength: 9}}}}\n---\n{{a}}")
	p := tmpl.CheckInput(map[string]any{"a": true, "m": "not an email"})
	if len(p) != 2 || p[0].Pointer != "/a" || !strings.Contains(p[0].Message, "fits none of the allowed forms: must be") ||
		p[1].Pointer != "/m" {
		t.Errorf("problems %v", p)
	}
}

func TestDecodeInput(t *testing.T) {
	for body, want := range map[string]string{``: "", ` `: "", `{}`: "", `[]`: "not a list", `1`: "not a number", `{`: "not JSON", `{} x`: "more after", `{"a":}`: "not JSON"} {
		_, err := DecodeInput([]byte(body))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestVariablesThatTheSchemaLacks(t *testing.T) {
	front := "---\ninput:\n  schema:\n    a: string\n    o(object): {x: string}\n    xs(array): {n: number, ys(array): string}\n    any: any\n---\n"
	for body, want := range map[string]string{
		"{{a}} {{o.x}} {{any.thing}} {{#each xs}}{{n}}{{@index}}{{../a}}{{#each ys}}{{this}}{{../n}}{{/each}}{{/each}} {{xs.length}} {{xs.0.n}} {{@caller.team}}": "",
		"{{b}}":   "test.prompt:9: the input schema has no b",
		"{{o.y}}": "has no o.y", "{{a.b}}": "has no a.b",
		"{{#each xs}}\n{{m}}{{/each}}":                    "test.prompt:10: the input schema has no m",
		"{{#each xs as |x|}}{{x.n}}{{x.q}}{{/each}}":      "no x.q",
		"{{#each xs}}{{#each ys}}{{n}}{{/each}}{{/each}}": "no n",
		"{{#with o}}{{x}}{{a}}{{/with}}":                  "no a",
		"{{#o}}{{x}}{{q}}{{/o}}":                          "no q",
		"{{#if c}}{{/if}}":                                "no c",
		"{{#each missing}}{{anything}}{{/each}}":          "no missing",
		"{{json (lookup o2 'x')}}":                        "no o2",
		"{{media url=photo}}":                             "no photo",
		"{{> p}}":                                         "_p.prompt:1: the input schema has no inside",
		"{{> p inside=a}}":                                "",
		"{{> p o}}":                                       "no inside",
		"{{> p inside=nope}}":                             "no nope",
		"{{@root.a}}{{@root.z}}":                          "no @root.z",
		"{{this.a}}{{this.z}}":                            "no this.z",
	} {
		_, faults := Parse("test", []byte(front+body), ParseOptions{Partials: func(string) (string, bool) { return "{{inside}}", true }})
		if want == "" && len(faults) > 0 || want != "" && (len(faults) != 1 || !strings.Contains(faults.Error(), want)) {
			t.Errorf("%s\n got %v\nwant %s", body, faults, want)
		}
	}
}

func TestOwnValuesAreChecked(t *testing.T) {
	front := "---\ninput:\n  schema: {a: string, \"n?\": integer}\n"
	for rest, want := range map[string]string{
		"  default: {n: x}\n---\n":                                                          "test.prompt:2: input: default: /n must be",
		"sluice.tests: [{name: t, input: {n: 1}}]\n---\n":                                   `test.prompt:4: sluice.tests: test "t": input /a is required`,
		"sluice.steps: [{as: r, prompt: p}]\n---\n{{r.x}}{{q}}":                             "no q",
		"sluice.steps: [{as: r, prompt: p}]\nsluice.tests: [{input: {a: b}}]\n---\n{{r.x}}": "",
	} {
		_, faults := Parse("test", []byte(front+rest), ParseOptions{})
		if want == "" && len(faults) > 0 || want != "" && (len(faults) != 1 || !strings.Contains(faults.Error(), want)) {
			t.Errorf("%s\n got %v\nwant %s", rest, faults, want)
		}
	}
	_, faults := Parse("test", []byte("---\ninput: {schema: string}\n---\n"), ParseOptions{})
	if len(faults) != 1 || !strings.Contains(faults[0].Message, "must describe an object") {
		t.Errorf("faults %v", faults)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, faults := Parse("test", []byte("---\nmodel: 1\nsluice.acces: x\nconfig: x\noutput: {schema: {a: b}}\n---\n{{nope x}}\n{{> gone}}\n{{role r}}"), ParseOptions{})
	var lines []int
	for _, f := range faults {
		lines = append(lines, f.Line)
	}
	if !reflect.DeepEqual(lines, []int{2, 3, 4, 5, 7, 8, 9}) {
		t.Errorf("faults\n%v", faults)
	}
}

func TestSettings(t *testing.T) {
	tmpl := parse(t, `---
# a licence
sluice.path: /a/b
sluice.summary: S
sluice.access: public
sluice.cache: 10m
sluice.limits: {rpm: 1, tpm: 2, parallel: 3}
sluice.repair: 0
sluice.tests:
  - {name: one, input: {x: 1}, models: [a, b], repeat: 3, expect: {json: {a: 1}, contains: [x, y], cost: 0.01, schema: true}}
sluice.steps: [{as: a, prompt: other, input: {q: "{{x}}"}}, [{as: b, route: "GET /x/{{a}}"}, {as: c, prompt: third}]]
---
x`)
	s := tmpl.Sluice
	if s.Path != "/a/b" || s.Summary != "S" || s.Access != AccessPublic || s.Cache.String() != "10m0s" || s.Limits != (Limits{RPM: 1, TPM: 2, Parallel: 3}) || s.Repair != 0 {
		t.Errorf("settings %+v", s)
	}
	if len(s.Tests) != 1 || s.Tests[0].Repeat != 3 || len(s.Tests[0].Models) != 2 || len(s.Tests[0].Expect) != 4 {
		t.Errorf("tests %+v", s.Tests)
	}
	if len(s.Steps) != 2 || len(s.Steps[1]) != 2 || s.Steps[1][0].Route != "GET /x/{{a}}" {
		t.Errorf("steps %+v", s.Steps)
	}
	if plain := parse(t, "x").Sluice; plain.Access != AccessAnyKey || plain.Repair != 1 || plain.Cache != 0 {
		t.Errorf("defaults %+v", plain)
	}
}

func TestCheckOutput(t *testing.T) {
	tmpl := parse(t, typedPrompt)
	good := `{"mood":"good","score":0.5}`
	for text, want := range map[string]string{
		good:                         good,
		"```json\n" + good + "\n```": good,
		"Sure! Here it is:\n```\n{'mood': 'good', score: 0.5,}\n```\nEnjoy {}": good,
		`I think {mood} is: {"mood": "good", /* why? */ "score": 5e-1}`:        `{"mood":"good","score":5e-1}`,
		`{"a":1} {"mood":"bad","score":1}`:                                     `{"mood":"bad","score":1}`,
		`{"mood":"odd","mood":"good","score":1}`:                               `{"mood":"good","score":1}`,
		"":                                                                     "! the answer is empty",
		"no idea":                                                              "! the answer is not JSON",
		`{"mood":"good","score":`:                                              "! the answer holds no complete JSON value",
		`{"mood":"odd"}`:                                                       `!/mood must be one of "good", "bad"|/score is required`,
		`{"mood":"good","score":1,"x":1}`:                                      "!/x is not allowed here",
		`{"mood":"good","score":"1"}`:                                          "!/score must be number, not string",
		`{"mood":"good","score":1e99999999}`:                                   "!/score is a number out of range",
		`[{"mood":"good","score":1}]`:                                          "! must be object, not array",
		`{"mood":"good","score":1,"notes":[1]}`:                                "!/notes/0 must be string, not number",
	} {
		out, problems := tmpl.CheckOutput(text)
		got := string(out)
		if len(problems) > 0 {
			var all []string
			for _, p := range problems {
				all = append(all, p.Pointer+" "+p.Message)
			}
			got = "!" + strings.Join(all, "|")
		}
		if got != want {
			t.Errorf("%q\n got %s\nwant %s", text, got, want)
		}
	}
	message := tmpl.RepairMessage([]Problem{{"/score", "is required"}})
	if !strings.Contains(message, "- /score is required\n") || !strings.Contains(message, `"enum":["good","bad"]`) {
		t.Errorf("message %q", message)
	}
}

func TestCheckOutputWithoutSchema(t *testing.T) {
	tmpl := parse(t, "---\noutput: {format: json}\n---\nx")
	for text, want := range map[string]string{`{"b":1,"a":"<>"}`: `{"b":1,"a":"<>"}`, `[1]`: `[1]`, `"x"`: ``, `1`: ``} {
		out, problems := tmpl.CheckOutput(text)
		if string(out) != want || (want == "") != (len(problems) == 1) {
			t.Errorf("%s: %s %v", text, out, problems)
		}
	}
	if out, problems := parse(t, "x").CheckOutput("{}"); out != nil || problems != nil {
		t.Errorf("text: %s %v", out, problems)
	}
	if m := tmpl.RepairMessage(nil); strings.Contains(m, "Schema") {
		t.Errorf("message %q", m)
	}
}

func TestInputFromPairs(t *testing.T) {
	tmpl := parse(t, typedPrompt)
	for query, want := range map[string]string{
		"text=x&count=3&ratio=1.5&loud=on":   `{"count":3,"loud":true,"ratio":1.5,"text":"x"}`,
		"text=007&count=007":                 `{"count":"007","text":"007"}`,
		"text=a&text=b":                      `{"text":["a","b"]}`,
		"tags=a":                             `{"tags":["a"]}`,
		"tags=a&tags=b&sizes[]=1&sizes[]=x":  `{"sizes":[1,"x"],"tags":["a","b"]}`,
		`tags=["a","b"]`:                     `{"tags":["a","b"]}`,
		"who.name=Ada&who.age=36&who.tags=x": `{"who":{"age":36,"name":"Ada","tags":["x"]}}`,
		`who={"name":"Ada"}`:                 `{"who":{"name":"Ada"}}`,
		"count=&text=":                       `{"count":null,"text":""}`,
		"other=5&other.x=6":                  `!both a value and an object`,
		"who=1&who.name=x":                   `!both a value and an object`,
		"who.name=x&who=1":                   `!both a value and an object`,
		"a..b=1":                             `!empty part`,
		"a.=1":                               `!empty part`,
		"=1":                                 `!no name`,
		"tags.0=1":                           `!given by repeating its name`,
		"free=5&deep.free=x":                 `{"deep":{"free":"x"},"free":5}`,
		"__proto__.polluted=1":               `{"__proto__":{"polluted":"1"}}`,
		strings.Repeat("a.", 40) + "b=1":     `!deeper`,
	} {
		var pairs []Pair
		for _, p := range strings.Split(query, "&") {
			name, value, _ := strings.Cut(p, "=")
			pairs = append(pairs, Pair{name, value})
		}
		in, err := tmpl.InputFromPairs(pairs)
		got := ""
		if err != nil {
			got = "!" + err.Error()
		} else {
			b, _ := json.Marshal(in)
			got = string(b)
		}
		if got != want && !(strings.HasPrefix(want, "!") && strings.HasPrefix(got, "!") && strings.Contains(got, want[1:])) {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
	if _, err := tmpl.InputFromPairs(make([]Pair, maxPairs+1)); err == nil {
		t.Error("too many pairs were taken")
	}
}

func TestSplitFrontMatter(t *testing.T) {
	for source, want := range map[string]string{
		"x\n": "x\n", "": "", "---\n---\nx\n": "x", "---\nmodel: m\n---": "", "# c\n\n---\nmodel: m\n---\n\n  x  \n\n": "x",
		"---\r\nmodel: m\r\n---\r\nx\r\n": "x", "\ufeff---\nmodel: m\n---\nx": "x", "# not front matter\nx": "# not front matter\nx",
		"--- \nmodel: m\n---\t\n---\n": "---",
	} {
		tmpl := parse(t, source)
		r, err := tmpl.Render(RenderInput{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(r.Messages) > 0 {
			got = r.Messages[0].Content[0].Text
		}
		if got != want {
			t.Errorf("%q: %q, want %q", source, got, want)
		}
	}
	for _, source := range []string{"\xff", strings.Repeat("x", maxSource+1)} {
		if _, faults := Parse("t", []byte(source), ParseOptions{}); len(faults) != 1 {
			t.Errorf("faults %v", faults)
		}
	}
}

func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("---\na0: &a0 [x, x]\n")
	for i := 1; i < 30; i++ {
		b.WriteString("a" + string(rune('a'+i)) + ": &b" + string(rune('a'+i)) + " [")
		prev := "*a0"
		if i > 1 {
			prev = "*b" + string(rune('a'+i-1))
		}
		b.WriteString(prev + ", " + prev + "]\n")
		if i == 25 {
			break
		}
	}
	b.WriteString("---\nx")
	_, faults := Parse("bomb", []byte(b.String()), ParseOptions{})
	if len(faults) != 1 || !strings.Contains(faults[0].Message, "too large once its aliases") && !strings.Contains(faults[0].Message, "excessive aliasing") {
		t.Errorf("faults %v", faults)
	}
}
