package prompts

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/prompts/ordered"
	"sluice/providers/schema"
)

func parse(t testing.TB, source string) *Template {
	t.Helper()
	tmpl, faults := Parse("test", []byte(source), ParseOptions{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return tmpl
}

func TestRenderedBytes(t *testing.T) {
	tmpl := parse(t, `---
model: m
config: {topK: 3, temperature: 0, vendor: {z: 1, a: "<>"}}
input:
  schema: {z: string, "a?": integer}
output: {format: json, schema: {b: string, a: number}}
x.y: 1
other: true
---
{{z}}`)
	r, err := tmpl.Render(RenderInput{Input: map[string]any{"z": "<é>"}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.MarshalJSON()
	want := `{"messages":[{"role":"user","content":[{"text":"<é>"}]}],"config":{"topK":3,"temperature":0,"vendor":{"z":1,"a":"<>"}},` +
		`"input":{"schema":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":["integer","null"]}},"required":["z"],"additionalProperties":false}},` +
		`"output":{"format":"json","schema":{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"number"}},"required":["b","a"],"additionalProperties":false}},` +
		`"ext":{"x":{"y":1}},"model":"m","raw":{"model":"m","config":{"topK":3,"temperature":0,"vendor":{"z":1,"a":"<>"}},` +
		`"input":{"schema":{"z":"string","a?":"integer"}},"output":{"format":"json","schema":{"b":"string","a":"number"}},"x.y":1,"other":true}}`
	if err != nil || string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

// TestOneTemplateManyCalls renders with one template from many goroutines; the
// race detector watches.
func TestOneTemplateManyCalls(t *testing.T) {
	tmpl := parseVictim(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				text := fmt.Sprintf("<%d-%d>", g, i)
				r, err := tmpl.Render(RenderInput{Context: victimContext(), Input: map[string]any{"text": text, "items": []any{text}}})
				if err != nil {
					t.Error(err)
					return
				}
				if got := checkVictim(t, r); strings.Count(got, "<") != strings.Count(got, text)+1 {
					t.Errorf("another call's text: %q", got)
				}
				tmpl.CheckInput(map[string]any{"text": text, "extra": i})
			}
		})
	}
	wg.Wait()
}

func TestRenderBounds(t *testing.T) {
	list := make([]any, 1000)
	in := RenderInput{Input: map[string]any{"xs": list, "big": strings.Repeat("x", 1<<20)}}
	for source, want := range map[string]string{
		`{{#each xs}}{{#each ../xs}}{{/each}}{{/each}}`: "steps",
		`{{#each xs}}{{../big}}{{/each}}`:               "longer than",
		`{{#each xs}}{{media url=../big}}{{/each}}`:     "longer than",
		`{{> again}}`:     "deeper than",
		`{{> again x=1}}`: "deeper than",
	} {
		tmpl, faults := Parse("bounds", []byte(source), ParseOptions{Partials: func(string) (string, bool) { return "{{> again}}", true }})
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		_, err := tmpl.Render(in)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), ".prompt:1: ") {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestParseDepth(t *testing.T) {
	for _, source := range []string{
		strings.Repeat("{{#if x}}", 500) + strings.Repeat("{{/if}}", 500),
		"{{#if x}}" + strings.Repeat("{{else if x}}", 500) + "{{/if}}",
		"{{json " + strings.Repeat("(json ", 500) + "x" + strings.Repeat(")", 500) + "}}",
	} {
		_, faults := Parse("deep", []byte(source), ParseOptions{})
		if len(faults) != 1 || !strings.Contains(faults[0].Message, "nested deeper") {
			t.Errorf("faults %v", faults)
		}
	}
}

func TestChatRequest(t *testing.T) {
	tmpl := parse(t, `---
model: openai/gpt-4o
config:
  temperature: 0
  topP: 0.5
  top_k: 40
  maxOutputTokens: 100
  stopSequences: [END]
  seed: 7
  frequency_penalty: 0.1
  reasoning_effort: low
  tool_choice: auto
  safetySettings: [{b: 1, a: 2}]
output: {format: json, schema: {mood(enum): [good, bad], why: string}}
tools: [weather, {name: clock}]
toolDefs: [{name: weather, description: Tell the weather, inputSchema: {city: string}}]
---
{{role "system"}}S{{role "user"}}{{media url="https://x/a.PDF"}}{{media url="data:image/png;base64,aGk="}}{{section "s"}}{{media url="https://x/y" contentType="audio/wav"}}T`)
	history := `[{"role":"model","content":[{"toolRequest":{"ref":"1","name":"weather","input":{"city":"Rome"}}}]},
		{"role":"tool","content":[{"toolResponse":{"ref":"1","name":"weather","output":{"c":20}}}]}]`
	messages, err := DecodeMessages([]byte(history))
	if err != nil {
		t.Fatal(err)
	}
	r, err := tmpl.Render(RenderInput{History: messages})
	if err != nil {
		t.Fatal(err)
	}
	req, err := r.ChatRequest()
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(req.Messages)
	want := `[{"Role":"system","Parts":[{"Type":"text","Text":"S"}]},` +
		`{"Role":"assistant","ToolCalls":[{"id":"1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}]},` +
		`{"Role":"tool","Name":"weather","Parts":[{"Type":"text","Text":"{\"c\":20}"}],"ToolCallID":"1"},` +
		`{"Role":"user","Parts":[{"Type":"document","Media":{"URL":"https://x/a.PDF","MIME":"application/pdf"}},` +
		`{"Type":"image","Media":{"MIME":"image/png","Data":"aGk="}},{"Type":"audio","Media":{"URL":"https://x/y","MIME":"audio/wav"}},{"Type":"text","Text":"T"}]}]`
	if got := pruned(t, b); got != want {
		t.Errorf("messages\n got %s\nwant %s", got, want)
	}
	if *req.Temperature != 0 || *req.TopP != 0.5 || *req.TopK != 40 || *req.MaxTokens != 100 || req.Stop[0] != "END" || *req.Seed != 7 ||
		*req.FrequencyPenalty != 0.1 || req.Reasoning.Effort != "low" || req.ToolChoice.Mode != "auto" || req.Model != "openai/gpt-4o" {
		t.Errorf("request %+v", req)
	}
	if got := string(req.Extra["safetySettings"]); got != `[{"b":1,"a":2}]` {
		t.Errorf("extra %s", got)
	}
	if len(req.Tools) != 2 || string(req.Tools[0].Parameters) != `{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}` {
		t.Errorf("tools %+v", req.Tools)
	}
	f := req.ResponseFormat
	if f.Type != "json_schema" || f.Name != "test" || !*f.Strict ||
		string(f.Schema) != `{"type":"object","properties":{"mood":{"type":"string","enum":["good","bad"]},"why":{"type":"string"}},"required":["mood","why"],"additionalProperties":false}` {
		t.Errorf("response format %+v %s", f, f.Schema)
	}
}

// pruned drops what is empty, so that a test shows what is there.
func pruned(t *testing.T, b []byte) string {
	t.Helper()
	v, err := ordered.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	var prune func(v any) any
	prune = func(v any) any {
		switch v := v.(type) {
		case []any:
			for i := range v {
				v[i] = prune(v[i])
			}
		case ordered.Object:
			out := ordered.Object{}
			for _, m := range v {
				if m.Value != nil && m.Value != "" && m.Value != false {
					out = append(out, ordered.Member{Key: m.Key, Value: prune(m.Value)})
				}
			}
			return out
		}
		return v
	}
	return string(ordered.Append(nil, prune(v)))
}

func TestResponseFormat(t *testing.T) {
	for output, want := range map[string]string{
		`{format: text}`: "none", `{format: json}`: "json_object", `{schema: string}`: "none",
		`{schema: {a: string}}`:                                                  "json_schema strict",
		`{schema: {"a?": string}}`:                                               "json_schema",
		`{schema: {a: any}}`:                                                     "json_schema",
		`{schema: {(*): string}}`:                                                "json_schema",
		`{schema: {"a(array)": {b: number}}}`:                                    "json_schema strict",
		`{schema: {"a(enum)": [1, x]}}`:                                          "json_schema",
		`{schema: {"a(object)": {"b(object)": {c: null}}}}`:                      "fault",
		`{schema: {type: object, properties: {a: {type: string}}}}`:              "json_schema",
		`{format: json, schema: {type: array, items: {type: string}}}`:           "none",
		`{format: json, schema: {type: object, patternProperties: {"x": true}}}`: "json_schema",
	} {
		tmpl, faults := Parse("f", []byte("---\noutput: "+output+"\n---\nx"), ParseOptions{})
		got := "fault"
		if len(faults) == 0 {
			r, _ := tmpl.Render(RenderInput{})
			req, err := r.ChatRequest()
			if err != nil {
				t.Fatal(err)
			}
			got = "none"
			if f := req.ResponseFormat; f != nil {
				got = f.Type
				if f.Strict != nil && *f.Strict {
					got += " strict"
				}
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", output, got, want)
		}
	}
}

func TestConfigFaults(t *testing.T) {
	for config, want := range map[string]string{
		`{temperature: hot}`: "temperature must be a number, not text", `{maxOutputTokens: 0}`: "above 0", `{topK: 1.5}`: "whole number",
		`{stop: [1]}`: "list of texts", `{model: x}`: "does not belong here", `{n: 2}`: "one answer", `{store: 1}`: "true or false",
		`{tool_choice: 1}`: "auto, none", `{metadata: {a: 1}}`: "must be a word", `{user: 1}`: "must be a word", `{modalities: 1}`: "list of words",
	} {
		_, faults := Parse("c", []byte("---\nname: x\nconfig: "+config+"\n---\nx"), ParseOptions{})
		if len(faults) != 1 || !strings.Contains(faults[0].Message, want) || faults[0].Line != 3 {
			t.Errorf("%s: %v", config, faults)
		}
	}
	for tools, want := range map[string]string{
		`tools: [ghost]`: "no definition", `tools: [1]`: "a name or a definition", `toolDefs: [{name: "a b"}]`: "letters, digits",
		`toolDefs: [{name: a}, {name: a}]`: "two tools", `toolDefs: [{name: a, input: {}}]`: "unknown key", `toolDefs: [{name: a, inputSchema: {x: nope}}]`: "unknown type",
	} {
		_, faults := Parse("c", []byte("---\n"+tools+"\n---\nx"), ParseOptions{})
		if len(faults) != 1 || !strings.Contains(faults[0].Message, want) {
			t.Errorf("%s: %v", tools, faults)
		}
	}
}

// TestRequestIsOnesOwn: what a caller does to a request does not reach the
// next.
func TestRequestIsOnesOwn(t *testing.T) {
	tmpl := parse(t, "---\nconfig: {stop: [a], x: 1, metadata: {k: v}}\ntoolDefs: [{name: t}]\n---\nx")
	request := func() *schema.ChatRequest {
		r, err := tmpl.Render(RenderInput{})
		if err != nil {
			t.Fatal(err)
		}
		req, err := r.ChatRequest()
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	a := request()
	a.Stop[0], a.Tools[0].Name, a.Extra["x"], a.Metadata["k"], a.Messages[0].Parts[0].Text = "b", "b", nil, "b", "b"
	b := request()
	if b.Stop[0] != "a" || b.Tools[0].Name != "t" || string(b.Extra["x"]) != "1" || b.Metadata["k"] != "v" || b.Messages[0].Parts[0].Text != "x" {
		t.Errorf("request %+v", b)
	}
}

// BenchmarkRender fills in a template of 4 KiB with 50 variables and makes the
// request of it. Beside the mean it tells the 50th and 99th percentile.
func BenchmarkRender(b *testing.B) {
	var src strings.Builder
	in := map[string]any{}
	src.WriteString("{{role \"system\"}}")
	for i := range 50 {
		fmt.Fprintf(&src, "%s{{v%d}} ", strings.Repeat("word ", 15), i)
		in[fmt.Sprint("v", i)] = strings.Repeat("value ", 5)
	}
	tmpl := parse(b, src.String())
	taken := make([]time.Duration, 0, 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		r, err := tmpl.Render(RenderInput{Input: in})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.ChatRequest(); err != nil {
			b.Fatal(err)
		}
		taken = append(taken, time.Since(began))
	}
	slices.Sort(taken)
	b.ReportMetric(float64(taken[len(taken)/2].Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64(taken[len(taken)*99/100].Nanoseconds())/1e3, "p99-µs")
}
