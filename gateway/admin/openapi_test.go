package admin

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func openAPIDoc(t *testing.T, c client) *openapi3.T {
	t.Helper()
	rec := c.do("GET", "/admin/v1/openapi.json", "")
	if rec.Code != 200 || rec.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", rec.Code, rec.Header())
	}
	doc, err := openapi3.NewLoader().LoadFromData(rec.Body.Bytes())
	if err != nil {
		t.Fatalf("cannot read the document: %v\n%s", err, rec.Body)
	}
	return doc
}

func TestOpenAPIIsValid(t *testing.T) {
	doc := openAPIDoc(t, newClient(t, newWorld(), "viewer"))
	if err := doc.Validate(t.Context()); err != nil {
		t.Errorf("the document is not valid: %v", err)
	}
	for _, r := range routes {
		item := doc.Paths.Find(strings.ReplaceAll(r.path, "...}", "}"))
		if item == nil || item.GetOperation(r.method) == nil {
			t.Errorf("%s %s is not in the document", r.method, r.path)
			continue
		}
		op := item.GetOperation(r.method)
		if op.Summary == "" {
			t.Errorf("%s %s has no row in descriptions (openapi_routes.go)", r.method, r.path)
		}
		for _, p := range op.Parameters {
			if p.Value.In == "query" && p.Value.Description == "" {
				t.Errorf("%s %s: nothing is said of %s", r.method, r.path, p.Value.Name)
			}
		}
	}
	if len(descriptions) != len(routes) {
		t.Errorf("there are %d descriptions of %d routes", len(descriptions), len(routes))
	}
}

// What the document says of a query is what the handler knows.
func TestOpenAPIQueries(t *testing.T) {
	c := newClient(t, newWorld(), "admin")
	for _, r := range routes {
		d := descriptions[r.method+" "+r.path]
		rec := c.do(r.method, filled(r)+"?zzzzzzzz=1", "{}")
		_, list, found := strings.Cut(rec.Body.String(), "; known are ")
		if !found {
			if len(d.query) > 0 {
				t.Errorf("%s %s: %d %s", r.method, r.path, rec.Code, rec.Body)
			}
			continue
		}
		list, _, _ = strings.Cut(list, `"`)
		want := slices.Sorted(slices.Values(strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })))
		if got := slices.Sorted(slices.Values(d.query)); !slices.Equal(got, want) {
			t.Errorf("%s %s knows %v, the document %v", r.method, r.path, want, got)
		}
	}
}

// filled is a route's path with names that are there.
func filled(r route) string {
	name := "research"
	switch {
	case strings.Contains(r.path, "prompts"):
		name = "mood"
	case strings.Contains(r.path, "routes"):
		name = "z"
	case strings.Contains(r.path, "providers"):
		name = "mock"
	}
	id := "key_r"
	if strings.Contains(r.path, "requests") {
		id = "c1"
	}
	return strings.NewReplacer("{id}", id, "{n}", "1", "{target...}", "echo", "{name}", name).Replace(r.path)
}

// What is answered is what the document says.
func TestOpenAPIAnswers(t *testing.T) {
	bodies := map[string]string{"POST /admin/v1/teams": `{"name":"new","budget":{"usd":"5"}}`, "POST /admin/v1/keys": `{"team":"research"}`,
		"PUT /admin/v1/teams/{name}":                           `{"models":["fast"]}`,
		"POST /admin/v1/usage/reconcile":                       `{"data":[{"start_time":1793491200,"results":[{"input_tokens":5,"output_tokens":1,"model":"gpt-4o"}]}]}`,
		"POST /admin/v1/providers/{name}/breakers/{target...}": `{"state":"open"}`, "PUT /admin/v1/prompts/{name}/labels": `{"production":1}`}
	queries := map[string]string{"/admin/v1/usage/reconcile": "?provider=openai", "/admin/v1/explain": "?model=fast", "/admin/v1/arms": "?model=fast", "/admin/v1/cache": "?", "/admin/v1/invoices/{name}": "?month=2026-11",
		"/admin/v1/prompts/{name}/diff": "?from=1&to=2"}
	checked, doc := 0, openAPIDoc(t, newClient(t, newWorld(), "admin"))
	for _, r := range routes {
		c := newClient(t, newWorld(), "admin")
		rec := c.do(r.method, filled(r)+queries[r.path], bodies[r.method+" "+r.path])
		if rec.Code >= 400 {
			t.Logf("%s %s: %d %s", r.method, r.path, rec.Code, rec.Body)
			continue
		}
		answer := doc.Paths.Find(strings.ReplaceAll(r.path, "...}", "}")).GetOperation(r.method).Responses.Status(rec.Code)
		if answer == nil {
			t.Errorf("%s %s answers %d, which the document does not name", r.method, r.path, rec.Code)
			continue
		}
		if rec.Body.Len() == 0 || rec.Header().Get("Content-Type") == "application/x-ndjson" {
			continue
		}
		var v any
		if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if err := answer.Value.Content.Get("application/json").Schema.Value.VisitJSON(v); err != nil {
			t.Errorf("%s %s answered %s: %v", r.method, r.path, rec.Body, err)
		}
		checked++
	}
	if checked < 25 {
		t.Errorf("only %d answers were checked", checked)
	}
}
