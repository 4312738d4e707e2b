package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/tidwall/gjson"
)

// ticket has what a schema of outputs usually has: an enum, bounds, a list of
// objects, an option, and no room for anything else.
const ticketSchema = `{"type":"object","additionalProperties":false,"required":["kind","score","items"],"properties":{
  "kind":{"enum":["bug","wish","other"]},
  "score":{"type":"number","minimum":0,"maximum":1},
  "note":{"type":"string"},
  "items":{"type":"array","maxItems":5,"items":{"type":"object","additionalProperties":false,"required":["name","n"],
    "properties":{"name":{"type":"string"},"n":{"type":"integer"}}}}}}`

const ticket = `---
model: up/echo_loose
input: {schema: {said: string}}
output: {format: json, schema: ` + ticketSchema + `}
sluice.repair: REPAIR
---
{{role "system"}}You sort tickets.
{{role "user"}}{{said}}
`

// tickets are outputs that satisfy the schema, from which the malformed ones
// are made.
var tickets = []string{
	`{"kind":"bug","score":0.5,"items":[{"name":"login","n":1}]}`,
	`{"kind":"wish","score":1,"note":"say \"please\", don't {ask}","items":[]}`,
	`{"kind":"other","score":0,"note":"a, b: [c] // d","items":[{"name":"é😀","n":-2},{"name":"","n":0}]}`,
	"{\n  \"kind\": \"bug\",\n  \"score\": 0.25,\n  \"note\": \"two\\nlines\",\n  \"items\": [\n    {\"name\": \"x\", \"n\": 3}\n  ]\n}",
	`{"items":[{"n":9007199254740993,"name":"big"}],"score":1e-3,"kind":"wish"}`,
	`{"kind":"other","score":0.333333333333333333,"note":"` + strings.Repeat("long ", 400) + `","items":[{"name":"a","n":1},{"name":"b","n":2},{"name":"c","n":3}]}`,
	`{"kind":"bug","score":0.9,"note":null_or_text,"items":[]}`,
	`{"kind":"bug","score":0.75,"note":"\u0000\ud83d\ude00\u2028","items":[{"name":"\\","n":7}]}`,
}

