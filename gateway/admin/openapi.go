package admin

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// described is what the document says of a route.
type described struct {
	summary string
	query   []string // names of the parameters; their words are in parameters
	in      any      // a value of the body's type; nil: none is read
	out     any      // a value of the answer's type, or a schema; nil: no content
	status  int      // of the answer; 0: 200
	forms   []string // media types beside JSON
}

// openAPI serves the description of this API.
func (a *api) openAPI(q *request) error {
	if _, err := q.query(); err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", "application/json")
	_, _ = q.w.Write(a.document()) // the client may have left
	return nil
}

// document is OpenAPI 3.1 of every route, made when it is first asked for. One
// without a description is told by its path, method and roles alone.
var document = sync.OnceValue(func() []byte {
	paths := map[string]map[string]any{}
	for _, r := range routes {
		path := strings.ReplaceAll(r.path, "...}", "}")
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(r.method)] = r.operation(path)
	}
	doc := map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{"title": "Sluice's admin API", "version": "1",
			"description": "Lists are {data, next} and take limit and after. Money is a decimal string of dollars, times are RFC 3339, durations milliseconds."},
		"paths":    paths,
		"security": []any{map[string]any{"token": []any{}}},
		"components": map[string]any{
			"securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer", "description": "an admin token"}},
			"responses": map[string]any{"Problem": map[string]any{"description": "why not (RFC 9457)",
				"content": map[string]any{"application/problem+json": map[string]any{"schema": schemaOf(problem{}, true)}}}},
		},
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic("the description of the admin API cannot be written: " + err.Error()) // it is made of literals: a test would have shown it
	}
	return b
})

var inPath = regexp.MustCompile(`\{([a-z]+)\}`)

// operation is a route as the document has it.
func (r *route) operation(path string) map[string]any {
	d := descriptions[r.method+" "+r.path]
	params := []any{}
	for _, found := range inPath.FindAllStringSubmatch(path, -1) {
		params = append(params, map[string]any{"name": found[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
	}
	for _, name := range d.query {
		params = append(params, map[string]any{"name": name, "in": "query", "description": parameters[name], "schema": map[string]any{"type": "string"}})
	}
	answer := map[string]any{"description": "done"}
	switch out := d.out.(type) {
	case nil:
	case mediaType:
		answer["content"] = map[string]any{string(out): map[string]any{"schema": map[string]any{"type": "string"}}}
	default:
		content := map[string]any{"application/json": map[string]any{"schema": schemaOf(d.out, true)}}
		for _, form := range d.forms {
			content[form] = map[string]any{"schema": map[string]any{"type": "string"}}
		}
		answer["content"] = content
	}
	status := d.status
	switch {
	case status == 0 && d.out == nil && d.summary != "":
		status = http.StatusNoContent
	case status == 0:
		status = http.StatusOK
	}
	var roles []string
	for _, role := range r.roles {
		roles = append(roles, string(role))
	}
	id := strings.ToLower(r.method) + strings.NewReplacer("/admin/v1", "", "/", "-", "{", "", "}", "").Replace(path)
	op := map[string]any{"operationId": id, "summary": d.summary, "description": "For " + strings.Join(roles, ", ") + ".", "parameters": params,
		"responses": map[string]any{strconv.Itoa(status): answer, "default": map[string]any{"$ref": "#/components/responses/Problem"}}}
	switch body := d.in.(type) {
	case nil:
	case mediaType:
		op["requestBody"] = map[string]any{"content": map[string]any{string(body): map[string]any{"schema": map[string]any{"type": "string"}}}}
	default:
		op["requestBody"] = map[string]any{"content": map[string]any{"application/json": map[string]any{"schema": schemaOf(body, false)}}}
	}
	return op
}

// mediaType is a body, or an answer, that is not one JSON document.
type mediaType string
