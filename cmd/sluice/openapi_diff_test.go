package main

import (
	"slices"
	"strings"
	"testing"
)

const diffAPI = `openapi: 3.1.0
info: {title: x, version: "1"}
paths:
  /orders:
    get:
      parameters: [{name: q, in: query, schema: {type: string, maxLength: 10}}, {name: state, in: query, schema: {type: string, enum: [open, shipped]}}]
      responses:
        "200": {description: ok, content: {application/json: {schema: {type: object, required: [id], properties: {id: {type: string}, n: {type: integer}, state: {type: string, enum: [a, b]}}}}}}
    post:
      requestBody: {content: {application/json: {schema: {type: object, required: [name], properties: {name: {type: string}, note: {type: string}}}}}}
      responses: {"201": {description: made}}
  /gone: {get: {responses: {"200": {description: ok}}}}
components: {securitySchemes: {k: {type: http, scheme: bearer}}}
`

func TestOpenAPIDiff(t *testing.T) {
	was, err := parseOpenAPI([]byte(diffAPI))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, from, to, level, rule, says string }{
		{"a path is gone", "  /gone: {get: {responses: {\"200\": {description: ok}}}}\n", "", isBreaking, "api-path-removed-without-deprecation", ""},
		{"a path is new", "  /gone:", "  /new: {get: {responses: {\"200\": {description: ok}}}}\n  /gone:", isCompatible, "endpoint-added", ""},
		{"a parameter is needed", "{name: q, in: query,", "{name: q, in: query, required: true,", isBreaking, "request-parameter-became-required", "q became required"},
		{"a new parameter is needed", "parameters: [", "parameters: [{name: p, in: query, required: true, schema: {type: string}}, ", isBreaking, "new-required-request-parameter", "p"},
		{"a new parameter", "parameters: [", "parameters: [{name: p, in: query, schema: {type: string}}, ", isCompatible, "new-optional-request-parameter", "p"},
		{"a parameter is shorter", "maxLength: 10", "maxLength: 5", isBreaking, "request-parameter-max-length-decreased", "5"},
		{"a parameter may be less", "enum: [open, shipped]", "enum: [open]", isBreaking, "request-parameter-enum-value-removed", "shipped"},
		{"a parameter may be more", "enum: [open, shipped]", "enum: [open, shipped, lost]", isCompatible, "request-parameter-enum-value-added", "lost"},
		{"a body's field is needed", "required: [name]", "required: [name, note]", isBreaking, "request-property-became-required", "note"},
		{"a body's field is not needed", "required: [name], ", "", isCompatible, "request-property-became-optional", "name"},
		{"a body's field has another type", "note: {type: string}", "note: {type: integer}", isBreaking, "request-property-type-changed", "note"},
		{"an answer's field is gone", "required: [id], properties: {id: {type: string}, ", "properties: {", isBreaking, "response-required-property-removed", "id"},
		{"an answer's field may be gone", "required: [id], properties", "properties", isBreaking, "response-property-became-optional", "id"},
		{"an answer's field has another type", "n: {type: integer}", "n: {type: string}", isBreaking, "response-property-type-changed", "n"},
		{"an answer's field is new", "n: {type: integer}", "n: {type: integer}, m: {type: string}", isCompatible, "response-optional-property-added", "m"},
		{"an answer may be more", "enum: [a, b]", "enum: [a, b, c]", isBreaking, "response-property-enum-value-added", "c"},
		{"an answer's field that may lack is gone", "n: {type: integer}, ", "", isCompatible, "response-optional-property-removed", "n"},
		{"a parameter is gone", ", {name: state, in: query, schema: {type: string, enum: [open, shipped]}}", "", isDoubtful, "request-parameter-removed", "state"},
		{"an answer's type is gone", "application/json: {schema: {type: object, required: [id]", "text/json: {schema: {type: object, required: [id]", isBreaking, "response-media-type-removed", "application/json"},
		{"an answer is gone", `"201"`, `"202"`, isBreaking, "response-success-status-removed", "201"},
		{"sign-in is needed", "  /gone: {get: {", "  /gone: {get: {security: [{k: []}], ", isBreaking, "api-security-anonymous-access-removed", "k"},
		{"words", "title: x", "title: y", "", "", ""},
	} {
		text := strings.Replace(diffAPI, c.from, c.to, 1)
		if text == diffAPI {
			t.Fatalf("%s: nothing is changed", c.name)
		}
		now, err := parseOpenAPI([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		changes, err := compareAPIs(was, now)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		found := slices.ContainsFunc(changes, func(g apiChange) bool {
			return g.Level == c.level && g.Rule == c.rule && strings.Contains(g.Text, c.says)
		})
		worse := slices.ContainsFunc(changes, func(g apiChange) bool { return g.Level == isBreaking }) && c.level != isBreaking
		if found != (c.level != "") || worse || c.level == "" && len(changes) > 0 {
			t.Errorf("%s: want %s %s, found %+v", c.name, c.level, c.rule, changes)
		}
	}
}

// TestOpenAPIDiffCommand: what it prints, and its exit codes.
func TestOpenAPIDiffCommand(t *testing.T) {
	elsewhere(t)
	write(t, "old.yaml", diffAPI)
	write(t, "doubt.yaml", strings.Replace(diffAPI, ", {name: state, in: query, schema: {type: string, enum: [open, shipped]}}", "", 1))
	write(t, "new.yaml", strings.Replace(strings.Replace(diffAPI, "{name: q, in: query,", "{name: q, in: query, required: true,", 1), "n: {type: integer}", "n: {type: integer}, m: {type: string}", 1))
	sluice(t, "openapi", "diff", "old.yaml", "old.yaml").want(t, 0, "", "")
	sluice(t, "openapi", "diff", "old.yaml", "old.yaml", "--json").want(t, 0, "[]\n", "")
	sluice(t, "openapi", "diff", "old.yaml", "new.yaml").want(t, 1, "breaking    GET /orders: the query request parameter q became required\ncompatible  GET /orders: added the optional property m", "")
	sluice(t, "openapi", "diff", "old.yaml", "new.yaml", "--json").want(t, 1, `[{"level":"breaking","method":"GET","path":"/orders","rule":"request-parameter-became-required","text":`, "")
	sluice(t, "openapi", "diff", "new.yaml", "old.yaml").want(t, 0, "compatible", "")
	sluice(t, "openapi", "diff", "old.yaml", "doubt.yaml").want(t, 0, "doubtful    GET /orders: ", "")
	sluice(t, "openapi", "diff", "old.yaml", "doubt.yaml", "--strict").want(t, 1, "doubtful", "")
	sluice(t, "openapi", "diff", "old.yaml", "absent.yaml").want(t, 2, "", "absent.yaml")
	sluice(t, "openapi", "diff", "old.yaml").want(t, 2, "", "accepts 2 arg")
}
