package gateway

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const richPrompt = `---
model: m/echo
description: Finds things.
input:
  schema:
    type: object
    properties:
      node: {$ref: "#/$defs/node"}
      language: {type: string}
      kind: {enum: [a, "b"]}
    required: [node, language]
    $defs: {node: {type: object, properties: {next: {$ref: "#/$defs/node"}, name: {type: string}}, required: [name]}}
  default: {language: English}
output:
  format: json
  schema: {"found(array)": {name: string, "score?": number}, "kind(enum, which it is)": [x, y]}
sluice.access: public
sluice.summary: Find
sluice.tests:
  - {name: one, input: {node: {name: n}}, expect: {json: {found: [], kind: y}}}
---
{{node.name}} {{language}}
`

func openapiFiles() map[string]string {
	files := map[string]string{"find-things": richPrompt, "plain": "---\nmodel: m/echo\n---\nhello\n",
		"1st": sayPrompt, "a.b": sayPrompt, "a-b": sayPrompt, "closed": strings.Replace(sayPrompt, "---\n{{", "sluice.access: subscribed\n---\n{{", 1)}
	for name, text := range twoPrompts {
		files[name] = text
	}
	return files
}

func TestOpenAPIIsValid(t *testing.T) {
	e := newEdge(t, openapiFiles())
	a := e.call("GET", "/openapi.json", "")
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	doc, err := openapi3.NewLoader().LoadFromData([]byte(a.body))
	if err != nil {
		t.Fatalf("cannot read the document: %v\n%s", err, a.body)
	}
	if err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaFormatValidation()); err != nil {
		t.Errorf("the document is not valid: %v\n%s", err, a.body)
	}
	if again := e.call("GET", "/openapi.json", ""); again.body != a.body {
		t.Error("the document is not the same the second time")
	}
	find := doc.Paths.Find("/prompts/find-things").Post
	if find.OperationID != "findThings" || find.Summary != "Find" || !strings.HasPrefix(find.Description, "Finds things.") || len(*find.Security) != 3 {
		t.Errorf("operation %+v", find)
	}
	for _, status := range []string{"200", "400", "401", "403", "409", "422", "429", "502", "503", "504"} {
		if find.Responses.Value(status) == nil {
			t.Errorf("there is no response %s", status)
		}
	}
	in := find.RequestBody.Value.Content.Get("application/json")
	if s := in.Schema.Value; len(s.Required) != 1 || s.Required[0] != "node" || s.Properties["language"].Value.Default != "English" {
		t.Errorf("input %+v", s)
	}
	if b, err := json.Marshal(in.Example); err != nil || string(b) != `{"node":{"name":"n"}}` {
		t.Errorf("example %s, %v", b, err)
	}
	// What generators of clients stumble over is not there: definitions within
	// definitions, choices without a type.
	node, kind := doc.Components.Schemas["FindThingsInput_Node"], in.Schema.Value.Properties["kind"]
	if node == nil || node.Value.Properties["next"].Ref != "#/components/schemas/FindThingsInput_Node" || strings.Contains(a.body, "$defs") || !kind.Value.Type.Is("string") {
		t.Errorf("node %+v, kind %+v", node, kind.Value)
	}
	ids := map[string]bool{}
	for _, path := range doc.Paths.InMatchingOrder() {
		ids[doc.Paths.Find(path).Post.OperationID] = true
	}
	if len(ids) != 7 || doc.Paths.Find("/label") == nil || doc.Paths.Find("/prompts/closed") != nil {
		t.Errorf("operations %v", ids)
	}
}

// What the document says is what is served: its examples are answered, and the
// answers fit.
func TestOpenAPIExamplesWork(t *testing.T) {
	e := newEdge(t, openapiFiles())
	doc, err := openapi3.NewLoader().LoadFromData([]byte(e.call("GET", "/openapi.json", "").body))
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		example, err := json.Marshal(item.Post.RequestBody.Value.Content.Get("application/json").Example)
		if err != nil {
			t.Fatal(err)
		}
		a := e.call("POST", path, string(example))
		if a.status != 200 {
			t.Errorf("%s %s: %d %s", path, example, a.status, a.body)
			continue
		}
		content := item.Post.Responses.Value("200").Value.Content.Get("application/json")
		if content == nil {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(a.body), &v); err != nil {
			t.Fatal(err)
		}
		if err := content.Schema.Value.VisitJSON(v); err != nil {
			t.Errorf("%s answered %s: %v", path, a.body, err)
		}
		bad := e.call("POST", path, `{"surely":"not an input"}`)
		problem := item.Post.Responses.Value("422").Value.Content.Get("application/problem+json")
		if err := json.Unmarshal([]byte(bad.body), &v); err != nil || bad.status != 422 {
			t.Errorf("%s: %d %s", path, bad.status, bad.body)
		} else if err := problem.Schema.Value.VisitJSON(v); err != nil {
			t.Errorf("%s's problem is not what the document says: %v", path, err)
		}
	}
}

func TestOpenAPIShowsWhatTheCallerMayCall(t *testing.T) {
	e := newEdge(t, openapiFiles())
	for auth, want := range map[string]string{
		"none":                  "/prompts/find-things",
		"Bearer " + labelKey:    "/label",
		"Bearer nobody's":       "",
		"Bearer " + "  " + "sk": "",
	} {
		a := e.call("GET", "/openapi.json", "", "Authorization", auth)
		var paths []string
		for path := range a.get("paths").Map() {
			paths = append(paths, path)
		}
		if want == "" {
			if a.status != 401 {
				t.Errorf("%q: %d", auth, a.status)
			}
		} else if strings.Join(paths, " ") != want {
			t.Errorf("%q sees %q, want %q", auth, paths, want)
		}
	}
	if a := e.call("POST", "/openapi.json", ""); a.status != 405 {
		t.Errorf("POST: %d", a.status)
	}
}

// The documents are what the OpenAPI Initiative's own schema asks for:
// testdata/openapi-3.1.json is spec.openapis.org/oas/3.1/schema/2022-10-07,
// unchanged (Apache-2.0).
func TestOpenAPIByItsOfficialSchema(t *testing.T) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	official, err := c.Compile("testdata/openapi-3.1.json")
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := c.Compile("https://json-schema.org/draft/2020-12/schema") // their dialect's base
	if err != nil {
		t.Fatal(err)
	}
	e := newEdge(t, openapiFiles())
	for who, header := range map[string]string{"a key": "Bearer " + labelKey, "the usual key": "", "nobody": "none"} {
		var with []string
		if header != "" {
			with = []string{"Authorization", header}
		}
		a := e.call("GET", "/openapi.json", "", with...)
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		if err := official.Validate(doc); err != nil {
			t.Errorf("%s: %v", who, err)
		}
		for name, s := range a.get("components.schemas").Map() {
			schema, err := jsonschema.UnmarshalJSON(strings.NewReader(s.Raw))
			if err != nil {
				t.Fatal(err)
			}
			if err := schemas.Validate(schema); err != nil {
				t.Errorf("%s: the schema %s: %v", who, name, err)
			}
		}
	}
	broken := strings.Replace(e.call("GET", "/openapi.json", "").body, `"operationId"`, `"operationID"`, 1)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(broken))
	if err != nil || official.Validate(doc) == nil {
		t.Error("a wrong document is taken")
	}
}