// malformations are what models do to JSON.
var malformations = []struct {
	name string
	of   func(s string) string
}{
	{"as it is", func(s string) string { return s }},
	{"fenced", func(s string) string { return "```json\n" + s + "\n```" }},
	{"fenced, not closed", func(s string) string { return "```json\n" + s }},
	{"fenced without a language, in prose", func(s string) string { return "Sure! Here it is:\n```\n" + s + "\n```\nAnything else?" }},
	{"fenced twice", func(s string) string { return "```json\n" + s + "\n```\n```json\n" + s + "\n```" }},
	{"in prose", func(s string) string { return "The answer is " + s + ", I think." }},
	{"after thoughts", func(s string) string { return "<think>{maybe [this]}</think>" + s }},
	{"after a wrong one", func(s string) string { return `{"kind":"none"} no: ` + s }},
	{"before a wrong one", func(s string) string { return s + ` or {"kind":"none"}` }},
	{"as a text", func(s string) string { return quote(s) }},
	{"as a text in a text", func(s string) string { return quote(quote(s)) }},
	{"in a list", func(s string) string { return "[" + s + "]" }},
	{"under a key", func(s string) string { return `{"answer":` + s + "}" }},
	{"under a key, as a text", func(s string) string { return `{"answer":` + quote(s) + "}" }},
	{"twice", func(s string) string { return s + s }},
	{"lines", func(s string) string { return s + "\n" + s + "\n" }},
	{"with a trailing comma", func(s string) string { return strings.TrimSuffix(s, "}") + ",}" }},
	{"with commas after all", func(s string) string { return strings.NewReplacer("}", ",}", "]", ",]").Replace(s) }},
	{"in single quotes", func(s string) string { return strings.ReplaceAll(s, `"`, "'") }},
	{"in curly quotes", func(s string) string { return curly(s) }},
	{"in backquotes", func(s string) string { return strings.ReplaceAll(s, `"`, "`") }},
	{"with bare keys", func(s string) string { return bare(s) }},
	{"with comments", func(s string) string { return strings.Replace(s, ",", ", // so it is\n/* really */ # yes\n", 1) }},
	{"with equals signs", func(s string) string { return strings.ReplaceAll(s, `":`, `"=`) }},
	{"with arrows", func(s string) string { return strings.ReplaceAll(s, `":`, `" => `) }},
	{"with semicolons", func(s string) string { return strings.ReplaceAll(s, `,"`, `;"`) }},
	{"without commas", func(s string) string { return strings.ReplaceAll(s, `,"`, ` "`) }},
	{"without colons", func(s string) string { return strings.ReplaceAll(s, `":`, `" `) }},
	{"without its first bracket", func(s string) string { return s[1:] }},
	{"without its last bracket", func(s string) string { return s[:len(s)-1] }},
	{"cut in the middle", func(s string) string { return s[:len(s)/2] }},
	{"cut at a quarter", func(s string) string { return s[:len(s)/4] }},
	{"cut, and closed", func(s string) string { return s[:len(s)*3/4] + "}]}" }},
	{"with a bracket too many", func(s string) string { return s + "}" }},
	{"with brackets crossed", func(s string) string { return strings.NewReplacer("]", "}", "}", "]").Replace(s) }},
	{"with all lines in one", func(s string) string { return strings.ReplaceAll(s, "\n", "") }},
	{"with a raw line break in a text", func(s string) string { return strings.Replace(s, `"kind":"`, "\"kind\":\"\n", 1) }},
	{"with raw control characters", func(s string) string { return strings.Replace(s, `"items"`, "\x01\"items\"\x7f", 1) }},
	{"after a byte order mark", func(s string) string { return "\ufeff" + s }},
	{"among zero width spaces", func(s string) string { return "\u200b" + s + "\u200b" }},
	{"with no-break spaces", func(s string) string { return strings.ReplaceAll(s, ",", ",\u00a0") }},
	{"with an unknown key", func(s string) string { return strings.Replace(s, `"kind"`, `"extra":1,"kind"`, 1) }},
	{"with a key twice", func(s string) string { return strings.Replace(s, `"kind"`, `"kind":"none","kind"`, 1) }},
	{"with the second of a key wrong", func(s string) string { return strings.TrimSuffix(s, "}") + `,"kind":"none"}` }},
	{"with __proto__", func(s string) string { return strings.Replace(s, `"kind"`, `"__proto__":{"kind":"bug"},"kind"`, 1) }},
	{"without kind", func(s string) string { return strings.Replace(s, `"kind"`, `"kinds"`, 1) }},
	{"with a kind in capitals", func(s string) string {
		return strings.NewReplacer(`"bug"`, `"BUG"`, `"wish"`, `"WISH"`, `"other"`, `"OTHER"`).Replace(s)
	}},
	{"with a kind that is null", func(s string) string {
		return strings.NewReplacer(`"bug"`, `null`, `"wish"`, `null`, `"other"`, `null`).Replace(s)
	}},
	{"with a score that is text", func(s string) string { return score(s, `"0.5"`) }},
	{"with a score that is NaN", func(s string) string { return score(s, `NaN`) }},
	{"with a score that is Infinity", func(s string) string { return score(s, `-Infinity`) }},
	{"with a score beyond all floats", func(s string) string { return score(s, `1e999`) }},
	{"with a score out of bounds", func(s string) string { return score(s, `1.0000001`) }},
	{"with a score below 0", func(s string) string { return score(s, `-0.1`) }},
	{"with a score of minus 0", func(s string) string { return score(s, `-0`) }},
	{"with a score that begins with its point", func(s string) string { return score(s, `.5`) }},
	{"with a score with a plus", func(s string) string { return score(s, `+0.5`) }},
	{"with a score with a comma", func(s string) string { return score(s, `0,5`) }},
	{"with a score in percent", func(s string) string { return score(s, `50%`) }},
	{"with a score in hexadecimal", func(s string) string { return score(s, `0x1`) }},
	{"with a score that is true", func(s string) string { return score(s, `True`) }},
	{"with a score of 400 digits", func(s string) string { return score(s, "0."+strings.Repeat("3", 400)) }},
	{"with items that are null", func(s string) string { return strings.Replace(s, `"items":[`, `"items":null,"was":[`, 1) }},
	{"with items that are an object", func(s string) string { return strings.NewReplacer(`"items":[`, `"items":{"0":`, `]`, `}`).Replace(s) }},
	{"with an item that is text", func(s string) string { return strings.Replace(s, `"items":[`, `"items":["one",`, 1) }},
	{"with a fraction for an integer", func(s string) string { return strings.Replace(s, `"n":`, `"n":0.`, 1) }},
	{"with too many items", func(s string) string {
		return strings.Replace(s, `"items":[`, `"items":[`+strings.Repeat(`{"name":"x","n":1},`, 5000), 1)
	}},
	{"with thousands of wrong items", func(s string) string {
		return strings.Replace(s, `"items":[`, `"items":[`+strings.Repeat(`{},`, 5000), 1)
	}},
	{"far too deep", func(s string) string { return strings.Repeat(`{"a":`, 3000) + s + strings.Repeat("}", 3000) }},
	{"with a bad escape", func(s string) string { return strings.Replace(s, `"kind":"`, `"kind":"\x`, 1) }},
	{"with half a surrogate", func(s string) string { return strings.Replace(s, `"kind":"`, `"kind":"\ud800`, 1) }},
	{"as YAML", func(string) string { return "kind: bug\nscore: 0.5\nitems: []\n" }},
	{"as XML", func(string) string { return "<ticket><kind>bug</kind></ticket>" }},
	{"as a refusal", func(string) string { return "I'm sorry, but I can't help with that." }},
	{"as the schema", func(string) string { return ticketSchema }},
}

