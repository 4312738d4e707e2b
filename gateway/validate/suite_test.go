package validate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// group is as the files of the JSON Schema Test Suite have it
// (https://github.com/json-schema-org/JSON-Schema-Test-Suite, README.md): a schema,
// and data that fits it or does not.
type group struct {
	Description string
	Schema      json.RawMessage
	Tests       []struct {
		Description string
		Data        json.RawMessage
		Valid       bool
	}
}

// checker tells what is wrong with data.
type checker func(data []byte) ([]Problem, error)

// suite runs the groups of files, and tells how many cases they had.
func suite(t *testing.T, files []string, make func(schema []byte) (checker, error)) (n int) {
	t.Helper()
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var groups []group
		if err := json.Unmarshal(b, &groups); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, g := range groups {
			fits, err := make(g.Schema)
			if err != nil {
				t.Errorf("%s: %s is refused: %v", filepath.Base(file), g.Schema, err)
				continue
			}
			for _, c := range g.Tests {
				n++
				problems, err := fits(c.Data)
				if err != nil || (len(problems) == 0) != c.Valid {
					t.Errorf("%s: %s, %s: %s fits %s: %v, want %v (%v)", filepath.Base(file), g.Description, c.Description, c.Data, g.Schema, !c.Valid, c.Valid, err)
				}
				for _, p := range problems {
					if p.Pointer != "" && p.Pointer[0] != '/' {
						t.Errorf("%s: %q is no JSON pointer", g.Description, p.Pointer)
					}
				}
			}
		}
	}
	return n
}

// ofDocument has data checked as a body of an operation of an OpenAPI document.
func ofDocument(version string) func([]byte) (checker, error) {
	return func(schema []byte) (checker, error) {
		text := fmt.Sprintf(`{"openapi": %q, "info": {"title": "t", "version": "1"}, "paths": {"/a": {"post": {
			"requestBody": {"required": true, "content": {"application/json": {"schema": %s}}}, "responses": {"200": {"description": "x"}}}}}}`, version, schema)
		c, err := NewContract([]byte(text))
		if err != nil {
			return nil, err
		}
		return func(data []byte) ([]Problem, error) {
			q := &Request{Method: "POST", Path: "/a", Header: http.Header{"Content-Type": {"application/json"}}, Body: data}
			o, params, err := c.Find(q)
			if err != nil {
				return nil, err
			}
			return o.Check(q, params)
		}, nil
	}
}

// Each word of draft 2020-12 that OpenAPI 3.1 uses, as a schema by itself; and what
// OpenAPI 3.0 has in their place, in a document.
func TestSchemaSuite(t *testing.T) {
	n := suite(t, []string{"testdata/draft2020-12.json"}, func(schema []byte) (checker, error) {
		s, err := NewSchema(schema)
		if err != nil {
			return nil, err
		}
		return s.Check, nil
	})
	n += suite(t, []string{"testdata/openapi30.json"}, ofDocument("3.0.3"))
	if n < 150 {
		t.Errorf("only %d cases", n)
	}
	t.Logf("%d cases", n)
}
