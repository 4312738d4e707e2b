package e2e

import (
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

// examplePrompts has the ten prompts, and four more.
const examplePrompts = "../../../examples/prompts"

// playedStream is a recorded stream that summarise gets, beside what its scenario
// names.
const playedStream = "anthropic-messages-stream-cache_request_cache_write"

// A prompt of the examples whose scenario names a capture answers what that
// scenario quotes when its provider sends the whole of what was recorded.
func TestPromptsOnRecordings(t *testing.T) {
	all := captures(t, os.Getenv("SLUICE_WIRE"))
	files := map[string]string{"_style": examplePrompt(t, "_style", "")}
	play := func(name, prompt, id string) *capture {
		i := slices.IndexFunc(all, func(c capture) bool { return c.ID == id })
		if i < 0 {
			t.Fatalf("%s: no capture %s", prompt, id)
		}
		files[name] = examplePrompt(t, prompt, "c"+strconv.Itoa(i)+"/"+all[i].model)
		return &all[i]
	}
	stream := *play("summarise-stream", "summarise", playedStream).Expect.Text
	played := map[string]map[string]string{}
	scenarios, err := filepath.Glob(filepath.Join(examplePrompts, "scenarios", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range scenarios {
		part := scenario(t, file)
		id := part["capture"]
		if id == "" {
			continue
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		played[name] = part
		if c := play(name, name, id); c.Source.Repo != part["repository"] || c.Source.Path != part["path"] {
			t.Errorf("%s: %s was recorded in %s, %s", name, id, c.Source.Repo, c.Source.Path)
		}
	}
	if len(played) < 2 {
		t.Errorf("%d scenarios name a capture", len(played))
	}
	g := startPrompts(t, all, files)
	for name, part := range played {
		t.Run(name, func(t *testing.T) {
			a := g.data("POST", "/prompts/"+name, part["input"], "Prefer", "return=envelope")
			if got := a.get("output").String(); a.status != 200 || got != part["said"] || a.get("usage.output_tokens").Int() == 0 {
				t.Errorf("%d %s\nwant %q", a.status, a.body, part["said"])
			}
		})
	}
	t.Run("stream", func(t *testing.T) {
		a := g.data("POST", "/prompts/summarise-stream", played["summarise"]["input"], "Accept", "text/event-stream")
		var text strings.Builder
		for _, f := range framesOf(a.body) {
			text.WriteString(gjson.Get(strings.TrimPrefix(f, "data: "), "delta").String())
		}
		if a.status != 200 || text.String() != stream {
			t.Errorf("%d %q\nwant %q\n%s", a.status, text.String(), stream, tail(a.body, 600))
		}
	})
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

// scenario is the sections of a prompt's scenario, and the lines of its source.
func scenario(t *testing.T, file string) map[string]string {
	t.Helper()
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	part := map[string]string{}
	for _, f := range ar.Files {
		part[f.Name] = strings.TrimSuffix(string(f.Data), "\n")
	}
	for line := range strings.Lines(part["source"]) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		part[key] = value
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
