package prompts

import (
	"encoding/json"
	"strconv"
	"strings"

	"sluice/prompts/ordered"
)

// pairsOf is short for the many small objects of a document.
func pairsOf(kv ...any) ordered.Object {
	o := make(ordered.Object, 0, len(kv)/2)
	for i := 0; i+1 < len(kv); i += 2 {
		o = append(o, ordered.Member{Key: kv[i].(string), Value: kv[i+1]})
	}
	return o
}

// OpenAPI describes prompts as an OpenAPI 3.1 document (spec.openapis.org/oas/
// v3.1.1, read 2026-11), with stable bytes: one operation a prompt, its input
// and output under components, examples, errors and security.
func OpenAPI(list []*Live) json.RawMessage {
	names := identifiers(list)
	paths, schemas := ordered.Object{}, problemSchemas()
	for i, l := range list {
		id := names[i]
		schemas = append(schemas, components(id+"Input", l.Template.CallerSchema())...)
		if l.Template.Output.JSON() {
			schemas = append(schemas, components(id+"Output", outputSchema(l.Template))...)
		}
		post := retired(operation(l, id), l)
		item := pairsOf("post", post)
		if get := readable(l, post); get != nil {
			item = item.With("get", get)
		}
		paths = append(paths, ordered.Member{Key: l.Path, Value: item})
	}
	return ordered.Append(nil, pairsOf(
		"openapi", "3.1.0",
		"info", pairsOf("title", "Prompts", "version", "1",
			"description", "Every operation is a prompt: input in, checked output out."),
		"servers", []any{pairsOf("url", "/")},
		"paths", paths,
		"components", pairsOf("schemas", schemas, "parameters", parameters(), "responses", problemResponses(),
			"securitySchemes", pairsOf(
				"bearer", pairsOf("type", "http", "scheme", "bearer"),
				"apiKey", pairsOf("type", "apiKey", "in", "header", "name", "x-api-key")))))
}

func outputSchema(t *Template) ordered.Object {
	if s, ok := t.Output.Schema.(ordered.Object); ok {
		return s
	}
	return pairsOf("description", "any JSON object or list")
}

// operation is a prompt's POST.
func operation(l *Live, id string) ordered.Object {
	t := l.Template
	input, output := t.Examples()
	body := pairsOf("schema", reference("schemas", id+"Input"))
	body = exampled(body, input)
	text := t.Description
	if text != "" {
		text += "\n\n"
	}
	text += "An array of inputs gives the array of their outputs; with `Prefer: respond-async`, 202 and where it will be. With `Accept: text/event-stream` the output comes as events: `data:` lines with `{\"delta\": …}`, then `event: done`."
	if t.Output.JSON() {
		text += " With `Prefer: partial` too, `event: partial` shows the object so far."
	}
	if t.Sluice.Access == AccessSubscribed {
		text += " The key needs a subscription: without one the answer is 403."
	}
	op := pairsOf("operationId", strings.ToLower(id[:1])+id[1:])
	if t.Sluice.Summary != "" {
		op = op.With("summary", t.Sluice.Summary)
	}
	op = append(op, pairsOf("description", text, "tags", tagsOf(t))...)
	var shared []any
	for _, p := range parameters() {
		if p.Key == "IfNoneMatch" {
			continue // a GET's
		}
		shared = append(shared, reference("parameters", p.Key))
	}
	op = op.With("parameters", shared)
	op = op.With("requestBody", pairsOf("required", len(requiredOf(t.CallerSchema())) > 0, "content", pairsOf("application/json", body)))
	op = op.With("responses", responses(t, id, output))
	security := []any{pairsOf("bearer", []any{}), pairsOf("apiKey", []any{})}
	if t.Sluice.Access == AccessPublic {
		security = append([]any{ordered.Object{}}, security...)
	}
	return op.With("security", security).With("x-sluice-access", string(t.Sluice.Access)).With("x-codeSamples", samples(l.Path, input))
}

// tagsOf are a prompt's own tags after the one that all prompts have.
func tagsOf(t *Template) []any {
	out := []any{"prompts"}
	for _, tag := range t.Sluice.Tags {
		out = append(out, tag)
	}
	return out
}

func exampled(o ordered.Object, example json.RawMessage) ordered.Object {
	if example == nil {
		return o
	}
	v, err := ordered.Decode(example)
	if err != nil {
		return o
	}
	return o.With("example", v)
}

