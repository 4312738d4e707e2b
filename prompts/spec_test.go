package prompts

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"sluice/prompts/ordered"
)

// TestSpecification runs the cases of the Dotprompt specification, where
// SLUICE_DOTPROMPT names the directory that has them.
func TestSpecification(t *testing.T) {
	dir := os.Getenv("SLUICE_DOTPROMPT")
	if dir == "" {
		t.Skip("SLUICE_DOTPROMPT is not set")
	}
	n := runSuites(t, filepath.Join(dir, "spec"))
	if n != 117 {
		t.Errorf("ran %d cases, want 117", n)
	}
}

// TestOwnCases runs cases of our own in the specification's form.
func TestOwnCases(t *testing.T) {
	if n := runSuites(t, "testdata/spec"); n < 30 {
		t.Errorf("ran %d cases only", n)
	}
}

func runSuites(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		for _, s := range readYAML(t, path).([]any) {
			suite := s.(ordered.Object)
			tests, _ := suite.Get("tests")
			for i, c := range tests.([]any) {
				n++
				name := fmt.Sprintf("%s/%v/%d", filepath.Base(path), field(suite, "name"), i)
				t.Run(name, func(t *testing.T) { runCase(t, suite, c.(ordered.Object)) })
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func readYAML(t *testing.T, path string) any {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	v, err := ordered.FromYAML(&doc)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func field(o ordered.Object, key string) any {
	v, _ := o.Get(key)
	return v
}

func sub(o ordered.Object, key string) ordered.Object {
	v, _ := field(o, key).(ordered.Object)
	return v
}

// runCase judges one test as the reference runner does: a rendering without
// raw and input, then the metadata without the messages.
func runCase(t *testing.T, suite, test ordered.Object) {
	source, _ := field(suite, "template").(string)
	partials := sub(suite, "partials").Merge(sub(suite, "resolverPartials"))
	schemas := sub(suite, "schemas").Merge(sub(suite, "resolverSchemas"))
	tmpl, faults := Parse("case", []byte(source), ParseOptions{
		Lenient: true,
		Partials: func(name string) (string, bool) {
			s, ok := field(partials, name).(string)
			return s, ok
		},
		Schemas: func(name string) (json.RawMessage, bool) {
			v, ok := schemas.Get(name)
			return ordered.Append(nil, v), ok
		},
	})
	expect := sub(test, "expect")
	if want, ok := field(expect, "fault").(string); ok {
		if len(faults) == 0 || !strings.Contains(faults.Error(), want) {
			t.Fatalf("faults %v, want %q", faults, want)
		}
		return
	}
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	data := sub(suite, "data").Merge(sub(test, "data"))
	in := RenderInput{Options: sub(test, "options")}
	in.Input, _ = ordered.Plain(sub(data, "input")).(map[string]any)
	in.Context, _ = ordered.Plain(sub(data, "context")).(map[string]any)
	if m, ok := data.Get("messages"); ok {
		var err error
		if in.History, err = DecodeMessages(ordered.Append(nil, m)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := tmpl.Render(in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{}
	if err := json.Unmarshal(ordered.Append(nil, expect), &want); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"ext", "config"} {
		if want[key] == nil {
			want[key] = map[string]any{}
		}
	}
	if raw, ok := want["raw"]; ok && !reflect.DeepEqual(got["raw"], raw) {
		t.Errorf("raw\n got %v\nwant %v", got["raw"], raw)
	}
	same(t, "rendering", got, want, "raw", "input")
	same(t, "metadata", got, want, "raw", "messages")
}

func same(t *testing.T, what string, got, want map[string]any, without ...string) {
	t.Helper()
	a, b := clean(got, without), clean(want, without)
	if !reflect.DeepEqual(a, b) {
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		t.Errorf("%s\n got %s\nwant %s", what, x, y)
	}
}

func clean(m map[string]any, without []string) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	for _, k := range without {
		delete(out, k)
	}
	return out
}
