package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/tidwall/gjson"
)

// examplePrompts has the ten prompts, and two more.
const examplePrompts = "../../../examples/prompts"

// playedPrompts says which recorded answer each prompt of the examples gets.
// Text is given as it was recorded. Nobody recorded a model that answers those
// prompts that want an object: what their scenario has it say takes the place of
// the recorded text; all else of the answer, thoughts, counts and headers among
// it, is as it was.
var playedPrompts = []struct{ name, prompt, capture string }{
	{"summarise", "summarise", "vertex-generate-document_reasoning"},
	{"summarise-stream", "summarise", "anthropic-messages-stream-cache_request_cache_write"},
	{"reply", "reply", "anthropic-messages-cache_write_cached_tokens"},
	{"rewrite", "rewrite", "anthropic-messages-reasoning_signature.2"},
	{"classify", "classify", "azure-chat-cached_tokens_structured"},
	{"extract", "extract", "openrouter-chat-structured"},
	{"translate", "translate", "gemini-generate-structured"},
	{"describe-image", "describe-image", "bedrock-converse-vision"},
	{"moderate", "moderate", "cohere-chat-cached_tokens_structured"},
	{"sql", "sql", "mistral-chat-json_mode"},
	{"tags", "tags", "gemini-generate-reasoning_structured"},
	{"answer", "answer", "anthropic-messages-reasoning_signature"},
	{"triage", "triage", "openai-chat-document"}, // its steps get the answers of the others
}

// Each prompt of the examples answers from what a provider was recorded to
// send. A chain gets the recorded answers of its steps.
func TestPromptsOnRecordings(t *testing.T) {
	all := captures(t, os.Getenv("SLUICE_WIRE"))
	said := map[string]string{}
	files := map[string]string{}
	for _, p := range playedPrompts {
		i := slices.IndexFunc(all, func(c capture) bool { return c.ID == p.capture })
		if i < 0 {
			t.Fatalf("no capture %s", p.capture)
		}
		c := &all[i]
		said[p.name] = *c.Expect.Text
		if want := scenario(t, p.prompt)["output"]; gjson.Valid(want) {
			c.body, said[p.name] = c.saying(t, want), want
		}
		files[p.name] = examplePrompt(t, p.prompt, "c"+strconv.Itoa(i)+"/"+c.model)
	}
	files["_style"] = examplePrompt(t, "_style", "")
	g := startPrompts(t, all, files)
	for _, p := range playedPrompts {
		t.Run(p.name, func(t *testing.T) {
			input := scenario(t, p.prompt)["input"]
			if strings.HasSuffix(p.name, "-stream") {
				a := g.data("POST", "/prompts/"+p.name, input, "Accept", "text/event-stream")
				var text strings.Builder
				for _, f := range framesOf(a.body) {
					text.WriteString(gjson.Get(strings.TrimPrefix(f, "data: "), "delta").String())
				}
				if a.status != 200 || text.String() != said[p.name] {
					t.Errorf("%d %q\nwant %q\n%s", a.status, text.String(), said[p.name], tail(a.body, 600))
				}
				return
			}
			a := g.data("POST", "/prompts/"+p.name, input, "Prefer", "return=envelope")
			want := said[p.name]
			if gjson.Valid(want) {
				want = gjson.Get(want, "@ugly").Raw
			}
			got := a.get("output").String()
			if a.status != 200 || got != want || a.get("usage.output_tokens").Int() == 0 {
				t.Errorf("%d %s\nwant %s", a.status, a.body, want)
			}
		})
	}
}

// What models were recorded to answer where an object was asked for is, as it
// was recorded, the object of a prompt with the schema that they were asked to
// keep to.
func TestRecordedObjects(t *testing.T) {
	all := captures(t, os.Getenv("SLUICE_WIRE"))
	files := map[string]string{}
	want := map[string]string{}
	for i := range all {
		c := &all[i]
		schema := c.schema()
		if schema == "" || c.Expect == nil || c.Expect.Text == nil || !gjson.Valid(*c.Expect.Text) {
			continue
		}
		name := "object-" + strconv.Itoa(i)
		want[name] = *c.Expect.Text
		files[name] = fmt.Sprintf("---\nmodel: c%d/%s\noutput: {format: json, schema: %s}\n---\nAnswer as you did.\n", i, c.model, schema)
	}
	if len(want) < 10 {
		t.Fatalf("%d captures of objects", len(want))
	}
	g := startPrompts(t, all, files)
	for name, text := range want {
		i, _ := strconv.Atoi(strings.TrimPrefix(name, "object-"))
		t.Run(all[i].ID, func(t *testing.T) {
			if a := g.data("POST", "/prompts/"+name, "{}"); a.status != 200 || strings.TrimSpace(a.body) != gjson.Get(text, "@ugly").Raw {
				t.Errorf("%d %s\nwant %s", a.status, a.body, text)
			}
		})
	}
}

// startPrompts starts a gateway with these prompts, whose models answer what was
// recorded.
func startPrompts(t *testing.T, all []capture, files map[string]string) *gateway {
	t.Helper()
	config, env := replayed(t, all)
	g := newGateway(t, config+team+"prompts: {dir: DIR/prompts}\n")
	g.env = env
	if err := os.Mkdir(filepath.Join(g.dir, "prompts"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		g.write(filepath.Join("prompts", name+".prompt"), []byte(text))
	}
	g.start()
	return g
}

// scenario is the sections of a prompt's scenario.
func scenario(t *testing.T, prompt string) map[string]string {
	t.Helper()
	ar, err := txtar.ParseFile(filepath.Join(examplePrompts, "scenarios", prompt+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	part := map[string]string{}
	for _, f := range ar.Files {
		part[f.Name] = strings.TrimSpace(string(f.Data))
	}
	return part
}

var (
	modelLine = regexp.MustCompile(`(?m)^model: .*$`)
	pathLine  = regexp.MustCompile(`(?m)^sluice\.path: .*\n`)
)

// examplePrompt is the file of an example with another model, under its own name
// alone.
func examplePrompt(t *testing.T, name, model string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(examplePrompts, "prompts", name+".prompt"))
	if err != nil {
		t.Fatal(err)
	}
	return modelLine.ReplaceAllString(pathLine.ReplaceAllString(string(b), ""), "model: "+model)
}

// saying is the recorded body with another text.
func (c *capture) saying(t *testing.T, text string) []byte {
	t.Helper()
	var at gjson.Result
	var find func(v gjson.Result)
	find = func(v gjson.Result) {
		if v.Type == gjson.String && v.String() == *c.Expect.Text {
			at = v
		}
		if v.IsObject() || v.IsArray() {
			v.ForEach(func(_, v gjson.Result) bool { find(v); return true })
		}
	}
	find(gjson.ParseBytes(c.body))
	if at.Index == 0 {
		t.Fatalf("%s does not have its text in one piece", c.ID)
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(c.body[:at.Index], quoted, c.body[at.Index+len(at.Raw):])
}

// schema is the JSON Schema that the recorded request asked for; empty: none.
func (c *capture) schema() string {
	for _, path := range []string{"response_format.json_schema.schema", "response_format.json_schema", "output_config.format.schema", "text.format.schema",
		"generationConfig.responseJsonSchema", "generationConfig.responseSchema"} {
		if v := gjson.GetBytes(c.request, path); v.IsObject() {
			for _, word := range []string{"OBJECT", "NUMBER", "STRING", "INTEGER"} { // Gemini's own words
				v.Raw = strings.ReplaceAll(v.Raw, `"`+word+`"`, `"`+strings.ToLower(word)+`"`)
			}
			return v.Raw
		}
	}
	return ""
}