func responses(t *Template, id string, example json.RawMessage) ordered.Object {
	content := pairsOf("text/plain", pairsOf("schema", pairsOf("type", "string")))
	if t.Output.JSON() {
		content = pairsOf("application/json", exampled(pairsOf("schema", reference("schemas", id+"Output")), example))
	}
	content = content.With("text/event-stream", pairsOf("schema", pairsOf("type", "string")))
	text := pairsOf("type", "string")
	out := pairsOf("200", pairsOf("description", "The output.",
		"headers", pairsOf(
			"x-sluice-prompt", pairsOf("description", "The version that answered, such as sentiment@3.", "schema", text),
			"x-sluice-cost", pairsOf("description", "What it cost, in dollars.", "schema", text),
			"x-request-id", pairsOf("description", "The call's id.", "schema", text)),
		"content", content),
		"202", reference("responses", "Accepted"))
	for _, p := range problemResponses() {
		if problemStatus[p.Key] == "" {
			continue
		}
		out = append(out, ordered.Member{Key: problemStatus[p.Key], Value: reference("responses", p.Key)})
	}
	return out
}

func reference(kind, name string) ordered.Object {
	return pairsOf("$ref", "#/components/"+kind+"/"+name)
}

// parameters are those that every prompt takes.
func parameters() ordered.Object {
	header := func(name, text string, schema ordered.Object) ordered.Object {
		return pairsOf("name", name, "in", "header", "description", text, "schema", schema)
	}
	return pairsOf(
		"Prefer", header("Prefer", "`return=envelope` wraps the output: {output, usage, cost, model, prompt, version}; `respond-async` lets an array be answered later; `partial` shows a JSON output grow in a stream.", pairsOf("type", "string")),
		"IdempotencyKey", header("Idempotency-Key", "Another request with it gets the first answer again, for a day.", pairsOf("type", "string", "maxLength", json.Number("255"))),
		"PromptVersion", header("X-Prompt-Version", "The version to call.", pairsOf("type", "integer", "minimum", json.Number("1"))),
		"PromptLabel", header("X-Prompt-Label", "The label to call, such as staging.", pairsOf("type", "string")),
		"IfNoneMatch", header("If-None-Match", "The ETag of an answer that the caller has: 304 if it still holds.", pairsOf("type", "string")))
}

// problemStatus are the statuses of the failures that every prompt may have.
var problemStatus = map[string]string{"BadRequest": "400", "Unauthorized": "401", "Forbidden": "403", "Conflict": "409",
	"InvalidInput": "422", "TooManyRequests": "429", "BadGateway": "502", "Unavailable": "503", "Timeout": "504"}

func problemResponses() ordered.Object {
	problem := func(text, schema string) ordered.Object {
		return pairsOf("description", text, "content", pairsOf("application/problem+json", pairsOf("schema", reference("schemas", schema))))
	}
	return pairsOf(
		"Accepted", pairsOf("description", "The array is run while nobody waits.", "headers", pairsOf("Location", pairsOf(
			"description", "Where a GET, with the same key, tells how far it is (202) and then gives the array (200), for a day.", "schema", pairsOf("type", "string")))),
		"Gone", problem("The version is served no longer.", "Problem"),
		"BadRequest", problem("The request cannot be read.", "Problem"),
		"Unauthorized", problem("There is no valid key.", "Problem"),
		"Forbidden", problem("The key may not call this prompt.", "Problem"),
		"Conflict", problem("The idempotency key was used with another request.", "Problem"),
		"InvalidInput", problem("The input does not fit the schema; every fault is told.", "InvalidInputProblem"),
		"TooManyRequests", problem("A limit is reached, or a budget is spent.", "Problem"),
		"BadGateway", problem("The model failed, or what it said breaks the output's schema.", "Problem"),
		"Unavailable", problem("No model can be reached now.", "Problem"),
		"Timeout", problem("The model took too long.", "Problem"))
}

// problemSchemas are the bodies of failures (RFC 9457).
func problemSchemas() ordered.Object {
	text := pairsOf("type", "string")
	fields := pairsOf("type", text, "title", text, "status", pairsOf("type", "integer"), "detail", text, "code", text,
		"origin", pairsOf("type", "string", "enum", []any{"gateway", "provider", "policy"}), "instance", text, "request_id", text)
	required := []any{"type", "title", "status", "detail", "code", "origin"}
	fault := pairsOf("type", "object", "required", []any{"pointer", "message"}, "properties", pairsOf("pointer", text, "message", text))
	return pairsOf(
		"Problem", pairsOf("type", "object", "required", required, "properties", fields),
		"InvalidInputProblem", pairsOf("type", "object", "required", append(required[:len(required):len(required)], "errors"),
			"properties", fields.With("errors", pairsOf("type", "array", "items", fault))))
}

// identifiers are the names of prompts as programs write them, each once.
func identifiers(list []*Live) []string {
	taken := map[string]bool{}
	out := make([]string, len(list))
	for i, l := range list {
		var b strings.Builder
		for _, word := range strings.FieldsFunc(l.Name, func(r rune) bool { return strings.ContainsRune("._-", r) }) {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
		name := b.String()
		if name[0] >= '0' && name[0] <= '9' {
			name = "Prompt" + name
		}
		for n := 2; taken[strings.ToLower(name)]; n++ {
			name = b.String() + strconv.Itoa(n)
		}
		taken[strings.ToLower(name)] = true
		out[i] = name
	}
	return out
}