// curly sets typographic quotes around, as word processors do.
func curly(s string) string {
	var b strings.Builder
	open := true
	for _, r := range s {
		if r != '"' {
			b.WriteRune(r)
			continue
		}
		b.WriteRune(map[bool]rune{true: '“', false: '”'}[open])
		open = !open
	}
	return b.String()
}

// bare takes the quotes off the keys.
func bare(s string) string {
	for _, key := range []string{"kind", "score", "note", "items", "name", "n"} {
		s = strings.ReplaceAll(s, `"`+key+`":`, key+":")
	}
	return s
}

// score puts another value in the place of the score.
func score(s, value string) string {
	before, rest, _ := strings.Cut(s, `"score":`)
	return before + `"score":` + value + strings.TrimLeft(rest, " .0123456789e-")
}

// Whatever a model answers, the caller gets an object that satisfies the
// schema, or a 502 that says what was wrong; whole or streamed.
func TestMalformedOutput(t *testing.T) {
	g := newGateway(t, "prompts: {dir: DIR/prompts}\n"+providers+team)
	g.prompt("strict", strings.Replace(ticket, "REPAIR", "0", 1))
	g.prompt("mended", strings.Replace(ticket, "REPAIR", "1", 1))
	g.start()
	valid := compiled(t, ticketSchema)
	right, seen := 0, map[string]bool{}
	for i, seed := range tickets {
		for _, m := range malformations {
			said := m.of(seed)
			if seen[said] {
				continue
			}
			seen[said] = true
			if g.malformed(t, fmt.Sprintf("%d %s", i, m.name), said, valid) {
				right++
			}
		}
	}
	cases := len(seen)
	t.Logf("%d outputs: %d were read, %d refused", cases, right, cases-right)
	if cases < 500 || right < cases/4 || cases-right < cases/4 {
		t.Errorf("the cases prove little: %d of %d are right", right, cases)
	}
}

// malformed judges one output; true: it was read.
func (g *gateway) malformed(t *testing.T, name, said string, valid func(string) error) bool {
	t.Helper()
	body := `{"said":` + quote(said) + `}`
	a := g.data("POST", "/prompts/strict", body)
	ok := a.status == 200
	if problem := outputProblem(a.status, a.body, valid); problem != "" {
		t.Errorf("%s: %s\n  said %.300q", name, problem, said)
	}
	if m := g.data("POST", "/prompts/mended", body); (m.status == 200) != ok || outputProblem(m.status, m.body, valid) != "" {
		t.Errorf("%s, asked again: %d %.300s", name, m.status, m.body)
	}
	s := g.data("POST", "/prompts/strict?stream=1", body)
	event, data := lastEvent(s.body)
	if s.status != 200 || (event == "done") != ok {
		t.Errorf("%s, streamed: %d, the last event is %q %.300s", name, s.status, event, data)
	} else if ok && gjson.Get(data, "output").Raw != a.body {
		t.Errorf("%s: streamed %.300s, whole %.300s", name, data, a.body)
	} else if !ok && (event != "error" || outputProblem(int(gjson.Get(data, "status").Int()), data, valid) != "") {
		t.Errorf("%s, streamed: the error is %.300s", name, data)
	}
	return ok
}

// outputProblem says what is wrong with an answer; "": it is as promised.
func outputProblem(status int, body string, valid func(string) error) string {
	switch status {
	case 200:
		if err := valid(body); err != nil {
			return fmt.Sprintf("200 with %.300s: %v", body, err)
		}
		return ""
	case 502:
		detail := gjson.Get(body, "detail").Str
		_, fault, _ := strings.Cut(detail, "breaks the prompt's schema; ")
		if gjson.Get(body, "code").Str != "invalid_output" || fault == "" || len(body) > 16<<10 {
			return fmt.Sprintf("a 502 of %d bytes that does not say what was wrong: %.300s", len(body), body)
		}
		return ""
	}
	return fmt.Sprintf("%d %.300s", status, body)
}

// lastEvent is the name and the data of the last event of a stream.
func lastEvent(stream string) (name, data string) {
	events := strings.Split(strings.TrimSpace(stream), "\n\n")
	for line := range strings.Lines(events[len(events)-1]) {
		if rest, ok := strings.CutPrefix(line, "event: "); ok {
			name = strings.TrimSpace(rest)
		} else if rest, ok := strings.CutPrefix(line, "data: "); ok {
			data = strings.TrimSpace(rest)
		}
	}
	return name, data
}

// compiled is a schema as a judge of JSON texts.
func compiled(t *testing.T, schema string) func(string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) error {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			return err
		}
		return s.Validate(v)
	}
}
